/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_INCOMING_BPF_H
#define EG_INCOMING_BPF_H

/*
 * Who may come in: the clients of a workload's ports, while mTLS is on. A flow has the
 * client's address and the workload's own port. policy/eval.c says the same over the
 * rules as written.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "decide.bpf.h"
#include "emit.bpf.h"

#define EG_INCOMING_UDP 17

/* What the kernel takes from its own loopback device alone. The unspecified addresses are nobody's. */
static __always_inline bool is_own_client(const struct eg_flow *flow)
{
	const __u32 *word = flow->addr.word_be;

	if (flow->family == EG_FAMILY_IPV4 && word[0] == 0)
		return false;
	return is_loopback(flow) && (word[0] | word[1] | word[2] | word[3]);
}

static __always_inline bool is_service_port(const struct policy_view *view, const struct eg_flow *flow)
{
	const struct eg_port_key key = {.ports = view->workload->service_ports, .port = flow->port};

	return key.ports && lookup_bank(&eg_ports_0, &eg_ports_1, view->bank, &key);
}

/*
 * Of datagrams only those to a declared port: any other one may be the answer to what
 * a socket of the workload has sent. A slot without policy is judged, and refused.
 */
static __always_inline bool is_incoming_judged(const struct policy_view *view, const struct eg_flow *flow)
{
	if (!view->workload)
		return true;
	if (!(view->workload->flags & EG_WORKLOAD_INCOMING) || is_own_client(flow))
		return false;
	return flow->protocol != EG_INCOMING_UDP || is_service_port(view, flow);
}

/* Of one that is judged. */
static __always_inline struct eg_decision decide_incoming(const struct policy_view *view, const struct eg_flow *flow)
{
	const struct eg_workload_policy *workload = view->workload;

	if (!workload)
		return block(EG_REASON_BLOCKED_NO_POLICY, EPERM);
	if (!(workload->flags & EG_WORKLOAD_STRICT) ||
	    eg_first_class(flow, workload->mesh_sources, view->bank) != EG_CLASS_COUNT ||
	    eg_first_class(flow, workload->own_sources, view->bank) != EG_CLASS_COUNT)
		return allow(EG_REASON_INCOMING_ALLOWED);
	return block_by(workload, EG_REASON_INCOMING_BLOCKED, workload->block_errno);
}

/* Whatever the slot, each verdict has a counter: those of slot 0 where the slot has none. */
static __always_inline void account_incoming(struct observation *seen)
{
	__u32 slot_id = seen->slot_id;
	struct eg_slot *slot = bpf_map_lookup_elem(&eg_slots, &slot_id);

	if (!slot) {
		slot_id = 0;
		slot = bpf_map_lookup_elem(&eg_slots, &slot_id);
	}
	seen->slot_id = slot_id;
	seen->time_ns = bpf_ktime_get_coarse_ns();
	if (slot)
		account(slot, seen, false);
}

/*
 * Whether it may come in. A global function, so that the verifier goes through it once.
 * `counts` is false for the packets of a client that was counted already.
 */
__noinline int eg_judge_incoming(const struct eg_flow *flow, __u32 slot_id, int counts)
{
	struct observation seen = {.slot_id = slot_id, .hook = EG_HOOK_INCOMING};
	struct policy_view view = view_policy(slot_id);

	if (!flow)
		return 0;
	seen.flow = *flow;
	if (!is_incoming_judged(&view, &seen.flow))
		return 1;
	seen.bank = view.bank;
	seen.decision = decide_incoming(&view, &seen.flow);
	if (counts || seen.decision.verdict == EG_VERDICT_BLOCKED)
		account_incoming(&seen);
	return seen.decision.verdict != EG_VERDICT_BLOCKED;
}

/* ---- packets: where a namespace is not the workload's alone ---- */

#define EG_INCOMING_TCP 6
#define EG_INCOMING_IPV4 0x0800
#define EG_INCOMING_SYN 0x02

struct incoming_packet {
	struct eg_flow flow;
	bool opens; /* or may open: what stands behind other headers is not read */
};

/* Whom a packet to this socket is from. False when that cannot be read. */
static __always_inline bool read_client(struct __sk_buff *skb, const struct bpf_sock *sk,
					struct incoming_packet *ret_packet)
{
	const bool ipv4 = skb->protocol == bpf_htons(EG_INCOMING_IPV4);
	__u8 header[40], flags = EG_INCOMING_SYN;
	__u32 len = 40;

	if (bpf_skb_load_bytes(skb, 0, header, ipv4 ? 20 : 40) < 0)
		return false;
	ret_packet->flow.family = ipv4 ? EG_FAMILY_IPV4 : EG_FAMILY_IPV6;
	ret_packet->flow.port = sk->src_port;
	ret_packet->flow.protocol = sk->protocol;
	if (ipv4) {
		len = (header[0] & 0xf) * 4u;
		__builtin_memcpy(&ret_packet->flow.addr.word_be[0], header + 12, 4);
	} else {
		__builtin_memcpy(ret_packet->flow.addr.word_be, header + 8, 16);
	}
	if (header[ipv4 ? 9 : 6] == EG_INCOMING_TCP && bpf_skb_load_bytes(skb, len + 13, &flags, sizeof(flags)) < 0)
		return false;
	ret_packet->opens = flags & EG_INCOMING_SYN;
	return true;
}

/* What belongs to a connection, or to a socket that has one peer, was judged when it began, or is older. */
static __always_inline bool takes_clients(const struct bpf_sock *sk)
{
	if (sk->protocol == EG_INCOMING_UDP)
		return !sk->dst_port;
	return (sk->protocol == EG_INCOMING_TCP || sk->protocol == 262 /* IPPROTO_MPTCP */) &&
	       sk->state == BPF_TCP_LISTEN;
}

static __always_inline bool may_come_in(struct __sk_buff *skb, const struct bpf_sock *sk, __u32 slot_id)
{
	struct incoming_packet packet = {};

	if (!takes_clients(sk))
		return true;
	return read_client(skb, sk, &packet) && eg_judge_incoming(&packet.flow, slot_id, packet.opens);
}

#endif
