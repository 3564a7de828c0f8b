/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_WORKLOAD_SLOTS_H
#define EG_WORKLOAD_SLOTS_H

/*
 * Who has which slot: the agent's copy of eg_infos, and what has to change so that
 * the slots serve the cgroups that a policy names now. No I/O: the daemon carries
 * the plan out.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "egress/maps.h"
#include "policy/model.h"
#include "policy/rules.h"
#include "workload/discover.h"

/* What is to become of a slot. */
enum eg_slot_step {
	EG_STEP_KEEP,	/* nothing */
	EG_STEP_ENROL,	/* a slot that was free gets a cgroup */
	EG_STEP_MOVE,	/* same name, another cgroup: made anew under its path, or gone for now (id 0) */
	EG_STEP_RENAME,	/* same cgroup, another name: links and slot stay, the counts are the old name's */
	EG_STEP_LEAVE,	/* nobody names it any more: its cgroup is let go and its totals are folded */
};

struct eg_slot_plan {
	uint32_t slot;
	enum eg_slot_step step;
	struct eg_slot_info info;		/* what eg_infos is to say; of LEAVE: what it says */
	/*
	 * Whose rules hold. Of LEAVE: of a cgroup above or below it, which goes on; they hold
	 * until the links there stand and its own have ended. NULL: it may do all.
	 */
	const struct eg_workload *workload;
	/* Of RENAME: a free slot for the counts of the old name, which another slot has from now on. 0: nobody has it. */
	uint32_t parking;
};

struct eg_slot_plans {
	EG_ARRAY(struct eg_slot_plan) list;
	uint32_t leaving;	/* of these */
	uint32_t left_out;	/* cgroups that no slot was free for */
};

/* Whether every slot stays what it is. */
bool eg_slot_plans_keep_all(const struct eg_slot_plans *plans);
/* Whether there are no more cgroups than slots: that what leaves makes room for what is left out. */
static inline bool eg_slot_plans_fit(const struct eg_slot_plans *plans)
{
	return plans->left_out <= plans->leaving;
}

static inline void eg_slot_plans_clear(struct eg_slot_plans *plans)
{
	eg_array_clear(&plans->list);
}

/*
 * `infos` holds slot_count entries, entry 0 unused. A cgroup that is enrolled and
 * that the policy goes on naming keeps its slot, whatever name it has now, so that
 * it is never without its links. A Workload with a literal path keeps its slot and
 * its counters while its cgroup is away; an instance of a glob that is gone leaves.
 * A name whose new cgroup is above or below the old one gets another slot, which is
 * attached before the first is let go.
 * A cgroup that finds no slot free is left out; once those that leave have left, another
 * plan has them for it. 0, or -ENOMEM.
 */
int eg_slots_plan(const struct eg_slot_info *infos, uint32_t slot_count, const struct eg_model *model,
		  const struct eg_instances *instances, struct eg_slot_plans *ret_plans);

/*
 * Who has a slot once the plans are carried out, those that leave included. One for
 * each plan, in the caller's array (malloc); they point into the plans and the model.
 * 0, or -ENOMEM.
 */
int eg_slot_plans_list_sources(const struct eg_slot_plans *plans, struct eg_rules_source **ret_sources);
/* Which slots get a cgroup that they had not. */
void eg_slot_plans_list_fresh(const struct eg_slot_plans *plans, bool ret_fresh[EG_SLOTS_MAX]);

#endif
