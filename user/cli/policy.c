/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/policy.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/findings.h"
#include "config/config.h"

int eg_cli_policy_load(const struct eg_paths *paths, struct eg_cli_policy *ret_policy)
{
	ret_policy->model = eg_model_new();
	if (!ret_policy->model)
		return -ENOMEM;
	if (paths->list.len == 0)
		return 0;
	return eg_config_load(paths->list.items, paths->list.len, ret_policy->model, &ret_policy->diag);
}

int eg_cli_policy_check(struct eg_cli_policy *policy, enum eg_completeness completeness)
{
	int r = eg_config_load_node_resolvers(policy->model, &policy->diag, &policy->resolvers, &policy->resolver_count);

	if (r < 0)
		return r;
	return eg_policy_check(policy->model, completeness, &policy->diag);
}

bool eg_cli_policy_is_usable(struct eg_cli_policy *policy)
{
	eg_findings_print(&policy->diag, stderr);
	return !eg_diag_has_errors(&policy->diag);
}

const char *eg_cli_policy_mesh(struct eg_cli_policy *policy, const struct eg_workload *workload)
{
	const struct eg_model *model = policy->model;

	if (workload)
		return workload->mesh;
	if (model->meshes.len == 0 || eg_model_find_mesh(model, EG_DEFAULT_MESH))
		return EG_DEFAULT_MESH;
	if (model->meshes.len > 1)
		eg_diag_add(&policy->diag, EG_SEVERITY_ERROR, model->meshes.items[0]->origin, NULL,
			    "the policy has %zu Meshes and none is called '" EG_DEFAULT_MESH
			    "': a Workload has to say which is meant", model->meshes.len);
	return model->meshes.items[0]->name;
}

/* What meets in a Workload of the documents was checked with them; a command may be none of these. */
static int check_patches(struct eg_cli_policy *policy, const struct eg_rules_source *source)
{
	const struct eg_identity identity = {.mesh = source->mesh, .name = source->name};
	_cleanup_(eg_shadows_clear) struct eg_shadows shadows = {};
	_cleanup_(eg_arena_clear) struct eg_arena arena = {};
	struct eg_patches patches;
	int r;

	if (source->workload)
		return 0;
	r = eg_patches_select(policy->model, &identity, &arena, &patches);
	if (r == 0)
		r = eg_patches_check(policy->model, &patches, &policy->diag);
	if (r == 0)
		r = eg_shadows_add(&shadows, &patches.templates, source->name, 1);
	eg_shadows_check(&shadows, &policy->diag);
	return r;
}

int eg_cli_policy_resolve(struct eg_cli_policy *policy, const struct eg_rules_source *source,
			  struct eg_ruleset **ret_rules)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	int r;

	*ret_rules = NULL;
	r = eg_diag_has_errors(&policy->diag) ? 0 : check_patches(policy, source);
	if (r < 0 || eg_diag_has_errors(&policy->diag))
		return r;
	r = eg_rules_resolve_sources(policy->model, source, 1, policy->resolvers, policy->resolver_count, &rules);
	if (r == 0)
		*ret_rules = TAKE_PTR(rules);
	return r;
}

void eg_cli_policy_clear(struct eg_cli_policy *policy)
{
	eg_model_free(policy->model);
	eg_diag_clear(&policy->diag);
	free(policy->resolvers);
}
