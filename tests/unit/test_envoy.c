/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "export/envoy.h"

static const struct expectation {
	const char *name;
	uint64_t value;
} expected[] = {
	{"cluster.outbound_passthrough_ipv4.upstream_cx_total", 1},
	{"cluster.outbound_passthrough_ipv6.upstream_cx_total", 100},
	{"tcp.outbound_passthrough_ipv4.downstream_cx_no_route", 20},
	{"tcp.outbound_passthrough_ipv4.downstream_cx_total", 21},
	{"tcp.outbound_passthrough_ipv6.downstream_cx_no_route", 3000},
	{"tcp.outbound_passthrough_ipv6.downstream_cx_total", 3100},
};

static const struct eg_slot_counts counts = {
	.ipv4.cluster = {.cx_total = 1, .cx_no_route = 20},
	.ipv6.cluster = {.cx_total = 100, .cx_no_route = 3000},
};

struct visits {
	size_t count;
	size_t stop_at; /* which visit answers -EINTR; 0: none */
};

static int expect_next(const char *name, uint64_t value, void *context)
{
	struct visits *visits = context;

	assert_true(visits->count < EG_COUNT_OF(expected));
	assert_string_equal(name, expected[visits->count].name);
	assert_int_equal(value, expected[visits->count].value);
	assert_true(strlen(name) < EG_STAT_NAME_MAX);
	return ++visits->count == visits->stop_at ? -EINTR : 0;
}

static void every_statistic_is_visited_once_in_order_with_its_value(void **state)
{
	struct visits visits = {};

	(void)state;
	assert_int_equal(eg_envoy_visit(&counts, expect_next, &visits), 0);
	assert_int_equal(visits.count, EG_COUNT_OF(expected));
	for (size_t i = 1; i < EG_COUNT_OF(expected); i++)
		assert_true(strcmp(expected[i - 1].name, expected[i].name) < 0);
}

static void the_first_result_that_is_not_0_ends_the_visit(void **state)
{
	(void)state;
	for (size_t i = 1; i <= EG_COUNT_OF(expected); i++) {
		struct visits visits = {.stop_at = i};

		assert_int_equal(eg_envoy_visit(&counts, expect_next, &visits), -EINTR);
		assert_int_equal(visits.count, i);
	}
}

static int add_value(const char *name, uint64_t value, void *context)
{
	(void)name;
	*(uint64_t *)context += value;
	return 0;
}

static void what_has_no_place_in_a_cluster_is_in_no_statistic(void **state)
{
	struct eg_slot_counts other;
	uint64_t sum = 0;

	(void)state;
	memset(&other, 0xff, sizeof(other));
	memset(&other.ipv4.cluster, 0, sizeof(other.ipv4.cluster));
	memset(&other.ipv6.cluster, 0, sizeof(other.ipv6.cluster));
	assert_int_equal(eg_envoy_visit(&other, add_value, &sum), 0);
	assert_int_equal(sum, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_statistic_is_visited_once_in_order_with_its_value),
		cmocka_unit_test(the_first_result_that_is_not_0_ends_the_visit),
		cmocka_unit_test(what_has_no_place_in_a_cluster_is_in_no_statistic),
	};

	return cmocka_run_group_tests_name("envoy", tests, NULL, NULL);
}
