/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "workload/slots.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/target.h"
#include "workload/pattern.h"

/* What a policy names: a cgroup that is there, or a literal path whose cgroup is not. */
struct wanted {
	const char *name;
	const struct eg_workload *workload;
	const struct eg_dataplane *dataplane; /* NULL: its Workload names none */
	const struct eg_instance *instance; /* NULL: no cgroup now */
	uint32_t slot;			    /* that is to be its own; 0: none yet */
};

struct wanted_list {
	EG_ARRAY(struct wanted) list;		/* sorted by name */
	EG_ARRAY(struct wanted *) by_cgroup;	/* those that have one, sorted by its id */
	EG_ARRAY(struct wanted *) by_dataplane;	/* those whose Workload names one, sorted by its mesh and name */
};

static void wanted_clear(struct wanted_list *wanted)
{
	eg_array_clear(&wanted->list);
	eg_array_clear(&wanted->by_cgroup);
	eg_array_clear(&wanted->by_dataplane);
}

static int compare_wanted(const void *a, const void *b)
{
	return strcmp(((const struct wanted *)a)->name, ((const struct wanted *)b)->name);
}

static struct wanted *find_wanted(const struct wanted_list *wanted, const char *name)
{
	const struct wanted key = {.name = name};

	if (wanted->list.len == 0)
		return NULL;
	return bsearch(&key, wanted->list.items, wanted->list.len, sizeof(key), compare_wanted);
}

static void sort_wanted(struct wanted_list *wanted)
{
	if (wanted->list.len > 0)
		qsort(wanted->list.items, wanted->list.len, sizeof(wanted->list.items[0]), compare_wanted);
}

static uint64_t cgroup_of(const struct wanted *wanted)
{
	return wanted->instance ? wanted->instance->cgroup_id : 0;
}

static int compare_cgroups(const void *a, const void *b)
{
	uint64_t x = cgroup_of(*(struct wanted *const *)a), y = cgroup_of(*(struct wanted *const *)b);

	return x < y ? -1 : x > y;
}

static struct wanted *find_wanted_cgroup(const struct wanted_list *wanted, uint64_t id)
{
	const struct eg_instance instance = {.cgroup_id = id};
	struct wanted key = {.instance = &instance}, *const pointer = &key, **found;

	if (id == 0 || wanted->by_cgroup.len == 0)
		return NULL;
	found = bsearch(&pointer, wanted->by_cgroup.items, wanted->by_cgroup.len, sizeof(pointer), compare_cgroups);
	return found ? *found : NULL;
}

static int index_cgroups(struct wanted_list *wanted)
{
	int r = 0;

	for (size_t i = 0; i < wanted->list.len && r == 0; i++)
		if (wanted->list.items[i].instance)
			r = eg_array_push(&wanted->by_cgroup, &wanted->list.items[i]);
	if (r == 0 && wanted->by_cgroup.len > 0)
		qsort(wanted->by_cgroup.items, wanted->by_cgroup.len, sizeof(wanted->by_cgroup.items[0]),
		      compare_cgroups);
	return r;
}

/* By the Dataplane that is named. */
static int compare_naming(const struct wanted *wanted, const char *mesh, const char *name)
{
	int order = strcmp(wanted->workload->mesh, mesh);

	return order ? order : strcmp(wanted->workload->dataplane, name);
}

static int compare_dataplanes(const void *a, const void *b)
{
	const struct eg_workload *other = (*(struct wanted *const *)b)->workload;

	return compare_naming(*(struct wanted *const *)a, other->mesh, other->dataplane);
}

/* Where the first stands that names this Dataplane, if any does. */
static size_t find_naming(const struct wanted_list *wanted, const struct eg_dataplane *dataplane)
{
	size_t low = 0, high = wanted->by_dataplane.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_naming(wanted->by_dataplane.items[middle], dataplane->mesh, dataplane->name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Of equal names the first one counts, as in eg_model_find_dataplane(). */
static void give_dataplane(struct wanted_list *wanted, const struct eg_dataplane *dataplane)
{
	for (size_t i = find_naming(wanted, dataplane); i < wanted->by_dataplane.len; i++) {
		struct wanted *naming = wanted->by_dataplane.items[i];

		if (naming->dataplane || compare_naming(naming, dataplane->mesh, dataplane->name) != 0)
			return;
		naming->dataplane = dataplane;
	}
}

/* In one walk over all Dataplanes: of these and of cgroups there may be so many that one for each took minutes. */
static int find_dataplanes(struct wanted_list *wanted, const struct eg_model *model)
{
	int r = 0;

	for (size_t i = 0; i < wanted->list.len && r == 0; i++)
		if (wanted->list.items[i].workload->dataplane)
			r = eg_array_push(&wanted->by_dataplane, &wanted->list.items[i]);
	if (r < 0 || wanted->by_dataplane.len == 0)
		return r;
	qsort(wanted->by_dataplane.items, wanted->by_dataplane.len, sizeof(wanted->by_dataplane.items[0]),
	      compare_dataplanes);
	for (size_t i = 0; i < model->dataplanes.len; i++)
		give_dataplane(wanted, model->dataplanes.items[i]);
	return 0;
}

static int add_wanted(struct wanted_list *wanted, const struct eg_workload *workload, const char *name,
		      const struct eg_instance *instance)
{
	return eg_array_push(&wanted->list, {name, workload, NULL, instance, 0});
}

static int list_wanted(const struct eg_model *model, const struct eg_instances *instances, struct wanted_list *wanted)
{
	size_t present;
	int r = 0;

	for (size_t i = 0; i < instances->list.len && r == 0; i++) {
		const struct eg_instance *instance = &instances->list.items[i];

		r = add_wanted(wanted, instance->workload, instance->name, instance);
	}
	sort_wanted(wanted);
	present = wanted->list.len;
	/* Only a literal path gives a Workload's very name to a cgroup. */
	for (size_t i = 0; i < model->workloads.len && r == 0; i++) {
		const struct eg_workload *workload = model->workloads.items[i];
		const struct wanted_list sorted = {.list = {wanted->list.items, present, present}};

		if (workload->cgroup && !eg_has_wildcard(workload->cgroup) && !find_wanted(&sorted, workload->name))
			r = add_wanted(wanted, workload, workload->name, NULL);
	}
	sort_wanted(wanted);
	if (r == 0)
		r = index_cgroups(wanted);
	return r < 0 ? r : find_dataplanes(wanted, model);
}

static struct eg_slot_info describe(const struct wanted *wanted, const struct eg_slot_info *before)
{
	const struct eg_identity identity = {wanted->workload->mesh, wanted->workload->name, wanted->workload,
					     wanted->dataplane};
	struct eg_slot_info info = before ? *before : (struct eg_slot_info){.use = EG_SLOT_ENROLLED};

	info.cgroup_id = cgroup_of(wanted);
	snprintf(info.name, sizeof(info.name), "%s", wanted->name);
	snprintf(info.mesh, sizeof(info.mesh), "%s", wanted->workload->mesh);
	snprintf(info.dataplane, sizeof(info.dataplane), "%s",
		 wanted->dataplane ? wanted->dataplane->name : wanted->name);
	snprintf(info.service, sizeof(info.service), "%s", eg_identity_service(&identity));
	snprintf(info.cgroup, sizeof(info.cgroup), "%s",
		 wanted->instance ? wanted->instance->cgroup : wanted->workload->cgroup);
	return info;
}

/* Who goes on with a slot: the first rule that finds somebody does. */
enum succession {
	SAME_NAME_AND_CGROUP,
	SAME_CGROUP,	/* before the name: a cgroup must not lose its links for a moment */
	SAME_NAME,
	SUCCESSIONS,
};

static bool are_nested(const char *a, const char *b)
{
	return eg_cgroup_is_below(a, b) || eg_cgroup_is_below(b, a);
}

static struct wanted *find_heir(const struct wanted_list *wanted, const struct eg_slot_info *info, enum succession rule)
{
	struct wanted *heir =
		rule == SAME_CGROUP ? find_wanted_cgroup(wanted, info->cgroup_id) : find_wanted(wanted, info->name);

	if (!heir || heir->slot != 0 || (rule == SAME_NAME_AND_CGROUP && cgroup_of(heir) != info->cgroup_id))
		return NULL;
	/* The links here must not end before those there stand. */
	if (rule == SAME_NAME && heir->instance && are_nested(heir->instance->cgroup, info->cgroup))
		return NULL;
	return heir;
}

static void find_heirs(const struct eg_slot_info *infos, uint32_t slot_count, struct wanted_list *wanted,
		       struct wanted **heirs)
{
	for (enum succession rule = 0; rule < SUCCESSIONS; rule++) {
		for (uint32_t slot = 1; slot < slot_count; slot++) {
			if (heirs[slot] || infos[slot].use != EG_SLOT_ENROLLED)
				continue;
			heirs[slot] = find_heir(wanted, &infos[slot], rule);
			if (heirs[slot])
				heirs[slot]->slot = slot;
		}
	}
}

static enum eg_slot_step step_to(const struct eg_slot_info *before, const struct eg_slot_info *after)
{
	if (strcmp(before->name, after->name) != 0)
		return EG_STEP_RENAME;
	return before->cgroup_id == after->cgroup_id ? EG_STEP_KEEP : EG_STEP_MOVE;
}

static struct eg_slot_plan plan_keeping(const struct eg_slot_info *info, uint32_t slot, const struct wanted *heir)
{
	struct eg_slot_plan plan = {.slot = slot, .info = describe(heir, info), .workload = heir->workload};

	plan.step = step_to(info, &plan.info);
	return plan;
}

static struct eg_slot_plan plan_leaving(const struct eg_slot_info *info, uint32_t slot,
					const struct wanted_list *wanted)
{
	struct eg_slot_plan plan = {.slot = slot, .step = EG_STEP_LEAVE, .info = *info};

	/* One that holds nothing but counts has no cgroup. */
	if (!*info->cgroup)
		return plan;
	for (size_t i = 0; i < wanted->by_cgroup.len && !plan.workload; i++)
		if (are_nested(wanted->by_cgroup.items[i]->instance->cgroup, info->cgroup))
			plan.workload = wanted->by_cgroup.items[i]->workload;
	return plan;
}

static int plan_taken_slots(const struct eg_slot_info *infos, uint32_t slot_count, struct wanted_list *wanted,
			    struct eg_slot_plans *plans)
{
	_cleanup_free_ struct wanted **heirs = calloc(slot_count, sizeof(*heirs));
	int r = 0;

	if (!heirs)
		return -ENOMEM;
	find_heirs(infos, slot_count, wanted, heirs);
	for (uint32_t slot = 1; slot < slot_count && r == 0; slot++)
		if (infos[slot].use != EG_SLOT_FREE) {
			r = eg_array_push(&plans->list, (heirs[slot] ? plan_keeping(&infos[slot], slot, heirs[slot])
								    : plan_leaving(&infos[slot], slot, wanted)));
			plans->leaving += !heirs[slot];
		}
	return r;
}

/* The first free slot from `slot` on, slot_count when there is none. */
static uint32_t find_free_slot(const struct eg_slot_info *infos, uint32_t slot_count, uint32_t slot)
{
	while (slot < slot_count && infos[slot].use != EG_SLOT_FREE)
		slot++;
	return slot;
}

/* *next is where free slots are looked for, and behind the last one that was given afterwards. */
static int plan_new_slots(const struct eg_slot_info *infos, uint32_t slot_count, const struct wanted_list *wanted,
			  struct eg_slot_plans *plans, uint32_t *next)
{
	int r = 0;

	for (size_t i = 0; i < wanted->list.len && r == 0; i++) {
		struct wanted *newcomer = &wanted->list.items[i];

		/* A literal path without a cgroup needs no slot before it has one. */
		if (newcomer->slot != 0 || !newcomer->instance)
			continue;
		*next = find_free_slot(infos, slot_count, *next);
		if (*next == slot_count) {
			plans->left_out++;
			continue;
		}
		newcomer->slot = (*next)++;
		r = eg_array_push(&plans->list,
				  {newcomer->slot, EG_STEP_ENROL, describe(newcomer, NULL), newcomer->workload, 0});
	}
	return r;
}

/* With no slot left for them, the counts of a name go where those of a name go that nobody has any more. */
static void plan_parking(const struct eg_slot_info *infos, uint32_t slot_count, const struct wanted_list *wanted,
			 struct eg_slot_plans *plans, uint32_t next)
{
	for (size_t i = 0; i < plans->list.len; i++) {
		struct eg_slot_plan *plan = &plans->list.items[i];
		const struct wanted *bearer = NULL;

		if (plan->step == EG_STEP_RENAME)
			bearer = find_wanted(wanted, infos[plan->slot].name);
		if (!bearer || bearer->slot == 0)
			continue;
		next = find_free_slot(infos, slot_count, next);
		plan->parking = next < slot_count ? next++ : 0;
	}
}

int eg_slots_plan(const struct eg_slot_info *infos, uint32_t slot_count, const struct eg_model *model,
		  const struct eg_instances *instances, struct eg_slot_plans *ret_plans)
{
	_cleanup_(wanted_clear) struct wanted_list wanted = {};
	uint32_t next = 1;
	int r = list_wanted(model, instances, &wanted);

	if (r == 0)
		r = plan_taken_slots(infos, slot_count, &wanted, ret_plans);
	if (r == 0)
		r = plan_new_slots(infos, slot_count, &wanted, ret_plans, &next);
	if (r == 0)
		plan_parking(infos, slot_count, &wanted, ret_plans, next);
	return r;
}

bool eg_slot_plans_keep_all(const struct eg_slot_plans *plans)
{
	for (size_t i = 0; i < plans->list.len; i++)
		if (plans->list.items[i].step != EG_STEP_KEEP)
			return false;
	return true;
}

/* ---- rules ---- */

/*
 * It may do all until its programs are gone: nothing limits it and nothing times out.
 * The defaults would be narrower than what it had: its policy may have had no timeout
 * at all.
 */
static void free_source(struct eg_rules_source *source)
{
	source->passthrough = (struct eg_optional_bool){.is_set = true, .value = true};
	for (enum eg_setting setting = 0; setting < EG_SETTING_COUNT; setting++)
		source->settings.numbers[setting] = (struct eg_optional_number){
			.is_set = true,
			.value = setting <= EG_SETTING_CONNECT_TIMEOUT ? UINT32_MAX : 0,
		};
}

int eg_slot_plans_list_sources(const struct eg_slot_plans *plans, struct eg_rules_source **ret_sources)
{
	struct eg_rules_source *sources = calloc(plans->list.len + 1, sizeof(*sources));

	if (!sources)
		return -ENOMEM;
	for (size_t i = 0; i < plans->list.len; i++) {
		const struct eg_slot_plan *plan = &plans->list.items[i];

		sources[i] = (struct eg_rules_source){
			.name = plan->info.name,
			.workload = plan->workload,
			.mesh = plan->workload ? plan->workload->mesh : plan->info.mesh,
			.cgroup = plan->info.cgroup,
			.slot = plan->slot,
		};
		if (!plan->workload)
			free_source(&sources[i]);
	}
	*ret_sources = sources;
	return 0;
}

void eg_slot_plans_list_fresh(const struct eg_slot_plans *plans, bool ret_fresh[EG_SLOTS_MAX])
{
	memset(ret_fresh, 0, EG_SLOTS_MAX * sizeof(*ret_fresh));
	for (size_t i = 0; i < plans->list.len; i++) {
		const struct eg_slot_plan *plan = &plans->list.items[i];

		ret_fresh[plan->slot] |= plan->step == EG_STEP_ENROL || plan->step == EG_STEP_MOVE;
	}
}
