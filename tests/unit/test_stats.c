/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "export/stats.h"

#define CX "cluster.outbound_passthrough_ipv4.upstream_cx_total"
#define CONNECT_MS "cluster.outbound_passthrough_ipv4.upstream_cx_connect_ms"

/* A node with one connection of `web`, and another one of a workload that is gone. */
static struct eg_snapshot node_of(uint64_t connections)
{
	struct eg_counted web = {.name = "web", .mesh = "default", .dataplane = "web", .service = "web"};
	struct eg_snapshot snapshot = {.is_node = 1, .audit_agrees = 1};

	web.totals.counts.ipv4.cluster.cx_total = connections;
	web.totals.counts.ipv4.cluster.connect_ms.buckets[2] = connections;
	web.totals.live = 1;
	snapshot.retired.counts.ipv4.cluster.cx_total = 1;
	snapshot.node.generation = 7;
	assert_int_equal(eg_array_push(&snapshot.workloads, web), 0);
	eg_totals_merge(&snapshot.sum, &snapshot.workloads.items[0].totals);
	eg_totals_merge(&snapshot.sum, &snapshot.retired);
	return snapshot;
}

/* The answer to "name=value&flag". */
static char *ask_from(const char *asked, const struct eg_snapshot *snapshot, struct eg_snapshot *baseline)
{
	_cleanup_(eg_stats_query_clear) struct eg_stats_query query = {};
	_cleanup_free_ char *words = strdup(asked);
	char problem[EG_STATS_PROBLEM_MAX], *rest = words, *name, *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	while ((name = strsep(&rest, "&")) && *name) {
		char *value = strchr(name, '=');

		if (value)
			*value++ = '\0';
		assert_int_equal(eg_stats_query_set(&query, name, value, problem), 0);
	}
	assert_int_equal(eg_stats_write(&query, snapshot, baseline, out), 0);
	fclose(out);
	return text;
}

static char *ask(const char *asked)
{
	struct eg_snapshot snapshot = node_of(3);
	char *text = ask_from(asked, &snapshot, NULL);

	eg_snapshot_clear(&snapshot);
	return text;
}

static void assert_answer(const char *asked, const char *expected)
{
	_cleanup_free_ char *text = ask(asked);

	assert_string_equal(text, expected);
}

static void assert_has(const char *asked, const char *part)
{
	_cleanup_free_ char *text = ask(asked);

	if (!strstr(text, part))
		fail_msg("'%s' lacks '%s': %s", asked, part, text);
}

static void a_value_is_a_line_and_the_sum_has_what_is_gone(void **state)
{
	(void)state;
	assert_answer("filter=ipv4.upstream_cx_total", CX ": 4\n");
	assert_answer("filter=pass_through.upstream_cx_total",
		      CX ": 4\ncluster.outbound_passthrough_ipv6.upstream_cx_total: 0\n");
	assert_answer("filter=^server.live", "server.live: 1\n");
	assert_answer("filter=policy_generation", "egressd.policy_generation: 7\n");
	assert_answer("filter=nothing is called so", "");
}

/* Names of all values, then of all histograms, each in byte order. */
static void values_come_sorted_and_histograms_after_them(void **state)
{
	_cleanup_free_ char *text = ask("");
	char *rest = text, *line, before[256] = "";
	bool has_histogram = false;
	int lines = 0;

	(void)state;
	for (; (line = strsep(&rest, "\n")) && *line; lines++) {
		bool is_histogram = strstr(line, "_ms: P") || strstr(line, "_ms: No");

		line[strcspn(line, ":")] = '\0';
		if (is_histogram == has_histogram)
			assert_true(strcmp(before, line) < 0);
		assert_false(has_histogram && !is_histogram);
		has_histogram = is_histogram;
		snprintf(before, sizeof(before), "%s", line);
	}
	assert_true(lines > 100);
	assert_true(has_histogram);
}

static void a_histogram_is_quantiles_unless_buckets_are_asked_for(void **state)
{
	(void)state;
	assert_answer("filter=ipv4.upstream_cx_connect_ms",
		      CONNECT_MS ": P0(nan,1) P25(nan,2) P50(nan,3) P75(nan,4) P90(nan,4.6) P95(nan,4.8) P99(nan,4.96) "
				 "P99.5(nan,4.98) P99.9(nan,4.996) P100(nan,5)\n");
	assert_has("filter=ipv4.upstream_cx_connect_ms&histogram_buckets=cumulative",
		   CONNECT_MS ": B0.5(0,0) B1(0,0) B5(0,3) B10(0,3) ");
	assert_has("filter=ipv4.upstream_cx_connect_ms&histogram_buckets=cumulative", " B3600000(0,3)\n");
	assert_has("filter=ipv4.upstream_cx_connect_ms&histogram_buckets=disjoint", " B5(0,3) B10(0,0) ");
	assert_answer("filter=ipv6.upstream_cx_length_ms",
		      "cluster.outbound_passthrough_ipv6.upstream_cx_length_ms: No recorded values\n");
}

static void only_what_was_used_is_shown_when_that_is_asked_for(void **state)
{
	(void)state;
	assert_answer(
		"usedonly&filter=upstream_cx_(total|connect_ms|active|overflow)&histogram_buckets=none&type=Counters",
		CX ": 4\n");
	assert_answer("usedonly&filter=upstream_cx_active",
		      "cluster.outbound_passthrough_ipv4.upstream_cx_active: 0\n");
	assert_answer("usedonly&filter=length_ms", "");
}

static void a_type_is_only_that_type(void **state)
{
	(void)state;
	assert_answer("type=TextReadouts", "");
	assert_answer("type=Gauges&filter=ipv4.upstream_cx_(total|active)",
		      "cluster.outbound_passthrough_ipv4.upstream_cx_active: 0\n");
	assert_answer("type=Counters&filter=ipv4.upstream_cx_(total|active)", CX ": 4\n");
	assert_answer("type=Histograms&usedonly&filter=total", "");
	assert_has("type=All", CX ": 4\n");
}

static json_t *ask_json(const char *asked)
{
	_cleanup_free_ char *text = ask(asked);
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(json);
	return json;
}

static void json_is_a_list_whose_last_item_has_the_histograms(void **state)
{
	json_auto_t *json = ask_json("format=json&filter=ipv4.upstream_cx_(total|connect_ms)");
	json_t *stats = json_object_get(json, "stats"), *value;
	const char *name;
	int total;

	(void)state;
	assert_int_equal(json_array_size(stats), 2);
	assert_int_equal(json_unpack(json_array_get(stats, 0), "{s:s, s:i}", "name", &name, "value", &total), 0);
	assert_string_equal(name, CX);
	assert_int_equal(total, 4);
	assert_int_equal(json_unpack(json_array_get(stats, 1), "{s:{s:[i], s:[{s:s, s:[o]}]}}", "histograms",
				     "supported_quantiles", &total, "computed_quantiles", "name", &name, "values",
				     &value),
			 0);
	assert_string_equal(name, CONNECT_MS);
	assert_true(json_equal(json_object_get(value, "interval"), json_null()));
	assert_int_equal(json_number_value(json_object_get(value, "cumulative")), 1);
}

static void json_without_samples_has_null_and_with_buckets_counts(void **state)
{
	json_auto_t *none = ask_json("format=json&filter=ipv6.upstream_cx_length_ms");
	json_auto_t *buckets = ask_json("format=json&filter=ipv4.upstream_cx_connect_ms&histogram_buckets=cumulative");
	json_t *value;
	int interval, samples;
	double bound;

	(void)state;
	assert_int_equal(json_unpack(none, "{s:[{s:{s:[{s:[{s:o}]}]}}]}", "stats", "histograms", "computed_quantiles",
				     "values", "cumulative", &value),
			 0);
	assert_true(json_is_null(value));
	assert_int_equal(json_unpack(buckets, "{s:[{s:[{s:[o,o,{s:F, s:i, s:i}]}]}]}", "stats", "histograms", "buckets",
				     &value, &value, "upper_bound", &bound, "interval", &interval, "cumulative",
				     &samples),
			 0);
	assert_int_equal(bound, 5);
	assert_int_equal(interval, 0);
	assert_int_equal(samples, 3);
}

static void json_of_nothing_is_an_empty_list(void **state)
{
	(void)state;
	assert_answer("format=json&type=TextReadouts", "{\"stats\":[]}\n");
	assert_answer("format=json&filter=nothing", "{\"stats\":[]}\n");
}

/* ---- refusals ---- */

static void assert_refused(const char *name, const char *value, const char *expected)
{
	_cleanup_(eg_stats_query_clear) struct eg_stats_query query = {};
	char problem[EG_STATS_PROBLEM_MAX];

	assert_int_equal(eg_stats_query_set(&query, name, value, problem), -EINVAL);
	assert_string_equal(problem, expected);
}

static void what_cannot_be_is_refused_in_envoys_words(void **state)
{
	(void)state;
	assert_refused("filter", "(", "Invalid re2 regex");
	assert_refused("type", "Counter", "invalid &type= param");
	assert_refused("format", "yaml", "usage: /stats?format=(json|prometheus|text)\n\n");
	assert_refused("histogram_buckets", "all", "usage: /stats?histogram_buckets=(cumulative|disjoint|none)\n");
}

static void a_parameter_that_nobody_knows_is_refused_with_what_was_meant(void **state)
{
	(void)state;
	assert_refused("fliter", "x", "unknown parameter 'fliter'; did you mean 'filter'?\n");
	assert_refused("used-only", NULL, "unknown parameter 'used-only'; did you mean 'usedonly'?\n");
	assert_refused("x", NULL, "unknown parameter 'x'\n");
}

static void a_parameter_without_its_value_asks_for_nothing(void **state)
{
	(void)state;
	assert_has("filter=&format=&type=&workload", CX ": 4\n");
	assert_has("text_readouts&hidden=include&pretty", CX ": 4\n");
}

static void a_filter_that_takes_too_long_ends_the_answer(void **state)
{
	_cleanup_(eg_stats_query_clear) struct eg_stats_query query = {};
	struct eg_snapshot snapshot = node_of(1);
	char problem[EG_STATS_PROBLEM_MAX], *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(eg_stats_query_set(&query, "filter", "(.+)+[#@]", problem), 0);
	assert_int_equal(eg_stats_write(&query, &snapshot, NULL, out), -E2BIG);
	fclose(out);
	assert_int_equal(len, 0);
	free(text);
	eg_snapshot_clear(&snapshot);
}

/* ---- the baseline ---- */

static void assert_since(const struct eg_snapshot *now, struct eg_snapshot *before, const char *asked,
			 const char *expected)
{
	_cleanup_free_ char *text = ask_from(asked, now, before);

	assert_string_equal(text, expected);
}

static void counters_are_shown_from_the_baseline_on_and_gauges_and_histograms_whole(void **state)
{
	struct eg_snapshot before = node_of(3), now = node_of(5);

	(void)state;
	now.sum.ipv4.connections = 2;
	assert_since(&now, &before, "filter=ipv4.upstream_cx_total", CX ": 2\n");
	assert_since(&now, &before, "filter=ipv4.upstream_cx_active",
		     "cluster.outbound_passthrough_ipv4.upstream_cx_active: 2\n");
	assert_since(&now, &before, "filter=ipv4.upstream_rq_total",
		     "cluster.outbound_passthrough_ipv4.upstream_rq_total: 2\n");
	assert_since(&now, &before, "filter=policy_generation", "egressd.policy_generation: 7\n");
	assert_since(&now, &before, "filter=ipv4.upstream_cx_connect_ms&histogram_buckets=disjoint&usedonly",
		     CONNECT_MS ": B0.5(0,0) B1(0,0) B5(0,5) B10(0,0) B25(0,0) B50(0,0) B100(0,0) B250(0,0) B500(0,0) "
				"B1000(0,0) B2500(0,0) B5000(0,0) B10000(0,0) B30000(0,0) B60000(0,0) B300000(0,0) "
				"B600000(0,0) B1800000(0,0) B3600000(0,0)\n");
	eg_snapshot_clear(&before);
	eg_snapshot_clear(&now);
}

/* `now` as it is when one workload is asked for. */
static struct eg_snapshot web_of(uint64_t connections)
{
	struct eg_snapshot web = node_of(connections);

	web.is_node = 0;
	web.sum = web.workloads.items[0].totals;
	return web;
}

static void a_workloads_baseline_is_that_of_its_name(void **state)
{
	struct eg_snapshot before = node_of(3), now = web_of(5);

	(void)state;
	assert_since(&now, &before, "filter=ipv4.upstream_cx_total", CX ": 2\n");
	now.workloads.items[0].name = "other";
	assert_since(&now, &before, "filter=ipv4.upstream_cx_total", CX ": 5\n");
	eg_snapshot_clear(&before);
	eg_snapshot_clear(&now);
}

static void a_workload_that_began_anew_since_has_no_baseline(void **state)
{
	struct eg_snapshot before = node_of(3), now = web_of(2), later = web_of(4), node = node_of(7);

	(void)state;
	assert_since(&now, &before, "filter=ipv4.upstream_cx_total", CX ": 2\n");
	/* also once it has counted more than the one before */
	assert_since(&later, &before, "filter=ipv4.upstream_cx_total", CX ": 4\n");
	/* whose counts stay in the node's sum */
	assert_since(&node, &before, "filter=ipv4.upstream_cx_total", CX ": 4\n");
	eg_snapshot_clear(&before);
	eg_snapshot_clear(&now);
	eg_snapshot_clear(&later);
	eg_snapshot_clear(&node);
}

/* ---- the node ---- */

static void what_is_not_known_is_not_shown(void **state)
{
	struct eg_snapshot web = web_of(1), swept = node_of(1);

	(void)state;
	assert_since(&web, NULL, "filter=egressd.(policy|sweep|agent|workloads)", "");
	assert_since(&web, NULL, "filter=audit",
		     "egressd.audit_agrees: 1\negressd.audit_gauges: 0\negressd.audit_leases: 0\n");
	assert_since(&swept, NULL, "filter=egressd.sweep", "");
	swept.node.swept = 1;
	swept.node.sweep_ns = 42;
	assert_since(&swept, NULL, "filter=egressd.sweep_d",
		     "egressd.sweep_destroyed: 0\negressd.sweep_duration_ns: 42\n");
	eg_snapshot_clear(&web);
	eg_snapshot_clear(&swept);
}

static void programs_show_what_a_run_takes(void **state)
{
	struct eg_snapshot node = node_of(1);

	(void)state;
	assert_since(&node, NULL, "filter=programs", "");
	node.programs = (struct eg_program_costs){2, {{"eg_connect4", 10, 2055}, {"eg_sockops", 0, 0}}};
	assert_since(&node, NULL, "filter=programs&usedonly",
		     "egressd.programs.eg_connect4.ns_per_run: 205\negressd.programs.eg_connect4.run_ns: 2055\n"
		     "egressd.programs.eg_connect4.runs: 10\n");
	assert_since(&node, NULL, "filter=sockops.ns_per_run", "egressd.programs.eg_sockops.ns_per_run: 0\n");
	eg_snapshot_clear(&node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_a_line_and_the_sum_has_what_is_gone),
		cmocka_unit_test(values_come_sorted_and_histograms_after_them),
		cmocka_unit_test(a_histogram_is_quantiles_unless_buckets_are_asked_for),
		cmocka_unit_test(only_what_was_used_is_shown_when_that_is_asked_for),
		cmocka_unit_test(a_type_is_only_that_type),
		cmocka_unit_test(json_is_a_list_whose_last_item_has_the_histograms),
		cmocka_unit_test(json_without_samples_has_null_and_with_buckets_counts),
		cmocka_unit_test(json_of_nothing_is_an_empty_list),
		cmocka_unit_test(what_cannot_be_is_refused_in_envoys_words),
		cmocka_unit_test(a_parameter_that_nobody_knows_is_refused_with_what_was_meant),
		cmocka_unit_test(a_parameter_without_its_value_asks_for_nothing),
		cmocka_unit_test(a_filter_that_takes_too_long_ends_the_answer),
		cmocka_unit_test(counters_are_shown_from_the_baseline_on_and_gauges_and_histograms_whole),
		cmocka_unit_test(a_workloads_baseline_is_that_of_its_name),
		cmocka_unit_test(a_workload_that_began_anew_since_has_no_baseline),
		cmocka_unit_test(what_is_not_known_is_not_shown),
		cmocka_unit_test(programs_show_what_a_run_takes),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
