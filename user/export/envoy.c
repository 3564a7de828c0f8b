/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/envoy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "export/names.h"

/* ---- histograms ---- */

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

double eg_histogram_quantile_ms(const struct eg_histogram *histogram, double part)
{
	double wanted = part * (double)eg_histogram_samples(histogram), below = 0;
	double lower = 0, reached = NAN;

	for (size_t i = 0; i < EG_HISTOGRAM_BUCKETS; i++) {
		double samples = (double)histogram->buckets[i];
		double upper = i < EG_COUNT_OF(eg_histogram_bounds_ms) ? eg_histogram_bounds_ms[i] : lower;

		if (samples > 0 && below + samples >= wanted)
			return lower + (upper - lower) * (wanted - below) / samples;
		if (samples > 0)
			reached = upper;
		below += samples;
		lower = upper;
	}
	return reached;
}

/* ---- what is derived ---- */

static uint64_t connect_fail(const struct eg_cluster_counts *counts)
{
	return eg_connects_failed(counts);
}

/* Attempts that the network or connect_timeout ended. */
static uint64_t attempts_failed(const struct eg_cluster_counts *counts)
{
	return counts->connect_failed + counts->connect_timeout;
}

/* With one attempt for each connection the first that fails is the last; the application that goes away exceeds nothing. */
static uint64_t attempts_exceeded(const struct eg_cluster_counts *counts)
{
	return attempts_failed(counts) + counts->rq_pending_overflow;
}

static uint64_t destroyed_local(const struct eg_cluster_counts *counts)
{
	return eg_destroyed_local(counts);
}

static uint64_t destroyed_remote(const struct eg_cluster_counts *counts)
{
	return eg_destroyed_remote(counts);
}

static uint64_t destroyed(const struct eg_cluster_counts *counts)
{
	return destroyed_local(counts) + destroyed_remote(counts);
}

/* A connection has its request from the moment it is established until it ends. */
static uint64_t destroyed_active(const struct eg_cluster_counts *counts)
{
	return counts->closed_local + counts->closed_remote;
}

static uint64_t connected(const struct eg_cluster_counts *counts)
{
	return eg_histogram_samples(&counts->connect_ms);
}

/* Every connect that the passthrough listener would have accepted, whatever became of it. */
static uint64_t accepted(const struct eg_cluster_counts *counts)
{
	/* What audit mode let past a limit is in its overflow and in the total. */
	return counts->cx_total - counts->cx_past_limit + counts->cx_no_route + counts->cx_overflow +
	       counts->rq_pending_overflow + counts->rq_overflow + counts->rq_retry_overflow;
}

/* ---- the table ---- */

#define COUNTER(field) EG_STAT_COUNTER, EG_EACH_CLUSTER, offsetof(struct eg_cluster_counts, field), NULL, false
#define DERIVED(function) EG_STAT_COUNTER, EG_EACH_CLUSTER, 0, function, false
#define GAUGE(field) EG_STAT_GAUGE, EG_EACH_CLUSTER, offsetof(struct eg_cluster_gauges, field), NULL, false
#define HISTOGRAM(field) EG_STAT_HISTOGRAM, EG_EACH_CLUSTER, offsetof(struct eg_cluster_counts, field), NULL, false
#define MS_OF_WORKLOAD(field) EG_STAT_GAUGE, EG_EACH_WORKLOAD, offsetof(struct eg_totals, field), NULL, true
#define OF_WORKLOAD(type, field) EG_STAT_##type, EG_EACH_WORKLOAD, offsetof(struct eg_totals, field), NULL, false

static const struct eg_stat stats[] = {
	{"cluster", "upstream_cx_connect_attempts_exceeded", DERIVED(attempts_exceeded), NULL},
	{"cluster", "upstream_cx_connect_fail", DERIVED(connect_fail), NULL},
	{"cluster", "upstream_cx_connect_timeout", COUNTER(connect_timeout), NULL},
	{"cluster", "upstream_cx_destroy", DERIVED(destroyed), NULL},
	{"cluster", "upstream_cx_destroy_local", DERIVED(destroyed_local), NULL},
	{"cluster", "upstream_cx_destroy_local_with_active_rq", COUNTER(closed_local), NULL},
	{"cluster", "upstream_cx_destroy_remote", DERIVED(destroyed_remote), NULL},
	{"cluster", "upstream_cx_destroy_remote_with_active_rq", COUNTER(closed_remote), NULL},
	{"cluster", "upstream_cx_destroy_with_active_rq", DERIVED(destroyed_active), NULL},
	{"cluster", "upstream_cx_overflow", COUNTER(cx_overflow), NULL},
	{"cluster", "upstream_cx_rx_bytes_total", COUNTER(rx_bytes), NULL},
	{"cluster", "upstream_cx_total", COUNTER(cx_total), NULL},
	{"cluster", "upstream_cx_tx_bytes_total", COUNTER(tx_bytes), NULL},
	{"cluster", "upstream_rq_cancelled", COUNTER(connect_cancelled), NULL},
	{"cluster", "upstream_rq_pending_failure_eject", DERIVED(attempts_failed), NULL},
	{"cluster", "upstream_rq_pending_overflow", COUNTER(rq_pending_overflow), NULL},
	{"cluster", "upstream_rq_pending_total", COUNTER(cx_total), NULL},
	{"cluster", "upstream_rq_retry", COUNTER(rq_retry), NULL},
	{"cluster", "upstream_rq_retry_overflow", COUNTER(rq_retry_overflow), NULL},
	{"cluster", "upstream_rq_total", DERIVED(connected), NULL},
	{"tcp", "downstream_cx_no_route", COUNTER(cx_no_route), NULL},
	{"tcp", "downstream_cx_rx_bytes_total", COUNTER(tx_bytes), NULL},
	{"tcp", "downstream_cx_total", DERIVED(accepted), NULL},
	{"tcp", "downstream_cx_tx_bytes_total", COUNTER(rx_bytes), NULL},
	{"tcp", "idle_timeout", COUNTER(idle_timeout), NULL},
	{"tcp", "max_downstream_connection_duration", COUNTER(max_duration), NULL},
	{"cluster", "circuit_breakers.default.cx_open", GAUGE(cx_open), NULL},
	{"cluster", "circuit_breakers.default.remaining_cx", GAUGE(remaining_cx), NULL},
	{"cluster", "circuit_breakers.default.remaining_pending", GAUGE(remaining_pending), NULL},
	{"cluster", "circuit_breakers.default.remaining_retries", GAUGE(remaining_retries), NULL},
	{"cluster", "circuit_breakers.default.remaining_rq", GAUGE(remaining_rq), NULL},
	{"cluster", "circuit_breakers.default.rq_open", GAUGE(rq_open), NULL},
	{"cluster", "circuit_breakers.default.rq_pending_open", GAUGE(pending_open), NULL},
	{"cluster", "circuit_breakers.default.rq_retry_open", GAUGE(retry_open), NULL},
	{"cluster", "upstream_cx_active", GAUGE(connections), NULL},
	{"cluster", "upstream_rq_active", GAUGE(established), NULL},
	{"cluster", "upstream_rq_pending_active", GAUGE(pending), NULL},
	{"server", "live", OF_WORKLOAD(GAUGE, live), NULL},
	{"server", "uptime", OF_WORKLOAD(GAUGE, uptime_s), NULL},
	{"tcp", "upstream_flush_active", GAUGE(draining), NULL},
	{"cluster", "upstream_cx_connect_ms", HISTOGRAM(connect_ms), NULL},
	{"cluster", "upstream_cx_length_ms", HISTOGRAM(length_ms), NULL},

	{"egressd", "verdicts", EG_STAT_COUNTER, EG_EACH_REASON, 0, NULL, false,
	 "Verdicts on connects, and on datagrams of unconnected sockets, by reason."},
	{"egressd", "refused_before", OF_WORKLOAD(COUNTER, counts.refused_before),
	 "Connects that were allowed here, after a program before ours had refused them."},
	{"egressd", "not_enforced", OF_WORKLOAD(COUNTER, counts.not_enforced),
	 "Verdicts that refused, and that audit mode let pass."},
	{"egressd", "destinations_missed", OF_WORKLOAD(COUNTER, counts.destinations_missed),
	 "Verdicts whose destination did not fit into the table of destinations."},
	{"egressd", "destinations_evicted", OF_WORKLOAD(COUNTER, counts.destinations_evicted),
	 "Destinations that left the table of destinations to make room."},
	{"egressd", "events_suppressed", OF_WORKLOAD(COUNTER, counts.events_suppressed),
	 "Events of refusals that were over the rate limit."},
	{"egressd", "events_lost", OF_WORKLOAD(COUNTER, counts.events_lost),
	 "Events of refusals for which the ring buffer was full."},
	{"egressd", "peers_missed", OF_WORKLOAD(COUNTER, counts.peers_missed),
	 "Datagrams of peers that could not be kept, to be answered while not everything may leave."},
	{"egressd", "nat", OF_WORKLOAD(COUNTER, counts.nat),
	 "Connections whose packets go to another address than their peer's, by NAT of the host, while not everything may leave."},
	{"egressd", "ended_by_policy", OF_WORKLOAD(COUNTER, counts.ended_by_policy),
	 "Connections that were open when a policy came that forbids them, and were ended."},
	{"egressd", "enrolment_window", MS_OF_WORKLOAD(window_ms),
	 "How long processes may have been judged by nobody: the age of the cgroup when it was enforced, 0 if it was empty."},
	{"egressd", "cx_past_limit", COUNTER(cx_past_limit),
	 "Connects that a limit would have refused, and that audit mode let pass."},
	{"egressd", "rq_overflow", COUNTER(rq_overflow), "Connects that max_requests refused, where a policy wrote it."},
	{"egressd", "udp_sessions_total", COUNTER(sessions_total), "Connected UDP sockets that were admitted."},
	{"egressd", "udp_sessions_overflow", COUNTER(sessions_overflow),
	 "Connected UDP sockets that max_connections refused."},
	{"egressd", "without_event", COUNTER(without_event),
	 "Leases that the next connect, the release or the sweep ended, since no event came."},
	{"egressd", "contended", COUNTER(contended),
	 "Connects refused because too many processors changed the same gauges at once."},
	{"egressd", "draining", GAUGE(draining), "Connections closed by their processes that are still flushing."},
	{"egressd", "retries_active", GAUGE(retries), "Retries that are connecting."},
	{"egressd", "udp_sessions_active", GAUGE(sessions), "Connected UDP sockets that hold a place."},
};

const struct eg_stat *eg_stats(size_t *ret_count)
{
	*ret_count = EG_COUNT_OF(stats);
	return stats;
}

bool eg_stat_is_ours(const struct eg_stat *stat)
{
	return stat->help != NULL;
}

/* ---- one of them ---- */

static const char *const clusters[] = {"outbound_passthrough_ipv4", "outbound_passthrough_ipv6"};

size_t eg_stat_count(const struct eg_stat *stat)
{
	switch (stat->each) {
	case EG_EACH_CLUSTER:
		return EG_COUNT_OF(clusters);
	case EG_EACH_REASON:
		return EG_REASON_COUNT;
	default:
		return 1;
	}
}

const char *eg_stat_cluster(size_t index)
{
	return clusters[index];
}

void eg_stat_name(const struct eg_stat *stat, size_t index, char dotted[EG_STAT_NAME_MAX])
{
	switch (stat->each) {
	case EG_EACH_CLUSTER:
		snprintf(dotted, EG_STAT_NAME_MAX, "%s.%s.%s", stat->scope, clusters[index], stat->name);
		return;
	case EG_EACH_REASON:
		snprintf(dotted, EG_STAT_NAME_MAX, "%s.%s.%s", stat->scope, stat->name,
			 eg_reason_name((unsigned int)index));
		return;
	case EG_EACH_WORKLOAD:
		snprintf(dotted, EG_STAT_NAME_MAX, "%s.%s%s", stat->scope, stat->name, stat->is_ms ? "_ms" : "");
		return;
	}
}

static const struct eg_cluster_counts *counts_of(const struct eg_totals *totals, size_t index)
{
	return index == 0 ? &totals->counts.ipv4.cluster : &totals->counts.ipv6.cluster;
}

static const struct eg_cluster_gauges *gauges_of(const struct eg_totals *totals, size_t index)
{
	return index == 0 ? &totals->ipv4 : &totals->ipv6;
}

/* Where the field is that the offset of a row means. */
static const void *field_of(const struct eg_stat *stat, const struct eg_totals *totals, size_t index)
{
	const void *of = totals;

	if (stat->each == EG_EACH_CLUSTER)
		of = stat->type == EG_STAT_GAUGE ? (const void *)gauges_of(totals, index) : counts_of(totals, index);
	return (const char *)of + stat->offset;
}

uint64_t eg_stat_value(const struct eg_stat *stat, const struct eg_totals *totals, size_t index)
{
	if (stat->each == EG_EACH_REASON)
		return eg_reason_count(&totals->counts, (enum eg_reason)index);
	return stat->derive ? stat->derive(counts_of(totals, index)) : *(const uint64_t *)field_of(stat, totals, index);
}

const struct eg_histogram *eg_stat_histogram(const struct eg_stat *stat, const struct eg_totals *totals, size_t index)
{
	return field_of(stat, totals, index);
}

bool eg_stat_is_used(const struct eg_stat *stat, const struct eg_totals *totals, size_t index)
{
	if (stat->type == EG_STAT_HISTOGRAM)
		return eg_histogram_samples(eg_stat_histogram(stat, totals, index)) > 0;
	if (stat->type == EG_STAT_GAUGE && stat->each == EG_EACH_CLUSTER && counts_of(totals, index)->cx_total > 0)
		return true;
	return eg_stat_value(stat, totals, index) > 0;
}

/* ---- all of them ---- */

static int compare_lines(const void *a, const void *b)
{
	return strcmp(((const struct eg_stat_line *)a)->name, ((const struct eg_stat_line *)b)->name);
}

int eg_stat_list(struct eg_stat_lines *ret_lines)
{
	_cleanup_(eg_stat_lines_clear) struct eg_stat_lines lines = {};
	int r = 0;

	for (size_t i = 0; i < EG_COUNT_OF(stats); i++) {
		for (size_t index = 0; index < eg_stat_count(&stats[i]) && r == 0; index++) {
			struct eg_stat_line line = {&stats[i], index, ""};

			eg_stat_name(&stats[i], index, line.name);
			r = eg_array_push(&lines.list, line);
		}
	}
	if (r < 0)
		return r;
	qsort(lines.list.items, lines.list.len, sizeof(lines.list.items[0]), compare_lines);
	*ret_lines = lines;
	lines = (struct eg_stat_lines){};
	return 0;
}
