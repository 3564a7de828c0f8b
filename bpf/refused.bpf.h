/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_REFUSED_BPF_H
#define EG_REFUSED_BPF_H

/*
 * Which datagrams of unconnected UDP sockets, and which connects, were refused by the hooks. A program
 * of another owner that runs after ours may have turned that into success: then, and only
 * then, the datagram comes by the guard. The guard cannot judge such a socket by the wire
 * alone, where NAT of the host may have put another address; but what was refused and is
 * on its way to that very address all the same was let go by somebody else.
 *
 * A connected socket has its peer, which is judged; of one that was refused it is noted all
 * the same, since while open connections have time left it must not be taken for one of them.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"
#include "reply.bpf.h"

static __always_inline void note_refused(__u64 cookie, const struct eg_flow *flow)
{
	const struct eg_peer_key key = peer_key_of(cookie, flow);
	const __u8 refused = 1;

	bpf_map_update_elem(&eg_refused, &key, &refused, BPF_ANY);
}

static __always_inline bool is_noted_as_refused(__u64 cookie, const struct eg_flow *flow)
{
	const struct eg_peer_key key = peer_key_of(cookie, flow);

	return bpf_map_lookup_elem(&eg_refused, &key);
}

#endif
