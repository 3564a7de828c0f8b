/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_REDIRECT_BPF_H
#define EG_REDIRECT_BPF_H

/*
 * Traffic that is sent to a proxy, see egress/redirect.h: which, whether its socket can
 * be, what is kept of where it wanted to go, and who is told.
 *
 * The hooks of every workload ask one flag of its policy. All else runs for those that
 * redirect: programs eg_redir_* are on their cgroups alone, and eg_proxy_* there and on
 * the proxy's.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "decide.bpf.h"
#include "emit.bpf.h"
#include "flow.bpf.h"
#include "kernel.bpf.h"
#include "maps.bpf.h"
#include "originals.bpf.h"

#define DNS_PORT 53
/* Every network namespace has its loopback device first. */
#define LOOPBACK_INDEX 1

/* ---- which traffic ---- */

/* NULL where it goes on to where it wants to. Answers to whoever asked from port 53 are no questions. */
static __always_inline const struct eg_place *find_place(const struct eg_workload_policy *workload,
							 const struct eg_flow *flow, const struct eg_decision *decision)
{
	const struct eg_redirect_policy *redirect = redirect_of(workload, flow->family);
	__u32 protocol = eg_protocol_bit(flow->protocol);
	const struct eg_place *place = NULL;

	if (protocol == EG_PROTO_UDP && flow->port == DNS_PORT && decision->reason != EG_REASON_EXEMPT_LOOPBACK &&
	    decision->reason != EG_REASON_REPLY)
		place = &redirect->dns;
	else if (protocol == EG_PROTO_TCP && decision->reason == EG_REASON_MESH)
		place = &redirect->mesh;
	else if (protocol == EG_PROTO_TCP && decision->reason == EG_REASON_BLOCKED_PASSTHROUGH_OFF)
		place = &redirect->to;
	return place && place->port ? place : NULL;
}

/* What is said of traffic that is sent to a place; in audit mode none is, and only what would be refused is said to. */
static __always_inline struct eg_decision decide_redirect(const struct eg_workload_policy *workload,
							   const struct eg_decision *plain)
{
	struct eg_decision decision = *plain;

	if (plain->reason == EG_REASON_MESH ||
	    ((workload->flags & EG_WORKLOAD_AUDIT) && plain->verdict == EG_VERDICT_ALLOWED))
		return decision;
	decision.reason = EG_REASON_REDIRECTED;
	decision.block_errno = 0;
	if (!(workload->flags & EG_WORKLOAD_AUDIT))
		decision.verdict = EG_VERDICT_ALLOWED;
	return decision;
}

/* ---- the proxy itself ---- */

/* Cgroups nested deeper than this are not looked at, as by the gates. */
#define PROXY_DEPTH_MAX 32

/* Loops are global functions. */
__noinline int eg_is_proxy_task(__u64 proxy)
{
	for (int level = 1; proxy && level < PROXY_DEPTH_MAX; level++) {
		__u64 id = bpf_get_current_ancestor_cgroup_id(level);

		if (!id || id == proxy)
			return id == proxy;
	}
	return 0;
}

/* The same by a packet's socket, where no task is known. */
__noinline int eg_is_proxy_packet(struct __sk_buff *skb, __u64 proxy)
{
	for (int level = 1; proxy && level < PROXY_DEPTH_MAX; level++) {
		__u64 id = bpf_skb_ancestor_cgroup_id(skb, level);

		if (!id || id == proxy)
			return id == proxy;
	}
	return 0;
}

/* A process is its number and the time when it began. */
static __always_inline void note_asker(void)
{
	const struct task_struct *task = bpf_get_current_task_btf();
	__u32 process = task->tgid;
	__u64 began = task->group_leader->start_time;

	bpf_map_update_elem(&eg_askers, &process, &began, BPF_ANY);
}

/* Global: for each step from one of the kernel's pointers to the next the verifier searches all of its types. */
__noinline int eg_is_asker(void)
{
	const struct task_struct *task = bpf_get_current_task_btf();
	__u32 process = task->tgid;
	const __u64 *began = bpf_map_lookup_elem(&eg_askers, &process);

	return began && *began == task->group_leader->start_time;
}

/* ---- which sockets ---- */

static __always_inline bool is_loopback_place(const struct eg_place *place, __u32 family)
{
	const struct eg_flow flow = {.family = family, .addr = place->addr};

	return is_loopback(&flow);
}

/*
 * What the kernel connects for itself keeps its address: older kernels write ours over
 * the one that it goes on using. Of MPTCP a task connects the first subflow; those that
 * a kernel thread adds belong to the peer that it has.
 */
static __always_inline bool is_for_a_task(const struct tcp_sock *tcp)
{
	const struct sock *sk = (const struct sock *)tcp;
	bool subflow = bpf_core_field_exists(tcp->is_mptcp) && tcp->is_mptcp;

	if (!BPF_CORE_READ_BITFIELD_PROBED(sk, sk_kern_sock))
		return true;
	return subflow && !(bpf_get_current_task_btf()->flags & PF_KTHREAD);
}

/* Bound to another device, it would never hear an answer from loopback. */
__noinline int eg_can_be_redirected(struct bpf_sock_addr *ctx, __u32 family, const struct eg_place *place)
{
	const struct tcp_sock *tcp;
	const struct sock *sk;

	if (!ctx->sk || !place)
		return false;
	tcp = bpf_skc_to_tcp_sock(ctx->sk);
	sk = (const struct sock *)tcp;
	if (ctx->sk->bound_dev_if > LOOPBACK_INDEX && is_loopback_place(place, family))
		return false;
	if (!tcp)
		return true;
	/* The kernel would refuse it without a word to us. */
	if (ctx->user_family == EG_FAMILY_IPV6 && family == EG_FAMILY_IPV4 &&
	    BPF_CORE_READ_BITFIELD_PROBED(&sk->__sk_common, skc_ipv6only))
		return false;
	return is_for_a_task(tcp);
}

/* ---- what is kept ---- */

static __always_inline bool is_connect(enum eg_hook hook)
{
	return hook == EG_HOOK_CONNECT4 || hook == EG_HOOK_CONNECT6;
}

/* False where it could not: a connection of which nobody knew where it wanted to go. */
static __always_inline bool keep_detour(struct bpf_sock_addr *ctx, const struct observation *seen,
					const struct eg_place *place)
{
	const struct eg_detour detour = {
		.asked = seen->flow,
		.went = {.family = seen->flow.family,
			 .addr = place->addr,
			 .port = place->port,
			 .protocol = seen->flow.protocol},
	};
	__u32 slot_id = seen->slot_id;
	const struct eg_slot *slot = bpf_map_lookup_elem(&eg_slots, &slot_id);
	struct eg_redirected *kept;

	if (!slot || !ctx->sk || (eg_protocol_bit(seen->flow.protocol) == EG_PROTO_TCP && !has_room_for_original()))
		return false;
	kept = bpf_sk_storage_get(&eg_redirects, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!kept)
		return false;
	if (is_connect(seen->hook))
		kept->connected = detour;
	else
		kept->sent = detour;
	kept->slot = slot_id;
	kept->epoch = slot->state.epoch;
	return true;
}

/* The socket goes where it wants to, from now on. */
static __always_inline void forget_detour(struct bpf_sock_addr *ctx)
{
	struct eg_redirected *kept = ctx->sk ? bpf_sk_storage_get(&eg_redirects, ctx->sk, 0, 0) : NULL;

	if (kept)
		kept->connected.asked.family = kept->connected.went.family = 0;
}

/*
 * Of a workload that redirects: where this goes instead, *ret_place, unless its port
 * is 0, and what is decided then. A global function, as the others of a connect.
 */
__noinline int eg_redirect(struct bpf_sock_addr *ctx, struct observation *seen, struct eg_place *ret_place)
{
	const struct eg_workload_policy *workload;
	const struct eg_place *place;
	__u32 slot_id;

	if (!seen || !ret_place || !ctx->sk)
		return 0;
	slot_id = seen->slot_id;
	workload = lookup_workload(seen->bank, &slot_id);
	if (!workload)
		return 0;
	place = find_place(workload, &seen->flow, &seen->decision);
	if (eg_is_proxy_task(workload->proxy_cgroup)) {
		if (seen->decision.verdict != EG_VERDICT_ALLOWED)
			seen->decision = allow(EG_REASON_EXEMPT_RULE);
		place = NULL;
	}
	if (place && (!eg_can_be_redirected(ctx, seen->flow.family, place) || eg_is_asker()))
		place = NULL;
	if (place)
		seen->decision = decide_redirect(workload, &seen->decision);
	if (!place || (workload->flags & EG_WORKLOAD_AUDIT)) {
		if (is_connect(seen->hook))
			forget_detour(ctx);
		return 0;
	}
	if (keep_detour(ctx, seen, place))
		*ret_place = *place;
	else
		seen->decision = block(EG_REASON_BLOCKED_NO_STATE, EPERM);
	return 0;
}

/* ---- the address that the kernel goes on with ---- */

static __always_inline void write_addr4(struct bpf_sock_addr *ctx, const struct eg_addr *addr, __u32 port)
{
	ctx->user_ip4 = addr->word_be[0];
	ctx->user_port = bpf_htons(port);
}

/* IPv4 is mapped: the socket is IPv6, and saw such an address. */
static __always_inline void write_addr6(struct bpf_sock_addr *ctx, __u32 family, const struct eg_addr *addr, __u32 port)
{
	bool mapped = family == EG_FAMILY_IPV4;

	ctx->user_ip6[0] = mapped ? 0 : addr->word_be[0];
	ctx->user_ip6[1] = mapped ? 0 : addr->word_be[1];
	ctx->user_ip6[2] = mapped ? bpf_htonl(0xffff) : addr->word_be[2];
	ctx->user_ip6[3] = mapped ? addr->word_be[0] : addr->word_be[3];
	ctx->user_port = bpf_htons(port);
}

/* ---- notes of connections ---- */

static __always_inline struct eg_flow local_of_sock_ops(const struct bpf_sock_ops *ctx)
{
	struct eg_flow flow = {.family = ctx->family, .port = ctx->local_port};

	if (flow.family == EG_FAMILY_IPV4) {
		flow.addr.word_be[0] = ctx->local_ip4;
		return flow;
	}
	flow.addr.word_be[0] = ctx->local_ip6[0];
	flow.addr.word_be[1] = ctx->local_ip6[1];
	flow.addr.word_be[2] = ctx->local_ip6[2];
	flow.addr.word_be[3] = ctx->local_ip6[3];
	normalise_flow(&flow);
	return flow;
}

static __always_inline struct eg_original_key original_key(__u64 netns_cookie, const struct eg_flow *local,
						       const struct eg_flow *remote)
{
	return (struct eg_original_key){
		.netns_cookie = netns_cookie,
		.local = local->addr,
		.remote = remote->addr,
		.family = remote->family,
		.local_port = local->port,
		.remote_port = remote->port,
	};
}

static __always_inline bool is_same_end(const struct eg_flow *a, const struct eg_flow *b)
{
	return a->family == b->family && a->port == b->port && a->addr.word_be[0] == b->addr.word_be[0] &&
	       a->addr.word_be[1] == b->addr.word_be[1] && a->addr.word_be[2] == b->addr.word_be[2] &&
	       a->addr.word_be[3] == b->addr.word_be[3];
}

/* The notes of a slot's earlier owners are nobody's. */
static __always_inline const struct eg_original *find_original(const struct eg_original_key *key)
{
	const struct eg_original *original = bpf_map_lookup_elem(&eg_originals, key);

	return original && is_epoch_of(original->slot, original->epoch) ? original : NULL;
}

static __always_inline void note_original(struct bpf_sock_ops *ctx, struct eg_redirected *kept)
{
	struct eg_flow local = local_of_sock_ops(ctx);
	struct eg_original_key key = original_key(bpf_get_netns_cookie(ctx), &local, &kept->connected.went);
	struct eg_original original = {
		.cookie = bpf_get_socket_cookie(ctx),
		.asked = kept->connected.asked,
		.slot = kept->slot,
		.epoch = kept->epoch,
	};

	if (bpf_map_update_elem(&eg_originals, &key, &original, BPF_NOEXIST) == 0)
		count_originals(1);
	/* Of a connection that ended without a word. */
	else if (bpf_map_update_elem(&eg_originals, &key, &original, BPF_EXIST) < 0)
		return;
	kept->key = key;
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

/* Not one that another connection of the same ends has made since. */
static __always_inline void forget_original(struct bpf_sock_ops *ctx, struct eg_redirected *kept)
{
	struct eg_original_key key = kept->key;
	const struct eg_original *original;

	if (!key.family)
		return;
	kept->key.family = 0;
	original = bpf_map_lookup_elem(&eg_originals, &key);
	if (original && original->cookie == bpf_get_socket_cookie(ctx) && bpf_map_delete_elem(&eg_originals, &key) == 0)
		count_originals(-1);
}

/* Before the SYN leaves: whoever accepts finds it there. */
static __always_inline void on_redirected_connect(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct eg_redirected *kept = sk ? bpf_sk_storage_get(&eg_redirects, sk, 0, 0) : NULL;
	struct eg_flow remote;

	if (!kept || !kept->connected.went.family)
		return;
	remote = remote_of_sock_ops(ctx);
	/* Another program may have sent it on to somewhere else. */
	if (is_same_end(&remote, &kept->connected.went))
		note_original(ctx, kept);
}

static __always_inline void on_redirected_close(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct eg_redirected *kept = sk ? bpf_sk_storage_get(&eg_redirects, sk, 0, 0) : NULL;

	if (kept)
		forget_original(ctx, kept);
}

/* From here on it is the accepted socket's, whatever becomes of the client's. Without memory the note has to do. */
static __always_inline void on_proxy_accepted(struct bpf_sock_ops *ctx)
{
	struct eg_flow proxy = local_of_sock_ops(ctx), client = remote_of_sock_ops(ctx);
	struct eg_original_key key = original_key(bpf_get_netns_cookie(ctx), &client, &proxy);
	const struct eg_original *original = find_original(&key);
	struct bpf_sock *sk = ctx->sk;
	struct eg_redirected *kept;

	if (!original || !sk)
		return;
	kept = bpf_sk_storage_get(&eg_redirects, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (kept)
		kept->connected.asked = original->asked;
}

/* ---- who asks ---- */

#define SO_ORIGINAL_DST 80 /* of SOL_IP, and IP6T_SO_ORIGINAL_DST of SOL_IPV6 */
#define SOL_IP 0
#define SOL_IPV6 41

/* As user space has it. */
struct sockaddr_ipv4 {
	__u16 family;
	__be16 port;
	__be32 addr;
	__u8 zero[8];
};

struct sockaddr_ipv6 {
	__u16 family;
	__be16 port;
	__be32 flowinfo;
	__be32 addr[4];
	__u32 scope_id;
};

/* The two ends of a socket, the other one as its client has it. */
static __always_inline struct eg_original_key key_of_accepted(__u64 netns_cookie, const struct bpf_sock *sk)
{
	struct eg_flow proxy = {.family = sk->family, .port = sk->src_port};
	struct eg_flow client = {.family = sk->family, .port = bpf_ntohs(sk->dst_port)};

	if (sk->family == EG_FAMILY_IPV4) {
		proxy.addr.word_be[0] = sk->src_ip4;
		client.addr.word_be[0] = sk->dst_ip4;
		return original_key(netns_cookie, &client, &proxy);
	}
	for (int i = 0; i < 4; i++) {
		proxy.addr.word_be[i] = sk->src_ip6[i];
		client.addr.word_be[i] = sk->dst_ip6[i];
	}
	normalise_flow(&proxy);
	normalise_flow(&client);
	return original_key(netns_cookie, &client, &proxy);
}

static __always_inline bool is_client(struct bpf_sock *sk)
{
	const struct eg_redirected *kept = bpf_sk_storage_get(&eg_redirects, sk, 0, 0);

	return kept && kept->connected.went.family;
}

/* Family 0: nobody knows. The accepted socket of MPTCP has none of its own. */
static __always_inline struct eg_flow asked_of(struct bpf_sockopt *ctx, struct bpf_sock *sk)
{
	const struct eg_redirected *kept = bpf_sk_storage_get(&eg_redirects, sk, 0, 0);
	struct eg_original_key key;
	const struct eg_original *original;

	if (kept && kept->connected.asked.family)
		return kept->connected.asked;
	key = key_of_accepted(bpf_get_netns_cookie(ctx), sk);
	original = find_original(&key);
	return original ? original->asked : (struct eg_flow){};
}

/* Two fields side by side, that the verifier takes one by one. */
static __always_inline void finish_answer(struct bpf_sockopt *ctx, __s32 len)
{
	*(volatile __s32 *)&ctx->optlen = len;
	*(volatile __s32 *)&ctx->retval = 0;
}

/* False where there is no room for it: the kernel's own answer stays. */
static __always_inline bool tell_ipv4(struct bpf_sockopt *ctx, const struct eg_flow *asked)
{
	struct sockaddr_ipv4 *answer = ctx->optval;

	if ((void *)(answer + 1) > ctx->optval_end)
		return false;
	*answer = (struct sockaddr_ipv4){
		.family = EG_FAMILY_IPV4, .port = bpf_htons(asked->port), .addr = asked->addr.word_be[0]};
	finish_answer(ctx, sizeof(*answer));
	return true;
}

static __always_inline bool tell_ipv6(struct bpf_sockopt *ctx, const struct eg_flow *asked)
{
	struct sockaddr_ipv6 *answer = ctx->optval;

	if ((void *)(answer + 1) > ctx->optval_end)
		return false;
	*answer = (struct sockaddr_ipv6){.family = EG_FAMILY_IPV6,
					 .port = bpf_htons(asked->port),
					 .addr = {asked->addr.word_be[0], asked->addr.word_be[1],
						  asked->addr.word_be[2], asked->addr.word_be[3]}};
	finish_answer(ctx, sizeof(*answer));
	return true;
}

/* By level and name, and in the form of that level alone, as Netfilter answers. */
static __always_inline bool tell_original(struct bpf_sockopt *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct eg_flow asked;

	if (ctx->optname != SO_ORIGINAL_DST || (ctx->level != SOL_IP && ctx->level != SOL_IPV6) || !sk)
		return false;
	asked = asked_of(ctx, sk);
	if (asked.family && !is_client(sk))
		note_asker();
	if (asked.family == EG_FAMILY_IPV4 && ctx->level == SOL_IP)
		return tell_ipv4(ctx, &asked);
	if (asked.family == EG_FAMILY_IPV6 && ctx->level == SOL_IPV6)
		return tell_ipv6(ctx, &asked);
	return false;
}

/* Whom the caller believes to talk to, where the kernel says whom it does talk to. Family 0: the kernel is right. */
static __always_inline struct eg_flow believed_peer(struct bpf_sock_addr *ctx, const struct eg_flow *peer)
{
	const struct eg_redirected *kept = ctx->sk ? bpf_sk_storage_get(&eg_redirects, ctx->sk, 0, 0) : NULL;
	const struct eg_original *original;
	struct eg_original_key key;
	struct bpf_sock *sk = ctx->sk;

	if (kept)
		return is_same_end(peer, &kept->connected.went) ? kept->connected.asked : (struct eg_flow){};
	if (!sk || peer->protocol != IPPROTO_MPTCP)
		return (struct eg_flow){};
	/* Its first subflow was redirected, and has the same ends. */
	key = key_of_accepted(bpf_get_netns_cookie(ctx), sk);
	key = (struct eg_original_key){
		.netns_cookie = key.netns_cookie,
		.local = key.remote,
		.remote = key.local,
		.family = key.family,
		.local_port = key.remote_port,
		.remote_port = key.local_port,
	};
	original = find_original(&key);
	return original ? original->asked : (struct eg_flow){};
}

/* The same of a datagram's sender. A connected socket hears its peer alone. */
static __always_inline struct eg_flow believed_sender(struct bpf_sock_addr *ctx, const struct eg_flow *sender)
{
	const struct eg_redirected *kept = ctx->sk ? bpf_sk_storage_get(&eg_redirects, ctx->sk, 0, 0) : NULL;

	if (kept && is_same_end(sender, &kept->connected.went) && ctx->sk->state == BPF_TCP_ESTABLISHED)
		return kept->connected.asked;
	if (kept && is_same_end(sender, &kept->sent.went))
		return kept->sent.asked;
	return (struct eg_flow){};
}

#endif
