/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/support/policy.h"

/* One mistake, one message: what a misspelt field holds is not missing as well. */

static void a_misspelt_field_that_must_be_there_is_not_missing_too(void **state)
{
	(void)state;
	assert_findings("type: Dataplane\nname: d\nmesh: m\nnetworking:\n  address: 10.0.0.1\n  inbound:\n"
			"  - prot: 80\n    tags: {kuma.io/service: s}\n",
			"p.yaml:7:5: error: networking.inbound[0].prot: unknown field; did you mean \"port\"?\n");
	assert_findings("type: Dataplane\nname: d\nmesh: m\nnetworking:\n  adress: 10.0.0.1\n  inbound:\n"
			"  - port: 80\n    tags: {kuma.io/service: s}\n",
			"p.yaml:5:3: error: networking.adress: unknown field; did you mean \"address\"?\n");
}

static void a_misspelt_object_is_read_for_its_own_mistakes(void **state)
{
	(void)state;
	assert_findings("type: Dataplane\nname: d\nmesh: m\nnetworking:\n  address: 10.0.0.1\n  inbond:\n"
			"  - port: 0\n    tags: {kuma.io/service: s}\n",
			"p.yaml:6:3: error: networking.inbond: unknown field; did you mean \"inbound\"?\n"
			"p.yaml:7:11: error: networking.inbound[0].port: port must be in the range [1, 65535]\n");
	assert_findings("type: ProxyTemplate\nname: t\nmesh: m\nconf:\n  imports: [default-proxy]\n  modifications:\n"
			"  - clustr:\n      operaton: remove\n      match: {name: x}\n",
			"p.yaml:7:5: error: conf.modifications[0].clustr: unknown field; did you mean \"cluster\"?\n"
			"p.yaml:8:7: error: conf.modifications[0].cluster.operaton: unknown field; did you mean "
			"\"operation\"?\n"
			"p.yaml:9:14: warning: conf.modifications[0].cluster.match: matches no passthrough cluster, and "
			"egressd has no other: it changes nothing here\n");
}

static void a_misspelt_field_beside_the_right_one_does_not_replace_it(void **state)
{
	(void)state;
	assert_findings("type: Mesh\nname: m\nnetworking:\n  outbound:\n    passthrough: true\n    passtrough: 5\n",
			"p.yaml:6:5: error: networking.outbound.passtrough: unknown field; did you mean "
			"\"passthrough\"?\n");
}

static void a_misspelt_field_of_the_envelope_is_said_once(void **state)
{
	(void)state;
	assert_findings("type: Mesh\nnmae: m\n",
			"p.yaml:2:1: error: nmae: unknown field; did you mean \"name\"?\n");
	assert_findings("apiVersion: kuma.io/v1alpha1\nkind: Mesh\nmetdata: {name: m}\n",
			"p.yaml:3:1: error: metdata: unknown field; did you mean \"metadata\"?\n");
	assert_findings("apiVersion: kuma.io/v1alpha1\nkind: Dataplane\nmetadata: {name: m}\nspce:\n  networking: {}\n",
			"p.yaml:4:1: error: spce: unknown field; did you mean \"spec\"?\n"
			"p.yaml:5:15: error: spec.networking: has to contain at least one inbound interface or gateway\n"
			"p.yaml:5:15: error: spec.networking.address: address can't be empty\n");
}

static void the_two_forms_in_one_document_are_one_mistake(void **state)
{
	(void)state;
	assert_findings("type: Mesh\nkind: Mesh\nname: m\n",
			"p.yaml:1:1: error: has `type` (the Universal form) and `kind` (Kubernetes); remove one\n");
}

static void a_cgroup_that_is_refused_is_not_missing_too(void **state)
{
	(void)state;
	assert_findings("type: Workload\nname: w\nmesh: m\ncgroup: x/*\nunenrolled: refuse\n",
			"p.yaml:4:9: error: cgroup: must start with a slash: it is a path or a pattern below the cgroup "
			"v2 mount\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_misspelt_field_that_must_be_there_is_not_missing_too),
		cmocka_unit_test(a_misspelt_object_is_read_for_its_own_mistakes),
		cmocka_unit_test(a_misspelt_field_beside_the_right_one_does_not_replace_it),
		cmocka_unit_test(a_misspelt_field_of_the_envelope_is_said_once),
		cmocka_unit_test(the_two_forms_in_one_document_are_one_mistake),
		cmocka_unit_test(a_cgroup_that_is_refused_is_not_missing_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
