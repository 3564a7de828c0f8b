/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_FORBIDDEN_BPF_H
#define EG_FORBIDDEN_BPF_H

/*
 * Connections that are open and that the policy in force forbids: with a lease, of the
 * mesh and so without one, and older than their cgroup's enrolment. The hooks refuse
 * new ones, so that each was there before the policy. Its mark, which the guard obeys,
 * says until when it goes on, or that it is kept.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "decide.bpf.h"
#include "known.bpf.h"
#include "place.bpf.h"
#include "refused.bpf.h"
#include "reply.bpf.h"
#include "sweep.bpf.h"

#define SOCKET_DGRAM 2
#define PROTOCOL_UDP 17
#define PROTOCOL_MPTCP 262

/* Or listens. Of MPTCP it is the parent, which is what processes have. */
static __always_inline bool is_connection(struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family, protocol = sk->sk_protocol;
	__u8 state = sk->__sk_common.skc_state;

	if (family != EG_FAMILY_IPV4 && family != EG_FAMILY_IPV6)
		return false;
	if (protocol == PROTOCOL_UDP)
		return sk->sk_type == SOCKET_DGRAM && state == BPF_TCP_ESTABLISHED;
	return (bpf_skc_to_tcp_sock(sk) || protocol == PROTOCOL_MPTCP) && state != BPF_TCP_CLOSE;
}

/*
 * It did not open the connection. What was accepted is a copy of who listens, with its
 * backlog; where that is 0, user space compares it with the sockets that listen.
 */
static __always_inline bool is_answering(const struct sock *sk, const struct eg_lease *lease,
					 const struct eg_known *known, const struct eg_flow *flow)
{
	if (lease && eg_lease_state(read_word(lease)) == EG_LEASE_TRUSTED)
		return true;
	if ((known && (known->flags & EG_KNOWN_ANSWERS)) || sk->sk_max_ack_backlog)
		return true;
	return flow->protocol == PROTOCOL_UDP && may_answer(cookie_of(sk), flow);
}

/* To a proxy, where its connect sent it, or of one inside the workload: the guard lets both by. */
static __always_inline bool is_of_redirect(const struct sock *sk, const struct policy_view *view,
					   const struct eg_flow *flow)
{
	if (!does_redirect(view->workload))
		return false;
	if (is_redirect_place(view->workload, flow))
		return true;
	return view->workload->proxy_cgroup && eg_is_within(cgroup_of_socket(sk), view->workload->proxy_cgroup);
}

/*
 * What cannot be marked as kept is ended: the guard would drop what it sends, and nobody
 * would tell its process. So is what a program of another owner has connected although we
 * refused: it was not there before the policy.
 */
static __always_inline __u8 fate_of(struct sock *sk, const struct eg_lease *lease, __u32 slot,
				    const struct policy_view *view, const struct eg_flow *flow)
{
	struct eg_known *known = find_known(sk, flow, slot);

	if (decide(view, flow).verdict == EG_VERDICT_ALLOWED || is_of_redirect(sk, view, flow)) {
		if (known)
			known->until_ns = 0;
		return EG_FATE_NONE;
	}
	if (is_answering(sk, lease, known, flow))
		return EG_FATE_NONE;
	if (!known)
		known = make_known(sk, flow, slot);
	if (known && (known->flags & EG_KNOWN_KEPT))
		return EG_FATE_NONE;
	if (known && (view->workload->flags & EG_WORKLOAD_KEEPS) && !was_refused_last(cookie_of(sk), flow)) {
		know_flag(known, EG_KNOWN_KEPT);
		return EG_FATE_KEPT;
	}
	return bpf_ktime_get_ns() < know_forbidden(known, view->workload) ? EG_FATE_WAITS : EG_FATE_ENDS;
}

/* Nothing is forbidden any more, and no packet tells the guard so: a policy that forbids it later gives it time anew. */
static __always_inline void forget_deadline(struct sock *sk)
{
	struct eg_known *known = bpf_sk_storage_get(&eg_known, sk, NULL, 0);

	if (known && known->until_ns)
		known->until_ns = 0;
}

static __always_inline void list_forbidden(const struct visit *visit, const struct eg_lease *lease)
{
	static const struct eg_lease none;
	struct eg_held_socket held = {};
	struct policy_view view;
	struct eg_flow flow;
	__u32 slot;

	if (!is_connection(visit->sk))
		return;
	slot = eg_slot_of_cgroup(cgroup_of_socket(visit->sk));
	view = view_policy(slot);
	if (!slot || !view.workload)
		return;
	if (!(view.workload->flags & EG_WORKLOAD_GUARDED)) {
		forget_deadline(visit->sk);
		return;
	}
	/* A word that no other record of a walk has: no state, and not 0. */
	describe(visit, lease ? lease : &none, eg_lease_word(EG_LEASE_NONE, 0, slot, 0, 1), &held);
	flow = eg_held_flow(&held);
	if (held.tcp_state != BPF_TCP_LISTEN)
		held.fate = fate_of(visit->sk, lease, slot, &view, &flow);
	if (held.fate || held.tcp_state == BPF_TCP_LISTEN)
		write_held(visit->meta, &held);
}

/* For good: what it is told of an earlier owner of its slot is that of another cgroup, whose sockets are others. */
static __always_inline struct eg_known *known_kept(struct sock *sk)
{
	struct eg_known *known = bpf_sk_storage_get(&eg_known, sk, NULL, 0);

	return known && (known->flags & EG_KNOWN_KEPT) ? known : NULL;
}

/* For who lists what is open: its packets pass, and the policy forbids it. */
static __always_inline void list_kept(const struct visit *visit)
{
	static const struct eg_lease none;
	const struct eg_known *known = known_kept(visit->sk);
	struct eg_held_socket held = {};
	struct eg_flow flow;

	if (!known || !is_connection(visit->sk))
		return;
	describe(visit, &none, eg_lease_word(EG_LEASE_NONE, 0, (__u16)known->slot, 0, 1), &held);
	flow = eg_held_flow(&held);
	if (!is_about(known, &flow, known->slot))
		return;
	held.fate = EG_FATE_KEPT;
	held.reason = EG_REASON_BLOCKED_PASSTHROUGH_OFF;
	held.verdict = EG_VERDICT_ALLOWED;
	write_held(visit->meta, &held);
}

static __always_inline void list_socket(const struct visit *visit, const struct eg_lease *lease)
{
	__u64 word = read_word(lease);
	const struct eg_known *known = known_kept(visit->sk);
	struct eg_held_socket held = {};
	struct eg_flow flow;

	if (!is_present(visit->sk, lease, word))
		return;
	describe(visit, lease, word, &held);
	flow = eg_held_flow(&held);
	if (known && is_about(known, &flow, eg_lease_slot(word)))
		held.fate = EG_FATE_KEPT;
	if (read_word(lease) == word)
		write_held(visit->meta, &held);
}

#endif
