/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/suggest.h"
#include "policy/passthrough.h"
#include "policy/patch.h"
#include "policy/target.h"

/* In larger sets nobody looks for the closest name: each would be compared with each. */
#define SUGGEST_AMONG_MAX 1000
/* Of all MeshPassthroughs and Workloads together. */
#define MATCHES_MAX 1000000u

/* A resource by what must be unique, or by what others look it up with. */
struct key {
	const char *kind;
	const char *mesh; /* "" where names are unique whatever the mesh */
	const char *name;
	const struct eg_origin *origin;
};

struct check {
	const struct eg_model *model;
	enum eg_completeness completeness;
	struct eg_diag *diag;
	EG_ARRAY(struct key) keys; /* sorted */
	EG_ARRAY(const struct eg_dataplane *) dataplanes; /* sorted; none where nothing looks them up */
};

static void check_clear(struct check *check)
{
	eg_array_clear(&check->keys);
	eg_array_clear(&check->dataplanes);
}

static int compare_names(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int order = strcmp(x->kind, y->kind);

	if (order == 0)
		order = strcmp(x->mesh, y->mesh);
	return order != 0 ? order : strcmp(x->name, y->name);
}

static int compare_names_and_places(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int by_name = compare_names(a, b);

	if (by_name != 0)
		return by_name;
	by_name = strcmp(x->origin->file, y->origin->file);
	if (by_name != 0)
		return by_name;
	return x->origin->line < y->origin->line ? -1 : x->origin->line > y->origin->line;
}

/* The first key that is not before this one; the number of keys when there is none. */
static size_t find_place(const struct check *check, const struct key *wanted)
{
	size_t low = 0, high = check->keys.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_names(&check->keys.items[middle], wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool has_key(const struct check *check, const char *kind, const char *mesh, const char *name)
{
	const struct key wanted = {kind, mesh, name, NULL};
	const size_t place = find_place(check, &wanted);

	return place < check->keys.len && compare_names(&check->keys.items[place], &wanted) == 0;
}

/* --- twice --- */

static void refuse_twice(struct check *check, const struct key *first, const struct key *second)
{
	eg_diag_add(check->diag, EG_SEVERITY_ERROR, *second->origin, NULL,
		    "%s \"%s\" is already defined in %s:%u:%u; rename or remove one of them", second->kind,
		    second->name, first->origin->file, first->origin->line, first->origin->column);
}

/* In Kuma the second of two with one name replaces the first, and nobody is told. */
static void check_unique(struct check *check)
{
	const struct key *keys = check->keys.items;

	for (size_t i = 1, first = 0; i < check->keys.len; i++) {
		if (compare_names(&keys[first], &keys[i]) != 0)
			first = i;
		else
			refuse_twice(check, &keys[first], &keys[i]);
	}
}

static int collect_names(struct check *check)
{
	for (size_t i = 0; i < check->model->resources.len; i++) {
		const struct eg_resource *resource = &check->model->resources.items[i];
		int r = eg_array_push(&check->keys,
				      {resource->kind, resource->mesh, resource->name, &resource->origin});

		if (r < 0)
			return r;
	}
	return 0;
}

/* Which of two Workloads a cgroup belongs to must not depend on the order of files. */
static int collect_cgroups(struct check *check)
{
	for (size_t i = 0; i < check->model->workloads.len; i++) {
		const struct eg_workload *workload = check->model->workloads.items[i];
		int r = workload->cgroup ? eg_array_push(&check->keys, {"a Workload with cgroup", "", workload->cgroup,
									&workload->origin})
					 : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static int collect_keys(struct check *check)
{
	int r = collect_names(check);

	if (r == 0)
		r = collect_cgroups(check);
	if (r < 0)
		return r;
	if (check->keys.len > 1)
		qsort(check->keys.items, check->keys.len, sizeof(check->keys.items[0]), compare_names_and_places);
	return 0;
}

/* --- undefined --- */

/*
 * A set that defines no Mesh at all has `default` as Kuma creates it; one document
 * by itself is no set, and what it lacks may stand elsewhere.
 */
static bool is_mesh_defined(const struct check *check, const char *mesh)
{
	if (has_key(check, "Mesh", "", mesh))
		return true;
	if (check->completeness == EG_SET_WHOLE)
		return false;
	if (check->completeness == EG_SET_PART && check->model->documents <= 1)
		return true;
	return check->model->meshes.len == 0 && strcmp(mesh, EG_DEFAULT_MESH) == 0;
}

static const char *suggest_name(const struct check *check, const char *kind, const char *mesh, const char *name)
{
	const struct key least = {kind, mesh, "", NULL};
	const size_t first = find_place(check, &least);
	size_t closest = SIZE_MAX;
	const char *best = NULL;

	for (size_t i = first; i < check->keys.len; i++) {
		const struct key *key = &check->keys.items[i];
		size_t distance;

		if (strcmp(key->kind, kind) != 0 || strcmp(key->mesh, mesh) != 0)
			break;
		if (i - first >= SUGGEST_AMONG_MAX)
			return NULL;
		distance = eg_suggest_distance(name, key->name);
		if (distance < closest) {
			closest = distance;
			best = key->name;
		}
	}
	return best && eg_suggest_is_close(name, closest) ? best : NULL;
}

static void refuse_undefined(struct check *check, struct eg_origin origin, const char *path, const char *what,
			     const char *name, const char *meant)
{
	if (meant)
		eg_diag_add(check->diag, EG_SEVERITY_ERROR, origin, path,
			    "%s \"%s\" is not defined; did you mean \"%s\"?", what, name, meant);
	else
		eg_diag_add(check->diag, EG_SEVERITY_ERROR, origin, path,
			    "%s \"%s\" is not defined; add it, or name one that is", what, name);
}

static void check_mesh_of(struct check *check, const char *mesh, struct eg_origin origin)
{
	if (!is_mesh_defined(check, mesh))
		refuse_undefined(check, origin, "mesh", "mesh", mesh, suggest_name(check, "Mesh", "", mesh));
}

static void check_workload(struct check *check, const struct eg_workload *workload)
{
	const bool may_lack = check->completeness == EG_SET_PART && check->model->documents <= 1;

	check_mesh_of(check, workload->mesh, workload->mesh_origin);
	if (workload->dataplane && !may_lack && !has_key(check, "Dataplane", workload->mesh, workload->dataplane))
		refuse_undefined(check, workload->dataplane_origin, "dataplane", "Dataplane", workload->dataplane,
				 suggest_name(check, "Dataplane", workload->mesh, workload->dataplane));
	if (!workload->cgroup)
		eg_diag_add(check->diag, EG_SEVERITY_WARNING, workload->origin, "cgroup",
			    "is not set: only `egressctl run` can use this Workload");
	if (workload->refuses_unenrolled && workload->mode == EG_MODE_AUDIT)
		eg_diag_add(check->diag, EG_SEVERITY_WARNING, workload->origin, "unenrolled",
			    "refuse has no effect while mode is audit: nothing is refused");
}

static int check_template(struct check *check, const struct eg_proxy_template *template)
{
	check_mesh_of(check, template->mesh, template->mesh_origin);
	return eg_template_check(check->model, template, check->diag);
}

/* --- policies with a targetRef --- */

static int compare_dataplanes(const void *a, const void *b)
{
	const struct eg_dataplane *x = *(const struct eg_dataplane *const *)a;
	const struct eg_dataplane *y = *(const struct eg_dataplane *const *)b;
	int order = strcmp(x->mesh, y->mesh);

	return order != 0 ? order : strcmp(x->name, y->name);
}

/* Dataplanes by mesh and name: there may be a million, and each workload is looked up for each policy. */
static int sort_dataplanes(struct check *check)
{
	int r = 0;

	if (check->model->heads.len == 0 && check->model->templates.len < 2)
		return 0;
	for (size_t i = 0; r == 0 && i < check->model->dataplanes.len; i++)
		r = eg_array_push(&check->dataplanes, check->model->dataplanes.items[i]);
	if (r == 0 && check->dataplanes.len > 1)
		qsort(check->dataplanes.items, check->dataplanes.len, sizeof(check->dataplanes.items[0]),
		      compare_dataplanes);
	return r;
}

static const struct eg_dataplane *find_dataplane(const struct check *check, const struct eg_workload *workload)
{
	const struct eg_dataplane wanted = {.mesh = workload->mesh, .name = workload->dataplane}, *key = &wanted;
	const struct eg_dataplane **found;

	if (!workload->dataplane || check->dataplanes.len == 0)
		return NULL;
	found = bsearch(&key, check->dataplanes.items, check->dataplanes.len, sizeof(key), compare_dataplanes);
	return found ? *found : NULL;
}

static struct eg_identity identity_of(const struct check *check, const struct eg_workload *workload)
{
	return (struct eg_identity){
		.mesh = workload->mesh,
		.name = workload->name,
		.workload = workload,
		.dataplane = find_dataplane(check, workload),
	};
}

static bool is_selected(const struct check *check, const struct eg_policy_head *head, const struct eg_workload *workload)
{
	const struct eg_identity identity = identity_of(check, workload);

	return eg_target_selects(head, &identity);
}

/* A set without workloads may be loaded beside others; a command's own is not written anywhere. */
static void warn_of_target(struct check *check, const struct eg_policy_head *head)
{
	const struct eg_model *model = check->model;

	if (model->workloads.len == 0 || check->completeness == EG_SET_RUN || head->is_shadow)
		return;
	for (size_t i = 0; i < model->workloads.len; i++)
		if (is_selected(check, head, model->workloads.items[i]))
			return;
	eg_diag_add(check->diag, EG_SEVERITY_WARNING, head->target.origin, "spec.targetRef",
		    "selects no Workload of this policy: the %s changes nothing here", head->kind);
}

/* Each workload has rules of its own, so a list for many of them is there many times. */
static void check_matches(struct check *check)
{
	const struct eg_model *model = check->model;
	size_t rules = 0;

	for (size_t i = 0; i < model->passthroughs.len; i++) {
		const struct eg_mesh_passthrough *policy = model->passthroughs.items[i];

		for (size_t j = 0; j < model->workloads.len && policy->matches.len > 0; j++)
			rules += is_selected(check, &policy->head, model->workloads.items[j]) ? policy->matches.len : 0;
		if (rules <= MATCHES_MAX)
			continue;
		eg_diag_add(check->diag, EG_SEVERITY_ERROR, policy->matches_origin, "spec.default.appendMatch",
			    "more than %u entries, those of each Workload counted; use wider ranges, or fewer Workloads "
			    "with patterns", MATCHES_MAX);
		return;
	}
}

static void check_head(struct check *check, const struct eg_policy_head *head)
{
	check_mesh_of(check, head->mesh, head->mesh_origin);
	warn_of_target(check, head);
}

/* --- patches that meet in a workload --- */

static bool is_same_list(const struct eg_patches *a, const struct eg_patches *b)
{
	if (a->len != b->len || eg_patches_template(a) != eg_patches_template(b))
		return false;
	return a->len == 0 || memcmp(a->items, b->items, a->len * sizeof(a->items[0])) == 0;
}

/* Most workloads have the same: what was said of it need not be found again. */
static int check_patches_of(struct check *check, const struct eg_workload *workload, struct eg_arena *arena,
			    struct eg_patches *last, struct eg_shadows *shadows)
{
	const struct eg_identity identity = identity_of(check, workload);
	struct eg_patches patches;
	int r = eg_patches_select(check->model, &identity, arena, &patches);

	if (r == 0)
		r = eg_shadows_add(shadows, &patches.templates, workload->name);
	if (r == 0 && patches.len > 0 && !is_same_list(&patches, last))
		r = eg_patches_check(check->model, &patches, check->diag);
	*last = patches;
	return r;
}

static int check_patches_of_workloads(struct check *check)
{
	_cleanup_(eg_shadows_clear) struct eg_shadows shadows = {};
	_cleanup_(eg_arena_clear) struct eg_arena arena = {};
	const struct eg_model *model = check->model;
	struct eg_patches last = {};
	int r = 0;

	if (model->templates.len < 2 && model->proxy_patches.len == 0)
		return 0;
	for (size_t i = 0; r == 0 && i < model->workloads.len; i++)
		r = check_patches_of(check, model->workloads.items[i], &arena, &last, &shadows);
	eg_shadows_check(&shadows, check->diag);
	return r;
}

static bool is_first_of_mesh(const struct eg_model *model, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(model->proxy_patches.items[i]->head.mesh, model->proxy_patches.items[index]->head.mesh) == 0)
			return false;
	return true;
}

/* Nobody knows yet which of them will meet, nor whether. */
static int check_patches_of_meshes(struct check *check)
{
	const struct eg_model *model = check->model;
	int r = 0;

	for (size_t i = 0; r == 0 && i < model->proxy_patches.len; i++)
		if (is_first_of_mesh(model, i))
			r = eg_patches_check_mesh(model, model->proxy_patches.items[i]->head.mesh, check->diag);
	return r;
}

static int check_patches(struct check *check)
{
	const struct eg_model *model = check->model;
	int r = 0;

	for (size_t i = 0; r == 0 && i < model->templates.len; i++)
		r = check_template(check, model->templates.items[i]);
	for (size_t i = 0; i < model->proxy_patches.len; i++)
		eg_proxy_patch_check(model, model->proxy_patches.items[i], check->diag);
	if (r < 0)
		return r;
	return model->workloads.len > 0 ? check_patches_of_workloads(check) : check_patches_of_meshes(check);
}

static void check_whole(struct check *check)
{
	static const struct eg_origin nowhere;

	if (check->completeness == EG_SET_WHOLE && check->model->workloads.len == 0)
		eg_diag_add(check->diag, EG_SEVERITY_ERROR, nowhere, NULL,
			    "the policy has no Workload: nothing would be enforced");
}

int eg_policy_check(const struct eg_model *model, enum eg_completeness completeness, struct eg_diag *diag)
{
	_cleanup_(check_clear) struct check check = {model, completeness, diag, {}, {}};
	int r = collect_keys(&check);

	if (r == 0)
		r = sort_dataplanes(&check);
	if (r < 0)
		return r;
	check_unique(&check);
	for (size_t i = 0; i < model->dataplanes.len; i++)
		check_mesh_of(&check, model->dataplanes.items[i]->mesh, model->dataplanes.items[i]->origin);
	for (size_t i = 0; i < model->services.len; i++)
		check_mesh_of(&check, model->services.items[i]->mesh, model->services.items[i]->mesh_origin);
	for (size_t i = 0; i < model->workloads.len; i++)
		check_workload(&check, model->workloads.items[i]);
	for (size_t i = 0; i < model->passthroughs.len; i++)
		eg_passthrough_check(model, model->passthroughs.items[i], diag);
	check_matches(&check);
	for (size_t i = 0; i < model->heads.len; i++)
		check_head(&check, model->heads.items[i]);
	check_whole(&check);
	return check_patches(&check);
}
