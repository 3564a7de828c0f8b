/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/text.h"

#include <string.h>

#include "base/cleanup.h"

size_t eg_text_shown_len(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (len == 1 && (s[0] < 0x20 || s[0] == 0x7f))
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if (len == 2 && s[0] == 0xc2 && s[1] < 0xa0)
		return 0; /* the C1 controls: terminals obey some of them */
	if (len == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0)))
		return 0; /* overlong, surrogates */
	if (len == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90)))
		return 0;
	return len;
}

static size_t line_break_len(const char *s, const char *end)
{
	static const struct {
		const char *bytes;
		size_t len;
	} breaks[] = {{"\r\n", 2}, {"\n", 1}, {"\r", 1}, {"\xc2\x85", 2}, {"\xe2\x80\xa8", 3}, {"\xe2\x80\xa9", 3}};

	for (size_t i = 0; i < EG_COUNT_OF(breaks); i++)
		if (breaks[i].len <= (size_t)(end - s) && memcmp(s, breaks[i].bytes, breaks[i].len) == 0)
			return breaks[i].len;
	return 0;
}

const char *eg_text_next_line(const char *line, const char *end)
{
	for (const char *s = line; s < end; s++) {
		size_t len;

		/* Every break begins with one of these. */
		if (*s != '\n' && *s != '\r' && *s != '\xc2' && *s != '\xe2')
			continue;
		len = line_break_len(s, end);
		if (len > 0)
			return s + len;
	}
	return NULL;
}
