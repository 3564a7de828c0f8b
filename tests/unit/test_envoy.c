/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
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

static const struct eg_stat *find(const char *scope, const char *name)
{
	size_t count;
	const struct eg_stat *stats = eg_stats(&count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(stats[i].scope, scope) == 0 && strcmp(stats[i].name, name) == 0)
			return &stats[i];
	fail_msg("%s, %s is not in the table", scope, name);
	return NULL;
}

static void assert_stat(const struct eg_stat *stat, size_t index, const char *name, uint64_t value)
{
	char dotted[EG_STAT_NAME_MAX];

	eg_stat_name(stat, index, dotted);
	assert_string_equal(dotted, name);
	assert_int_equal(eg_stat_value(stat, &totals, index), value);
}

/* These, in both clusters. */
static void assert_scope(const char *scope, const struct expectation *expected, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct eg_stat *stat = find(scope, expected[i].name);
		char name[EG_STAT_NAME_MAX];

		assert_int_equal(eg_stat_count(stat), 2);
		snprintf(name, sizeof(name), "%s." IPV4 "%s", scope, expected[i].name);
		assert_stat(stat, 0, name, expected[i].ipv4);
		snprintf(name, sizeof(name), "%s." IPV6 "%s", scope, expected[i].name);
		assert_stat(stat, 1, name, expected[i].ipv6);
	}
}

static void every_statistic_of_a_cluster_has_its_name_and_value(void **state)
{
	(void)state;
	assert_scope("cluster", cluster_names, EG_COUNT_OF(cluster_names));
	assert_scope("tcp", tcp_names, EG_COUNT_OF(tcp_names));
	assert_scope("egressd", own_names, EG_COUNT_OF(own_names));
}

static size_t count_of(const char *scope, enum eg_stat_each each)
{
	size_t count, found = 0;
	const struct eg_stat *stats = eg_stats(&count);

	for (size_t i = 0; i < count; i++)
		found += strcmp(stats[i].scope, scope) == 0 && stats[i].each == each &&
			 stats[i].type != EG_STAT_HISTOGRAM;
	return found;
}

static void there_is_no_other(void **state)
{
	(void)state;
	assert_int_equal(count_of("cluster", EG_EACH_CLUSTER), EG_COUNT_OF(cluster_names));
	assert_int_equal(count_of("tcp", EG_EACH_CLUSTER), EG_COUNT_OF(tcp_names));
	assert_int_equal(count_of("egressd", EG_EACH_CLUSTER), EG_COUNT_OF(own_names));
	assert_int_equal(count_of("egressd", EG_EACH_REASON), 1);
	assert_int_equal(count_of("egressd", EG_EACH_WORKLOAD), 10);
	assert_int_equal(count_of("server", EG_EACH_WORKLOAD), 2);
}

static void a_verdict_counts_both_families_under_its_reason(void **state)
{
	const struct eg_totals own = {.counts = {.ipv4.verdicts = {.mesh = 3}, .ipv6.verdicts = {.mesh = 4}}};
	const struct eg_stat *verdicts = find("egressd", "verdicts");
	char dotted[EG_STAT_NAME_MAX];

	(void)state;
	assert_int_equal(eg_stat_count(verdicts), EG_REASON_COUNT);
	eg_stat_name(verdicts, EG_REASON_MESH, dotted);
	assert_string_equal(dotted, "egressd.verdicts.mesh");
	assert_int_equal(eg_stat_value(verdicts, &own, EG_REASON_MESH), 7);
	assert_int_equal(eg_stat_value(verdicts, &own, EG_REASON_PASSTHROUGH), 0);
}

static void what_a_workload_has_once_is_itself(void **state)
{
	const struct eg_totals one = {.counts = {.refused_before = 1, .destinations_evicted = 4, .events_lost = 9}, .live = 1, .uptime_s = 77};

	(void)state;
	assert_int_equal(eg_stat_value(find("egressd", "destinations_evicted"), &one, 0), 4);
	assert_int_equal(eg_stat_value(find("egressd", "events_lost"), &one, 0), 9);
	assert_int_equal(eg_stat_value(find("egressd", "refused_before"), &one, 0), 1);
	assert_int_equal(eg_stat_value(find("server", "live"), &one, 0), 1);
	assert_int_equal(eg_stat_value(find("server", "uptime"), &one, 0), 77);
}

static void what_is_ours_says_what_it_is_and_envoys_does_not(void **state)
{
	size_t count;
	const struct eg_stat *stats = eg_stats(&count);

	(void)state;
	for (size_t i = 0; i < count; i++)
		assert_int_equal(eg_stat_is_ours(&stats[i]), strcmp(stats[i].scope, "egressd") == 0);
}

static void a_listing_has_each_once_in_byte_order(void **state)
{
	struct eg_stat_lines lines = {};
	size_t count, all = 0;
	const struct eg_stat *stats = eg_stats(&count);

	(void)state;
	for (size_t i = 0; i < count; i++)
		all += eg_stat_count(&stats[i]);
	assert_int_equal(eg_stat_list(&lines), 0);
	assert_int_equal(lines.list.len, all);
	for (size_t i = 1; i < all; i++)
		assert_true(strcmp(lines.list.items[i - 1].name, lines.list.items[i].name) < 0);
	eg_stat_lines_clear(&lines);
}

static void a_counter_is_used_once_it_counted(void **state)
{
	const struct eg_totals idle = {}, one = {.counts.ipv4.cluster.cx_total = 1};
	const struct eg_stat *total = find("cluster", "upstream_cx_total");

	(void)state;
	assert_false(eg_stat_is_used(total, &idle, 0));
	assert_true(eg_stat_is_used(total, &one, 0));
	assert_false(eg_stat_is_used(total, &one, 1));
	assert_false(eg_stat_is_used(find("cluster", "upstream_cx_overflow"), &one, 0));
}

static void a_clusters_gauges_are_used_from_its_first_connection_on(void **state)
{
	const struct eg_totals idle = {.ipv4.remaining_cx = 8}, over = {.counts.ipv4.cluster.cx_total = 1};
	const struct eg_stat *active = find("cluster", "upstream_cx_active");

	(void)state;
	assert_false(eg_stat_is_used(active, &idle, 0));
	assert_true(eg_stat_is_used(find("cluster", "circuit_breakers.default.remaining_cx"), &idle, 0));
	assert_true(eg_stat_is_used(active, &over, 0));
	assert_false(eg_stat_is_used(active, &over, 1));
}

static void what_has_no_place_in_a_cluster_is_in_no_statistic_of_envoys(void **state)
{
	struct eg_totals other = {};
	struct eg_stat_lines lines = {};

	(void)state;
	memset(&other.counts, 0xff, sizeof(other.counts));
	memset(&other.counts.ipv4.cluster, 0, sizeof(other.counts.ipv4.cluster));
	memset(&other.counts.ipv6.cluster, 0, sizeof(other.counts.ipv6.cluster));
	assert_int_equal(eg_stat_list(&lines), 0);
	for (size_t i = 0; i < lines.list.len; i++)
		if (!eg_stat_is_ours(lines.list.items[i].stat) && lines.list.items[i].stat->type != EG_STAT_HISTOGRAM)
			assert_int_equal(eg_stat_value(lines.list.items[i].stat, &other, lines.list.items[i].index), 0);
	eg_stat_lines_clear(&lines);
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

static bool is_of_ipv6(const struct eg_stat_line *line)
{
	return line->stat->each == EG_EACH_CLUSTER && line->index == 1;
}

static void assert_event(const struct event *event)
{
	const struct eg_totals after = {.counts.ipv6.cluster = event->counts, .ipv6 = event->gauges};
	struct eg_stat_lines lines = {};
	size_t found = 0;

	assert_int_equal(eg_stat_list(&lines), 0);
	for (size_t i = 0; i < lines.list.len; i++) {
		const struct eg_stat_line *line = &lines.list.items[i];
		char name[EG_STAT_NAME_MAX];

		if (eg_stat_is_ours(line->stat) || line->stat->type == EG_STAT_HISTOGRAM ||
		    eg_stat_value(line->stat, &after, line->index) == 0)
			continue;
		assert_true(is_of_ipv6(line));
		strip_family(line->name, name);
		if (!event->statistics[found])
			fail_msg("%s: %s is not expected", event->name, name);
		assert_string_equal(name, event->statistics[found++]);
		assert_int_equal(eg_stat_value(line->stat, &after, line->index), 1);
	}
	if (event->statistics[found])
		fail_msg("%s: %s is missing", event->name, event->statistics[found]);
	eg_stat_lines_clear(&lines);
}

static void each_event_shows_in_the_statistics_in_which_it_does_in_envoy(void **state)
{
	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(events); i++)
		assert_event(&events[i]);
}

/* ---- histograms ---- */

static void a_histogram_is_that_of_its_cluster(void **state)
{
	const struct eg_stat *connect = find("cluster", "upstream_cx_connect_ms");
	const struct eg_stat *length = find("cluster", "upstream_cx_length_ms");

	(void)state;
	assert_int_equal(connect->type, EG_STAT_HISTOGRAM);
	assert_int_equal(eg_histogram_samples(eg_stat_histogram(connect, &totals, 0)), 11);
	assert_int_equal(eg_histogram_samples(eg_stat_histogram(connect, &totals, 1)), 0);
	assert_int_equal(eg_histogram_samples(eg_stat_histogram(length, &totals, 0)), 8);
	assert_true(eg_stat_is_used(connect, &totals, 0));
	assert_false(eg_stat_is_used(connect, &totals, 1));
}

static void assert_quantile(const struct eg_histogram *histogram, double part, double expected)
{
	double value = eg_histogram_quantile_ms(histogram, part);

	if (value < expected - 1e-9 || value > expected + 1e-9)
		fail_msg("%g: %.12g instead of %.12g", part, value, expected);
}

/* Four samples in 1..5 ms and one in 10..25 ms. */
static void samples_are_spread_evenly_between_the_bounds_of_their_bucket(void **state)
{
	const struct eg_histogram histogram = {.buckets = {[2] = 4, [4] = 1}};

	(void)state;
	assert_quantile(&histogram, 0, 1);
	assert_quantile(&histogram, 0.2, 2);
	assert_quantile(&histogram, 0.8, 5);
	assert_quantile(&histogram, 0.9, 17.5);
	assert_quantile(&histogram, 1, 25);
}

static void beyond_the_last_bound_nothing_is_guessed(void **state)
{
	const struct eg_histogram histogram = {.buckets = {[EG_HISTOGRAM_BUCKETS - 1] = 3}}, none = {};

	(void)state;
	assert_quantile(&histogram, 0, 3600000);
	assert_quantile(&histogram, 1, 3600000);
	assert_true(isnan(eg_histogram_quantile_ms(&none, 0.5)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_statistic_of_a_cluster_has_its_name_and_value),
		cmocka_unit_test(there_is_no_other),
		cmocka_unit_test(a_verdict_counts_both_families_under_its_reason),
		cmocka_unit_test(what_a_workload_has_once_is_itself),
		cmocka_unit_test(what_is_ours_says_what_it_is_and_envoys_does_not),
		cmocka_unit_test(a_listing_has_each_once_in_byte_order),
		cmocka_unit_test(a_counter_is_used_once_it_counted),
		cmocka_unit_test(a_clusters_gauges_are_used_from_its_first_connection_on),
		cmocka_unit_test(what_has_no_place_in_a_cluster_is_in_no_statistic_of_envoys),
		cmocka_unit_test(each_event_shows_in_the_statistics_in_which_it_does_in_envoy),
		cmocka_unit_test(a_histogram_is_that_of_its_cluster),
		cmocka_unit_test(samples_are_spread_evenly_between_the_bounds_of_their_bucket),
		cmocka_unit_test(beyond_the_last_bound_nothing_is_guessed),
	};

	return cmocka_run_group_tests_name("envoy", tests, NULL, NULL);
}
