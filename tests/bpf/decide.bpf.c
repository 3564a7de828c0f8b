/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * decide(), and decide_redirect(), where BPF_PROG_TEST_RUN can reach it, which cgroup/connect programs
 * do not offer: a packet that holds a probe goes in, the decision comes out as
 * the program's return value.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "decide.bpf.h"
#include "flow.bpf.h"
#include "incoming.bpf.h"
#include "redirect.bpf.h"
#include "../tests/bpf/probe.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tc")
int eg_decide(struct __sk_buff *skb)
{
	struct eg_decision decision;
	struct policy_view view;
	struct eg_probe probe;
	__u32 answer = 0;

	if (bpf_skb_load_bytes(skb, 0, &probe, sizeof(probe)) < 0)
		return EG_PROBE_FAILED;
	normalise_flow(&probe.flow);
	view = view_policy(probe.slot);
	decision = decide(&view, &probe.flow);
	if (does_redirect(view.workload) && find_place(view.workload, &probe.flow, &decision))
		decision = decide_redirect(view.workload, &decision);
	__builtin_memcpy(&answer, &decision, sizeof(answer));
	return answer;
}

SEC("tc")
int eg_incoming(struct __sk_buff *skb)
{
	struct eg_decision decision;
	struct policy_view view;
	struct eg_probe probe;
	__u32 answer = 0;

	if (bpf_skb_load_bytes(skb, 0, &probe, sizeof(probe)) < 0)
		return EG_PROBE_FAILED;
	normalise_flow(&probe.flow);
	view = view_policy(probe.slot);
	if (!is_incoming_judged(&view, &probe.flow))
		return EG_PROBE_NOT_JUDGED;
	decision = decide_incoming(&view, &probe.flow);
	__builtin_memcpy(&answer, &decision, sizeof(answer));
	return answer;
}
