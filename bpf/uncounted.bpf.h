/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_UNCOUNTED_BPF_H
#define EG_UNCOUNTED_BPF_H

/*
 * TCP connections of enrolled cgroups that hold no lease and would need one: they are
 * older than their cgroup's enrolment. The kernel does not keep who connected to whom:
 * user space infers it from the sockets that listen, which are given too.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "decide.bpf.h"
#include "place.bpf.h"
#include "sweep.bpf.h"

/* EG_REASON_COUNT where no lease is wanting. */
static __always_inline __u32 wanting_reason(__u32 slot, const struct eg_held_socket *socket)
{
	const struct eg_flow flow = eg_held_flow(socket);
	struct policy_view view = view_policy(slot);
	struct eg_decision decision = decide(&view, &flow);

	switch (decision.reason) {
	case EG_REASON_PASSTHROUGH:
	case EG_REASON_MATCHED:
	case EG_REASON_BLOCKED_PASSTHROUGH_OFF:
		return decision.reason;
	default:
		return EG_REASON_COUNT;
	}
}

static __always_inline void list_uncounted(const struct visit *visit, const struct eg_lease *lease)
{
	struct sock *sk = visit->sk;
	static const struct eg_lease none;
	__u8 state = sk->__sk_common.skc_state;
	struct eg_held_socket held = {};
	__u32 slot, reason = 0;

	if ((lease && is_live(read_word(lease))) || !bpf_skc_to_tcp_sock(sk) ||
	    (state != BPF_TCP_ESTABLISHED && state != BPF_TCP_SYN_SENT && state != BPF_TCP_LISTEN))
		return;
	slot = eg_slot_of_cgroup(cgroup_of_socket(sk));
	if (!slot)
		return;
	/* A word that no other record of a walk has: no state, and not 0. */
	describe(visit, &none, eg_lease_word(EG_LEASE_NONE, 0, slot, 0, 1), &held);
	if (state != BPF_TCP_LISTEN)
		reason = wanting_reason(slot, &held);
	held.reason = reason;
	if (reason != EG_REASON_COUNT)
		write_held(visit->meta, &held);
}

#endif
