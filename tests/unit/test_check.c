/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/support/policy.h"

#define DATAPLANE(name, mesh) \
	"type: Dataplane\nname: " name "\nmesh: " mesh "\nnetworking: {address: 10.0.0.1, inbound: [{port: 80}]}\n"

static void assert_findings_as(const char *text, enum eg_completeness completeness, const char *expected)
{
	struct policy *policy = policy_read_as(text, completeness);

	assert_string_equal(policy->findings, expected);
	policy_free(policy);
}

static void the_same_name_twice_is_refused_with_both_places(void **state)
{
	(void)state;
	assert_findings(
		"type: Mesh\nname: a\n---\ntype: Mesh\nname: a\n",
		"p.yaml:4:1: error: Mesh \"a\" is already defined in p.yaml:1:1; rename or remove one of them\n");
	assert_refused(DATAPLANE("d", "default") "---\n" DATAPLANE("d", "default"),
		       "Dataplane \"d\" is already defined");
	assert_refused("type: Workload\nname: w\ncgroup: /a\n---\ntype: Workload\nname: w\ncgroup: /b\n",
		       "Workload \"w\" is already defined");
}

static void the_same_name_in_two_meshes_is_two_dataplanes(void **state)
{
	(void)state;
	assert_findings(
		"type: Mesh\nname: a\n---\ntype: Mesh\nname: b\n---\n" DATAPLANE("d", "a") "---\n" DATAPLANE("d", "b"),
		"");
}

static void two_workloads_cannot_have_one_cgroup(void **state)
{
	(void)state;
	assert_refused("type: Workload\nname: v\ncgroup: /a\n---\ntype: Workload\nname: w\ncgroup: /a\n",
		       "a Workload with cgroup \"/a\" is already defined in p.yaml:1:1");
}

static void a_document_by_itself_lacks_nothing(void **state)
{
	(void)state;
	assert_findings(DATAPLANE("d", "elsewhere"), "");
	assert_findings("type: Workload\nname: w\ncgroup: /w\nmesh: elsewhere\ndataplane: d\n", "");
}

static void an_undefined_mesh_is_refused_in_a_set(void **state)
{
	(void)state;
	assert_findings("type: Mesh\nname: default\n---\n" DATAPLANE("d", "defualt"),
			"p.yaml:4:1: error: mesh: mesh \"defualt\" is not defined; did you mean \"default\"?\n");
}

static void the_default_mesh_is_implied_where_no_mesh_is_defined(void **state)
{
	static const char without[] = DATAPLANE("d", "default") "---\ntype: Workload\nname: w\ncgroup: /w\n";
	static const char with_another[] = "type: Mesh\nname: other\n---\n" DATAPLANE("d", "default");

	(void)state;
	assert_findings_as(without, EG_SET_PART, "");
	assert_findings_as(without, EG_SET_RUN, "");
	assert_refused(with_another, "mesh \"default\" is not defined");
}

static void the_daemon_needs_every_mesh_and_a_workload(void **state)
{
	(void)state;
	assert_findings_as("type: Workload\nname: w\ncgroup: /w\n", EG_SET_WHOLE,
			   "p.yaml:1:1: error: mesh: mesh \"default\" is not defined; add it, or name one that is\n");
	assert_findings_as("type: Mesh\nname: default\n", EG_SET_WHOLE,
			   "error: the policy has no Workload: nothing would be enforced\n");
	assert_findings_as("type: Mesh\nname: default\n---\ntype: Workload\nname: w\ncgroup: /w\n", EG_SET_WHOLE, "");
}

static void an_undefined_dataplane_is_refused_in_a_set(void **state)
{
	(void)state;
	assert_refused(DATAPLANE("backend", "default") "---\ntype: Workload\nname: w\ncgroup: /w\ndataplane: backnd\n",
		       "p.yaml:9:12: error: dataplane: Dataplane \"backnd\" is not defined; did you mean \"backend\"?");
}

static void a_large_set_is_checked_in_time(void **state)
{
	const size_t count = 50000;
	char *text = malloc(count * 200);
	struct policy *policy;
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < count; i++)
		len += (size_t)sprintf(text + len,
				       "--- {type: Dataplane, name: d%zu, networking: {address: 10.0.0.1, inbound: "
				       "[{port: 80}]}}\n--- {type: Workload, name: w%zu, cgroup: /w%zu, dataplane: "
				       "e%zu}\n",
				       i, i, i, i);
	policy = policy_read(text);
	assert_int_equal(policy->diag.errors, count);
	policy_free(policy);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_name_twice_is_refused_with_both_places),
		cmocka_unit_test(the_same_name_in_two_meshes_is_two_dataplanes),
		cmocka_unit_test(two_workloads_cannot_have_one_cgroup),
		cmocka_unit_test(a_document_by_itself_lacks_nothing),
		cmocka_unit_test(an_undefined_mesh_is_refused_in_a_set),
		cmocka_unit_test(the_default_mesh_is_implied_where_no_mesh_is_defined),
		cmocka_unit_test(the_daemon_needs_every_mesh_and_a_workload),
		cmocka_unit_test(an_undefined_dataplane_is_refused_in_a_set),
		cmocka_unit_test(a_large_set_is_checked_in_time),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
