/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From MeshProxyPatch documents to what holds for a workload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/cluster.h"
#include "policy/rules.h"
#include "../lib/support/policy.h"

#define WORKLOAD "type: Workload\nname: shop\ntags: {kuma.io/service: web, v: '1'}\n---\n"
#define PATCH(name, target) \
	"type: MeshProxyPatch\nname: " name "\nspec:\n  targetRef: " target "\n  default:\n    appendModifications:\n"
#define MESH "{kind: Mesh}"
#define CLUSTER "    - cluster: {operation: Patch, match: {origin: transparent}, "
#define FILTER \
	"    - networkFilter: {operation: Patch, match: {name: envoy.filters.network.tcp_proxy, origin: transparent}, "
#define VALUE(text) CLUSTER "value: '" text "'}\n"
#define JSON(patches) CLUSTER "jsonPatches: [" patches "]}\n"
#define CONNECTIONS(count) VALUE("circuitBreakers: {thresholds: [{maxConnections: " count "}]}")

static struct policy *read_good(const char *text)
{
	struct policy *policy = policy_read(text);

	if (eg_diag_has_errors(&policy->diag))
		fail_msg("%s\nof:\n%s", policy->findings, text);
	return policy;
}

/* What a setting of IPv4's cluster is for the first workload, and whether somebody wrote it. */
static bool find_setting(const char *text, enum eg_setting setting, uint64_t *ret_value)
{
	struct policy *policy = read_good(text);
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	bool is_written;

	assert_int_equal(eg_rules_resolve(policy->model, NULL, 0, &rules), 0);
	*ret_value = eg_cluster_get(&rules->subjects.items[0]->ipv4, setting);
	is_written = rules->subjects.items[0]->ipv4_origins[setting].file;
	policy_free(policy);
	return is_written;
}

static void assert_setting(const char *text, enum eg_setting setting, uint64_t expected)
{
	uint64_t value;

	if (!find_setting(text, setting, &value) || value != expected)
		fail_msg("%s is %llu, not %llu, of:\n%s", eg_setting_name(setting), (unsigned long long)value,
			 (unsigned long long)expected, text);
}

static void assert_default(const char *text, enum eg_setting setting, uint64_t expected)
{
	uint64_t value;

	if (find_setting(text, setting, &value) || value != expected)
		fail_msg("%s is %llu, not the default %llu, of:\n%s", eg_setting_name(setting),
			 (unsigned long long)value, (unsigned long long)expected, text);
}

static void assert_has(const char *text, const char *part)
{
	struct policy *policy = policy_read(text);

	if (!strstr(policy->findings, part))
		fail_msg("expected \"%s\" for:\n%s\nfound:\n%s", part, text, policy->findings);
	policy_free(policy);
}

/* --- documents --- */

static void both_envelopes_and_both_kinds_of_patches_say_the_same(void **state)
{
	static const char universal[] = "type: MeshProxyPatch\nname: p\nmesh: default\nspec:\n";
	static const char kubernetes[] = "apiVersion: kuma.io/v1alpha1\nkind: MeshProxyPatch\nmetadata: {name: p, "
					 "namespace: kuma-system, labels: {kuma.io/mesh: default}}\nspec:\n";
	static const char *const envelopes[] = {universal, kubernetes};
	static const char *const contents[] = {VALUE("connectTimeout: 99s"),
					       JSON("{op: replace, path: /connectTimeout, value: 99s}")};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(envelopes); i++)
		for (size_t j = 0; j < EG_COUNT_OF(contents); j++) {
			snprintf(text, sizeof(text), WORKLOAD "%s  default:\n    appendModifications:\n%s", envelopes[i],
				 contents[j]);
			assert_setting(text, EG_SETTING_CONNECT_TIMEOUT, 99000);
		}
}

static void what_kuma_refuses_is_refused_in_its_words(void **state)
{
	static const struct {
		const char *modification;
		const char *finding;
	} cases[] = {
		{"{}", ": exactly one modification can be defined at a time. Currently, 0 modifications are defined"},
		{"{cluster: {operation: Remove}, listener: {operation: Remove}}",
		 ": exactly one modification can be defined at a time. Currently, 2 modifications are defined"},
		{"{cluster: {operation: patch}}",
		 ".cluster.operation: invalid operation. Available operations: \"Add\", \"Patch\", \"Remove\""},
		{"{cluster: {operation: AddFirst}}", ".cluster.operation: invalid operation. Available operations: \"Add\""},
		{"{networkFilter: {operation: Add}}",
		 ".networkFilter.operation: invalid operation. Available operations: \"AddFirst\", \"AddLast\", "
		 "\"AddBefore\", \"AddAfter\", \"Patch\", \"Remove\""},
		{"{cluster: {operation: Add}}", ".cluster.value: must be defined"},
		{"{cluster: {operation: Add, match: {name: a}, value: 'name: a'}}", ".cluster.match: must not be defined"},
		{"{cluster: {operation: Remove, value: 'name: a'}}", ".cluster.value: must not be defined"},
		{"{cluster: {operation: Patch}}",
		 ".cluster: cluster must have exactly one defined: value, jsonPatches"},
		{"{listener: {operation: Patch, jsonPatches: []}}",
		 ".listener: listener must have exactly one defined: value, jsonPatches"},
		{"{virtualHost: {operation: Patch, value: '{}', jsonPatches: [{op: remove, path: /a}]}}",
		 ".virtualHost: virtualHost must have only one type defined: value, jsonPatches"},
		{"{networkFilter: {operation: Patch, value: '{}'}}", ".networkFilter.match.name: must be defined"},
		{"{httpFilter: {operation: AddBefore, value: '{}'}}",
		 ".httpFilter.match.name: must be defined. You need to pick a filter before which this one will be added"},
		{"{httpFilter: {operation: AddAfter, value: '{}'}}",
		 ".httpFilter.match.name: must be defined. You need to pick a filter after which this one will be added"},
		{"{virtualHost: {operation: Add, match: {name: a}, value: '{}'}}",
		 ".virtualHost.match.name: must not be defined"},
		{"{cluster: {operation: Add, value: 'name: a', jsonPatches: [{op: remove, path: /a}]}}",
		 ".cluster.jsonPatches: is allowed only when operation is Patch"},
	};
	char text[1024], finding[512];

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(cases); i++) {
		snprintf(text, sizeof(text), PATCH("p", MESH) "    - %s\n", cases[i].modification);
		snprintf(finding, sizeof(finding), "spec.default.appendModifications[0]%s\n", cases[i].finding);
		if (cases[i].finding[strlen(cases[i].finding) - 1] == '"')
			finding[strlen(finding) - 1] = '\0';
		assert_refused(text, finding);
	}
	assert_refused("type: MeshProxyPatch\nname: p\nspec: {targetRef: {kind: Mesh}}\n",
		       "spec.default.appendModifications: must not be empty");
	assert_refused("type: MeshProxyPatch\nname: p\nspec: {default: {appendModifications: []}}\n",
		       "spec.default.appendModifications: must not be empty");
	assert_refused(PATCH("p", "{kind: Unknown}") VALUE("connectTimeout: 1s"), "spec.targetRef.kind: value 'Unknown'");
}

static void a_json_patch_that_kuma_refuses_is_refused_in_its_words(void **state)
{
	static const struct {
		const char *patch;
		const char *finding;
	} cases[] = {
		{"{path: /a}", ".op: \"op\" must be one of [\"add\", \"remove\", \"replace\", \"move\", \"copy\"]"},
		{"{op: test, path: /connectTimeout, value: 1s}",
		 ".op: \"op\" must be one of [\"add\", \"remove\", \"replace\", \"move\", \"copy\"]"},
		{"{op: remove}", ".path: must be defined"},
		{"{op: remove, path: ''}", ".path: root path cannot be removed"},
		{"{op: remove, path: /}", ".path: root path cannot be removed"},
		{"{op: add, path: /connectTimeout}",
		 ".value: \"value\" must not be empty when \"op\" is one of [\"add\", \"replace\"]"},
		{"{op: remove, path: /connectTimeout, value: 1s}",
		 ".value: \"value\" is allowed only when \"op\" is one of [\"add\", \"replace\"]"},
		{"{op: copy, path: /connectTimeout}",
		 ".from: \"from\" must not be empty when \"op\" is one of [\"move\", \"copy\"]"},
		{"{op: add, path: /connectTimeout, value: 1s, from: /connectTimeout}",
		 ".from: \"from\" is allowed only when \"op\" is one of [\"move\", \"copy\"]"},
		{"{op: add, path: connectTimeout, value: 1s}", ".path: must begin with /"},
		{"{op: add, path: /connectTimout, value: 1s}",
		 ".path: leads to an unknown field \"connectTimout\"; did you mean \"connectTimeout\"?"},
		{"{op: add, path: /connectTimeout/a, value: 1s}", ".path: leads into connectTimeout, which has nothing"},
		{"{op: add, path: /circuitBreakers/thresholds/first, value: {}}",
		 ".path: \"first\" is no place in a list"},
		{"{op: add, path: /connectTimeout, value: 5}", ".value: must be a duration with its unit"},
		{"{op: add, path: /connectTimeout, value: 0s}", ".value: must be greater than 0s"},
		{"{op: add, path: /circuitBreakers, value: {treshold: []}}",
		 ".value.treshold: unknown field; did you mean \"thresholds\"?"},
		{"{op: add, path: /circuitBreakers/thresholds/0/maxConnections, value: -1}",
		 ".value: must be a whole number in the range"},
		{"{op: move, from: /connectTimeout, path: /circuitBreakers/thresholds/0/maxRetries}",
		 ".from: what stands there does not fit at the path"},
		{"{op: copy, from: /cleanupInterval, path: /connectTimeout}", ".from: what stands there is not known here"},
		{"{op: move, from: /circuitBreakers/thresholds, path: /circuitBreakers/thresholds/0}",
		 ".path: leads into what is moved"},
	};
	char text[1024], finding[512];

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(cases); i++) {
		snprintf(text, sizeof(text), PATCH("p", MESH) JSON("%s"), cases[i].patch);
		snprintf(finding, sizeof(finding), "spec.default.appendModifications[0].cluster.jsonPatches[0]%s",
			 cases[i].finding);
		assert_refused(text, finding);
	}
}

/* --- JSON patches, one after the other --- */

#define LIMIT(index, name) "/circuitBreakers/thresholds/" index "/" name
#define PATCHED(patches) WORKLOAD PATCH("p", MESH) JSON(patches)

static void a_json_patch_changes_what_kuma_generates(void **state)
{
	(void)state;
	assert_setting(PATCHED("{op: replace, path: /connectTimeout, value: 99s}"), EG_SETTING_CONNECT_TIMEOUT, 99000);
	assert_setting(PATCHED("{op: add, path: " LIMIT("0", "maxConnections") ", value: 0}"), EG_SETTING_MAX_CONNECTIONS,
		       0);
	assert_setting(PATCHED("{op: add, path: " LIMIT("-1", "maxRetries") ", value: '4'}"), EG_SETTING_MAX_RETRIES, 4);
	assert_setting(PATCHED("{op: add, path: /circuitBreakers, value: {thresholds: [{maxPendingRequests: 5}]}}"),
		       EG_SETTING_MAX_PENDING, 5);
	assert_setting(PATCHED("{op: replace, path: /circuitBreakers/thresholds, value: [{max_requests: 6}]}"),
		       EG_SETTING_MAX_REQUESTS, 6);
	assert_setting(PATCHED("{op: replace, path: /circuitBreakers/thresholds/0, value: {maxRetries: 7}}"),
		       EG_SETTING_MAX_RETRIES, 7);
	assert_setting(PATCHED("{op: replace, path: '', value: {connectTimeout: 8s}}"), EG_SETTING_CONNECT_TIMEOUT, 8000);
	assert_setting(WORKLOAD PATCH("p", MESH) FILTER "jsonPatches: [{op: add, path: /idleTimeout, value: 0.5s}]}\n",
		       EG_SETTING_IDLE_TIMEOUT, 500);
	assert_setting(WORKLOAD PATCH("p", MESH) FILTER
		       "jsonPatches: [{op: add, path: /maxDownstreamConnectionDuration, value: 2h}]}\n",
		       EG_SETTING_MAX_DURATION, 7200000);
}

static void json_patches_apply_one_after_the_other(void **state)
{
	(void)state;
	assert_default(PATCHED("{op: replace, path: /connectTimeout, value: 99s}, {op: remove, path: /connectTimeout}"),
		       EG_SETTING_CONNECT_TIMEOUT, EG_DEFAULT_CONNECT_TIMEOUT_MS);
	assert_default(PATCHED("{op: replace, path: /connectTimeout, value: 99s}, {op: add, path: /connectTimeout, "
			       "value: null}"),
		       EG_SETTING_CONNECT_TIMEOUT, EG_DEFAULT_CONNECT_TIMEOUT_MS);
	assert_setting(PATCHED("{op: remove, path: /circuitBreakers}, {op: add, path: " LIMIT("0", "maxRetries")
			       ", value: 9}"),
		       EG_SETTING_MAX_RETRIES, 9);
	assert_setting(PATCHED("{op: add, path: " LIMIT("0", "maxRetries") ", value: 9}, {op: copy, from: "
			       LIMIT("0", "maxRetries") ", path: " LIMIT("0", "maxConnections") "}"),
		       EG_SETTING_MAX_CONNECTIONS, 9);
	assert_default(PATCHED("{op: add, path: " LIMIT("0", "maxRetries") ", value: 9}, {op: move, from: "
			       LIMIT("0", "maxRetries") ", path: " LIMIT("0", "maxConnections") "}"),
		       EG_SETTING_MAX_RETRIES, EG_DEFAULT_MAX_RETRIES);
	assert_default(PATCHED("{op: add, path: " LIMIT("0", "maxRetries") ", value: 9}, {op: remove, path: "
			       "/circuitBreakers/thresholds/0}"),
		       EG_SETTING_MAX_RETRIES, EG_DEFAULT_MAX_RETRIES);
	assert_setting(PATCHED("{op: add, path: /circuitBreakers/thresholds/0, value: {priority: HIGH, maxRetries: 1}}, "
			       "{op: add, path: " LIMIT("1", "maxRetries") ", value: 9}"),
		       EG_SETTING_MAX_RETRIES, 9);
	assert_default(PATCHED("{op: remove, path: " LIMIT("7", "maxRetries") "}"), EG_SETTING_MAX_RETRIES,
		       EG_DEFAULT_MAX_RETRIES);
}

/* Envoy acts on the first threshold of a priority; here what was written last counts, and a warning tells. */
static void a_second_threshold_of_one_priority_is_merged_and_warned_of(void **state)
{
#define BEHIND \
	PATCHED("{op: add, path: " LIMIT("0", "maxRetries") ", value: 1}, {op: add, path: /circuitBreakers/thresholds/-, " \
		"value: {maxRetries: 2}}")
#define BEFORE \
	PATCHED("{op: add, path: " LIMIT("0", "maxRetries") ", value: 1}, {op: add, path: /circuitBreakers/thresholds/0, " \
		"value: {maxRetries: 2}}")
	(void)state;
	assert_setting(BEHIND, EG_SETTING_MAX_RETRIES, 2);
	assert_setting(BEFORE, EG_SETTING_MAX_RETRIES, 2);
	assert_has(BEHIND, "circuitBreakers.thresholds: a second threshold of priority DEFAULT: merged here, but Envoy "
			   "acts on the first alone");
}

static void a_json_patch_that_does_not_apply_is_refused(void **state)
{
	static const struct {
		const char *patch;
		const char *finding;
	} cases[] = {
		{"{op: replace, path: " LIMIT("5", "maxRetries") ", value: 1}",
		 "replace operation does not apply: doc is missing path: /circuitBreakers/thresholds/5/maxRetries: missing "
		 "value"},
		{"{op: replace, path: /circuitBreakers/thresholds/5, value: {}}",
		 "replace operation does not apply: doc is missing key: /circuitBreakers/thresholds/5: missing value"},
		{"{op: add, path: /circuitBreakers/thresholds/5, value: {}}", "add operation does not apply"},
		{"{op: copy, from: " LIMIT("0", "maxRetries") ", path: " LIMIT("0", "maxRequests") "}",
		 "copy operation does not apply: doc is missing from path: /circuitBreakers/thresholds/0/maxRetries"},
		{"{op: move, from: /circuitBreakers/thresholds/3, path: /circuitBreakers/thresholds/0}",
		 "move operation does not apply: doc is missing from path: /circuitBreakers/thresholds/3"},
	};
	char text[1024], finding[512];

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(cases); i++) {
		snprintf(text, sizeof(text), PATCH("p", MESH) JSON("%s"), cases[i].patch);
		snprintf(finding, sizeof(finding), "error: spec.default.appendModifications[0].cluster.jsonPatches[0]: %s",
			 cases[i].finding);
		assert_refused(text, finding);
	}
}

static void a_json_patch_that_kuma_would_not_take_or_that_does_nothing_is_warned_of(void **state)
{
	static const struct {
		const char *patch;
		const char *finding;
	} cases[] = {
		{"{op: replace, path: " LIMIT("0", "maxRetries") ", value: 1}",
		 "jsonPatches[0]: replaces what Kuma does not generate"},
		{"{op: add, path: /connect_timeout, value: 1s}",
		 "path: read as \"connectTimeout\": in the paths of Kuma there is no \"connect_timeout\""},
		{"{op: add, path: /circuitBreakers/thresholds/0/retryBudget, value: {}}", "path: limits nothing"},
		{"{op: add, path: /foo/bar, value: 1}", "path: leads to a field \"foo\" that Envoy does not have"},
		{"{op: add, path: /circuitBreakers/thresholds/0, value: {priority: HIGH}}", "limits nothing: connections have"},
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(cases); i++) {
		snprintf(text, sizeof(text), PATCH("p", MESH) JSON("%s"), cases[i].patch);
		assert_accepted(text);
		assert_has(text, cases[i].finding);
	}
	assert_has(PATCH("p", MESH) JSON("{op: replace, path: /outlierDetection/interval, value: 5s}"),
		   "note: spec.default.appendModifications[0].cluster.jsonPatches[0].path: has no effect");
	assert_has(PATCH("p", MESH) FILTER "jsonPatches: [{op: add, path: /typedConfig/idleTimeout, value: 3h}]}\n",
		   "path: read without \"/typedConfig\": paths of Kuma begin inside of it");
	assert_setting(WORKLOAD PATCH("p", MESH) FILTER
		       "jsonPatches: [{op: add, path: /typed_config/idle_timeout, value: 3h}]}\n",
		       EG_SETTING_IDLE_TIMEOUT, 10800000);
}

/* --- several documents --- */

static void all_patches_apply_and_the_more_specific_one_has_the_last_word(void **state)
{
#define SUBSET "{kind: MeshSubset, tags: {kuma.io/service: web}}"
#define SERVICE "{kind: MeshService, name: web}"
	(void)state;
	assert_setting(WORKLOAD PATCH("a", SUBSET) CONNECTIONS("2") "---\n" PATCH("b", MESH) CONNECTIONS("1"),
		       EG_SETTING_MAX_CONNECTIONS, 2);
	assert_setting(WORKLOAD PATCH("a", SUBSET) CONNECTIONS("2") "---\n" PATCH("b", SERVICE) CONNECTIONS("3"),
		       EG_SETTING_MAX_CONNECTIONS, 3);
	assert_setting(WORKLOAD PATCH("a", SUBSET) CONNECTIONS("2") "---\n" PATCH("b", MESH) VALUE("connectTimeout: 4s"),
		       EG_SETTING_CONNECT_TIMEOUT, 4000);
	assert_setting(WORKLOAD PATCH("b", MESH) CONNECTIONS("2") "---\n" PATCH("a", MESH) CONNECTIONS("1"),
		       EG_SETTING_MAX_CONNECTIONS, 1);
	assert_default(WORKLOAD PATCH("a", "{kind: MeshSubset, tags: {v: '2'}}") CONNECTIONS("2"),
		       EG_SETTING_MAX_CONNECTIONS, EG_DEFAULT_MAX_CONNECTIONS);
}

/* A patch may need what a less specific one makes. */
static void a_patch_finds_what_one_before_it_has_made(void **state)
{
#define SECOND(op) "{op: " op ", path: /circuitBreakers/thresholds/1/maxConnections, value: 8}"
	(void)state;
	assert_setting(WORKLOAD PATCH("a", SUBSET) JSON(SECOND("replace")) "---\n" PATCH("b", MESH)
			       JSON("{op: add, path: /circuitBreakers/thresholds/-, value: {maxConnections: 7}}"),
		       EG_SETTING_MAX_CONNECTIONS, 8);
	assert_refused(WORKLOAD PATCH("a", SUBSET) JSON(SECOND("replace")) "---\n" PATCH("b", "{kind: MeshSubset, tags: "
											     "{v: '2'}}")
			       JSON("{op: add, path: /circuitBreakers/thresholds/-, value: {maxConnections: 7}}"),
		       "doc is missing path: /circuitBreakers/thresholds/1/maxConnections");
}

#define TEMPLATE(value) \
	"---\ntype: ProxyTemplate\nname: t\nconf:\n  imports: [default-proxy]\n  modifications:\n  - cluster: {operation: " \
	"patch, match: {origin: transparent}, value: '" value "'}\n"

static void a_template_applies_behind_the_patches(void **state)
{
	(void)state;
	assert_setting(WORKLOAD PATCH("a", SERVICE) VALUE("connectTimeout: 4s") TEMPLATE("connectTimeout: 5s"),
		       EG_SETTING_CONNECT_TIMEOUT, 5000);
	assert_setting(WORKLOAD PATCH("a", SERVICE) CONNECTIONS("2") TEMPLATE("connectTimeout: 5s"),
		       EG_SETTING_MAX_CONNECTIONS, 2);
	assert_has(WORKLOAD PATCH("a", SERVICE)
			   CONNECTIONS("2") TEMPLATE("circuitBreakers: {thresholds: [{maxRetries: 5}]}"),
		   "conf.modifications[0].cluster: a threshold that an earlier patch has");
	assert_has(WORKLOAD PATCH("a", MESH)
			   "    - cluster: {operation: Add, value: 'name: pass_through'}\n" TEMPLATE("connectTimeout: 5s"),
		   "conf.modifications[0].cluster: changes nothing of outbound:passthrough:ipv4, whose origin is "
		   "mesh-proxy-patch by then");
}

static void the_twin_of_a_patch_may_stand_in_another_one(void **state)
{
#define OF(family) \
	"    - cluster: {operation: Patch, match: {name: 'outbound:passthrough:" family "'}, value: 'connectTimeout: 1s'}\n"
	(void)state;
	assert_has(PATCH("a", MESH) OF("ipv4"),
		   "spec.default.appendModifications: are about the cluster outbound:passthrough:ipv4 alone");
	assert_findings(PATCH("a", MESH) OF("ipv4") "---\n" PATCH("b", MESH) OF("ipv6"), "");
}

static void a_patch_of_nothing_here_and_one_that_is_never_applied_change_nothing(void **state)
{
	(void)state;
	assert_has(PATCH("a", MESH) "    - cluster: {operation: Patch, match: {name: backend}, jsonPatches: [{op: add, path: "
				    "/anything/at/all, value: 1}]}\n",
		   "cluster.match: matches no passthrough cluster, and egressd has no other");
	assert_default(WORKLOAD "type: MeshProxyPatch\nname: p\nlabels: {kuma.io/effect: shadow}\nspec:\n  default:\n    "
				"appendModifications:\n" CONNECTIONS("5"),
		       EG_SETTING_MAX_CONNECTIONS, EG_DEFAULT_MAX_CONNECTIONS);
}

/* What meets there is checked for the workloads that there are. */
static void a_slot_that_is_left_is_not_refused_by_a_patch_for_what_had_it(void **state)
{
	struct policy *policy = read_good("type: Workload\nname: web\ncgroup: /web\n---\n" PATCH("p", "{kind: Dataplane, name: gone}")
						  JSON("{op: replace, path: /circuitBreakers/thresholds/7/maxConnections, value: 1}"));
	struct eg_rules_source source = {.name = "gone", .mesh = EG_DEFAULT_MESH, .slot = 1};
	struct eg_ruleset *rules = NULL;

	(void)state;
	assert_int_equal(eg_rules_resolve_sources(policy->model, &source, 1, NULL, 0, &rules), -EBADMSG);
	source.passthrough = (struct eg_optional_bool){.is_set = true, .value = true};
	for (enum eg_setting setting = 0; setting < EG_SETTING_COUNT; setting++)
		source.settings.numbers[setting] = (struct eg_optional_number){.is_set = true, .value = 9};
	assert_int_equal(eg_rules_resolve_sources(policy->model, &source, 1, NULL, 0, &rules), 0);
	assert_int_equal(rules->subjects.items[0]->ipv4.max_connections, 9);
	assert_int_equal(rules->subjects.items[0]->ipv6.idle_timeout_ms, 9);
	assert_true(rules->subjects.items[0]->passthrough);
	eg_ruleset_free(rules);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_envelopes_and_both_kinds_of_patches_say_the_same),
		cmocka_unit_test(what_kuma_refuses_is_refused_in_its_words),
		cmocka_unit_test(a_json_patch_that_kuma_refuses_is_refused_in_its_words),
		cmocka_unit_test(a_json_patch_changes_what_kuma_generates),
		cmocka_unit_test(json_patches_apply_one_after_the_other),
		cmocka_unit_test(a_second_threshold_of_one_priority_is_merged_and_warned_of),
		cmocka_unit_test(a_json_patch_that_does_not_apply_is_refused),
		cmocka_unit_test(a_json_patch_that_kuma_would_not_take_or_that_does_nothing_is_warned_of),
		cmocka_unit_test(all_patches_apply_and_the_more_specific_one_has_the_last_word),
		cmocka_unit_test(a_patch_finds_what_one_before_it_has_made),
		cmocka_unit_test(a_template_applies_behind_the_patches),
		cmocka_unit_test(the_twin_of_a_patch_may_stand_in_another_one),
		cmocka_unit_test(a_patch_of_nothing_here_and_one_that_is_never_applied_change_nothing),
		cmocka_unit_test(a_slot_that_is_left_is_not_refused_by_a_patch_for_what_had_it),
	};

	return cmocka_run_group_tests_name("meshproxypatch", tests, NULL, NULL);
}
