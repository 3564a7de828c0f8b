/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "export/names.h"

static void every_reason_has_a_name_of_its_own_that_says_its_verdict(void **state)
{
	(void)state;
	for (enum eg_reason a = 0; a < EG_REASON_COUNT; a++) {
		bool blocks = strstr(eg_reason_name(a), "blocked");

		assert_int_equal(eg_reason_verdict(a), blocks ? EG_VERDICT_BLOCKED : EG_VERDICT_ALLOWED);
		for (enum eg_reason b = a + 1; b < EG_REASON_COUNT; b++)
			assert_string_not_equal(eg_reason_name(a), eg_reason_name(b));
	}
}

static void a_reason_of_another_version_is_unknown_and_blocks(void **state)
{
	(void)state;
	assert_string_equal(eg_reason_name(EG_REASON_COUNT), "unknown");
	assert_string_equal(eg_reason_name(UINT32_MAX), "unknown");
	assert_int_equal(eg_reason_verdict(EG_REASON_COUNT), EG_VERDICT_BLOCKED);
	assert_string_equal(eg_verdict_name(eg_reason_verdict(UINT32_MAX)), "blocked");
}

static void reasons_and_outcomes_are_found_by_their_names_again(void **state)
{
	(void)state;
	for (unsigned int reason = 0; reason < EG_REASON_COUNT; reason++)
		assert_int_equal(eg_reason_parse(eg_reason_name(reason)), reason);
	for (unsigned int verdict = EG_VERDICT_BLOCKED; verdict <= EG_VERDICT_AUDITED; verdict++)
		assert_int_equal(eg_outcome_parse(eg_outcome_name(verdict)), verdict);
	assert_int_equal(eg_reason_parse("unknown"), -EINVAL);
	assert_int_equal(eg_outcome_parse(""), -EINVAL);
	assert_string_equal(eg_outcome_name(EG_VERDICT_AUDITED + 1), "unknown");
}

static void verdicts_and_families_have_names(void **state)
{
	(void)state;
	assert_string_equal(eg_verdict_name(EG_VERDICT_ALLOWED), "allowed");
	assert_string_equal(eg_verdict_name(EG_VERDICT_BLOCKED), "blocked");
	/* The policy says the same, whatever becomes of it. */
	assert_string_equal(eg_verdict_name(EG_VERDICT_AUDITED), "blocked");
	assert_string_equal(eg_outcome_name(EG_VERDICT_AUDITED), "audited");
	assert_string_equal(eg_outcome_name(EG_VERDICT_BLOCKED), "blocked");
	assert_string_equal(eg_family_name(EG_FAMILY_IPV4), "ipv4");
	assert_string_equal(eg_family_name(EG_FAMILY_IPV6), "ipv6");
}

static void a_protocol_with_a_name_is_found_by_it_again(void **state)
{
	static const char *const names[] = {"tcp", "udp", "udplite", "icmp", "icmpv6", "sctp", "dccp"};
	char buffer[12];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int number = eg_protocol_parse(names[i]);

		assert_true(number > 0);
		assert_string_equal(eg_protocol_name((uint32_t)number, buffer), names[i]);
	}
	assert_int_equal(eg_protocol_parse("tcp"), IPPROTO_TCP);
	assert_int_equal(eg_protocol_parse("TCP"), -EINVAL);
	assert_int_equal(eg_protocol_parse(""), -EINVAL);
	assert_int_equal(eg_protocol_parse("6"), -EINVAL);
}

static void a_protocol_without_a_name_is_digits(void **state)
{
	char buffer[12];

	(void)state;
	assert_string_equal(eg_protocol_name(0, buffer), "0");
	assert_string_equal(eg_protocol_name(262, buffer), "262");
	assert_string_equal(eg_protocol_name(UINT32_MAX, buffer), "4294967295");
}

static void a_family_that_is_not_the_internets_stands_for_its_protocol(void **state)
{
	char buffer[12];

	(void)state;
	assert_string_equal(eg_protocol_name(EG_PROTOCOL_OF_FAMILY | AF_PACKET, buffer), "packet");
	assert_string_equal(eg_protocol_name(EG_PROTOCOL_OF_FAMILY | 255, buffer), "family-255");
	/* Nothing is judged by it. */
	assert_int_equal(eg_protocol_parse("packet"), -EINVAL);
}

static void a_reason_is_counted_over_both_families(void **state)
{
	struct eg_slot_counts counts = {
		.ipv4.verdicts = {.mesh = 1, .blocked_no_policy = 5},
		.ipv6.verdicts = {.mesh = 2, .exempt_loopback = 7},
	};

	(void)state;
	assert_int_equal(eg_reason_count(&counts, EG_REASON_MESH), 3);
	assert_int_equal(eg_reason_count(&counts, EG_REASON_EXEMPT_LOOPBACK), 7);
	assert_int_equal(eg_reason_count(&counts, EG_REASON_BLOCKED_NO_POLICY), 5);
	assert_int_equal(eg_reason_count(&counts, EG_REASON_PASSTHROUGH), 0);
}

static void a_name_is_shown_as_it_is_but_for_what_a_terminal_obeys(void **state)
{
	char longest[EG_CGROUP_LEN + 8], buffer[EG_NAME_TEXT_MAX];

	(void)state;
	assert_string_equal(eg_name_format("web:caf\xc3\xa9-\\x2d.slice", buffer), "web:caf\xc3\xa9-\\x2d.slice");
	assert_string_equal(eg_name_format("a\033[2K\rb\t\x7f\xc2\x9b\xff\xc3", buffer),
			    "a\\x1b[2K\\x0db\\x09\\x7f\\xc2\\x9b\\xff\\xc3");
	/* YAML ends a line, and with it a comment, there. */
	assert_string_equal(eg_name_format("\xe2\x80\xa8\xe2\x80\xa9\xc2\x85\xe2\x80\xa7", buffer),
			    "\\xe2\\x80\\xa8\\xe2\\x80\\xa9\\xc2\\x85\xe2\x80\xa7");
	memset(longest, '\n', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(strlen(eg_name_format(longest, buffer)), EG_NAME_TEXT_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_has_a_name_of_its_own_that_says_its_verdict),
		cmocka_unit_test(a_reason_of_another_version_is_unknown_and_blocks),
		cmocka_unit_test(reasons_and_outcomes_are_found_by_their_names_again),
		cmocka_unit_test(verdicts_and_families_have_names),
		cmocka_unit_test(a_protocol_with_a_name_is_found_by_it_again),
		cmocka_unit_test(a_protocol_without_a_name_is_digits),
		cmocka_unit_test(a_family_that_is_not_the_internets_stands_for_its_protocol),
		cmocka_unit_test(a_reason_is_counted_over_both_families),
		cmocka_unit_test(a_name_is_shown_as_it_is_but_for_what_a_terminal_obeys),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
