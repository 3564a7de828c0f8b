/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/parse.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"

#define ERRNO_MAX 4095 /* the kernel's MAX_ERRNO */

static int parse_decimal(const char *text, uint32_t max, uint32_t *ret_value)
{
	uint64_t value = 0;

	if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
		return -EINVAL;
	if (text[strspn(text, "0123456789")] != '\0')
		return -EINVAL;
	for (; *text; text++) {
		value = value * 10 + (uint64_t)(*text - '0');
		if (value > max)
			return -ERANGE;
	}
	*ret_value = (uint32_t)value;
	return 0;
}

int eg_parse_u32(const char *text, uint32_t *ret_value)
{
	return parse_decimal(text, UINT32_MAX, ret_value);
}

int eg_parse_u16(const char *text, uint16_t *ret_value)
{
	uint32_t value;
	int r = parse_decimal(text, UINT16_MAX, &value);

	if (r == 0)
		*ret_value = (uint16_t)value;
	return r;
}

int eg_parse_errno(const char *text, uint16_t *ret_errno)
{
	static const struct {
		const char *name;
		uint16_t value;
	} names[] = {
		{"EPERM", EPERM},
		{"EACCES", EACCES},
		{"ECONNREFUSED", ECONNREFUSED},
		{"EHOSTUNREACH", EHOSTUNREACH},
		{"ENETUNREACH", ENETUNREACH},
		{"ETIMEDOUT", ETIMEDOUT},
	};
	uint32_t value;
	int r;

	for (size_t i = 0; i < EG_COUNT_OF(names); i++) {
		if (strcmp(text, names[i].name) == 0) {
			*ret_errno = names[i].value;
			return 0;
		}
	}
	r = parse_decimal(text, ERRNO_MAX, &value);
	if (r < 0)
		return r;
	if (value == 0)
		return -ERANGE;
	*ret_errno = (uint16_t)value;
	return 0;
}

struct duration_unit {
	const char *name;
	uint64_t ns;
};

static const struct duration_unit *find_unit(const char *text)
{
	/* "ms" stands before "m": the longer name is tried first. */
	static const struct duration_unit units[] = {
		{"ns", 1},
		{"us", 1000},
		{"\xc2\xb5s", 1000},
		{"\xce\xbcs", 1000},
		{"ms", 1000000},
		{"s", UINT64_C(1000000000)},
		{"m", 60 * UINT64_C(1000000000)},
		{"h", 3600 * UINT64_C(1000000000)},
	};

	for (size_t i = 0; i < EG_COUNT_OF(units); i++)
		if (strncmp(text, units[i].name, strlen(units[i].name)) == 0)
			return &units[i];
	return NULL;
}

static int add_whole(const char *digits, size_t count, uint64_t unit_ns, uint64_t *ns)
{
	uint64_t value = 0;

	for (size_t i = 0; i < count; i++) {
		value = value * 10 + (uint64_t)(digits[i] - '0');
		if (value > (INT64_MAX - *ns) / unit_ns)
			return -ERANGE;
	}
	*ns += value * unit_ns;
	return 0;
}

/* Digits behind a point, the last one first: a double would make 1000.999999 ms of 1.001s. */
static int add_fraction(const char *digits, size_t count, uint64_t unit_ns, uint64_t *ns)
{
	uint64_t fraction_ns = 0;

	while (count-- > 0)
		fraction_ns = (fraction_ns + (uint64_t)(digits[count] - '0') * unit_ns) / 10;
	if (fraction_ns > INT64_MAX - *ns)
		return -ERANGE;
	*ns += fraction_ns;
	return 0;
}

/* One "1.5h" of a duration; *text is moved behind it. */
static int add_duration_part(const char **text, uint64_t *ns)
{
	const char *digits = *text;
	const size_t whole = strspn(digits, "0123456789"), point = digits[whole] == '.';
	const size_t fraction = point ? strspn(digits + whole + 1, "0123456789") : 0;
	const struct duration_unit *unit = find_unit(digits + whole + point + fraction);
	int r;

	if (whole + fraction == 0 || !unit)
		return -EINVAL;
	r = add_whole(digits, whole, unit->ns, ns);
	if (r == 0)
		r = add_fraction(digits + whole + 1, fraction, unit->ns, ns);
	*text += whole + point + fraction + strlen(unit->name);
	return r;
}

int eg_parse_duration(const char *text, int64_t *ret_ns)
{
	const bool negative = text[0] == '-';
	uint64_t ns = 0;

	if (text[0] == '-' || text[0] == '+')
		text++;
	if (strcmp(text, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	do {
		int r = add_duration_part(&text, &ns);

		if (r < 0)
			return r;
	} while (*text);
	*ret_ns = negative ? -(int64_t)ns : (int64_t)ns;
	return 0;
}

const char *eg_format_duration(uint64_t ms, char buffer[EG_DURATION_TEXT_MAX])
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
	size_t len = 0;

	for (size_t i = 0; i < EG_COUNT_OF(units); i++) {
		uint64_t count = ms / units[i].ms;

		ms %= units[i].ms;
		if (count > 0)
			len += (size_t)snprintf(buffer + len, EG_DURATION_TEXT_MAX - len, "%llu%s",
						(unsigned long long)count, units[i].name);
	}
	return len > 0 ? buffer : strcpy(buffer, "0s");
}

/* --- points in time --- */

#define YEAR_1_S INT64_C(-62135596800) /* since 1970 */
#define US_PER_S 1000000

/* Whether text begins like this, 0 standing for any digit. */
static bool has_form(const char *text, const char *form)
{
	for (; *form; form++, text++)
		if (*form == '0' ? *text < '0' || *text > '9' : *text != *form)
			return false;
	return true;
}

/* "+02:00" or "Z", which must be the end. */
static int parse_zone(const char *text, int64_t *ret_s)
{
	int hours, minutes;

	*ret_s = 0;
	if (strcmp(text, "Z") == 0)
		return 0;
	if ((text[0] != '+' && text[0] != '-') || !has_form(text + 1, "00:00") || text[6] != '\0')
		return -EINVAL;
	hours = atoi(text + 1);
	minutes = atoi(text + 4);
	if (hours > 23 || minutes > 59)
		return -EINVAL;
	*ret_s = (text[0] == '-' ? -60 : 60) * (hours * 60 + minutes);
	return 0;
}

/* What stands behind the point of a second, of which microseconds are kept. */
static uint64_t parse_fraction(const char **text)
{
	uint64_t us = 0, unit = US_PER_S / 10;

	if (**text != '.')
		return 0;
	for (++*text; **text >= '0' && **text <= '9'; ++*text, unit /= 10)
		us += (uint64_t)(**text - '0') * unit;
	return us;
}

static int parse_second(const char *text, int64_t *ret_s)
{
	struct tm written = {
		.tm_year = atoi(text) - 1900,
		.tm_mon = atoi(text + 5) - 1,
		.tm_mday = atoi(text + 8),
		.tm_hour = atoi(text + 11),
		.tm_min = atoi(text + 14),
		.tm_sec = atoi(text + 17),
	};
	struct tm real = written;

	*ret_s = timegm(&real);
	/* The 30th of February has become another day. */
	return real.tm_mon == written.tm_mon && real.tm_mday == written.tm_mday && real.tm_hour == written.tm_hour &&
			       real.tm_min == written.tm_min && real.tm_sec == written.tm_sec
		       ? 0
		       : -EINVAL;
}

int eg_parse_time(const char *text, uint64_t *ret_us)
{
	static const char form[] = "0000-00-00T00:00:00";
	const char *rest = text + strlen(form);
	int64_t second, zone;
	uint64_t us;

	if (!has_form(text, form) || parse_second(text, &second) < 0)
		return -EINVAL;
	us = parse_fraction(&rest);
	if (parse_zone(rest, &zone) < 0)
		return -EINVAL;
	second -= YEAR_1_S + zone;
	if (second < 0)
		return -ERANGE;
	*ret_us = (uint64_t)second * US_PER_S + us;
	return 0;
}
