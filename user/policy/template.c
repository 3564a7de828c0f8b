/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/template.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* --- which one --- */

/* How well a selector fits: more tags beat fewer, then more of them exact. */
struct rank {
	size_t tags;
	size_t exact;
};

static int compare_ranks(const struct rank *a, const struct rank *b)
{
	if (a->tags != b->tags)
		return a->tags > b->tags ? 1 : -1;
	return (a->exact > b->exact) - (a->exact < b->exact);
}

static struct rank rank_of(const struct eg_tags *selector)
{
	struct rank rank = {.tags = selector->len};

	for (size_t i = 0; i < selector->len; i++)
		rank.exact += strcmp(selector->items[i].value, "*") != 0;
	return rank;
}

/* False when none of its selectors matches. */
static bool find_rank(const struct eg_proxy_template *template, const struct eg_identity *identity,
		      struct rank *ret_rank)
{
	bool matches = template->selectors.len == 0;

	*ret_rank = (struct rank){};
	for (size_t i = 0; i < template->selectors.len; i++) {
		const struct eg_tags *selector = &template->selectors.items[i];
		struct rank rank = rank_of(selector);

		if (!eg_identity_has_tags(identity, selector))
			continue;
		matches = true;
		if (compare_ranks(&rank, ret_rank) > 0)
			*ret_rank = rank;
	}
	return matches;
}

/* One that matches. */
struct candidate {
	const struct eg_proxy_template *template;
	struct rank rank;
};

struct candidates {
	EG_ARRAY(struct candidate) list;
};

static void candidates_clear(struct candidates *candidates)
{
	eg_array_clear(&candidates->list);
}

/* The better one first. A time that is left out is the earliest, as for Kuma; names differ within a mesh. */
static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order = compare_ranks(&y->rank, &x->rank);

	if (order != 0)
		return order;
	if (x->template->created_us != y->template->created_us)
		return x->template->created_us > y->template->created_us ? -1 : 1;
	return strcmp(x->template->name, y->template->name);
}

static int keep_candidates(struct candidates *candidates, struct eg_arena *arena, struct eg_template_list *ret_list)
{
	const size_t count = candidates->list.len;

	*ret_list = (struct eg_template_list){};
	if (count == 0)
		return 0;
	qsort(candidates->list.items, count, sizeof(candidates->list.items[0]), compare_candidates);
	ret_list->items = eg_arena_alloc(arena, count * sizeof(ret_list->items[0]));
	if (!ret_list->items)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		ret_list->items[i] = candidates->list.items[i].template;
	ret_list->len = count;
	return 0;
}

int eg_template_select(const struct eg_model *model, const struct eg_identity *identity, struct eg_arena *arena,
		       struct eg_template_list *ret_list)
{
	_cleanup_(candidates_clear) struct candidates candidates = {};

	for (size_t i = 0; i < model->templates.len; i++) {
		const struct eg_proxy_template *template = model->templates.items[i];
		struct rank rank;
		int r;

		if (strcmp(template->mesh, identity->mesh) != 0 || !find_rank(template, identity, &rank))
			continue;
		r = eg_array_push(&candidates.list, (struct candidate){template, rank});
		if (r < 0)
			return r;
	}
	return keep_candidates(&candidates, arena, ret_list);
}

/* --- those that lose --- */

struct shadow {
	const struct eg_proxy_template *template;
	const struct eg_proxy_template *winner; /* of the first workload */
	const char *workload;			/* the first one */
	size_t others;
};

static int compare_shadows(const void *a, const void *b)
{
	const struct shadow *x = a, *y = b;

	return (x->template > y->template) - (x->template < y->template);
}

void eg_shadows_clear(struct eg_shadows *shadows)
{
	eg_arena_drop_tree(shadows->tree);
	eg_arena_clear(&shadows->arena);
	*shadows = (struct eg_shadows){};
}

static int add_shadow(struct eg_shadows *shadows, struct shadow found)
{
	struct shadow **known = tfind(&found, &shadows->tree, compare_shadows), *shadow;

	if (known) {
		(*known)->others += found.others + 1;
		return 0;
	}
	shadow = eg_arena_alloc(&shadows->arena, sizeof(*shadow));
	if (!shadow)
		return -ENOMEM;
	*shadow = found;
	return tsearch(shadow, &shadows->tree, compare_shadows) ? 0 : -ENOMEM;
}

int eg_shadows_add(struct eg_shadows *shadows, const struct eg_template_list *templates, const char *workload,
		   size_t workloads)
{
	int r = 0;

	for (size_t i = 1; r == 0 && i < templates->len; i++)
		r = add_shadow(shadows, (struct shadow){templates->items[i], templates->items[0], workload, workloads - 1});
	return r;
}

static void warn_of_shadow(const void *node, VISIT visit, void *diag)
{
	const struct shadow *shadow = *(const struct shadow *const *)node;
	const struct eg_proxy_template *winner = shadow->winner;
	char others[32] = "";

	if (visit != postorder && visit != leaf)
		return;
	if (shadow->others > 0)
		snprintf(others, sizeof(others), " and %zu more", shadow->others);
	eg_diag_add(diag, EG_SEVERITY_WARNING, shadow->template->origin, "selectors",
		    "shadowed for \"%s\"%s: ProxyTemplate \"%s\" (%s:%u:%u) matches better, and one alone applies",
		    shadow->workload, others, winner->name, winner->origin.file, winner->origin.line,
		    winner->origin.column);
}

void eg_shadows_check(const struct eg_shadows *shadows, struct eg_diag *diag)
{
	twalk_r(shadows->tree, warn_of_shadow, diag);
}
