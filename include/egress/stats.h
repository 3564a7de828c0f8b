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

/*
 * The passthrough cluster of one family: non-mesh and matched TCP only, since
 * that is what Envoy's cluster of this name holds.
 */
struct eg_cluster_counts {
	__u64 cx_total;		/* connects admitted: upstream_cx_total */
	__u64 cx_no_route;	/* connects refused because passthrough is false: downstream_cx_no_route */
};
EG_STATIC_SIZE(struct eg_cluster_counts, 16);

struct eg_family_counts {
	struct eg_reason_counts verdicts;	/* all protocols, one a hook run */
	struct eg_cluster_counts cluster;
};
EG_STATIC_SIZE(struct eg_family_counts, 8 * EG_REASON_COUNT + 16);

struct eg_slot_counts {
	struct eg_family_counts ipv4;	/* mapped IPv6 is IPv4 */
	struct eg_family_counts ipv6;
	__u64 refused_before;		/* we allowed, but an earlier program had refused already */
	__u64 destinations_missed;	/* verdicts whose destination did not fit the table */
	__u64 events_suppressed;	/* over the rate limit */
	__u64 events_lost;		/* the ring buffer was full */
};
EG_STATIC_SIZE(struct eg_slot_counts, 2 * (8 * EG_REASON_COUNT + 16) + 32);

/* Working state of the programs. */
struct eg_slot_state {
	__u64 event_window;	/* which second the next field counts in: CLOCK_MONOTONIC / 1 s */
	__u32 event_count;	/* events of that second, refused ones included */
	__u32 destinations;	/* entries of this slot in the destination table */
};
EG_STATIC_SIZE(struct eg_slot_state, 16);

struct eg_slot {
	struct eg_slot_counts counts;
	struct eg_slot_state state;
};
EG_STATIC_SIZE(struct eg_slot, 2 * (8 * EG_REASON_COUNT + 16) + 48);

#endif
