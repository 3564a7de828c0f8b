/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../lib/support/policy.h"

static void both_envelopes_say_the_same(void **state)
{
	static const char universal[] = "type: Mesh\nname: a\nnetworking: {outbound: {passthrough: false}}\n";
	static const char kubernetes[] =
		"apiVersion: kuma.io/v1alpha1\nkind: Mesh\nmetadata: {name: a, annotations: {x: y}}\n"
		"spec: {networking: {outbound: {passthrough: false}}}\n";
	static const char *const texts[] = {universal, kubernetes};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct policy *policy = policy_read(texts[i]);

		assert_string_equal(policy->findings, "");
		assert_string_equal(policy->model->meshes.items[0]->name, "a");
		assert_true(policy->model->meshes.items[0]->passthrough.is_set);
		assert_false(policy->model->meshes.items[0]->passthrough.value);
		policy_free(policy);
	}
}

static void paths_in_the_kubernetes_form_begin_with_spec(void **state)
{
	(void)state;
	assert_findings("apiVersion: kuma.io/v1alpha1\nkind: Mesh\nmetadata: {name: a}\nspec:\n  networking:\n    "
			"outbuond: {}\n",
			"p.yaml:6:5: error: spec.networking.outbuond: unknown field; did you mean \"outbound\"?\n");
}

static void spec_in_a_universal_document_is_refused_and_not_ignored(void **state)
{
	(void)state;
	assert_refused("type: Mesh\nname: a\nspec: {networking: {outbound: {passthrough: false}}}\n",
		       "p.yaml:3:7: error: spec: a Mesh with `type` has its fields beside `type`");
}

static void a_document_without_a_kind_is_refused(void **state)
{
	(void)state;
	assert_refused("name: a\n", "p.yaml:1:1: error: has neither `type`");
	assert_refused("- a\n", "must be a mapping");
	assert_refused("text\n", "must be a mapping");
	assert_refused("type: Mesh\nkind: Mesh\nname: a\n", "remove one");
}

static void the_mesh_is_default_when_it_is_left_out(void **state)
{
	struct policy *policy = policy_read("type: Workload\nname: w\ncgroup: /w\n");

	(void)state;
	assert_string_equal(policy->findings, "");
	assert_string_equal(policy->model->workloads.items[0]->mesh, "default");
	policy_free(policy);
}

static void a_namespaced_name_is_name_dot_namespace(void **state)
{
	struct policy *policy = policy_read("apiVersion: kuma.io/v1alpha1\nkind: Dataplane\nmesh: m\n"
					    "metadata: {name: a, namespace: shop}\n"
					    "spec: {networking: {address: 10.0.0.1, inbound: [{port: 80}]}}\n");

	(void)state;
	assert_string_equal(policy->findings, "");
	assert_non_null(eg_model_find_dataplane(policy->model, "m", "a.shop"));
	policy_free(policy);
}

static void the_label_names_the_mesh_where_the_field_is_missing(void **state)
{
	struct policy *policy = policy_read("apiVersion: kuma.io/v1alpha1\nkind: Dataplane\n"
					    "metadata: {name: a, labels: {kuma.io/mesh: m}}\n"
					    "spec: {networking: {address: 10.0.0.1, inbound: [{port: 80}]}}\n");

	(void)state;
	assert_string_equal(policy->findings, "");
	assert_string_equal(policy->model->dataplanes.items[0]->mesh, "m");
	policy_free(policy);
}

static void a_field_and_a_label_that_name_two_meshes_are_a_warning(void **state)
{
	struct policy *policy = policy_read("type: Workload\nname: w\ncgroup: /w\nmesh: a\n"
					    "labels: {kuma.io/mesh: b}\n");

	(void)state;
	assert_string_equal(policy->findings, "p.yaml:5:24: warning: the label kuma.io/mesh says \"b\", but the field "
					      "mesh says \"a\" and counts\n");
	assert_string_equal(policy->model->workloads.items[0]->mesh, "a");
	policy_free(policy);
	assert_findings("type: Workload\nname: w\ncgroup: /w\nmesh: a\nlabels: {kuma.io/mesh: a}\n", "");
}

static void a_misplaced_field_is_shown_the_way_into_the_spec(void **state)
{
	(void)state;
	assert_refused("apiVersion: kuma.io/v1alpha1\nkind: Mesh\nmetadata: {name: a}\nnetworking: {}\n",
		       "p.yaml:4:1: error: networking: unknown field here; did you mean \"spec.networking\"?");
	assert_refused("apiVersion: kuma.io/v1alpha1\nkind: Mesh\nmetadata: {name: a}\nspec: {passthrough: false}\n",
		       "spec.passthrough: unknown field here; did you mean \"spec.networking.outbound.passthrough\"?");
}

static void labels_are_texts_and_know_their_namespace(void **state)
{
	struct policy *policy = policy_read("apiVersion: kuma.io/v1alpha1\nkind: Dataplane\n"
					    "metadata: {name: a, namespace: shop, labels: {app: web}}\n"
					    "spec: {networking: {address: 10.0.0.1, inbound: [{port: 80}]}}\n");
	const struct eg_tags *labels = &policy->model->dataplanes.items[0]->labels;

	(void)state;
	assert_string_equal(policy->findings, "");
	assert_string_equal(eg_tags_find(labels, "app"), "web");
	assert_string_equal(eg_tags_find(labels, "k8s.kuma.io/namespace"), "shop");
	policy_free(policy);
	assert_refused("type: Mesh\nname: a\nlabels: {v: 1}\n",
		       "p.yaml:3:13: error: labels[\"v\"]: must be a text, and 1 is a number: write \"1\"");
	assert_refused("apiVersion: kuma.io/v1alpha1\nkind: Mesh\nmetadata: {name: a, labels: [v]}\n",
		       "metadata.labels: must be a mapping of label names to values, not a list");
}

static void a_kind_of_ours_needs_our_api_version(void **state)
{
	(void)state;
	assert_accepted("apiVersion: egressd.io/v1alpha1\nkind: Workload\nmetadata: {name: w}\nspec: {cgroup: /w}\n");
	assert_accepted("api_version: egressd.io/v1alpha1\nkind: Workload\nmetadata: {name: w}\nspec: {cgroup: /w}\n");
	assert_refused("apiVersion: kuma.io/v1alpha1\nkind: Workload\nmetadata: {name: w}\nspec: {cgroup: /w}\n",
		       "p.yaml:1:13: error: apiVersion: the apiVersion of a Workload must be egressd.io/v1alpha1");
	assert_refused("kind: Mesh\nmetadata: {name: w}\n", "the apiVersion of a Mesh must be kuma.io/v1alpha1");
}

static void names_have_a_form(void **state)
{
	(void)state;
	assert_refused("type: Mesh\n", "p.yaml:1:1: error: name: cannot be empty");
	assert_refused("type: Mesh\nname: a/b\n", "p.yaml:2:7: error: name: invalid characters");
	assert_refused("apiVersion: kuma.io/v1alpha1\nkind: Mesh\nmetadata: {}\n", "metadata.name: cannot be empty");
	assert_refused("apiVersion: kuma.io/v1alpha1\nkind: Mesh\n", "metadata: must be defined");
}

static void unknown_fields_beside_the_spec_are_refused(void **state)
{
	(void)state;
	assert_refused("apiVersion: kuma.io/v1alpha1\nkind: Mesh\nmetadata: {name: a}\nspce: {}\n",
		       "p.yaml:4:1: error: spce: unknown field; did you mean \"spec\"?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_envelopes_say_the_same),
		cmocka_unit_test(paths_in_the_kubernetes_form_begin_with_spec),
		cmocka_unit_test(spec_in_a_universal_document_is_refused_and_not_ignored),
		cmocka_unit_test(a_document_without_a_kind_is_refused),
		cmocka_unit_test(the_mesh_is_default_when_it_is_left_out),
		cmocka_unit_test(a_namespaced_name_is_name_dot_namespace),
		cmocka_unit_test(the_label_names_the_mesh_where_the_field_is_missing),
		cmocka_unit_test(a_field_and_a_label_that_name_two_meshes_are_a_warning),
		cmocka_unit_test(a_misplaced_field_is_shown_the_way_into_the_spec),
		cmocka_unit_test(labels_are_texts_and_know_their_namespace),
		cmocka_unit_test(a_kind_of_ours_needs_our_api_version),
		cmocka_unit_test(names_have_a_form),
		cmocka_unit_test(unknown_fields_beside_the_spec_are_refused),
	};

	return cmocka_run_group_tests_name("envelope", tests, NULL, NULL);
}
