/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From documents to what holds for a workload: which ProxyTemplate it has, and what that makes of its clusters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/eval.h"
#include "policy/rules.h"
#include "../lib/support/policy.h"

#define PATCH(match, value) "  - cluster:\n      operation: patch\n      match: " match "\n      value: '" value "'\n"
#define CONNECT_TIMEOUT(value) PATCH("{origin: transparent}", "connectTimeout: " value)
#define CONF "conf:\n  modifications:\n"
#define REMOVE(family) "  - cluster: {operation: remove, match: {name: 'outbound:passthrough:" family "'}}\n"

/* Which template the first workload of a text has; NULL: none. */
static void assert_template(const char *text, const char *name)
{
	struct case_of of = case_new(text, NULL);

	if (name && (!eg_patches_template(&of.subject->patches) || strcmp(eg_patches_template(&of.subject->patches)->name, name) != 0))
		fail_msg("%s is the template, not %s, of:\n%s",
			 eg_patches_template(&of.subject->patches) ? eg_patches_template(&of.subject->patches)->name : "none", name, text);
	if (!name)
		assert_null(eg_patches_template(&of.subject->patches));
	case_free(&of);
}

static size_t count_warnings(const char *text, const char *part)
{
	struct policy *policy = policy_read(text);
	size_t count = 0;

	for (const char *at = policy->findings; (at = strstr(at, part)); at += strlen(part))
		count++;
	policy_free(policy);
	return count;
}

/* Exactly once. */
static void assert_warning(const char *text, const char *part)
{
	size_t count = count_warnings(text, part);

	if (count != 1)
		fail_msg("%zu times \"%s\" in the findings of:\n%s", count, part, text);
}

/* --- which one --- */

#define TEMPLATE(name, match) "---\ntype: ProxyTemplate\nname: " name "\nselectors: [{match: {" match "}}]\n"
#define WORKLOAD(more) "type: Workload\nname: shop\n" more

static void a_template_is_for_the_workloads_whose_tags_match(void **state)
{
	(void)state;
	assert_template(WORKLOAD("tags: {kuma.io/service: web, v: '1'}\n") TEMPLATE("t", "kuma.io/service: web"), "t");
	assert_template(WORKLOAD("tags: {kuma.io/service: web}\n") TEMPLATE("t", "kuma.io/service: '*'"), "t");
	assert_template(WORKLOAD("tags: {kuma.io/service: web}\n") TEMPLATE("t", "kuma.io/service: db"), NULL);
	assert_template(WORKLOAD("tags: {kuma.io/service: web}\n") TEMPLATE("t", "kuma.io/service: web, v: '*'"), NULL);
	assert_template(WORKLOAD("") "---\ntype: ProxyTemplate\nname: t\n", "t");
}

static void the_service_is_the_workloads_name_unless_written(void **state)
{
	(void)state;
	assert_template(WORKLOAD("") TEMPLATE("t", "kuma.io/service: shop"), "t");
	assert_template(WORKLOAD("tags: {v: '1'}\n") TEMPLATE("t", "kuma.io/service: shop, v: '1'"), "t");
	assert_template(WORKLOAD("tags: {kuma.io/service: web}\n") TEMPLATE("t", "kuma.io/service: shop"), NULL);
}

#define DATAPLANE \
	"---\ntype: Dataplane\nname: d\nnetworking:\n  address: 10.0.0.1\n  inbound:\n" \
	"  - {port: 1, tags: {kuma.io/service: a, v: '1'}}\n  - {port: 2, tags: {kuma.io/service: b}}\n"

static void each_inbound_of_the_dataplane_is_a_set_of_tags_of_its_own(void **state)
{
	(void)state;
#define AS_DATAPLANE WORKLOAD("dataplane: d\n") DATAPLANE
	assert_template(AS_DATAPLANE TEMPLATE("t", "kuma.io/service: a, v: '1'"), "t");
	assert_template(AS_DATAPLANE TEMPLATE("t", "kuma.io/service: b"), "t");
	assert_template(AS_DATAPLANE TEMPLATE("t", "kuma.io/service: b, v: '1'"), NULL);
	assert_template(AS_DATAPLANE TEMPLATE("t", "kuma.io/service: shop"), NULL);
	assert_template(WORKLOAD("dataplane: g\n") "---\ntype: Dataplane\nname: g\nnetworking:\n  address: 10.0.0.1\n"
						   "  gateway: {tags: {kuma.io/service: gate}}\n" TEMPLATE(
							   "t", "kuma.io/service: gate"),
			"t");
}

static void the_template_with_more_tags_wins_then_with_more_exact_ones_then_by_name(void **state)
{
	(void)state;
#define TAGGED WORKLOAD("tags: {kuma.io/service: web, v: '1'}\n")
	assert_template(TAGGED TEMPLATE("a", "kuma.io/service: web") TEMPLATE("b", "kuma.io/service: '*', v: '*'"),
			"b");
	assert_template(TAGGED TEMPLATE("a", "kuma.io/service: '*'") TEMPLATE("b", "kuma.io/service: web"), "b");
	assert_template(TAGGED TEMPLATE("b", "kuma.io/service: web") TEMPLATE("a", "kuma.io/service: web"), "a");
	assert_template(TAGGED "---\ntype: ProxyTemplate\nname: a\n" TEMPLATE("b", "kuma.io/service: '*'"), "b");
	assert_template(TAGGED "---\ntype: ProxyTemplate\nname: b\nselectors: [{match: {kuma.io/service: db}}, "
			       "{match: {kuma.io/service: web, v: '1'}}]\n" TEMPLATE("a", "kuma.io/service: web"),
			"b");
}

static void of_one_rank_the_template_created_last_wins(void **state)
{
	(void)state;
#define CREATED(name, time) \
	"---\ntype: ProxyTemplate\nname: " name "\ncreationTime: " time "\nselectors: [{match: {kuma.io/service: web}}]\n"
	assert_template(TAGGED CREATED("a", "'2024-02-08T14:48:32Z'") CREATED("b", "2024-02-08T14:48:33Z"), "b");
	assert_template(TAGGED CREATED("b", "2024-02-08T14:48:33Z") CREATED("a", "2024-02-08T14:48:32.9Z"), "b");
	assert_template(TAGGED CREATED("b", "2024-02-08T14:48:32Z") CREATED("a", "2024-02-08T15:48:32+01:00"), "a");
	assert_template(TAGGED TEMPLATE("a", "kuma.io/service: web") CREATED("b", "2024-02-08T14:48:33Z"), "b");
	assert_template(TAGGED TEMPLATE("a", "kuma.io/service: web") CREATED("b", "0001-01-01T00:00:00Z"), "a");
	assert_template(TAGGED CREATED("a", "2024-02-08T14:48:33Z") TEMPLATE("b", "kuma.io/service: web, v: '1'"), "b");
	assert_template(TAGGED "---\napiVersion: kuma.io/v1alpha1\nkind: ProxyTemplate\nmesh: default\nmetadata: {name: b, "
			       "creationTimestamp: '2024-02-08T14:48:33Z'}\nspec: {selectors: [{match: "
			       "{kuma.io/service: web}}]}\n" CREATED("a", "2024-02-08T14:48:32Z"),
			"b");
	assert_template(TAGGED CREATED("a", "2024-02-08T14:48:33Z") "---\ntype: ProxyTemplate\nname: b\n"
			       "creation_time: '2024-02-08T14:48:34Z'\nselectors: [{match: {kuma.io/service: web}}]\n", "b");
	assert_refused(CREATED("a", "yesterday"), "creationTime: must be a point in time, as 2024-02-08T14:48:32Z, not yesterday");
}

static void templates_that_match_and_lose_are_listed_in_their_order(void **state)
{
	static const char *const expected[] = {"d", "c", "a", "b"};
	struct case_of of = case_new(TAGGED "---\ntype: ProxyTemplate\nname: b\n" TEMPLATE("a", "kuma.io/service: '*'")
					     TEMPLATE("c", "kuma.io/service: web")
						     TEMPLATE("d", "kuma.io/service: web, v: '1'")
							     TEMPLATE("e", "kuma.io/service: db"),
				     NULL);

	(void)state;
	assert_int_equal(of.subject->patches.templates.len, EG_COUNT_OF(expected));
	for (size_t i = 0; i < EG_COUNT_OF(expected); i++)
		assert_string_equal(of.subject->patches.templates.items[i]->name, expected[i]);
	case_free(&of);
}

static void a_shadowed_template_is_warned_of_once(void **state)
{
	(void)state;
	assert_warning(TAGGED TEMPLATE("a", "kuma.io/service: '*'") TEMPLATE("b", "kuma.io/service: web"),
		       "p.yaml:5:1: warning: selectors: shadowed for \"shop\": ProxyTemplate \"b\" (p.yaml:9:1) matches "
		       "better, and one alone applies\n");
	assert_warning(TAGGED "---\ntype: Workload\nname: bar\n" TEMPLATE("a", "kuma.io/service: '*'")
			       TEMPLATE("b", "kuma.io/service: '*', v: '1'"),
		       "selectors: shadowed for \"shop\": ");
	assert_warning(TAGGED "---\ntype: Workload\nname: bar\n" TEMPLATE("a", "kuma.io/service: '*'") TEMPLATE(
			       "b", "kuma.io/service: '*'") TEMPLATE("c", "kuma.io/service: web"),
		       "selectors: shadowed for \"shop\" and 1 more: ProxyTemplate \"c\"");
	assert_int_equal(count_warnings(TAGGED TEMPLATE("a", "kuma.io/service: db") TEMPLATE("b", "kuma.io/service: web"),
					"shadowed"),
			 0);
}

static void a_template_of_another_mesh_is_none(void **state)
{
	(void)state;
	assert_template("type: Workload\nname: shop\nmesh: a\n---\ntype: ProxyTemplate\nname: t\nmesh: b\n---\n"
			"type: Mesh\nname: a\n---\ntype: Mesh\nname: b\n",
			NULL);
}

static void a_command_has_its_name_as_its_service(void **state)
{
	const struct eg_rules_source run = {.name = "curl", .slot = 1, .mesh = EG_DEFAULT_MESH};
	struct case_of of =
		case_new("type: ProxyTemplate\nname: t\nselectors: [{match: {kuma.io/service: curl}}]\n", &run);

	(void)state;
	assert_string_equal(eg_patches_template(&of.subject->patches)->name, "t");
	case_free(&of);
}

/* --- what it does --- */

static void the_documented_page_gives_its_values_to_ipv4_and_leaves_ipv6_its_defaults(void **state)
{
	static const struct eg_cluster_policy defaults = EG_DEFAULT_CLUSTER;
	struct case_of of = case_new(
		WORKLOAD("") TEMPLATE("custom-template-1", "kuma.io/service: '*'") CONF PATCH(
			"{name: 'outbound:passthrough:ipv4'}",
			"circuit_breakers: { thresholds: [ { max_connections: 2048, max_pending_requests: 2048, "
			"max_requests: 2048, max_retries: 4 } ] }")
			PATCH("{name: 'outbound:passthrough:ipv4'}",
			      "connect_timeout: \"99s\"") "  - networkFilter:\n      operation: patch\n      match:\n  "
							  "      name: envoy.filters.network.tcp_proxy\n"
							  "        listenerName: 'outbound:passthrough:ipv4'\n      "
							  "value: |\n"
							  "        name: envoy.filters.network.tcp_proxy\n        "
							  "typedConfig:\n          '@type': "
							  "type.googleapis.com/"
							  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy\n"
							  "          idleTimeout: \"3h\"\n",
		NULL);

	(void)state;
	assert_int_equal(of.subject->ipv4.max_connections, 2048);
	assert_int_equal(of.subject->ipv4.max_pending, 2048);
	assert_int_equal(of.subject->ipv4.max_requests, 2048);
	assert_int_equal(of.subject->ipv4.max_retries, 4);
	assert_int_equal(of.subject->ipv4.connect_timeout_ms, 99000);
	assert_int_equal(of.subject->ipv4.idle_timeout_ms, 10800000);
	assert_int_equal(of.subject->ipv4.flags, EG_CLUSTER_LIMITS_REQUESTS | EG_CLUSTER_LIMITS_RETRIES);
	assert_memory_equal(&of.subject->ipv6, &defaults, sizeof(defaults));
	assert_int_equal(of.subject->ipv4_origins[EG_SETTING_IDLE_TIMEOUT].line, 26);
	assert_null(of.subject->ipv6_origins[EG_SETTING_IDLE_TIMEOUT].file);
	case_free(&of);
}

static void patches_apply_in_their_order_field_by_field(void **state)
{
	struct case_of of =
		case_new(WORKLOAD("") "---\ntype: ProxyTemplate\nname: t\n" CONF PATCH(
				 "{origin: transparent}", "circuitBreakers: {thresholds: [{maxConnections: 5, "
							  "maxRetries: 6}]}")
				 PATCH("{name: 'outbound:passthrough:ipv6'}",
				       "circuitBreakers: {thresholds: [{maxConnections: 7}]}"),
			 NULL);

	(void)state;
	assert_int_equal(of.subject->ipv4.max_connections, 5);
	assert_int_equal(of.subject->ipv6.max_connections, 7);
	assert_int_equal(of.subject->ipv6.max_retries, 6);
	assert_int_equal(of.subject->ipv6.max_pending, EG_DEFAULT_MAX_PENDING);
	case_free(&of);
}

static void a_cluster_that_is_added_starts_from_the_defaults(void **state)
{
	struct case_of of = case_new(
		WORKLOAD("") "---\ntype: ProxyTemplate\nname: t\n" CONF PATCH(
			"{origin: transparent}",
			"circuitBreakers: {thresholds: [{maxRetries: 6}]}") "  - cluster: {operation: add, value: "
									    "'{name: \"outbound:passthrough:ipv4\", "
									    "connectTimeout: 3s}'}\n",
		NULL);

	(void)state;
	assert_int_equal(of.subject->ipv4.connect_timeout_ms, 3000);
	assert_int_equal(of.subject->ipv4.max_retries, EG_DEFAULT_MAX_RETRIES);
	assert_int_equal(of.subject->ipv4.flags, 0);
	assert_int_equal(of.subject->ipv6.max_retries, 6);
	case_free(&of);
}

#define CONFED(name) "---\ntype: ProxyTemplate\nname: " name "\n" CONF
#define ADD_IPV4 "  - cluster: {operation: add, value: '{name: \"outbound:passthrough:ipv4\", connectTimeout: 3s}'}\n"
#define TCP_PROXY(settings) \
	"{name: envoy.filters.network.tcp_proxy, typedConfig: {\"@type\": type.googleapis.com/" \
	"envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, " settings "}}"
#define IDLE(settings) \
	"  - networkFilter: {operation: patch, match: {name: envoy.filters.network.tcp_proxy}, value: '" \
	TCP_PROXY(settings) "'}\n"

static void a_cluster_that_is_added_changes_nothing_of_the_listener(void **state)
{
	struct case_of of = case_new(WORKLOAD("") CONFED("t") IDLE("idleTimeout: 3h") ADD_IPV4, NULL);

	(void)state;
	assert_int_equal(of.subject->ipv4.idle_timeout_ms, 10800000);
	assert_int_equal(of.subject->ipv4.connect_timeout_ms, 3000);
	case_free(&of);
}

static void what_is_added_is_of_another_origin(void **state)
{
	struct case_of of = case_new(
		WORKLOAD("") CONFED("t") ADD_IPV4 PATCH("{origin: transparent}", "connectTimeout: 4s")
			PATCH("{origin: proxy-template-modifications}",
			      "circuitBreakers: {thresholds: [{maxConnections: 5}]}"),
		NULL);

	(void)state;
	assert_int_equal(of.subject->ipv4.connect_timeout_ms, 3000);
	assert_int_equal(of.subject->ipv4.max_connections, 5);
	assert_int_equal(of.subject->ipv6.connect_timeout_ms, 4000);
	assert_int_equal(of.subject->ipv6.max_connections, EG_DEFAULT_MAX_CONNECTIONS);
	case_free(&of);
}

static void a_flag_beats_the_template_which_beats_the_default(void **state)
{
	struct eg_rules_source run = {.name = "curl", .slot = 1, .mesh = EG_DEFAULT_MESH};
	struct case_of of;

	(void)state;
	run.settings.numbers[EG_SETTING_CONNECT_TIMEOUT] =
		(struct eg_optional_number){.is_set = true, .value = 700, .origin.file = "--connect-timeout"};
	of = case_new("type: ProxyTemplate\nname: t\n" CONF CONNECT_TIMEOUT("5s")
			      PATCH("{origin: transparent}", "circuitBreakers: {thresholds: [{maxConnections: 5}]}"),
		      &run);
	assert_int_equal(of.subject->ipv4.connect_timeout_ms, 700);
	assert_int_equal(of.subject->ipv4.max_connections, 5);
	assert_int_equal(of.subject->ipv4.max_pending, EG_DEFAULT_MAX_PENDING);
	assert_string_equal(of.subject->ipv6_origins[EG_SETTING_CONNECT_TIMEOUT].file, "--connect-timeout");
	case_free(&of);
}

static void a_template_holds_while_passthrough_is_false_too(void **state)
{
	struct case_of of =
		case_new(WORKLOAD("") "---\ntype: ProxyTemplate\nname: t\n" CONF CONNECT_TIMEOUT(
				 "5s") "---\ntype: Mesh\nname: default\nnetworking: {outbound: {passthrough: false}}\n",
			 NULL);

	(void)state;
	assert_false(of.subject->passthrough);
	assert_int_equal(of.subject->ipv4.connect_timeout_ms, 5000);
	case_free(&of);
}

/* --- clusters that are taken away --- */

static enum eg_reason reason_for(const struct eg_subject *subject, const char *address)
{
	struct eg_flow flow = {.protocol = IPPROTO_TCP, .port = 443};
	const struct eg_rule *rule;

	assert_int_equal(eg_addr_parse(address, &flow.family, &flow.addr), 0);
	return eg_eval(subject, &flow, &rule).reason;
}

static void a_family_without_its_cluster_cannot_leave_and_the_other_one_can(void **state)
{
	struct case_of of = case_new(WORKLOAD("") "---\ntype: ProxyTemplate\nname: t\n" CONF REMOVE("ipv4"), NULL);

	(void)state;
	assert_false(of.subject->passthrough);
	assert_int_equal(of.subject->passthrough_origin.line, 8);
	assert_int_equal(reason_for(of.subject, "192.0.2.1"), EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	assert_int_equal(reason_for(of.subject, "::ffff:192.0.2.1"), EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	assert_int_equal(reason_for(of.subject, "2001:db8::1"), EG_REASON_MATCHED);
	case_free(&of);
}

static void without_both_clusters_nothing_leaves_and_one_added_again_opens_its_family(void **state)
{
	struct case_of none = case_new(
		WORKLOAD("") "---\ntype: ProxyTemplate\nname: t\n" CONF "  - cluster: {operation: remove}\n", NULL);
	struct case_of again =
		case_new(WORKLOAD("") "---\ntype: ProxyTemplate\nname: t\n" CONF "  - cluster: {operation: remove}\n"
				      "  - cluster: {operation: add, value: 'name: \"outbound:passthrough:ipv4\"'}\n",
			 NULL);

	(void)state;
	assert_int_equal(reason_for(none.subject, "192.0.2.1"), EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	assert_int_equal(reason_for(none.subject, "2001:db8::1"), EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	assert_null(none.subject->own_scope);
	assert_int_equal(reason_for(again.subject, "192.0.2.1"), EG_REASON_MATCHED);
	assert_int_equal(reason_for(again.subject, "2001:db8::1"), EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	case_free(&none);
	case_free(&again);
}

static void a_listener_that_is_gone_stays_gone_until_one_is_added(void **state)
{
#define REMOVE_LISTENER "  - listener: {operation: remove, match: {name: 'outbound:passthrough:ipv4'}}\n"
#define ADD_LISTENER(filters) \
	"  - listener: {operation: add, value: '{name: \"outbound:passthrough:ipv4\", filter_chains: [{filters: [" filters \
	"]}]}'}\n"
	struct case_of gone = case_new(WORKLOAD("") CONFED("t") REMOVE_LISTENER ADD_IPV4, NULL);
	struct case_of again = case_new(
		WORKLOAD("") CONFED("t") IDLE("idleTimeout: 3h, maxDownstreamConnectionDuration: 9h") REMOVE_LISTENER
			ADD_LISTENER(TCP_PROXY("idleTimeout: 4h")),
		NULL);
	struct case_of empty = case_new(WORKLOAD("") CONFED("t") ADD_LISTENER(""), NULL);

	(void)state;
	assert_int_equal(reason_for(gone.subject, "192.0.2.1"), EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	assert_int_equal(reason_for(again.subject, "192.0.2.1"), EG_REASON_PASSTHROUGH);
	assert_int_equal(again.subject->ipv4.idle_timeout_ms, 14400000);
	assert_int_equal(again.subject->ipv4.max_duration_ms, 0);
	assert_int_equal(again.subject->ipv6.max_duration_ms, 32400000);
	assert_int_equal(reason_for(empty.subject, "192.0.2.1"), EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	case_free(&gone);
	case_free(&again);
	case_free(&empty);
}

static void a_tcp_proxy_that_is_removed_can_be_added_again(void **state)
{
#define REMOVE_FILTER "  - networkFilter: {operation: remove, match: {listenerName: 'outbound:passthrough:ipv4'}}\n"
#define ADD_FILTER "  - networkFilter: {operation: addLast, value: '" TCP_PROXY("idleTimeout: 2h") "'}\n"
	struct case_of gone = case_new(WORKLOAD("") CONFED("t") REMOVE_FILTER, NULL);
	struct case_of again = case_new(WORKLOAD("") CONFED("t") REMOVE_FILTER ADD_FILTER, NULL);

	(void)state;
	assert_int_equal(reason_for(gone.subject, "192.0.2.1"), EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	assert_int_equal(reason_for(again.subject, "192.0.2.1"), EG_REASON_PASSTHROUGH);
	assert_int_equal(again.subject->ipv4.idle_timeout_ms, 7200000);
	assert_int_equal(again.subject->ipv6.idle_timeout_ms, EG_DEFAULT_IDLE_TIMEOUT_MS);
	assert_warning(WORKLOAD("") CONFED("t") REMOVE_FILTER ADD_FILTER, "changes nothing: the listener has a TCP proxy");
	case_free(&gone);
	case_free(&again);
}

static void a_commands_flag_beats_what_was_taken_away(void **state)
{
	struct eg_rules_source run = {.name = "curl", .slot = 1, .mesh = EG_DEFAULT_MESH};
	struct case_of by_template, by_flag;

	(void)state;
	by_template = case_new("type: ProxyTemplate\nname: t\n" CONF REMOVE("ipv6"), &run);
	assert_int_equal(reason_for(by_template.subject, "192.0.2.1"), EG_REASON_MATCHED);
	assert_int_equal(reason_for(by_template.subject, "2001:db8::1"), EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	run.passthrough = (struct eg_optional_bool){true, true, {.file = "--passthrough"}};
	by_flag = case_new("type: ProxyTemplate\nname: t\n" CONF REMOVE("ipv6"), &run);
	assert_int_equal(reason_for(by_flag.subject, "2001:db8::1"), EG_REASON_PASSTHROUGH);
	case_free(&by_template);
	case_free(&by_flag);
}

static void what_passthrough_false_blocks_a_removal_opens_not(void **state)
{
	struct case_of of = case_new(
		WORKLOAD("") "---\ntype: ProxyTemplate\nname: t\n" CONF REMOVE(
			"ipv4") "---\ntype: Mesh\nname: default\nnetworking: {outbound: {passthrough: false}}\n",
		NULL);

	(void)state;
	assert_int_equal(reason_for(of.subject, "192.0.2.1"), EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	assert_int_equal(reason_for(of.subject, "2001:db8::1"), EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	case_free(&of);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_template_is_for_the_workloads_whose_tags_match),
		cmocka_unit_test(the_service_is_the_workloads_name_unless_written),
		cmocka_unit_test(each_inbound_of_the_dataplane_is_a_set_of_tags_of_its_own),
		cmocka_unit_test(the_template_with_more_tags_wins_then_with_more_exact_ones_then_by_name),
		cmocka_unit_test(of_one_rank_the_template_created_last_wins),
		cmocka_unit_test(templates_that_match_and_lose_are_listed_in_their_order),
		cmocka_unit_test(a_shadowed_template_is_warned_of_once),
		cmocka_unit_test(a_template_of_another_mesh_is_none),
		cmocka_unit_test(a_command_has_its_name_as_its_service),
		cmocka_unit_test(the_documented_page_gives_its_values_to_ipv4_and_leaves_ipv6_its_defaults),
		cmocka_unit_test(patches_apply_in_their_order_field_by_field),
		cmocka_unit_test(a_cluster_that_is_added_starts_from_the_defaults),
		cmocka_unit_test(a_cluster_that_is_added_changes_nothing_of_the_listener),
		cmocka_unit_test(what_is_added_is_of_another_origin),
		cmocka_unit_test(a_flag_beats_the_template_which_beats_the_default),
		cmocka_unit_test(a_template_holds_while_passthrough_is_false_too),
		cmocka_unit_test(a_family_without_its_cluster_cannot_leave_and_the_other_one_can),
		cmocka_unit_test(without_both_clusters_nothing_leaves_and_one_added_again_opens_its_family),
		cmocka_unit_test(a_listener_that_is_gone_stays_gone_until_one_is_added),
		cmocka_unit_test(a_tcp_proxy_that_is_removed_can_be_added_again),
		cmocka_unit_test(a_commands_flag_beats_what_was_taken_away),
		cmocka_unit_test(what_passthrough_false_blocks_a_removal_opens_not),
	};

	return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
