/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/suggest.h"
#include "policy/incoming.h"
#include "policy/passthrough.h"
#include "policy/selection.h"

/* In larger sets nobody looks for the closest name: each would be compared with each. */
#define SUGGEST_AMONG_MAX 1000

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
};

static void check_clear(struct check *check)
{
	eg_array_clear(&check->keys);
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

static void check_whole(struct check *check)
{
	static const struct eg_origin nowhere;

	if (check->completeness == EG_SET_WHOLE && check->model->workloads.len == 0)
		eg_diag_add(check->diag, EG_SEVERITY_ERROR, nowhere, NULL,
			    "the policy has no Workload: nothing would be enforced");
}

int eg_policy_check(const struct eg_model *model, enum eg_completeness completeness, struct eg_diag *diag)
{
	_cleanup_(check_clear) struct check check = {model, completeness, diag, {}};
	int r = collect_keys(&check);

	if (r < 0)
		return r;
	check_unique(&check);
	for (size_t i = 0; i < model->dataplanes.len; i++)
		check_mesh_of(&check, model->dataplanes.items[i]->mesh, model->dataplanes.items[i]->origin);
	for (size_t i = 0; i < model->services.len; i++)
		check_mesh_of(&check, model->services.items[i]->mesh, model->services.items[i]->mesh_origin);
	for (size_t i = 0; i < model->workloads.len; i++)
		check_workload(&check, model->workloads.items[i]);
	for (size_t i = 0; i < model->templates.len; i++)
		check_mesh_of(&check, model->templates.items[i]->mesh, model->templates.items[i]->mesh_origin);
	for (size_t i = 0; i < model->heads.len; i++)
		check_mesh_of(&check, model->heads.items[i]->mesh, model->heads.items[i]->mesh_origin);
	for (size_t i = 0; i < model->passthroughs.len; i++)
		eg_passthrough_check(model, model->passthroughs.items[i], diag);
	eg_incoming_check(model, diag);
	check_whole(&check);
	return eg_selection_check(model, completeness, diag);
}
