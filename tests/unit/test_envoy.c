/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "export/envoy.h"

#define IPV4 "outbound_passthrough_ipv4."
#define IPV6 "outbound_passthrough_ipv6."

/* Each field has a number of its own. */
static const struct eg_totals totals = {
	.counts.ipv4.cluster =
		{
			.cx_total = 100000,
			.cx_no_route = 200000,
			.cx_overflow = 300000,
			.rq_pending_overflow = 400000,
			.rq_overflow = 500000,
			.rq_retry = 3,
			.rq_retry_overflow = 600000,
			.connect_failed = 7000 - 400 - 90,
			.connect_timeout = 400,
			.connect_cancelled = 90,
			.closed_local = 50000 - 400 - 90,
			.closed_remote = 30000 - (7000 - 400 - 90),
			.idle_timeout = 11,
			.max_duration = 12,
			.rx_bytes = 13,
			.tx_bytes = 14,
			.sessions_total = 15,
			.sessions_overflow = 16,
			.without_event = 17,
			.contended = 18,
			.connect_ms = {.buckets = {[0] = 5, [19] = 6}, .sum_ns = 21000},
			.length_ms = {.buckets = {[3] = 8}},
		},
	.counts.ipv6.cluster = {.cx_total = 1, .closed_remote = 1},
	.ipv4 =
		{
			.connections = 31,
			.pending = 32,
			.established = 33,
			.retries = 34,
			.sessions = 35,
			.draining = 36,
			.cx_open = 37,
			.pending_open = 38,
			.rq_open = 39,
			.retry_open = 40,
			.remaining_cx = 41,
			.remaining_pending = 42,
			.remaining_rq = 43,
			.remaining_retries = 44,
		},
	.ipv6 = {.connections = 51},
};

static const struct expectation {
	const char *name;
	uint64_t ipv4;
	uint64_t ipv6;
} cluster_names[] =
	{
		{"circuit_breakers.default.cx_open", 37, 0},
		{"circuit_breakers.default.remaining_cx", 41, 0},
		{"circuit_breakers.default.remaining_pending", 42, 0},
		{"circuit_breakers.default.remaining_retries", 44, 0},
		{"circuit_breakers.default.remaining_rq", 43, 0},
		{"circuit_breakers.default.rq_open", 39, 0},
		{"circuit_breakers.default.rq_pending_open", 38, 0},
		{"circuit_breakers.default.rq_retry_open", 40, 0},
		{"upstream_cx_active", 31, 51},
		{"upstream_cx_connect_attempts_exceeded", 400000 + 7000 - 90, 0},
		{"upstream_cx_connect_fail", 7000, 0},
		{"upstream_cx_connect_timeout", 400, 0},
		{"upstream_cx_destroy", 80000, 1},
		{"upstream_cx_destroy_local", 50000, 0},
		{"upstream_cx_destroy_local_with_active_rq", 50000 - 400 - 90, 0},
		{"upstream_cx_destroy_remote", 30000, 1},
		{"upstream_cx_destroy_remote_with_active_rq", 30000 - (7000 - 400 - 90), 1},
		{"upstream_cx_destroy_with_active_rq", 80000 - 7000, 1},
		{"upstream_cx_overflow", 300000, 0},
		{"upstream_cx_rx_bytes_total", 13, 0},
		{"upstream_cx_total", 100000, 1},
		{"upstream_cx_tx_bytes_total", 14, 0},
		{"upstream_rq_active", 33, 0},
		{"upstream_rq_cancelled", 90, 0},
		{"upstream_rq_pending_active", 32, 0},
		{"upstream_rq_pending_failure_eject", 7000 - 90, 0},
		{"upstream_rq_pending_overflow", 400000, 0},
		{"upstream_rq_pending_total", 100000, 1},
		{"upstream_rq_retry", 3, 0},
		{"upstream_rq_retry_overflow", 600000, 0},
		{"upstream_rq_total", 11, 0},
},
  tcp_names[] =
	  {
		  {"downstream_cx_no_route", 200000, 0},
		  {"downstream_cx_rx_bytes_total", 14, 0},
		  {"downstream_cx_total", 2100000, 1},
		  {"downstream_cx_tx_bytes_total", 13, 0},
		  {"idle_timeout", 11, 0},
		  {"max_downstream_connection_duration", 12, 0},
		  {"upstream_flush_active", 36, 0},
},
  own_names[] = {
	  {"cx_past_limit", 0, 0},
	  {"draining", 36, 0},           {"retries_active", 34, 0},
	  {"rq_overflow", 500000, 0},    {"udp_sessions_active", 35, 0},
	  {"udp_sessions_total", 15, 0}, {"udp_sessions_overflow", 16, 0},
	  {"without_event", 17, 0},      {"contended", 18, 0},
};

/* What a visit gave. */
struct visits {
	size_t count;
	size_t stop_at; /* which visit answers -EINTR; 0: none */
	struct {
		char name[EG_STAT_NAME_MAX];
		uint64_t value;
	} list[256];
};

static int record(const char *name, uint64_t value, void *context)
{
	struct visits *visits = context;

	assert_true(visits->count < EG_COUNT_OF(visits->list));
	assert_true(strlen(name) < EG_STAT_NAME_MAX);
	strcpy(visits->list[visits->count].name, name);
	visits->list[visits->count].value = value;
	return ++visits->count == visits->stop_at ? -EINTR : 0;
}

static void assert_visited(const struct visits *visits, size_t index, const char *scope, const char *family,
			   const char *name, uint64_t value)
{
	char dotted[EG_STAT_NAME_MAX];

	snprintf(dotted, sizeof(dotted), "%s.%s%s", scope, family, name);
	assert_true(index < visits->count);
	assert_string_equal(visits->list[index].name, dotted);
	assert_int_equal(visits->list[index].value, value);
}

/* The visits from *index on are these, of both families. */
static void assert_scope(const struct visits *visits, size_t *index, const char *scope,
			 const struct expectation *expected, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_visited(visits, (*index)++, scope, IPV4, expected[i].name, expected[i].ipv4);
	for (size_t i = 0; i < count; i++)
		assert_visited(visits, (*index)++, scope, IPV6, expected[i].name, expected[i].ipv6);
}

static void every_statistic_is_visited_once_in_byte_order_with_its_value(void **state)
{
	struct visits visits = {};
	size_t index = 0;

	(void)state;
	assert_int_equal(eg_envoy_visit(&totals, record, &visits), 0);
	assert_scope(&visits, &index, "cluster", cluster_names, EG_COUNT_OF(cluster_names));
	assert_scope(&visits, &index, "tcp", tcp_names, EG_COUNT_OF(tcp_names));
	assert_int_equal(visits.count, index);
	for (size_t i = 1; i < visits.count; i++)
		assert_true(strcmp(visits.list[i - 1].name, visits.list[i].name) < 0);
}

static void what_envoy_has_no_name_for_has_one_of_ours(void **state)
{
	struct visits visits = {};
	size_t index = 0;

	(void)state;
	assert_int_equal(eg_own_clusters_visit(&totals, record, &visits), 0);
	assert_scope(&visits, &index, "egressd", own_names, EG_COUNT_OF(own_names));
	assert_int_equal(visits.count, index);
}

static void our_own_statistics_are_verdicts_clusters_and_the_rest(void **state)
{
	const struct eg_totals own = {.counts = {.ipv6.verdicts = {.mesh = 4}, .events_lost = 9}};
	struct visits visits = {};

	(void)state;
	assert_int_equal(eg_own_stats_visit(&own, record, &visits), 0);
	assert_int_equal(visits.count, EG_REASON_COUNT + 2 * EG_COUNT_OF(own_names) + 5);
	assert_visited(&visits, 0, "egressd", "", "verdicts.mesh", 4);
	assert_visited(&visits, visits.count - 1, "egressd", "", "events_lost", 9);
}

static void the_first_result_that_is_not_0_ends_the_visit(void **state)
{
	struct visits whole = {};

	(void)state;
	assert_int_equal(eg_envoy_visit(&totals, record, &whole), 0);
	for (size_t i = 1; i <= whole.count; i++) {
		struct visits visits = {.stop_at = i};

		assert_int_equal(eg_envoy_visit(&totals, record, &visits), -EINTR);
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
	struct eg_totals other = {};
	uint64_t sum = 0;

	(void)state;
	memset(&other.counts, 0xff, sizeof(other.counts));
	memset(&other.counts.ipv4.cluster, 0, sizeof(other.counts.ipv4.cluster));
	memset(&other.counts.ipv6.cluster, 0, sizeof(other.counts.ipv6.cluster));
	assert_int_equal(eg_envoy_visit(&other, add_value, &sum), 0);
	assert_int_equal(sum, 0);
}

/* ---- Envoy's events ---- */

/* What one connection leaves behind, and every statistic of Envoy's that is not 0 then. */
static const struct event {
	const char *name;
	struct eg_cluster_counts counts;
	struct eg_cluster_gauges gauges;
	const char *statistics[14];
} events[] = {
	{
		"connecting",
		{.cx_total = 1},
		{.connections = 1, .pending = 1},
		{"cluster.upstream_cx_active", "cluster.upstream_cx_total", "cluster.upstream_rq_pending_active",
		 "cluster.upstream_rq_pending_total", "tcp.downstream_cx_total"},
	},
	{
		"connected",
		{.cx_total = 1, .connect_ms = {.buckets = {[2] = 1}}},
		{.connections = 1, .established = 1},
		{"cluster.upstream_cx_active", "cluster.upstream_cx_total", "cluster.upstream_rq_active",
		 "cluster.upstream_rq_pending_total", "cluster.upstream_rq_total", "tcp.downstream_cx_total"},
	},
	{
		"closed by the peer",
		{.cx_total = 1, .connect_ms = {.buckets = {[2] = 1}}, .closed_remote = 1},
		{},
		{"cluster.upstream_cx_destroy", "cluster.upstream_cx_destroy_remote",
		 "cluster.upstream_cx_destroy_remote_with_active_rq", "cluster.upstream_cx_destroy_with_active_rq",
		 "cluster.upstream_cx_total", "cluster.upstream_rq_pending_total", "cluster.upstream_rq_total",
		 "tcp.downstream_cx_total"},
	},
	{
		"closed by the client",
		{.cx_total = 1, .connect_ms = {.buckets = {[2] = 1}}, .closed_local = 1},
		{},
		{"cluster.upstream_cx_destroy", "cluster.upstream_cx_destroy_local",
		 "cluster.upstream_cx_destroy_local_with_active_rq", "cluster.upstream_cx_destroy_with_active_rq",
		 "cluster.upstream_cx_total", "cluster.upstream_rq_pending_total", "cluster.upstream_rq_total",
		 "tcp.downstream_cx_total"},
	},
	{
		"refused by max_connections",
		{.cx_overflow = 1},
		{},
		{"cluster.upstream_cx_overflow", "tcp.downstream_cx_total"},
	},
	{
		"refused by max_pending_requests",
		{.rq_pending_overflow = 1},
		{},
		{"cluster.upstream_cx_connect_attempts_exceeded", "cluster.upstream_rq_pending_overflow",
		 "tcp.downstream_cx_total"},
	},
	{
		"refused by the network",
		{.cx_total = 1, .connect_failed = 1},
		{},
		{"cluster.upstream_cx_connect_attempts_exceeded", "cluster.upstream_cx_connect_fail",
		 "cluster.upstream_cx_destroy", "cluster.upstream_cx_destroy_remote", "cluster.upstream_cx_total",
		 "cluster.upstream_rq_pending_failure_eject", "cluster.upstream_rq_pending_total",
		 "tcp.downstream_cx_total"},
	},
	{
		"ended by connect_timeout",
		{.cx_total = 1, .connect_timeout = 1},
		{},
		{"cluster.upstream_cx_connect_attempts_exceeded", "cluster.upstream_cx_connect_fail",
		 "cluster.upstream_cx_connect_timeout", "cluster.upstream_cx_destroy",
		 "cluster.upstream_cx_destroy_local", "cluster.upstream_cx_total",
		 "cluster.upstream_rq_pending_failure_eject", "cluster.upstream_rq_pending_total",
		 "tcp.downstream_cx_total"},
	},
	{
		"given up by the client while it connects",
		{.cx_total = 1, .connect_cancelled = 1},
		{},
		{"cluster.upstream_cx_connect_fail", "cluster.upstream_cx_destroy", "cluster.upstream_cx_destroy_local",
		 "cluster.upstream_cx_total", "cluster.upstream_rq_cancelled", "cluster.upstream_rq_pending_total",
		 "tcp.downstream_cx_total"},
	},
	{
		"ended by idle_timeout",
		{.cx_total = 1, .connect_ms = {.buckets = {[0] = 1}}, .closed_local = 1, .idle_timeout = 1},
		{},
		{"cluster.upstream_cx_destroy", "cluster.upstream_cx_destroy_local",
		 "cluster.upstream_cx_destroy_local_with_active_rq", "cluster.upstream_cx_destroy_with_active_rq",
		 "cluster.upstream_cx_total", "cluster.upstream_rq_pending_total", "cluster.upstream_rq_total",
		 "tcp.downstream_cx_total", "tcp.idle_timeout"},
	},
	{
		"blocked because passthrough is false",
		{.cx_no_route = 1},
		{},
		{"tcp.downstream_cx_no_route", "tcp.downstream_cx_total"},
	},
	{
		"connecting past max_connections, in audit mode",
		{.cx_total = 1, .cx_overflow = 1, .cx_past_limit = 1},
		{.connections = 1, .pending = 1},
		{"cluster.upstream_cx_active", "cluster.upstream_cx_overflow", "cluster.upstream_cx_total",
		 "cluster.upstream_rq_pending_active", "cluster.upstream_rq_pending_total", "tcp.downstream_cx_total"},
	},
};

/* "cluster.upstream_cx_total" of "cluster.outbound_passthrough_ipv6.upstream_cx_total", which must be of that family. */
static void strip_family(const char *name, char stripped[EG_STAT_NAME_MAX])
{
	const char *family = strstr(name, IPV6);

	assert_non_null(family);
	snprintf(stripped, EG_STAT_NAME_MAX, "%.*s%s", (int)(family - name), name, family + strlen(IPV6));
}

static void assert_event(const struct event *event)
{
	const struct eg_totals after = {.counts.ipv6.cluster = event->counts, .ipv6 = event->gauges};
	struct visits visits = {};
	size_t found = 0;

	assert_int_equal(eg_envoy_visit(&after, record, &visits), 0);
	for (size_t i = 0; i < visits.count; i++) {
		char name[EG_STAT_NAME_MAX];

		if (visits.list[i].value == 0)
			continue;
		strip_family(visits.list[i].name, name);
		if (!event->statistics[found])
			fail_msg("%s: %s is not expected", event->name, name);
		assert_string_equal(name, event->statistics[found++]);
		assert_int_equal(visits.list[i].value, 1);
	}
	if (event->statistics[found])
		fail_msg("%s: %s is missing", event->name, event->statistics[found]);
}

static void each_event_shows_in_the_statistics_in_which_it_does_in_envoy(void **state)
{
	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(events); i++)
		assert_event(&events[i]);
}

/* ---- histograms ---- */

static int expect_histogram(const char *name, const struct eg_histogram *histogram, void *context)
{
	static const struct {
		const char *name;
		uint64_t samples;
	} expected[] = {
		{"cluster.outbound_passthrough_ipv4.upstream_cx_connect_ms", 11},
		{"cluster.outbound_passthrough_ipv4.upstream_cx_length_ms", 8},
		{"cluster.outbound_passthrough_ipv6.upstream_cx_connect_ms", 0},
		{"cluster.outbound_passthrough_ipv6.upstream_cx_length_ms", 0},
	};
	size_t *index = context;

	assert_true(*index < EG_COUNT_OF(expected));
	assert_string_equal(name, expected[*index].name);
	assert_int_equal(eg_histogram_samples(histogram), expected[*index].samples);
	return ++*index == EG_COUNT_OF(expected) ? -EINTR : 0;
}

static void histograms_come_apart_in_byte_order(void **state)
{
	size_t index = 0;

	(void)state;
	assert_int_equal(eg_envoy_visit_histograms(&totals, expect_histogram, &index), -EINTR);
	assert_int_equal(index, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_statistic_is_visited_once_in_byte_order_with_its_value),
		cmocka_unit_test(what_envoy_has_no_name_for_has_one_of_ours),
		cmocka_unit_test(our_own_statistics_are_verdicts_clusters_and_the_rest),
		cmocka_unit_test(the_first_result_that_is_not_0_ends_the_visit),
		cmocka_unit_test(what_has_no_place_in_a_cluster_is_in_no_statistic),
		cmocka_unit_test(each_event_shows_in_the_statistics_in_which_it_does_in_envoy),
		cmocka_unit_test(histograms_come_apart_in_byte_order),
	};

	return cmocka_run_group_tests_name("envoy", tests, NULL, NULL);
}
