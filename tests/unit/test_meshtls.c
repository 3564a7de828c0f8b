/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/support/policy.h"

#define POLICY "type: MeshTLS\nname: p\nspec:\n"

static void what_is_right_is_taken_without_a_word(void **state)
{
	(void)state;
	assert_findings(POLICY "  targetRef: {kind: Mesh}\n  rules:\n  - default:\n      mode: Permissive\n"
			       "      tlsVersion: {min: TLS11, max: TLS12}\n"
			       "      tlsCiphers: [ECDHE-RSA-AES256-GCM-SHA384]\n",
			"");
	assert_findings(POLICY "  from:\n  - targetRef: {kind: Mesh}\n    default: {mode: Strict}\n",
			"");
	assert_findings("apiVersion: kuma.io/v1alpha1\nkind: MeshTLS\nmetadata: {name: p, namespace: kuma-system}\n"
			"spec: {targetRef: {kind: MeshSubset, tags: {app: a}}, rules: [{default: {mode: Strict}}]}\n",
			"");
}

#define DEFAULT(conf) POLICY "  rules: [{default: {" conf "}}]\n"

static void words_that_kuma_does_not_know_are_refused_in_its_words(void **state)
{
	(void)state;
	assert_refused(DEFAULT("mode: strict"),
		       "spec.rules[0].default.mode: \"mode\" must be one of [\"Strict\", \"Permissive\"]");
	assert_refused(DEFAULT("tlsVersion: {min: TLS15}"),
		       "spec.rules[0].default.tlsVersion.min: \"min\" must be one of [\"TLSAuto\", \"TLS10\", \"TLS11\", "
		       "\"TLS12\", \"TLS13\"]");
	assert_refused(DEFAULT("tlsCiphers: [Fast]"),
		       "spec.rules[0].default.tlsCiphers[0]: \"tlsCiphers\" must be one of "
		       "[\"ECDHE-ECDSA-AES128-GCM-SHA256\", ");
	assert_refused(DEFAULT("moed: Strict"), "spec.rules[0].default.moed: unknown field; did you mean \"mode\"?");
}

static void versions_and_ciphers_are_for_the_whole_mesh(void **state)
{
#define FOR_SOME POLICY "  targetRef: {kind: Dataplane, labels: {app: a}}\n  rules: [{default: {"
	(void)state;
	assert_refused(FOR_SOME "tlsVersion: {min: TLS12}}}]\n",
		       "spec.rules[0].default.tlsVersion: tlsVersion can only be defined with top level targetRef kind: "
		       "Mesh");
	assert_refused(FOR_SOME "tlsCiphers: [ECDHE-RSA-AES256-GCM-SHA384]}}]\n",
		       "spec.rules[0].default.tlsCiphers: tlsCiphers can only be defined with top level targetRef kind: "
		       "Mesh");
	assert_accepted(FOR_SOME "mode: Strict, tlsCiphers: []}}]\n");
}

static void rules_and_from_cannot_stand_beside_each_other(void **state)
{
	(void)state;
	assert_refused(POLICY "  rules: [{default: {mode: Strict}}]\n  from: [{targetRef: {kind: Mesh}}]\n",
		       "p.yaml:4:3: error: spec: field 'from' must be empty when 'rules' is defined");
	assert_refused(POLICY "  from: [{targetRef: {kind: MeshService, name: a}}]\n",
		       "spec.from[0].targetRef.kind: value 'MeshService' is not supported");
	assert_refused(POLICY "  from: [{default: {mode: Strict}}]\n", "spec.from[0].targetRef: must be defined");
}

static void an_inbound_can_be_named_by_a_policy_that_is_about_inbounds(void **state)
{
#define INBOUND POLICY "  targetRef: {kind: Dataplane, sectionName: http}\n"
	(void)state;
	assert_findings(INBOUND "  rules: [{default: {mode: Strict}}]\n",
			"p.yaml:4:45: warning: spec: its mode changes nothing here: one inbound is not told apart from the "
			"others\n");
	assert_findings(POLICY "  targetRef: {kind: Dataplane, section_name: http}\n  rules: [{default: {mode: Strict}}]\n",
			"p.yaml:4:46: warning: spec: its mode changes nothing here: one inbound is not told apart from the "
			"others\n");
	assert_findings(POLICY "  targetRef: {kind: Dataplane, sectionName: }\n  rules: [{default: {mode: Strict}}]\n", "");
	assert_refused(INBOUND, "spec.targetRef.sectionName: can only be used with inbound policies");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_right_is_taken_without_a_word),
		cmocka_unit_test(words_that_kuma_does_not_know_are_refused_in_its_words),
		cmocka_unit_test(versions_and_ciphers_are_for_the_whole_mesh),
		cmocka_unit_test(rules_and_from_cannot_stand_beside_each_other),
		cmocka_unit_test(an_inbound_can_be_named_by_a_policy_that_is_about_inbounds),
	};

	return cmocka_run_group_tests_name("meshtls", tests, NULL, NULL);
}
