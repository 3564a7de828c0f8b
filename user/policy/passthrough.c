/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/passthrough.h"

#include <string.h>

const char *const eg_passthrough_modes[] = {
	[EG_PASSTHROUGH_ALL] = "All",
	[EG_PASSTHROUGH_MATCHED] = "Matched",
	[EG_PASSTHROUGH_NONE] = "None",
	NULL,
};

const struct eg_mesh_passthrough *eg_passthrough_select(const struct eg_model *model,
							const struct eg_identity *identity)
{
	const struct eg_mesh_passthrough *best = NULL;

	for (size_t i = 0; i < model->passthroughs.len; i++) {
		const struct eg_mesh_passthrough *policy = model->passthroughs.items[i];

		if (eg_target_selects(&policy->head, identity) &&
		    (!best || eg_target_compare(&best->head, &policy->head) < 0))
			best = policy;
	}
	return best;
}

/* --- meshes that nothing leaves --- */

static int add_closed(struct eg_closed_meshes *meshes, const char *mesh, const struct eg_origin *where)
{
	return eg_array_push(&meshes->list, {mesh, where, meshes->list.len});
}

/* For some workloads alone None says nothing of the mesh. */
static int add_policy(struct eg_closed_meshes *meshes, const struct eg_mesh_passthrough *policy)
{
	const struct eg_target *target = &policy->head.target;

	if (policy->head.is_shadow)
		return 0;
	if (policy->mode != EG_PASSTHROUGH_NONE)
		return add_closed(meshes, policy->head.mesh, NULL);
	if (target->kind == EG_TARGET_MESH && target->proxy_types == 0 && !policy->head.namespace)
		return add_closed(meshes, policy->head.mesh, &policy->mode_origin);
	return 0;
}

static int compare_closed(const void *a, const void *b)
{
	const struct eg_closed_mesh *x = a, *y = b;
	int order = strcmp(x->mesh, y->mesh);

	return order != 0 ? order : x->position < y->position ? -1 : x->position > y->position;
}

/* Of what is said of one mesh the last word holds, unless somebody lets something out. */
static void fold(struct eg_closed_meshes *meshes)
{
	struct eg_closed_mesh *list = meshes->list.items;
	size_t kept = 0;

	for (size_t i = 0; i < meshes->list.len; i++) {
		if (kept == 0 || strcmp(list[kept - 1].mesh, list[i].mesh) != 0)
			list[kept++] = list[i];
		else if (list[kept - 1].where)
			list[kept - 1].where = list[i].where;
	}
	meshes->list.len = kept;
}

int eg_closed_meshes_list(const struct eg_model *model, struct eg_closed_meshes *meshes)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < model->meshes.len; i++) {
		const struct eg_mesh *mesh = model->meshes.items[i];

		if (mesh->passthrough.is_set && !mesh->passthrough.value)
			r = add_closed(meshes, mesh->name, &mesh->passthrough.origin);
	}
	for (size_t i = 0; r == 0 && i < model->passthroughs.len; i++)
		r = add_policy(meshes, model->passthroughs.items[i]);
	if (r < 0)
		return r;
	if (meshes->list.len > 1)
		qsort(meshes->list.items, meshes->list.len, sizeof(meshes->list.items[0]), compare_closed);
	fold(meshes);
	return 0;
}

const struct eg_origin *eg_closed_meshes_find(const struct eg_closed_meshes *meshes, const char *mesh)
{
	size_t low = 0, high = meshes->list.len;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int order = strcmp(meshes->list.items[middle].mesh, mesh);

		if (order == 0)
			return meshes->list.items[middle].where;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

void eg_closed_meshes_clear(struct eg_closed_meshes *meshes)
{
	eg_array_clear(&meshes->list);
}

/* --- warnings --- */

static void warn_of_domains(const struct eg_model *model, const struct eg_mesh_passthrough *policy,
			    struct eg_diag *diag)
{
	const bool is_refused = model->node && model->node->refuses_domains;

	for (size_t i = 0; i < policy->domains.len; i++)
		eg_diag_add(diag, is_refused ? EG_SEVERITY_ERROR : EG_SEVERITY_WARNING, policy->domains.items[i].origin,
			    policy->domains.items[i].path,
			    is_refused ? "the Node refuses Domain entries, and \"%s\" is one: write the addresses"
				       : "\"%s\" matches nothing: egressd does not look up names; write the addresses",
			    policy->domains.items[i].name);
}

static void warn_of_list(const struct eg_mesh_passthrough *policy, struct eg_diag *diag)
{
	const bool is_empty = policy->matches.len == 0 && policy->domains.len == 0;

	if (policy->mode == EG_PASSTHROUGH_MATCHED && is_empty)
		eg_diag_add(diag, EG_SEVERITY_WARNING, policy->mode_origin, "spec.default.appendMatch",
			    "is empty: this policy lets nothing out of the mesh, as with passthroughMode None");
	if (policy->mode != EG_PASSTHROUGH_MATCHED && !is_empty)
		eg_diag_add(diag, EG_SEVERITY_WARNING, policy->matches_origin, "spec.default.appendMatch",
			    "has no effect with passthroughMode %s",
			    eg_passthrough_modes[policy->mode]);
}

void eg_passthrough_check(const struct eg_model *model, const struct eg_mesh_passthrough *policy, struct eg_diag *diag)
{
	warn_of_domains(model, policy, diag);
	warn_of_list(policy, diag);
}
