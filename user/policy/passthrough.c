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

const struct eg_origin *eg_passthrough_closed(const struct eg_model *model, const char *mesh_name)
{
	const struct eg_mesh *mesh = eg_model_find_mesh(model, mesh_name);
	const struct eg_origin *closed = NULL;

	if (mesh && mesh->passthrough.is_set && !mesh->passthrough.value)
		closed = &mesh->passthrough.origin;
	for (size_t i = 0; i < model->passthroughs.len; i++) {
		const struct eg_mesh_passthrough *policy = model->passthroughs.items[i];
		const struct eg_target *target = &policy->head.target;

		if (policy->head.is_shadow || strcmp(policy->head.mesh, mesh_name) != 0)
			continue;
		if (policy->mode != EG_PASSTHROUGH_NONE)
			return NULL;
		if (target->kind == EG_TARGET_MESH && target->proxy_types == 0 && !policy->head.namespace)
			closed = &policy->mode_origin;
	}
	return closed;
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
