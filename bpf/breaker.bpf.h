/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BREAKER_BPF_H
#define EG_BREAKER_BPF_H

/*
 * Leases and limits: who may hold a place of a cluster, and how it is given back
 * exactly once. egress/lease.h says which event ends which state.
 *
 * A lease's word changes by compare-and-swap only; whoever changes it accounts for
 * the change. Gauges live in the slot and know its epoch, so that what a socket of an
 * earlier owner gives back is not taken from the present one.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>

#include "decide.bpf.h"
#include "emit.bpf.h"
#include "kernel.bpf.h"
#include "leases.bpf.h"
#include "maps.bpf.h"
#include "repeat.bpf.h"

#define NSEC_PER_USEC 1000ull
#define NSEC_PER_MSEC 1000000ull

/* Envoy's bounds, upper ends excluded. In ns: a division is one of the dearest instructions of a connect. */
static const __u64 histogram_bounds_ns[EG_HISTOGRAM_BUCKETS - 1] = {
	500 * NSEC_PER_USEC,   1 * NSEC_PER_MSEC,    5 * NSEC_PER_MSEC,	     10 * NSEC_PER_MSEC,
	25 * NSEC_PER_MSEC,    50 * NSEC_PER_MSEC,   100 * NSEC_PER_MSEC,    250 * NSEC_PER_MSEC,
	500 * NSEC_PER_MSEC,   1000 * NSEC_PER_MSEC, 2500 * NSEC_PER_MSEC,   5000 * NSEC_PER_MSEC,
	10000 * NSEC_PER_MSEC, 30 * NSEC_PER_SEC,    60 * NSEC_PER_SEC,	     300 * NSEC_PER_SEC,
	600 * NSEC_PER_SEC,    1800 * NSEC_PER_SEC,  3600 * NSEC_PER_SEC,
};

static __always_inline void count_sample(struct eg_histogram *histogram, __u64 duration_ns)
{
	__u32 bucket = 0;

	for (__u32 i = 0; i < EG_HISTOGRAM_BUCKETS - 1; i++) {
		if (duration_ns < histogram_bounds_ns[i])
			break;
		bucket = i + 1;
	}
	/* The verifier has lost sight of the loop's bound. */
	if (bucket < EG_HISTOGRAM_BUCKETS)
		count(&histogram->buckets[bucket]);
	__sync_fetch_and_add(&histogram->sum_ns, duration_ns);
}

/* ---- a lease and its slot ---- */

/* One cluster of a slot, as a lease sees it. */
struct cluster {
	struct eg_cluster_state *state;
	struct eg_cluster_counts *counts;
};

static __always_inline struct cluster cluster_of_slot(struct eg_slot *slot, bool ipv6)
{
	return (struct cluster){
		.state = ipv6 ? &slot->state.ipv6 : &slot->state.ipv4,
		.counts = ipv6 ? &slot->counts.ipv6.cluster : &slot->counts.ipv4.cluster,
	};
}

/* False when the slot has another owner by now: nothing is given back, the fold has settled it. */
static __always_inline bool find_cluster(__u64 word, struct cluster *ret_cluster)
{
	__u32 slot_id = eg_lease_slot(word);
	struct eg_slot *slot = bpf_map_lookup_elem(&eg_slots, &slot_id);

	if (!slot || (__u16)slot->state.epoch != eg_lease_epoch(word))
		return false;
	*ret_cluster = cluster_of_slot(slot, eg_lease_marks(word) & EG_LEASE_IPV6);
	return true;
}

static __always_inline __u64 with_state(__u64 word, enum eg_lease_state state)
{
	return (word & ~0xffull) | state;
}

static __always_inline bool change_word(struct eg_lease *lease, __u64 word, __u64 next)
{
	return __sync_val_compare_and_swap(&lease->word, word, next) == word;
}

#define IN_STATE(state) (1u << (state))
#define IN_ANY_STATE \
	(IN_STATE(EG_LEASE_CONNECTING) | IN_STATE(EG_LEASE_ESTABLISHED) | IN_STATE(EG_LEASE_DRAINING) | \
	 IN_STATE(EG_LEASE_SESSION) | IN_STATE(EG_LEASE_TRUSTED))

/* A lease that is to be taken on. */
struct claim {
	struct eg_lease *lease;
	__u64 cookie;
	__u32 from, to;
	__u64 word; /* before, of whoever took it; or 0 */
};

static long claim_once(__u32 number, void *shared)
{
	struct claim *claim = shared;
	__u64 word = read_word(claim->lease);

	(void)number;
	if (read_cookie(claim->lease) != claim->cookie || !(claim->from & IN_STATE(eg_lease_state(word) & 7)))
		return ROUND_LAST;
	if (!change_word(claim->lease, word, with_state(word, claim->to)))
		return ROUND_AGAIN;
	claim->word = word;
	return ROUND_LAST;
}

/*
 * Takes the lease of a socket from one of these states to another. The word before, for
 * its one account; 0 when it is in none of them, or somebody else took it on: the word
 * comes first, so that it is this socket's if the cookie still is. Loops are in global
 * functions: the verifier goes through them once, and not through what follows once
 * more for every end that one may have. They also take NULL for an input.
 */
__noinline __u64 eg_claim_lease(struct eg_lease *lease, __u64 cookie, __u32 from, __u32 to)
{
	struct claim claim = {.lease = lease, .cookie = cookie, .from = from, .to = to};

	if (lease)
		attempt(claim_once, &claim);
	return claim.word;
}

/* ---- the ends ---- */

/* Who or what ended a connection. */
struct lease_end {
	bool is_remote;		/* the peer or the network; else somebody on this side */
	bool is_timeout;	/* connect_timeout, on this side */
	bool without_event;
};

static __always_inline void give_back_retry(const struct cluster *cluster, __u64 word)
{
	if (eg_lease_marks(word) & EG_LEASE_RETRY)
		__sync_fetch_and_add(&cluster->state->retries, -1);
}

static __always_inline void account_failed(const struct cluster *cluster, __u64 word, const struct lease_end *end)
{
	__sync_fetch_and_add(&cluster->state->held, -(EG_HELD_CONNECTION + EG_HELD_PENDING));
	give_back_retry(cluster, word);
	if (end->is_timeout)
		count(&cluster->counts->connect_timeout);
	else
		count(end->is_remote ? &cluster->counts->connect_failed : &cluster->counts->connect_cancelled);
}

static __always_inline void account_closed(const struct cluster *cluster, __u64 word, const struct lease_end *end)
{
	__sync_fetch_and_add(&cluster->state->held, -EG_HELD_CONNECTION);
	count(end->is_remote ? &cluster->counts->closed_remote : &cluster->counts->closed_local);
	if (eg_lease_marks(word) & EG_LEASE_IDLE)
		count(&cluster->counts->idle_timeout);
	else if (eg_lease_marks(word) & EG_LEASE_OLD)
		count(&cluster->counts->max_duration);
}

/* A connection that is one no more, established before or not. */
static __always_inline void account_connection(const struct cluster *cluster, __u64 opened_ns, __u64 word,
					       const struct lease_end *end)
{
	if (eg_lease_state(word) == EG_LEASE_CONNECTING)
		account_failed(cluster, word, end);
	else
		account_closed(cluster, word, end);
	count_sample(&cluster->counts->length_ms, bpf_ktime_get_ns() - opened_ns);
}

static __always_inline void account_end(const struct eg_lease *lease, __u64 word, const struct lease_end *end)
{
	struct cluster cluster;

	if (!find_cluster(word, &cluster))
		return;
	if (end->without_event)
		count(&cluster.counts->without_event);
	switch (eg_lease_state(word)) {
	case EG_LEASE_CONNECTING:
	case EG_LEASE_ESTABLISHED:
		account_connection(&cluster, lease->opened_ns, word, end);
		break;
	case EG_LEASE_DRAINING:
		__sync_fetch_and_add(&cluster.state->draining, -1);
		break;
	case EG_LEASE_SESSION:
		__sync_fetch_and_add(&cluster.state->sessions, -1);
		break;
	}
}

/* Gives back what the lease holds, and its place, unless somebody else was first. */
static __always_inline void end_lease(struct eg_lease *lease, __u64 cookie, __u32 from, const struct lease_end *end)
{
	__u64 word = eg_claim_lease(lease, cookie, from, EG_LEASE_NONE);

	if (!word)
		return;
	account_end(lease, word, end);
	free_lease(lease);
}

/* The last process let go of an established connection; what it sent may still be on its way. */
static __always_inline void drain_lease(struct eg_lease *lease, __u64 cookie, const struct lease_end *end)
{
	/* Before somebody else may end it. */
	__u64 opened_ns = lease->opened_ns, word;
	struct cluster cluster;

	/* Nor may it drain since long ago for a moment. */
	if (eg_lease_state(read_word(lease)) == EG_LEASE_ESTABLISHED)
		lease->active_ns = bpf_ktime_get_ns();
	word = eg_claim_lease(lease, cookie, IN_STATE(EG_LEASE_ESTABLISHED), EG_LEASE_DRAINING);
	if (!word || !find_cluster(word, &cluster))
		return;
	__sync_fetch_and_add(&cluster.state->draining, 1);
	account_connection(&cluster, opened_ns, word, end);
}

static __always_inline void establish_lease(struct eg_lease *lease, __u64 cookie)
{
	__u64 now = bpf_ktime_get_ns(), opened_ns = lease->opened_ns, word;
	struct cluster cluster;

	lease->active_ns = now;
	word = eg_claim_lease(lease, cookie, IN_STATE(EG_LEASE_CONNECTING), EG_LEASE_ESTABLISHED);
	if (!word || !find_cluster(word, &cluster))
		return;
	__sync_fetch_and_add(&cluster.state->held, -EG_HELD_PENDING);
	give_back_retry(&cluster, word);
	count_sample(&cluster.counts->connect_ms, now - opened_ns);
}

/* ---- bytes ---- */

/* Bytes of a connection that are to be counted. */
struct new_bytes {
	__u64 *counter;
	__u64 *counted;
	__u64 now;
};

static long add_new_bytes(__u32 number, void *shared)
{
	struct new_bytes *bytes = shared;
	__u64 before = *(volatile __u64 *)bytes->counted;

	(void)number;
	if (bytes->now <= before)
		return ROUND_LAST;
	if (__sync_val_compare_and_swap(bytes->counted, before, bytes->now) != before)
		return ROUND_AGAIN;
	__sync_fetch_and_add(bytes->counter, bytes->now - before);
	return ROUND_LAST;
}

/* Adds what is new since the last time; a reader that is late finds more than it has and adds nothing. */
__noinline int eg_add_new_bytes(__u64 *counter, __u64 *counted, __u64 now)
{
	struct new_bytes bytes = {.counter = counter, .counted = counted, .now = now};

	if (counter && counted)
		attempt(add_new_bytes, &bytes);
	return 0;
}

/* Mostly there is nothing new to add. */
static __always_inline void add_bytes(__u64 *counter, __u64 *counted, __u64 now)
{
	if (now > *(volatile __u64 *)counted)
		eg_add_new_bytes(counter, counted, now);
}

/* The peer's FIN is one of the bytes received. */
static __always_inline __u64 payload_received(const struct tcp_sock *tcp)
{
	__u64 received = tcp->bytes_received;

	if (received > 0 && (((const struct sock *)tcp)->__sk_common.skc_flags & SOCK_DONE_BIT))
		received--;
	return received;
}

/*
 * A SYN is not among the bytes sent. The kernel counts a retransmission before it
 * counts what it sends again: read the other way round, whoever does not hold the
 * socket's lock never takes one for new payload. A retransmission that fails is only
 * half counted.
 */
static __always_inline __u64 payload_sent(const struct tcp_sock *tcp)
{
	__u64 sent = *(const volatile __u64 *)&tcp->bytes_sent, again = *(const volatile __u64 *)&tcp->bytes_retrans;

	return sent > again ? sent - again : 0;
}

/* What was accepted is of no cluster. */
static __always_inline void count_bytes(struct eg_lease *lease, __u64 word, const struct tcp_sock *tcp)
{
	struct cluster cluster;

	if (eg_lease_state(word) == EG_LEASE_TRUSTED || !find_cluster(word, &cluster))
		return;
	add_bytes(&cluster.counts->rx_bytes, &lease->rx_bytes, payload_received(tcp));
	add_bytes(&cluster.counts->tx_bytes, &lease->tx_bytes, payload_sent(tcp));
}

/* ---- admission ---- */

static __always_inline bool is_udp(const struct observation *seen)
{
	return eg_protocol_bit(seen->flow.protocol) == EG_PROTO_UDP;
}

/* DNS that is redirected goes to the workload's own resolver, as if it had asked that. */
static __always_inline bool is_cluster_traffic(const struct observation *seen)
{
	return seen->decision.reason == EG_REASON_PASSTHROUGH || seen->decision.reason == EG_REASON_MATCHED ||
	       (seen->decision.reason == EG_REASON_REDIRECTED && !is_udp(seen));
}

/* Non-mesh and matched TCP connections and connected UDP sockets hold a lease; other protocols are counted only. */
static __always_inline bool needs_lease(const struct observation *seen)
{
	return is_cluster_traffic(seen) && (is_udp(seen) || eg_protocol_bit(seen->flow.protocol) == EG_PROTO_TCP);
}

/* EG_REASON_COUNT: none. */
static __always_inline __u32 reached_limit(__u64 held, const struct eg_cluster_policy *limits)
{
	if (eg_held_connections(held) >= limits->max_connections)
		return EG_REASON_BLOCKED_MAX_CONNECTIONS;
	if (eg_held_pending(held) >= limits->max_pending)
		return EG_REASON_BLOCKED_MAX_PENDING;
	/* A request is a connection that is pending or established. */
	if ((limits->flags & EG_CLUSTER_LIMITS_REQUESTS) && eg_held_connections(held) >= limits->max_requests)
		return EG_REASON_BLOCKED_MAX_REQUESTS;
	return EG_REASON_COUNT;
}

/* A place that is to be taken. */
struct place_try {
	struct eg_cluster_state *state;
	const struct eg_cluster_policy *limits;
	__u32 limit; /* that was reached, EG_REASON_COUNT: none */
};

static long take_connection_once(__u32 number, void *shared)
{
	struct place_try *try = shared;
	__u64 held = *(volatile __u64 *)&try->state->held;

	(void)number;
	try->limit = reached_limit(held, try->limits);
	if (try->limit != EG_REASON_COUNT)
		return ROUND_LAST;
	if (__sync_val_compare_and_swap(&try->state->held, held, held + EG_HELD_CONNECTION + EG_HELD_PENDING) == held)
		return ROUND_LAST;
	try->limit = EG_REASON_BLOCKED_NO_STATE;
	return ROUND_AGAIN;
}

/* Takes a place among connections and pending in one step: there is never one too many, nor one refused for another's try. */
static __always_inline __u32 take_connection(struct eg_cluster_state *state, const struct eg_cluster_policy *limits)
{
	struct place_try try = {.state = state, .limits = limits};

	attempt(take_connection_once, &try);
	return try.limit;
}

static long take_session_once(__u32 number, void *shared)
{
	struct place_try *try = shared;
	__u32 sessions = *(volatile __u32 *)&try->state->sessions;

	(void)number;
	try->limit = sessions >= try->limits->max_connections ? EG_REASON_BLOCKED_MAX_CONNECTIONS : EG_REASON_COUNT;
	if (try->limit != EG_REASON_COUNT)
		return ROUND_LAST;
	if (__sync_val_compare_and_swap(&try->state->sessions, sessions, sessions + 1) == sessions)
		return ROUND_LAST;
	try->limit = EG_REASON_BLOCKED_NO_STATE;
	return ROUND_AGAIN;
}

static __always_inline __u32 take_session(const struct cluster *cluster, const struct eg_cluster_policy *limits)
{
	struct place_try try = {.state = cluster->state, .limits = limits};

	attempt(take_session_once, &try);
	if (try.limit == EG_REASON_COUNT)
		count(&cluster->counts->sessions_total);
	return try.limit;
}

/*
 * A retry has to be taken before the connection: a refusal afterwards would have kept
 * a third party out for a moment. Added first, so that there is never one too many.
 */
static __always_inline __u32 take_retry(const struct cluster *cluster, const struct eg_cluster_policy *limits)
{
	__u32 limit = reached_limit(*(volatile __u64 *)&cluster->state->held, limits);

	if (limit != EG_REASON_COUNT)
		return limit;
	if (__sync_fetch_and_add(&cluster->state->retries, 1) < limits->max_retries)
		return EG_REASON_COUNT;
	__sync_fetch_and_add(&cluster->state->retries, -1);
	return EG_REASON_BLOCKED_MAX_RETRIES;
}

/* The end of a connect notes its failure by the epoch that the lease has: 16 bits of it. */
static __always_inline bool is_retry(const struct observation *seen, __u16 epoch,
				     const struct eg_workload_policy *workload, const struct eg_cluster_policy *limits)
{
	const struct eg_failure_key key = {.slot = seen->slot_id, .epoch = epoch, .flow = seen->flow};
	const __u64 *failed_ns;

	if (!(limits->flags & EG_CLUSTER_LIMITS_RETRIES))
		return false;
	failed_ns = bpf_map_lookup_elem(&eg_failures, &key);
	return failed_ns && bpf_ktime_get_ns() - *failed_ns <= workload->retry_window_ms * NSEC_PER_MSEC;
}

static __always_inline __u32 take_tcp(const struct cluster *cluster, const struct eg_cluster_policy *limits, bool retry)
{
	__u32 limit = retry ? take_retry(cluster, limits) : EG_REASON_COUNT;

	if (limit != EG_REASON_COUNT)
		return limit;
	limit = take_connection(cluster->state, limits);
	if (!retry)
		return limit;
	if (limit != EG_REASON_COUNT)
		__sync_fetch_and_add(&cluster->state->retries, -1);
	else
		count(&cluster->counts->rq_retry);
	return limit;
}

/*
 * In audit mode what a limit would refuse holds a place all the same, so that its end is
 * counted like any other's: total = active + destroyed. It is in the limit's overflow too.
 */
static __always_inline void take_past_limit(const struct cluster *cluster, bool udp, bool retry)
{
	if (udp) {
		__sync_fetch_and_add(&cluster->state->sessions, 1);
		count(&cluster->counts->sessions_total);
		return;
	}
	__sync_fetch_and_add(&cluster->state->held, EG_HELD_CONNECTION + EG_HELD_PENDING);
	count(&cluster->counts->cx_total);
	count(&cluster->counts->cx_past_limit);
	if (!retry)
		return;
	__sync_fetch_and_add(&cluster->state->retries, 1);
	count(&cluster->counts->rq_retry);
}

static __always_inline void note_decision(struct eg_lease *lease, const struct eg_decision *decision)
{
	lease->reason = decision->reason;
	lease->verdict = decision->verdict;
}

/* Nobody else touches the place before its word is live. */
static __always_inline void write_lease(struct eg_lease *lease, __u64 word, const struct eg_cluster_policy *limits,
					const struct eg_decision *decision)
{
	__u32 timeout_ms = limits->connect_timeout_ms;

	lease->opened_ns = bpf_ktime_get_ns();
	lease->rx_bytes = 0;
	lease->tx_bytes = 0;
	lease->active_ns = 0;
	lease->connect_timeout_ms = timeout_ms < EG_LEASE_TIMEOUT_MAX_MS ? timeout_ms : EG_LEASE_TIMEOUT_MAX_MS;
	note_decision(lease, decision);
	lease->user_timeout_ms = 0;
	/* Not a word that a lease of this place had lately. */
	__sync_lock_test_and_set(&lease->word, word | ((lease->word >> EG_LEASE_SEQUENCE_SHIFT) + 1) << EG_LEASE_SEQUENCE_SHIFT);
}

/*
 * Ends what the socket still holds from an earlier connect. TCP comes here in state
 * CLOSE only, and a UDP socket without a peer was disconnected, or its connect refused
 * by a program after ours: no event has told of that end.
 */
__noinline int eg_settle_earlier(struct eg_lease *lease, __u64 cookie, bool connected)
{
	const struct lease_end end = {.is_remote = true, .without_event = !connected};

	if (lease)
		end_lease(lease, cookie, IN_ANY_STATE, &end);
	return 0;
}

static __always_inline bool is_same_but_sequence(__u64 word, __u64 other)
{
	return !((word ^ other) << (64 - EG_LEASE_SEQUENCE_SHIFT));
}

/* What one connect is admitted with. */
struct admission {
	struct eg_lease *earlier; /* the session of a connected UDP socket, or NULL */
	__u64 cookie;
	struct eg_slot *slot;
	const struct eg_workload_policy *workload;
};

/*
 * A place for one more connection or session, counted: EG_REASON_COUNT; or the limit that
 * was reached. A global function, so that the verifier does not follow each of its ends.
 */
__noinline __u32 eg_take_place(struct eg_cluster_state *state, struct eg_cluster_counts *counts,
			       const struct eg_cluster_policy *limits, bool udp, bool retry)
{
	const struct cluster cluster = {.state = state, .counts = counts};
	__u32 limit;

	if (!state || !counts || !limits)
		return EG_REASON_BLOCKED_NO_STATE;
	limit = udp ? take_session(&cluster, limits) : take_tcp(&cluster, limits, retry);
	if (limit == EG_REASON_BLOCKED_NO_STATE)
		count(&counts->contended);
	return limit;
}

/* Whether a refused connect holds a place all the same. What nobody could keep goes on without, and ends what it had. */
static __always_inline bool goes_past_limit(const struct admission *admission, const struct observation *seen)
{
	if (seen->decision.verdict == EG_VERDICT_BLOCKED)
		return false;
	if (seen->decision.reason != EG_REASON_BLOCKED_NO_STATE)
		return true;
	if (admission->earlier)
		eg_settle_earlier(admission->earlier, admission->cookie, true);
	return false;
}

/*
 * A connected UDP socket comes here with its session, which goes on with the next peer.
 * If that one counts elsewhere, the old place is given back for a new one, and not
 * before: a connect that is refused leaves the socket with the peer that it had.
 */
static __always_inline void admit(const struct admission *admission, struct observation *seen)
{
	bool ipv6 = seen->flow.family == EG_FAMILY_IPV6, udp = is_udp(seen);
	const struct eg_workload_policy *workload = admission->workload;
	const struct eg_cluster_policy *limits = ipv6 ? &workload->ipv6 : &workload->ipv4;
	struct cluster cluster = cluster_of_slot(admission->slot, ipv6);
	__u32 epoch = admission->slot->state.epoch, limit;
	bool retry = !udp && is_retry(seen, (__u16)epoch, workload, limits);
	__u64 word = eg_lease_word(udp ? EG_LEASE_SESSION : EG_LEASE_CONNECTING,
				   (ipv6 ? EG_LEASE_IPV6 : 0) | (retry ? EG_LEASE_RETRY : 0), (__u16)seen->slot_id,
				   (__u16)epoch, 0);
	struct eg_lease *lease;

	if (admission->earlier && is_same_but_sequence(read_word(admission->earlier), word)) {
		note_decision(admission->earlier, &seen->decision);
		return;
	}
	lease = take_lease(admission->cookie);
	limit = lease ? eg_take_place(cluster.state, cluster.counts, limits, udp, retry) : EG_REASON_BLOCKED_NO_STATE;
	if (limit != EG_REASON_COUNT) {
		seen->decision = block_by(workload, limit, workload->breaker_errno);
		if (!goes_past_limit(admission, seen)) {
			if (lease)
				free_lease(lease);
			return;
		}
		take_past_limit(&cluster, udp, retry);
	}
	if (admission->earlier)
		eg_settle_earlier(admission->earlier, admission->cookie, true);
	write_lease(lease, word, limits, &seen->decision);
}

/* What no place could be kept for is refused: it would be a connection that nobody counts. */
static __always_inline void lease_connect(__u64 cookie, struct observation *seen, bool leased, bool connected)
{
	struct admission admission = {.earlier = find_lease(cookie), .cookie = cookie};
	__u32 slot_id = seen->slot_id;

	if (admission.earlier && !(leased && connected)) {
		eg_settle_earlier(admission.earlier, cookie, connected);
		admission.earlier = NULL;
	}
	if (!leased)
		return;
	admission.workload = lookup_workload(seen->bank, &slot_id);
	admission.slot = bpf_map_lookup_elem(&eg_slots, &slot_id);
	if (!admission.workload)
		seen->decision = block(EG_REASON_BLOCKED_NO_STATE, EPERM);
	else if (!admission.slot)
		seen->decision = block_by(admission.workload, EG_REASON_BLOCKED_NO_STATE, admission.workload->block_errno);
	else
		admit(&admission, seen);
}

#endif
