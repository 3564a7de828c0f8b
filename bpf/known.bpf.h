/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_KNOWN_BPF_H
#define EG_KNOWN_BPF_H

/*
 * What the guard knows of a connected socket, beside its lease, since most that the
 * guard looks at have none. A workload can use up the memory that a socket may have for
 * this: nothing is refused for want of it, and nothing let pass.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"

/* There is no deadline to come: it was over before it was found. */
#define LONG_OVER_NS 1

static __always_inline bool is_same_place(const struct eg_flow *a, const struct eg_flow *b)
{
	return a->family == b->family && a->addr.word_be[0] == b->addr.word_be[0] &&
	       a->addr.word_be[1] == b->addr.word_be[1] && a->addr.word_be[2] == b->addr.word_be[2] &&
	       a->addr.word_be[3] == b->addr.word_be[3];
}

static __always_inline bool is_about(const struct eg_known *known, const struct eg_flow *peer, __u32 slot)
{
	return known->slot == slot && known->peer.port == peer->port && known->peer.protocol == peer->protocol &&
	       is_same_place(&known->peer, peer);
}

/* NULL also where what is there is about an earlier peer. */
static __always_inline struct eg_known *find_known(void *sk, const struct eg_flow *peer, __u32 slot)
{
	struct eg_known *known = bpf_sk_storage_get(&eg_known, sk, NULL, 0);

	return known && is_about(known, peer, slot) ? known : NULL;
}

/* NULL: there is no room. Nobody takes it for another peer's while it is written: its generation is none before. */
static __always_inline struct eg_known *make_known(void *sk, const struct eg_flow *peer, __u32 slot)
{
	struct eg_known fresh = {.peer = *peer, .slot = slot}, *known;

	known = bpf_sk_storage_get(&eg_known, sk, &fresh, BPF_SK_STORAGE_GET_F_CREATE);
	if (!known || is_about(known, peer, slot))
		return known;
	__sync_lock_test_and_set(&known->generation, 0);
	known->until_ns = 0;
	known->flags = 0;
	known->slot = slot;
	known->peer = *peer;
	return known;
}

static __always_inline void know_flag(struct eg_known *known, __u32 flag)
{
	if (!(known->flags & flag))
		__sync_fetch_and_or(&known->flags, flag);
}

static __always_inline void know_allowed(struct eg_known *known, __u64 generation)
{
	known->until_ns = 0;
	__sync_lock_test_and_set(&known->generation, generation);
}

/*
 * Until when it goes on: what the policy says that was the first to forbid it. A later
 * one that forbids it too gives it no more time.
 */
static __always_inline __u64 know_forbidden(struct eg_known *known, const struct eg_workload_policy *workload)
{
	__u64 until_ns = workload->grace_until_ns ? workload->grace_until_ns : LONG_OVER_NS;

	if (!known)
		return until_ns;
	if (!known->until_ns)
		known->until_ns = until_ns;
	return known->until_ns;
}

#endif
