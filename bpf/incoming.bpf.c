/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Who may come in, asked where the kernel looks for the socket of a new client: before it
 * takes a listening one, or one for datagrams that has no peer. Refused, the kernel answers
 * as if nobody listened: with a reset, or with port unreachable. What is established is
 * not looked up, and costs nothing.
 *
 * It is attached to a network namespace. No helper tells a program of this type which
 * workload a namespace is of, so that it is loaded once for each: an object of its own.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "incoming.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Whose the namespace is. */
const volatile __u32 eg_incoming_slot = 0;

/* In every network namespace. */
#define LOOPBACK_INTERFACE 1
#define AF_INET 2

static __always_inline struct eg_flow flow_of_lookup(const struct bpf_sk_lookup *ctx)
{
	struct eg_flow flow = {
		.family = ctx->family == AF_INET ? EG_FAMILY_IPV4 : EG_FAMILY_IPV6,
		.port = ctx->local_port,
		.protocol = ctx->protocol,
	};

	if (ctx->family == AF_INET) {
		flow.addr.word_be[0] = ctx->remote_ip4;
		return flow;
	}
	flow.addr.word_be[0] = ctx->remote_ip6[0];
	flow.addr.word_be[1] = ctx->remote_ip6[1];
	flow.addr.word_be[2] = ctx->remote_ip6[2];
	flow.addr.word_be[3] = ctx->remote_ip6[3];
	return flow;
}

/* From the address that it goes to. The kernel takes such a packet from outside for a martian, or answers itself. */
static __always_inline bool is_to_itself(const struct bpf_sk_lookup *ctx)
{
	if (ctx->family == AF_INET)
		return ctx->remote_ip4 == ctx->local_ip4;
	return ctx->remote_ip6[0] == ctx->local_ip6[0] && ctx->remote_ip6[1] == ctx->local_ip6[1] &&
	       ctx->remote_ip6[2] == ctx->local_ip6[2] && ctx->remote_ip6[3] == ctx->local_ip6[3];
}

/*
 * What has not left the namespace is the workload's own. It comes by the loopback device,
 * but to an address of another device the kernel names that one.
 */
SEC("sk_lookup")
int eg_in_lookup(struct bpf_sk_lookup *ctx)
{
	const struct eg_flow flow = flow_of_lookup(ctx);

	if (ctx->ingress_ifindex == LOOPBACK_INTERFACE || is_to_itself(ctx))
		return SK_PASS;
	return eg_judge_incoming(&flow, eg_incoming_slot, 1) ? SK_PASS : SK_DROP;
}
