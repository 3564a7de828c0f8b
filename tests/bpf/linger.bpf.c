/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A program that stays in the bank that was in force when it began, for as long as
 * it is told to: no grace period is over before it ends. Its return value says
 * whether the bank changed meanwhile.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "decide.bpf.h"
#include "linger.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* For who waits: enum eg_linger_state. */
volatile __u32 eg_lingering = 0;

/* 1 ends the loop. */
static long spin(__u32 round, void *until_ns)
{
	(void)round;
	return bpf_ktime_get_ns() >= *(__u64 *)until_ns;
}

SEC("tc")
int eg_linger(struct __sk_buff *skb)
{
	__u64 until_ns = bpf_ktime_get_ns() + EG_LINGER_NS;
	struct policy_view view = view_policy(EG_LINGER_SLOT);
	const volatile struct eg_workload_policy *workload = view.workload;
	__u32 before;

	(void)skb;
	if (!workload)
		return EG_LINGER_FAILED;
	before = workload->mesh_scope;
	eg_lingering = EG_LINGER_STARTED;
	bpf_loop(1u << 23, spin, &until_ns, 0);
	eg_lingering = EG_LINGER_ENDED;
	return workload->mesh_scope == before ? EG_LINGER_UNCHANGED : EG_LINGER_CHANGED;
}
