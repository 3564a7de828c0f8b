/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_TEXT_H
#define EG_BASE_TEXT_H

/* Bytes of somebody's file as characters and lines. */
#include <stddef.h>

/*
 * The length of the UTF-8 sequence at `s`, which ends with a NUL, or 0 when there is
 * none that may be shown as it is: control characters, which terminals obey, and
 * what is no UTF-8. A tab is a control character here.
 */
size_t eg_text_shown_len(const char *s);

/*
 * Where the next line begins, or NULL: this one is the last. Lines end as YAML 1.1
 * has it: at LF, CR, CR LF, NEL, LS and PS.
 */
const char *eg_text_next_line(const char *line, const char *end);

#endif
