/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_LIFECYCLE_BPF_H
#define EG_LIFECYCLE_BPF_H

/* What a socket reports of its life, for sockets that hold a lease: event -> breaker.bpf.h. */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "breaker.bpf.h"
#include "flow.bpf.h"
#include "guard.bpf.h"
#include "redirect.bpf.h"
#include "timeout.bpf.h"

/* A timer tick may come this much before its time: what ends so close to the timeout was ended by it. */
#define TIMER_SLACK_NS (10 * NSEC_PER_MSEC)

/* The destination as its connect asked for it: where that went to a proxy, it is not the remote end. */
static __always_inline struct eg_flow asked_of_sock_ops(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	const struct eg_redirected *kept = sk ? bpf_sk_storage_get(&eg_redirects, sk, 0, 0) : NULL;
	struct eg_flow remote = remote_of_sock_ops(ctx);

	return kept && is_same_end(&remote, &kept->connected.went) ? kept->connected.asked : remote;
}

/* Where a policy limits retries, a destination that failed in the network is remembered for a while. */
static __always_inline void note_failure(struct bpf_sock_ops *ctx, __u64 word)
{
	struct policy_view view = view_policy(eg_lease_slot(word));
	struct eg_failure_key key = {.slot = eg_lease_slot(word), .epoch = eg_lease_epoch(word)};
	const struct eg_cluster_policy *limits;
	__u64 now = bpf_ktime_get_ns();

	if (!view.workload)
		return;
	limits = eg_lease_marks(word) & EG_LEASE_IPV6 ? &view.workload->ipv6 : &view.workload->ipv4;
	if (!(limits->flags & EG_CLUSTER_LIMITS_RETRIES))
		return;
	key.flow = asked_of_sock_ops(ctx);
	bpf_map_update_elem(&eg_failures, &key, &now, BPF_ANY);
}

static __always_inline void forget_failure(struct bpf_sock_ops *ctx, __u64 word)
{
	struct eg_failure_key key = {.slot = eg_lease_slot(word), .epoch = eg_lease_epoch(word)};

	if (!(eg_lease_marks(word) & EG_LEASE_RETRY))
		return;
	key.flow = asked_of_sock_ops(ctx);
	bpf_map_delete_elem(&eg_failures, &key);
}

static __always_inline bool has_timed_out(const struct eg_lease *lease, __u64 word, int error)
{
	__u64 elapsed_ns = bpf_ktime_get_ns() - lease->opened_ns;

	if (eg_lease_marks(word) & EG_LEASE_LATE)
		return true;
	return (eg_lease_marks(word) & EG_LEASE_TIMED) && error == ETIMEDOUT &&
	       elapsed_ns + TIMER_SLACK_NS >= lease->connect_timeout_ms * NSEC_PER_MSEC;
}

/* No error, or SOCK_DESTROY: on this side somebody ended it. */
static __always_inline bool is_local_end(int error)
{
	return error == 0 || error == ECONNABORTED;
}

static __always_inline struct lease_end end_of_connect(const struct eg_lease *lease, __u64 word, int error)
{
	struct lease_end end = {.is_timeout = has_timed_out(lease, word, error)};

	end.is_remote = !end.is_timeout && !is_local_end(error);
	return end;
}

/* Who closed first tells the state; an abort goes from ESTABLISHED straight to CLOSE and has an error. */
static __always_inline struct lease_end end_of_connection(__u32 tcp_state, int error)
{
	switch (tcp_state) {
	case BPF_TCP_FIN_WAIT1:
	case BPF_TCP_FIN_WAIT2:
	case BPF_TCP_CLOSING:
		return (struct lease_end){};
	case BPF_TCP_CLOSE_WAIT:
	case BPF_TCP_LAST_ACK:
		return (struct lease_end){.is_remote = true};
	default:
		return (struct lease_end){.is_remote = !is_local_end(error)};
	}
}

static __always_inline void on_close(struct bpf_sock_ops *ctx, struct eg_lease *lease, __u64 cookie)
{
	struct bpf_sock *sk = ctx->sk;
	const struct tcp_sock *tcp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
	__u64 word = read_word(lease);
	struct lease_end end;
	int error;

	if (!tcp || !is_live(word))
		return;
	error = ((const struct sock *)tcp)->sk_err;
	unbound_connect(ctx, lease);
	if (eg_lease_state(word) == EG_LEASE_CONNECTING) {
		end = end_of_connect(lease, word, error);
		if (end.is_remote || end.is_timeout)
			note_failure(ctx, word);
	} else {
		end = end_of_connection(ctx->args[0], error);
		count_bytes(lease, word, tcp);
	}
	end_lease(lease, cookie, IN_ANY_STATE, &end);
}

static __always_inline void on_established(struct bpf_sock_ops *ctx, struct eg_lease *lease, __u64 cookie)
{
	unbound_connect(ctx, lease);
	forget_failure(ctx, read_word(lease));
	establish_lease(lease, cookie);
}

/* The kernel asks for the first timer just before the SYN: from now on this socket tells of its states and its lost SYNs. */
static __always_inline void on_connect(struct bpf_sock_ops *ctx, const struct eg_lease *lease)
{
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG |
					       BPF_SOCK_OPS_RTO_CB_FLAG);
	shorten_first_timer(ctx, lease);
}

/* While packets are looked at, an accepted connection is to be told from one that was opened. */
static __always_inline void on_accepted(struct bpf_sock_ops *ctx, __u32 slot_id, __u64 cookie)
{
	struct policy_view view = view_policy(slot_id);
	struct eg_slot *slot = bpf_map_lookup_elem(&eg_slots, &slot_id);

	if (!slot || !view.workload || !(view.workload->flags & EG_WORKLOAD_GUARDED))
		return;
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
	trust_socket(cookie, slot_id, slot->state.epoch);
}

/* What stands in CLOSE never sent a SYN: there was no way, or a program after ours refused it. No event told of it. */
static __always_inline struct lease_end end_of_attempt(__u32 tcp_state)
{
	bool refused = tcp_state == BPF_TCP_CLOSE;

	return (struct lease_end){.is_remote = refused, .without_event = refused};
}

/* What it wrote may still be on its way: the guard goes on to trust it, for a while if no event tells of its end. */
static __always_inline void note_released(struct eg_lease *lease, __u64 cookie)
{
	if (is_lease_of(lease, cookie) && eg_lease_state(read_word(lease)) == EG_LEASE_TRUSTED)
		lease->active_ns = bpf_ktime_get_ns();
}

/* On a local close this comes before the TCP states. A socket that closed already holds nothing. */
static __always_inline void on_release(struct eg_lease *lease, __u64 cookie, __u32 tcp_state)
{
	const struct lease_end closed = end_of_connection(tcp_state, 0), failed = end_of_attempt(tcp_state);
	const struct lease_end session = {};

	/* In the order of a connection's states: the answer to its SYN may come in between. */
	end_lease(lease, cookie, IN_STATE(EG_LEASE_CONNECTING), &failed);
	drain_lease(lease, cookie, &closed);
	end_lease(lease, cookie, IN_STATE(EG_LEASE_SESSION), &session);
	note_released(lease, cookie);
}

#endif
