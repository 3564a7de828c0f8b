/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Durations and numbers in a native Envoy resource, each as Kuma's decoder was seen to take or refuse it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "../lib/support/policy.h"

#define CLUSTER \
	"type: ProxyTemplate\nname: t\nconf:\n  modifications:\n  - cluster:\n      operation: patch\n" \
	"      match: {name: 'outbound:passthrough:ipv4'}\n      value: |\n        "
#define FILTER \
	"type: ProxyTemplate\nname: t\nconf:\n  modifications:\n  - networkFilter:\n      operation: patch\n" \
	"      match: {name: envoy.filters.network.tcp_proxy, listenerName: 'outbound:passthrough:ipv4'}\n" \
	"      value: |\n        name: envoy.filters.network.tcp_proxy\n        typedConfig:\n" \
	"          '@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy\n          "

static struct policy *read_field(const char *document, const char *field, const char *value)
{
	char text[1024];

	assert_true((size_t)snprintf(text, sizeof(text), "%s%s: %s\n", document, field, value) < sizeof(text));
	return policy_read(text);
}

static void assert_taken(const char *document, const char *field, const char *text, enum eg_setting setting,
			 uint64_t expected)
{
	struct policy *policy = read_field(document, field, text);
	uint64_t value;

	if (eg_diag_has_errors(&policy->diag) || !policy_patches(policy, EG_FAMILIES_IPV4, setting, &value) ||
	    value != expected)
		fail_msg("%s: %s must be %llu:\n%s", field, text, (unsigned long long)expected, policy->findings);
	policy_free(policy);
}

static void assert_not_taken(const char *document, const char *field, const char *value, const char *part)
{
	struct policy *policy = read_field(document, field, value);

	if (!eg_diag_has_errors(&policy->diag) || !strstr(policy->findings, part))
		fail_msg("%s: %s must be refused with \"%s\", found:\n%s", field, value, part, policy->findings);
	policy_free(policy);
}

static void what_kumas_decoder_takes_is_taken(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} cases[] = {
		{"99s", 99000},
		{"'99s'", 99000},
		{"\"10800s\"", 10800000},
		{"0.25s", 250},
		{"0s", 0},
		{".5s", 500},
		{"+5s", 5000},
		{"3h", 10800000},
		{"1h30m", 5400000},
		{"1.5h", 5400000},
		{"250ms", 250},
		{"'0'", 0},
		{"2562047h47m", UINT64_C(9223372020000)},
		{"1us", 0},
		{"1\xc2\xb5s", 0},
	};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(cases); i++)
		assert_taken(FILTER, "idleTimeout", cases[i].text, EG_SETTING_IDLE_TIMEOUT, cases[i].ms);
}

static void what_kumas_decoder_refuses_is_refused(void **state)
{
	static const char *const cases[] = {"'3600'", "3600", "0",    "1d",     "5S",    "' 5s'",     "''",
					    "1e3s",   "true", "[5s]", "{s: 5}", "'5s '", "99999999h", "five"};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(cases); i++)
		assert_not_taken(FILTER, "idleTimeout", cases[i], "must be a duration with its unit");
}

static void a_null_is_as_if_left_out(void **state)
{
	struct policy *policy = read_field(FILTER, "idleTimeout", "null");
	uint64_t value;

	(void)state;
	assert_false(eg_diag_has_errors(&policy->diag));
	assert_false(policy_patches(policy, EG_FAMILIES_IPV4, EG_SETTING_IDLE_TIMEOUT, &value));
	policy_free(policy);
}

static void what_envoy_refuses_of_a_timeout_is_refused(void **state)
{
	(void)state;
	assert_not_taken(CLUSTER, "connect_timeout", "0s", "must be greater than 0s");
	assert_not_taken(CLUSTER, "connect_timeout", "-5s", "must not be negative");
	assert_not_taken(FILTER, "idleTimeout", "-5s", "must not be negative");
	assert_not_taken(FILTER, "max_downstream_connection_duration", "999us", "must be at least 1ms");
	assert_not_taken(FILTER, "max_downstream_connection_duration", "0s", "must be at least 1ms");
}

static void a_connect_timeout_has_a_least_and_a_greatest_value(void **state)
{
	struct policy *policy;

	(void)state;
	assert_taken(CLUSTER, "connect_timeout", "1us", EG_SETTING_CONNECT_TIMEOUT, 1);
	assert_taken(CLUSTER, "connect_timeout", "127s", EG_SETTING_CONNECT_TIMEOUT, 127000);
	assert_taken(CLUSTER, "connect_timeout", "2000h", EG_SETTING_CONNECT_TIMEOUT, UINT32_MAX);
	policy = read_field(CLUSTER, "connect_timeout", "128s");
	assert_non_null(strstr(policy->findings,
			       "p.yaml:9:26: warning: conf.modifications[0].cluster.value.connectTimeout: never acts"));
	policy_free(policy);
	policy = read_field(CLUSTER, "connect_timeout", "127s");
	assert_null(strstr(policy->findings, "never acts"));
	policy_free(policy);
}

static void an_idle_timeout_below_a_millisecond_is_none_and_is_warned_of(void **state)
{
	struct policy *policy = read_field(FILTER, "idleTimeout", "999us");

	(void)state;
	assert_non_null(strstr(policy->findings, "typedConfig.idleTimeout: is below 1ms, which means none"));
	policy_free(policy);
	policy = read_field(FILTER, "idleTimeout", "0s");
	assert_null(strstr(policy->findings, "below 1ms"));
	policy_free(policy);
}

static void a_connection_may_have_a_greatest_age(void **state)
{
	(void)state;
	assert_taken(FILTER, "maxDownstreamConnectionDuration", "1ms", EG_SETTING_MAX_DURATION, 1);
	assert_taken(FILTER, "max_downstream_connection_duration", "24h", EG_SETTING_MAX_DURATION, 86400000);
}

static void a_threshold_is_a_whole_number_of_32_bits_quoted_or_not(void **state)
{
	static const char *const refused[] = {"5.0", "-1", "1e3", "4294967296", "'5 '", "many", "[5]", "true", "05"};

	(void)state;
#define THRESHOLD CLUSTER "circuit_breakers: {thresholds: [{max_retries: 1, "
	for (size_t i = 0; i < EG_COUNT_OF(refused); i++) {
		char text[1024];

		snprintf(text, sizeof(text), THRESHOLD "max_connections: %s}]}\n", refused[i]);
		assert_refused(text,
			       "thresholds[0].maxConnections: must be a whole number in the range [0, 4294967295]");
	}
	assert_accepted(THRESHOLD "max_connections: 5}]}\n");
	assert_accepted(THRESHOLD "max_connections: '5'}]}\n");
	assert_accepted(THRESHOLD "max_connections: 4294967295}]}\n");
	assert_accepted(THRESHOLD "max_connections: 0}]}\n");
	assert_accepted(THRESHOLD "max_connections: null}]}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_kumas_decoder_takes_is_taken),
		cmocka_unit_test(what_kumas_decoder_refuses_is_refused),
		cmocka_unit_test(a_null_is_as_if_left_out),
		cmocka_unit_test(what_envoy_refuses_of_a_timeout_is_refused),
		cmocka_unit_test(a_connect_timeout_has_a_least_and_a_greatest_value),
		cmocka_unit_test(an_idle_timeout_below_a_millisecond_is_none_and_is_warned_of),
		cmocka_unit_test(a_connection_may_have_a_greatest_age),
		cmocka_unit_test(a_threshold_is_a_whole_number_of_32_bits_quoted_or_not),
	};

	return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
