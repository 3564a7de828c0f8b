/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_FLOW_BPF_H
#define EG_FLOW_BPF_H

/* ctx -> struct eg_flow */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "egress/flow.h"

#define IPPROTO_MPTCP 262

/*
 * An IPv4-mapped address is IPv4, whichever hook sees it: connect6 gets them as
 * written, while the kernel hands a mapped sendto() to sendmsg4 by itself.
 */
static __always_inline void normalise_flow(struct eg_flow *flow)
{
	if (flow->family != EG_FAMILY_IPV6 || flow->addr.word_be[0] || flow->addr.word_be[1] ||
	    flow->addr.word_be[2] != bpf_htonl(0xffff))
		return;
	flow->family = EG_FAMILY_IPV4;
	flow->addr.word_be[0] = flow->addr.word_be[3];
	flow->addr.word_be[2] = 0;
	flow->addr.word_be[3] = 0;
}

static __always_inline struct eg_flow flow_of_sock_addr4(const struct bpf_sock_addr *ctx)
{
	struct eg_flow flow = {
		.family = EG_FAMILY_IPV4,
		.addr.word_be = {ctx->user_ip4},
		.port = bpf_ntohs(ctx->user_port),
		.protocol = ctx->protocol,
	};

	return flow;
}

static __always_inline struct eg_flow flow_of_sock_addr6(const struct bpf_sock_addr *ctx)
{
	struct eg_flow flow = {
		.family = EG_FAMILY_IPV6,
		.addr.word_be = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]},
		.port = bpf_ntohs(ctx->user_port),
		.protocol = ctx->protocol,
	};

	normalise_flow(&flow);
	return flow;
}

/* Of TCP: where it is connected to. */
static __always_inline struct eg_flow remote_of_sock_ops(const struct bpf_sock_ops *ctx)
{
	struct eg_flow flow = {
		.family = ctx->family,
		.port = bpf_ntohl(ctx->remote_port),
		.protocol = 6, /* IPPROTO_TCP */
	};

	if (flow.family == EG_FAMILY_IPV4) {
		flow.addr.word_be[0] = ctx->remote_ip4;
		return flow;
	}
	flow.addr.word_be[0] = ctx->remote_ip6[0];
	flow.addr.word_be[1] = ctx->remote_ip6[1];
	flow.addr.word_be[2] = ctx->remote_ip6[2];
	flow.addr.word_be[3] = ctx->remote_ip6[3];
	normalise_flow(&flow);
	return flow;
}

#endif
