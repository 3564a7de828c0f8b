/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_TEXT_H
#define EG_BASE_TEXT_H

/* Bytes of somebody's file as characters and lines. */
#include <stdarg.h>
#include <stddef.h>

/*
 * The length of the UTF-8 sequence at `s`, which ends with a NUL, or 0 when there is
 * none that may be shown as it is: control characters, which terminals obey, what ends
 * a line of YAML, and what is no UTF-8. A tab is a control character here.
 */
size_t eg_text_shown_len(const char *s);

/* Room for `len` bytes of a text that is escaped. */
#define EG_ESCAPED_MAX(len) (4 * (len) + 1)
/*
 * Writes a text, its first `len` bytes at most, as it may be shown: what may not is
 * written as \xNN. `escaped` has room for EG_ESCAPED_MAX(len). Returns it.
 */
const char *eg_text_escape(const char *text, size_t len, char *escaped);
/* What vasprintf() makes, escaped. 0 with *ret_text (malloc), or -ENOMEM. */
__attribute__((format(printf, 2, 0))) int eg_text_format_escaped(char **ret_text, const char *format, va_list args);

/*
 * Where the next line begins, or NULL: this one is the last. Lines end as YAML 1.1
 * has it: at LF, CR, CR LF, NEL, LS and PS.
 */
const char *eg_text_next_line(const char *line, const char *end);

#endif
