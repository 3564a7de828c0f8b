/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/selection.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/passthrough.h"
#include "policy/patch.h"
#include "policy/target.h"

/* What a file of 16 MiB could ask for takes hours, or all memory there is; these are seconds. */
#define PAIRS_MAX 50000000u        /* of a Workload and a policy that may be for it */
#define ENTRIES_MAX 1000000u       /* of lists, once for each Workload or mesh that has them */
#define MODIFICATIONS_MAX 1000000u /* once for each set of patches that some Workload has */

struct selection {
	const struct eg_model *model;
	struct eg_diag *diag;
	EG_ARRAY(const struct eg_dataplane *) dataplanes; /* sorted; none where no Workload names one */
	struct eg_identity *identities;			  /* of the model's Workloads, in their order */
	struct eg_closed_meshes closed;
};

static void selection_clear(struct selection *selection)
{
	eg_array_clear(&selection->dataplanes);
	free(selection->identities);
	eg_closed_meshes_clear(&selection->closed);
}

/* --- who there is --- */

static int compare_dataplanes(const void *a, const void *b)
{
	const struct eg_dataplane *x = *(const struct eg_dataplane *const *)a;
	const struct eg_dataplane *y = *(const struct eg_dataplane *const *)b;
	int order = strcmp(x->mesh, y->mesh);

	return order != 0 ? order : strcmp(x->name, y->name);
}

static bool names_dataplane(const struct eg_model *model)
{
	for (size_t i = 0; i < model->workloads.len; i++)
		if (model->workloads.items[i]->dataplane)
			return true;
	return false;
}

static int sort_dataplanes(struct selection *selection)
{
	const struct eg_model *model = selection->model;
	int r = 0;

	if (!names_dataplane(model))
		return 0;
	for (size_t i = 0; r == 0 && i < model->dataplanes.len; i++)
		r = eg_array_push(&selection->dataplanes, model->dataplanes.items[i]);
	if (r == 0 && selection->dataplanes.len > 1)
		qsort(selection->dataplanes.items, selection->dataplanes.len, sizeof(selection->dataplanes.items[0]),
		      compare_dataplanes);
	return r;
}

static const struct eg_dataplane *find_dataplane(const struct selection *selection, const struct eg_workload *workload)
{
	const struct eg_dataplane wanted = {.mesh = workload->mesh, .name = workload->dataplane}, *key = &wanted;
	const struct eg_dataplane **found;

	if (!workload->dataplane || selection->dataplanes.len == 0)
		return NULL;
	found = bsearch(&key, selection->dataplanes.items, selection->dataplanes.len, sizeof(key), compare_dataplanes);
	return found ? *found : NULL;
}

static int list_identities(struct selection *selection)
{
	const struct eg_model *model = selection->model;
	int r = sort_dataplanes(selection);

	if (r < 0)
		return r;
	selection->identities = calloc(model->workloads.len + 1, sizeof(selection->identities[0]));
	if (!selection->identities)
		return -ENOMEM;
	for (size_t i = 0; i < model->workloads.len; i++) {
		const struct eg_workload *workload = model->workloads.items[i];

		selection->identities[i] = (struct eg_identity){
			.mesh = workload->mesh,
			.name = workload->name,
			.workload = workload,
			.dataplane = find_dataplane(selection, workload),
		};
	}
	return 0;
}

/* --- too many --- */

static bool check_pairs(const struct selection *selection)
{
	const size_t workloads = selection->model->workloads.len;
	const size_t policies = selection->model->heads.len + selection->model->templates.len;

	if (workloads * policies <= PAIRS_MAX)
		return true;
	eg_diag_add(selection->diag, EG_SEVERITY_ERROR, (struct eg_origin){}, NULL,
		    "%zu Workloads and %zu policies that may be for each of them are too many together: more than %u "
		    "pairs; use fewer Workloads, with patterns", workloads, policies, PAIRS_MAX);
	return false;
}

static size_t count_matches(const struct selection *selection, const struct eg_mesh_passthrough *policy)
{
	size_t count = 0;

	for (size_t i = 0; policy->matches.len > 0 && i < selection->model->workloads.len; i++)
		if (eg_target_selects(&policy->head, &selection->identities[i]))
			count += policy->matches.len;
	return count;
}

static void check_matches(const struct selection *selection)
{
	const struct eg_model *model = selection->model;
	size_t entries = 0;

	for (size_t i = 0; i < model->passthroughs.len; i++) {
		const struct eg_mesh_passthrough *policy = model->passthroughs.items[i];

		entries += count_matches(selection, policy);
		if (entries <= ENTRIES_MAX)
			continue;
		eg_diag_add(selection->diag, EG_SEVERITY_ERROR, policy->matches_origin, "spec.default.appendMatch",
			    "more than %u entries, those of each Workload counted; use wider ranges, or fewer Workloads "
			    "with patterns", ENTRIES_MAX);
		return;
	}
}

static void check_outbounds(const struct selection *selection)
{
	size_t entries = 0;

	for (size_t i = 0; i < selection->model->workloads.len; i++) {
		const struct eg_identity *identity = &selection->identities[i];

		entries += identity->dataplane ? identity->dataplane->outbounds.len : 0;
		if (entries <= ENTRIES_MAX)
			continue;
		eg_diag_add(selection->diag, EG_SEVERITY_ERROR, identity->workload->dataplane_origin, "dataplane",
			    "more than %u outbounds of Dataplanes, those of each Workload counted; use fewer Workloads, "
			    "with patterns", ENTRIES_MAX);
		return;
	}
}

static void check_ranges(const struct selection *selection)
{
	const struct eg_node *node = selection->model->node;
	const size_t ranges = node ? node->mesh_cidrs.len + node->resolvers.len : 0;

	if (ranges * selection->model->meshes.len > ENTRIES_MAX)
		eg_diag_add(selection->diag, EG_SEVERITY_ERROR, node->origin, "meshCIDRs",
			    "more than %u ranges and resolvers, those of each Mesh counted; use wider ranges", ENTRIES_MAX);
}

/* --- policies for nobody --- */

static void warn_of_target(const struct selection *selection, const struct eg_policy_head *head)
{
	const struct eg_model *model = selection->model;

	if (head->is_shadow)
		return;
	for (size_t i = 0; i < model->workloads.len; i++)
		if (eg_target_selects(head, &selection->identities[i]))
			return;
	eg_diag_add(selection->diag, EG_SEVERITY_WARNING, head->target.origin, "spec.targetRef",
		    "selects no Workload of this policy: the %s changes nothing here", head->kind);
}

/* --- patches that meet in a workload --- */

static size_t weigh(const struct eg_modifications *modifications)
{
	size_t weight = 1;

	for (size_t i = 0; i < modifications->list.len; i++)
		weight += 1 + modifications->list.items[i].json_patch_count;
	return weight;
}

/* False, with a finding, when there are too many together with those that were counted before. */
static bool count_modifications(const struct selection *selection, const struct eg_identity *identity,
				const struct eg_patches *patches, size_t *count)
{
	const struct eg_proxy_template *template = eg_patches_template(patches);

	for (size_t i = 0; i < patches->len; i++)
		*count += weigh(&patches->items[i]->modifications);
	*count += patches->templates.len + (template ? weigh(&template->modifications) : 0);
	if (*count <= MODIFICATIONS_MAX)
		return true;
	eg_diag_add(selection->diag, EG_SEVERITY_ERROR, identity->workload->origin, NULL,
		    "more than %u modifications by MeshProxyPatches and ProxyTemplates, those of each set that meets "
		    "in a Workload counted; "
		    "use fewer Workloads, with patterns", MODIFICATIONS_MAX);
	return false;
}

/* Patches that some Workloads have. */
struct met_list {
	struct eg_patches patches; /* the first member: it is found by them */
	const char *workload;	   /* the first of them */
	size_t workloads;
};

/* All lists that were met, in their order, and how much they say. */
struct met {
	struct eg_arena arena;
	EG_ARRAY(struct met_list *) lists;
	void *tree; /* tsearch() tree of the same */
	size_t modifications;
};

static void met_clear(struct met *met)
{
	eg_arena_drop_tree(met->tree);
	eg_array_clear(&met->lists);
	eg_arena_clear(&met->arena);
}

static int check_new_list(const struct selection *selection, const struct eg_identity *identity,
			  const struct eg_patches *patches, struct met *met)
{
	struct met_list *list = eg_arena_alloc(&met->arena, sizeof(*list));
	int r = list ? eg_patches_copy(patches, &met->arena, &list->patches) : -ENOMEM;

	if (r == 0)
		r = eg_array_push(&met->lists, list);
	if (r < 0)
		return r;
	list->workload = identity->name;
	list->workloads = 1;
	if (!tsearch(list, &met->tree, eg_patches_compare))
		return -ENOMEM;
	if (!count_modifications(selection, identity, patches, &met->modifications))
		return -E2BIG;
	return eg_patches_check(selection->model, patches, selection->diag);
}

/* Most workloads have the same: what was said of it need not be found again. */
static int check_patches_of(const struct selection *selection, const struct eg_identity *identity, struct met *met)
{
	_cleanup_(eg_arena_clear) struct eg_arena arena = {};
	struct eg_patches patches;
	struct met_list **found;
	int r = eg_patches_select(selection->model, identity, &arena, &patches);

	if (r < 0)
		return r;
	found = tfind(&patches, &met->tree, eg_patches_compare);
	if (!found)
		return check_new_list(selection, identity, &patches, met);
	(*found)->workloads++;
	return 0;
}

static int warn_of_shadows(const struct met *met, struct eg_diag *diag)
{
	_cleanup_(eg_shadows_clear) struct eg_shadows shadows = {};
	int r = 0;

	for (size_t i = 0; r == 0 && i < met->lists.len; i++)
		r = eg_shadows_add(&shadows, &met->lists.items[i]->patches.templates, met->lists.items[i]->workload,
				   met->lists.items[i]->workloads);
	eg_shadows_check(&shadows, diag);
	return r;
}

static int check_patches_of_workloads(const struct selection *selection)
{
	_cleanup_(met_clear) struct met met = {};
	const struct eg_model *model = selection->model;
	int r = 0;

	if (model->templates.len == 0 && model->proxy_patches.len == 0)
		return 0;
	for (size_t i = 0; r == 0 && i < model->workloads.len; i++)
		r = check_patches_of(selection, &selection->identities[i], &met);
	if (r == -E2BIG)
		return 0;
	return r < 0 ? r : warn_of_shadows(&met, selection->diag);
}

/* --- patches by themselves, and together in their mesh --- */

/* By mesh; those that are never applied stand behind the others, which are in the order in which they apply. */
static int compare_patches(const void *a, const void *b)
{
	const struct eg_policy_head *x = &(*(const struct eg_proxy_patch *const *)a)->head;
	const struct eg_policy_head *y = &(*(const struct eg_proxy_patch *const *)b)->head;
	int order = strcmp(x->mesh, y->mesh);

	if (order == 0)
		order = x->is_shadow - y->is_shadow;
	return order != 0 ? order : eg_target_compare(x, y);
}

/* Without a workload nobody knows yet which of them will meet, nor whether. */
static int check_patches_of_mesh(const struct selection *selection, const struct eg_proxy_patch **patches, size_t count)
{
	struct eg_patches all = {.items = patches};

	eg_proxy_patches_check(patches, count, eg_closed_meshes_find(&selection->closed, patches[0]->head.mesh),
			       selection->diag);
	if (selection->model->workloads.len > 0)
		return 0;
	while (all.len < count && !patches[all.len]->head.is_shadow)
		all.len++;
	return eg_patches_check(selection->model, &all, selection->diag);
}

static int check_patches_of_meshes(const struct selection *selection)
{
	const size_t count = selection->model->proxy_patches.len, size = sizeof(struct eg_proxy_patch *);
	_cleanup_free_ const struct eg_proxy_patch **patches = calloc(count + 1, size);
	int r = 0;

	if (!patches)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		patches[i] = selection->model->proxy_patches.items[i];
	qsort(patches, count, size, compare_patches);
	for (size_t i = 0, end; r == 0 && i < count; i = end) {
		for (end = i + 1; end < count && strcmp(patches[end]->head.mesh, patches[i]->head.mesh) == 0;)
			end++;
		r = check_patches_of_mesh(selection, patches + i, end - i);
	}
	return r;
}

static int check_templates(const struct selection *selection)
{
	const struct eg_model *model = selection->model;
	int r = 0;

	for (size_t i = 0; r == 0 && i < model->templates.len; i++) {
		const struct eg_proxy_template *template = model->templates.items[i];

		r = eg_template_check(model, template, eg_closed_meshes_find(&selection->closed, template->mesh),
				      selection->diag);
	}
	return r;
}

int eg_selection_check(const struct eg_model *model, enum eg_completeness completeness, struct eg_diag *diag)
{
	_cleanup_(selection_clear) struct selection selection = {.model = model, .diag = diag};
	/* A set without workloads may be loaded beside others; a command's own is not written anywhere. */
	const bool has_all = model->workloads.len > 0 && completeness != EG_SET_RUN;
	int r = list_identities(&selection);

	if (r == 0)
		r = eg_closed_meshes_list(model, &selection.closed);
	if (r == 0)
		r = check_templates(&selection);
	if (r == 0)
		r = check_patches_of_meshes(&selection);
	check_ranges(&selection);
	if (r < 0 || !check_pairs(&selection))
		return r;
	check_matches(&selection);
	check_outbounds(&selection);
	for (size_t i = 0; has_all && i < model->heads.len; i++)
		warn_of_target(&selection, model->heads.items[i]);
	return check_patches_of_workloads(&selection);
}
