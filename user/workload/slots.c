/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "workload/slots.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a policy names: a cgroup that is there, or a literal path whose cgroup is not. */
struct wanted {
	const char *name;
	const struct eg_workload *workload;
	const struct eg_instance *instance; /* NULL: no cgroup now */
	bool has_slot;
};

struct wanted_list {
	EG_ARRAY(struct wanted) list;
};

static void wanted_clear(struct wanted_list *wanted)
{
	eg_array_clear(&wanted->list);
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

static int list_wanted(const struct eg_model *model, const struct eg_instances *instances, struct wanted_list *wanted)
{
	size_t present;
	int r = 0;

	for (size_t i = 0; i < instances->list.len && r == 0; i++) {
		const struct eg_instance *instance = &instances->list.items[i];

		r = eg_array_push(&wanted->list, {instance->name, instance->workload, instance, false});
	}
	sort_wanted(wanted);
	present = wanted->list.len;
	/* Only a literal path gives a Workload's very name to a cgroup. */
	for (size_t i = 0; i < model->workloads.len && r == 0; i++) {
		const struct eg_workload *workload = model->workloads.items[i];
		const struct wanted_list sorted = {.list = {wanted->list.items, present, present}};

		if (workload->cgroup && !find_wanted(&sorted, workload->name))
			r = eg_array_push(&wanted->list, {workload->name, workload, NULL, false});
	}
	sort_wanted(wanted);
	return r;
}

static struct eg_slot_info describe(const struct wanted *wanted, const struct eg_slot_info *before)
{
	struct eg_slot_info info = before ? *before : (struct eg_slot_info){.use = EG_SLOT_ENROLLED};

	info.cgroup_id = wanted->instance ? wanted->instance->cgroup_id : 0;
	snprintf(info.name, sizeof(info.name), "%s", wanted->name);
	snprintf(info.mesh, sizeof(info.mesh), "%s", wanted->workload->mesh);
	snprintf(info.cgroup, sizeof(info.cgroup), "%s",
		 wanted->instance ? wanted->instance->cgroup : wanted->workload->cgroup);
	return info;
}

static int plan_taken_slot(const struct eg_slot_info *info, uint32_t slot, struct wanted_list *wanted,
			   struct eg_slot_plans *plans)
{
	struct wanted *heir = info->use == EG_SLOT_ENROLLED ? find_wanted(wanted, info->name) : NULL;
	struct eg_slot_plan plan = {.slot = slot, .step = EG_STEP_LEAVE, .info = *info};

	if (heir && !heir->has_slot) {
		heir->has_slot = true;
		plan.info = describe(heir, info);
		plan.workload = heir->workload;
		plan.step = plan.info.cgroup_id == info->cgroup_id ? EG_STEP_KEEP : EG_STEP_MOVE;
	}
	return eg_array_push(&plans->list, plan);
}

static int plan_new_slots(const struct eg_slot_info *infos, uint32_t slot_count, const struct wanted_list *wanted,
			  struct eg_slot_plans *plans)
{
	uint32_t slot = 1;
	int r = 0;

	for (size_t i = 0; i < wanted->list.len && r == 0; i++) {
		const struct wanted *newcomer = &wanted->list.items[i];

		/* A literal path without a cgroup needs no slot before it has one. */
		if (newcomer->has_slot || !newcomer->instance)
			continue;
		while (slot < slot_count && infos[slot].use != EG_SLOT_FREE)
			slot++;
		if (slot == slot_count)
			return -ENOSPC;
		r = eg_array_push(&plans->list,
				  {slot++, EG_STEP_ENROL, describe(newcomer, NULL), newcomer->workload});
	}
	return r;
}

int eg_slots_plan(const struct eg_slot_info *infos, uint32_t slot_count, const struct eg_model *model,
		  const struct eg_instances *instances, struct eg_slot_plans *ret_plans)
{
	_cleanup_(wanted_clear) struct wanted_list wanted = {};
	int r = list_wanted(model, instances, &wanted);

	for (uint32_t slot = 1; slot < slot_count && r == 0; slot++)
		if (infos[slot].use != EG_SLOT_FREE)
			r = plan_taken_slot(&infos[slot], slot, &wanted, ret_plans);
	return r < 0 ? r : plan_new_slots(infos, slot_count, &wanted, ret_plans);
}
