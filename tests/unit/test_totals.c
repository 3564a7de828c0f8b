/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/totals.h"

#define HELD(connections, pending) ((connections)*EG_HELD_CONNECTION + (pending)*EG_HELD_PENDING)

static const struct eg_workload_policy limits = {
	.flags = EG_WORKLOAD_PRESENT,
	.ipv4 = {.max_connections = 10, .max_pending = 4, .max_requests = 8, .max_retries = 3},
	.ipv6 = {.max_connections = 100, .max_pending = 40, .max_requests = 80, .max_retries = 30},
};

static struct eg_totals totals_of(uint64_t held, uint32_t retries, const struct eg_workload_policy *policy)
{
	const struct eg_slot slot = {.state.ipv4 = {.held = held, .retries = retries}};
	struct eg_totals totals = {};

	eg_totals_add(&totals, &slot, policy);
	return totals;
}

static void a_connection_is_pending_or_established(void **state)
{
	struct eg_totals totals = totals_of(HELD(7, 2), 0, &limits);

	(void)state;
	assert_int_equal(totals.ipv4.connections, 7);
	assert_int_equal(totals.ipv4.pending, 2);
	assert_int_equal(totals.ipv4.established, 5);
}

static void a_breaker_opens_at_its_limit_and_not_before(void **state)
{
	struct eg_totals below = totals_of(HELD(9, 3), 2, &limits), at = totals_of(HELD(12, 4), 3, &limits);

	(void)state;
	assert_int_equal(below.ipv4.cx_open + below.ipv4.pending_open + below.ipv4.rq_open + below.ipv4.retry_open, 0);
	assert_int_equal(below.ipv4.remaining_cx, 1);
	assert_int_equal(below.ipv4.remaining_pending, 1);
	assert_int_equal(below.ipv4.remaining_rq, 2);
	assert_int_equal(below.ipv4.remaining_retries, 1);
	assert_int_equal(at.ipv4.cx_open, 1);
	assert_int_equal(at.ipv4.pending_open, 1);
	assert_int_equal(at.ipv4.rq_open, 1);
	assert_int_equal(at.ipv4.retry_open, 1);
	/* 12 of 10: the limit was lowered, and nothing is below 0 */
	assert_int_equal(at.ipv4.remaining_cx, 0);
	assert_int_equal(at.ipv4.remaining_pending, 0);
	assert_int_equal(at.ipv4.remaining_rq, 0);
	assert_int_equal(at.ipv4.remaining_retries, 0);
}

static void a_limit_of_0_never_shows_as_reached(void **state)
{
	const struct eg_workload_policy none = {.flags = EG_WORKLOAD_PRESENT};
	struct eg_totals totals = totals_of(0, 0, &none);

	(void)state;
	assert_int_equal(totals.ipv4.cx_open + totals.ipv4.pending_open + totals.ipv4.rq_open + totals.ipv4.retry_open,
			 0);
	assert_int_equal(totals.ipv4.remaining_cx, 0);
}

static void where_a_policy_limits_requests_those_that_connect_are_requests_too(void **state)
{
	struct eg_workload_policy limited = limits;

	(void)state;
	limited.ipv4.flags = EG_CLUSTER_LIMITS_REQUESTS;
	assert_int_equal(totals_of(HELD(8, 1), 0, &limits).ipv4.rq_open, 0);
	assert_int_equal(totals_of(HELD(8, 1), 0, &limits).ipv4.remaining_rq, 1);
	assert_int_equal(totals_of(HELD(8, 1), 0, &limited).ipv4.rq_open, 1);
	assert_int_equal(totals_of(HELD(8, 1), 0, &limited).ipv4.remaining_rq, 0);
}

static void families_have_limits_of_their_own(void **state)
{
	const struct eg_slot slot = {
		.state = {.ipv4 = {.held = HELD(10, 0)}, .ipv6 = {.held = HELD(11, 1), .sessions = 5, .draining = 6}},
	};
	struct eg_totals totals = {};

	(void)state;
	eg_totals_add(&totals, &slot, &limits);
	assert_int_equal(totals.ipv4.cx_open, 1);
	assert_int_equal(totals.ipv6.cx_open, 0);
	assert_int_equal(totals.ipv6.remaining_cx, 89);
	assert_int_equal(totals.ipv6.established, 10);
	assert_int_equal(totals.ipv6.sessions, 5);
	assert_int_equal(totals.ipv6.draining, 6);
	assert_int_equal(totals.ipv4.sessions + totals.ipv4.draining, 0);
}

static void a_slot_without_policy_has_no_limits_and_what_it_holds_is_shown(void **state)
{
	struct eg_workload_policy absent = limits;
	struct eg_totals totals;

	(void)state;
	absent.flags = 0;
	totals = totals_of(HELD(20, 20), 9, &absent);
	assert_int_equal(totals.ipv4.connections, 20);
	assert_int_equal(totals.ipv4.cx_open, 0);
	assert_int_equal(totals.ipv4.remaining_cx + totals.ipv4.remaining_rq, 0);
}

static void a_sum_is_open_when_one_slot_is_and_what_remains_adds_up(void **state)
{
	const struct eg_slot full = {.state.ipv4 = {.held = HELD(10, 0)}, .counts.ipv4.cluster.cx_total = 10};
	const struct eg_slot idle = {.counts.ipv4.cluster.cx_total = 7, .counts.refused_before = 1};
	struct eg_totals totals = {};

	(void)state;
	eg_totals_add(&totals, &full, &limits);
	eg_totals_add(&totals, &full, &limits);
	eg_totals_add(&totals, &idle, &limits);
	assert_int_equal(totals.ipv4.cx_open, 1);
	assert_int_equal(totals.ipv4.remaining_cx, 10);
	assert_int_equal(totals.ipv4.connections, 20);
	assert_int_equal(totals.counts.ipv4.cluster.cx_total, 27);
	assert_int_equal(totals.counts.refused_before, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_is_pending_or_established),
		cmocka_unit_test(a_breaker_opens_at_its_limit_and_not_before),
		cmocka_unit_test(a_limit_of_0_never_shows_as_reached),
		cmocka_unit_test(where_a_policy_limits_requests_those_that_connect_are_requests_too),
		cmocka_unit_test(families_have_limits_of_their_own),
		cmocka_unit_test(a_slot_without_policy_has_no_limits_and_what_it_holds_is_shown),
		cmocka_unit_test(a_sum_is_open_when_one_slot_is_and_what_remains_adds_up),
	};

	return cmocka_run_group_tests_name("totals", tests, NULL, NULL);
}
