/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../lib/support/policy.h"

#define MESH "type: Mesh\nname: default\n"

static void passthrough_left_out_is_not_set(void **state)
{
	struct policy *policy = policy_read(MESH);

	(void)state;
	assert_false(policy->model->meshes.items[0]->passthrough.is_set);
	policy_free(policy);
}

static void passthrough_knows_its_place(void **state)
{
	struct policy *policy = policy_read(MESH "networking:\n  outbound:\n    passthrough: false\n");
	struct eg_optional_bool passthrough = policy->model->meshes.items[0]->passthrough;

	(void)state;
	assert_true(passthrough.is_set);
	assert_false(passthrough.value);
	assert_string_equal(passthrough.origin.file, "p.yaml");
	assert_int_equal(passthrough.origin.line, 5);
	assert_int_equal(passthrough.origin.column, 18);
	policy_free(policy);
}

static void misspelt_passthrough_is_refused_wherever_it_stands(void **state)
{
	(void)state;
	assert_refused(MESH "networking: {outbound: {passtrough: false}}\n",
		       "networking.outbound.passtrough: unknown field; did you mean \"passthrough\"?");
	assert_refused(MESH "passtrhough: false\n",
		       "passtrhough: unknown field here; did you mean \"networking.outbound.passthrough\"?");
	assert_refused(MESH "networking: {passthrough: false}\n", "did you mean \"networking.outbound.passthrough\"?");
}

static void parts_that_are_not_read_are_accepted(void **state)
{
	(void)state;
	assert_findings(MESH "metrics: {enabledBackend: x}\ntracing: {a: 1}\nlogging: []\nconstraints: {}\n"
			     "meshServices: {mode: Everywhere}\nskipCreatingInitialPolicies: ['*']\n"
			     "routing: {localityAwareLoadBalancing: true}\n",
			"");
}

static void mtls_of_any_mode_is_taken_without_a_word(void **state)
{
	(void)state;
	assert_findings(
		MESH
		"mtls:\n  enabledBackend: ca-1\n  backends:\n  - name: ca-1\n    type: builtin\n    mode: PERMISSIVE\n"
		"    dpCert: {rotation: {expiration: 1d}}\n    conf: {caCert: {RSAbits: 2048}}\n",
		"");
}

static void mtls_backends_follow_kumas_rules(void **state)
{
	(void)state;
	assert_refused(MESH "mtls: {backends: [{name: a}, {name: b}]}\n",
		       "mtls.backends: cannot have more than 1 backends");
	assert_refused(MESH "mtls: {enabledBackend: b, backends: [{name: a}]}\n",
		       "mtls.enabledBackend: has to be set to one of the backends in the mesh");
	assert_refused(MESH "mtls: {backends: [{type: builtin}]}\n", "mtls.backends[0].name: cannot be empty");
	assert_refused(MESH "mtls: {backends: [{name: a, mode: Strict}]}\n",
		       "mtls.backends[0].mode: unknown value \"Strict\"");
	assert_refused(MESH "mtls: {backends: [{name: a, dpCert: {rotation: {expiration: 1 day}}}]}\n",
		       "mtls.backends[0].dpCert.rotation.expiration: has to be a valid format");
	assert_refused(MESH "routing: {zoneEgress: true}\n", "mtls: has to be set when zoneEgress enabled");
}

static void values_of_the_wrong_form_are_refused(void **state)
{
	(void)state;
	assert_refused(MESH "networking: 5\n", "networking: must be a mapping of fields, not a number");
	assert_refused(MESH "mtls: []\n", "mtls: must be a mapping of fields, not a list");
	assert_refused(MESH "mtls: {backends: {name: a}}\n", "mtls.backends: must be a list, not a mapping");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passthrough_left_out_is_not_set),
		cmocka_unit_test(passthrough_knows_its_place),
		cmocka_unit_test(misspelt_passthrough_is_refused_wherever_it_stands),
		cmocka_unit_test(parts_that_are_not_read_are_accepted),
		cmocka_unit_test(mtls_of_any_mode_is_taken_without_a_word),
		cmocka_unit_test(mtls_backends_follow_kumas_rules),
		cmocka_unit_test(values_of_the_wrong_form_are_refused),
	};

	return cmocka_run_group_tests_name("mesh", tests, NULL, NULL);
}
