/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_REFUSED_BPF_H
#define EG_REFUSED_BPF_H

/*
 * What the hooks refused last: the datagram of a UDP socket, and connects. A program of
 * another owner that runs after ours may have turned that into success: then, and only
 * then, the datagram comes by the guard. The guard cannot judge such a socket by the wire
 * alone, where NAT of the host may have put another address; but what was refused and is on
 * its way to that very address all the same was let go by somebody else. A datagram that is
 * allowed ends the note, and so does a connect, but for what was begun before it: NAT may
 * bring it to where the last one may not go.
 *
 * A socket that has a peer is judged by that, and may send elsewhere all the same: what does
 * not go to its peer is compared with the note too. Of what send() gives to such a socket
 * no hook hears: where NAT brings it to the very place that the socket was refused since
 * it has that peer, it is dropped.
 *
 * Of a connect that was refused it is noted since the socket, while open connections have
 * time left, must not be taken for one of them.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "breaker.bpf.h"
#include "kind.bpf.h"
#include "known.bpf.h"
#include "maps.bpf.h"
#include "reply.bpf.h"

static __always_inline void note_refused_connect(__u64 cookie, const struct eg_flow *flow)
{
	const struct eg_peer_key key = peer_key_of(cookie, flow);

	bpf_map_update_elem(&eg_refused, &key, flow, BPF_ANY);
}

static __always_inline bool is_refused_connect(__u64 cookie, const struct eg_flow *flow)
{
	const struct eg_peer_key key = peer_key_of(cookie, flow);

	return bpf_map_lookup_elem(&eg_refused, &key);
}

/* Of UDP alone: TCP that holds a lease was admitted since, and the guard sees that at no cost to those that connect. */
static __always_inline void forget_refused_connect(__u64 cookie, const struct eg_flow *flow)
{
	const struct eg_peer_key key = peer_key_of(cookie, flow);

	if (bpf_map_lookup_elem(&eg_refused, &key))
		bpf_map_delete_elem(&eg_refused, &key);
}

/* By a socket that was admitted, and not accepted. */
#define HELD_BY_TCP (IN_STATE(EG_LEASE_CONNECTING) | IN_STATE(EG_LEASE_ESTABLISHED) | IN_STATE(EG_LEASE_DRAINING))

/* A refused connect of TCP ends what the socket holds: with a lease a later one was admitted. */
static __always_inline bool was_refused_last(__u64 cookie, const struct eg_flow *peer)
{
	const struct eg_lease *lease;

	if (!is_refused_connect(cookie, peer))
		return false;
	lease = peer->protocol == IPPROTO_TCP ? find_lease(cookie) : NULL;
	return !lease || !(IN_STATE(eg_lease_state(read_word(lease)) & 7) & HELD_BY_TCP);
}

/* A socket has one note of its datagrams, under no address. */
static __always_inline void note_refused_datagram(__u64 cookie, const struct eg_flow *flow)
{
	const struct eg_peer_key key = {.cookie = cookie};

	bpf_map_update_elem(&eg_refused, &key, flow, BPF_ANY);
}

static __always_inline void forget_refused_datagram(__u64 cookie)
{
	const struct eg_peer_key key = {.cookie = cookie};

	if (bpf_map_lookup_elem(&eg_refused, &key))
		bpf_map_delete_elem(&eg_refused, &key);
}

static __always_inline bool is_refused_datagram(__u64 cookie, const struct eg_flow *flow)
{
	const struct eg_peer_key key = {.cookie = cookie};
	const struct eg_flow *refused = bpf_map_lookup_elem(&eg_refused, &key);

	return refused && refused->port == flow->port && is_same_place(refused, flow);
}

#endif
