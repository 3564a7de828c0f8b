/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_MOVE_BPF_H
#define EG_MOVE_BPF_H

/*
 * What the agent has done to counts and gauges while programs go on with them.
 *
 * The counts of one slot to another, while programs go on counting for both. Each
 * counter is taken by one exchange, so that a count lands on exactly one side; and
 * all of it is one run, so that whoever asks for it and is killed has moved all or
 * nothing.
 *
 * And a cgroup that is gone, while its slot waits for the next one of its path: sockets
 * that outlive it, since somebody else has them too or they still flush, report to
 * nobody any more.
 */
#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "egress/maps.h"
#include "maps.bpf.h"

#define COUNTER_COUNT (sizeof(struct eg_slot_counts) / sizeof(__u64))
#define WORD_OF(field) (offsetof(struct eg_slot_counts, field) / sizeof(__u64))

static __always_inline __u64 move_counter(__u64 *from, __u64 *to)
{
	__u64 taken = __sync_lock_test_and_set(from, 0);

	__sync_fetch_and_add(to, taken);
	return taken;
}

/*
 * Connections that are open stay with their slot, which holds their leases: of the
 * total goes what has ended, so that total = active + destroyed holds on both sides
 * whenever somebody connects or closes meanwhile.
 */
static __always_inline void move_ended(struct eg_cluster_counts *from, struct eg_cluster_counts *to)
{
	__u64 ended = move_counter(&from->connect_failed, &to->connect_failed) +
		      move_counter(&from->connect_timeout, &to->connect_timeout) +
		      move_counter(&from->connect_cancelled, &to->connect_cancelled) +
		      move_counter(&from->closed_local, &to->closed_local) +
		      move_counter(&from->closed_remote, &to->closed_remote);

	__sync_fetch_and_add(&from->cx_total, -ended);
	__sync_fetch_and_add(&to->cx_total, ended);
}

/* A counter that move_ended() has to do with: they stand together. */
static __always_inline bool is_of_ended(__u32 word)
{
	return (word >= WORD_OF(ipv4.cluster.cx_total) && word <= WORD_OF(ipv4.cluster.closed_remote)) ||
	       (word >= WORD_OF(ipv6.cluster.cx_total) && word <= WORD_OF(ipv6.cluster.closed_remote));
}

static __always_inline void move_counts(struct eg_slot_counts *from, struct eg_slot_counts *to)
{
	for (__u32 i = 0; i < COUNTER_COUNT; i++)
		if (!is_of_ended(i))
			move_counter((__u64 *)from + i, (__u64 *)to + i);
	move_ended(&from->ipv4.cluster, &to->ipv4.cluster);
	move_ended(&from->ipv6.cluster, &to->ipv6.cluster);
}

/* What is held by sockets whose programs are gone is given back for them, once and for all. */
static __always_inline void settle_cluster(struct eg_cluster_state *state, struct eg_cluster_counts *counts)
{
	__u64 held = __sync_lock_test_and_set(&state->held, 0);

	__sync_fetch_and_add(&counts->connect_cancelled, eg_held_pending(held));
	__sync_fetch_and_add(&counts->closed_local, eg_held_connections(held) - eg_held_pending(held));
	state->retries = 0;
	state->sessions = 0;
	state->draining = 0;
}

/* No program runs for the slot. Leases that sockets still have, and peers that wrote, are of an earlier epoch from now on. */
static __always_inline void settle_slot(struct eg_slot *slot)
{
	slot->state.epoch++;
	slot->state.peers = 0;
	settle_cluster(&slot->state.ipv4, &slot->counts.ipv4.cluster);
	settle_cluster(&slot->state.ipv6, &slot->counts.ipv6.cluster);
}

static __always_inline struct eg_slot_counts *find_counts(__u32 slot_id)
{
	struct eg_slot *slot = bpf_map_lookup_elem(&eg_slots, &slot_id);

	return slot ? &slot->counts : NULL;
}

/* Those of slots that were given back. */
static __always_inline struct eg_slot_counts *find_retired_counts(void)
{
	__u32 zero = 0;
	struct eg_retired *retired = bpf_map_lookup_elem(&eg_retired, &zero);

	return retired ? &retired->counts : NULL;
}

#endif
