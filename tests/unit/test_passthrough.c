/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From MeshPassthrough documents to the verdict for a destination. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/support/generate.h"
#include "../lib/support/interpret.h"
#include "../lib/support/policy.h"
#include "base/cleanup.h"
#include "policy/eval.h"
#include "policy/rules.h"

#define WORKLOAD "type: Workload\nname: shop\ncgroup: /shop\ntags: {app: web}\n"
#define MESH(passthrough) "---\ntype: Mesh\nname: default\nnetworking: {outbound: {passthrough: " passthrough "}}\n"
#define POLICY(name, target, conf) \
	"---\ntype: MeshPassthrough\nname: " name "\nspec:\n  targetRef: {" target "}\n  default: {" conf "}\n"
#define ON_MESH "kind: Mesh"
#define ON_WEB "kind: MeshSubset, tags: {app: web}"
#define MODE(mode) "passthroughMode: " mode
#define MATCHED(list) MODE("Matched") ", appendMatch: [" list "]"
#define IP(value) "{type: IP, value: " value "}"
#define IP_PORT(value, port) "{type: IP, value: " value ", port: " port "}"
#define CIDR_PORT(value, port) "{type: CIDR, value: " value ", port: " port "}"

static struct eg_flow flow_to(const char *address, uint16_t port, uint16_t protocol)
{
	struct eg_flow flow = {.port = port, .protocol = protocol};

	assert_int_equal(eg_addr_parse(address, &flow.family, &flow.addr), 0);
	return flow;
}

static void assert_reason_of(const char *text, const struct eg_flow *flow, enum eg_reason reason)
{
	struct case_of of = case_new(text, NULL);
	struct eg_decision decision = eg_eval(of.subject, flow, NULL);

	if (decision.reason != reason)
		fail_msg("reason %d, not %d, port %u, of:\n%s", decision.reason, reason, flow->port, text);
	case_free(&of);
}

static void assert_reason(const char *text, const char *address, uint16_t port, enum eg_reason reason)
{
	const struct eg_flow flow = flow_to(address, port, IPPROTO_TCP);

	assert_reason_of(text, &flow, reason);
}

#define assert_blocked(text, address, port) assert_reason(text, address, port, EG_REASON_BLOCKED_PASSTHROUGH_OFF)
#define assert_passes(text, address, port) assert_reason(text, address, port, EG_REASON_PASSTHROUGH)
#define assert_matched(text, address, port) assert_reason(text, address, port, EG_REASON_MATCHED)

static void the_mode_beats_the_mesh_both_ways(void **state)
{
	(void)state;
	assert_passes(WORKLOAD MESH("false") POLICY("p", ON_MESH, MODE("All")), "192.0.2.1", 80);
	assert_blocked(WORKLOAD MESH("true") POLICY("p", ON_MESH, MODE("None")), "192.0.2.1", 80);
	assert_blocked(WORKLOAD POLICY("p", ON_MESH, MODE("None")), "192.0.2.1", 80);
	assert_passes(WORKLOAD MESH("true") POLICY("p", "kind: MeshSubset, tags: {app: db}", MODE("None")), "192.0.2.1",
		      80);
}

static void matched_lets_out_what_its_list_names_and_nothing_else(void **state)
{
#define LIST WORKLOAD MESH("true") POLICY("p", ON_WEB, MATCHED(IP_PORT("192.0.2.1", "80") ", " IP("'fd00::1'")))
	(void)state;
	assert_matched(LIST, "192.0.2.1", 80);
	assert_matched(LIST, "::ffff:192.0.2.1", 80);
	assert_blocked(LIST, "192.0.2.1", 81);
	assert_blocked(LIST, "192.0.2.2", 80);
	assert_matched(LIST, "fd00::1", 1);
	assert_blocked(LIST, "fd00::2", 1);
}

static void a_match_is_about_tcp_alone(void **state)
{
	const struct eg_flow udp = flow_to("192.0.2.1", 80, IPPROTO_UDP);

	(void)state;
	assert_reason_of(LIST, &udp, EG_REASON_BLOCKED_PASSTHROUGH_OFF);
}

static void matched_with_an_empty_list_is_none(void **state)
{
	(void)state;
	assert_blocked(WORKLOAD POLICY("p", ON_MESH, MATCHED("")), "192.0.2.1", 80);
	assert_blocked(WORKLOAD POLICY("p", ON_MESH, ""), "192.0.2.1", 80);
}

static void the_list_has_no_effect_under_all_and_none(void **state)
{
	(void)state;
	assert_passes(WORKLOAD POLICY("p", ON_MESH, MODE("All") ", appendMatch: [" IP("192.0.2.1") "]"), "192.0.2.1",
		      80);
	assert_blocked(WORKLOAD POLICY("p", ON_MESH, MODE("None") ", appendMatch: [" IP("192.0.2.1") "]"), "192.0.2.1",
		       80);
}

static void of_several_policies_the_lists_add_up_and_the_most_specific_mode_counts(void **state)
{
#define BROAD POLICY("a", ON_MESH, MATCHED(IP("192.0.2.1")))
#define NARROW(mode) POLICY("b", ON_WEB, mode)
	(void)state;
	assert_matched(WORKLOAD BROAD NARROW(MATCHED(IP("192.0.2.2"))), "192.0.2.1", 80);
	assert_matched(WORKLOAD BROAD NARROW(MATCHED(IP("192.0.2.2"))), "192.0.2.2", 80);
	assert_blocked(WORKLOAD BROAD NARROW(MODE("None")), "192.0.2.1", 80);
	assert_passes(WORKLOAD BROAD NARROW(MODE("All")), "192.0.2.1", 80);
	assert_matched(WORKLOAD POLICY("a", ON_MESH, MODE("None")) NARROW(MATCHED(IP("192.0.2.2"))), "192.0.2.2", 80);
	/* Of two for the mesh the first by name has the last word. */
	assert_passes(WORKLOAD POLICY("b", ON_MESH, MODE("None")) POLICY("a", ON_MESH, MODE("All")), "192.0.2.1", 80);
	assert_passes(WORKLOAD POLICY("a", ON_MESH, MODE("All")) POLICY("b", ON_MESH, MODE("None")), "192.0.2.1", 80);
}

static void a_longer_prefix_never_hides_the_ports_of_a_shorter_one(void **state)
{
#define NESTED \
	WORKLOAD POLICY("p", ON_MESH, \
			MATCHED(CIDR_PORT("192.0.2.0/24", "443") ", " IP_PORT("192.0.2.1", "80") ", " \
				CIDR_PORT("192.0.0.0/16", "22")))
	(void)state;
	assert_matched(NESTED, "192.0.2.1", 443);
	assert_matched(NESTED, "192.0.2.1", 80);
	assert_matched(NESTED, "192.0.2.1", 22);
	assert_blocked(NESTED, "192.0.2.2", 80);
}

static void mesh_destinations_and_the_workloads_own_list_stay_reachable(void **state)
{
#define DATAPLANE \
	"---\ntype: Dataplane\nname: d\nnetworking:\n  address: 10.0.0.1\n" \
	"  inbound: [{port: 80, tags: {kuma.io/service: a}}]\n"
#define ALLOWING "type: Workload\nname: shop\ncgroup: /shop\nallow: [{cidr: 198.51.100.0/24}]\n"
	(void)state;
	assert_reason(WORKLOAD DATAPLANE POLICY("p", ON_MESH, MODE("None")), "10.0.0.1", 80, EG_REASON_MESH);
	assert_matched(ALLOWING POLICY("p", ON_MESH, MODE("None")), "198.51.100.1", 80);
	assert_matched(ALLOWING POLICY("p", ON_MESH, MATCHED(IP("192.0.2.1"))), "198.51.100.1", 80);
	assert_matched(ALLOWING POLICY("p", ON_MESH, MATCHED(IP("192.0.2.1"))), "192.0.2.1", 80);
}

#define REMOVE \
	"---\ntype: ProxyTemplate\nname: t\nconf:\n  modifications:\n" \
	"  - cluster: {operation: remove, match: {name: 'outbound:passthrough:ipv6'}}\n"

static void a_patch_takes_away_what_all_has_given(void **state)
{
	(void)state;
	/* Its cluster is gone; the other family is open by a rule of its own. */
	assert_blocked(WORKLOAD POLICY("p", ON_MESH, MODE("All")) REMOVE, "fd00::1", 80);
	assert_matched(WORKLOAD POLICY("p", ON_MESH, MODE("All")) REMOVE, "192.0.2.1", 80);
	/* Matched has clusters of its own. */
	assert_matched(WORKLOAD POLICY("p", ON_MESH, MATCHED(IP("'fd00::1'"))) REMOVE, "fd00::1", 80);
	assert_blocked(WORKLOAD POLICY("p", ON_MESH, MATCHED(IP("'fd00::1'"))) REMOVE, "192.0.2.1", 80);
}

static void a_flag_beats_the_policy_and_its_list(void **state)
{
	static const struct {
		bool flag;
		enum eg_reason reason;
	} cases[] = {{true, EG_REASON_PASSTHROUGH}, {false, EG_REASON_BLOCKED_PASSTHROUGH_OFF}};
	const struct eg_flow flow = flow_to("192.0.2.1", 80, IPPROTO_TCP);

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(cases); i++) {
		struct eg_rules_source source = {
			.name = "curl",
			.mesh = "default",
			.slot = 1,
			.passthrough = {true, cases[i].flag, {.file = "--passthrough"}},
		};
		struct case_of of = case_new(POLICY("p", ON_MESH, MATCHED(IP("192.0.2.1"))), &source);

		assert_int_equal(eg_eval(of.subject, &flow, NULL).reason, cases[i].reason);
		assert_null(of.subject->passthrough_policy);
		case_free(&of);
	}
}

static void a_command_without_a_workload_has_the_policies_of_its_mesh(void **state)
{
	const struct eg_rules_source source = {.name = "curl", .mesh = "default", .slot = 1};
	struct case_of of = case_new(POLICY("p", "kind: MeshSubset, tags: {kuma.io/service: curl}",
					    MATCHED(IP("192.0.2.1"))),
				     &source);
	const struct eg_flow inside = flow_to("192.0.2.1", 80, IPPROTO_TCP);
	const struct eg_flow outside = flow_to("192.0.2.2", 80, IPPROTO_TCP);

	(void)state;
	assert_int_equal(eg_eval(of.subject, &inside, NULL).reason, EG_REASON_MATCHED);
	assert_int_equal(eg_eval(of.subject, &outside, NULL).reason, EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	case_free(&of);
}

static void the_verdict_knows_the_entry_and_the_mode_its_line(void **state)
{
	struct case_of of = case_new(LIST, NULL);
	const struct eg_flow flow = flow_to("192.0.2.1", 80, IPPROTO_TCP);
	const struct eg_rule *rule;

	(void)state;
	eg_eval(of.subject, &flow, &rule);
	assert_non_null(rule);
	assert_int_equal(rule->origin.line, 14);
	assert_string_equal(of.subject->passthrough_policy->head.name, "p");
	assert_int_equal(of.subject->passthrough_origin.line, 14);
	case_free(&of);
}

/* --- generated documents --- */

enum {
	MODELS = 4000,
	FLOWS = 60
};

static struct eg_image *compile(const struct eg_ruleset *rules)
{
	static const struct eg_capacity roomy = {.max_entries = {1u << 20, 1u << 20, 1u << 20, 1u << 20}};
	struct eg_image *image = NULL;
	struct eg_diag diag = {};

	assert_int_equal(eg_image_compile(rules, &roomy, &diag, &image), 0);
	eg_diag_clear(&diag);
	return image;
}

/* Three readings of one policy: the documents themselves, the rules made of them, and the maps' content. */
static void compare_model(uint64_t seed, size_t counts[EG_REASON_COUNT])
{
	struct generator generator = generator_new(seed);
	_cleanup_(eg_model_freep) struct eg_model *model = generate_model(&generator);
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;

	assert_int_equal(eg_rules_resolve(model, NULL, 0, &rules), 0);
	image = compile(rules);
	for (int i = 0; i < FLOWS; i++) {
		const size_t place = generate_below(&generator, (uint32_t)rules->subjects.len);
		const struct eg_subject *subject = rules->subjects.items[place];
		const struct eg_flow flow = generate_flow(&generator, subject);
		enum eg_reason wanted = interpret_model(model, model->workloads.items[place], &flow);
		struct eg_decision by_rules = eg_eval(subject, &flow, NULL);
		struct eg_decision by_image = interpret_image(image, subject->slot, &flow);

		counts[wanted]++;
		if (by_rules.reason == wanted && memcmp(&by_rules, &by_image, sizeof(by_rules)) == 0)
			continue;
		generate_print(stderr, &generator, subject, &flow);
		fail_msg("workload %s: the documents say reason %d, the rules %d, the image %d", subject->name, wanted,
			 by_rules.reason, by_image.reason);
	}
}

static void rules_and_maps_decide_as_the_documents_say(void **state)
{
	static const enum eg_reason reasons[] = {
		EG_REASON_EXEMPT_LOOPBACK, EG_REASON_EXEMPT_RESOLVER, EG_REASON_EXEMPT_RULE, EG_REASON_MESH,
		EG_REASON_MATCHED,	   EG_REASON_PASSTHROUGH,     EG_REASON_BLOCKED_PASSTHROUGH_OFF,
	};
	size_t counts[EG_REASON_COUNT] = {};

	(void)state;
	for (uint64_t seed = 1; seed <= MODELS; seed++)
		compare_model(seed, counts);
	/* A comparison that hardly met a reason says nothing about it. */
	for (size_t i = 0; i < EG_COUNT_OF(reasons); i++)
		if (counts[reasons[i]] < (size_t)MODELS * FLOWS / 200)
			fail_msg("reason %d was met %zu times in %d", reasons[i], counts[reasons[i]], MODELS * FLOWS);
	print_message("# %d pairs: %zu mesh, %zu matched, %zu passthrough, %zu blocked\n", MODELS * FLOWS,
		      counts[EG_REASON_MESH], counts[EG_REASON_MATCHED], counts[EG_REASON_PASSTHROUGH],
		      counts[EG_REASON_BLOCKED_PASSTHROUGH_OFF]);
}

/* --- what is said of them --- */

static void domains_match_nothing_and_each_is_a_warning(void **state)
{
#define DOMAINS \
	"type: MeshPassthrough\nname: p\nspec:\n  default:\n    appendMatch:\n" \
	"    - {type: Domain, value: example.com, protocol: tls}\n    - {type: Domain, value: '*', protocol: tls}\n"
	(void)state;
	assert_findings(
		DOMAINS,
		"p.yaml:6:29: warning: spec.default.appendMatch[0].value: \"example.com\" matches nothing: egressd does "
		"not look up names; write the addresses\n"
		"p.yaml:7:29: warning: spec.default.appendMatch[1].value: \"*\" matches nothing: egressd does not look up "
		"names; write the addresses\n");
	assert_blocked(WORKLOAD "---\n" DOMAINS, "192.0.2.1", 443);
}

static void domains_are_errors_where_the_node_refuses_them(void **state)
{
	(void)state;
	assert_refused(DOMAINS "---\ntype: Node\nname: n\ndomains: refuse\n",
		       "p.yaml:6:29: error: spec.default.appendMatch[0].value: the Node refuses Domain entries, and "
		       "\"example.com\" is one");
}

static void a_list_without_effect_and_an_empty_one_are_warnings(void **state)
{
	(void)state;
	assert_findings("type: MeshPassthrough\nname: p\nspec:\n  default:\n    passthroughMode: None\n"
			"    appendMatch:\n    - {type: IP, value: 192.0.2.1}\n",
			"p.yaml:7:5: warning: spec.default.appendMatch: has no effect with passthroughMode None\n");
	assert_findings("type: MeshPassthrough\nname: p\nspec:\n  default:\n    passthroughMode: Matched\n",
			"p.yaml:5:22: warning: spec.default.appendMatch: is empty: this policy lets nothing out of the "
			"mesh, as with passthroughMode None\n");
}

static void a_policy_for_nobody_is_a_warning_and_one_in_the_shadow_a_note(void **state)
{
	(void)state;
	assert_findings(WORKLOAD POLICY("p", "kind: MeshSubset, tags: {app: db}", MODE("None")),
			"p.yaml:9:14: warning: spec.targetRef: selects no Workload of this policy: the MeshPassthrough "
			"changes nothing here\n");
	assert_findings("type: MeshPassthrough\nname: p\nlabels: {kuma.io/effect: shadow}\nspec:\n"
			"  default: {passthroughMode: None}\n",
			"p.yaml:1:1: note: is not applied: its label kuma.io/effect says shadow\n");
	assert_passes(WORKLOAD "---\ntype: MeshPassthrough\nname: p\nlabels: {kuma.io/effect: shadow}\nspec:\n"
			       "  default: {passthroughMode: None}\n",
		      "192.0.2.1", 80);
}

/* 1001 entries for each of 1000 Workloads, which share nothing. */
static void a_list_that_is_there_too_many_times_is_refused(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	fputs("type: MeshPassthrough\nname: p\nspec:\n  default:\n    appendMatch:\n", out);
	for (unsigned int i = 0; i < 1001; i++)
		fprintf(out, "    - {type: IP, value: 192.0.%u.%u}\n", i / 256, i % 256);
	for (unsigned int i = 0; i < 1000; i++)
		fprintf(out, "---\ntype: Workload\nname: w%u\ncgroup: /w%u\n", i, i);
	assert_int_equal(fclose(out), 0);
	assert_refused(text, "p.yaml:6:5: error: spec.default.appendMatch: more than 1000000 entries, those of each "
			     "Workload counted");
	free(text);
}

#define PATCH \
	"---\ntype: ProxyTemplate\nname: t\nconf:\n  modifications:\n" \
	"  - cluster: {operation: patch, match: {origin: transparent}, value: 'connect_timeout: 1s'}\n"

/* The line in which passthrough is said to be false; 0: nobody warns. */
static void assert_without_effect(const char *text, unsigned int line)
{
	struct policy *policy = policy_read(text);
	const char *warning = strstr(policy->findings, "no effect while passthrough is false");
	char place[32];

	snprintf(place, sizeof(place), "(p.yaml:%u:", line);
	if (!warning != (line == 0) || (warning && !strstr(warning, place)))
		fail_msg("line %u is wanted, of:\n%s\nfound:\n%s", line, text, policy->findings);
	policy_free(policy);
}

static void a_patch_is_without_effect_where_no_policy_lets_anything_out(void **state)
{
	(void)state;
	assert_without_effect(MESH("false") PATCH, 4);
	assert_without_effect(MESH("false") POLICY("p", ON_WEB, MODE("All")) PATCH, 0);
	assert_without_effect(MESH("false") POLICY("p", ON_WEB, MATCHED(IP("192.0.2.1"))) PATCH, 0);
	assert_without_effect(MESH("true") POLICY("p", ON_MESH, MODE("None")) PATCH, 10);
	assert_without_effect(MESH("true") POLICY("p", ON_WEB, MODE("None")) PATCH, 0);
	assert_without_effect(POLICY("p", ON_MESH, MODE("None")) POLICY("q", ON_WEB, MODE("All")) PATCH, 0);
}

static void two_of_one_name_are_refused(void **state)
{
	(void)state;
	assert_refused(POLICY("p", ON_MESH, MODE("None")) POLICY("p", ON_WEB, MODE("All")),
		       "MeshPassthrough \"p\" is already defined in p.yaml:2:1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mode_beats_the_mesh_both_ways),
		cmocka_unit_test(matched_lets_out_what_its_list_names_and_nothing_else),
		cmocka_unit_test(a_match_is_about_tcp_alone),
		cmocka_unit_test(matched_with_an_empty_list_is_none),
		cmocka_unit_test(the_list_has_no_effect_under_all_and_none),
		cmocka_unit_test(of_several_policies_the_lists_add_up_and_the_most_specific_mode_counts),
		cmocka_unit_test(a_longer_prefix_never_hides_the_ports_of_a_shorter_one),
		cmocka_unit_test(mesh_destinations_and_the_workloads_own_list_stay_reachable),
		cmocka_unit_test(a_patch_takes_away_what_all_has_given),
		cmocka_unit_test(a_flag_beats_the_policy_and_its_list),
		cmocka_unit_test(a_command_without_a_workload_has_the_policies_of_its_mesh),
		cmocka_unit_test(the_verdict_knows_the_entry_and_the_mode_its_line),
		cmocka_unit_test(rules_and_maps_decide_as_the_documents_say),
		cmocka_unit_test(domains_match_nothing_and_each_is_a_warning),
		cmocka_unit_test(domains_are_errors_where_the_node_refuses_them),
		cmocka_unit_test(a_list_without_effect_and_an_empty_one_are_warnings),
		cmocka_unit_test(a_policy_for_nobody_is_a_warning_and_one_in_the_shadow_a_note),
		cmocka_unit_test(a_list_that_is_there_too_many_times_is_refused),
		cmocka_unit_test(a_patch_is_without_effect_where_no_policy_lets_anything_out),
		cmocka_unit_test(two_of_one_name_are_refused),
	};

	return cmocka_run_group_tests_name("passthrough", tests, NULL, NULL);
}
