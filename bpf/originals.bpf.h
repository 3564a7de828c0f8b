/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_ORIGINALS_BPF_H
#define EG_ORIGINALS_BPF_H

/*
 * The table of notes where redirected connections wanted to go, and how many it has: who
 * adds one, or removes it, counts it. redirect.bpf.h makes them and reads them.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "egress/redirect.h"
#include "maps.bpf.h"

static __always_inline bool has_room_for_original(void)
{
	__u32 zero = 0;
	const __u64 *held = bpf_map_lookup_elem(&eg_orig_count, &zero);

	return held && *(const volatile __u64 *)held < EG_ORIGINALS_MAX - EG_ORIGINALS_RESERVE;
}

static __always_inline void count_originals(__s64 change)
{
	__u32 zero = 0;
	__u64 *held = bpf_map_lookup_elem(&eg_orig_count, &zero);

	if (held)
		__sync_fetch_and_add(held, change);
}

static __always_inline bool is_epoch_of(__u32 slot_id, __u32 epoch)
{
	const struct eg_slot *slot = bpf_map_lookup_elem(&eg_slots, &slot_id);

	return slot && slot->state.epoch == epoch;
}

#endif
