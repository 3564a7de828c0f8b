/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Any text as a duration, a point in time, a number and an errno: what is taken means what it seems to. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/support/fuzz.h"
#include "base/cleanup.h"
#include "base/parse.h"

#define NS_PER_MS 1000000

/* More of them, and the measure below would not hold the product. */
#define DIGITS_MAX 18

static unsigned __int128 power_of_ten(size_t exponent)
{
	return exponent > 0 ? 10 * power_of_ten(exponent - 1) : 1;
}

/* One "1.5h": all its digits as a number, by its unit, by ten for each behind the point. False: too many digits. */
static bool measure_part(const char **text, unsigned __int128 *sum)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"ns", 1},		{"us", 1000},	    {"\xc2\xb5s", 1000},    {"\xce\xbcs", 1000},
		     {"ms", 1000000},	{"s", 1000000000u}, {"h", 3600000000000u}, {"m", 60000000000u}};
	unsigned __int128 number = 0;
	size_t digits = 0, behind = 0, i = 0;
	bool has_point = false;

	for (; isdigit((unsigned char)**text) || **text == '.'; ++*text) {
		has_point |= **text == '.';
		if (**text == '.')
			continue;
		number = number * 10 + (unsigned)(**text - '0');
		behind += has_point;
		if (++digits > DIGITS_MAX)
			return false;
	}
	while (i < EG_COUNT_OF(units) && strncmp(*text, units[i].name, strlen(units[i].name)) != 0)
		i++;
	fuzz_check(digits > 0 && i < EG_COUNT_OF(units));
	*text += strlen(units[i].name);
	*sum += number * units[i].ns / power_of_ten(behind);
	return true;
}

static void check_measure(const char *text, int64_t ns)
{
	const bool is_negative = *text == '-';
	unsigned __int128 sum = 0;

	text += *text == '-' || *text == '+';
	while (*text && strcmp(text, "0") != 0)
		if (!measure_part(&text, &sum))
			return;
	fuzz_check(sum == (unsigned __int128)(is_negative ? -ns : ns));
}

static void check_duration(const char *text)
{
	char buffer[EG_DURATION_TEXT_MAX];
	int64_t ns, again;

	if (eg_parse_duration(text, &ns) < 0)
		return;
	check_measure(text, ns);
	if (ns < 0)
		return;
	eg_format_duration((uint64_t)ns / NS_PER_MS, buffer);
	fuzz_check(eg_parse_duration(buffer, &again) == 0);
	fuzz_check(again == ns / NS_PER_MS * NS_PER_MS);
}

/* A time later by a second is one that is greater by a second. */
static void check_time(const char *text)
{
	char later[64];
	uint64_t us, later_us;

	if (eg_parse_time(text, &us) < 0)
		return;
	fuzz_check(strlen(text) >= strlen("0001-01-01T00:00:00Z"));
	snprintf(later, sizeof(later), "%s", text);
	if (strlen(text) >= sizeof(later) || later[18] == '9')
		return;
	later[18]++;
	if (eg_parse_time(later, &later_us) == 0)
		fuzz_check(later_us == us + 1000000);
}

static void check_numbers(const char *text)
{
	char written[16];
	uint32_t u32;
	uint16_t u16;

	if (eg_parse_u32(text, &u32) == 0) {
		snprintf(written, sizeof(written), "%u", u32);
		fuzz_check(strcmp(written, text) == 0);
	}
	if (eg_parse_u16(text, &u16) == 0) {
		snprintf(written, sizeof(written), "%u", u16);
		fuzz_check(strcmp(written, text) == 0);
	}
	if (eg_parse_errno(text, &u16) == 0)
		fuzz_check(u16 >= 1 && u16 <= 4095 && (isdigit((unsigned char)*text) || *text == 'E'));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_free_ char *text = fuzz_text(bytes, len);

	check_duration(text);
	check_time(text);
	check_numbers(text);
	return 0;
}
