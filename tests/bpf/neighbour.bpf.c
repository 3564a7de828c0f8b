/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Another owner's programs that are in force beside ours: they refuse a port of their own, and drop what goes there. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define THEIR_PORT 8081

SEC("cgroup/connect4")
int their_connect4(struct bpf_sock_addr *ctx)
{
	return ctx->user_port != bpf_htons(THEIR_PORT);
}

SEC("cgroup/connect6")
int their_connect6(struct bpf_sock_addr *ctx)
{
	return ctx->user_port != bpf_htons(THEIR_PORT);
}

SEC("cgroup_skb/egress")
int their_egress(struct __sk_buff *skb)
{
	return !skb->sk || skb->sk->dst_port != bpf_htons(THEIR_PORT);
}
