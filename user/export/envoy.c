/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/envoy.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "export/names.h"

static uint64_t cx_total(const struct eg_cluster_counts *cluster)
{
	return cluster->cx_total;
}

static uint64_t cx_no_route(const struct eg_cluster_counts *cluster)
{
	return cluster->cx_no_route;
}

/* Every connect that the passthrough listener would have accepted, whatever became of it. */
static uint64_t cx_all(const struct eg_cluster_counts *cluster)
{
	return cluster->cx_total + cluster->cx_no_route;
}

/* Sorted as the whole names are: all of cluster.*ipv4, cluster.*ipv6, tcp.*ipv4... */
static const struct statistic {
	const char *scope;
	const char *name;
	uint64_t (*read)(const struct eg_cluster_counts *cluster);
} statistics[] = {
	{"cluster", "upstream_cx_total", cx_total},
	{"tcp", "downstream_cx_no_route", cx_no_route},
	{"tcp", "downstream_cx_total", cx_all},
};

static int visit_statistic(const struct statistic *statistic, const char *family,
			   const struct eg_cluster_counts *cluster, eg_stat_visitor visit, void *context)
{
	char name[EG_STAT_NAME_MAX];

	snprintf(name, sizeof(name), "%s.outbound_passthrough_%s.%s", statistic->scope, family, statistic->name);
	return visit(name, statistic->read(cluster), context);
}

/* The end of the run of statistics that share a scope. */
static size_t end_of_scope(size_t first)
{
	size_t i = first;

	while (i < EG_COUNT_OF(statistics) && statistics[i].scope == statistics[first].scope)
		i++;
	return i;
}

int eg_envoy_visit(const struct eg_slot_counts *counts, eg_stat_visitor visit, void *context)
{
	const struct {
		const char *name;
		const struct eg_cluster_counts *cluster;
	} families[] = {
		{"ipv4", &counts->ipv4.cluster},
		{"ipv6", &counts->ipv6.cluster},
	};
	int r = 0;

	for (size_t first = 0, end; first < EG_COUNT_OF(statistics); first = end) {
		end = end_of_scope(first);
		for (size_t family = 0; family < EG_COUNT_OF(families); family++)
			for (size_t i = first; i < end && r == 0; i++)
				r = visit_statistic(&statistics[i], families[family].name, families[family].cluster,
						    visit, context);
	}
	return r;
}

static int visit_verdicts(const struct eg_slot_counts *counts, eg_stat_visitor visit, void *context)
{
	int r = 0;

	for (enum eg_reason reason = 0; reason < EG_REASON_COUNT && r == 0; reason++) {
		char name[EG_STAT_NAME_MAX];

		snprintf(name, sizeof(name), "egressd.verdicts.%s", eg_reason_name(reason));
		r = visit(name, eg_reason_count(counts, reason), context);
	}
	return r;
}

int eg_own_stats_visit(const struct eg_slot_counts *counts, eg_stat_visitor visit, void *context)
{
	const struct {
		const char *name;
		uint64_t value;
	} others[] = {
		{"egressd.refused_before", counts->refused_before},
		{"egressd.destinations_missed", counts->destinations_missed},
		{"egressd.events_suppressed", counts->events_suppressed},
		{"egressd.events_lost", counts->events_lost},
	};
	int r = visit_verdicts(counts, visit, context);

	for (size_t i = 0; i < EG_COUNT_OF(others) && r == 0; i++)
		r = visit(others[i].name, others[i].value, context);
	return r;
}
