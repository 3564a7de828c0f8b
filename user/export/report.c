/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/report.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "export/envoy.h"
#include "export/names.h"

#define NSEC_PER_SEC 1000000000ull

static int add_number(const char *name, uint64_t value, void *context)
{
	return json_object_set_new(context, name, json_integer((json_int_t)value)) < 0 ? -ENOMEM : 0;
}

/* A report that lacks something must not look complete: NULL, unless all went well. */
static json_t *whole(json_t *json, int r)
{
	if (r == 0)
		return json;
	json_decref(json);
	return NULL;
}

static json_t *format_stats(const struct eg_slot_counts *counts)
{
	json_t *stats = json_object();

	return whole(stats, stats ? eg_envoy_visit(counts, add_number, stats) : -ENOMEM);
}

static json_t *format_verdicts(const struct eg_slot_counts *counts)
{
	json_t *verdicts = json_object();
	int r = verdicts ? 0 : -ENOMEM;

	for (enum eg_reason reason = 0; reason < EG_REASON_COUNT && r == 0; reason++)
		r = add_number(eg_reason_name(reason), eg_reason_count(counts, reason), verdicts);
	return whole(verdicts, r);
}

/* The programs stamp with CLOCK_MONOTONIC; people read wall-clock time, by the difference of the clocks now. */
static json_t *format_time(uint64_t monotonic_ns)
{
	struct timespec wall, monotonic;
	struct tm utc;
	char day[32];
	int64_t ns;
	time_t seconds;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	ns = (int64_t)monotonic_ns + (int64_t)(wall.tv_sec - monotonic.tv_sec) * (int64_t)NSEC_PER_SEC + wall.tv_nsec -
	     monotonic.tv_nsec;
	seconds = ns / (int64_t)NSEC_PER_SEC;
	gmtime_r(&seconds, &utc);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &utc);
	return json_sprintf("%s.%03dZ", day, (int)(ns % (int64_t)NSEC_PER_SEC / 1000000));
}

/* Commands and processes may be called anything; JSON text is UTF-8 only. */
static json_t *format_text(const char *bytes, size_t len)
{
	json_t *text = json_stringn(bytes, len);

	return text ? text : json_string("(not UTF-8)");
}

static json_t *format_destination(const struct eg_destination *destination)
{
	const struct eg_flow *flow = &destination->key.flow;
	char address[EG_ADDR_TEXT_MAX], protocol[12];

	return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "address",
			 eg_addr_format(flow->family, &flow->addr, address), "port", (int)flow->port, "protocol",
			 eg_protocol_name(flow->protocol, protocol), "family", eg_family_name(flow->family), "verdict",
			 eg_verdict_name(eg_reason_verdict(destination->key.reason)), "reason",
			 eg_reason_name(destination->key.reason), "count", (json_int_t)destination->seen.count, "pid",
			 (json_int_t)destination->seen.pid, "uid", (json_int_t)destination->seen.uid, "comm",
			 format_text(destination->seen.comm, strnlen(destination->seen.comm, EG_COMM_LEN)), "first_seen",
			 format_time(destination->seen.first_seen_ns), "last_seen",
			 format_time(destination->seen.last_seen_ns));
}

static json_t *format_destinations(const struct eg_destinations *destinations)
{
	json_t *list = json_array();
	int r = list ? 0 : -ENOMEM;

	for (size_t i = 0; i < destinations->list.len && r == 0; i++)
		r = json_array_append_new(list, format_destination(&destinations->list.items[i]));
	return whole(list, r);
}

int eg_report_format(const struct eg_subject *subject, const struct eg_slot_counts *counts,
		     const struct eg_destinations *destinations, char **ret_text)
{
	json_auto_t *report = NULL;
	_cleanup_free_ char *json = NULL;

	report = json_pack("{s:o, s:s, s:b, s:o, s:o, s:o, s:I, s:I}", "workload",
			   format_text(subject->name, strlen(subject->name)), "mesh",
			   subject->mesh, "passthrough", subject->passthrough, "stats", format_stats(counts),
			   "verdicts", format_verdicts(counts), "destinations", format_destinations(destinations),
			   "destinations_missed", (json_int_t)counts->destinations_missed, "refused_before",
			   (json_int_t)counts->refused_before);
	json = report ? json_dumps(report, JSON_INDENT(2)) : NULL;
	if (!json || asprintf(ret_text, "%s\n", json) < 0)
		return -ENOMEM;
	return 0;
}
