/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Any texts as what modifications of a ProxyTemplate or MeshProxyPatch say, in their
 * `value` or as jsonPatches: findings, or clusters with settings that can be enforced.
 *
 * The first byte says of which kind the policy is. Behind it stand modifications with a
 * form feed between two: a byte for what is changed and how, one for by what, the text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/support/fuzz.h"
#include "base/cleanup.h"
#include "config/modification.h"
#include "config/yaml.h"
#include "policy/check.h"
#include "policy/cluster.h"
#include "policy/rules.h"

#define FILE_NAME "p.yaml"
#define MODIFICATIONS_MAX 16
#define SEPARATOR '\f'

/* A policy under construction. */
struct draft {
	struct eg_model *model;
	struct eg_diag diag;
	bool is_newer; /* a MeshProxyPatch */
	const struct eg_yaml_node *items[MODIFICATIONS_MAX];
	uint32_t count;
	struct eg_yaml_stream *streams[MODIFICATIONS_MAX]; /* of jsonPatches, which live as long */
};

static void draft_clear(struct draft *draft)
{
	for (size_t i = 0; i < MODIFICATIONS_MAX; i++)
		eg_yaml_close(draft->streams[i]);
	eg_model_free(draft->model);
	eg_diag_clear(&draft->diag);
}

static void *allocate(struct draft *draft, size_t size)
{
	void *memory = eg_arena_alloc(&draft->model->arena, size);

	fuzz_check(memory);
	return memory;
}

/* --- nodes, as if somebody had written them --- */

static struct eg_yaml_node *new_node(struct draft *draft, enum eg_yaml_kind kind)
{
	struct eg_yaml_node *node = allocate(draft, sizeof(*node));

	node->kind = kind;
	node->line = draft->count + 1;
	node->column = 1;
	return node;
}

static struct eg_yaml_node *new_scalar(struct draft *draft, const char *text)
{
	struct eg_yaml_node *node = new_node(draft, EG_YAML_SCALAR);

	node->text = text;
	return node;
}

#define PAIRS_MAX 4

static struct eg_yaml_node *new_mapping(struct draft *draft)
{
	struct eg_yaml_node *node = new_node(draft, EG_YAML_MAPPING);

	node->items = allocate(draft, 2 * PAIRS_MAX * sizeof(node->items[0]));
	return node;
}

static void add_pair(struct draft *draft, struct eg_yaml_node *mapping, const char *key,
		     const struct eg_yaml_node *value)
{
	fuzz_check(mapping->count < 2 * PAIRS_MAX);
	mapping->items[mapping->count++] = new_scalar(draft, key);
	mapping->items[mapping->count++] = value;
}

/* --- modifications --- */

static const char *const kinds[] = {"cluster", "networkFilter", "listener", "httpFilter"};
static const char *const operations[] = {"patch", "patch", "add", "remove", "addFirst", "addLast", "addBefore", "?"};
static const char *const newer_operations[] = {"Patch",    "Patch",   "Add",       "Remove",
					       "AddFirst", "AddLast", "AddBefore", "?"};

static const struct eg_yaml_node *build_match(struct draft *draft, const char *kind, unsigned int choice)
{
	static const char *const names[] = {"outbound:passthrough:ipv4", "outbound:passthrough:ipv6", "pass_through"};
	static const char *const origins[] = {"transparent", "proxy-template-modifications", "mesh-proxy-patch"};
	struct eg_yaml_node *match = new_mapping(draft);

	if (strcmp(kind, "networkFilter") == 0) {
		add_pair(draft, match, "name", new_scalar(draft, "envoy.filters.network.tcp_proxy"));
		if (choice % 4 < EG_COUNT_OF(names))
			add_pair(draft, match, "listenerName", new_scalar(draft, names[choice % 4]));
	} else if (choice % 4 < EG_COUNT_OF(names)) {
		add_pair(draft, match, "name", new_scalar(draft, names[choice % 4]));
	}
	if (choice / 4 % 4 < EG_COUNT_OF(origins))
		add_pair(draft, match, "origin", new_scalar(draft, origins[choice / 4 % 4]));
	return match;
}

/* NULL: the text is no YAML. */
static const struct eg_yaml_node *read_yaml(struct draft *draft, const char *text)
{
	const struct eg_yaml_node *root = NULL;
	struct eg_yaml_stream *stream = eg_yaml_open(FILE_NAME, text, strlen(text), &draft->diag);

	fuzz_check(stream);
	draft->streams[draft->count] = stream;
	return eg_yaml_next(stream, &root) > 0 ? root : NULL;
}

static void add_content(struct draft *draft, struct eg_yaml_node *change, unsigned int choice, const char *text)
{
	const struct eg_yaml_node *json_patches = choice & 1 ? read_yaml(draft, text) : NULL;

	if (json_patches)
		add_pair(draft, change, "jsonPatches", json_patches);
	else if (!(choice & 2))
		add_pair(draft, change, "value", new_scalar(draft, text));
}

/* Each of the first two bytes is some choices. */
static void add_modification(struct draft *draft, const char *text)
{
	const unsigned int what = (uint8_t)text[0], how = what ? (uint8_t)text[1] : 0;
	const char *kind = kinds[what % EG_COUNT_OF(kinds)];
	const unsigned int operation = what / EG_COUNT_OF(kinds) % EG_COUNT_OF(operations);
	struct eg_yaml_node *change = new_mapping(draft), *item = new_mapping(draft);

	add_pair(draft, change, "operation",
		 new_scalar(draft, draft->is_newer ? newer_operations[operation] : operations[operation]));
	if (how & 64)
		add_pair(draft, change, "match", build_match(draft, kind, how / 4));
	add_content(draft, change, how, how ? text + 2 : "");
	add_pair(draft, item, kind, change);
	draft->items[draft->count++] = item;
}

static void add_modifications(struct draft *draft, char *text)
{
	for (char *next = text; next && draft->count < MODIFICATIONS_MAX; text = next) {
		next = strchr(text, SEPARATOR);
		if (next)
			*next++ = '\0';
		add_modification(draft, text);
	}
}

/* --- policies --- */

static void push_template(struct draft *draft, struct eg_reader *reader, const struct eg_yaml_node *list)
{
	struct eg_proxy_template *template = allocate(draft, sizeof(*template));

	template->name = "t";
	template->mesh = EG_DEFAULT_MESH;
	template->origin = template->mesh_origin = (struct eg_origin){FILE_NAME, 1, 1};
	template->imports_proxy = true;
	fuzz_check(eg_array_push(&draft->model->templates, template) == 0);
	fuzz_check(eg_template_modifications_read(reader, list, &template->modifications) == 0);
}

static void push_patch(struct draft *draft, struct eg_reader *reader, const struct eg_yaml_node *list)
{
	struct eg_proxy_patch *patch = allocate(draft, sizeof(*patch));

	patch->head = (struct eg_policy_head){
		.kind = "MeshProxyPatch",
		.name = "p",
		.display_name = "p",
		.mesh = EG_DEFAULT_MESH,
		.origin = {FILE_NAME, 1, 1},
		.mesh_origin = {FILE_NAME, 1, 1},
		.target = {.kind = EG_TARGET_MESH, .origin = {FILE_NAME, 1, 1}},
	};
	fuzz_check(eg_array_push(&draft->model->proxy_patches, patch) == 0);
	fuzz_check(eg_array_push(&draft->model->heads, &patch->head) == 0);
	fuzz_check(eg_patch_modifications_read(reader, list, &patch->modifications) == 0);
}

static void push_workload(struct draft *draft)
{
	struct eg_workload *workload = allocate(draft, sizeof(*workload));
	struct eg_mesh *mesh = allocate(draft, sizeof(*mesh));

	mesh->name = EG_DEFAULT_MESH;
	mesh->origin = (struct eg_origin){FILE_NAME, 1, 1};
	workload->name = "w";
	workload->mesh = EG_DEFAULT_MESH;
	workload->cgroup = "/w";
	workload->origin = workload->mesh_origin = (struct eg_origin){FILE_NAME, 1, 1};
	fuzz_check(eg_array_push(&draft->model->meshes, mesh) == 0);
	fuzz_check(eg_array_push(&draft->model->resources, {"Mesh", "", mesh->name, mesh->origin}) == 0);
	fuzz_check(eg_array_push(&draft->model->workloads, workload) == 0);
}

static void read_policy(struct draft *draft)
{
	struct eg_yaml_node *list = new_node(draft, EG_YAML_SEQUENCE);
	size_t addresses = 0, text_bytes = 0;
	struct eg_reader reader = {
		.model = draft->model,
		.diag = &draft->diag,
		.file = FILE_NAME,
		.addresses = &addresses,
		.text_bytes = &text_bytes,
	};

	list->items = draft->items;
	list->count = draft->count;
	push_workload(draft);
	if (draft->is_newer)
		push_patch(draft, &reader, list);
	else
		push_template(draft, &reader, list);
	fuzz_check(reader.path_len == 0 && reader.path[0] == '\0');
}

/* --- what came out of it --- */

static void check_cluster(const struct eg_subject *subject, uint32_t family)
{
	const struct eg_cluster_policy *cluster = eg_subject_cluster(subject, family), defaults = EG_DEFAULT_CLUSTER;
	const struct eg_origin *origins = eg_subject_origins(subject, family);

	fuzz_check(cluster->connect_timeout_ms > 0);
	fuzz_check(!(cluster->flags & EG_CLUSTER_LIMITS_REQUESTS) == !origins[EG_SETTING_MAX_REQUESTS].file);
	fuzz_check(!(cluster->flags & EG_CLUSTER_LIMITS_RETRIES) == !origins[EG_SETTING_MAX_RETRIES].file);
	for (enum eg_setting setting = 0; setting < EG_SETTING_COUNT; setting++)
		fuzz_check(origins[setting].file ||
			   eg_cluster_get(cluster, setting) == eg_cluster_get(&defaults, setting));
}

/* What was checked can be put in force. */
static void resolve(const struct draft *draft)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;

	fuzz_check(eg_rules_resolve(draft->model, NULL, 0, &rules) == 0);
	check_cluster(rules->subjects.items[0], EG_FAMILY_IPV4);
	check_cluster(rules->subjects.items[0], EG_FAMILY_IPV6);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_(draft_clear) struct draft draft = {.model = eg_model_new()};
	_cleanup_free_ char *text = fuzz_text(bytes, len);

	fuzz_check(draft.model);
	if (text[0] == '\0')
		return 0;
	draft.is_newer = text[0] & 1;
	add_modifications(&draft, text + 1);
	read_policy(&draft);
	fuzz_check(eg_policy_check(draft.model, EG_SET_WHOLE, &draft.diag) == 0);
	if (!eg_diag_has_errors(&draft.diag))
		resolve(&draft);
	return 0;
}
