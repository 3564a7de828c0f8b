/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_MAPS_H
#define EG_DATAPATH_MAPS_H

/*
 * The maps that tell what happened, by descriptor: those of a datapath that this
 * process loaded, or the pinned ones of an agent that may be dead (pins.h).
 * Functions return 0, or -errno.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "egress/maps.h"
#include "policy/compile.h"

/* -1: not open. Owned by whoever gave them out. */
struct eg_maps {
	int control;
	int slots;
	int infos;
	int gates;
	int agent;
	int retired;
	int dests;
	int events;
	int tables[EG_BANKS][EG_TABLE_COUNT];	/* of the policy */
	int enrolled;
	int leases;
};

#define EG_MAPS_NONE \
	((struct eg_maps){ \
		.control = -1, \
		.slots = -1, \
		.infos = -1, \
		.gates = -1, \
		.agent = -1, \
		.retired = -1, \
		.dests = -1, \
		.events = -1, \
		.tables = {{-1, -1, -1, -1}, {-1, -1, -1, -1}}, \
		.enrolled = -1, \
		.leases = -1, \
	})

int eg_maps_read_control(const struct eg_maps *maps, struct eg_control *ret_control);
int eg_maps_read_agent(const struct eg_maps *maps, struct eg_agent *ret_agent);
int eg_maps_write_agent(const struct eg_maps *maps, const struct eg_agent *agent);
int eg_maps_read_retired(const struct eg_maps *maps, struct eg_retired *ret_retired);
/* -ENOENT for a slot that the maps do not have. */
int eg_maps_read_info(const struct eg_maps *maps, uint32_t slot, struct eg_slot_info *ret_info);
/* Of all slots; those that the maps do not have stay as they were. 0, or -errno. */
int eg_maps_read_infos(const struct eg_maps *maps, struct eg_slot_info ret_infos[EG_SLOTS_MAX]);
int eg_maps_write_info(const struct eg_maps *maps, uint32_t slot, const struct eg_slot_info *info);
/* Gates do not let this cgroup's tasks by any more. 0 also when they never did. */
int eg_maps_forget_cgroup(const struct eg_maps *maps, uint64_t cgroup_id);
/* Whether a slot's links are on this cgroup, or just about to be. True also where that cannot be looked up. */
bool eg_maps_is_enrolled(const struct eg_maps *maps, uint64_t cgroup_id);
int eg_maps_read_slot(const struct eg_maps *maps, uint32_t slot, struct eg_slot *ret_slot);
/* `count` slots from `first` on. How many the maps have of them, 0: none any more; or -errno. */
int eg_maps_read_slots(const struct eg_maps *maps, uint32_t first, uint32_t count, struct eg_slot *ret_slots);
int eg_maps_read_counts(const struct eg_maps *maps, uint32_t slot, struct eg_slot_counts *ret_counts);
/* What holds for a slot by the policy in force; without EG_WORKLOAD_PRESENT nothing does. */
int eg_maps_read_policy(const struct eg_maps *maps, uint32_t slot, struct eg_workload_policy *ret_policy);
/*
 * The whole policy in force: of workloads, those with EG_WORKLOAD_PRESENT. *ret_image is the caller's. 0, -ESTALE when
 * there was another one by the end of each of several tries, or -errno.
 */
int eg_maps_read_image(const struct eg_maps *maps, struct eg_image **ret_image);

struct eg_gate {
	uint64_t cgroup_id;
	struct eg_gate_info info;
};

struct eg_gate_list {
	EG_ARRAY(struct eg_gate) list;
};

/* Adds every gate, in no order. */
int eg_maps_list_gates(const struct eg_maps *maps, struct eg_gate_list *gates);

/*
 * Returns when every program has ended that ran when this was called: whatever it
 * read before, it has written what it writes. The kernel promises this for an update
 * of a map of maps, which waits for an RCU grace period before it returns;
 * membarrier() would do no such thing on one CPU. *grace_fd is that map, made when it
 * is -1, and the caller's to close. 0, or -errno.
 */
int eg_maps_wait_for_programs(const struct eg_maps *maps, int *grace_fd);

/* Adds up every counter. */
void eg_counts_add(struct eg_slot_counts *sum, const struct eg_slot_counts *counts);

struct eg_slot_set {
	size_t count;
	bool has[EG_SLOTS_MAX];
};

static inline void eg_slot_set_add(struct eg_slot_set *set, uint32_t slot)
{
	set->count += !set->has[slot];
	set->has[slot] = true;
}

/*
 * The slot whose fold failed half way, or was the last thing that a process did which was killed: folds the rest of it.
 * As below; 0 also when there is none.
 */
int eg_maps_finish_fold(const struct eg_maps *maps);
/*
 * Folds the slots' totals into the retired sum, each once, whatever process did how
 * much of it before, drops their destinations, and marks them free. Their links are
 * gone and no program runs for them any more.
 */
int eg_maps_retire_slots(const struct eg_maps *maps, const struct eg_slot_set *slots);
/* The same for one. */
int eg_maps_retire_slot(const struct eg_maps *maps, uint32_t slot);

struct eg_destination {
	struct eg_dest_key key;
	struct eg_dest seen;
};

struct eg_destinations {
	EG_ARRAY(struct eg_destination) list;
};

/* By slot, family, address, port, protocol, reason and verdict. */
int eg_destination_compare(const struct eg_destination *a, const struct eg_destination *b);

/* Every slot's. */
#define EG_ALL_SLOTS UINT32_MAX
/* Adds a slot's destinations, sorted. */
int eg_maps_read_destinations(const struct eg_maps *maps, uint32_t slot, struct eg_destinations *ret_destinations);

#endif
