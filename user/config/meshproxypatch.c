/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/kinds.h"

#include <errno.h>

#include "base/cleanup.h"
#include "config/modification.h"
#include "config/targetref.h"

/* What can be said of a proxy as a whole: no inbounds, and nothing that is elsewhere. */
#define TARGETS \
	(EG_TARGET_BIT(MESH) | EG_TARGET_BIT(DATAPLANE) | EG_TARGET_BIT(MESH_SUBSET) | EG_TARGET_BIT(MESH_GATEWAY) | \
	 EG_TARGET_BIT(MESH_SERVICE) | EG_TARGET_BIT(MESH_SERVICE_SUBSET))

static int read_target_ref(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			   void *target)
{
	struct eg_proxy_patch *patch = target;

	(void)field;
	return eg_read_target_ref(reader, node, TARGETS, &patch->head.target);
}
static const struct eg_type target_ref_type = {"targetRef", read_target_ref};

static int read_modifications(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			      void *target)
{
	struct eg_proxy_patch *patch = target;

	(void)field;
	if (node->kind == EG_YAML_SEQUENCE && node->count == 0)
		eg_reader_error(reader, node, "must not be empty");
	return eg_patch_modifications_read(reader, node, &patch->modifications);
}
static const struct eg_type modifications_type = {"list of modifications", read_modifications};

static const struct eg_field default_fields[] = {
	{.name = "appendModifications",
	 .type = &modifications_type,
	 .fields = &eg_patch_modification_schema,
	 .missing = "must not be empty",
	 .doc = "Applied in their order, behind those of less specific MeshProxyPatches."},
};
static const struct eg_schema default_schema = {EG_SCHEMA_FIELDS(default_fields)};

/* Left out, it lacks what it should have had. */
static int finish_patch(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct eg_yaml_node *conf = eg_yaml_get(node, "default");
	size_t before;

	(void)target;
	if (!conf)
		conf = eg_find_misspelt(reader, &eg_mesh_proxy_patch_schema, node, "default");
	if (conf && !eg_yaml_is_null(conf))
		return 0;
	before = eg_path_enter(reader, "default");
	eg_reader_error_at(reader, node, "appendModifications", "must not be empty");
	eg_path_leave(reader, before);
	return 0;
}

static const struct eg_field patch_fields[] = {
	{.name = "targetRef",
	 .type = &target_ref_type,
	 .fields = &eg_target_ref_schema,
	 .fallback = "every workload of the mesh",
	 .doc = "Which workloads it is for."},
	{.name = "default", .type = &eg_type_object, .fields = &default_schema, .doc = "See its fields."},
};
const struct eg_schema eg_mesh_proxy_patch_schema = {
	.name = "MeshProxyPatch",
	.doc = "Changes of what Kuma generates for a proxy. All that select a workload apply, the least specific first.",
	EG_SCHEMA_FIELDS(patch_fields),
	.finish = finish_patch,
};

int eg_mesh_proxy_patch_read(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	struct eg_proxy_patch *patch = eg_arena_alloc(&reader->model->arena, sizeof(*patch));
	int r;

	if (!patch)
		return -ENOMEM;
	/* From here on the model frees what its lists hold. */
	r = eg_array_push(&reader->model->proxy_patches, patch);
	if (r == 0)
		r = eg_policy_head_read(reader, envelope, &patch->head);
	return r < 0 ? r : eg_read_object(reader, envelope->spec, &eg_mesh_proxy_patch_schema, patch);
}
