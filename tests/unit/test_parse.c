/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/parse.h"

static void numbers_are_decimal_digits_without_leading_zeros(void **state)
{
	static const char *const refused[] = {"", "-1", "+1", " 1", "1 ", "0x10", "1e3", "1.0", "010", "1_000", "http"};
	uint16_t port;
	uint32_t number;

	(void)state;
	assert_int_equal(eg_parse_u16("0", &port), 0);
	assert_int_equal(port, 0);
	assert_int_equal(eg_parse_u16("65535", &port), 0);
	assert_int_equal(port, 65535);
	assert_int_equal(eg_parse_u16("65536", &port), -ERANGE);
	assert_int_equal(eg_parse_u32("4294967295", &number), 0);
	assert_int_equal(number, UINT32_MAX);
	assert_int_equal(eg_parse_u32("4294967296", &number), -ERANGE);
	assert_int_equal(eg_parse_u32("99999999999999999999999999", &number), -ERANGE);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_int_equal(eg_parse_u32(refused[i], &number), -EINVAL);
}

static void an_errno_is_a_name_or_a_number(void **state)
{
	uint16_t value;

	(void)state;
	assert_int_equal(eg_parse_errno("EPERM", &value), 0);
	assert_int_equal(value, EPERM);
	assert_int_equal(eg_parse_errno("ENETUNREACH", &value), 0);
	assert_int_equal(value, ENETUNREACH);
	assert_int_equal(eg_parse_errno("4095", &value), 0);
	assert_int_equal(value, 4095);
	assert_int_equal(eg_parse_errno("4096", &value), -ERANGE);
	assert_int_equal(eg_parse_errno("0", &value), -ERANGE);
	assert_int_equal(eg_parse_errno("eperm", &value), -EINVAL);
	assert_int_equal(eg_parse_errno("ENOSUCH", &value), -EINVAL);
}

static void assert_duration(const char *text, int64_t expected_ns)
{
	int64_t ns;

	assert_int_equal(eg_parse_duration(text, &ns), 0);
	assert_int_equal(ns, expected_ns);
}

static void durations_are_written_as_in_go(void **state)
{
	(void)state;
	assert_duration("0", 0);
	assert_duration("99s", 99000000000);
	assert_duration("1h30m", 5400000000000);
	assert_duration("1.5h", 5400000000000);
	assert_duration("500ms", 500000000);
	assert_duration("100us", 100000);
	assert_duration("-1s", -1000000000);
	assert_duration(".5s", 500000000);
}

/* In a double 1.001 s is 1000999999.99... ns, which would be 1000 ms. */
static void a_fraction_of_a_duration_is_exact(void **state)
{
	(void)state;
	assert_duration("1.001s", 1001000000);
	assert_duration("0.071m", 4260000000);
	assert_duration("0.009h", 32400000000);
	assert_duration("2.345678901s", 2345678901);
	assert_duration("1.0000000019s", 1000000001);
	assert_duration("0.00000000000000000000000000000000000000000000000001h", 0);
	assert_duration("0.333333333333333333333333333333333333333333333333333h", 1199999999999);
}

static void durations_reach_up_to_292_years_to_the_nanosecond(void **state)
{
	int64_t ns;

	(void)state;
	assert_duration("9223372036854775807ns", INT64_MAX);
	assert_duration("2562047h47m16.854775807s", INT64_MAX);
	assert_duration("-2562047h47m16.854775807s", -INT64_MAX);
	assert_duration("000000000000000000000000000000000000000000000000001s", 1000000000);
	assert_int_equal(eg_parse_duration("9223372036854775808ns", &ns), -ERANGE);
	assert_int_equal(eg_parse_duration("2562047h47m16.854775808s", &ns), -ERANGE);
	assert_int_equal(eg_parse_duration("2562047h60m", &ns), -ERANGE);
	assert_int_equal(eg_parse_duration("99999999999999999999999999999999999999999s", &ns), -ERANGE);
}

static void what_is_no_duration_is_refused(void **state)
{
	static const char *const refused[] = {"", "10", "1d", "s", ".s", "1 s", "1s2", "--1s", "1m-1s", "1e3s"};

	(void)state;
	int64_t ns;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_int_equal(eg_parse_duration(refused[i], &ns), -EINVAL);
	assert_int_equal(eg_parse_duration("9999999h", &ns), -ERANGE);
}

static void a_duration_is_written_the_shortest_way(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} cases[] = {
		{0, "0s"},       {700, "700ms"},     {10000, "10s"},       {99000, "1m39s"},
		{3600000, "1h"}, {5400000, "1h30m"}, {61500, "1m1s500ms"}, {UINT64_MAX, "5124095576030h25m51s615ms"},
	};
	char buffer[EG_DURATION_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(eg_format_duration(cases[i].ms, buffer), cases[i].text);
}

static void assert_time(const char *text, uint64_t expected_us)
{
	uint64_t us;

	assert_int_equal(eg_parse_time(text, &us), 0);
	assert_int_equal(us, expected_us);
}

static void a_point_in_time_counts_from_the_year_1(void **state)
{
	(void)state;
	assert_time("0001-01-01T00:00:00Z", 0);
	assert_time("0001-01-02T00:00:00.000001Z", UINT64_C(86400000001));
	assert_time("1970-01-01T00:00:00Z", UINT64_C(62135596800) * 1000000);
	assert_time("1970-01-01T02:00:01.5+02:00", UINT64_C(62135596801) * 1000000 + 500000);
	assert_time("1969-12-31T23:30:00-00:30", UINT64_C(62135596800) * 1000000);
	assert_time("2024-02-29T00:00:00.123456789Z", UINT64_C(63844761600) * 1000000 + 123456);
}

static void what_is_no_point_in_time_is_refused(void **state)
{
	static const char *const refused[] = {
		"",
		"2024-02-08",
		"2024-02-08T14:48:32",
		"2024-02-08 14:48:32Z",
		"2024-2-8T14:48:32Z",
		"2024-02-30T00:00:00Z",
		"2023-02-29T00:00:00Z",
		"2024-13-01T00:00:00Z",
		"2024-01-01T24:00:00Z",
		"2024-01-01T00:00:00+25:00",
		"2024-01-01T00:00:00Zz",
		"2024-01-01T00:00:00+0200",
	};
	uint64_t us;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_int_equal(eg_parse_time(refused[i], &us), -EINVAL);
	assert_int_equal(eg_parse_time("0001-01-01T00:00:00+01:00", &us), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_decimal_digits_without_leading_zeros),
		cmocka_unit_test(an_errno_is_a_name_or_a_number),
		cmocka_unit_test(durations_are_written_as_in_go),
		cmocka_unit_test(a_fraction_of_a_duration_is_exact),
		cmocka_unit_test(durations_reach_up_to_292_years_to_the_nanosecond),
		cmocka_unit_test(what_is_no_duration_is_refused),
		cmocka_unit_test(a_duration_is_written_the_shortest_way),
		cmocka_unit_test(a_point_in_time_counts_from_the_year_1),
		cmocka_unit_test(what_is_no_point_in_time_is_refused),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
