/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/envoy.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "export/names.h"

const double eg_histogram_bounds_ms[EG_HISTOGRAM_BUCKETS - 1] = {
	0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000,
};

uint64_t eg_histogram_samples(const struct eg_histogram *histogram)
{
	uint64_t samples = 0;

	for (size_t i = 0; i < EG_HISTOGRAM_BUCKETS; i++)
		samples += histogram->buckets[i];
	return samples;
}

/* The passthrough cluster of one family. */
struct cluster {
	const char *family;
	struct eg_cluster_counts counts;
	struct eg_cluster_gauges gauges;
};

#define FAMILIES 2

static struct cluster cluster_of(const struct eg_totals *totals, size_t family)
{
	if (family == 0)
		return (struct cluster){"ipv4", totals->counts.ipv4.cluster, totals->ipv4};
	return (struct cluster){"ipv6", totals->counts.ipv6.cluster, totals->ipv6};
}

/* ---- what is derived ---- */

static uint64_t connect_fail(const struct cluster *cluster)
{
	return eg_connects_failed(&cluster->counts);
}

/* Attempts that the network or connect_timeout ended. */
static uint64_t attempts_failed(const struct cluster *cluster)
{
	return cluster->counts.connect_failed + cluster->counts.connect_timeout;
}

/* With one attempt for each connection the first that fails is the last; the application that goes away exceeds nothing. */
static uint64_t attempts_exceeded(const struct cluster *cluster)
{
	return attempts_failed(cluster) + cluster->counts.rq_pending_overflow;
}

static uint64_t destroyed_local(const struct cluster *cluster)
{
	return eg_destroyed_local(&cluster->counts);
}

static uint64_t destroyed_remote(const struct cluster *cluster)
{
	return eg_destroyed_remote(&cluster->counts);
}

static uint64_t destroyed(const struct cluster *cluster)
{
	return destroyed_local(cluster) + destroyed_remote(cluster);
}

/* A connection has its request from the moment it is established until it ends. */
static uint64_t destroyed_active(const struct cluster *cluster)
{
	return cluster->counts.closed_local + cluster->counts.closed_remote;
}

static uint64_t connected(const struct cluster *cluster)
{
	return eg_histogram_samples(&cluster->counts.connect_ms);
}

/* Every connect that the passthrough listener would have accepted, whatever became of it. */
static uint64_t accepted(const struct cluster *cluster)
{
	const struct eg_cluster_counts *counts = &cluster->counts;

	/* What audit mode let past a limit is in its overflow and in the total. */
	return counts->cx_total - counts->cx_past_limit + counts->cx_no_route + counts->cx_overflow +
	       counts->rq_pending_overflow + counts->rq_overflow + counts->rq_retry_overflow;
}

/* ---- names ---- */

struct statistic {
	const char *scope;
	const char *name;
	size_t offset; /* of the number in struct cluster, unless it is derived */
	uint64_t (*derive)(const struct cluster *cluster);
};

#define COUNTER(field) offsetof(struct cluster, counts.field), NULL
#define GAUGE(field) offsetof(struct cluster, gauges.field), NULL
#define DERIVED(function) 0, function

/* Sorted as the whole names are: all of cluster.*ipv4, cluster.*ipv6, tcp.*ipv4... */
static const struct statistic statistics[] = {
	{"cluster", "circuit_breakers.default.cx_open", GAUGE(cx_open)},
	{"cluster", "circuit_breakers.default.remaining_cx", GAUGE(remaining_cx)},
	{"cluster", "circuit_breakers.default.remaining_pending", GAUGE(remaining_pending)},
	{"cluster", "circuit_breakers.default.remaining_retries", GAUGE(remaining_retries)},
	{"cluster", "circuit_breakers.default.remaining_rq", GAUGE(remaining_rq)},
	{"cluster", "circuit_breakers.default.rq_open", GAUGE(rq_open)},
	{"cluster", "circuit_breakers.default.rq_pending_open", GAUGE(pending_open)},
	{"cluster", "circuit_breakers.default.rq_retry_open", GAUGE(retry_open)},
	{"cluster", "upstream_cx_active", GAUGE(connections)},
	{"cluster", "upstream_cx_connect_attempts_exceeded", DERIVED(attempts_exceeded)},
	{"cluster", "upstream_cx_connect_fail", DERIVED(connect_fail)},
	{"cluster", "upstream_cx_connect_timeout", COUNTER(connect_timeout)},
	{"cluster", "upstream_cx_destroy", DERIVED(destroyed)},
	{"cluster", "upstream_cx_destroy_local", DERIVED(destroyed_local)},
	{"cluster", "upstream_cx_destroy_local_with_active_rq", COUNTER(closed_local)},
	{"cluster", "upstream_cx_destroy_remote", DERIVED(destroyed_remote)},
	{"cluster", "upstream_cx_destroy_remote_with_active_rq", COUNTER(closed_remote)},
	{"cluster", "upstream_cx_destroy_with_active_rq", DERIVED(destroyed_active)},
	{"cluster", "upstream_cx_overflow", COUNTER(cx_overflow)},
	{"cluster", "upstream_cx_rx_bytes_total", COUNTER(rx_bytes)},
	{"cluster", "upstream_cx_total", COUNTER(cx_total)},
	{"cluster", "upstream_cx_tx_bytes_total", COUNTER(tx_bytes)},
	{"cluster", "upstream_rq_active", GAUGE(established)},
	{"cluster", "upstream_rq_cancelled", COUNTER(connect_cancelled)},
	{"cluster", "upstream_rq_pending_active", GAUGE(pending)},
	{"cluster", "upstream_rq_pending_failure_eject", DERIVED(attempts_failed)},
	{"cluster", "upstream_rq_pending_overflow", COUNTER(rq_pending_overflow)},
	{"cluster", "upstream_rq_pending_total", COUNTER(cx_total)},
	{"cluster", "upstream_rq_retry", COUNTER(rq_retry)},
	{"cluster", "upstream_rq_retry_overflow", COUNTER(rq_retry_overflow)},
	{"cluster", "upstream_rq_total", DERIVED(connected)},
	{"tcp", "downstream_cx_no_route", COUNTER(cx_no_route)},
	{"tcp", "downstream_cx_rx_bytes_total", COUNTER(tx_bytes)},
	{"tcp", "downstream_cx_total", DERIVED(accepted)},
	{"tcp", "downstream_cx_tx_bytes_total", COUNTER(rx_bytes)},
	{"tcp", "idle_timeout", COUNTER(idle_timeout)},
	{"tcp", "max_downstream_connection_duration", COUNTER(max_duration)},
	{"tcp", "upstream_flush_active", GAUGE(draining)},
};

static const struct statistic own_statistics[] = {
	{"egressd", "cx_past_limit", COUNTER(cx_past_limit)},
	{"egressd", "draining", GAUGE(draining)},
	{"egressd", "retries_active", GAUGE(retries)},
	{"egressd", "rq_overflow", COUNTER(rq_overflow)},
	{"egressd", "udp_sessions_active", GAUGE(sessions)},
	{"egressd", "udp_sessions_total", COUNTER(sessions_total)},
	{"egressd", "udp_sessions_overflow", COUNTER(sessions_overflow)},
	{"egressd", "without_event", COUNTER(without_event)},
	{"egressd", "contended", COUNTER(contended)},
};

static const struct histogram {
	const char *name;
	size_t offset; /* of the struct eg_histogram in struct cluster */
} histograms[] = {
	{"upstream_cx_connect_ms", offsetof(struct cluster, counts.connect_ms)},
	{"upstream_cx_length_ms", offsetof(struct cluster, counts.length_ms)},
};

/* ---- visits ---- */

static const void *at(const struct cluster *cluster, size_t offset)
{
	return (const char *)cluster + offset;
}

static uint64_t read_statistic(const struct statistic *statistic, const struct cluster *cluster)
{
	return statistic->derive ? statistic->derive(cluster) : *(const uint64_t *)at(cluster, statistic->offset);
}

static void write_name(const char *scope, const struct cluster *cluster, const char *name,
		       char dotted[EG_STAT_NAME_MAX])
{
	snprintf(dotted, EG_STAT_NAME_MAX, "%s.outbound_passthrough_%s.%s", scope, cluster->family, name);
}

static int visit_cluster(const struct statistic *table, size_t count, const struct cluster *cluster,
			 eg_stat_visitor visit, void *context)
{
	char name[EG_STAT_NAME_MAX];
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		write_name(table[i].scope, cluster, table[i].name, name);
		r = visit(name, read_statistic(&table[i], cluster), context);
	}
	return r;
}

/* How many statistics from here on share the scope of the first. */
static size_t count_scope(const struct statistic *table, size_t count)
{
	size_t i = 1;

	while (i < count && table[i].scope == table[0].scope)
		i++;
	return i;
}

static int visit_table(const struct statistic *table, size_t count, const struct eg_totals *totals,
		       eg_stat_visitor visit, void *context)
{
	int r = 0;

	for (size_t first = 0, len; first < count && r == 0; first += len) {
		len = count_scope(table + first, count - first);
		for (size_t family = 0; family < FAMILIES && r == 0; family++) {
			struct cluster cluster = cluster_of(totals, family);

			r = visit_cluster(table + first, len, &cluster, visit, context);
		}
	}
	return r;
}

int eg_envoy_visit(const struct eg_totals *totals, eg_stat_visitor visit, void *context)
{
	return visit_table(statistics, EG_COUNT_OF(statistics), totals, visit, context);
}

int eg_envoy_visit_histograms(const struct eg_totals *totals, eg_histogram_visitor visit, void *context)
{
	char name[EG_STAT_NAME_MAX];
	int r = 0;

	for (size_t family = 0; family < FAMILIES; family++) {
		struct cluster cluster = cluster_of(totals, family);

		for (size_t i = 0; i < EG_COUNT_OF(histograms) && r == 0; i++) {
			write_name("cluster", &cluster, histograms[i].name, name);
			r = visit(name, at(&cluster, histograms[i].offset), context);
		}
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

int eg_own_clusters_visit(const struct eg_totals *totals, eg_stat_visitor visit, void *context)
{
	return visit_table(own_statistics, EG_COUNT_OF(own_statistics), totals, visit, context);
}

int eg_own_stats_visit(const struct eg_totals *totals, eg_stat_visitor visit, void *context)
{
	const struct {
		const char *name;
		uint64_t value;
	} others[] = {
		{"egressd.refused_before", totals->counts.refused_before},
		{"egressd.not_enforced", totals->counts.not_enforced},
		{"egressd.destinations_missed", totals->counts.destinations_missed},
		{"egressd.events_suppressed", totals->counts.events_suppressed},
		{"egressd.events_lost", totals->counts.events_lost},
	};
	int r = visit_verdicts(&totals->counts, visit, context);

	if (r == 0)
		r = eg_own_clusters_visit(totals, visit, context);
	for (size_t i = 0; i < EG_COUNT_OF(others) && r == 0; i++)
		r = visit(others[i].name, others[i].value, context);
	return r;
}
