/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/suggest.h"
#include "policy/template.h"

/* In larger sets nobody looks for the closest name: each would be compared with each. */
#define SUGGEST_AMONG_MAX 1000

/* A resource by what must be unique, or by what others look it up with. */
struct key {
	const char *mesh; /* "" where names are unique whatever the mesh */
	const char *name;
	const struct eg_origin *origin;
};

struct keys {
	EG_ARRAY(struct key) list;
};

static void keys_clear(struct keys *keys)
{
	eg_array_clear(&keys->list);
}

struct check {
	const struct eg_model *model;
	enum eg_completeness completeness;
	struct eg_diag *diag;
	struct keys meshes;
	struct keys dataplanes;
};

static void check_clear(struct check *check)
{
	keys_clear(&check->meshes);
	keys_clear(&check->dataplanes);
}

static int compare_names(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int by_mesh = strcmp(x->mesh, y->mesh);

	return by_mesh != 0 ? by_mesh : strcmp(x->name, y->name);
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

static void sort_keys(struct keys *keys)
{
	if (keys->list.len > 1)
		qsort(keys->list.items, keys->list.len, sizeof(keys->list.items[0]), compare_names_and_places);
}

static bool has_key(const struct keys *keys, const char *mesh, const char *name)
{
	const struct key wanted = {mesh, name, NULL};

	return keys->list.len > 0 && bsearch(&wanted, keys->list.items, keys->list.len, sizeof(wanted), compare_names);
}

/* --- twice --- */

static void refuse_twice(struct check *check, const char *what, const struct key *first, const struct key *second)
{
	eg_diag_add(check->diag, EG_SEVERITY_ERROR, *second->origin, NULL,
		    "%s \"%s\" is already defined in %s:%u:%u; rename or remove one of them", what, second->name,
		    first->origin->file, first->origin->line, first->origin->column);
}

/* `keys` are sorted. A resource without a name has its finding already. */
static void check_unique(struct check *check, const char *what, const struct keys *keys)
{
	size_t first = 0;

	for (size_t i = 1; i < keys->list.len; i++) {
		const struct key *key = &keys->list.items[i];

		if (compare_names(&keys->list.items[first], key) != 0)
			first = i;
		else if (key->name[0] != '\0')
			refuse_twice(check, what, &keys->list.items[first], key);
	}
}

static int collect_meshes(struct check *check)
{
	for (size_t i = 0; i < check->model->meshes.len; i++) {
		const struct eg_mesh *mesh = check->model->meshes.items[i];
		int r = eg_array_push(&check->meshes.list, (struct key){"", mesh->name, &mesh->origin});

		if (r < 0)
			return r;
	}
	sort_keys(&check->meshes);
	check_unique(check, "Mesh", &check->meshes);
	return 0;
}

static int collect_dataplanes(struct check *check)
{
	for (size_t i = 0; i < check->model->dataplanes.len; i++) {
		const struct eg_dataplane *dataplane = check->model->dataplanes.items[i];
		int r = eg_array_push(&check->dataplanes.list,
				      (struct key){dataplane->mesh, dataplane->name, &dataplane->origin});

		if (r < 0)
			return r;
	}
	sort_keys(&check->dataplanes);
	check_unique(check, "Dataplane", &check->dataplanes);
	return 0;
}

/* In Kuma the second of two with one name replaces the first, and nobody is told. */
static int check_template_names(struct check *check)
{
	_cleanup_(keys_clear) struct keys keys = {};

	for (size_t i = 0; i < check->model->templates.len; i++) {
		const struct eg_proxy_template *template = check->model->templates.items[i];
		int r = eg_array_push(&keys.list, (struct key){template->mesh, template->name, &template->origin});

		if (r < 0)
			return r;
	}
	sort_keys(&keys);
	check_unique(check, "ProxyTemplate", &keys);
	return 0;
}

/* Commands name a Workload without its mesh: its name is unique by itself. */
static int check_workload_names(struct check *check)
{
	_cleanup_(keys_clear) struct keys keys = {};

	for (size_t i = 0; i < check->model->workloads.len; i++) {
		const struct eg_workload *workload = check->model->workloads.items[i];
		int r = eg_array_push(&keys.list, (struct key){"", workload->name, &workload->origin});

		if (r < 0)
			return r;
	}
	sort_keys(&keys);
	check_unique(check, "Workload", &keys);
	return 0;
}

/* Which of two Workloads a cgroup belongs to must not depend on the order of files. */
static int check_workload_cgroups(struct check *check)
{
	_cleanup_(keys_clear) struct keys keys = {};

	for (size_t i = 0; i < check->model->workloads.len; i++) {
		const struct eg_workload *workload = check->model->workloads.items[i];
		int r = workload->cgroup
				? eg_array_push(&keys.list, (struct key){"", workload->cgroup, &workload->origin})
				: 0;

		if (r < 0)
			return r;
	}
	sort_keys(&keys);
	check_unique(check, "a Workload with cgroup", &keys);
	return 0;
}

/* --- undefined --- */

/*
 * A set that defines no Mesh at all has `default` as Kuma creates it; one document
 * by itself is no set, and what it lacks may stand elsewhere.
 */
static bool is_mesh_defined(const struct check *check, const char *mesh)
{
	if (has_key(&check->meshes, "", mesh))
		return true;
	if (check->completeness == EG_SET_WHOLE)
		return false;
	if (check->completeness == EG_SET_PART && check->model->documents <= 1)
		return true;
	return check->meshes.list.len == 0 && strcmp(mesh, EG_DEFAULT_MESH) == 0;
}

static const char *suggest_key(const struct keys *keys, const char *mesh, const char *name)
{
	size_t closest = SIZE_MAX;
	const char *best = NULL;

	for (size_t i = 0; i < keys->list.len && keys->list.len <= SUGGEST_AMONG_MAX; i++) {
		const struct key *key = &keys->list.items[i];
		size_t distance;

		if (strcmp(key->mesh, mesh) != 0)
			continue;
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
		refuse_undefined(check, origin, "mesh", "mesh", mesh, suggest_key(&check->meshes, "", mesh));
}

static void check_workload(struct check *check, const struct eg_workload *workload)
{
	const bool may_lack = check->completeness == EG_SET_PART && check->model->documents <= 1;

	check_mesh_of(check, workload->mesh, workload->mesh_origin);
	if (workload->dataplane && !may_lack && !has_key(&check->dataplanes, workload->mesh, workload->dataplane))
		refuse_undefined(check, workload->dataplane_origin, "dataplane", "Dataplane", workload->dataplane,
				 suggest_key(&check->dataplanes, workload->mesh, workload->dataplane));
	if (!workload->cgroup)
		eg_diag_add(check->diag, EG_SEVERITY_WARNING, workload->origin, "cgroup",
			    "is not set: only `egressctl run` can use this Workload");
}

/* --- host names --- */

static void warn_host_name(struct check *check, const struct eg_dataplane *dataplane, const char *field,
			   const char *address)
{
	struct eg_addr addr;
	uint32_t family;

	if (!address || eg_addr_parse(address, &family, &addr) == 0)
		return;
	eg_diag_add(
		check->diag, EG_SEVERITY_WARNING, dataplane->origin, field,
		"\"%s\" is a host name, which egressd does not resolve: traffic to it is non-mesh; write its address",
		address);
}

static void check_dataplane(struct check *check, const struct eg_dataplane *dataplane)
{
	check_mesh_of(check, dataplane->mesh, dataplane->origin);
	warn_host_name(check, dataplane, "networking.address", dataplane->address);
	warn_host_name(check, dataplane, "networking.advertisedAddress", dataplane->advertised_address);
}

static void check_template(struct check *check, const struct eg_proxy_template *template)
{
	check_mesh_of(check, template->mesh, template->mesh_origin);
	eg_template_check(check->model, template, check->diag);
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
	int r;

	r = collect_meshes(&check);
	if (r < 0)
		return r;
	r = collect_dataplanes(&check);
	if (r < 0)
		return r;
	r = check_template_names(&check);
	if (r < 0)
		return r;
	r = check_workload_names(&check);
	if (r < 0)
		return r;
	r = check_workload_cgroups(&check);
	if (r < 0)
		return r;
	for (size_t i = 0; i < model->dataplanes.len; i++)
		check_dataplane(&check, model->dataplanes.items[i]);
	for (size_t i = 0; i < model->workloads.len; i++)
		check_workload(&check, model->workloads.items[i]);
	for (size_t i = 0; i < model->templates.len; i++)
		check_template(&check, model->templates.items[i]);
	check_whole(&check);
	return 0;
}
