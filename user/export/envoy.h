/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_ENVOY_H
#define EG_EXPORT_ENVOY_H

/* What was counted, under the names that Envoy gives it. */
#include <stddef.h>
#include <stdint.h>

#include "egress/stats.h"
#include "export/totals.h"

/* Enough for every dotted name here. */
#define EG_STAT_NAME_MAX 96

/* Called for each statistic, in byte order of the names. */
typedef int (*eg_stat_visitor)(const char *dotted_name, uint64_t value, void *context);
typedef int (*eg_histogram_visitor)(const char *dotted_name, const struct eg_histogram *histogram, void *context);

/*
 * Visits the counters and gauges that this build has, zeros too. Ends with the first
 * result that is not 0 and returns it.
 *
 * With Envoy's events as the specification, of a connection that makes one attempt:
 * what Envoy counts twice is one counter here, and what it counts apart is derived.
 */
int eg_envoy_visit(const struct eg_totals *totals, eg_stat_visitor visit, void *context);

/* The same for the histograms, which Envoy lists after all others. */
int eg_envoy_visit_histograms(const struct eg_totals *totals, eg_histogram_visitor visit, void *context);

/* The same for what a cluster has and Envoy has no name for: egressd.outbound_passthrough_ipv4.draining... In no order. */
int eg_own_clusters_visit(const struct eg_totals *totals, eg_stat_visitor visit, void *context);

/* Those, and all else of our own: egressd.verdicts.REASON, egressd.events_lost... */
int eg_own_stats_visit(const struct eg_totals *totals, eg_stat_visitor visit, void *context);

/* The upper ends of the buckets but for the last, in ms. */
extern const double eg_histogram_bounds_ms[EG_HISTOGRAM_BUCKETS - 1];
/* Of all buckets. */
uint64_t eg_histogram_samples(const struct eg_histogram *histogram);

#endif
