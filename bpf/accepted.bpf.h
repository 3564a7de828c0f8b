/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_ACCEPTED_BPF_H
#define EG_ACCEPTED_BPF_H

/*
 * Connections that came in to workloads whose clients are looked at, for who lists what
 * is open. They hold no place. What is said of one is what the policy in force says of
 * its client; one that it would refuse was there before, and is kept.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "incoming.bpf.h"
#include "place.bpf.h"
#include "sweep.bpf.h"

/*
 * It holds no lease, or that of what was accepted while packets are looked at. Without
 * one it is a copy of who listens, with its backlog; where that is 0 it is not told from
 * what connects.
 */
static __always_inline bool was_accepted(struct sock *sk, const struct eg_lease *lease)
{
	__u64 word = lease ? read_word(lease) : 0;
	__u8 state;

	if (!sk || !bpf_skc_to_tcp_sock(sk))
		return false;
	state = sk->__sk_common.skc_state;
	if (state == BPF_TCP_CLOSE || state == BPF_TCP_LISTEN)
		return false;
	return is_live(word) ? eg_lease_state(word) == EG_LEASE_TRUSTED : sk->sk_max_ack_backlog;
}

/* As whoever let it in has seen it: the client's address, and the workload's own port. */
static __always_inline struct eg_flow client_of(const struct eg_held_socket *held)
{
	struct eg_flow flow = eg_held_flow(held);

	flow.port = held->local_port;
	return flow;
}

/* By the loopback device, whatever its address: the workload's own. Not known before its first packet. */
static __always_inline bool is_from_loopback_device(const struct sock *sk)
{
	return sk->sk_rx_dst_ifindex == 1;
}

static __always_inline void list_client(const struct visit *visit)
{
	static const struct eg_lease none;
	struct eg_held_socket held = {};
	struct eg_decision decision;
	struct policy_view view;
	struct eg_flow client;
	__u32 slot = eg_slot_of_cgroup(cgroup_of_socket(visit->sk));

	view = view_policy(slot);
	if (!slot || !view.workload || is_from_loopback_device(visit->sk))
		return;
	/* A word that no other record of a walk has: no state, and not 0. */
	describe(visit, &none, eg_lease_word(EG_LEASE_NONE, 0, slot, 0, 1), &held);
	client = client_of(&held);
	if (!is_incoming_judged(&view, &client))
		return;
	decision = decide_incoming(&view, &client);
	held.reason = decision.reason;
	held.verdict = decision.verdict;
	if (decision.verdict == EG_VERDICT_BLOCKED) {
		held.verdict = EG_VERDICT_ALLOWED;
		held.fate = EG_FATE_KEPT;
	}
	write_held(visit->meta, &held);
}

#endif
