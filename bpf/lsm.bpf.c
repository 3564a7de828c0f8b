/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The guard's programs of the BPF LSM, for what the hooks of a cgroup's own sockets do
 * not see: families other than the Internet's, and sockets that were made elsewhere and
 * are used here. They run for the task that makes the call and not, as all the others,
 * for the socket (measured on 6.1 and 6.12). An object of its own, since many a kernel
 * takes none of it: without BPF LSM, or where trampolines are refused.
 *
 * A foreign socket is refused or passes: it holds no lease, and what passes is not
 * counted, since nobody would hear of its end.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "decide.bpf.h"
#include "emit.bpf.h"
#include "flow.bpf.h"
#include "kernel.bpf.h"
#include "kind.bpf.h"
#include "maps.bpf.h"
#include "place.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum lsm_answer {
	ANSWER_REFUSE = 0,
	ANSWER_PROCEED = 1,
};

/* ---- an address that the caller gives ---- */

/* The front of both kinds of struct sockaddr, in the kernel's copy of 128 bytes. */
struct sockaddr_front {
	__u16 family;
	__be16 port;
	__be32 ipv4; /* of IPv6: the flow label */
	__be32 ipv6[4];
};

/* Raw and ping sockets have no ports: what stands in their place is anything. */
static __always_inline bool has_ports(const struct sock *sk)
{
	return !(eg_protocol_bit(sk->sk_protocol) & (EG_PROTO_ICMP | EG_PROTO_OTHER));
}

/* False when it cannot be read or is of no family that is known. Without a family it is of the socket's. */
static __always_inline bool read_address(const struct sock *sk, const void *address, struct eg_flow *ret_flow)
{
	struct sockaddr_front front = {};

	if (bpf_probe_read_kernel(&front, sizeof(front), address) < 0)
		return false;
	ret_flow->family = front.family ? front.family : sk->__sk_common.skc_family;
	ret_flow->protocol = sk->sk_protocol;
	ret_flow->port = has_ports(sk) ? bpf_ntohs(front.port) : 0;
	if (ret_flow->family == EG_FAMILY_IPV4)
		ret_flow->addr.word_be[0] = front.ipv4;
	else
		__builtin_memcpy(ret_flow->addr.word_be, front.ipv6, sizeof(front.ipv6));
	normalise_flow(ret_flow);
	return is_internet(ret_flow->family);
}

/* Where the socket is connected to. */
static __always_inline void read_peer(const struct sock *sk, struct eg_flow *ret_flow)
{
	const struct sock_common *common = &sk->__sk_common;

	ret_flow->family = common->skc_family;
	ret_flow->protocol = sk->sk_protocol;
	ret_flow->port = has_ports(sk) ? bpf_ntohs(common->skc_dport) : 0;
	if (ret_flow->family == EG_FAMILY_IPV4) {
		ret_flow->addr.word_be[0] = common->skc_daddr;
		return;
	}
	ret_flow->addr.word_be[0] = common->skc_v6_daddr.in6_u.u6_addr32[0];
	ret_flow->addr.word_be[1] = common->skc_v6_daddr.in6_u.u6_addr32[1];
	ret_flow->addr.word_be[2] = common->skc_v6_daddr.in6_u.u6_addr32[2];
	ret_flow->addr.word_be[3] = common->skc_v6_daddr.in6_u.u6_addr32[3];
	normalise_flow(ret_flow);
}

/* ---- what is refused ---- */

static __always_inline int refuse(struct observation *seen)
{
	__u16 block_errno = seen->decision.block_errno;

	/* Programs of this type have no coarse clock. */
	seen->time_ns = bpf_ktime_get_ns();
	eg_account(seen, 0);
	/* Without a value of its own the kernel says EPERM. */
	if (block_errno > 0 && block_errno <= 4095)
		bpf_set_retval(-(int)block_errno);
	return ANSWER_REFUSE;
}

static __always_inline bool is_guarded(const struct policy_view *view)
{
	return !view->workload || (view->workload->flags & EG_WORKLOAD_GUARDED);
}

static __always_inline bool allows(const struct policy_view *view, __u32 kind)
{
	return view->workload && (view->workload->allowed_protocols & kind);
}

static __always_inline int refuse_family(struct observation *seen, __u32 family)
{
	seen->hook = EG_HOOK_SOCKET;
	seen->flow = (struct eg_flow){.family = EG_FAMILY_IPV4, .protocol = EG_PROTOCOL_OF_FAMILY | family};
	seen->decision = block(EG_REASON_BLOCKED_PROTOCOL, EPERM);
	return refuse(seen);
}

/* ---- a socket that is used ---- */

/* Holds for nearly all that is ever sent, and is asked first: who uses a socket is where it was made. */
static __always_inline bool was_made_here(const struct sock *sk)
{
	return sk->sk_cgrp_data.cgroup->kn->id == bpf_get_current_cgroup_id();
}

/*
 * TCP that was accepted answers whoever asked; a socket that listens sends nothing by
 * itself. Who accepted for the first time after a listen(fd, 0) is not recognised.
 */
static __always_inline bool was_accepted(const struct sock *sk)
{
	return eg_protocol_bit(sk->sk_protocol) == EG_PROTO_TCP && sk->sk_max_ack_backlog;
}

/* What a foreign socket is judged by. */
enum aim {
	AIM_PEER,
	AIM_ADDRESS,
	AIM_UNREADABLE,
};

/* A global function: it is verified once. `kind`: the bit of allowProtocols that it needs; 0: none. */
__noinline int eg_judge_foreign(struct observation *seen, __u32 kind, __u32 aim)
{
	struct policy_view view;

	if (!seen)
		return 0;
	view = view_policy(seen->slot_id);
	seen->bank = view.bank;
	seen->decision = (struct eg_decision){.verdict = EG_VERDICT_ALLOWED};
	if (!is_guarded(&view))
		return 0;
	/* Nobody looks at the headers that it writes: no allowance of raw sockets is one for these. */
	if (kind == EG_PROTO_RAW || (kind && !allows(&view, kind)))
		seen->decision = block(EG_REASON_BLOCKED_PROTOCOL, EPERM);
	else if (aim == AIM_UNREADABLE)
		seen->decision = block(EG_REASON_BLOCKED_GUARD, EPERM);
	else
		seen->decision = decide(&view, &seen->flow);
	if (seen->decision.reason == EG_REASON_BLOCKED_PASSTHROUGH_OFF && aim == AIM_PEER)
		seen->decision = block(EG_REASON_BLOCKED_GUARD, EPERM);
	return 0;
}

/* One that is neither local nor of the Internet: as it was made, whoever made it. */
static __always_inline int use_family(struct observation *seen, __u32 family)
{
	const struct policy_view view = view_policy(seen->slot_id);

	if (!is_guarded(&view) || allows(&view, bit_of_family(family)))
		return ANSWER_PROCEED;
	return refuse_family(seen, family);
}

/* `address` is where to; NULL: to the peer that the socket has. `hook` is the one for IPv4, the next is for IPv6. */
static __always_inline int use_socket(const struct sock *sk, const void *address, enum eg_hook hook)
{
	__u32 kind = is_usual_kind(sk->sk_type, sk->sk_protocol) ? 0 : bit_of_kind(sk->sk_type, sk->sk_protocol);
	__u32 family = sk->__sk_common.skc_family;
	enum aim aim = address ? AIM_ADDRESS : AIM_PEER;
	struct observation seen = {};

	/* What the kernel sends for itself, in whose time it may be. */
	if (is_local_family(family) || (is_internet(family) && was_made_here(sk)) ||
	    BPF_CORE_READ_BITFIELD(sk, sk_kern_sock))
		return ANSWER_PROCEED;
	seen.slot_id = enrolled_slot();
	if (!is_internet(family))
		return use_family(&seen, family);
	if (eg_slot_of_cgroup(cgroup_of_socket(sk)) == seen.slot_id || (!address && was_accepted(sk)))
		return ANSWER_PROCEED;
	if (!address) {
		read_peer(sk, &seen.flow);
	} else if (!read_address(sk, address, &seen.flow)) {
		seen.flow = (struct eg_flow){.family = family, .protocol = sk->sk_protocol};
		aim = AIM_UNREADABLE;
	}
	seen.hook = seen.flow.family == EG_FAMILY_IPV4 ? hook : hook + 1;
	eg_judge_foreign(&seen, kind, aim);
	return seen.decision.verdict == EG_VERDICT_ALLOWED ? ANSWER_PROCEED : refuse(&seen);
}

/* ---- the hooks ---- */

SEC("lsm_cgroup/socket_create")
int BPF_PROG(eg_guard_any, int family, int type, int protocol, int kern)
{
	struct observation seen = {};

	(void)ctx;
	(void)type;
	(void)protocol;
	if (kern || is_internet(family) || is_local_family(family))
		return ANSWER_PROCEED;
	seen.slot_id = enrolled_slot();
	return use_family(&seen, family);
}

/* A connect without a family ends a connection. */
SEC("lsm_cgroup/socket_connect")
int BPF_PROG(eg_guard_conn, struct socket *sock, const void *address)
{
	const struct sock *sk = sock->sk;
	__u16 family = 0;

	(void)ctx;
	if (!sk)
		return ANSWER_PROCEED;
	if (is_internet(sk->__sk_common.skc_family) &&
	    bpf_probe_read_kernel(&family, sizeof(family), address) == 0 && family == 0)
		return ANSWER_PROCEED;
	return use_socket(sk, address, EG_HOOK_CONNECT4);
}

/*
 * Whether it sends to its peer although the caller names somebody: TCP that has a peer does
 * not look at a name, without one a name is that of MSG_FASTOPEN; and UDP of IPv6 takes a name
 * without a family for none, where all others read an address from it.
 */
static __always_inline bool ignores_name(const struct sock *sk, const void *name)
{
	__u32 protocol = eg_protocol_bit(sk->sk_protocol);
	__u16 family;

	if (protocol == EG_PROTO_TCP)
		return sk->__sk_common.skc_state != BPF_TCP_CLOSE;
	return name && sk->sk_type == SOCK_DGRAM && sk->__sk_common.skc_family == AF_INET6 &&
	       (protocol & (EG_PROTO_UDP | EG_PROTO_UDPLITE)) &&
	       bpf_probe_read_kernel(&family, sizeof(family), name) == 0 && family == 0;
}

SEC("lsm_cgroup/socket_sendmsg")
int BPF_PROG(eg_guard_send, struct socket *sock, struct msghdr *msg)
{
	const struct sock *sk = sock->sk;
	const void *name = msg->msg_name;

	(void)ctx;
	if (!sk)
		return ANSWER_PROCEED;
	if (ignores_name(sk, name))
		name = NULL;
	return use_socket(sk, name, EG_HOOK_SENDMSG4);
}
