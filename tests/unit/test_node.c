/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "../lib/support/policy.h"

#define NODE "type: Node\nname: n\n"

static void what_the_model_holds_is_read(void **state)
{
	struct policy *policy =
		policy_read(NODE "mesh_cidrs: [10.0.0.0/8]\nresolvers: [10.0.0.53, fd00::53]\nblockErrno: 13\n");
	const struct eg_node *node = policy->model->node;

	(void)state;
	assert_string_equal(policy->findings, "");
	assert_int_equal(node->mesh_cidrs.items[0].prefix.len, 8);
	assert_true(node->resolvers_listed);
	assert_int_equal(node->resolvers.items[0].prefix.len, 32);
	assert_int_equal(node->resolvers.items[1].prefix.len, 128);
	assert_int_equal(node->block_errno.value, EACCES);
	policy_free(policy);
}

static void auto_resolvers_are_not_listed(void **state)
{
	struct policy *policy = policy_read(NODE "resolvers: auto\n");

	(void)state;
	assert_false(policy->model->node->resolvers_listed);
	policy_free(policy);
}

static void an_empty_list_of_resolvers_is_a_list(void **state)
{
	struct policy *policy = policy_read(NODE "resolvers: []\n");

	(void)state;
	assert_true(policy->model->node->resolvers_listed);
	policy_free(policy);
}

static void a_resolver_is_one_address(void **state)
{
	(void)state;
	assert_refused(NODE "resolvers: [10.0.0.0/8]\n", "resolvers[0]: must be an IP address");
	assert_refused(NODE "resolvers: [dns.example.com]\n", "resolvers[0]: must be an IP address");
	assert_refused(NODE "resolvers: 10.0.0.1\n", "resolvers: must be auto or a list");
}

static void the_admin_endpoints_place_is_an_address_with_its_port(void **state)
{
	struct policy *policy = policy_read(NODE "admin: '[::1]:9901'\n");
	const struct eg_optional_place *admin = &policy->model->node->admin;

	(void)state;
	assert_string_equal(policy->findings, "");
	assert_true(admin->is_set);
	assert_int_equal(admin->place.port, 9901);
	assert_int_equal(admin->place.family, EG_FAMILY_IPV6);
	policy_free(policy);
	assert_refused(NODE "admin: 127.0.0.1\n", "admin: must be an address with its port, as 127.0.0.1:9901");
	assert_refused(NODE "admin: localhost:9901\n", "not \"localhost:9901\"");
	assert_refused(NODE "admin: 9901\n", "admin: must be a text");
	assert_refused(NODE "admin: {port: 9901}\n", "admin");
}

static void what_to_say_of_domains_is_one_of_two_words(void **state)
{
	struct policy *policy = policy_read(NODE "domains: refuse\n");

	(void)state;
	assert_true(policy->model->node->refuses_domains);
	policy_free(policy);
	assert_accepted(NODE "domains: warn\n");
	assert_refused(NODE "domains: resolve\n", "domains: \"domains\" must be one of [\"warn\", \"refuse\"], not resolve");
}

static void what_retries_and_the_sweep_go_by_is_read(void **state)
{
	struct policy *policy =
		policy_read(NODE "retryWindow: 1m\nsweepInterval: 250ms\ncompat: envoy\nbreakerErrno: EHOSTUNREACH\n");
	const struct eg_node *node = policy->model->node;

	(void)state;
	assert_string_equal(policy->findings, "");
	assert_int_equal(node->retry_window_ms.value, 60000);
	assert_int_equal(eg_model_sweep_interval_ms(policy->model), 250);
	assert_true(node->is_compatible_with_envoy);
	assert_int_equal(node->breaker_errno.value, EHOSTUNREACH);
	policy_free(policy);
}

static void how_often_to_sweep_is_left_open_unless_written(void **state)
{
	struct policy *with = policy_read(NODE), *without = policy_read("type: Mesh\nname: default\n");

	(void)state;
	assert_int_equal(eg_model_sweep_interval_ms(with->model), 0);
	assert_int_equal(eg_model_sweep_interval_ms(without->model), 0);
	assert_false(with->model->node->is_compatible_with_envoy);
	policy_free(with);
	policy_free(without);
}

static void intervals_out_of_range_and_words_that_mean_nothing_are_refused(void **state)
{
	(void)state;
	assert_refused(NODE "sweepInterval: 9ms\n", "sweepInterval: must be in the range [10ms, 1h]");
	assert_refused(NODE "sweepInterval: 61m\n", "sweepInterval: must be in the range [10ms, 1h]");
	assert_refused(NODE "sweepInterval: 5\n", "sweepInterval: must be a duration with its unit");
	assert_refused(NODE "retryWindow: -1s\n", "retryWindow: must be in the range [0s, 24h]");
	assert_refused(NODE "retryWindow: soon\n", "retryWindow: must be a duration with its unit");
	assert_refused(NODE "compat: nginx\n", "compat: \"compat\" must be one of [\"envoy\"], not nginx");
	assert_refused(NODE "breakerErrno: EFOO\n", "breakerErrno: must be one of");
}

static void a_second_node_is_refused_and_checked(void **state)
{
	(void)state;
	assert_findings(
		NODE "---\n" NODE "foo: 1\n",
		"p.yaml:4:1: error: a second Node: the first is in p.yaml:1:1; put all settings of this node into one\n"
		"p.yaml:6:1: error: foo: unknown field; remove it\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_model_holds_is_read),
		cmocka_unit_test(auto_resolvers_are_not_listed),
		cmocka_unit_test(an_empty_list_of_resolvers_is_a_list),
		cmocka_unit_test(a_resolver_is_one_address),
		cmocka_unit_test(the_admin_endpoints_place_is_an_address_with_its_port),
		cmocka_unit_test(what_to_say_of_domains_is_one_of_two_words),
		cmocka_unit_test(what_retries_and_the_sweep_go_by_is_read),
		cmocka_unit_test(how_often_to_sweep_is_left_open_unless_written),
		cmocka_unit_test(intervals_out_of_range_and_words_that_mean_nothing_are_refused),
		cmocka_unit_test(a_second_node_is_refused_and_checked),
	};

	return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
