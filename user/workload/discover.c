/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "workload/discover.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <egress/maps.h>

#include "workload/pattern.h"

/* A Workload and the cgroups that its field `cgroup` asks for. */
struct claimant {
	const struct eg_workload *workload;
	struct eg_pattern pattern;
	bool is_warned; /* of cgroups that it does not get */
};

/* A cgroup that a Workload asks for; others may do so too. */
struct claim {
	struct claimant *claimant;
	char *path;
	uint64_t inode;
};

struct discovery {
	struct eg_diag *diag;
	EG_ARRAY(struct claimant) claimants;
	EG_ARRAY(struct claim) claims;
	struct claimant *walking; /* whose pattern is being walked */
	struct eg_instances instances;
};

void eg_instances_clear(struct eg_instances *instances)
{
	for (size_t i = 0; i < instances->list.len; i++) {
		free(instances->list.items[i].name);
		free(instances->list.items[i].cgroup);
	}
	eg_array_clear(&instances->list);
}

static void discovery_clear(struct discovery *discovery)
{
	for (size_t i = 0; i < discovery->claimants.len; i++)
		eg_pattern_clear(&discovery->claimants.items[i].pattern);
	eg_array_clear(&discovery->claimants);
	for (size_t i = 0; i < discovery->claims.len; i++)
		free(discovery->claims.items[i].path);
	eg_array_clear(&discovery->claims);
	eg_instances_clear(&discovery->instances);
}

__attribute__((format(printf, 4, 5))) static void report(struct discovery *discovery, enum eg_severity severity,
							 const struct claimant *about, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	eg_diag_add(discovery->diag, severity, about->workload->origin, "cgroup", "%s", text);
}

/* --- who asks for what --- */

static int add_claimant(struct discovery *discovery, const struct eg_workload *workload)
{
	struct claimant claimant = {.workload = workload};
	int r = eg_pattern_parse(workload->cgroup, &claimant.pattern);

	if (r == -EINVAL) {
		report(discovery, EG_SEVERITY_ERROR, &claimant, "must not have a .. component");
		return 0;
	}
	if (r < 0)
		return r;
	if (claimant.pattern.components.len == 0)
		report(discovery, EG_SEVERITY_ERROR, &claimant,
		       "the root cgroup holds the whole node, egressd included; name a cgroup below it");
	r = eg_array_push(&discovery->claimants, claimant);
	if (r < 0)
		eg_pattern_clear(&claimant.pattern);
	return r;
}

static int collect_claimants(struct discovery *discovery, const struct eg_model *model)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < model->workloads.len; i++) {
		/* One without a cgroup is for `egressctl run`. */
		if (model->workloads.items[i]->cgroup)
			r = add_claimant(discovery, model->workloads.items[i]);
	}
	return r;
}

static int add_claim(const char *path, uint64_t inode, const struct eg_pattern *pattern, void *context)
{
	struct discovery *discovery = context;
	char *copy = strdup(path);
	int r;

	(void)pattern;
	if (!copy)
		return -ENOMEM;
	r = eg_array_push(&discovery->claims,
			  (struct claim){.claimant = discovery->walking, .path = copy, .inode = inode});
	if (r < 0)
		free(copy);
	return r;
}

static int collect_claims(struct discovery *discovery, const char *mount_point)
{
	static const struct eg_visitor visitor = {.match = add_claim};
	int r = 0;

	for (size_t i = 0; r == 0 && i < discovery->claimants.len; i++) {
		discovery->walking = &discovery->claimants.items[i];
		r = eg_pattern_walk(&discovery->walking->pattern, mount_point, &visitor, discovery);
	}
	return r;
}

/* --- who gets it --- */

/* A directory stands right before all that is below it: the slash comes before every other character. */
static int compare_paths(const char *a, const char *b)
{
	while (*a == *b && *a) {
		a++;
		b++;
	}
	if (*a == '/' || *b == '/')
		return *a == '\0' ? -1 : *b == '\0' ? 1 : *a == '/' ? -1 : 1;
	return (unsigned char)*a - (unsigned char)*b;
}

/* Less than 0 when `a` has the better right, 0 for a tie. */
static int compare_rights(const struct eg_pattern *a, const struct eg_pattern *b)
{
	if (eg_pattern_is_glob(a) != eg_pattern_is_glob(b))
		return eg_pattern_is_glob(a) ? 1 : -1;
	return a->literal_len > b->literal_len ? -1 : a->literal_len < b->literal_len;
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = compare_paths(x->path, y->path);

	if (order == 0)
		order = compare_rights(&x->claimant->pattern, &y->claimant->pattern);
	/* Ties as the files have them, so that every run says the same. */
	return order ? order : x->claimant < y->claimant ? -1 : x->claimant > y->claimant;
}

bool eg_cgroup_is_below(const char *path, const char *ancestor)
{
	const size_t len = strlen(ancestor);

	return strncmp(path, ancestor, len) == 0 && path[len] == '/';
}

/* Once for a Workload: a glob may have thousands of them. */
static void warn_covered(struct discovery *discovery, struct claimant *claimant, const char *path,
			 const struct eg_instance *ancestor)
{
	const struct eg_origin *origin = &ancestor->workload->origin;

	if (claimant->is_warned)
		return;
	claimant->is_warned = true;
	report(discovery, EG_SEVERITY_WARNING, claimant,
	       "%s is below %s of Workload \"%s\" (%s:%u), whose rules hold for it: a cgroup below an enrolled one is "
	       "never enrolled apart",
	       path, ancestor->cgroup, ancestor->workload->name, origin->file, origin->line);
}

static void refuse_tie(struct discovery *discovery, const struct claim *first, const struct claim *second)
{
	const struct eg_workload *other = first->claimant->workload;

	report(discovery, EG_SEVERITY_ERROR, second->claimant,
	       "%s belongs to Workload \"%s\" (%s:%u) with the same right; make one of them a longer path", first->path,
	       other->name, other->origin.file, other->origin.line);
}

static int make_name(const struct claim *claim, char **ret_name)
{
	const struct eg_pattern *pattern = &claim->claimant->pattern;
	const char *rest = claim->path;

	if (!eg_pattern_is_glob(pattern)) {
		*ret_name = strdup(claim->claimant->workload->name);
		return *ret_name ? 0 : -ENOMEM;
	}
	/* A match has all the literal directories, then at least one more. */
	for (size_t i = 0; i <= pattern->literal_components; i++)
		rest = strchr(rest, '/') + 1;
	return asprintf(ret_name, "%s:%s", claim->claimant->workload->name, rest) < 0 ? -ENOMEM : 0;
}

/* Takes the claim's path. */
static int enroll(struct discovery *discovery, struct claim *claim)
{
	_cleanup_free_ char *name = NULL;
	int r = make_name(claim, &name);

	if (r < 0)
		return r;
	/* Cut, two of them could be one. */
	if (strlen(name) >= EG_NAME_LEN || strlen(claim->path) >= EG_CGROUP_LEN) {
		report(discovery, EG_SEVERITY_ERROR, claim->claimant, "%s is longer than can be kept (%s of %d bytes)",
		       strlen(name) >= EG_NAME_LEN ? name : claim->path,
		       strlen(name) >= EG_NAME_LEN ? "a name" : "a path",
		       strlen(name) >= EG_NAME_LEN ? EG_NAME_LEN - 1 : EG_CGROUP_LEN - 1);
		return 0;
	}
	r = eg_array_push(&discovery->instances.list, (struct eg_instance){.workload = claim->claimant->workload,
									   .name = name,
									   .cgroup = claim->path,
									   .cgroup_id = claim->inode});
	if (r < 0)
		return r;
	TAKE_PTR(name);
	TAKE_PTR(claim->path);
	return 0;
}

/* The claims on one cgroup, best right first. */
static int decide(struct discovery *discovery, struct claim *claims, size_t count)
{
	const struct eg_instances *instances = &discovery->instances;
	/* Claims are sorted: an enrolled ancestor is the last one enrolled. */
	const struct eg_instance *last =
		instances->list.len > 0 ? &instances->list.items[instances->list.len - 1] : NULL;

	if (last && eg_cgroup_is_below(claims[0].path, last->cgroup)) {
		for (size_t i = 0; i < count; i++)
			warn_covered(discovery, claims[i].claimant, claims[i].path, last);
		return 0;
	}
	if (count > 1 && compare_rights(&claims[0].claimant->pattern, &claims[1].claimant->pattern) == 0) {
		refuse_tie(discovery, &claims[0], &claims[1]);
		return 0;
	}
	return enroll(discovery, &claims[0]);
}

static int decide_all(struct discovery *discovery)
{
	struct claim *claims = discovery->claims.items;
	const size_t len = discovery->claims.len;
	size_t end;

	if (len > 1)
		qsort(claims, len, sizeof(claims[0]), compare_claims);
	for (size_t first = 0; first < len; first = end) {
		int r;

		for (end = first + 1; end < len && strcmp(claims[first].path, claims[end].path) == 0; end++)
			;
		r = decide(discovery, &claims[first], end - first);
		if (r < 0)
			return r;
	}
	return 0;
}

int eg_instances_discover(const char *mount_point, const struct eg_model *model, struct eg_diag *diag,
			  struct eg_instances *ret_instances)
{
	_cleanup_(discovery_clear) struct discovery discovery = {.diag = diag};
	int r;

	r = collect_claimants(&discovery, model);
	if (r < 0)
		return r;
	r = collect_claims(&discovery, mount_point);
	if (r < 0)
		return r;
	r = decide_all(&discovery);
	if (r < 0)
		return r;
	*ret_instances = discovery.instances;
	discovery.instances = (struct eg_instances){};
	return 0;
}
