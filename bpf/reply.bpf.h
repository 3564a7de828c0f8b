/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_REPLY_BPF_H
#define EG_REPLY_BPF_H

/*
 * Who may be answered over UDP while not everything may leave: exactly the peers that
 * wrote to a socket while it had none, for a while. Noted where their datagrams come in,
 * asked where the answers go out.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "emit.bpf.h"
#include "maps.bpf.h"

#define PEER_LIFETIME_NS (EG_PEER_LIFETIME_MS * 1000000ull)
/* So often at most a peer that goes on writing is noted anew. */
#define PEER_NOTE_NS NSEC_PER_SEC

static __always_inline struct eg_peer_key peer_key_of(__u64 cookie, const struct eg_flow *flow)
{
	return (struct eg_peer_key){.cookie = cookie, .addr = flow->addr, .family = flow->family, .port = flow->port};
}

static __always_inline bool may_answer(__u64 cookie, const struct eg_flow *flow)
{
	const struct eg_peer_key key = peer_key_of(cookie, flow);
	const struct eg_peer *peer = bpf_map_lookup_elem(&eg_peers, &key);
	__u64 seen_ns, now;

	if (!peer)
		return false;
	seen_ns = *(const volatile __u64 *)&peer->seen_ns;
	now = bpf_ktime_get_ns();
	/* Another CPU may have written a time that is later than ours. */
	return now < seen_ns || now - seen_ns <= PEER_LIFETIME_NS;
}

/* True when it is in the table already. */
static __always_inline bool note_again(const struct eg_peer_key *key, __u64 now)
{
	struct eg_peer *peer = bpf_map_lookup_elem(&eg_peers, key);

	if (peer && now - peer->seen_ns > PEER_NOTE_NS)
		peer->seen_ns = now;
	return peer;
}

/* Takes a place of the slot's quota, or counts that there was none. */
static __always_inline void note_peer(struct eg_slot *slot, __u32 slot_id, const struct eg_peer_key *key, __u64 now)
{
	const struct eg_peer peer = {.seen_ns = now, .slot = slot_id, .epoch = slot->state.epoch};

	if (__sync_fetch_and_add(&slot->state.peers, 1) < EG_PEERS_OF_SLOT_MAX &&
	    bpf_map_update_elem(&eg_peers, key, &peer, BPF_NOEXIST) == 0)
		return;
	__sync_fetch_and_add(&slot->state.peers, -1);
	/* Another CPU may have noted the very same one. */
	if (!note_again(key, now))
		count(&slot->counts.peers_missed);
}

#endif
