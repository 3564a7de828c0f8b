/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "../lib/support/policy.h"

#define TEMPLATE "type: ProxyTemplate\nname: t\nconf:\n  imports: [default-proxy]\n  modifications:\n"
#define IMPORTS "type: ProxyTemplate\nconf: {imports: [default-proxy]}\n"
#define TCP_PROXY "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
#define BOTH "match: {origin: transparent}"

/* A template of one modification, whose text is one line of flow style. */
static struct policy *read_one(const char *modification)
{
	char text[4096];

	assert_true((size_t)snprintf(text, sizeof(text), TEMPLATE "  - %s\n", modification) < sizeof(text));
	return policy_read(text);
}

static void assert_one(const char *modification, const char *findings)
{
	struct policy *policy = read_one(modification);

	assert_string_equal(policy->findings, findings);
	policy_free(policy);
}

static void assert_one_has(const char *modification, enum eg_severity severity, const char *part)
{
	struct policy *policy = read_one(modification);
	bool is_found = false;

	for (size_t i = 0; i < policy->diag.findings.len; i++) {
		const struct eg_finding *finding = &policy->diag.findings.items[i];
		char line[1024];

		snprintf(line, sizeof(line), "%s: %s", finding->path, finding->text);
		is_found |= finding->severity == severity && strstr(line, part);
	}
	if (!is_found)
		fail_msg("expected \"%s\" for:\n%s\nfound:\n%s", part, modification, policy->findings);
	policy_free(policy);
}

static const struct eg_modification *only_modification(const struct policy *policy)
{
	assert_int_equal(policy->model->templates.items[0]->modifications.list.len, 1);
	return &policy->model->templates.items[0]->modifications.list.items[0];
}

/* What the template makes of a setting, which it must say. */
static uint64_t number_of(const struct policy *policy, enum eg_setting setting)
{
	const bool is_ipv4 = only_modification(policy)->families & EG_FAMILIES_IPV4;
	uint64_t value;

	assert_true(policy_patches(policy, is_ipv4 ? EG_FAMILIES_IPV4 : EG_FAMILIES_IPV6, setting, &value));
	return value;
}

static void assert_families(const char *modification, unsigned int families)
{
	struct policy *policy = read_one(modification);

	assert_int_equal(only_modification(policy)->families, families);
	policy_free(policy);
}

static void assert_none(const char *modification)
{
	struct policy *policy = read_one(modification);

	assert_false(eg_diag_has_errors(&policy->diag));
	assert_int_equal(policy->model->templates.items[0]->modifications.list.len, 0);
	policy_free(policy);
}

/* --- envelopes and places --- */

static void both_envelopes_are_read(void **state)
{
	static const char *const texts[] = {
		"type: ProxyTemplate\nmesh: m\nname: t\nselectors:\n- match: {kuma.io/service: a, v: '*'}\n"
		"conf: {imports: [default-proxy]}\n---\ntype: Mesh\nname: m\n",
		"apiVersion: kuma.io/v1alpha1\nkind: ProxyTemplate\nmesh: m\nmetadata: {name: t}\nspec:\n  selectors:\n"
		"  - match: {kuma.io/service: a, v: '*'}\n  conf: {imports: [default-proxy]}\n---\ntype: Mesh\nname: "
		"m\n",
	};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(texts); i++) {
		struct policy *policy = policy_read(texts[i]);
		const struct eg_proxy_template *template = policy->model->templates.items[0];

		assert_string_equal(policy->findings, "");
		assert_string_equal(template->name, "t");
		assert_string_equal(template->mesh, "m");
		assert_int_equal(template->selectors.len, 1);
		assert_int_equal(template->selectors.items[0].len, 2);
		assert_string_equal(template->selectors.items[0].items[1].value, "*");
		assert_int_equal(template->modifications.list.len, 0);
		policy_free(policy);
	}
}

static void a_mistake_inside_a_value_has_its_line_and_column_in_the_file(void **state)
{
	(void)state;
	assert_findings(
		TEMPLATE "  - cluster:\n      operation: patch\n      " BOTH "\n      value: |\n\n"
			 "          circuit_breakers:\n            thresholds:\n"
			 "            - max_conections: 5\n          conect_timeout: 5s\n",
		"p.yaml:13:15: error: conf.modifications[0].cluster.value.circuitBreakers.thresholds[0]."
		"max_conections: unknown field; did you mean \"max_connections\"?\n"
		"p.yaml:14:11: error: conf.modifications[0].cluster.value.conect_timeout: unknown field; did you mean "
		"\"connect_timeout\"?\n");
}

static void blanks_that_an_indicator_keeps_do_not_move_the_column(void **state)
{
	(void)state;
	assert_findings(TEMPLATE "  - cluster:\n      operation: patch\n      " BOTH "\n      value: |4\n"
				 "            conect_timeout: 5s\n",
			"p.yaml:10:13: error: conf.modifications[0].cluster.value.conect_timeout: unknown field; did you mean "
			"\"connect_timeout\"?\n");
}

static void a_value_of_one_line_has_the_place_of_its_text(void **state)
{
	(void)state;
	assert_one(
		"cluster: {operation: patch, " BOTH ", value: 'connectTimeoutt: 5s'}",
		"p.yaml:6:70: error: conf.modifications[0].cluster.value.connectTimeoutt: unknown field; did you mean "
		"\"connectTimeout\"?\n");
}

static void what_is_no_yaml_inside_a_value_is_refused_at_its_field_and_line(void **state)
{
	(void)state;
	assert_one("cluster: {operation: patch, " BOTH ", value: '{'}",
		   "p.yaml:6:70: error: conf.modifications[0].cluster.value: native Envoy resource is not valid: "
		   "not valid YAML: while parsing a flow node: did not find expected node content\n");
	assert_findings(
		TEMPLATE "  - cluster:\n      operation: patch\n      " BOTH "\n      value: |\n"
			 "        connect_timeout: 1s\n        connect_timeout: 2s\n        a: *b\n",
		"p.yaml:12:12: error: conf.modifications[0].cluster.value: native Envoy resource is not valid: the "
		"alias *b names no anchor before it\n");
	assert_findings(TEMPLATE "  - cluster:\n      operation: patch\n      " BOTH "\n      value: |\n"
				 "        connect_timeout: 1s\n        connect_timeout: 2s\n",
			"p.yaml:11:9: error: conf.modifications[0].cluster.value: native Envoy resource is not valid: "
			"\"connect_timeout\" is written twice, first in line 10; keep one of them\n");
}

static void a_value_is_one_document_in_a_text(void **state)
{
	(void)state;
	assert_one_has("cluster: {operation: patch, " BOTH ", value: {connectTimeout: 5s}}", EG_SEVERITY_ERROR,
		       "cluster.value: must be a text that is YAML itself");
	assert_refused(
		TEMPLATE "  - cluster:\n      operation: patch\n      value: |\n        connectTimeout: 5s\n"
			 "        ---\n        connectTimeout: 6s\n",
		"p.yaml:11:9: error: conf.modifications[0].cluster.value: native Envoy resource is not valid: more "
		"than one document");
	assert_one_has("cluster: {operation: patch, " BOTH ", value: '[]'}", EG_SEVERITY_ERROR,
		       "cluster.value: must be a mapping of fields, not a list");
}

static void values_repeated_by_aliases_are_bounded(void **state)
{
	size_t room = 12u << 20, len;
	char *text = malloc(room);
	struct policy *policy;

	(void)state;
	assert_non_null(text);
	len = (size_t)snprintf(text, room,
			       TEMPLATE "  - listener: {operation: patch, value: &v '{a: \"%1000000d\"}'}\n", 1);
	for (int i = 0; i < 30; i++)
		len += (size_t)snprintf(text + len, room - len, "  - listener: {operation: patch, value: *v}\n");
	policy = policy_read_bytes(text, len);
	assert_non_null(strstr(policy->findings, "more than 16 MiB of native Envoy resources in one policy"));
	policy_free(policy);
	free(text);
}

/* --- clusters --- */

static void thresholds_and_the_connect_timeout_are_read_in_both_spellings(void **state)
{
	static const char *const values[] = {
		"{circuit_breakers: {thresholds: [{max_connections: 2048, max_pending_requests: 2049, max_requests: "
		"2050, max_retries: \"4\"}]}, connect_timeout: 99s}",
		"{circuitBreakers: {thresholds: [{maxConnections: 2048, maxPendingRequests: 2049, maxRequests: 2050, "
		"maxRetries: \"4\", priority: DEFAULT}]}, connectTimeout: 99s}",
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(values); i++) {
		struct policy *policy;

		snprintf(text, sizeof(text), "cluster: {operation: patch, " BOTH ", value: '%s'}", values[i]);
		policy = read_one(text);
		assert_string_equal(policy->findings, "");
		assert_int_equal(only_modification(policy)->change, EG_CHANGE_PATCH);
		assert_int_equal(only_modification(policy)->what, EG_CHANGED_CLUSTER);
		assert_int_equal(number_of(policy, EG_SETTING_MAX_CONNECTIONS), 2048);
		assert_int_equal(number_of(policy, EG_SETTING_MAX_PENDING), 2049);
		assert_int_equal(number_of(policy, EG_SETTING_MAX_REQUESTS), 2050);
		assert_int_equal(number_of(policy, EG_SETTING_MAX_RETRIES), 4);
		assert_int_equal(number_of(policy, EG_SETTING_CONNECT_TIMEOUT), 99000);
		policy_free(policy);
	}
}

static void of_two_spellings_camel_case_wins_in_either_order(void **state)
{
	static const char *const values[] = {"{connect_timeout: 1s, connectTimeout: 2s}",
					     "{connectTimeout: 2s, connect_timeout: 1s}"};
	char text[256];

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(values); i++) {
		struct policy *policy;

		snprintf(text, sizeof(text), "cluster: {operation: patch, " BOTH ", value: '%s'}", values[i]);
		policy = read_one(text);
		assert_int_equal(number_of(policy, EG_SETTING_CONNECT_TIMEOUT), 2000);
		policy_free(policy);
	}
}

static void a_match_is_by_whole_name_alias_and_origin(void **state)
{
	(void)state;
#define PATCH(match) "cluster: {operation: patch, " match "value: 'connectTimeout: 1s'}"
	assert_families(PATCH("match: {name: 'outbound:passthrough:ipv4'}, "), EG_FAMILIES_IPV4);
	assert_families(PATCH("match: {name: 'outbound:passthrough:ipv6'}, "), EG_FAMILIES_IPV6);
	assert_families(PATCH("match: {name: self_transparentproxy_passthrough_outbound_ipv4}, "), EG_FAMILIES_IPV4);
	assert_families(PATCH("match: {name: self_transparentproxy_passthrough_outbound_ipv6}, "), EG_FAMILIES_IPV6);
	assert_families(PATCH("match: {name: outbound_passthrough_ipv4}, "), EG_FAMILIES_IPV4);
	assert_families(PATCH("match: {name: outbound_passthrough_ipv6}, "), EG_FAMILIES_IPV6);
	assert_families(PATCH("match: {name: pass_through}, "), EG_FAMILIES_BOTH);
	assert_families(PATCH("match: {origin: transparent}, "), EG_FAMILIES_BOTH);
	assert_families(PATCH("match: {}, "), EG_FAMILIES_BOTH);
	assert_families(PATCH(""), EG_FAMILIES_BOTH);
	assert_families(PATCH("match: {name: 'outbound:passthrough:ipv4', origin: transparent}, "), EG_FAMILIES_IPV4);
	assert_families(PATCH("match: {name: 'outbound:passthrough:ipv4', origin: outbound}, "), 0);
	assert_families(PATCH("match: {name: 'outbound:passthrough:*'}, "), 0);
	assert_families(PATCH("match: {name: 'inbound:passthrough:ipv4'}, "), 0);
	assert_families(PATCH("match: {origin: inbound}, "), 0);
#undef PATCH
}

static void a_patch_that_matches_nothing_is_warned_of(void **state)
{
	(void)state;
	assert_one(
		"cluster: {operation: patch, match: {name: 'outbound:passthrough:ip4'}, value: 'connectTimeout: 1s'}",
		"p.yaml:6:40: warning: conf.modifications[0].cluster.match: matches no passthrough cluster; did you "
		"mean "
		"\"outbound:passthrough:ipv4\"?\n");
	assert_one("cluster: {operation: remove, match: {name: backend}}",
		   "p.yaml:6:41: warning: conf.modifications[0].cluster.match: matches no passthrough cluster, and "
		   "egressd "
		   "has no other: it changes nothing here\n");
	assert_one(
		"networkFilter: {operation: patch, match: {name: envoy.filters.network.tcp_proxy, listenerName: "
		"'inbound:10.0.0.1:80'}, value: 'name: x'}",
		"p.yaml:6:46: warning: conf.modifications[0].networkFilter.match: matches no passthrough listener, and "
		"egressd has no other: it changes nothing here\n");
}

static void thresholds_that_cannot_act_are_warned_of(void **state)
{
	static const struct {
		const char *breakers;
		const char *warning;
	} cases[] = {
		{"thresholds: [{priority: HIGH, maxConnections: 5}]",
		 "thresholds[0]: limits nothing: connections have"},
		{"thresholds: [{priority: 1, maxConnections: 5}]", "thresholds[0]: limits nothing: connections have"},
		{"thresholds: [{retryBudget: {}}]", "retryBudget: limits nothing: retries are limited by max_retries"},
		{"thresholds: [{maxConnectionPools: 1}]", "maxConnectionPools: limits nothing: there are no pools"},
		{"perHostThresholds: [{maxConnections: 1}]", "perHostThresholds: limits nothing: limits are of the"},
		{"thresholds: [{maxRetries: 1, trackRemaining: yes}, {maxRetries: 2}]",
		 "thresholds[1]: a second threshold of priority DEFAULT"},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(cases); i++) {
		snprintf(text, sizeof(text), "cluster: {operation: patch, " BOTH ", value: 'circuitBreakers: {%s}'}",
			 cases[i].breakers);
		assert_one_has(text, EG_SEVERITY_WARNING, cases[i].warning);
		/* Of a cluster that is none of ours nothing is said. */
		snprintf(text, sizeof(text), "cluster: {operation: add, value: '{name: a, circuitBreakers: {%s}}'}",
			 cases[i].breakers);
		assert_one(text, "");
	}
}

static void thresholds_of_one_priority_merge_field_by_field(void **state)
{
	struct policy *policy = read_one("cluster: {operation: patch, " BOTH ", value: 'circuitBreakers: {thresholds: ["
					 "{maxConnections: 1, maxRetries: 2}, {priority: HIGH, maxRetries: 9}, "
					 "{maxConnections: 3, maxRequests: 4}]}'}");

	(void)state;
	assert_false(eg_diag_has_errors(&policy->diag));
	assert_int_equal(number_of(policy, EG_SETTING_MAX_CONNECTIONS), 3);
	assert_int_equal(number_of(policy, EG_SETTING_MAX_RETRIES), 2);
	assert_int_equal(number_of(policy, EG_SETTING_MAX_REQUESTS), 4);
	policy_free(policy);
}

static void what_envoy_or_kuma_would_not_take_is_refused(void **state)
{
	(void)state;
	assert_one_has("cluster: {operation: patch, " BOTH ", value: 'connectTimeout: 0s'}", EG_SEVERITY_ERROR,
		       "connectTimeout: must be greater than 0s; Envoy refuses the whole cluster");
	assert_one_has("cluster: {operation: patch, " BOTH
		       ", value: 'circuitBreakers: {thresholds: [{trackRemaining: \"true\"}]}'}",
		       EG_SEVERITY_ERROR, "thresholds[0].trackRemaining: must be true or false");
	assert_one_has("cluster: {operation: patch, " BOTH ", value: 'circuitBreakers: {thresholds: [{priority: high}]}'}",
		       EG_SEVERITY_ERROR, "thresholds[0].priority: unknown value \"high\"; it is DEFAULT or HIGH");
}

static void what_has_no_effect_is_noted_and_only_of_our_clusters(void **state)
{
	(void)state;
	assert_one_has("cluster: {operation: patch, " BOTH ", value: 'outlier_detection: {}'}", EG_SEVERITY_NOTE,
		       "outlierDetection: has no effect");
	assert_one("cluster: {operation: add, value: '{name: a, outlier_detection: {}}'}", "");
}

static void a_cluster_that_is_added_says_whose_it_is_by_its_name(void **state)
{
	struct policy *policy = read_one("cluster: {operation: add, value: '{name: \"outbound:passthrough:ipv6\", "
					 "connectTimeout: 3s}'}");

	(void)state;
	assert_int_equal(only_modification(policy)->change, EG_CHANGE_ADD);
	assert_int_equal(only_modification(policy)->families, EG_FAMILIES_IPV6);
	assert_int_equal(number_of(policy, EG_SETTING_CONNECT_TIMEOUT), 3000);
	policy_free(policy);
	assert_one_has("cluster: {operation: add, value: '{name: pass_through, outlierDetection: {}}'}", EG_SEVERITY_NOTE,
		       "outlierDetection: has no effect");
	assert_one_has("cluster: {operation: add, value: 'connectTimeout: 3s'}", EG_SEVERITY_ERROR,
		       "cluster.value: native Envoy resource is not valid: invalid Cluster.Name");
	assert_one_has("cluster: {operation: add, match: {name: a}, value: 'name: a'}", EG_SEVERITY_ERROR,
		       "cluster.match: cannot be defined");
	assert_one_has("cluster: {operation: add}", EG_SEVERITY_ERROR,
		       "cluster.value: native Envoy resource is not valid");
}

static void what_is_removed_is_kept_as_such(void **state)
{
	static const struct {
		const char *text;
		enum eg_changed what;
		unsigned int families;
	} cases[] = {
		{"cluster: {operation: remove, match: {name: 'outbound:passthrough:ipv4'}}", EG_CHANGED_CLUSTER,
		 EG_FAMILIES_IPV4},
		{"cluster: {operation: remove}", EG_CHANGED_CLUSTER, EG_FAMILIES_BOTH},
		{"listener: {operation: remove, match: {name: 'outbound:passthrough:ipv6'}}", EG_CHANGED_LISTENER,
		 EG_FAMILIES_IPV6},
		{"networkFilter: {operation: remove, match: {listenerName: 'outbound:passthrough:ipv6'}}",
		 EG_CHANGED_TCP_PROXY, EG_FAMILIES_IPV6},
	};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(cases); i++) {
		struct policy *policy = read_one(cases[i].text);

		assert_false(eg_diag_has_errors(&policy->diag));
		assert_int_equal(only_modification(policy)->change, EG_CHANGE_REMOVE);
		assert_int_equal(only_modification(policy)->what, cases[i].what);
		assert_int_equal(only_modification(policy)->families, cases[i].families);
		policy_free(policy);
	}
	assert_none("networkFilter: {operation: remove, match: {name: other}}");
	assert_families("listener: {operation: remove, match: {tags: {kuma.io/service: a}}}", 0);
}

/* --- filters --- */

#define FILTER(config) \
	"networkFilter: {operation: patch, match: {name: envoy.filters.network.tcp_proxy, listenerName: " \
	"'outbound:passthrough:ipv4'}, value: 'name: envoy.filters.network.tcp_proxy\n\n\n" \
	"        typedConfig: " config "'}"

static void the_tcp_proxys_timeouts_are_read(void **state)
{
	struct policy *policy = read_one(FILTER("{\"@type\": " TCP_PROXY ", idleTimeout: 3h, "
						"max_downstream_connection_duration: 24h}"));

	(void)state;
	assert_false(eg_diag_has_errors(&policy->diag));
	assert_int_equal(only_modification(policy)->families, EG_FAMILIES_IPV4);
	assert_int_equal(only_modification(policy)->what, EG_CHANGED_TCP_PROXY);
	assert_int_equal(number_of(policy, EG_SETTING_IDLE_TIMEOUT), 10800000);
	assert_int_equal(number_of(policy, EG_SETTING_MAX_DURATION), 86400000);
	policy_free(policy);
}

static void a_typed_config_is_of_the_filters_type_and_says_so(void **state)
{
	(void)state;
	assert_one_has(FILTER("{idleTimeout: 3h}"), EG_SEVERITY_ERROR,
		       "networkFilter.value.typedConfig: Any JSON doesn't have '@type'");
	assert_one_has(FILTER("{\"@type\": type.googleapis.com/a.B, idleTimeout: 3h}"), EG_SEVERITY_ERROR,
		       "different from type.googleapis.com/a.B");
	assert_one_has(FILTER("{\"@type\": " TCP_PROXY ", idelTimeout: 3h}"), EG_SEVERITY_ERROR,
		       "typedConfig.idelTimeout: unknown field; did you mean \"idleTimeout\"?");
	assert_one_has(FILTER("{\"@type\": " TCP_PROXY "}\n\n\n        idleTimeout: 3h"), EG_SEVERITY_ERROR,
		       "value.idleTimeout: unknown field here; did you mean \"typedConfig.idleTimeout\"?");
}

/* --- what Kuma refuses --- */

static void what_kuma_refuses_is_refused_at_the_same_field(void **state)
{
	static const struct {
		const char *text;
		const char *part;
	} cases[] = {
		{"selectors: [{match: {}}]", "selectors[0].match: must have at least one tag"},
		{"selectors: [{match: null}]", "selectors[0].match: must have at least one tag"},
		{"selectors: [{match: {a: b}}]", "selectors[0].match: mandatory tag \"kuma.io/service\" is missing"},
		{"selectors: [{match: {kuma.io/service: ''}}]",
		 "selectors[0].match[\"kuma.io/service\"]: tag value must be non-empty"},
		{"selectors: [{match: {kuma.io/service: a, '': b}}]", "tag name must be non-empty"},
		{"selectors: [{match: {kuma.io/service: 'a*'}}]", "underscores or be \"*\""},
		{"conf: {imports: ['']}", "conf.imports[0]: cannot be empty"},
		{"conf: {imports: [x]}", "conf.imports[0]: profile not found. Available profiles: default-proxy"},
		{"conf: {resources: [{name: '', version: v, resource: '{\"@type\": a}'}]}",
		 "conf.resources[0].name: cannot be empty"},
		{"conf: {resources: [{name: n, version: v}]}", "conf.resources[0].resource: cannot be empty"},
		{"conf: {resources: [{name: n, version: v, resource: 'a: 1'}]}",
		 "conf.resources[0].resource: Any JSON doesn't have '@type'"},
		{"conf: {modifications: [{}]}", "conf.modifications[0]: must have exactly one of cluster"},
		{"conf: {modifications: [{cluster: {operation: remove}, listener: {operation: remove}}]}",
		 "conf.modifications[0]: must have exactly one of cluster"},
		{"conf: {modifications: [{cluster: {operation: addFirst}}]}",
		 "cluster.operation: invalid operation. Available operations: \"add\", \"patch\", \"remove\""},
		{"conf: {modifications: [{cluster: {}}]}", "cluster.operation: invalid operation"},
		{"conf: {modifications: [{networkFilter: {operation: add, value: 'a: 1'}}]}",
		 "networkFilter.operation: invalid operation. Available operations: \"addFirst\""},
		{"conf: {modifications: [{networkFilter: {operation: patch, value: 'name: a'}}]}",
		 "networkFilter.match.name: cannot be empty"},
		{"conf: {modifications: [{networkFilter: {operation: addBefore, value: 'a: 1'}}]}",
		 "networkFilter.match.name: cannot be empty. You need to pick a filter before which"},
		{"conf: {modifications: [{httpFilter: {operation: addAfter, value: '{'}}]}",
		 "httpFilter.match.name: cannot be empty. You need to pick a filter after which"},
		{"conf: {modifications: [{httpFilter: {operation: addLast, value: '{'}}]}",
		 "httpFilter.value: native Envoy resource is not valid"},
		{"conf: {modifications: [{listener: {operation: add, match: {name: a}, value: 'a: 1'}}]}",
		 "listener.match: cannot be defined"},
		{"conf: {modifications: [{virtualHost: {operation: add, match: {name: a}, value: 'a: 1'}}]}",
		 "virtualHost.match.name: cannot be defined"},
		{"conf: {modification: []}", "conf.modification: unknown field; did you mean \"modifications\"?"},
		{"modifications: []", "modifications: unknown field here; did you mean \"conf.modifications\"?"},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(cases); i++) {
		snprintf(text, sizeof(text), "type: ProxyTemplate\nname: t\n%s\n", cases[i].text);
		assert_refused(text, cases[i].part);
	}
}

static void the_same_name_twice_in_one_mesh_is_refused(void **state)
{
	(void)state;
	assert_findings(
		IMPORTS "name: t\n---\n" IMPORTS "name: t\n",
		"p.yaml:5:1: error: ProxyTemplate \"t\" is already defined in p.yaml:1:1; rename or remove one of "
		"them\n");
	assert_accepted(IMPORTS "name: t\nmesh: a\n---\n" IMPORTS "name: t\nmesh: b\n---\n"
			"type: Mesh\nname: a\n---\ntype: Mesh\nname: b\n");
}

/* --- warnings of the whole --- */

#define PATCH_IPV4 \
	"  - cluster:\n      operation: patch\n      match: {name: 'outbound:passthrough:ipv4'}\n" \
	"      value: '{connectTimeout: 5s, circuitBreakers: {thresholds: [{maxRequests: 5}]}}'\n"
#define PATCH_BOTH \
	"  - cluster:\n      operation: patch\n      match: {origin: transparent}\n" \
	"      value: '{circuitBreakers: {thresholds: [{maxRequests: 5}]}}'\n"
#define PATCH_IPV6 \
	"  - cluster:\n      operation: patch\n      match: {name: 'outbound:passthrough:ipv6'}\n" \
	"      value: 'connectTimeout: 5s'\n"

static void one_family_without_the_other_is_warned_of_once(void **state)
{
	(void)state;
	assert_findings(
		TEMPLATE PATCH_IPV4,
		"p.yaml:7:7: warning: conf.modifications: are about the cluster outbound:passthrough:ipv4 alone; "
		"outbound:passthrough:ipv6 stays as it is\n");
	assert_findings(
		TEMPLATE PATCH_IPV6,
		"p.yaml:7:7: warning: conf.modifications: are about the cluster outbound:passthrough:ipv6 alone; "
		"outbound:passthrough:ipv4 stays as it is\n");
	assert_findings(TEMPLATE PATCH_IPV4 PATCH_IPV6, "");
}

static void a_threshold_that_two_patches_have_is_warned_of_once(void **state)
{
	(void)state;
	assert_findings(TEMPLATE PATCH_BOTH PATCH_BOTH,
			"p.yaml:13:14: warning: conf.modifications[1].cluster: a threshold that an earlier patch has: "
			"merged here, but Kuma before 2.14.4 appends it, and Envoy acts on the first one of a priority "
			"alone\n");
	assert_findings(TEMPLATE PATCH_BOTH "  - cluster:\n      operation: remove\n      match: {origin: transparent}\n"
					    "  - cluster: {operation: add, value: '{name: pass_through}'}\n" PATCH_BOTH,
			"p.yaml:15:7: warning: conf.modifications[3].cluster: changes nothing of outbound:passthrough:ipv4, "
			"whose origin is proxy-template-modifications by then\n"
			"p.yaml:15:7: warning: conf.modifications[3].cluster: changes nothing of outbound:passthrough:ipv6, "
			"whose origin is proxy-template-modifications by then\n");
}

static void a_template_without_default_proxy_is_warned_of(void **state)
{
	(void)state;
	assert_findings("type: ProxyTemplate\nname: t\n",
			"p.yaml:1:1: warning: conf.imports: without default-proxy Kuma gives the proxy no listener at all, "
			"and nothing leaves it; here passthrough is there whatever a template imports\n");
	assert_findings("type: ProxyTemplate\nname: t\nconf: {imports: [ingress-proxy]}\n",
			"p.yaml:1:1: warning: conf.imports: without default-proxy Kuma gives the proxy no listener at all, "
			"and nothing leaves it; here passthrough is there whatever a template imports\n");
	assert_findings("type: ProxyTemplate\nname: t\nconf: {imports: [gateway-proxy]}\n", "");
}

static void a_patch_of_what_is_gone_or_without_a_value_is_warned_of(void **state)
{
	(void)state;
	assert_findings(TEMPLATE "  - cluster: {operation: remove}\n" PATCH_BOTH,
			"p.yaml:8:7: warning: conf.modifications[1].cluster: changes nothing: what it matches was removed "
			"before (p.yaml:6:14)\n");
	assert_findings(TEMPLATE "  - listener: {operation: remove}\n  - " FILTER("{\"@type\": " TCP_PROXY "}") "\n",
			"p.yaml:7:20: warning: conf.modifications[1].networkFilter: changes nothing: what it matches was "
			"removed before (p.yaml:6:15)\n");
	assert_one("cluster: {operation: patch}",
		   "p.yaml:6:14: warning: conf.modifications[0].cluster: changes nothing: it has no value\n");
	assert_one("cluster: {operation: patch, value: ''}",
		   "p.yaml:6:40: warning: conf.modifications[0].cluster: changes nothing: it has no value\n");
}

static void a_template_has_no_effect_while_passthrough_is_false(void **state)
{
	(void)state;
	assert_findings(
		TEMPLATE PATCH_IPV4 PATCH_IPV6
		"---\ntype: Mesh\nname: default\nnetworking: {outbound: {passthrough: false}}\n",
		"p.yaml:7:7: warning: conf.modifications: no effect while passthrough is false (p.yaml:17:38), except "
		"on what a Workload's allow list lets out\n");
	assert_findings(TEMPLATE PATCH_IPV4 PATCH_IPV6
			"---\ntype: Mesh\nname: default\nnetworking: {outbound: {passthrough: true}}\n",
			"");
}

static void limits_that_compat_makes_inert_are_warned_of(void **state)
{
	(void)state;
	assert_findings(TEMPLATE PATCH_IPV4 PATCH_IPV6 "---\ntype: Node\nname: n\ncompat: envoy\n",
			"p.yaml:9:14: warning: max_requests: refuses nothing: the Node says compat: envoy\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_envelopes_are_read),
		cmocka_unit_test(a_mistake_inside_a_value_has_its_line_and_column_in_the_file),
		cmocka_unit_test(blanks_that_an_indicator_keeps_do_not_move_the_column),
		cmocka_unit_test(a_value_of_one_line_has_the_place_of_its_text),
		cmocka_unit_test(what_is_no_yaml_inside_a_value_is_refused_at_its_field_and_line),
		cmocka_unit_test(a_value_is_one_document_in_a_text),
		cmocka_unit_test(values_repeated_by_aliases_are_bounded),
		cmocka_unit_test(thresholds_and_the_connect_timeout_are_read_in_both_spellings),
		cmocka_unit_test(of_two_spellings_camel_case_wins_in_either_order),
		cmocka_unit_test(a_match_is_by_whole_name_alias_and_origin),
		cmocka_unit_test(a_patch_that_matches_nothing_is_warned_of),
		cmocka_unit_test(thresholds_that_cannot_act_are_warned_of),
		cmocka_unit_test(thresholds_of_one_priority_merge_field_by_field),
		cmocka_unit_test(what_envoy_or_kuma_would_not_take_is_refused),
		cmocka_unit_test(what_has_no_effect_is_noted_and_only_of_our_clusters),
		cmocka_unit_test(a_cluster_that_is_added_says_whose_it_is_by_its_name),
		cmocka_unit_test(what_is_removed_is_kept_as_such),
		cmocka_unit_test(the_tcp_proxys_timeouts_are_read),
		cmocka_unit_test(a_typed_config_is_of_the_filters_type_and_says_so),
		cmocka_unit_test(what_kuma_refuses_is_refused_at_the_same_field),
		cmocka_unit_test(the_same_name_twice_in_one_mesh_is_refused),
		cmocka_unit_test(one_family_without_the_other_is_warned_of_once),
		cmocka_unit_test(a_threshold_that_two_patches_have_is_warned_of_once),
		cmocka_unit_test(a_template_without_default_proxy_is_warned_of),
		cmocka_unit_test(a_patch_of_what_is_gone_or_without_a_value_is_warned_of),
		cmocka_unit_test(a_template_has_no_effect_while_passthrough_is_false),
		cmocka_unit_test(limits_that_compat_makes_inert_are_warned_of),
	};

	return cmocka_run_group_tests_name("proxytemplate", tests, NULL, NULL);
}
