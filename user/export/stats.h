/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_STATS_H
#define EG_EXPORT_STATS_H

/* The language of Envoy's /stats: what is asked for, and the answer as text and as JSON. */
#include <stdbool.h>
#include <stdio.h>

#include "export/envoy.h"
#include "export/filter.h"
#include "export/snapshot.h"

enum eg_stats_format {
	EG_STATS_TEXT,
	EG_STATS_JSON,
	EG_STATS_PROMETHEUS,
	EG_STATS_LISTING, /* JSON of ours: histograms beside `stats`, as in a report; no query asks for it */
};

/* How histograms are shown, but for Prometheus. */
enum eg_stats_buckets {
	EG_BUCKETS_NONE, /* quantiles */
	EG_BUCKETS_CUMULATIVE,
	EG_BUCKETS_DISJOINT,
};

/* A zeroed one asks for everything as text. */
struct eg_stats_query {
	enum eg_stats_format format;
	unsigned int types; /* bits of enum eg_stat_type; 0: all, unless none */
	bool none;          /* type=TextReadouts: there are none here */
	enum eg_stats_buckets buckets;
	bool used_only;
	struct eg_filter *filter; /* owned; NULL: all */
	char *workload;           /* owned; NULL: all */
};

#define EG_STATS_PROBLEM_MAX 256

/*
 * Takes one parameter of the query; `value` is NULL where it has none. 0, -ENOMEM, or
 * -EINVAL with what to answer in `problem`, in Envoy's words where Envoy refuses it too.
 */
int eg_stats_query_set(struct eg_stats_query *query, const char *name, const char *value,
		       char problem[EG_STATS_PROBLEM_MAX]);
void eg_stats_query_clear(struct eg_stats_query *query);

/* Whether statistics of this type are asked for, and whether this one is: 1 or 0, or -E2BIG of the filter. */
bool eg_stats_wants_type(const struct eg_stats_query *query, enum eg_stat_type type);
int eg_stats_wants(const struct eg_stats_query *query, enum eg_stat_type type, const char *dotted_name);

/* One statistic of the node's: egressd.policy_generation. */
struct eg_node_stat {
	const char *name; /* behind "egressd.", without its unit */
	enum eg_stat_type type;
	bool is_ns;       /* nanoseconds */
	size_t offset;    /* in struct eg_snapshot, 64 bits */
	size_t condition; /* offset of a word that is 0 where it is not known */
	const char *help;
};

const struct eg_node_stat *eg_node_stats(size_t *ret_count);
bool eg_node_stat_is_known(const struct eg_node_stat *stat, const struct eg_snapshot *snapshot);
uint64_t eg_node_stat_value(const struct eg_node_stat *stat, const struct eg_snapshot *snapshot);

/*
 * Writes the answer in Envoy's text form or JSON, sorted. Counters are shown from
 * `baseline` on, an earlier snapshot of the node, NULL for the beginning; histograms are
 * whole, as Envoy's are after a reset. A workload that is seen to have begun anew since
 * has no baseline from then on. 0, -E2BIG of the filter, -ENOMEM or -EIO.
 */
int eg_stats_write(const struct eg_stats_query *query, const struct eg_snapshot *snapshot,
		   struct eg_snapshot *baseline, FILE *out);

#endif
