/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DECIDE_BPF_H
#define EG_DECIDE_BPF_H

/*
 * flow -> decision, for every hook: no counters, no state. user/policy/eval.c says
 * the same over the rules as written, and the two are compared on generated
 * policies and flows.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "egress/maps.h"
#include "maps.bpf.h"

/* The policy that one run of a program looks at. */
struct policy_view {
	__u32 bank;
	const struct eg_workload_policy *workload; /* NULL: the slot has none */
};

/*
 * Maps are named by instructions, not by values, so each bank has a branch of its own.
 * The two calls must stay two: merged into one with a selected map, as compilers like
 * to do, the kernel could no longer inline the lookup and would call it indirectly.
 */
static __always_inline void *lookup_bank(void *bank_0, void *bank_1, __u32 bank, const void *key)
{
	void *value;

	if (bank) {
		value = bpf_map_lookup_elem(bank_1, key);
		asm volatile("" : "+r"(value) : "i"(1));
	} else {
		value = bpf_map_lookup_elem(bank_0, key);
		asm volatile("" : "+r"(value) : "i"(0));
	}
	return value;
}

/* Of the cgroup that a program is attached to; 0 until it has one. */
static __always_inline __u32 enrolled_slot(void)
{
	const struct eg_enrolment *enrolment = bpf_get_local_storage(&eg_cgroups, 0);

	return enrolment->slot;
}

/* NULL where the slot has no policy in this bank. */
static __always_inline const struct eg_workload_policy *lookup_workload(__u32 bank, const __u32 *slot)
{
	const struct eg_workload_policy *workload = lookup_bank(&eg_workloads_0, &eg_workloads_1, bank, slot);

	return workload && (workload->flags & EG_WORKLOAD_PRESENT) ? workload : NULL;
}

/* Reads the index word once: all of a run is judged by the bank that was in force then. */
static __always_inline struct policy_view view_policy(__u32 slot)
{
	struct policy_view view = {};
	struct eg_control *control;
	__u32 zero = 0;

	control = bpf_map_lookup_elem(&eg_control, &zero);
	if (!control)
		return view;
	view.bank = *(volatile __u32 *)&control->active;
	view.workload = lookup_workload(view.bank, &slot);
	return view;
}

/*
 * Of the policy that a view shows, for whoever notes what it said; 0: it changes at this
 * moment, and nobody can tell. The kernel writes the words of a map's value in no order
 * that it promises, but a bank has every other generation only, and two changes do not
 * fit in one run: an agent waits for it.
 */
static __always_inline __u64 generation_of(const struct policy_view *view)
{
	__u32 zero = 0;
	const struct eg_control *control = bpf_map_lookup_elem(&eg_control, &zero);
	__u64 generation = control ? *(const volatile __u64 *)&control->generation : 0;

	return (generation & 1) == view->bank ? generation : 0;
}

/* 127.0.0.0/8 and ::1, and the unspecified addresses, which the kernel connects to loopback. */
static __always_inline bool is_loopback(const struct eg_flow *flow)
{
	const __u32 *word = flow->addr.word_be;

	if (flow->family == EG_FAMILY_IPV4)
		return (word[0] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000) || word[0] == 0;
	return !word[0] && !word[1] && !word[2] && (word[3] == 0 || word[3] == bpf_htonl(1));
}

/*
 * The rules of a scope for an address, or NULL. An entry is complete, so that a
 * single address that is listed need not be looked up as a prefix as well.
 */
static __always_inline const struct eg_rules *find_rules(const struct eg_flow *flow, __u32 scope, __u32 bank)
{
	struct eg_prefix_key prefix = {
		.bits = EG_PREFIX_KEY_BITS +
			(flow->family == EG_FAMILY_IPV4 ? EG_PREFIX_BITS_IPV4 : EG_PREFIX_BITS_IPV6),
		.match = {.scope = scope, .family = flow->family, .addr = flow->addr},
	};
	const struct eg_rules *rules;

	rules = lookup_bank(&eg_exact_0, &eg_exact_1, bank, &prefix.match);
	if (rules)
		return rules;
	return lookup_bank(&eg_prefixes_0, &eg_prefixes_1, bank, &prefix);
}

static __always_inline bool class_allows(const struct eg_rules *rules, enum eg_class class, const struct eg_flow *flow,
					 __u32 bank)
{
	__u32 protocol = eg_protocol_bit(flow->protocol);
	struct eg_port_key key = {.port = flow->port};
	const struct eg_port_rule *listed;

	if (rules->classes[class].any_port & protocol)
		return true;
	key.ports = rules->classes[class].ports;
	if (!key.ports)
		return false;
	listed = lookup_bank(&eg_ports_0, &eg_ports_1, bank, &key);
	return listed && (listed->protocols & protocol);
}

/*
 * The first class of a scope's rules that allows the flow, or EG_CLASS_COUNT. A
 * global function: the verifier goes through it once, for any input, and not once
 * more for every way through what came before. It also takes NULL for an input.
 */
__noinline __u32 eg_first_class(const struct eg_flow *flow, __u32 scope, __u32 bank)
{
	const struct eg_rules *rules;

	if (!flow || !scope)
		return EG_CLASS_COUNT;
	rules = find_rules(flow, scope, bank);
	if (!rules)
		return EG_CLASS_COUNT;
#pragma unroll
	for (__u32 class = 0; class < EG_CLASS_COUNT; class ++)
		if (class_allows(rules, class, flow, bank))
			return class;
	return EG_CLASS_COUNT;
}

static __always_inline struct eg_decision allow(enum eg_reason reason)
{
	return (struct eg_decision){.verdict = EG_VERDICT_ALLOWED, .reason = reason};
}

static __always_inline struct eg_decision block(enum eg_reason reason, __u16 block_errno)
{
	return (struct eg_decision){.verdict = EG_VERDICT_BLOCKED, .reason = reason, .block_errno = block_errno};
}

/* Audit mode: the same reason, and the call goes on. */
static __always_inline struct eg_decision block_by(const struct eg_workload_policy *workload, enum eg_reason reason,
						   __u16 block_errno)
{
	if (workload->flags & EG_WORKLOAD_AUDIT)
		return (struct eg_decision){.verdict = EG_VERDICT_AUDITED, .reason = reason};
	return block(reason, block_errno);
}

/* The flow is normalised. */
static __always_inline struct eg_decision decide(const struct policy_view *view, const struct eg_flow *flow)
{
	const struct eg_workload_policy *workload = view->workload;
	__u32 mesh, own;

	if (!workload)
		return block(EG_REASON_BLOCKED_NO_POLICY, EPERM);
	if (is_loopback(flow))
		return allow(EG_REASON_EXEMPT_LOOPBACK);

	mesh = eg_first_class(flow, workload->mesh_scope, view->bank);
	own = eg_first_class(flow, workload->own_scope, view->bank);
	switch (mesh < own ? mesh : own) {
	case EG_CLASS_RESOLVER:
		return allow(EG_REASON_EXEMPT_RESOLVER);
	case EG_CLASS_RULE:
		return allow(EG_REASON_EXEMPT_RULE);
	case EG_CLASS_MESH:
		return allow(EG_REASON_MESH);
	case EG_CLASS_MATCHED:
		return allow(EG_REASON_MATCHED);
	}
	if (workload->flags & EG_WORKLOAD_PASSTHROUGH)
		return allow(EG_REASON_PASSTHROUGH);
	return block_by(workload, EG_REASON_BLOCKED_PASSTHROUGH_OFF, workload->block_errno);
}

/* ---- where redirect.bpf.h sends it ---- */

static __always_inline bool does_redirect(const struct eg_workload_policy *workload)
{
	return workload && (workload->flags & EG_WORKLOAD_REDIRECTS);
}

static __always_inline const struct eg_redirect_policy *redirect_of(const struct eg_workload_policy *workload,
								     __u32 family)
{
	return family == EG_FAMILY_IPV4 ? &workload->redirect_ipv4 : &workload->redirect_ipv6;
}

/* A place that connections go to by themselves: the guard knows a socket by its peer. */
static __always_inline bool is_redirect_place(const struct eg_workload_policy *workload, const struct eg_flow *flow)
{
	const struct eg_redirect_policy *redirect = redirect_of(workload, flow->family);
	const struct eg_place *place = eg_protocol_bit(flow->protocol) == EG_PROTO_UDP ? &redirect->dns : &redirect->to;

	return flow->port && flow->port == place->port && flow->addr.word_be[0] == place->addr.word_be[0] &&
	       flow->addr.word_be[1] == place->addr.word_be[1] && flow->addr.word_be[2] == place->addr.word_be[2] &&
	       flow->addr.word_be[3] == place->addr.word_be[3];
}

#endif
