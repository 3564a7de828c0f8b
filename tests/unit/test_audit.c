/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Leases counted against gauges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "datapath/audit.h"

static void leases_are_counted_by_slot_family_and_state(void **state)
{
	const __u64 words[] = {
		eg_lease_word(EG_LEASE_CONNECTING, 0, 1, 7, 1),
		eg_lease_word(EG_LEASE_ESTABLISHED, EG_LEASE_IDLE, 1, 7, 2),
		eg_lease_word(EG_LEASE_DRAINING, EG_LEASE_IPV6, 1, 7, 3),
		eg_lease_word(EG_LEASE_SESSION, EG_LEASE_IPV6, 1, 7, 4),
		eg_lease_word(EG_LEASE_ESTABLISHED, 0, 2, 0, 1),
		/* Of the slot's last owner, and a free place. */
		eg_lease_word(EG_LEASE_ESTABLISHED, 0, 1, 6, 1),
		eg_lease_word(EG_LEASE_NONE, 0, 1, 7, 9),
	};
	_cleanup_free_ struct eg_audited *by_slot = calloc(EG_SLOTS_MAX, sizeof(*by_slot));
	const struct eg_audited *one = &by_slot[1];

	(void)state;
	assert_non_null(by_slot);
	by_slot[1].epoch = 7;
	for (size_t i = 0; i < EG_COUNT_OF(words); i++)
		eg_audit_add(by_slot, words[i]);
	assert_int_equal(one->ipv4.connections, 2);
	assert_int_equal(one->ipv4.pending, 1);
	assert_int_equal(one->ipv4.draining + one->ipv4.sessions + one->ipv6.connections, 0);
	assert_int_equal(one->ipv6.draining, 1);
	assert_int_equal(one->ipv6.sessions, 1);
	assert_int_equal(eg_audit_sum(one), 4);
	assert_int_equal(eg_audit_sum(&by_slot[2]), 1);
}

static void what_is_found_agrees_with_gauges_that_move_across_it(void **state)
{
	const struct eg_audited found = {.ipv4 = {.connections = 5, .pending = 1}};
	const struct eg_audited fewer = {.ipv4 = {.connections = 4, .pending = 1}};
	const struct eg_audited more = {.ipv4 = {.connections = 7, .pending = 0}};

	(void)state;
	assert_true(eg_audit_agrees(&found, &found, &found));
	assert_true(eg_audit_agrees(&found, &fewer, &more));
	assert_true(eg_audit_agrees(&found, &more, &fewer));
	assert_false(eg_audit_agrees(&found, &fewer, &fewer));
	assert_false(eg_audit_agrees(&found, &more, &more));
}

static void each_kind_of_place_is_compared_in_both_families(void **state)
{
	const struct eg_audited one_more[] = {
		{.ipv4.connections = 1}, {.ipv4.pending = 1}, {.ipv4.draining = 1}, {.ipv4.sessions = 1},
		{.ipv6.connections = 1}, {.ipv6.pending = 1}, {.ipv6.draining = 1}, {.ipv6.sessions = 1},
	};
	const struct eg_audited none = {};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(one_more); i++) {
		assert_false(eg_audit_agrees(&one_more[i], &none, &none));
		assert_false(eg_audit_agrees(&none, &one_more[i], &one_more[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leases_are_counted_by_slot_family_and_state),
		cmocka_unit_test(what_is_found_agrees_with_gauges_that_move_across_it),
		cmocka_unit_test(each_kind_of_place_is_compared_in_both_families),
	};

	return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
