/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The shape of a report, read back by the library that people's tools may use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "export/json.h"
#include "export/names.h"
#include "export/report.h"

#define NSEC_PER_SEC 1000000000ull

static json_t *format(const char *workload, const struct eg_totals *totals, const struct eg_destinations *destinations)
{
	struct eg_subject subject = {.name = (char *)workload, .mesh = "default", .passthrough = false};
	_cleanup_free_ char *text = NULL;
	json_error_t error;
	json_t *report;

	assert_int_equal(eg_report_format(&subject, totals, destinations, &text), 0);
	assert_int_equal(text[strlen(text) - 1], '\n');
	report = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	assert_non_null(report);
	return report;
}

static const char *string_at(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	assert_non_null(value);
	return value;
}

static json_int_t integer_at(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

static void a_run_that_did_nothing_has_every_number_and_all_are_zero(void **state)
{
	static const char *const keys[] = {
		"workload", "mesh",         "mode",                "passthrough",    "stats",        "histograms",
		"verdicts", "destinations", "destinations_missed", "refused_before", "not_enforced",
	};
	struct eg_totals totals = {};
	struct eg_destinations none = {};
	json_auto_t *report = format("curl", &totals, &none);
	const char *name;
	json_t *value;

	(void)state;
	assert_int_equal(json_object_size(report), EG_COUNT_OF(keys));
	for (size_t i = 0; i < EG_COUNT_OF(keys); i++)
		assert_non_null(json_object_get(report, keys[i]));
	assert_string_equal(string_at(report, "workload"), "curl");
	assert_string_equal(string_at(report, "mesh"), "default");
	assert_true(json_is_false(json_object_get(report, "passthrough")));
	assert_int_equal(json_array_size(json_object_get(report, "destinations")), 0);
	assert_int_equal(json_object_size(json_object_get(report, "verdicts")), EG_REASON_COUNT);
	assert_int_equal(json_object_size(json_object_get(report, "stats")), 2 * (31 + 7 + 9));
	assert_int_equal(json_object_size(json_object_get(report, "histograms")), 4);
	json_object_foreach(json_object_get(report, "verdicts"), name, value)
		assert_int_equal(json_integer_value(value), 0);
	json_object_foreach(json_object_get(report, "stats"), name, value)
		assert_int_equal(json_integer_value(value), 0);
}

static struct eg_destination destination(uint32_t family, const char *address, uint16_t port, enum eg_reason reason)
{
	struct eg_destination result = {
		.key = {.slot = 1, .flow = {.family = family, .port = port, .protocol = IPPROTO_TCP}, .reason = reason, .verdict = eg_reason_verdict(reason)},
		.seen = {.count = 3, .pid = 4711, .uid = UINT32_MAX, .comm = "curl"},
	};

	assert_int_equal(inet_pton(family == EG_FAMILY_IPV4 ? AF_INET : AF_INET6, address, &result.key.flow.addr), 1);
	return result;
}

static void a_destination_has_bare_address_integer_port_and_its_verdict(void **state)
{
	struct eg_destination list[] = {
		destination(EG_FAMILY_IPV4, "192.0.2.1", 443, EG_REASON_BLOCKED_PASSTHROUGH_OFF),
		destination(EG_FAMILY_IPV6, "2001:db8::1", 65535, EG_REASON_MESH),
		destination(EG_FAMILY_IPV4, "192.0.2.2", 1, EG_REASON_BLOCKED_MAX_CONNECTIONS),
	};
	struct eg_destinations destinations = {.list = {.items = list, .len = EG_COUNT_OF(list)}};
	struct eg_totals totals = {};
	json_auto_t *report = NULL;
	const json_t *first, *second, *third;

	(void)state;
	list[1].key.flow.protocol = 262;
	list[2].key.verdict = EG_VERDICT_AUDITED;
	report = format("curl", &totals, &destinations);
	first = json_array_get(json_object_get(report, "destinations"), 0);
	second = json_array_get(json_object_get(report, "destinations"), 1);
	third = json_array_get(json_object_get(report, "destinations"), 2);
	assert_string_equal(string_at(first, "address"), "192.0.2.1");
	assert_int_equal(integer_at(first, "port"), 443);
	assert_string_equal(string_at(first, "protocol"), "tcp");
	assert_string_equal(string_at(first, "family"), "ipv4");
	assert_string_equal(string_at(first, "verdict"), "blocked");
	assert_string_equal(string_at(first, "reason"), "blocked-passthrough-off");
	assert_int_equal(integer_at(first, "count"), 3);
	assert_int_equal(integer_at(first, "pid"), 4711);
	assert_int_equal(integer_at(first, "uid"), UINT32_MAX);
	assert_string_equal(string_at(first, "comm"), "curl");
	assert_string_equal(string_at(second, "address"), "2001:db8::1");
	assert_int_equal(integer_at(second, "port"), 65535);
	assert_string_equal(string_at(second, "protocol"), "262");
	assert_string_equal(string_at(second, "family"), "ipv6");
	assert_string_equal(string_at(second, "verdict"), "allowed");
	assert_true(json_is_true(json_object_get(first, "enforced")));
	/* audit mode: the verdict is the policy's, and did not hold */
	assert_string_equal(string_at(third, "verdict"), "blocked");
	assert_true(json_is_false(json_object_get(third, "enforced")));
}

static void whatever_a_process_calls_itself_the_report_stays_json(void **state)
{
	static const struct {
		char comm[EG_COMM_LEN];
		const char *shown;
	} names[] = {
		{"a\"b\\c", "a\"b\\c"},
		{"\x01\x1f\x7f", "\x01\x1f\x7f"},
		{"\xff\xfe", "(not UTF-8)"},
		{"\xc3", "(not UTF-8)"},
		{"\xc3\xbc", "\xc3\xbc"},
		{"", ""},
		{{'1', '2', '3', '4', '5', '6', '7', '8', '9', '0', 'a', 'b', 'c', 'd', 'e', 'f'}, "1234567890abcdef"},
		/* behind the end stands what was there before */
		{"ab\0cd", "ab"},
	};
	struct eg_totals totals = {};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(names); i++) {
		struct eg_destination one = destination(EG_FAMILY_IPV4, "192.0.2.1", 80, EG_REASON_PASSTHROUGH);
		struct eg_destinations destinations = {.list = {.items = &one, .len = 1}};
		json_auto_t *report = NULL;

		memcpy(one.seen.comm, names[i].comm, EG_COMM_LEN);
		report = format("curl", &totals, &destinations);
		assert_string_equal(string_at(json_array_get(json_object_get(report, "destinations"), 0), "comm"),
				    names[i].shown);
	}
}

static void whatever_a_command_is_called_the_report_stays_json(void **state)
{
	struct eg_totals totals = {};
	struct eg_destinations none = {};
	json_auto_t *quoted = format("a \"b\"\n", &totals, &none), *odd = format("\xff", &totals, &none);

	(void)state;
	assert_string_equal(string_at(quoted, "workload"), "a \"b\"\n");
	assert_string_equal(string_at(odd, "workload"), "(not UTF-8)");
}

static void whatever_a_workload_is_called_an_event_stays_json(void **state)
{
	const struct eg_event event = {.flow = {.family = EG_FAMILY_IPV4, .protocol = IPPROTO_TCP}};
	json_auto_t *odd = eg_json_event(&event, "web:\xff"), *homeless = eg_json_event(&event, NULL);

	(void)state;
	assert_string_equal(string_at(odd, "workload"), "(not UTF-8)");
	assert_non_null(homeless);
	assert_null(json_object_get(homeless, "workload"));
}

static void counts_come_under_their_names(void **state)
{
	struct eg_totals totals = {
		.counts =
			{
				.ipv4 = {.verdicts = {.passthrough = 2}, .cluster = {.cx_total = 2}},
				.ipv6 = {.verdicts = {.passthrough = 5}, .cluster = {.cx_total = 1ull << 53}},
				.refused_before = 11,
				.destinations_missed = 13,
			},
		.ipv4.sessions = 17,
	};
	struct eg_destinations none = {};
	json_auto_t *report = format("curl", &totals, &none);

	(void)state;
	assert_int_equal(integer_at(json_object_get(report, "verdicts"), "passthrough"), 7);
	assert_int_equal(
		integer_at(json_object_get(report, "stats"), "cluster.outbound_passthrough_ipv6.upstream_cx_total"),
		1ll << 53);
	assert_int_equal(
		integer_at(json_object_get(report, "stats"), "egressd.outbound_passthrough_ipv4.udp_sessions_active"),
		17);
	assert_int_equal(integer_at(report, "refused_before"), 11);
	assert_int_equal(integer_at(report, "destinations_missed"), 13);
}

/* Below each of Envoy's bounds, ms; what lasted longer than the last one is in the count alone. */
static void a_histogram_has_its_samples_below_each_bound(void **state)
{
	struct eg_totals totals = {
		.counts.ipv6.cluster.length_ms = {.buckets = {[0] = 1, [2] = 3, [18] = 5, [19] = 7}, .sum_ns = 2500000},
	};
	static const struct {
		double bound;
		json_int_t below;
	} expected[] = {{0.5, 1}, {1, 1}, {5, 4}, {10, 4}};
	struct eg_destinations none = {};
	json_auto_t *report = format("curl", &totals, &none);
	const json_t *histogram, *buckets;

	(void)state;
	histogram = json_object_get(json_object_get(report, "histograms"),
				    "cluster.outbound_passthrough_ipv6.upstream_cx_length_ms");
	assert_int_equal(integer_at(histogram, "count"), 16);
	assert_true(json_real_value(json_object_get(histogram, "sum_ms")) == 2.5);
	buckets = json_object_get(histogram, "buckets");
	assert_int_equal(json_array_size(buckets), EG_HISTOGRAM_BUCKETS - 1);
	for (size_t i = 0; i < EG_COUNT_OF(expected); i++) {
		const json_t *bucket = json_array_get(buckets, i);

		assert_true(json_real_value(json_object_get(bucket, "upper_bound")) == expected[i].bound);
		assert_int_equal(integer_at(bucket, "cumulative"), expected[i].below);
	}
	assert_true(json_real_value(json_object_get(json_array_get(buckets, 18), "upper_bound")) == 3600000);
	assert_int_equal(integer_at(json_array_get(buckets, 18), "cumulative"), 9);
}

static void times_are_wall_clock_in_utc(void **state)
{
	struct eg_destination one = destination(EG_FAMILY_IPV4, "192.0.2.1", 80, EG_REASON_PASSTHROUGH);
	struct eg_destinations destinations = {.list = {.items = &one, .len = 1}};
	struct eg_totals totals = {};
	json_auto_t *report = NULL;
	struct timespec monotonic;
	const char *text, *rest;
	struct tm tm = {};
	time_t before = time(NULL), said;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	one.seen.last_seen_ns = (uint64_t)monotonic.tv_sec * NSEC_PER_SEC + (uint64_t)monotonic.tv_nsec;
	report = format("curl", &totals, &destinations);
	text = string_at(json_array_get(json_object_get(report, "destinations"), 0), "last_seen");
	rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	assert_non_null(rest);
	assert_int_equal(strlen(rest), strlen(".000Z"));
	assert_int_equal(rest[0], '.');
	assert_int_equal(rest[4], 'Z');
	said = timegm(&tm);
	assert_true(said >= before - 1 && said <= time(NULL) + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_that_did_nothing_has_every_number_and_all_are_zero),
		cmocka_unit_test(a_destination_has_bare_address_integer_port_and_its_verdict),
		cmocka_unit_test(whatever_a_process_calls_itself_the_report_stays_json),
		cmocka_unit_test(whatever_a_command_is_called_the_report_stays_json),
		cmocka_unit_test(whatever_a_workload_is_called_an_event_stays_json),
		cmocka_unit_test(counts_come_under_their_names),
		cmocka_unit_test(a_histogram_has_its_samples_below_each_bound),
		cmocka_unit_test(times_are_wall_clock_in_utc),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
