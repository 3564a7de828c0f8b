/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_GUARD_BPF_H
#define EG_GUARD_BPF_H

/*
 * The last look at what leaves a workload whose policy is not to let everything out:
 * for sockets that no connect or sendmsg hook has judged. Those older than the
 * enrolment, raw and ping sockets, protocols whose connect has no hook; and source
 * routes, by which an allowed address is the way to another one.
 *
 * A socket's own peer is what its connect was judged by, and counts: the address on the
 * wire may be another one by then, since NAT of the host comes before. Sockets without
 * a peer are judged by the wire, and so are those of UDP-Lite, SCTP and DCCP, with the port.
 * Datagrams of UDP sockets that name an address were judged one by one: those that were
 * refused then and come all the same are judged by the wire too. A peer is judged once a
 * policy, and known from then on.
 *
 * A socket that is connected and forbidden was connected before the policy came, since
 * the connect hooks refuse what comes after: it goes on for a while, or to its end.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "breaker.bpf.h"
#include "decide.bpf.h"
#include "flow.bpf.h"
#include "kernel.bpf.h"
#include "kind.bpf.h"
#include "known.bpf.h"
#include "redirect.bpf.h"
#include "refused.bpf.h"
#include "reply.bpf.h"

#define ETH_P_IP 0x0800

#define IPV4_HEADER_LEN 20
#define IPV4_OPTIONS_MAX 40
#define IPOPT_END 0
#define IPOPT_NOOP 1
#define IPOPT_LSRR 131
#define IPOPT_SSRR 137

#define IPV6_HEADER_LEN 40
#define IPV6_HEADERS_MAX 8
#define NEXTHDR_HOP 0
#define NEXTHDR_ROUTING 43
#define NEXTHDR_DEST 60

/* Of the destination, in the headers of UDP, UDP-Lite, SCTP and DCCP. */
#define PORT_AT 2

/* A SYN, an ACK, a request and a FIN. */
#define SHORT_CONNECTION_PACKETS 4
/* A question for each family, and most sockets of a resolver are closed with that. */
#define SHORT_SESSION_PACKETS 8

#define IPPROTO_IP 0
#define IPPROTO_IPV6 41
#define IP_OPTIONS 4
#define IPV6_2292PKTOPTIONS 6
#define IPV6_2292RTHDR 5
#define IPV6_RTHDR 57

/* ---- sockets of the stack itself ---- */

/* One that the kernel has made for itself: no process has it. */
static __always_inline bool is_of_kernel(const struct bpf_sock *sk)
{
	const struct bpf_sock *spilled = sk;
	const struct sock *kernel;

	/* The verifier lets nobody add to this pointer; read back as a number it is one that can be added to. */
	if (bpf_probe_read_kernel(&kernel, sizeof(kernel), &spilled) < 0)
		return false;
	return BPF_CORE_READ_BITFIELD_PROBED(kernel, sk_kern_sock);
}

/*
 * The kernel's own sockets, by which the stack finds neighbours and resets what nobody
 * listens for: those of a network namespace that the workload has made are in its
 * cgroup, by accident. No process has them.
 */
static __always_inline bool speaks_for_stack(const struct bpf_sock *sk)
{
	return sk->type == SOCK_RAW && is_of_kernel(sk);
}

/* ---- socket options ---- */

/* Whether they set a source route; an option that is taken away, or empty, sets none. */
static __always_inline bool sets_route(struct bpf_sockopt *ctx)
{
	if (ctx->optlen <= 0)
		return false;
	if (ctx->level == IPPROTO_IPV6)
		return ctx->optname == IPV6_RTHDR || ctx->optname == IPV6_2292RTHDR || ctx->optname == IPV6_2292PKTOPTIONS;
	return ctx->level == IPPROTO_IP && ctx->optname == IP_OPTIONS;
}

/* ---- the packet ---- */

enum packet_route {
	PACKET_UNREADABLE,
	PACKET_DIRECT,
	PACKET_BY_SOURCE_ROUTE,
};

/* As on the wire. */
struct ip_header {
	__u8 version_len;
	__u8 skipped_1[8];
	__u8 protocol;
	__u8 skipped_2[6];
	__be32 daddr;
};

struct ipv6_header {
	__u8 skipped_1[6];
	__u8 next;
	__u8 skipped_2[17];
	__be32 daddr[4];
};

/* Callbacks of bpf_loop(): the verifier goes through one step, and not through every number of them. */
struct option_walk {
	__u8 options[IPV4_OPTIONS_MAX];
	__u32 at;
	__u32 routed;
};

static long walk_option(__u32 step, struct option_walk *walk)
{
	__u32 at = walk->at;

	(void)step;
	if (at >= IPV4_OPTIONS_MAX - 1 || walk->options[at] == IPOPT_END)
		return 1;
	if (walk->options[at] == IPOPT_LSRR || walk->options[at] == IPOPT_SSRR) {
		walk->routed = 1;
		return 1;
	}
	/* One without a length that leads on is malformed: the kernel sends none such. */
	if (walk->options[at] == IPOPT_NOOP)
		walk->at = at + 1;
	else
		walk->at = walk->options[at + 1] > 1 ? at + walk->options[at + 1] : IPV4_OPTIONS_MAX;
	return 0;
}

/* IP_OPTIONS without a source route may be set. What is longer than options can be is refused by the kernel. */
static __always_inline bool has_route_option(struct bpf_sockopt *ctx)
{
	struct option_walk walk = {};
	const __u8 *bytes = ctx->optval;

	for (int i = 0; i < IPV4_OPTIONS_MAX; i++) {
		if ((const void *)(bytes + i + 1) > ctx->optval_end)
			break;
		walk.options[i] = bytes[i];
	}
	bpf_loop(IPV4_OPTIONS_MAX, walk_option, &walk, 0);
	return walk.routed;
}

/* A packet that cannot be read has one, for all that anybody knows. */
static __always_inline bool has_ipv4_route(struct __sk_buff *skb, __u32 header_len)
{
	struct option_walk walk = {};
	__u32 len = header_len - IPV4_HEADER_LEN;

	if (header_len <= IPV4_HEADER_LEN)
		return false;
	if (len == 0 || len > sizeof(walk.options) || bpf_skb_load_bytes(skb, IPV4_HEADER_LEN, walk.options, len) < 0)
		return true;
	bpf_loop(IPV4_OPTIONS_MAX, walk_option, &walk, 0);
	return walk.routed;
}

struct header_walk {
	struct __sk_buff *skb;
	__u32 at;
	__u32 next;
	__u32 routed;
};

static long walk_header(__u32 step, struct header_walk *walk)
{
	__u8 header[2];

	if (walk->next != NEXTHDR_HOP && walk->next != NEXTHDR_DEST) {
		walk->routed = walk->next == NEXTHDR_ROUTING;
		return 1;
	}
	/* So many, or none that can be read: it may be anything. */
	walk->routed = 1;
	if (step == IPV6_HEADERS_MAX - 1 || bpf_skb_load_bytes(walk->skb, walk->at, header, sizeof(header)) < 0)
		return 1;
	walk->next = header[0];
	walk->at += (header[1] + 1u) * 8;
	return 0;
}

/* A routing header stands among the first extension headers, or nobody on the way obeys it. */
static __always_inline bool has_ipv6_route(struct __sk_buff *skb, __u32 next)
{
	struct header_walk walk = {.skb = skb, .at = IPV6_HEADER_LEN, .next = next};

	if (next == NEXTHDR_ROUTING)
		return true;
	if (next != NEXTHDR_HOP && next != NEXTHDR_DEST)
		return false;
	bpf_loop(IPV6_HEADERS_MAX, walk_header, &walk, 0);
	return walk.routed;
}

/* Where it goes, by its header, and how long that is without IPv6's extensions. */
static __always_inline enum packet_route read_packet(struct __sk_buff *skb, struct eg_flow *ret_wire, __u32 *ret_len)
{
	struct ipv6_header ipv6;
	struct ip_header ipv4;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, 0, &ipv4, sizeof(ipv4)) < 0)
			return PACKET_UNREADABLE;
		ret_wire->family = EG_FAMILY_IPV4;
		ret_wire->addr.word_be[0] = ipv4.daddr;
		ret_wire->protocol = ipv4.protocol;
		*ret_len = (ipv4.version_len & 0xf) * 4u;
		return has_ipv4_route(skb, *ret_len) ? PACKET_BY_SOURCE_ROUTE : PACKET_DIRECT;
	}
	if (bpf_skb_load_bytes(skb, 0, &ipv6, sizeof(ipv6)) < 0)
		return PACKET_UNREADABLE;
	ret_wire->family = EG_FAMILY_IPV6;
	__builtin_memcpy(ret_wire->addr.word_be, ipv6.daddr, sizeof(ipv6.daddr));
	ret_wire->protocol = ipv6.next;
	*ret_len = IPV6_HEADER_LEN;
	return has_ipv6_route(skb, ipv6.next) ? PACKET_BY_SOURCE_ROUTE : PACKET_DIRECT;
}

/* ---- the socket ---- */

/* Raw sockets have such protocols too, and send wherever they like: no hook but the guard judges them. */
static __always_inline bool is_tcp_or_udp(const struct bpf_sock *sk)
{
	return sk->type == SOCK_STREAM ? sk->protocol == IPPROTO_TCP
				       : sk->type == SOCK_DGRAM && sk->protocol == IPPROTO_UDP;
}

/* Of a socket that is not connected: port 0. */
static __always_inline struct eg_flow peer_of(const struct bpf_sock *sk)
{
	struct eg_flow flow = {
		.family = sk->family,
		.port = bpf_ntohs(sk->dst_port),
		.protocol = sk->protocol,
	};

	if (flow.family == EG_FAMILY_IPV4) {
		flow.addr.word_be[0] = sk->dst_ip4;
		return flow;
	}
	flow.addr.word_be[0] = sk->dst_ip6[0];
	flow.addr.word_be[1] = sk->dst_ip6[1];
	flow.addr.word_be[2] = sk->dst_ip6[2];
	flow.addr.word_be[3] = sk->dst_ip6[3];
	normalise_flow(&flow);
	return flow;
}

/* Whether somebody in the socket's namespace listens where it stands: it was accepted there. */
static __always_inline bool has_listener(struct __sk_buff *skb, const struct bpf_sock *sk)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *listener;
	bool found;

	/*
	 * Without the peer's port, so that the connection itself is not what is found; and from
	 * loopback, so that programs which judge who comes in (sk_lookup) see no client.
	 */
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		tuple.ipv4.saddr = bpf_htonl(0x7f000001);
		tuple.ipv4.daddr = sk->src_ip4;
		tuple.ipv4.dport = bpf_htons(sk->src_port);
		listener = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	} else {
		for (int i = 0; i < 4; i++)
			tuple.ipv6.daddr[i] = sk->src_ip6[i];
		tuple.ipv6.saddr[3] = bpf_htonl(1);
		tuple.ipv6.dport = bpf_htons(sk->src_port);
		listener = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	}
	if (!listener)
		return false;
	found = listener->state == BPF_TCP_LISTEN;
	bpf_sk_release(listener);
	return found;
}

/*
 * Notes that the guard lets this socket's packets pass whatever its peer is: it was
 * accepted. Nothing is held, and nothing refused where the table has no place: whoever
 * listens still vouches for it.
 */
static __always_inline void trust_socket(__u64 cookie, __u32 slot_id, __u32 epoch)
{
	static const struct eg_cluster_policy none;
	const struct eg_decision undecided = {};
	struct eg_lease *lease = take_lease(cookie);

	if (lease)
		write_lease(lease, eg_lease_word(EG_LEASE_TRUSTED, 0, (__u16)slot_id, (__u16)epoch, 0), &none,
			    &undecided);
}

static __always_inline bool is_trusted(struct __sk_buff *skb, const struct bpf_sock *sk)
{
	const struct eg_lease *lease = find_lease(bpf_get_socket_cookie(skb));

	if (lease && eg_lease_state(read_word(lease)) == EG_LEASE_TRUSTED)
		return true;
	return !lease && has_listener(skb, sk);
}

__noinline int eg_is_answer(struct __sk_buff *skb, const struct eg_flow *flow)
{
	struct bpf_sock *sk = skb->sk;

	sk = sk ? bpf_sk_fullsock(sk) : NULL;
	if (!sk || !flow || !is_tcp_or_udp(sk))
		return 0;
	return sk->protocol == IPPROTO_TCP ? is_trusted(skb, sk) : may_answer(bpf_get_socket_cookie(skb), flow);
}

/* ---- the decision ---- */

/* One packet, as the decision needs it. */
struct packet {
	__u64 generation;	/* of the policy that judges it; 0: not known, and nothing is noted */
	__u32 slot_id;
	__u32 bank;
	__u32 connected;	/* it is judged by the peer of its socket */
	struct eg_flow wire;
	struct eg_flow judged;
	__u32 unused; /* no padding: a global function is given all of it */
};

static __always_inline bool has_peer(const struct bpf_sock *sk)
{
	return is_tcp_or_udp(sk) && sk->dst_port;
}

/* TCP that listens answers whoever asks; datagrams of unconnected UDP sockets come from the sendmsg hooks. */
static __always_inline bool was_judged(const struct bpf_sock *sk)
{
	if (!is_tcp_or_udp(sk))
		return false;
	if (sk->protocol == IPPROTO_TCP)
		return sk->state == BPF_TCP_LISTEN;
	/* One that is connected may be so to port 0. */
	return sk->state != BPF_TCP_ESTABLISHED;
}

/* Others have a peer to be judged by, or no ports; what a raw socket has in their place is anything. */
static __always_inline bool has_port_on_wire(const struct bpf_sock *sk)
{
	return sk->type != SOCK_RAW &&
	       (eg_protocol_bit(sk->protocol) & (EG_PROTO_UDP | EG_PROTO_UDPLITE | EG_PROTO_SCTP | EG_PROTO_DCCP));
}

/* The port that it goes to, behind a header of so many bytes and IPv6's extensions. It stays 0 where there is none. */
static __always_inline void read_port(struct __sk_buff *skb, const struct bpf_sock *sk, __u32 len, struct eg_flow *wire)
{
	struct header_walk walk = {.skb = skb, .at = len, .next = wire->protocol};
	__be16 port;

	if (wire->family == EG_FAMILY_IPV6 && wire->protocol != sk->protocol)
		bpf_loop(IPV6_HEADERS_MAX, walk_header, &walk, 0);
	if (walk.next != sk->protocol || bpf_skb_load_bytes(skb, walk.at + PORT_AT, &port, sizeof(port)) < 0)
		return;
	wire->port = bpf_ntohs(port);
	wire->protocol = sk->protocol;
}

/*
 * What goes where: an enum packet_route. A global function, as eg_first_class(), and so
 * are those below that it is cheaper for the verifier to go through once.
 */
__noinline int eg_read_packet(struct __sk_buff *skb, struct packet *packet)
{
	struct bpf_sock *sk = skb->sk;
	struct eg_flow wire = {};
	__u32 len = 0;
	int route;

	sk = sk ? bpf_sk_fullsock(sk) : NULL;
	if (!packet || !sk)
		return PACKET_UNREADABLE;
	route = read_packet(skb, &wire, &len);
	if (route == PACKET_DIRECT && has_port_on_wire(sk))
		read_port(skb, sk, len, &wire);
	packet->wire = wire;
	packet->connected = route != PACKET_UNREADABLE && has_peer(sk);
	packet->judged = packet->connected ? peer_of(sk) : wire;
	return route;
}

/*
 * Whether a datagram was refused and comes all the same. What goes to the peer of its socket
 * was not: each UDP packet of a connection asks, and those that find nothing to ask for are
 * to cost little.
 */
__noinline int eg_was_refused(struct __sk_buff *skb, const struct packet *packet)
{
	if (!packet || !packet->wire.port || (packet->connected && is_same_end(&packet->wire, &packet->judged)))
		return 0;
	return is_refused_datagram(bpf_get_socket_cookie(skb), &packet->wire);
}

/* NAT of the host came before us. */
static __always_inline bool is_translated(const struct packet *packet)
{
	return packet->connected && !is_same_place(&packet->wire, &packet->judged);
}

/* Once a connection; packet by packet where nothing can be known of it. */
static __always_inline void count_nat(const struct packet *packet, struct eg_known *known)
{
	__u32 slot_id = packet->slot_id;
	struct eg_slot *slot;

	if (!is_translated(packet) || (known && (known->flags & EG_KNOWN_NAT)))
		return;
	if (known)
		know_flag(known, EG_KNOWN_NAT);
	slot = bpf_map_lookup_elem(&eg_slots, &slot_id);
	if (slot)
		count(&slot->counts.nat);
}

/* That it was accepted holds for good; whoever wrote may be answered for a while. */
static __always_inline void know_answer(struct eg_known *known, const struct packet *packet)
{
	know_flag(known, EG_KNOWN_ANSWERS);
	if (packet->judged.protocol == IPPROTO_TCP)
		know_allowed(known, packet->generation);
}

/* The walk marks what processes have: of MPTCP the parent, while packets are of its subflows. */
static __always_inline bool has_kept_parent(const struct bpf_sock *sk, const struct packet *packet)
{
	struct eg_flow peer = packet->judged;
	const struct eg_known *known;
	void *parent;

	/* A kernel without MPTCP refuses a program that asks for one. */
	if (sk->protocol != IPPROTO_TCP || !bpf_core_field_exists(((struct tcp_sock *)0)->is_mptcp))
		return false;
	parent = bpf_skc_to_mptcp_sock((void *)sk);
	if (!parent)
		return false;
	peer.protocol = IPPROTO_MPTCP;
	known = find_known(parent, &peer, packet->slot_id);
	return known && (known->flags & EG_KNOWN_KEPT);
}

/*
 * Forbidden, and open since before that: it is kept, or has time left. What TCP has not
 * connected yet is new, and so is what a program of another owner has connected although
 * we refused.
 */
static __always_inline bool goes_on(struct __sk_buff *skb, const struct bpf_sock *sk, const struct policy_view *view,
				    const struct packet *packet, struct eg_known *known)
{
	if (!view->workload || (sk->protocol == IPPROTO_TCP && sk->state == BPF_TCP_CLOSE))
		return false;
	if (known && (known->flags & EG_KNOWN_KEPT)) {
		know_allowed(known, packet->generation);
		return true;
	}
	if (bpf_ktime_get_ns() >= know_forbidden(known, view->workload) && !has_kept_parent(sk, packet))
		return false;
	return !was_refused_last(bpf_get_socket_cookie(skb), &packet->judged);
}

/*
 * Room for what is known is dearer than a few looks into the policy: a short connection
 * has none. Of a UDP socket nobody counts the datagrams, and one in so many finds out.
 */
static __always_inline bool is_worth_knowing(struct bpf_sock *sk)
{
	const struct bpf_tcp_sock *tcp = sk->protocol == IPPROTO_TCP ? bpf_tcp_sock(sk) : NULL;

	return tcp ? tcp->segs_out > SHORT_CONNECTION_PACKETS : bpf_get_prandom_u32() % SHORT_SESSION_PACKETS == 0;
}

/* To where the connect hook sent it, or of a proxy inside the workload, which sends for others. */
__noinline int eg_is_of_redirect(struct __sk_buff *skb, const struct packet *packet)
{
	const struct eg_workload_policy *workload;
	__u32 slot_id;

	if (!packet)
		return 0;
	slot_id = packet->slot_id;
	workload = lookup_workload(packet->bank, &slot_id);
	if (!workload)
		return 0;
	return (packet->connected && is_redirect_place(workload, &packet->judged)) ||
	       eg_is_proxy_packet(skb, workload->proxy_cgroup);
}

/* By the policy, and then by where it comes from. What is known of the peer is of another policy, or nothing. */
__noinline int eg_may_pass(struct __sk_buff *skb, const struct packet *packet, struct eg_known *known)
{
	struct bpf_sock *sk = skb->sk;
	struct policy_view view = {};
	bool allowed, answers;
	__u32 slot_id;

	sk = sk ? bpf_sk_fullsock(sk) : NULL;
	if (!packet || !sk)
		return 0;
	slot_id = packet->slot_id;
	view.bank = packet->bank;
	view.workload = lookup_workload(view.bank, &slot_id);
	allowed = decide(&view, &packet->judged).verdict == EG_VERDICT_ALLOWED ||
		  (does_redirect(view.workload) && eg_is_of_redirect(skb, packet));
	answers = !allowed && eg_is_answer(skb, &packet->judged);
	if (!known && packet->connected &&
	    (!(allowed || answers) || is_translated(packet) || is_worth_knowing(sk)))
		known = make_known(sk, &packet->judged, slot_id);
	if (known && allowed)
		know_allowed(known, packet->generation);
	else if (known && answers)
		know_answer(known, packet);
	if (!allowed && !answers && !(packet->connected && goes_on(skb, sk, &view, packet, known)))
		return 0;
	count_nat(packet, known);
	return 1;
}

static __always_inline bool is_known(const struct packet *packet, struct eg_known *known)
{
	if (!known || !packet->generation || known->generation != packet->generation)
		return false;
	count_nat(packet, known);
	return true;
}

static __always_inline struct eg_decision guard_packet(struct __sk_buff *skb, struct bpf_sock *sk, struct packet *packet)
{
	struct eg_known *known = NULL;
	int route = eg_read_packet(skb, packet);

	if (route != PACKET_DIRECT)
		return block(route == PACKET_UNREADABLE ? EG_REASON_BLOCKED_GUARD : EG_REASON_BLOCKED_SOURCE_ROUTE, EPERM);
	if (is_loopback(&packet->wire))
		return allow(EG_REASON_EXEMPT_LOOPBACK);
	if (sk->protocol == IPPROTO_UDP && eg_was_refused(skb, packet)) {
		packet->judged = packet->wire;
		packet->connected = 0;
	} else if (was_judged(sk)) {
		return allow(EG_REASON_EXEMPT_LOOPBACK);
	}
	if (packet->connected)
		known = find_known(sk, &packet->judged, packet->slot_id);
	if (is_known(packet, known) || eg_may_pass(skb, packet, known))
		return allow(EG_REASON_EXEMPT_LOOPBACK);
	return block(EG_REASON_BLOCKED_GUARD, EPERM);
}

/* ---- what comes in ---- */

struct udp_ports {
	__be16 source;
	__be16 dest;
};

/* Whom a datagram is from. False for what is none: extension headers do not come in front of one. */
static __always_inline bool read_sender(struct __sk_buff *skb, struct eg_flow *ret_sender)
{
	__u8 header[IPV6_HEADER_LEN];
	struct udp_ports ports;
	bool ipv4 = skb->protocol == bpf_htons(ETH_P_IP);
	__u32 len = IPV6_HEADER_LEN;

	if (bpf_skb_load_bytes(skb, 0, header, ipv4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN) < 0 ||
	    header[ipv4 ? 9 : 6] != IPPROTO_UDP)
		return false;
	if (ipv4) {
		len = (header[0] & 0xf) * 4u;
		__builtin_memcpy(&ret_sender->addr.word_be[0], header + 12, 4);
	} else {
		__builtin_memcpy(ret_sender->addr.word_be, header + 8, 16);
	}
	if (bpf_skb_load_bytes(skb, len, &ports, sizeof(ports)) < 0)
		return false;
	ret_sender->family = ipv4 ? EG_FAMILY_IPV4 : EG_FAMILY_IPV6;
	ret_sender->port = bpf_ntohs(ports.source);
	ret_sender->protocol = IPPROTO_UDP;
	return true;
}

/*
 * Those that may be answered by the policy need no note. A socket that has a peer asked,
 * and hears answers: they make an open session that is forbidden no server. One that
 * connects to who wrote to it was noted before.
 */
static __always_inline void hear_datagram(struct __sk_buff *skb, const struct bpf_sock *sk, __u32 slot_id,
					  const struct policy_view *view)
{
	struct eg_flow sender = {};
	struct eg_peer_key key;
	struct eg_slot *slot;
	__u64 now;

	if (!read_sender(skb, &sender))
		return;
	now = bpf_ktime_get_ns();
	key = peer_key_of(bpf_get_socket_cookie(skb), &sender);
	if (note_again(&key, now) || sk->state == BPF_TCP_ESTABLISHED ||
	    decide(view, &sender).verdict == EG_VERDICT_ALLOWED)
		return;
	slot = bpf_map_lookup_elem(&eg_slots, &slot_id);
	if (slot)
		note_peer(slot, slot_id, &key, now);
}

#endif
