/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_ENVOY_H
#define EG_EXPORT_ENVOY_H

/* What was counted, under the names that Envoy gives it. */
#include <stddef.h>
#include <stdint.h>

#include "egress/stats.h"

/* Enough for every dotted name here. */
#define EG_STAT_NAME_MAX 96

/* Called for each statistic, in byte order of the names. */
typedef int (*eg_stat_visitor)(const char *dotted_name, uint64_t value, void *context);

/* Visits all that this build counts, zeros too. Ends with the first result that is not 0 and returns it. */
int eg_envoy_visit(const struct eg_slot_counts *counts, eg_stat_visitor visit, void *context);

/* The same, in the order of the contract, for what Envoy has no name for: egressd.verdicts.REASON, egressd.events_lost... */
int eg_own_stats_visit(const struct eg_slot_counts *counts, eg_stat_visitor visit, void *context);

#endif
