/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_SWEEP_BPF_H
#define EG_SWEEP_BPF_H

/*
 * What needs a clock: a walk over every socket that holds a lease, in all network
 * namespaces. User space starts it and destroys what it names.
 *
 * The walk holds no socket: a socket may end, and its memory may become another one,
 * while it is looked at. So the word is read first, and what was seen holds only if
 * the word is the same afterwards: until a lease has ended its socket is there.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "breaker.bpf.h"
#include "decide.bpf.h"
#include "flow.bpf.h"
#include "kernel.bpf.h"
#include "originals.bpf.h"
#include "reply.bpf.h"

/* Far longer than a connect call takes from its hook to the state that it leaves the socket in. */
#define SETTLED_NS (2 * NSEC_PER_SEC)
/* The kernel's own timer comes first: it says ETIMEDOUT. */
#define LATE_MARGIN_NS NSEC_PER_SEC

#define OVERDUE_MARKS ((__u64)(EG_LEASE_LATE | EG_LEASE_IDLE | EG_LEASE_OLD) << EG_LEASE_MARKS_SHIFT)

/* ---- a socket, as user space gets it ---- */

/* 0 for a socket that was never asked for it, which holds no lease. */
static __always_inline __u64 cookie_of(const struct sock *sk)
{
	return sk->__sk_common.skc_cookie.counter;
}

/* A global function: the verifier goes on from here with any address, and not once for each form that there is. */
__noinline int eg_normalise_address(struct eg_flow *flow)
{
	if (flow)
		normalise_flow(flow);
	return 0;
}

static __always_inline struct eg_flow address_of(const struct sock *sk, __be32 ipv4, const struct in6_addr *ipv6)
{
	struct eg_flow flow = {.family = sk->__sk_common.skc_family};

	if (flow.family == EG_FAMILY_IPV4) {
		flow.addr.word_be[0] = ipv4;
	} else {
		flow.addr.word_be[0] = ipv6->in6_u.u6_addr32[0];
		flow.addr.word_be[1] = ipv6->in6_u.u6_addr32[1];
		flow.addr.word_be[2] = ipv6->in6_u.u6_addr32[2];
		flow.addr.word_be[3] = ipv6->in6_u.u6_addr32[3];
	}
	eg_normalise_address(&flow);
	return flow;
}

/* A socket as an iterator over files comes by it. */
struct visit {
	struct bpf_iter_meta *meta;
	const struct task_struct *task;
	struct sock *sk;
};

/*
 * No sweep has seen what moved since the last one, and there may be no more sweeps. The
 * time of the last packet is the latest that it can have moved.
 */
static __always_inline __u64 active_ns(const struct tcp_sock *tcp, const struct eg_lease *lease,
				       const struct eg_held_socket *held)
{
	__u64 packet_ns;

	if (!tcp || !lease->active_ns || held->rx_bytes + held->tx_bytes == lease->rx_bytes + lease->tx_bytes)
		return lease->active_ns;
	packet_ns = tcp->tcp_mstamp * NSEC_PER_USEC;
	return packet_ns > lease->active_ns ? packet_ns : lease->active_ns;
}

static __always_inline void describe(const struct visit *visit, const struct eg_lease *lease, __u64 word,
				     struct eg_held_socket *held)
{
	const struct sock *sk = visit->sk;
	const struct tcp_sock *tcp = bpf_skc_to_tcp_sock(visit->sk);
	const struct sock_common *common = &sk->__sk_common;
	struct eg_flow local = address_of(sk, common->skc_rcv_saddr, &common->skc_v6_rcv_saddr);
	struct eg_flow remote = address_of(sk, common->skc_daddr, &common->skc_v6_daddr);

	held->word = word;
	held->cookie = bpf_get_socket_cookie(visit->sk);
	held->cgroup_id = sk->sk_cgrp_data.cgroup->kn->id;
	held->opened_ns = lease->opened_ns;
	held->rx_bytes = tcp ? payload_received(tcp) : 0;
	held->tx_bytes = tcp ? payload_sent(tcp) : 0;
	held->active_ns = active_ns(tcp, lease, held);
	held->reason = lease->reason;
	held->verdict = lease->verdict;
	held->local = local.addr;
	held->remote = remote.addr;
	held->netns = common->skc_net.net->ns.inum;
	held->family = remote.family;
	held->socket_family = common->skc_family;
	held->interface = common->skc_bound_dev_if;
	held->local_port = common->skc_num;
	held->remote_port = bpf_ntohs(common->skc_dport);
	held->protocol = sk->sk_protocol;
	held->tcp_state = common->skc_state;
	held->pid = visit->task->tgid;
	bpf_probe_read_kernel(held->comm, sizeof(held->comm), visit->task->comm);
}

/* Without room in the file's buffer the kernel comes again with the same socket. */
static __always_inline void write_held(struct bpf_iter_meta *meta, const struct eg_held_socket *held)
{
	bpf_seq_write(meta->seq, held, sizeof(*held));
}

static __always_inline void write_end(struct bpf_iter_meta *meta)
{
	struct eg_held_socket end = {.cookie = meta->seq_num};

	write_held(meta, &end);
}

/* ---- what is overdue ---- */

static __always_inline bool has_passed(__u64 now, __u64 since, __u64 span_ns)
{
	/* Another CPU may have written a time that is later than ours. */
	return now > since && now - since >= span_ns;
}

/*
 * The live policy of the slot says when a connection is over, and the one that admitted
 * it when a connect is. A session of UDP is not timed: the kernel keeps no count of
 * its payload. One that drains is the kernel's to end.
 */
static __always_inline __u64 overdue_marks(const struct eg_lease *lease, __u64 word, __u64 now)
{
	struct policy_view view = view_policy(eg_lease_slot(word));
	const struct eg_cluster_policy *limits;
	__u64 marks = 0;

	if (eg_lease_state(word) == EG_LEASE_CONNECTING)
		return has_passed(now, lease->opened_ns, lease->connect_timeout_ms * NSEC_PER_MSEC + LATE_MARGIN_NS)
			       ? (__u64)EG_LEASE_LATE << EG_LEASE_MARKS_SHIFT
			       : 0;
	if (eg_lease_state(word) != EG_LEASE_ESTABLISHED || !view.workload)
		return 0;
	limits = eg_lease_marks(word) & EG_LEASE_IPV6 ? &view.workload->ipv6 : &view.workload->ipv4;
	if (limits->idle_timeout_ms && has_passed(now, lease->active_ns, limits->idle_timeout_ms * NSEC_PER_MSEC))
		marks |= EG_LEASE_IDLE;
	if (limits->max_duration_ms && has_passed(now, lease->opened_ns, limits->max_duration_ms * NSEC_PER_MSEC))
		marks |= EG_LEASE_OLD;
	return marks << EG_LEASE_MARKS_SHIFT;
}

/*
 * A socket in CLOSE holds nothing, and a UDP socket has a peer in ESTABLISHED only: no
 * event told of its end, or none comes. Not while its connect call may be under way. One
 * that listens is none that connects: who lets a failed connect be late destroys it.
 */
static __always_inline bool has_ended_unseen(const struct sock *sk, const struct eg_lease *lease, __u64 word, __u64 now)
{
	__u8 state = sk->__sk_common.skc_state;
	bool over = eg_lease_state(word) == EG_LEASE_SESSION ? state != BPF_TCP_ESTABLISHED : state == BPF_TCP_CLOSE;

	if (state == BPF_TCP_LISTEN)
		return true;
	return over && has_passed(now, lease->opened_ns, SETTLED_NS);
}

/* The very lease that was looked at: the socket may have connected again since. */
static __always_inline void end_unseen(struct eg_lease *lease, __u64 word)
{
	const struct lease_end end = {
		.is_remote = eg_lease_state(word) == EG_LEASE_CONNECTING,
		.without_event = true,
	};

	if (!change_word(lease, word, with_state(word, EG_LEASE_NONE)))
		return;
	account_end(lease, word, &end);
	free_lease(lease);
}

/* Payload that moved since the last sweep, and is counted, is activity, at the time of this one. */
static __always_inline void note_activity(struct sock *sk, struct eg_lease *lease, __u64 word, __u64 now)
{
	const struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
	__u64 before = lease->rx_bytes + lease->tx_bytes;

	if (!tcp || eg_lease_state(word) == EG_LEASE_CONNECTING)
		return;
	count_bytes(lease, word, tcp);
	if (lease->rx_bytes + lease->tx_bytes != before)
		lease->active_ns = now;
}

/*
 * Marks what is overdue and takes the mark from what is not any more, so that its end,
 * whenever it comes, is counted as what it is. False when it changed meanwhile.
 */
static __always_inline bool set_marks(struct eg_lease *lease, __u64 word, __u64 marks)
{
	__u64 next = (word & ~OVERDUE_MARKS) | marks;

	return next == word ? read_word(lease) == word : change_word(lease, word, next);
}

/* The socket's own lease, of the present owner of its slot: the word was read before. */
static __always_inline bool is_present(const struct sock *sk, const struct eg_lease *lease, __u64 word)
{
	struct cluster cluster;

	return read_cookie(lease) == cookie_of(sk) && is_live(word) && find_cluster(word, &cluster);
}

static __always_inline void sweep_socket(const struct visit *visit, struct eg_lease *lease)
{
	struct sock *sk = visit->sk;
	__u64 word = read_word(lease), now = bpf_ktime_get_ns(), marks;
	struct eg_held_socket held = {};

	if (!is_present(sk, lease, word))
		return;
	note_activity(sk, lease, word, now);
	if (has_ended_unseen(sk, lease, word, now)) {
		end_unseen(lease, word);
		return;
	}
	marks = overdue_marks(lease, word, now);
	if (marks)
		describe(visit, lease, (word & ~OVERDUE_MARKS) | marks, &held);
	if (set_marks(lease, word, marks) && marks)
		write_held(visit->meta, &held);
}

/* ---- leases without a socket ---- */

/* After its timeout, and after the sweeps that should have found and destroyed it. */
#define ABANDONED_NS (10 * NSEC_PER_SEC)

/* Trusted, let go of by its processes, and no event has told of its end: as long as the kernel tries to send what is left. */
#define FORGOTTEN_NS (180 * NSEC_PER_SEC)
/*
 * The same of one that drains: another owner's program may have taken the event of its
 * end, which is a flag of the socket's that programs write over. The kernel gives up a
 * peer that is gone in five minutes, however far away it was. One that reads slowly may
 * take any time: what it takes after this is not counted. And the table has room for two
 * hundred such closes a second.
 */
#define DRAINED_NS (900 * NSEC_PER_SEC)

static __always_inline bool is_forgotten(const struct eg_lease *lease, __u64 word, __u64 now)
{
	if (!lease->active_ns)
		return false;
	if (eg_lease_state(word) == EG_LEASE_DRAINING)
		return has_passed(now, lease->active_ns, DRAINED_NS);
	return eg_lease_state(word) == EG_LEASE_TRUSTED && has_passed(now, lease->active_ns, FORGOTTEN_NS);
}

/*
 * A slot that changed its owner has settled what its leases held, and programs that are
 * gone report no end of theirs. A connect of MPTCP without a route leaves nothing behind
 * that a walk over files could find.
 */
static long collect_lease(void *map, __u32 *place, struct eg_lease *lease, const __u64 *now)
{
	__u64 word = read_word(lease);
	struct cluster cluster;

	(void)map;
	(void)place;
	if (!is_live(word))
		return 0;
	if (!find_cluster(word, &cluster) || is_forgotten(lease, word, *now) ||
	    (eg_lease_state(word) == EG_LEASE_CONNECTING &&
	     has_passed(*now, lease->opened_ns, lease->connect_timeout_ms * NSEC_PER_MSEC + ABANDONED_NS)))
		end_unseen(lease, word);
	return 0;
}

/* ---- peers that wrote ---- */

/* Callback over the table: who wrote too long ago gives his place back to the slot, if it still has the owner it had. */
static long forget_peer(void *map, const struct eg_peer_key *key, struct eg_peer *peer, const __u64 *now)
{
	__u32 slot_id = peer->slot;
	struct eg_slot *slot;

	if (*now < peer->seen_ns || *now - peer->seen_ns <= PEER_LIFETIME_NS)
		return 0;
	slot = bpf_map_lookup_elem(&eg_slots, &slot_id);
	if (slot && slot->state.epoch == peer->epoch)
		__sync_fetch_and_add(&slot->state.peers, -1);
	bpf_map_delete_elem(&eg_peers, key);
	(void)map;
	return 0;
}

/* ---- connections that were redirected ---- */

/*
 * Callback over the table: no program tells of the end of connections whose workload is
 * gone, was made anew or redirects no more, and the accepted sockets of the proxy have
 * copies of their notes.
 */
static long collect_original(void *map, const struct eg_original_key *key, const struct eg_original *original,
			     void *nothing)
{
	struct policy_view view = view_policy(original->slot);

	(void)map;
	(void)nothing;
	if (is_epoch_of(original->slot, original->epoch) && does_redirect(view.workload))
		return 0;
	/* Somebody may see its end at this very moment: one of both counts it. */
	if (bpf_map_delete_elem(&eg_originals, key) == 0)
		count_originals(-1);
	return 0;
}

#endif
