/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_TOTALS_H
#define EG_EXPORT_TOTALS_H

/* What a slot has counted and holds now, or many slots together. */
#include <stdint.h>

#include "datapath/maps.h"
#include "egress/maps.h"
#include "egress/stats.h"

/* The circuit breaker of one family, as Envoy's gauges show it. */
struct eg_cluster_gauges {
	uint64_t connections; /* pending and established */
	uint64_t pending;
	uint64_t established;
	uint64_t retries;
	uint64_t sessions;
	uint64_t draining;
	/* 1 at the limit, 0 below it; of many slots, whether one of them is at its own */
	uint64_t cx_open;
	uint64_t pending_open;
	uint64_t rq_open;
	uint64_t retry_open;
	/* up to the limit; of many slots, what all of them together may take yet */
	uint64_t remaining_cx;
	uint64_t remaining_pending;
	uint64_t remaining_rq;
	uint64_t remaining_retries;
};

struct eg_totals {
	struct eg_slot_counts counts;
	struct eg_cluster_gauges ipv4;
	struct eg_cluster_gauges ipv6;
	uint64_t live;     /* 1 while it is enrolled; of many slots, whether one of them is */
	uint64_t uptime_s; /* since it was enrolled; of many slots, of the one that is longest */
	uint64_t window_ms; /* how old its cgroup was when it was enforced, 0: empty; of many slots, of the oldest */
};

/* Adds one slot under its policy; one without EG_WORKLOAD_PRESENT has no limits: none is reached and nothing remains. */
void eg_totals_add(struct eg_totals *totals, const struct eg_slot *slot, const struct eg_workload_policy *policy);
/* Adds what stands in a sum already. */
void eg_totals_merge(struct eg_totals *sum, const struct eg_totals *totals);
/* The same, as the maps have it now. 0, or -errno: -ENOENT for a slot that the maps do not have. */
int eg_totals_add_slot(struct eg_totals *totals, const struct eg_maps *maps, uint32_t slot);

#endif
