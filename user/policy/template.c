/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/template.h"

#include <string.h>

#include "base/cleanup.h"
#include "policy/cluster.h"
#include "policy/rules.h"

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

const struct eg_proxy_template *eg_template_select(const struct eg_model *model, const struct eg_identity *identity)
{
	const struct eg_proxy_template *best = NULL;
	struct rank best_rank = {};

	for (size_t i = 0; i < model->templates.len; i++) {
		const struct eg_proxy_template *template = model->templates.items[i];
		struct rank rank;
		int order;

		if (strcmp(template->mesh, identity->mesh) != 0 || !find_rank(template, identity, &rank))
			continue;
		order = best ? compare_ranks(&rank, &best_rank) : 1;
		if (order > 0 || (order == 0 && strcmp(template->name, best->name) < 0)) {
			best = template;
			best_rank = rank;
		}
	}
	return best;
}

/* --- what it does --- */

static void apply(const struct eg_modification *modification, struct eg_template_cluster *cluster)
{
	switch (modification->change) {
	case EG_CHANGE_PATCH:
		/* What was removed is not there to be patched. */
		if (!cluster->removed)
			eg_cluster_apply(&cluster->policy, cluster->origins, &modification->settings);
		break;
	case EG_CHANGE_ADD:
		*cluster = (struct eg_template_cluster){.policy = EG_DEFAULT_CLUSTER};
		eg_cluster_apply(&cluster->policy, cluster->origins, &modification->settings);
		break;
	case EG_CHANGE_REMOVE:
		cluster->removed = &modification->origin;
		break;
	}
}

void eg_template_apply(const struct eg_proxy_template *template, enum eg_families family,
		       struct eg_template_cluster *cluster)
{
	for (size_t i = 0; i < template->modifications.len; i++)
		if (template->modifications.items[i].families & family)
			apply(&template->modifications.items[i], cluster);
}

/* --- warnings --- */

static void warn_of_twin(const struct eg_proxy_template *template, enum eg_changed what, struct eg_diag *diag)
{
	const struct eg_modification *first = NULL;
	unsigned int families = 0;

	for (size_t i = 0; i < template->modifications.len; i++) {
		const struct eg_modification *modification = &template->modifications.items[i];

		if (modification->what != what)
			continue;
		families |= modification->families;
		first = first ? first : modification;
	}
	if (families == EG_FAMILIES_IPV4 || families == EG_FAMILIES_IPV6)
		eg_diag_add(diag, EG_SEVERITY_WARNING, first->origin, "conf.modifications",
			    "are about the %s %s alone; %s stays as it is",
			    what == EG_CHANGED_CLUSTER ? "cluster" : "listener",
			    eg_cluster_name(families == EG_FAMILIES_IPV4 ? EG_FAMILY_IPV4 : EG_FAMILY_IPV6),
			    eg_cluster_name(families == EG_FAMILIES_IPV4 ? EG_FAMILY_IPV6 : EG_FAMILY_IPV4));
}

static void warn_of_passthrough(const struct eg_model *model, const struct eg_proxy_template *template,
				struct eg_diag *diag)
{
	const struct eg_mesh *mesh = eg_model_find_mesh(model, template->mesh);

	if (template->modifications.len == 0 || !mesh || !mesh->passthrough.is_set || mesh->passthrough.value)
		return;
	eg_diag_add(diag, EG_SEVERITY_WARNING, template->modifications.items[0].origin, "conf.modifications",
		    "no effect while passthrough is false (%s:%u:%u), except on what a Workload's allow list lets out",
		    mesh->passthrough.origin.file, mesh->passthrough.origin.line, mesh->passthrough.origin.column);
}

static void warn_of_compat(const struct eg_modification *modification, struct eg_diag *diag)
{
	static const enum eg_setting inert[] = {EG_SETTING_MAX_REQUESTS, EG_SETTING_MAX_RETRIES};

	for (size_t i = 0; i < EG_COUNT_OF(inert); i++)
		if (modification->settings.numbers[inert[i]].is_set)
			eg_diag_add(diag, EG_SEVERITY_WARNING, modification->settings.numbers[inert[i]].origin,
				    eg_setting_name(inert[i]), "refuses nothing: the Node says compat: envoy");
}

void eg_template_check(const struct eg_model *model, const struct eg_proxy_template *template, struct eg_diag *diag)
{
	warn_of_twin(template, EG_CHANGED_CLUSTER, diag);
	warn_of_twin(template, EG_CHANGED_LISTENER, diag);
	warn_of_passthrough(model, template, diag);
	if (!model->node || !model->node->is_compatible_with_envoy)
		return;
	for (size_t i = 0; i < template->modifications.len; i++)
		warn_of_compat(&template->modifications.items[i], diag);
}
