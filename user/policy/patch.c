/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/patch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/cluster.h"
#include "policy/rules.h"

#define NS_PER_MS INT64_C(1000000)
#define TEMPLATE_PATH "conf.modifications"
#define PATCH_PATH "spec.default.appendModifications"

/* The resources of one family while patches apply to them. */
struct state {
	struct eg_arena arena;
	struct eg_diag *diag;
	enum eg_families family;
	uint32_t clock; /* of what is written */
	const struct eg_modification *modification; /* at hand */
	struct eg_tree *cluster;
	struct eg_tree *tcp_proxy;
	const char *cluster_made_by;
	const char *listener_made_by;
	/* Who took it away; NULL: it is there. */
	const struct eg_origin *cluster_removed;
	const struct eg_origin *listener_removed;
	const struct eg_origin *tcp_proxy_removed;
};

static void state_clear(struct state *state)
{
	eg_arena_clear(&state->arena);
}

static void warn(const struct state *state, struct eg_origin origin, const char *what)
{
	eg_diag_add(state->diag, EG_SEVERITY_WARNING, origin, state->modification->path, "%s", what);
}

/* --- what Kuma generates --- */

static int generate(struct state *state)
{
	struct eg_tree *timeout, *breakers, *thresholds;

	state->cluster = eg_tree_new(&state->arena, EG_TREE_OBJECT, NULL);
	state->tcp_proxy = eg_tree_new(&state->arena, EG_TREE_OBJECT, NULL);
	if (!state->cluster || !state->tcp_proxy)
		return -ENOMEM;
	timeout = eg_tree_append(&state->arena, state->cluster, EG_TREE_DURATION, EG_FIELD_CONNECT_TIMEOUT);
	breakers = eg_tree_append(&state->arena, state->cluster, EG_TREE_OBJECT, EG_FIELD_BREAKERS);
	if (!timeout || !breakers)
		return -ENOMEM;
	timeout->number = EG_DEFAULT_CONNECT_TIMEOUT_MS * NS_PER_MS;
	thresholds = eg_tree_append(&state->arena, breakers, EG_TREE_LIST, EG_FIELD_THRESHOLDS);
	if (!thresholds || !eg_tree_append(&state->arena, thresholds, EG_TREE_OBJECT, NULL))
		return -ENOMEM;
	state->cluster_made_by = EG_MADE_BY_KUMA;
	state->listener_made_by = EG_MADE_BY_KUMA;
	return 0;
}

/* --- a value, as protobuf merges it --- */

static bool is_high(const struct eg_tree *threshold)
{
	const struct eg_tree *priority = eg_tree_member(threshold, EG_FIELD_PRIORITY);

	return priority && priority->kind == EG_TREE_TEXT && strcmp(priority->text, "HIGH") == 0;
}

static bool is_written(const struct eg_tree *threshold)
{
	for (const struct eg_tree *limit = threshold->first; limit; limit = limit->next)
		if (limit->written > 0 && strcmp(limit->name, EG_FIELD_PRIORITY) != 0)
			return true;
	return false;
}

static int merge_object(struct state *state, struct eg_tree *into, const struct eg_tree *value);

static struct eg_tree *find_threshold(const struct eg_tree *list, bool high)
{
	struct eg_tree *threshold = list->first;

	while (threshold && is_high(threshold) != high)
		threshold = threshold->next;
	return threshold;
}

/* Protobuf would append, and Envoy acts on the first of a priority: that of an earlier patch. */
static void warn_of_dead(const struct state *state, const struct eg_tree *threshold, const struct eg_tree *value)
{
	if (value->first && is_written(threshold) && threshold->written < state->clock)
		warn(state, value->origin,
		     "a threshold that an earlier patch has: merged here, but Kuma before 2.14.4 appends it, and Envoy "
		     "acts on the first one of a priority alone");
}

static int merge_threshold(struct state *state, struct eg_tree *list, const struct eg_tree *value)
{
	struct eg_tree *threshold = find_threshold(list, is_high(value));

	if (!threshold)
		threshold = eg_tree_append(&state->arena, list, EG_TREE_OBJECT, NULL);
	if (!threshold)
		return -ENOMEM;
	if (!is_high(value))
		warn_of_dead(state, threshold, value);
	threshold->written = state->clock;
	return merge_object(state, threshold, value);
}

/* The only list is that of thresholds, which Kuma merges by their priority from 2.14.4 on. */
static int merge_list(struct state *state, struct eg_tree *into, const struct eg_tree *value)
{
	int r = 0;

	for (const struct eg_tree *item = value->first; r == 0 && item; item = item->next)
		r = merge_threshold(state, into, item);
	return r;
}

static int merge_member(struct state *state, struct eg_tree *into, const struct eg_tree *member)
{
	struct eg_tree *old = eg_tree_member(into, member->name), *leaf;

	if (member->kind == EG_TREE_OBJECT || member->kind == EG_TREE_LIST) {
		if (!old)
			old = eg_tree_append(&state->arena, into, member->kind, member->name);
		if (!old)
			return -ENOMEM;
		return member->kind == EG_TREE_LIST ? merge_list(state, old, member)
						    : merge_object(state, old, member);
	}
	leaf = eg_tree_copy(&state->arena, member);
	if (!leaf)
		return -ENOMEM;
	eg_tree_stamp(leaf, state->clock, NULL);
	eg_tree_set(into, leaf);
	return 0;
}

static int merge_object(struct state *state, struct eg_tree *into, const struct eg_tree *value)
{
	int r = 0;

	for (const struct eg_tree *member = value->first; r == 0 && member; member = member->next)
		r = merge_member(state, into, member);
	return r;
}

/* --- one modification --- */

static int patch(struct state *state, const struct eg_modification *modification, struct eg_tree **tree)
{
	int r = 0;

	state->clock++;
	if (modification->value)
		return merge_object(state, *tree, modification->value);
	for (size_t i = 0; r == 0 && i < modification->json_patch_count; i++, state->clock++)
		r = eg_json_patch_apply(&modification->json_patches[i], &state->arena, state->clock, state->diag, tree);
	return r;
}

/* A new one, which has nothing but what the value says. */
static int replace(struct state *state, const struct eg_modification *modification, struct eg_tree **tree)
{
	*tree = eg_tree_new(&state->arena, EG_TREE_OBJECT, NULL);
	if (!*tree)
		return -ENOMEM;
	state->clock++;
	return modification->value ? merge_object(state, *tree, modification->value) : 0;
}

static void warn_of_removed(const struct state *state, const struct eg_modification *modification,
			    const struct eg_origin *removed)
{
	eg_diag_add(state->diag, EG_SEVERITY_WARNING, modification->origin, modification->path,
		    "changes nothing: what it matches was removed before (%s:%u:%u)", removed->file, removed->line,
		    removed->column);
}

static int change_cluster(struct state *state, const struct eg_modification *modification)
{
	switch (modification->change) {
	case EG_CHANGE_ADD:
		state->cluster_removed = NULL;
		state->cluster_made_by = modification->adds_as;
		return replace(state, modification, &state->cluster);
	case EG_CHANGE_REMOVE:
		state->cluster_removed = &modification->origin;
		return 0;
	case EG_CHANGE_PATCH:
		if (!state->cluster_removed)
			return patch(state, modification, &state->cluster);
		warn_of_removed(state, modification, state->cluster_removed);
	}
	return 0;
}

/* What a listener has comes with it. One that is added without a TCP proxy lets nothing through. */
static int change_listener(struct state *state, const struct eg_modification *modification)
{
	if (modification->change == EG_CHANGE_REMOVE) {
		state->listener_removed = &modification->origin;
		return 0;
	}
	state->listener_removed = NULL;
	state->listener_made_by = modification->adds_as;
	state->tcp_proxy_removed = modification->value ? NULL : &modification->origin;
	return replace(state, modification, &state->tcp_proxy);
}

static int change_tcp_proxy(struct state *state, const struct eg_modification *modification)
{
	const struct eg_origin *removed = state->listener_removed ? state->listener_removed : state->tcp_proxy_removed;

	switch (modification->change) {
	case EG_CHANGE_ADD:
		if (!state->tcp_proxy_removed)
			warn(state, modification->origin,
			     "changes nothing: the listener has a TCP proxy, and nothing gets past it to a second one");
		if (!state->tcp_proxy_removed)
			return 0;
		state->tcp_proxy_removed = NULL;
		return replace(state, modification, &state->tcp_proxy);
	case EG_CHANGE_REMOVE:
		state->tcp_proxy_removed = &modification->origin;
		return 0;
	case EG_CHANGE_PATCH:
		if (!removed)
			return patch(state, modification, &state->tcp_proxy);
		warn_of_removed(state, modification, removed);
	}
	return 0;
}

static bool matches(const struct state *state, const struct eg_modification *modification)
{
	const char *made_by = modification->what == EG_CHANGED_CLUSTER ? state->cluster_made_by
								       : state->listener_made_by;

	if (!(modification->families & state->family))
		return false;
	if (!modification->made_by || strcmp(modification->made_by, made_by) == 0)
		return true;
	eg_diag_add(state->diag, EG_SEVERITY_WARNING, modification->origin, modification->path,
		    "changes nothing of %s, whose origin is %s by then",
		    eg_cluster_name(state->family == EG_FAMILIES_IPV4 ? EG_FAMILY_IPV4 : EG_FAMILY_IPV6), made_by);
	return false;
}

static int apply(struct state *state, const struct eg_modifications *modifications)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < modifications->list.len; i++) {
		const struct eg_modification *modification = &modifications->list.items[i];

		if (!matches(state, modification))
			continue;
		state->modification = modification;
		if (modification->what == EG_CHANGED_CLUSTER)
			r = change_cluster(state, modification);
		else if (modification->what == EG_CHANGED_LISTENER)
			r = change_listener(state, modification);
		else
			r = change_tcp_proxy(state, modification);
	}
	return r;
}

/* --- what came out of it --- */

static const struct {
	enum eg_setting setting;
	const char *field;
} limits[] =
	{
		{EG_SETTING_MAX_CONNECTIONS, EG_FIELD_MAX_CONNECTIONS},
		{EG_SETTING_MAX_PENDING, EG_FIELD_MAX_PENDING},
		{EG_SETTING_MAX_REQUESTS, EG_FIELD_MAX_REQUESTS},
		{EG_SETTING_MAX_RETRIES, EG_FIELD_MAX_RETRIES},
},
  tcp_proxy_timeouts[] = {
	  {EG_SETTING_IDLE_TIMEOUT, EG_FIELD_IDLE_TIMEOUT},
	  {EG_SETTING_MAX_DURATION, EG_FIELD_MAX_DURATION},
};

/* A move may have put a timeout where it cannot be. */
static int read_timeout(struct state *state, const struct eg_tree *resource, const char *field, enum eg_setting setting,
			struct eg_settings *settings)
{
	const struct eg_tree *leaf = eg_tree_member(resource, field);
	uint64_t ms;

	if (!leaf || leaf->written == 0)
		return 0;
	if (leaf->kind != EG_TREE_DURATION || eg_setting_from_ns(setting, leaf->number, &ms) < 0) {
		eg_diag_add(state->diag, EG_SEVERITY_ERROR, leaf->origin, field, "cannot be what was moved or copied here");
		return -EBADMSG;
	}
	settings->numbers[setting] = (struct eg_optional_number){true, ms, leaf->origin};
	return 0;
}

/* Of thresholds of one priority what was written last holds, wherever they stand. */
static void read_limit(const struct eg_tree *thresholds, const char *field, struct eg_optional_number *limit)
{
	uint32_t written = 1;

	for (const struct eg_tree *threshold = thresholds->first; threshold; threshold = threshold->next) {
		const struct eg_tree *leaf = is_high(threshold) ? NULL : eg_tree_member(threshold, field);

		if (!leaf || leaf->kind != EG_TREE_NUMBER || leaf->written < written)
			continue;
		written = leaf->written;
		*limit = (struct eg_optional_number){true, (uint64_t)leaf->number, leaf->origin};
	}
}

/* Patches in JSON can make a second threshold of one priority. */
static void warn_of_second(const struct state *state, const struct eg_tree *thresholds)
{
	const struct eg_tree *first = find_threshold(thresholds, false);

	for (const struct eg_tree *other = first ? first->next : NULL; other; other = other->next)
		if (!is_high(other) && is_written(other))
			eg_diag_add(state->diag, EG_SEVERITY_WARNING, other->first->origin,
				    EG_FIELD_BREAKERS "." EG_FIELD_THRESHOLDS,
				    "a second threshold of priority DEFAULT: merged here, but Envoy acts on the first alone");
}

static void read_limits(const struct state *state, struct eg_settings *settings)
{
	const struct eg_tree *breakers = eg_tree_member(state->cluster, EG_FIELD_BREAKERS);
	const struct eg_tree *thresholds = breakers ? eg_tree_member(breakers, EG_FIELD_THRESHOLDS) : NULL;

	if (!thresholds)
		return;
	for (size_t i = 0; i < EG_COUNT_OF(limits); i++)
		read_limit(thresholds, limits[i].field, &settings->numbers[limits[i].setting]);
	warn_of_second(state, thresholds);
}

/* The one place in which documents become settings. */
static int read_settings(struct state *state, struct eg_settings *settings)
{
	int r = read_timeout(state, state->cluster, EG_FIELD_CONNECT_TIMEOUT, EG_SETTING_CONNECT_TIMEOUT, settings);

	for (size_t i = 0; r == 0 && i < EG_COUNT_OF(tcp_proxy_timeouts); i++)
		r = read_timeout(state, state->tcp_proxy, tcp_proxy_timeouts[i].field, tcp_proxy_timeouts[i].setting,
				 settings);
	read_limits(state, settings);
	return r;
}

/* --- which of them --- */

/* The more specific one last. */
static int compare_patches(const void *a, const void *b)
{
	const struct eg_proxy_patch *const *x = a, *const *y = b;

	return eg_target_compare(&(*x)->head, &(*y)->head);
}

static int list_patches(const struct eg_model *model, const struct eg_identity *identity, struct eg_arena *arena,
			struct eg_patches *patches)
{
	size_t count = 0;

	for (size_t i = 0; i < model->proxy_patches.len; i++)
		count += eg_target_selects(&model->proxy_patches.items[i]->head, identity);
	if (count == 0)
		return 0;
	patches->items = eg_arena_alloc(arena, count * sizeof(patches->items[0]));
	if (!patches->items)
		return -ENOMEM;
	for (size_t i = 0; i < model->proxy_patches.len; i++)
		if (eg_target_selects(&model->proxy_patches.items[i]->head, identity))
			patches->items[patches->len++] = model->proxy_patches.items[i];
	qsort(patches->items, count, sizeof(patches->items[0]), compare_patches);
	return 0;
}

int eg_patches_select(const struct eg_model *model, const struct eg_identity *identity, struct eg_arena *arena,
		      struct eg_patches *ret_patches)
{
	int r;

	*ret_patches = (struct eg_patches){};
	r = list_patches(model, identity, arena, ret_patches);
	return r < 0 ? r : eg_template_select(model, identity, arena, &ret_patches->templates);
}

int eg_patches_copy(const struct eg_patches *patches, struct eg_arena *arena, struct eg_patches *ret_copy)
{
	const size_t size = patches->len * sizeof(patches->items[0]);
	const size_t templates_size = patches->templates.len * sizeof(patches->templates.items[0]);
	struct eg_patches copy = {.len = patches->len, .templates = {.len = patches->templates.len}};

	copy.items = eg_arena_alloc(arena, size);
	copy.templates.items = eg_arena_alloc(arena, templates_size);
	if (!copy.items || !copy.templates.items)
		return -ENOMEM;
	if (size > 0)
		memcpy(copy.items, patches->items, size);
	if (templates_size > 0)
		memcpy(copy.templates.items, patches->templates.items, templates_size);
	*ret_copy = copy;
	return 0;
}

static int compare_pointers(const void *const *a, const void *const *b, size_t count)
{
	return count > 0 ? memcmp(a, b, count * sizeof(a[0])) : 0;
}

int eg_patches_compare(const void *a, const void *b)
{
	const struct eg_patches *x = a, *y = b;
	int order;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	if (x->templates.len != y->templates.len)
		return x->templates.len < y->templates.len ? -1 : 1;
	order = compare_pointers((const void *const *)x->items, (const void *const *)y->items, x->len);
	return order != 0 ? order
			  : compare_pointers((const void *const *)x->templates.items,
					     (const void *const *)y->templates.items, x->templates.len);
}

const struct eg_proxy_template *eg_patches_template(const struct eg_patches *patches)
{
	return patches->templates.len > 0 ? patches->templates.items[0] : NULL;
}

/* Kuma applies its policies, MeshProxyPatch last, and then what the template says. */
int eg_patches_apply(const struct eg_patches *patches, enum eg_families family, struct eg_diag *diag,
		     struct eg_patched_cluster *ret_cluster)
{
	_cleanup_(state_clear) struct state state = {.diag = diag, .family = family};
	const struct eg_proxy_template *template = eg_patches_template(patches);
	struct eg_settings settings = {};
	int r;

	*ret_cluster = (struct eg_patched_cluster){.policy = EG_DEFAULT_CLUSTER};
	if (patches->len == 0 && !template)
		return 0;
	r = generate(&state);
	for (size_t i = 0; r == 0 && i < patches->len; i++)
		r = apply(&state, &patches->items[i]->modifications);
	if (r == 0 && template)
		r = apply(&state, &template->modifications);
	if (r == 0)
		r = read_settings(&state, &settings);
	if (r < 0)
		return r;
	eg_cluster_apply(&ret_cluster->policy, ret_cluster->origins, &settings);
	ret_cluster->removed = state.cluster_removed    ? state.cluster_removed
			       : state.listener_removed ? state.listener_removed
							: state.tcp_proxy_removed;
	return 0;
}

/* --- warnings of a document by itself --- */

/* Of which families' clusters, or listeners, modifications are. */
static unsigned int families_of(const struct eg_modifications *modifications, bool is_cluster,
				const struct eg_modification **ret_first)
{
	unsigned int families = 0;

	*ret_first = NULL;
	for (size_t i = 0; i < modifications->list.len; i++) {
		const struct eg_modification *modification = &modifications->list.items[i];

		if (modification->families == 0 || (modification->what == EG_CHANGED_CLUSTER) != is_cluster)
			continue;
		families |= modification->families;
		*ret_first = *ret_first ? *ret_first : modification;
	}
	return families;
}

static void warn_of_twin(const struct eg_modifications *modifications, bool is_cluster, const char *path,
			 struct eg_diag *diag)
{
	const struct eg_modification *first;
	const unsigned int families = families_of(modifications, is_cluster, &first);

	if (families != EG_FAMILIES_IPV4 && families != EG_FAMILIES_IPV6)
		return;
	eg_diag_add(diag, EG_SEVERITY_WARNING, first->origin, path, "are about the %s %s alone; %s stays as it is",
		    is_cluster ? "cluster" : "listener",
		    eg_cluster_name(families == EG_FAMILIES_IPV4 ? EG_FAMILY_IPV4 : EG_FAMILY_IPV6),
		    eg_cluster_name(families == EG_FAMILIES_IPV4 ? EG_FAMILY_IPV6 : EG_FAMILY_IPV4));
}

static const struct eg_modification *first_that_matches(const struct eg_modifications *modifications)
{
	for (size_t i = 0; i < modifications->list.len; i++)
		if (modifications->list.items[i].families != 0)
			return &modifications->list.items[i];
	return NULL;
}

static void warn_of_passthrough(const struct eg_modifications *modifications, const struct eg_origin *closed,
				const char *path, struct eg_diag *diag)
{
	const struct eg_modification *first = first_that_matches(modifications);

	if (first && closed)
		eg_diag_add(diag, EG_SEVERITY_WARNING, first->origin, path,
			    "no effect while passthrough is false (%s:%u:%u), except on what a Workload's allow list "
			    "lets out", closed->file, closed->line, closed->column);
}

static void warn_of_compat(const struct eg_patched_cluster *cluster, struct eg_diag *diag)
{
	static const enum eg_setting inert[] = {EG_SETTING_MAX_REQUESTS, EG_SETTING_MAX_RETRIES};

	for (size_t i = 0; i < EG_COUNT_OF(inert); i++)
		if (cluster->origins[inert[i]].file)
			eg_diag_add(diag, EG_SEVERITY_WARNING, cluster->origins[inert[i]], eg_setting_name(inert[i]),
				    "refuses nothing: the Node says compat: envoy");
}

int eg_patches_check(const struct eg_model *model, const struct eg_patches *patches, struct eg_diag *diag)
{
	static const enum eg_families families[] = {EG_FAMILIES_IPV4, EG_FAMILIES_IPV6};
	struct eg_patched_cluster cluster;

	for (size_t i = 0; i < EG_COUNT_OF(families); i++) {
		int r = eg_patches_apply(patches, families[i], diag, &cluster);

		if (r == -ENOMEM)
			return r;
		if (r == 0 && model->node && model->node->is_compatible_with_envoy)
			warn_of_compat(&cluster, diag);
	}
	return 0;
}

int eg_template_check(const struct eg_model *model, const struct eg_proxy_template *template,
		      const struct eg_origin *closed, struct eg_diag *diag)
{
	const struct eg_patches alone = {.templates = {.items = &template, .len = 1}};

	if (!template->imports_proxy)
		eg_diag_add(diag, EG_SEVERITY_WARNING, template->origin, "conf.imports",
			    "without default-proxy Kuma gives the proxy no listener at all, and nothing leaves it; here "
			    "passthrough is there whatever a template imports");
	warn_of_twin(&template->modifications, true, TEMPLATE_PATH, diag);
	warn_of_twin(&template->modifications, false, TEMPLATE_PATH, diag);
	warn_of_passthrough(&template->modifications, closed, TEMPLATE_PATH, diag);
	return eg_patches_check(model, &alone, diag);
}

/* All that select a workload apply, so the twin may stand in another one of the mesh. */
static void warn_of_patch_twins(const struct eg_proxy_patch *const *patches, size_t count, bool is_cluster,
				struct eg_diag *diag)
{
	const struct eg_modification *unused;
	unsigned int families = 0;

	for (size_t i = 0; i < count; i++)
		families |= families_of(&patches[i]->modifications, is_cluster, &unused);
	for (size_t i = 0; families != EG_FAMILIES_BOTH && i < count; i++)
		warn_of_twin(&patches[i]->modifications, is_cluster, PATCH_PATH, diag);
}

void eg_proxy_patches_check(const struct eg_proxy_patch *const *patches, size_t count, const struct eg_origin *closed,
			    struct eg_diag *diag)
{
	warn_of_patch_twins(patches, count, true, diag);
	warn_of_patch_twins(patches, count, false, diag);
	for (size_t i = 0; i < count; i++)
		warn_of_passthrough(&patches[i]->modifications, closed, PATCH_PATH, diag);
}
