/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EGRESS_STATS_H
#define EGRESS_STATS_H

/* What is counted for a slot. Every field only grows, but for those of struct eg_slot_state. */
#include "egress/verdict.h"

/* One counter a reason, named, so that bpftool prints what an operator looks for. */
struct eg_reason_counts {
#define EG_REASON_FIELD(id, field, name, verdict, text) __u64 field;
	EG_REASONS(EG_REASON_FIELD)
#undef EG_REASON_FIELD
};
EG_STATIC_SIZE(struct eg_reason_counts, 8 * EG_REASON_COUNT);

/* Envoy's default buckets in ms: 0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1 s ... 1 h; the last one holds the rest. */
#define EG_HISTOGRAM_BUCKETS 20

struct eg_histogram {
	__u64 sum_ns;	/* beside the first bucket, which most samples are in */
	__u64 buckets[EG_HISTOGRAM_BUCKETS];	/* samples of each, not cumulated */
};
EG_STATIC_SIZE(struct eg_histogram, 8 * EG_HISTOGRAM_BUCKETS + 8);

/*
 * The passthrough cluster of one family: non-mesh and matched TCP, since that is what
 * Envoy's cluster of this name holds, and sessions of connected UDP apart.
 *
 * An admitted connect ends in exactly one of five ways, so that what Envoy counts is a
 * sum of some of them and never goes back, whenever it is read; and cx_total =
 * connections + all five at every moment of rest.
 */
struct eg_cluster_counts {
	__u64 cx_total;		/* connects admitted: upstream_cx_total */
	__u64 connect_failed;	/* never established: the peer or the network refused */
	__u64 connect_timeout;	/* never established: connect_timeout */
	__u64 connect_cancelled;	/* never established: the application went away */
	__u64 closed_local;	/* established, then closed or ended by the application or by us */
	__u64 closed_remote;	/* established, then closed or ended by the peer or the network */
	__u64 cx_no_route;	/* connects refused because passthrough is false: downstream_cx_no_route */
	__u64 cx_overflow;	/* refused: max_connections */
	__u64 rq_pending_overflow;	/* refused: max_pending_requests */
	__u64 rq_overflow;	/* refused: max_requests */
	__u64 rq_retry;	/* admitted retries */
	__u64 rq_retry_overflow;	/* refused: max_retries */
	__u64 idle_timeout;	/* of closed_local, by idle_timeout */
	__u64 max_duration;	/* of closed_local, by max_connection_duration */
	__u64 rx_bytes;	/* payload received, without retransmissions */
	__u64 tx_bytes;	/* payload sent, without retransmissions */
	__u64 sessions_total;	/* connected UDP sockets admitted */
	__u64 sessions_overflow;	/* refused: max_connections of their own gauge */
	__u64 without_event;	/* leases that the next connect, the release or the sweep ended, for want of an event */
	__u64 contended;	/* compare-and-swap gave up, refused as blocked-no-state */
	__u64 cx_past_limit;	/* of cx_total, what a limit would have refused but for audit mode: in its overflow too */
	struct eg_histogram connect_ms;	/* until established */
	struct eg_histogram length_ms;	/* from admission until ended or released */
};
EG_STATIC_SIZE(struct eg_cluster_counts, 8 * 21 + 2 * sizeof(struct eg_histogram));

/* upstream_cx_connect_fail */
static inline __u64 eg_connects_failed(const struct eg_cluster_counts *counts)
{
	return counts->connect_failed + counts->connect_timeout + counts->connect_cancelled;
}

/* upstream_cx_destroy_local: connect_timeout and an application that goes away are on this side. */
static inline __u64 eg_destroyed_local(const struct eg_cluster_counts *counts)
{
	return counts->closed_local + counts->connect_timeout + counts->connect_cancelled;
}

/* upstream_cx_destroy_remote */
static inline __u64 eg_destroyed_remote(const struct eg_cluster_counts *counts)
{
	return counts->closed_remote + counts->connect_failed;
}

struct eg_family_counts {
	struct eg_reason_counts verdicts;	/* all protocols, one a hook run */
	struct eg_cluster_counts cluster;
};
EG_STATIC_SIZE(struct eg_family_counts, sizeof(struct eg_reason_counts) + sizeof(struct eg_cluster_counts));

struct eg_slot_counts {
	struct eg_family_counts ipv4;	/* mapped IPv6 is IPv4 */
	struct eg_family_counts ipv6;
	__u64 refused_before;		/* we allowed, but an earlier program had refused already */
	__u64 not_enforced;		/* verdicts that refused, and audit mode let pass */
	__u64 destinations_missed;	/* verdicts whose destination did not fit the table */
	__u64 destinations_evicted;	/* destinations that left the table to make room */
	__u64 events_suppressed;	/* over the rate limit */
	__u64 events_lost;		/* the ring buffer was full */
	__u64 peers_missed;		/* datagrams of peers that could not be kept, to be answered */
	__u64 nat;			/* connections whose packets go to another address than their peer's */
	__u64 ended_by_policy;		/* connections that were open when a policy came that forbids them, and were ended */
};
EG_STATIC_SIZE(struct eg_slot_counts, 2 * sizeof(struct eg_family_counts) + 72);

/*
 * Gauges of one family's cluster. connections and pending are the halves of one word,
 * so that both limits are checked and both taken in one step.
 */
struct eg_cluster_state {
	__u64 held;	/* connections + (pending << 32) */
	__u32 retries;	/* retries that are connecting */
	__u32 sessions;	/* connected UDP sockets */
	__u32 draining;	/* closed by their processes, still flushing */
	__u32 reserved;
};
EG_STATIC_SIZE(struct eg_cluster_state, 24);

#define EG_HELD_CONNECTION 1ull
#define EG_HELD_PENDING (1ull << 32)

static inline __u32 eg_held_connections(__u64 held)
{
	return (__u32)held;
}

static inline __u32 eg_held_pending(__u64 held)
{
	return (__u32)(held >> 32);
}

/* Working state of the programs. */
struct eg_slot_state {
	__u64 event_window;	/* which second the next field counts in: CLOCK_MONOTONIC / 1 s */
	__u32 event_count;	/* events of that second, refused ones included */
	__u32 destinations;	/* entries of this slot in the destination table */
	__u32 epoch;	/* how many owners the slot has had: leases of an earlier one count no more */
	__u32 peers;	/* entries of this slot in the table of peers */
	struct eg_cluster_state ipv4;
	struct eg_cluster_state ipv6;
};
EG_STATIC_SIZE(struct eg_slot_state, 24 + 2 * sizeof(struct eg_cluster_state));

struct eg_slot {
	struct eg_slot_counts counts;
	struct eg_slot_state state;
};
EG_STATIC_SIZE(struct eg_slot, sizeof(struct eg_slot_counts) + sizeof(struct eg_slot_state));

#endif
