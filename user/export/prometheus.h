/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_PROMETHEUS_H
#define EG_EXPORT_PROMETHEUS_H

/*
 * Statistics as Prometheus reads them, text format 0.0.4: Envoy's families without HELP, as
 * Envoy has them, with a series for each workload, which Prometheus sums; then ours.
 * Totals of workloads that are gone are families of their own (egressd_retired_...): a
 * series must not jump when a workload goes.
 */
#include <stdio.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "export/snapshot.h"
#include "export/stats.h"

#define EG_PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct eg_prometheus;

/* Takes query and snapshot over, and leaves both empty, also when it fails. 0, -E2BIG of the filter, or -ENOMEM. */
int eg_prometheus_new(struct eg_stats_query *query, struct eg_snapshot *snapshot,
		      struct eg_prometheus **ret_prometheus);
struct eg_prometheus *eg_prometheus_free(struct eg_prometheus *prometheus);
EG_DEFINE_CLEANUP(struct eg_prometheus *, eg_prometheus_free)

/* The next bytes, which are made when they are asked for: at most `size`, 0 at the end, or -ENOMEM or -E2BIG. */
ssize_t eg_prometheus_read(struct eg_prometheus *prometheus, char *buffer, size_t size);
/* All that is left. 0, or the same, or -EIO. */
int eg_prometheus_write(struct eg_prometheus *prometheus, FILE *out);

#endif
