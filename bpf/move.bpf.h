/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_MOVE_BPF_H
#define EG_MOVE_BPF_H

/*
 * The counts of one slot to another, while programs go on counting for both. Each
 * counter is taken by one exchange, so that a count lands on exactly one side; and
 * all of it is one run, so that whoever asks for it and is killed has moved all or
 * nothing.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "egress/maps.h"
#include "maps.bpf.h"

#define COUNTER_COUNT (sizeof(struct eg_slot_counts) / sizeof(__u64))

static __always_inline void move_counts(struct eg_slot_counts *from, struct eg_slot_counts *to)
{
	for (__u32 i = 0; i < COUNTER_COUNT; i++) {
		__u64 taken = __sync_lock_test_and_set((__u64 *)from + i, 0);

		__sync_fetch_and_add((__u64 *)to + i, taken);
	}
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
