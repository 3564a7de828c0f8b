/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The targetRef of policies: how it is written, whom it selects, and which of two is the more specific. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../lib/support/policy.h"
#include "base/cleanup.h"
#include "config/targetref.h"
#include "policy/target.h"

/* The kinds that MeshPassthrough takes, and all. */
#define USUAL (EG_TARGET_BIT(MESH) | EG_TARGET_BIT(DATAPLANE) | EG_TARGET_BIT(MESH_SUBSET))
#define ALL (EG_TARGET_SECTIONS - 1)

/* Reads `text` as the targetRef at `ref`. */
static void read_ref(struct eg_model *model, struct eg_diag *diag, const char *text, unsigned int takes,
		     struct eg_target *target)
{
	_cleanup_(eg_yaml_closep) struct eg_yaml_stream *stream = eg_yaml_open("r.yaml", text, strlen(text), diag);
	struct eg_reader reader = {.model = model, .diag = diag, .file = "r.yaml"};
	const struct eg_yaml_node *node;

	assert_non_null(stream);
	assert_int_equal(eg_yaml_next(stream, &node), 1);
	eg_path_enter(&reader, "ref");
	assert_int_equal(eg_read_target_ref(&reader, node, takes, target), 0);
}

/* All that is said of a targetRef, word for word. */
static void assert_said(const char *text, unsigned int takes, const char *expected)
{
	_cleanup_(eg_model_freep) struct eg_model *model = eg_model_new();
	_cleanup_free_ char *said = NULL;
	struct eg_target target = {};
	struct eg_diag diag = {};
	size_t len;
	FILE *out = open_memstream(&said, &len);

	assert_non_null(model);
	assert_non_null(out);
	read_ref(model, &diag, text, takes, &target);
	eg_diag_print(&diag, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(said, expected);
	eg_diag_clear(&diag);
}

#define ERROR(path, text) "r.yaml:1:1: error: " path ": " text "\n"

static void a_kind_that_the_policy_does_not_take_is_refused_in_kumas_words(void **state)
{
	(void)state;
	assert_said("{}", USUAL, ERROR("ref.kind", "must be defined"));
	assert_said("{kind: ''}", USUAL, "r.yaml:1:8: error: ref.kind: must be defined\n");
	assert_said("{kind: MeshServiceSubset, name: a}", USUAL,
		    "r.yaml:1:8: error: ref.kind: value 'MeshServiceSubset' is not supported\n");
	assert_said("{kind: MeshSubse}", USUAL,
		    "r.yaml:1:8: error: ref.kind: value 'MeshSubse' is not supported; did you mean \"MeshSubset\"?\n");
	assert_said("{kind: Mesh, tgas: {}}", USUAL,
		    "r.yaml:1:14: error: ref.tgas: unknown field; did you mean \"tags\"?\n");
}

static void what_cannot_be_said_of_a_kind_is_refused_in_kumas_words(void **state)
{
	(void)state;
	assert_said("{kind: Mesh, proxyTypes: [Sidecar, Gateway]}", USUAL, "");
	assert_said("{kind: Mesh, name: a}", USUAL,
		    "r.yaml:1:20: error: ref.name: using name with kind Mesh is not yet supported\n");
	assert_said("{kind: Mesh, tags: {a: b}}", USUAL,
		    "r.yaml:1:20: error: ref.tags: must not be set with kind Mesh\n");
	assert_said("{kind: Mesh, tags: {}, labels: {}, name: '', sectionName: ''}", USUAL, "");
	assert_said("{kind: Dataplane, proxyTypes: [Sidecar]}", USUAL,
		    "r.yaml:1:31: error: ref.proxyTypes: must not be set with kind Dataplane\n");
	assert_said("{kind: MeshSubset, labels: {a: b}}", USUAL,
		    "r.yaml:1:28: error: ref.labels: must not be set with kind MeshSubset\n");
	assert_said("{kind: MeshExternalService, labels: {a: b}, sectionName: p}", ALL,
		    "r.yaml:1:58: error: ref.sectionName: must not be set with kind MeshExternalService\n");
	assert_said("{kind: MeshService}", ALL, ERROR("ref.name", "must be set with kind MeshService"));
	assert_said("{kind: MeshService, name: A}", ALL,
		    "r.yaml:1:27: error: ref.name: invalid characters: must consist of lower case alphanumeric "
		    "characters, '-', '.' and '_'.\n");
	assert_said("{kind: Mesh, proxyTypes: [Router]}", USUAL,
		    "r.yaml:1:27: error: ref.proxyTypes[0]: must be Sidecar or Gateway, not \"Router\"\n");
}

static void labels_stand_for_a_name_and_not_beside_one(void **state)
{
	(void)state;
	assert_said("{kind: Dataplane, labels: {app: a}}", USUAL, "");
	assert_said("{kind: Dataplane, name: a, labels: {app: a}}", USUAL,
		    "r.yaml:1:36: error: ref.labels: either labels or name and namespace must be specified\n");
	assert_said("{kind: MeshExternalService, name: a, labels: {app: a}}", ALL,
		    "r.yaml:1:46: error: ref.labels: either labels or name must be specified\n");
	assert_said("{kind: MeshService, labels: {app: a}, sectionName: p}", ALL,
		    "r.yaml:1:52: error: ref.sectionName: sectionName should not be combined with labels\n");
}

static void only_policies_about_inbounds_may_name_one(void **state)
{
	(void)state;
	assert_said("{kind: Dataplane, sectionName: p}", USUAL,
		    "r.yaml:1:32: error: ref.sectionName: can only be used with inbound policies\n");
	assert_said("{kind: Dataplane, sectionName: p}", USUAL | EG_TARGET_SECTIONS, "");
}

static void tags_and_labels_are_texts(void **state)
{
	(void)state;
	assert_said("{kind: MeshSubset, tags: {v: 1}}", USUAL,
		    "r.yaml:1:30: error: ref.tags[\"v\"]: must be a text, and 1 is a number: write \"1\"\n");
	assert_said("{kind: Dataplane, labels: {v: true}}", USUAL,
		    "r.yaml:1:31: error: ref.labels[\"v\"]: must be a text, and true is a boolean: write \"true\"\n");
	assert_said("{kind: Dataplane, labels: [a]}", USUAL,
		    "r.yaml:1:27: error: ref.labels: must be a mapping of label names to values, not a list\n");
}

/* --- whom it selects --- */

/* Whether a policy with this targetRef, in a namespace or NULL, is for the first workload of a text. */
static bool selects_from(const char *namespace, const char *workloads, const char *ref)
{
	struct policy *policy = policy_read(workloads);
	const struct eg_workload *workload = policy->model->workloads.items[0];
	struct eg_policy_head head = {.kind = "Any", .name = "p", .mesh = "default", .namespace = namespace};
	const struct eg_identity identity = {
		.mesh = workload->mesh,
		.name = workload->name,
		.workload = workload,
		.dataplane = workload->dataplane
				     ? eg_model_find_dataplane(policy->model, workload->mesh, workload->dataplane)
				     : NULL,
	};
	bool result;

	assert_string_equal(policy->findings, "");
	read_ref(policy->model, &policy->diag, ref, ALL, &head.target);
	assert_false(eg_diag_has_errors(&policy->diag));
	result = eg_target_selects(&head, &identity);
	policy_free(policy);
	return result;
}

static bool selects(const char *workloads, const char *ref)
{
	return selects_from(NULL, workloads, ref);
}

#define WORKLOAD "type: Workload\nname: shop\ncgroup: /shop\n"
#define TAGGED WORKLOAD "tags: {kuma.io/service: web, v: '1'}\n"
#define AS_DATAPLANE \
	WORKLOAD "dataplane: d\n---\ntype: Dataplane\nname: d\nlabels: {app: shop}\nnetworking:\n" \
		 "  address: 10.0.0.1\n  inbound:\n  - {port: 1, tags: {kuma.io/service: a, v: '1'}}\n" \
		 "  - {port: 2, tags: {kuma.io/service: b}}\n"
#define GATEWAY \
	WORKLOAD "dataplane: g\n---\ntype: Dataplane\nname: g\nnetworking:\n  address: 10.0.0.1\n" \
		 "  gateway: {tags: {kuma.io/service: gate}}\n"

#define TAGLESS_GATEWAY(gateway) \
	WORKLOAD "dataplane: g\n---\ntype: Dataplane\nname: g\nnetworking: {address: 10.0.0.1, gateway: " gateway "}\n"

static void mesh_selects_every_workload_of_the_policys_mesh(void **state)
{
	(void)state;
	assert_true(selects(WORKLOAD, "{kind: Mesh}"));
	assert_true(selects(AS_DATAPLANE, "{kind: Mesh}"));
	assert_false(selects(WORKLOAD "mesh: other\n---\ntype: Mesh\nname: other\n", "{kind: Mesh}"));
}

static void mesh_subset_selects_by_the_tags_of_one_inbound(void **state)
{
	(void)state;
	assert_true(selects(TAGGED, "{kind: MeshSubset, tags: {kuma.io/service: web, v: '*'}}"));
	assert_false(selects(TAGGED, "{kind: MeshSubset, tags: {v: '2'}}"));
	assert_false(selects(TAGGED, "{kind: MeshSubset, tags: {zone: '*'}}"));
	assert_true(selects(WORKLOAD, "{kind: MeshSubset, tags: {kuma.io/service: shop}}"));
	assert_true(selects(WORKLOAD, "{kind: MeshSubset}"));
	assert_true(selects(AS_DATAPLANE, "{kind: MeshSubset, tags: {kuma.io/service: a, v: '1'}}"));
	assert_false(selects(AS_DATAPLANE, "{kind: MeshSubset, tags: {kuma.io/service: b, v: '1'}}"));
}

static void dataplane_selects_by_name_by_labels_or_all(void **state)
{
	(void)state;
	assert_true(selects(AS_DATAPLANE, "{kind: Dataplane}"));
	assert_true(selects(AS_DATAPLANE, "{kind: Dataplane, name: d}"));
	assert_false(selects(AS_DATAPLANE, "{kind: Dataplane, name: shop}"));
	assert_true(selects(WORKLOAD, "{kind: Dataplane, name: shop}"));
	assert_true(selects(AS_DATAPLANE, "{kind: Dataplane, labels: {app: shop}}"));
	assert_true(selects(WORKLOAD "labels: {app: shop}\n", "{kind: Dataplane, labels: {app: shop}}"));
	assert_false(selects(AS_DATAPLANE, "{kind: Dataplane, labels: {app: shop, tier: front}}"));
	assert_false(selects(AS_DATAPLANE, "{kind: Dataplane, labels: {app: '*'}}"));
}

static void a_tag_is_a_label_too_as_it_is_for_pods(void **state)
{
	(void)state;
	assert_true(selects(TAGGED, "{kind: Dataplane, labels: {v: '1'}}"));
	assert_true(selects(AS_DATAPLANE, "{kind: Dataplane, labels: {v: '1', app: shop}}"));
	assert_true(selects(WORKLOAD, "{kind: Dataplane, labels: {kuma.io/service: shop}}"));
}

#define NAMESPACED \
	WORKLOAD "dataplane: d.front\n---\napiVersion: kuma.io/v1alpha1\nkind: Dataplane\n" \
		 "metadata: {name: d, namespace: front, labels: {app: shop}}\nspec:\n" \
		 "  networking: {address: 10.0.0.1, inbound: [{port: 1, tags: {kuma.io/service: a}}]}\n"

static void a_name_is_looked_for_in_its_namespace_or_in_the_policys(void **state)
{
	(void)state;
	assert_true(selects(NAMESPACED, "{kind: Dataplane, name: d, namespace: front}"));
	assert_false(selects(NAMESPACED, "{kind: Dataplane, name: d, namespace: back}"));
	assert_false(selects(NAMESPACED, "{kind: Dataplane, name: d}"));
	assert_true(selects(NAMESPACED, "{kind: Dataplane, name: d.front}"));
	assert_true(selects_from("front", NAMESPACED, "{kind: Dataplane, name: d}"));
	assert_false(selects(NAMESPACED, "{kind: Dataplane, namespace: front}"));
}

static void a_policy_in_a_namespace_is_for_the_workloads_of_that_one(void **state)
{
	(void)state;
	assert_true(selects_from("front", NAMESPACED, "{kind: Dataplane, labels: {app: shop}}"));
	assert_false(selects_from("back", NAMESPACED, "{kind: Dataplane, labels: {app: shop}}"));
	assert_false(selects_from("back", WORKLOAD "tags: {k8s.kuma.io/namespace: front}\n", "{kind: Mesh}"));
	assert_true(selects_from("back", WORKLOAD, "{kind: Mesh}"));
}

static void services_are_selected_by_their_tag(void **state)
{
	(void)state;
	assert_true(selects(TAGGED, "{kind: MeshService, name: web}"));
	assert_false(selects(TAGGED, "{kind: MeshService, name: shop}"));
	assert_false(selects(TAGGED, "{kind: MeshService, labels: {v: '1'}}"));
	assert_true(selects(TAGGED, "{kind: MeshServiceSubset, name: web, tags: {v: '1'}}"));
	assert_false(selects(TAGGED, "{kind: MeshServiceSubset, name: web, tags: {v: '2'}}"));
	assert_false(selects(AS_DATAPLANE, "{kind: MeshServiceSubset, name: b, tags: {v: '1'}}"));
}

static void kinds_that_are_no_workload_select_none(void **state)
{
	(void)state;
	assert_false(selects(TAGGED, "{kind: MeshGateway, name: web}"));
	assert_false(selects(TAGGED, "{kind: MeshHTTPRoute, name: web}"));
	assert_false(selects(TAGGED, "{kind: MeshExternalService, name: web}"));
	assert_false(selects(TAGGED, "{kind: MeshMultiZoneService, name: web}"));
}

static void proxy_types_tell_gateways_from_the_rest(void **state)
{
	(void)state;
	assert_true(selects(AS_DATAPLANE, "{kind: Mesh, proxyTypes: [Sidecar]}"));
	assert_false(selects(AS_DATAPLANE, "{kind: Mesh, proxyTypes: [Gateway]}"));
	assert_false(selects(GATEWAY, "{kind: Mesh, proxyTypes: [Sidecar]}"));
	assert_true(selects(GATEWAY, "{kind: Mesh, proxyTypes: [Gateway]}"));
	assert_true(selects(TAGLESS_GATEWAY("{type: DELEGATED}"), "{kind: Mesh, proxyTypes: [Gateway]}"));
	assert_false(selects(TAGLESS_GATEWAY("{}"), "{kind: Mesh, proxyTypes: [Sidecar]}"));
	assert_true(selects(GATEWAY, "{kind: MeshSubset, tags: {kuma.io/service: gate}, proxyTypes: [Sidecar, Gateway]}"));
}

/* --- which is the more specific --- */

static struct eg_policy_head head_of(enum eg_target_kind kind, const char *namespace, const char *name)
{
	return (struct eg_policy_head){
		.name = name, .display_name = name, .namespace = namespace, .target.kind = kind};
}

/* Each of them has the last word over all before it. */
static void specificity_is_by_kind_then_namespace_then_the_first_by_name(void **state)
{
	const struct eg_policy_head heads[] = {
		head_of(EG_TARGET_MESH, NULL, "b"),
		head_of(EG_TARGET_MESH, NULL, "a"),
		head_of(EG_TARGET_MESH, "shop", "c"),
		head_of(EG_TARGET_DATAPLANE, NULL, "z"),
		head_of(EG_TARGET_MESH_SUBSET, NULL, "z"),
		head_of(EG_TARGET_MESH_GATEWAY, NULL, "z"),
		head_of(EG_TARGET_MESH_SERVICE, NULL, "z"),
		head_of(EG_TARGET_MESH_SERVICE_SUBSET, NULL, "z"),
		head_of(EG_TARGET_MESH_HTTP_ROUTE, NULL, "z"),
	};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(heads); i++)
		for (size_t j = i + 1; j < EG_COUNT_OF(heads); j++) {
			assert_true(eg_target_compare(&heads[i], &heads[j]) < 0);
			assert_true(eg_target_compare(&heads[j], &heads[i]) > 0);
		}
}

/* a.x and a-b.x are called a and a-b. */
static void names_are_compared_without_their_namespace(void **state)
{
	const struct eg_policy_head a = {.name = "a.x", .display_name = "a"};
	const struct eg_policy_head a_b = {.name = "a-b.x", .display_name = "a-b"};

	(void)state;
	assert_true(eg_target_compare(&a_b, &a) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kind_that_the_policy_does_not_take_is_refused_in_kumas_words),
		cmocka_unit_test(what_cannot_be_said_of_a_kind_is_refused_in_kumas_words),
		cmocka_unit_test(labels_stand_for_a_name_and_not_beside_one),
		cmocka_unit_test(only_policies_about_inbounds_may_name_one),
		cmocka_unit_test(tags_and_labels_are_texts),
		cmocka_unit_test(mesh_selects_every_workload_of_the_policys_mesh),
		cmocka_unit_test(mesh_subset_selects_by_the_tags_of_one_inbound),
		cmocka_unit_test(dataplane_selects_by_name_by_labels_or_all),
		cmocka_unit_test(a_tag_is_a_label_too_as_it_is_for_pods),
		cmocka_unit_test(a_name_is_looked_for_in_its_namespace_or_in_the_policys),
		cmocka_unit_test(a_policy_in_a_namespace_is_for_the_workloads_of_that_one),
		cmocka_unit_test(services_are_selected_by_their_tag),
		cmocka_unit_test(kinds_that_are_no_workload_select_none),
		cmocka_unit_test(proxy_types_tell_gateways_from_the_rest),
		cmocka_unit_test(specificity_is_by_kind_then_namespace_then_the_first_by_name),
		cmocka_unit_test(names_are_compared_without_their_namespace),
	};

	return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
