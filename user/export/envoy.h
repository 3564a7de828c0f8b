/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_ENVOY_H
#define EG_EXPORT_ENVOY_H

/*
 * What was counted, under the names that Envoy gives it, and under names of ours where it
 * has none: one table, which every format goes through.
 *
 * With Envoy's events as the specification, of a connection that makes one attempt:
 * what Envoy counts twice is one counter here, and what it counts apart is derived.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "egress/stats.h"
#include "export/totals.h"

/* Enough for every dotted name here. */
#define EG_STAT_NAME_MAX 96

enum eg_stat_type {
	EG_STAT_COUNTER,
	EG_STAT_GAUGE,
	EG_STAT_HISTOGRAM,
};

/* How many of a statistic there are. */
enum eg_stat_each {
	EG_EACH_CLUSTER,  /* one for each family's: cluster.outbound_passthrough_ipv4.upstream_cx_total */
	EG_EACH_REASON,   /* one for each reason: egressd.verdicts.mesh */
	EG_EACH_WORKLOAD, /* one: server.live */
};

struct eg_stat {
	const char *scope; /* "cluster", "tcp", "server" are Envoy's, "egressd" is ours */
	const char *name;  /* behind the cluster's: "upstream_cx_total" */
	enum eg_stat_type type;
	enum eg_stat_each each;
	size_t offset;     /* see eg_stat_value() */
	uint64_t (*derive)(const struct eg_cluster_counts *counts); /* what no field holds; else NULL */
	bool is_ms;        /* of ours: "_ms" behind the name, and seconds for Prometheus */
	const char *help;  /* of ours; Envoy says nothing of its own */
};

/* The table: Envoy's counters, gauges and histograms, then ours. */
const struct eg_stat *eg_stats(size_t *ret_count);
bool eg_stat_is_ours(const struct eg_stat *stat);
/* How many there are of it; the indexes of the following run from 0. */
size_t eg_stat_count(const struct eg_stat *stat);
/* "outbound_passthrough_ipv4", of what each cluster has. */
const char *eg_stat_cluster(size_t index);
void eg_stat_name(const struct eg_stat *stat, size_t index, char dotted[EG_STAT_NAME_MAX]);
/* Of a counter or gauge. */
uint64_t eg_stat_value(const struct eg_stat *stat, const struct eg_totals *totals, size_t index);
const struct eg_histogram *eg_stat_histogram(const struct eg_stat *stat, const struct eg_totals *totals, size_t index);
/*
 * As Envoy says it: a counter that has counted, a histogram with samples, a gauge that
 * was ever set. Those of a cluster are set with its first connection.
 */
bool eg_stat_is_used(const struct eg_stat *stat, const struct eg_totals *totals, size_t index);

/* One line of a listing. */
struct eg_stat_line {
	const struct eg_stat *stat;
	size_t index;
	char name[EG_STAT_NAME_MAX];
};

struct eg_stat_lines {
	EG_ARRAY(struct eg_stat_line) list;
};

static inline void eg_stat_lines_clear(struct eg_stat_lines *lines)
{
	eg_array_clear(&lines->list);
}

/* All there are, in byte order of their names. 0, or -ENOMEM. */
int eg_stat_list(struct eg_stat_lines *ret_lines);

/* The upper ends of the buckets but for the last, in ms. */
extern const double eg_histogram_bounds_ms[EG_HISTOGRAM_BUCKETS - 1];
/* Of all buckets. */
uint64_t eg_histogram_samples(const struct eg_histogram *histogram);
/*
 * Below which value, in ms, this part (0 to 1) of the samples is: between the bounds of
 * a bucket they are taken as evenly spread, and beyond the last as on it. NaN without
 * samples.
 */
double eg_histogram_quantile_ms(const struct eg_histogram *histogram, double part);

#endif
