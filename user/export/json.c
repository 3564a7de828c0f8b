/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/json.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "export/envoy.h"
#include "export/names.h"

#define NSEC_PER_SEC 1000000000ll
#define NSEC_PER_MSEC 1e6

const char *eg_time_format(uint64_t monotonic_ns, char buffer[EG_TIME_TEXT_MAX])
{
	struct timespec wall, monotonic;
	struct tm utc;
	char day[32];
	int64_t ns;
	time_t seconds;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	ns = (int64_t)monotonic_ns + (wall.tv_sec - monotonic.tv_sec) * NSEC_PER_SEC + wall.tv_nsec - monotonic.tv_nsec;
	seconds = ns / NSEC_PER_SEC;
	gmtime_r(&seconds, &utc);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(buffer, EG_TIME_TEXT_MAX, "%.30s.%03dZ", day, (int)(ns % NSEC_PER_SEC / 1000000));
	return buffer;
}

static json_t *format_time(uint64_t monotonic_ns)
{
	char text[EG_TIME_TEXT_MAX];

	return json_string(eg_time_format(monotonic_ns, text));
}

json_t *eg_json_text(const char *bytes, size_t len)
{
	json_t *text = json_stringn(bytes, len);

	return text ? text : json_string("(not UTF-8)");
}

json_t *eg_json_string(const char *string)
{
	return eg_json_text(string, strlen(string));
}

json_t *eg_json_destination(const struct eg_destination *destination)
{
	const struct eg_flow *flow = &destination->key.flow;
	char address[EG_ADDR_TEXT_MAX], protocol[12];

	return json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:o, s:o, s:o}", "direction",
			 eg_direction_name(destination->key.reason), "address",
			 eg_addr_format(flow->family, &flow->addr, address), "port", (int)flow->port, "protocol",
			 eg_protocol_name(flow->protocol, protocol), "family", eg_family_name(flow->family), "verdict",
			 eg_verdict_name(destination->key.verdict), "reason", eg_reason_name(destination->key.reason),
			 "enforced", destination->key.verdict != EG_VERDICT_AUDITED, "count", (json_int_t)destination->seen.count, "pid",
			 (json_int_t)destination->seen.pid, "uid", (json_int_t)destination->seen.uid, "comm",
			 eg_json_text(destination->seen.comm, strnlen(destination->seen.comm, EG_COMM_LEN)), "first_seen",
			 format_time(destination->seen.first_seen_ns), "last_seen",
			 format_time(destination->seen.last_seen_ns));
}

static json_t *milliseconds(uint64_t since_ns, uint64_t now_ns)
{
	return since_ns ? json_integer((json_int_t)(eg_seconds_between(since_ns, now_ns) * 1e3)) : json_null();
}

/* Payload of UDP is not counted. */
static json_t *payload(const struct eg_held_socket *socket, uint64_t bytes)
{
	return socket->protocol == IPPROTO_TCP ? json_integer((json_int_t)bytes) : json_null();
}

json_t *eg_json_flow(const struct eg_held_socket *socket, const char *workload)
{
	const uint64_t now = eg_now_ns();
	const struct eg_flow ends = eg_held_ends(socket);
	const bool is_incoming = eg_reason_is_incoming(socket->reason);
	char local[EG_ADDR_TEXT_MAX], remote[EG_ADDR_TEXT_MAX], protocol[12];

	return json_pack("{s:o, s:s, s:s, s:s, s:b, s:s, s:s, s:i, s:s, s:s, s:s, s:i, s:o*, s:o, s:o, s:o, s:o, s:I, s:o, s:I, s:I, s:b}",
			 "workload", eg_json_text(workload, strlen(workload)), "direction",
			 eg_direction_name(socket->reason), "verdict", eg_verdict_name(socket->verdict), "reason", eg_reason_name(socket->reason), "enforced",
			 socket->verdict != EG_VERDICT_AUDITED, "state",
			 eg_held_state_name(socket), "address",
			 eg_addr_format(socket->family, &socket->remote, remote), "port", (int)ends.port,
			 "protocol", eg_protocol_name(socket->protocol, protocol), "family",
			 eg_family_name(socket->family), "local_address",
			 eg_addr_format(socket->family, &socket->local, local), "local_port", (int)socket->local_port,
			 "client_port", is_incoming ? json_integer(socket->remote_port) : NULL, "age_ms", milliseconds(socket->opened_ns, now), "idle_ms",
			 milliseconds(socket->active_ns, now), "rx_bytes", payload(socket, socket->rx_bytes), "tx_bytes",
			 payload(socket, socket->tx_bytes), "pid", (json_int_t)socket->pid, "comm",
			 eg_json_text(socket->comm, strnlen(socket->comm, EG_COMM_LEN)), "netns",
			 (json_int_t)socket->netns, "cookie", (json_int_t)socket->cookie, "kept",
			 socket->fate == EG_FATE_KEPT);
}

json_t *eg_json_event(const struct eg_event *event, const char *workload)
{
	const struct eg_flow *flow = &event->flow;
	char address[EG_ADDR_TEXT_MAX], protocol[12];

	return json_pack("{s:o, s:o*, s:i, s:s, s:s, s:s, s:b, s:s, s:i, s:s, s:s, s:o, s:I, s:I}", "time",
			 format_time(event->time_ns), "workload", workload ? eg_json_string(workload) : NULL, "slot",
			 (int)event->slot, "direction", eg_direction_name(event->reason), "verdict", eg_verdict_name(event->verdict), "reason", eg_reason_name(event->reason), "enforced",
			 event->verdict != EG_VERDICT_AUDITED, "address",
			 eg_addr_format(flow->family, &flow->addr, address), "port", (int)flow->port, "protocol",
			 eg_protocol_name(flow->protocol, protocol), "family", eg_family_name(flow->family), "comm",
			 eg_json_text(event->comm, strnlen(event->comm, EG_COMM_LEN)), "pid", (json_int_t)event->pid,
			 "uid", (json_int_t)event->uid);
}

json_t *eg_json_histogram(const struct eg_histogram *histogram)
{
	json_t *buckets = json_array();
	uint64_t below = 0;

	for (size_t i = 0; i < EG_HISTOGRAM_BUCKETS - 1 && buckets; i++) {
		below += histogram->buckets[i];
		if (json_array_append_new(buckets, json_pack("{s:f, s:I}", "upper_bound", eg_histogram_bounds_ms[i],
							     "cumulative", (json_int_t)below)) < 0) {
			json_decref(buckets);
			buckets = NULL;
		}
	}
	return json_pack("{s:I, s:f, s:o}", "count", (json_int_t)eg_histogram_samples(histogram), "sum_ms",
			 (double)histogram->sum_ns / NSEC_PER_MSEC, "buckets", buckets);
}

json_t *eg_json_histograms(const struct eg_totals *totals)
{
	_cleanup_(eg_stat_lines_clear) struct eg_stat_lines lines = {};
	json_t *histograms = json_object();
	int r = histograms ? eg_stat_list(&lines) : -ENOMEM;

	for (size_t i = 0; i < lines.list.len && r == 0; i++) {
		const struct eg_stat_line *line = &lines.list.items[i];

		if (line->stat->type == EG_STAT_HISTOGRAM)
			r = json_object_set_new(histograms, line->name,
						eg_json_histogram(eg_stat_histogram(line->stat, totals, line->index)));
	}
	if (r == 0)
		return histograms;
	json_decref(histograms);
	return NULL;
}
