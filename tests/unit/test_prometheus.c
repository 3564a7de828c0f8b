/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../lib/support/slow.h"
#include "export/prometheus.h"

#define WEB "mesh=\"default\",dataplane=\"web-1\",kuma_io_service=\"web\",workload=\"web\""

static void add_workload(struct eg_snapshot *snapshot, const char *name, uint64_t connections)
{
	struct eg_counted counted = {.name = name, .mesh = "default", .dataplane = "web-1", .service = "web"};

	counted.totals.counts.ipv4.cluster.cx_total = connections;
	counted.totals.counts.ipv4.cluster.connect_ms.buckets[2] = connections;
	counted.totals.counts.ipv4.cluster.connect_ms.sum_ns = connections * 2500000;
	counted.totals.counts.ipv4.verdicts.passthrough = connections;
	counted.totals.live = 1;
	assert_int_equal(eg_array_push(&snapshot->workloads, counted), 0);
}

/* A node with `web`, and totals of one that is gone. */
static struct eg_snapshot node_of(uint64_t connections)
{
	struct eg_snapshot snapshot = {.is_node = 1, .audit_agrees = 1};

	add_workload(&snapshot, "web", connections);
	snapshot.homeless.counts.ipv6.verdicts.blocked_no_policy = 5;
	snapshot.retired.counts.ipv4.cluster.cx_total = 11;
	snapshot.retired.counts.ipv4.cluster.cx_overflow = 2;
	snapshot.node = (struct eg_node_state){.generation = 7, .swept = 1, .sweep_ns = 1500000, .load_errors = 3};
	snapshot.programs = (struct eg_program_costs){1, {{"eg_connect4", 4, 1000}}};
	return snapshot;
}

static void set(struct eg_stats_query *query, const char *name, const char *value)
{
	char problem[EG_STATS_PROBLEM_MAX];

	assert_int_equal(eg_stats_query_set(query, name, value, problem), 0);
}

/* All of it, read so many bytes at a time. */
static char *read_all(struct eg_prometheus *prometheus, size_t size)
{
	_cleanup_free_ char *buffer = malloc(size);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	ssize_t got;

	while ((got = eg_prometheus_read(prometheus, buffer, size)) > 0)
		fwrite(buffer, 1, (size_t)got, out);
	assert_int_equal(got, 0);
	fclose(out);
	return text;
}

static char *scrape_of(struct eg_snapshot snapshot, const char *filter, bool used_only, size_t size)
{
	_cleanup_(eg_prometheus_freep) struct eg_prometheus *prometheus = NULL;
	struct eg_stats_query query = {.used_only = used_only};

	if (filter)
		set(&query, "filter", filter);
	assert_int_equal(eg_prometheus_new(&query, &snapshot, &prometheus), 0);
	assert_null(query.filter);
	assert_null(snapshot.workloads.items);
	return read_all(prometheus, size);
}

static void assert_scrape(const char *filter, bool used_only, const char *expected)
{
	_cleanup_free_ char *text = scrape_of(node_of(3), filter, used_only, 4096);

	assert_string_equal(text, expected);
}

static void a_family_of_envoys_has_a_type_and_no_help_and_a_series_for_each_cluster(void **state)
{
	(void)state;
	assert_scrape("^cluster.*upstream_cx_total$", true,
		      "# TYPE envoy_cluster_upstream_cx_total counter\n"
		      "envoy_cluster_upstream_cx_total{envoy_cluster_name=\"outbound_passthrough_ipv4\"," WEB "} 3\n"
		      "\n"
		      "# HELP egressd_retired_cluster_upstream_cx_total Of workloads that are gone: "
		      "envoy_cluster_upstream_cx_total.\n"
		      "# TYPE egressd_retired_cluster_upstream_cx_total counter\n"
		      "egressd_retired_cluster_upstream_cx_total{envoy_cluster_name=\"outbound_passthrough_ipv4\"} 11\n"
		      "\n");
	assert_scrape("tcp.*ipv6.idle_timeout", false,
		      "# TYPE envoy_tcp_idle_timeout counter\n"
		      "envoy_tcp_idle_timeout{envoy_tcp_prefix=\"outbound_passthrough_ipv6\"," WEB "} 0\n"
		      "\n"
		      "# HELP egressd_retired_tcp_idle_timeout_total Of workloads that are gone: "
		      "envoy_tcp_idle_timeout.\n"
		      "# TYPE egressd_retired_tcp_idle_timeout_total counter\n"
		      "egressd_retired_tcp_idle_timeout_total{envoy_tcp_prefix=\"outbound_passthrough_ipv6\"} 0\n"
		      "\n");
	assert_scrape(
		"ipv4.circuit_breakers.default.cx_open|server.live", false,
		"# TYPE envoy_cluster_circuit_breakers_default_cx_open gauge\n"
		"envoy_cluster_circuit_breakers_default_cx_open{envoy_cluster_name=\"outbound_passthrough_ipv4\"," WEB
		"} 0\n"
		"\n"
		"# TYPE envoy_server_live gauge\n"
		"envoy_server_live{" WEB "} 1\n"
		"\n");
}

static void a_histogram_is_cumulative_with_its_sum_in_milliseconds(void **state)
{
	_cleanup_free_ char *text = scrape_of(node_of(3), "ipv4.upstream_cx_connect_ms", false, 4096);
	const char *front =
		"# TYPE envoy_cluster_upstream_cx_connect_ms histogram\n"
		"envoy_cluster_upstream_cx_connect_ms_bucket{envoy_cluster_name=\"outbound_passthrough_ipv4\"," WEB
		",le=\"0.5\"} 0\n";
	const char *back =
		"le=\"3600000\"} 3\n"
		"envoy_cluster_upstream_cx_connect_ms_bucket{envoy_cluster_name=\"outbound_passthrough_ipv4\"," WEB
		",le=\"+Inf\"} 3\n"
		"envoy_cluster_upstream_cx_connect_ms_sum{envoy_cluster_name=\"outbound_passthrough_ipv4\"," WEB
		"} 7.5\n"
		"envoy_cluster_upstream_cx_connect_ms_count{envoy_cluster_name=\"outbound_passthrough_ipv4\"," WEB
		"} 3\n\n";

	(void)state;
	assert_memory_equal(text, front, strlen(front));
	assert_true(strlen(text) > strlen(back));
	assert_string_equal(text + strlen(text) - strlen(back), back);
	assert_non_null(strstr(text, ",le=\"1\"} 0\n"));
	assert_non_null(strstr(text, ",le=\"5\"} 3\n"));
}

static void verdicts_are_ours_with_help_and_also_of_what_has_no_slot(void **state)
{
	(void)state;
	assert_scrape("verdicts", true,
		      "# HELP egressd_verdicts_total Verdicts on connects, and on datagrams of unconnected sockets, by "
		      "reason.\n"
		      "# TYPE egressd_verdicts_total counter\n"
		      "egressd_verdicts_total{reason=\"passthrough\",verdict=\"allowed\"," WEB "} 3\n"
		      "egressd_verdicts_total{reason=\"blocked-no-policy\",verdict=\"blocked\"} 5\n"
		      "\n");
}

static void the_nodes_own_have_no_workload(void **state)
{
	(void)state;
	assert_scrape(
		"policy_(generation|load_errors)|sweep_duration", true,
		"# HELP egressd_policy_generation How often a policy was put in force since the pins were made.\n"
		"# TYPE egressd_policy_generation gauge\n"
		"egressd_policy_generation 7\n"
		"\n"
		"# HELP egressd_policy_load_errors_total Policies that were refused while an older one stayed in "
		"force.\n"
		"# TYPE egressd_policy_load_errors_total counter\n"
		"egressd_policy_load_errors_total 3\n"
		"\n"
		"# HELP egressd_sweep_duration_seconds Processor time of the last walk over the sockets that hold "
		"leases.\n"
		"# TYPE egressd_sweep_duration_seconds gauge\n"
		"egressd_sweep_duration_seconds 0.0015\n"
		"\n");
}

static void programs_have_what_a_run_takes(void **state)
{
	(void)state;
	assert_scrape("programs", false,
		      "# HELP egressd_program_runs_total Runs of a program while kernel.bpf_stats_enabled was 1.\n"
		      "# TYPE egressd_program_runs_total counter\n"
		      "egressd_program_runs_total{program=\"eg_connect4\"} 4\n"
		      "\n"
		      "# HELP egressd_program_run_seconds_total Processor time of those runs.\n"
		      "# TYPE egressd_program_run_seconds_total counter\n"
		      "egressd_program_run_seconds_total{program=\"eg_connect4\"} 1e-06\n"
		      "\n"
		      "# HELP egressd_program_seconds_per_run Processor time of a run, over all of them.\n"
		      "# TYPE egressd_program_seconds_per_run gauge\n"
		      "egressd_program_seconds_per_run{program=\"eg_connect4\"} 2.5e-07\n"
		      "\n");
}

static void of_one_workload_there_is_nothing_of_the_nodes(void **state)
{
	struct eg_snapshot web = node_of(1);
	_cleanup_free_ char *text = NULL;

	(void)state;
	web.is_node = 0;
	web.node = (struct eg_node_state){};
	web.programs.count = 0;
	text = scrape_of(web, NULL, false, 4096);
	assert_null(strstr(text, "retired"));
	assert_null(strstr(text, "generation"));
	assert_null(strstr(text, "blocked-no-policy\",verdict=\"blocked\"}"));
	assert_non_null(strstr(text, "\negressd_audit_agrees 1\n"));
}

static void a_label_has_what_would_end_it_escaped_and_bytes_written(void **state)
{
	struct eg_snapshot snapshot = {};
	_cleanup_free_ char *text = NULL;

	(void)state;
	add_workload(&snapshot, "a\"b\\c\nd\xff\xc3\xa4", 1);
	text = scrape_of(snapshot, "server.live", false, 4096);
	assert_non_null(strstr(text, ",workload=\"a\\\"b\\\\c\\\\x0ad\\\\xff\xc3\xa4\"} 1\n"));
}

static void the_text_is_the_same_however_little_is_taken_at_once(void **state)
{
	_cleanup_free_ char *whole = scrape_of(node_of(3), NULL, false, 1 << 20);

	(void)state;
	for (size_t size = 1; size < 10000; size *= 7) {
		_cleanup_free_ char *text = scrape_of(node_of(3), NULL, false, size);

		assert_string_equal(text, whole);
	}
}

static void every_family_comes_once_and_every_series_once(void **state)
{
	_cleanup_free_ char *text = NULL, **seen = calloc(100000, sizeof(*seen));
	struct eg_snapshot node = node_of(3);
	char *rest, *line;
	size_t count = 0;

	(void)state;
	add_workload(&node, "other", 1);
	rest = text = scrape_of(node, NULL, false, 4096);
	while ((line = strsep(&rest, "\n"))) {
		char *value = strrchr(line, ' ');

		if (!value || strncmp(line, "# HELP", 6) == 0)
			continue;
		*value = '\0';
		for (size_t i = 0; i < count; i++)
			assert_string_not_equal(seen[i], line);
		seen[count++] = line;
	}
	assert_true(count > 400);
}

static void a_filter_that_takes_too_long_is_no_scrape(void **state)
{
	struct eg_snapshot snapshot = node_of(1);
	struct eg_prometheus *prometheus = NULL;
	struct eg_stats_query query = {};

	(void)state;
	set(&query, "filter", "(.+)+[#@]");
	assert_int_equal(eg_prometheus_new(&query, &snapshot, &prometheus), -E2BIG);
	assert_null(prometheus);
	assert_null(snapshot.workloads.items);
	assert_null(eg_prometheus_free(NULL));
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* What it takes is printed; asserted is what must hold on any machine. */
static void a_thousand_workloads_are_a_scrape(void **state)
{
	const unsigned int many = slow_count(1000);
	_cleanup_(eg_prometheus_freep) struct eg_prometheus *prometheus = NULL;
	_cleanup_free_ char *names = calloc(many, 32), *buffer = malloc(65536);
	struct eg_snapshot node = {.is_node = 1};
	struct eg_stats_query query = {};
	size_t bytes = 0;
	double began;
	ssize_t got;

	(void)state;
	for (unsigned int i = 0; i < many; i++) {
		snprintf(names + i * 32, 32, "web:pod-%u", i);
		add_workload(&node, names + i * 32, 1234567);
	}
	began = now_ms();
	assert_int_equal(eg_prometheus_new(&query, &node, &prometheus), 0);
	while ((got = eg_prometheus_read(prometheus, buffer, 65536)) > 0)
		bytes += (size_t)got;
	assert_int_equal(got, 0);
	print_message("# %u workloads: %.1f ms of a processor, %.1f MB\n", many, now_ms() - began, (double)bytes / 1e6);
	assert_true(bytes > many * 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_family_of_envoys_has_a_type_and_no_help_and_a_series_for_each_cluster),
		cmocka_unit_test(a_histogram_is_cumulative_with_its_sum_in_milliseconds),
		cmocka_unit_test(verdicts_are_ours_with_help_and_also_of_what_has_no_slot),
		cmocka_unit_test(the_nodes_own_have_no_workload),
		cmocka_unit_test(programs_have_what_a_run_takes),
		cmocka_unit_test(of_one_workload_there_is_nothing_of_the_nodes),
		cmocka_unit_test(a_label_has_what_would_end_it_escaped_and_bytes_written),
		cmocka_unit_test(the_text_is_the_same_however_little_is_taken_at_once),
		cmocka_unit_test(every_family_comes_once_and_every_series_once),
		cmocka_unit_test(a_filter_that_takes_too_long_is_no_scrape),
		cmocka_unit_test(a_thousand_workloads_are_a_scrape),
	};

	return cmocka_run_group_tests_name("prometheus", tests, NULL, NULL);
}
