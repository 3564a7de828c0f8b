/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_AGEING_BPF_H
#define EG_AGEING_BPF_H

/*
 * Destinations leave their table by the agent alone, and here: whoever removes an entry
 * gives its place of the slot's quota back, and programs take places meanwhile. A
 * verdict that is being counted for an entry in the moment in which it goes is not
 * listed; no counter but the entry's own depends on it.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "egress/maps.h"
#include "emit.bpf.h"
#include "maps.bpf.h"

static __always_inline bool is_to_go(const struct eg_dest_key *key, const struct eg_dest *dest, const struct eg_age *age)
{
	return (age->slot == EG_AGE_ALL || age->slot == key->slot) && dest->last_seen_ns < age->seen_before_ns &&
	       (!age->clients || eg_reason_is_incoming(key->reason));
}

/* 1 ends the walk. */
static long age_destination(void *map, struct eg_dest_key *key, struct eg_dest *dest, struct eg_age *age)
{
	__u32 slot_id = key->slot;
	struct eg_slot *slot;

	(void)map;
	if (age->removed >= age->at_most)
		return 1;
	if (!is_to_go(key, dest, age) || bpf_map_delete_elem(&eg_dests, key) < 0)
		return 0;
	age->removed++;
	slot = bpf_map_lookup_elem(&eg_slots, &slot_id);
	if (!slot)
		return 0;
	__sync_fetch_and_add(&slot->state.destinations, -1);
	if (age->for_room)
		count(&slot->counts.destinations_evicted);
	return 0;
}

#endif
