/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_PARSE_H
#define EG_BASE_PARSE_H

/* Small values as text. */
#include <stdint.h>

/*
 * Decimal digits and nothing else: no sign, no blank, no leading zero (YAML 1.1
 * reads 010 as 8, so nobody can know what was meant). -EINVAL, or -ERANGE.
 */
int eg_parse_u16(const char *text, uint16_t *ret_value);
int eg_parse_u32(const char *text, uint32_t *ret_value);

/* "EPERM" and the like, or a number. -EINVAL for an unknown name, -ERANGE outside 1..4095. */
int eg_parse_errno(const char *text, uint16_t *ret_errno);
/* The names that eg_parse_errno() knows, for messages. */
#define EG_ERRNO_NAMES "EPERM, EACCES, ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT"

/* Go's time.ParseDuration, exact to the nanosecond: "1h30m", "1.5h", "500ms", "0". -EINVAL, or -ERANGE beyond 292 years. */
int eg_parse_duration(const char *text, int64_t *ret_ns);
/* The same backwards, the shortest way: "1h30m", "700ms", "0s". Returns buffer. */
#define EG_DURATION_TEXT_MAX 40
const char *eg_format_duration(uint64_t ms, char buffer[EG_DURATION_TEXT_MAX]);

/*
 * RFC 3339: "2024-02-08T14:48:32.698Z", "2020-05-12T12:31:45+02:00", in microseconds
 * since the year 1, so that Go's time of nothing is 0. -EINVAL, also for days that
 * no month has; -ERANGE before the year 1.
 */
int eg_parse_time(const char *text, uint64_t *ret_us);

#endif
