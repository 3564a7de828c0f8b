/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The programs on a workload's cgroup: ctx -> flow -> decide -> verdict.
 *
 * Nothing is kept in .data or .bss: a program that is updated in place, or that
 * runs beside its older version for a moment, works on the same maps.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>

#include "breaker.bpf.h"
#include "config.bpf.h"
#include "decide.bpf.h"
#include "emit.bpf.h"
#include "flow.bpf.h"
#include "guard.bpf.h"
#include "incoming.bpf.h"
#include "kind.bpf.h"
#include "lifecycle.bpf.h"
#include "maps.bpf.h"
#include "move.bpf.h"
#include "place.bpf.h"
#include "redirect.bpf.h"
#include "refused.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* What a cgroup/connect or cgroup/sendmsg program returns. */
enum sock_addr_answer {
	ANSWER_REFUSE = 0,
	ANSWER_PROCEED = 1,
};

static __always_inline int refuse(__u16 block_errno)
{
	/* Without a value of its own the kernel says EPERM. */
	if (block_errno > 0 && block_errno <= 4095)
		bpf_set_retval(-(int)block_errno);
	return ANSWER_REFUSE;
}

/*
 * The two halves of a run are global functions: the verifier goes through each of
 * them once, for any input, and not through the second for every way out of the
 * first. It loads them five to ten times faster. It also takes NULL for an input.
 */
/* 1: the workload redirects, and eg_redirect() is to be asked. */
__noinline int eg_decide(struct observation *seen)
{
	struct policy_view view;

	if (!seen)
		return 0;
	view = view_policy(seen->slot_id);
	seen->bank = view.bank;
	seen->decision = decide(&view, &seen->flow);
	return does_redirect(view.workload);
}

/*
 * A place for what was allowed and is to be limited; what an earlier program refused
 * already needs none. Nor has the kernel's own UDP socket one, as NFS and L2TP connect
 * it: no program is told when it is released, and no walk over files finds it.
 */
__noinline int eg_admit(struct bpf_sock_addr *ctx, struct observation *seen, int refused_before)
{
	bool leased, connected;

	if (!seen || !ctx->sk)
		return 0;
	/* TCP does not come here connected; a UDP socket keeps the peer that it has when another one is refused. */
	connected = ctx->sk->state == BPF_TCP_ESTABLISHED;
	if (connected && (refused_before || seen->decision.verdict == EG_VERDICT_BLOCKED))
		return 0;
	leased = needs_lease(seen) && !refused_before && !(is_udp(seen) && is_of_kernel(ctx->sk));
	lease_connect(bpf_get_socket_cookie(ctx), seen, leased, connected);
	return 0;
}

static __always_inline struct observation observe(enum eg_hook hook, struct eg_flow flow)
{
	return (struct observation){.slot_id = enrolled_slot(), .hook = hook, .flow = flow};
}

/* From a decision to the hook's answer. */
static __always_inline int answer(struct observation *seen, bool refused_before)
{
	seen->time_ns = bpf_ktime_get_coarse_ns();
	eg_account(seen, refused_before);
	return seen->decision.verdict != EG_VERDICT_BLOCKED ? ANSWER_PROCEED : refuse(seen->decision.block_errno);
}

/* A peer that wrote to this very socket is answered, whatever the policy says of its address. */
static __always_inline void admit_answer(struct bpf_sock_addr *ctx, struct observation *seen)
{
	if (seen->decision.reason == EG_REASON_BLOCKED_PASSTHROUGH_OFF &&
	    eg_protocol_bit(seen->flow.protocol) == EG_PROTO_UDP &&
	    may_answer(bpf_get_socket_cookie(ctx), &seen->flow))
		seen->decision = allow(EG_REASON_REPLY);
}

/* The kernel goes on with the place, where there is one. Which hook it is, is a constant: each has its own fields. */
static __always_inline void send_to(struct bpf_sock_addr *ctx, enum eg_hook hook, const struct observation *seen,
				    const struct eg_place *place)
{
	if (!place->port || seen->decision.verdict != EG_VERDICT_ALLOWED)
		return;
	if (hook == EG_HOOK_CONNECT4 || hook == EG_HOOK_SENDMSG4)
		write_addr4(ctx, &place->addr, place->port);
	else
		write_addr6(ctx, seen->flow.family, &place->addr, place->port);
}

/* Of IPv6 what was begun with MSG_MORE goes where it was to go; that of IPv4 goes to the peer that the socket gets. */
static __always_inline bool has_begun_elsewhere(const struct bpf_sock_addr *ctx)
{
	const struct udp6_sock *udp = ctx->sk ? bpf_skc_to_udp6_sock(ctx->sk) : NULL;

	return udp && udp->udp.pending;
}

/* An allowed one of UDP ends what is noted of earlier ones, and of datagrams. */
static __always_inline void forget_refused(struct bpf_sock_addr *ctx, const struct observation *seen)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);

	forget_refused_connect(cookie, &seen->flow);
	/* Where everything may leave there is no guard that would ask. */
	if (seen->decision.reason != EG_REASON_PASSTHROUGH && !has_begun_elsewhere(ctx))
		forget_refused_datagram(cookie);
}

static __always_inline int judge_connect(struct bpf_sock_addr *ctx, enum eg_hook hook, struct eg_flow flow)
{
	struct observation seen = observe(hook, flow);
	bool refused_before = bpf_get_retval() < 0;
	struct eg_place place = {};
	int redirects = eg_decide(&seen);

	admit_answer(ctx, &seen);
	if (redirects)
		eg_redirect(ctx, &seen, &place);
	if (seen.decision.verdict == EG_VERDICT_BLOCKED)
		note_refused_connect(bpf_get_socket_cookie(ctx), &seen.flow);
	else if (is_udp(&seen))
		forget_refused(ctx, &seen);
	eg_admit(ctx, &seen, refused_before);
	send_to(ctx, hook, &seen, &place);
	return answer(&seen, refused_before);
}

/*
 * To the very peer that the socket has, since before the policy that forbids it: the guard
 * judges that, and knows until when it goes on. Only where the peer is a mapped address
 * does the kernel come here with a send() that names none.
 */
static __always_inline bool is_of_open_session(const struct bpf_sock_addr *ctx, const struct observation *seen)
{
	const struct bpf_sock *sk = ctx->sk;
	struct eg_flow peer;

	if (seen->decision.verdict != EG_VERDICT_BLOCKED ||
	    seen->decision.reason != EG_REASON_BLOCKED_PASSTHROUGH_OFF || !sk || sk->state != BPF_TCP_ESTABLISHED)
		return false;
	peer = peer_of(sk);
	return is_same_end(&peer, &seen->flow);
}

/* A datagram of a socket that is not connected holds nothing. */
static __always_inline int judge_datagram(struct bpf_sock_addr *ctx, enum eg_hook hook, struct eg_flow flow)
{
	struct observation seen = observe(hook, flow);
	struct eg_place place = {};
	int redirects = eg_decide(&seen);

	admit_answer(ctx, &seen);
	if (redirects)
		eg_redirect(ctx, &seen, &place);
	if (is_of_open_session(ctx, &seen))
		return ANSWER_PROCEED;
	if (seen.decision.verdict == EG_VERDICT_BLOCKED)
		note_refused_datagram(bpf_get_socket_cookie(ctx), &seen.flow);
	/* Where everything may leave there is no guard that would ask. */
	else if (seen.decision.reason != EG_REASON_PASSTHROUGH)
		forget_refused_datagram(bpf_get_socket_cookie(ctx));
	send_to(ctx, hook, &seen, &place);
	return answer(&seen, bpf_get_retval() < 0);
}

/*
 * These two stand before the connect hooks: programs are attached in this order, and
 * whoever admits a socket must hear of its end.
 */
/*
 * Runs some seven times a connection, mostly for what does not concern it: nothing is
 * looked up before it is clear that it is needed.
 */
SEC("sockops")
int eg_sockops(struct bpf_sock_ops *ctx)
{
	struct eg_lease *lease;
	__u64 cookie;

	switch (ctx->op) {
	case BPF_SOCK_OPS_STATE_CB:
		if (ctx->args[1] == BPF_TCP_CLOSE || is_late_connection(ctx))
			break;
		return 1;
	/* Of a connection that comes in there is no socket yet. */
	case BPF_SOCK_OPS_TIMEOUT_INIT:
		if (ctx->is_fullsock)
			break;
		return 1;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_RTO_CB:
		break;
	default:
		return 1;
	}
	cookie = bpf_get_socket_cookie(ctx);
	lease = find_lease(cookie);
	if (!lease) {
		if (ctx->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
			on_accepted(ctx, enrolled_slot(), cookie);
		return 1;
	}
	switch (ctx->op) {
	case BPF_SOCK_OPS_TIMEOUT_INIT:
		on_connect(ctx, lease);
		break;
	/* Both sides connected at once: the kernel takes the last step as a passive one. */
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		on_established(ctx, lease, cookie);
		break;
	case BPF_SOCK_OPS_RTO_CB:
		bound_connect(ctx, lease);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		if (ctx->args[1] == BPF_TCP_CLOSE)
			on_close(ctx, lease, cookie);
		else
			unbound_connect(ctx, lease);
		break;
	}
	return 1;
}

SEC("cgroup/sock_release")
int eg_release(struct bpf_sock *sk)
{
	__u64 cookie = bpf_get_socket_cookie(sk);
	struct eg_lease *lease = find_lease(cookie);

	if (lease)
		on_release(lease, cookie, sk->state);
	return ANSWER_PROCEED;
}

SEC("cgroup/connect4")
int eg_connect4(struct bpf_sock_addr *ctx)
{
	return judge_connect(ctx, EG_HOOK_CONNECT4, flow_of_sock_addr4(ctx));
}

SEC("cgroup/connect6")
int eg_connect6(struct bpf_sock_addr *ctx)
{
	return judge_connect(ctx, EG_HOOK_CONNECT6, flow_of_sock_addr6(ctx));
}

SEC("cgroup/sendmsg4")
int eg_sendmsg4(struct bpf_sock_addr *ctx)
{
	return judge_datagram(ctx, EG_HOOK_SENDMSG4, flow_of_sock_addr4(ctx));
}

SEC("cgroup/sendmsg6")
int eg_sendmsg6(struct bpf_sock_addr *ctx)
{
	return judge_datagram(ctx, EG_HOOK_SENDMSG6, flow_of_sock_addr6(ctx));
}

/* ---- of workloads that redirect ---- */

/* After eg_sockops, which sets flags of the same socket: each keeps the other's. */
SEC("sockops")
int eg_redir_life(struct bpf_sock_ops *ctx)
{
	if (ctx->op == BPF_SOCK_OPS_TCP_CONNECT_CB)
		on_redirected_connect(ctx);
	else if (ctx->op == BPF_SOCK_OPS_STATE_CB && ctx->args[1] == BPF_TCP_CLOSE)
		on_redirected_close(ctx);
	return 1;
}

SEC("cgroup/getpeername4")
int eg_redir_peer4(struct bpf_sock_addr *ctx)
{
	struct eg_flow peer = flow_of_sock_addr4(ctx), believed = believed_peer(ctx, &peer);

	if (believed.family == EG_FAMILY_IPV4)
		write_addr4(ctx, &believed.addr, believed.port);
	return ANSWER_PROCEED;
}

SEC("cgroup/getpeername6")
int eg_redir_peer6(struct bpf_sock_addr *ctx)
{
	struct eg_flow peer = flow_of_sock_addr6(ctx), believed = believed_peer(ctx, &peer);

	if (believed.family)
		write_addr6(ctx, believed.family, &believed.addr, believed.port);
	return ANSWER_PROCEED;
}

SEC("cgroup/recvmsg4")
int eg_redir_recv4(struct bpf_sock_addr *ctx)
{
	struct eg_flow sender = flow_of_sock_addr4(ctx), believed = believed_sender(ctx, &sender);

	if (believed.family == EG_FAMILY_IPV4)
		write_addr4(ctx, &believed.addr, believed.port);
	return ANSWER_PROCEED;
}

SEC("cgroup/recvmsg6")
int eg_redir_recv6(struct bpf_sock_addr *ctx)
{
	struct eg_flow sender = flow_of_sock_addr6(ctx), believed = believed_sender(ctx, &sender);

	if (believed.family)
		write_addr6(ctx, believed.family, &believed.addr, believed.port);
	return ANSWER_PROCEED;
}

/* ---- of the proxy ---- */

SEC("sockops")
int eg_proxy_life(struct bpf_sock_ops *ctx)
{
	if (ctx->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		on_proxy_accepted(ctx);
	return 1;
}

/* The kernel's own answer is taken as it is, unless this is a question that it cannot answer. */
SEC("cgroup/getsockopt")
int eg_proxy_opt(struct bpf_sockopt *ctx)
{
	if (!tell_original(ctx))
		ctx->optlen = 0;
	return ANSWER_PROCEED;
}

enum packet_answer {
	PACKET_DROP = 0,
	PACKET_PASS = 1,
};

/* Without a process. Dropped packets are counted one by one, as long as the sender tries. */
__noinline int eg_account_drop(struct observation *seen)
{
	struct eg_slot *slot;
	__u32 slot_id;

	if (!seen)
		return 0;
	slot_id = seen->slot_id;
	slot = find_slot(&slot_id);
	seen->slot_id = slot_id;
	if (slot)
		account(slot, seen, false);
	return 0;
}

/* Attached only while the policy is not to let everything out. */
SEC("cgroup_skb/egress")
int eg_guard_out(struct __sk_buff *skb)
{
	struct packet packet = {.slot_id = enrolled_slot()};
	struct policy_view view = view_policy(packet.slot_id);
	struct observation seen = {.slot_id = packet.slot_id, .hook = EG_HOOK_PACKET};
	struct bpf_sock *sk = skb->sk;

	if (view.workload && !(view.workload->flags & EG_WORKLOAD_GUARDED))
		return PACKET_PASS;
	sk = sk ? bpf_sk_fullsock(sk) : NULL;
	if (sk && speaks_for_stack(sk))
		return PACKET_PASS;
	packet.bank = view.bank;
	packet.generation = generation_of(&view);
	if (sk)
		seen.decision = guard_packet(skb, sk, &packet);
	else
		seen.decision = block(EG_REASON_BLOCKED_GUARD, EPERM);
	if (seen.decision.verdict == EG_VERDICT_ALLOWED)
		return PACKET_PASS;
	seen.flow = packet.judged;
	seen.time_ns = bpf_ktime_get_coarse_ns();
	eg_account_drop(&seen);
	return PACKET_DROP;
}

/* Judges nothing that comes in: notes who wrote, so that he can be answered. */
SEC("cgroup_skb/ingress")
int eg_guard_in(struct __sk_buff *skb)
{
	__u32 slot_id = enrolled_slot();
	struct policy_view view = view_policy(slot_id);
	struct bpf_sock *sk = skb->sk;

	sk = sk ? bpf_sk_fullsock(sk) : NULL;
	if (sk && sk->protocol == IPPROTO_UDP && view.workload && (view.workload->flags & EG_WORKLOAD_GUARDED))
		hear_datagram(skb, sk, slot_id, &view);
	return PACKET_PASS;
}

/*
 * Attached only while mTLS is on and the workload's network namespaces are not known to be
 * its own: there an sk_lookup program answers in its place (incoming.bpf.c). This one can
 * but drop, and the client waits until it gives up.
 */
SEC("cgroup_skb/ingress")
int eg_in_filter(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	sk = sk ? bpf_sk_fullsock(sk) : NULL;
	return !sk || may_come_in(skb, sk, enrolled_slot()) ? PACKET_PASS : PACKET_DROP;
}

/* What socket() would make is refused before it is there, so that nobody waits for what the guard would drop. */
SEC("cgroup/sock_create")
int eg_guard_make(struct bpf_sock *sk)
{
	struct observation seen = {
		.slot_id = enrolled_slot(),
		.hook = EG_HOOK_SOCKET,
		.flow = {.family = sk->family, .protocol = sk->protocol},
		.decision = block(EG_REASON_BLOCKED_PROTOCOL, EPERM),
	};
	struct policy_view view = view_policy(seen.slot_id);

	if (is_usual_kind(sk->type, sk->protocol))
		return ANSWER_PROCEED;
	if (view.workload && (!(view.workload->flags & EG_WORKLOAD_GUARDED) ||
			      (view.workload->allowed_protocols & bit_of_kind(sk->type, sk->protocol))))
		return ANSWER_PROCEED;
	seen.time_ns = bpf_ktime_get_coarse_ns();
	eg_account(&seen, 0);
	return ANSWER_REFUSE;
}

/* The call fails, where a packet with a source route would be dropped without a word. */
SEC("cgroup/setsockopt")
int eg_guard_opt(struct bpf_sockopt *ctx)
{
	struct observation seen = {
		.slot_id = enrolled_slot(),
		.hook = EG_HOOK_SOCKET,
		.decision = block(EG_REASON_BLOCKED_SOURCE_ROUTE, EPERM),
	};
	struct policy_view view = view_policy(seen.slot_id);
	bool refused = sets_route(ctx) && (ctx->level == IPPROTO_IPV6 || has_route_option(ctx));

	/* The kernel is to take the caller's own value, which may be longer than what is here of it. */
	ctx->optlen = 0;
	if (!refused || (view.workload && !(view.workload->flags & EG_WORKLOAD_GUARDED)))
		return ANSWER_PROCEED;
	seen.flow.family = ctx->level == IPPROTO_IPV6 ? EG_FAMILY_IPV6 : EG_FAMILY_IPV4;
	/* Programs of this type have neither the coarse clock nor, on older kernels, the process. */
	seen.time_ns = bpf_ktime_get_ns();
	eg_account_drop(&seen);
	return ANSWER_REFUSE;
}

/* Cgroups nested deeper than this are taken for not enrolled. */
#define CGROUP_DEPTH_MAX 32

/* Whether the running task is in an enforced cgroup, or below one. */
static __always_inline bool is_task_enrolled(void)
{
	for (int level = 1; level < CGROUP_DEPTH_MAX; level++) {
		__u64 id = bpf_get_current_ancestor_cgroup_id(level);

		if (!id)
			return false;
		if (bpf_map_lookup_elem(&eg_enrolled, &id))
			return true;
	}
	return false;
}

/* Later subflows of MPTCP are connected by a kernel thread: the cgroup of their socket is the one that judges them. */
static __always_inline bool is_socket_enrolled(const struct bpf_sock_addr *ctx)
{
	const struct tcp_sock *tcp = ctx->sk ? bpf_skc_to_tcp_sock(ctx->sk) : NULL;

	return tcp && eg_slot_of_cgroup(cgroup_of_socket((const struct sock *)tcp));
}

/*
 * A gate stands on the parent of a glob's cgroups and refuses what none of them
 * judges: a cgroup that was made a moment ago, and what no pattern matches.
 */
static __always_inline int gate(const struct bpf_sock_addr *ctx, enum eg_hook hook, struct eg_flow flow)
{
	struct observation seen = {.slot_id = 0, .hook = hook, .flow = flow};

	if (is_loopback(&flow) || is_task_enrolled() || (is_connect(hook) && is_socket_enrolled(ctx)))
		return ANSWER_PROCEED;
	seen.decision = block(EG_REASON_BLOCKED_NO_POLICY, EPERM);
	seen.time_ns = bpf_ktime_get_coarse_ns();
	eg_account(&seen, 0);
	return refuse(EPERM);
}

SEC("cgroup/connect4")
int eg_gate_conn4(struct bpf_sock_addr *ctx)
{
	return gate(ctx, EG_HOOK_CONNECT4, flow_of_sock_addr4(ctx));
}

SEC("cgroup/connect6")
int eg_gate_conn6(struct bpf_sock_addr *ctx)
{
	return gate(ctx, EG_HOOK_CONNECT6, flow_of_sock_addr6(ctx));
}

SEC("cgroup/sendmsg4")
int eg_gate_send4(struct bpf_sock_addr *ctx)
{
	return gate(ctx, EG_HOOK_SENDMSG4, flow_of_sock_addr4(ctx));
}

SEC("cgroup/sendmsg6")
int eg_gate_send6(struct bpf_sock_addr *ctx)
{
	return gate(ctx, EG_HOOK_SENDMSG6, flow_of_sock_addr6(ctx));
}

/*
 * Does nothing but use the storage map, which a cgroup's storage comes into being
 * with: attached alone for the moment in which a cgroup gets its slot, so that no
 * program that decides ever sees a cgroup without one.
 */
SEC("cgroup/sock_release")
int eg_anchor(struct bpf_sock *sk)
{
	(void)sk;
	return bpf_get_local_storage(&eg_cgroups, 0) ? ANSWER_PROCEED : ANSWER_REFUSE;
}

/* Run by the agent alone, see struct eg_move. */
SEC("syscall")
int eg_move_counts(struct eg_move *move)
{
	struct eg_slot_counts *from = find_counts(move->from);
	struct eg_slot_counts *to = move->to ? find_counts(move->to) : find_retired_counts();

	if (!from || !to || from == to)
		return -EINVAL;
	move_counts(from, to);
	return 0;
}

/* Run by the agent alone, see struct eg_settle. */
SEC("syscall")
int eg_settle(struct eg_settle *settle)
{
	__u32 slot_id = settle->slot;
	struct eg_slot *slot = bpf_map_lookup_elem(&eg_slots, &slot_id);

	if (!slot)
		return -EINVAL;
	settle_slot(slot);
	return 0;
}
