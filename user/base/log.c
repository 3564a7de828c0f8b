/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

static enum eg_log_level max_level = EG_LOG_INFO;

void eg_log_set_level(enum eg_log_level level)
{
	max_level = level;
}

bool eg_log_wants(enum eg_log_level level)
{
	return level <= max_level;
}

void eg_log(enum eg_log_level level, const char *format, ...)
{
	int saved_errno = errno;
	char line[2048], shown[EG_ESCAPED_MAX(sizeof(line))];
	va_list args;

	if (!eg_log_wants(level))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* One write, so that lines of several processes do not mix. Names of cgroups and files are anybody's. */
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, eg_text_escape(line, sizeof(line), shown));
	errno = saved_errno;
}
