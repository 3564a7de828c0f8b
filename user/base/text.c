/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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
	if (len == 3 && s[0] == 0xe2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9))
		return 0; /* LS, PS */
	if (len == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90)))
		return 0;
	return len;
}

const char *eg_text_escape(const char *text, size_t len, char *escaped)
{
	const char *end = text + strnlen(text, len);
	char *to = escaped;

	while (text < end) {
		size_t shown = eg_text_shown_len(text);

		if (shown > 0 && shown <= (size_t)(end - text)) {
			memcpy(to, text, shown);
			to += shown;
			text += shown;
		} else {
			to += sprintf(to, "\\x%02x", (unsigned char)*text++);
		}
	}
	*to = '\0';
	return escaped;
}

int eg_text_format_escaped(char **ret_text, const char *format, va_list args)
{
	_cleanup_free_ char *text = NULL;
	char *escaped;
	size_t len;

	if (vasprintf(&text, format, args) < 0)
		return -ENOMEM;
	len = strlen(text);
	escaped = malloc(EG_ESCAPED_MAX(len));
	if (!escaped)
		return -ENOMEM;
	eg_text_escape(text, len, escaped);
	*ret_text = escaped;
	return 0;
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
