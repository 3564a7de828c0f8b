/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_FOREIGN_BPF_H
#define EG_FOREIGN_BPF_H

/*
 * Sockets that processes of enrolled cgroups have open, and that the hooks of these
 * cgroups do not see: made outside, so that their own cgroup is another one's; or of a
 * family that no hook sees, made before the policy forbade it.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "decide.bpf.h"
#include "kind.bpf.h"
#include "place.bpf.h"
#include "sweep.bpf.h"

/* Whether its policy has nothing against such a socket. */
static __always_inline bool may_have_family(__u32 slot, __u32 family)
{
	struct policy_view view = view_policy(slot);

	return view.workload && (!(view.workload->flags & EG_WORKLOAD_GUARDED) ||
				 (view.workload->allowed_protocols & bit_of_family(family)));
}

static __always_inline bool is_unseen(const struct sock *sk, __u32 slot, __u32 family)
{
	return is_internet(family) ? eg_slot_of_cgroup(cgroup_of_socket(sk)) != slot : !may_have_family(slot, family);
}

/* What stands where the Internet's sockets have addresses and ports is anything. */
static __always_inline void keep_family_only(struct eg_held_socket *held, __u32 family)
{
	held->local = held->remote = (struct eg_addr){};
	held->local_port = held->remote_port = 0;
	held->family = EG_FAMILY_IPV4;
	held->protocol = EG_PROTOCOL_OF_FAMILY | family;
}

static __always_inline void list_foreign(const struct visit *visit)
{
	static const struct eg_lease none;
	struct eg_held_socket held = {};
	__u32 slot, family = visit->sk->__sk_common.skc_family;

	if (is_local_family(family))
		return;
	slot = eg_slot_of_cgroup(cgroup_of_task(visit->task));
	if (!slot || !is_unseen(visit->sk, slot, family))
		return;
	/* A word that no other record of a walk has: no state, and not 0. */
	describe(visit, &none, eg_lease_word(EG_LEASE_NONE, 0, slot, 0, 1), &held);
	if (!is_internet(family))
		keep_family_only(&held, family);
	write_held(visit->meta, &held);
}

#endif
