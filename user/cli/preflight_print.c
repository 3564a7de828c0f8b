/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "cli/preflight.h"
#include "export/json.h"
#include "export/names.h"

/* ---- for people ---- */

static void print_head(const struct eg_preflight_words *words, size_t count, const char *what, const char *condition)
{
	char since[EG_TIME_TEXT_MAX];

	printf("%zu %s would be cut", count, what);
	if (words->policies.list.len == 0)
		printf(" if %s", condition);
	for (size_t i = 0; i < words->policies.list.len; i++)
		printf("%s%s", i == 0 ? " by " : ", ", words->policies.list.items[i]);
	if (words->has_since)
		printf(", of those seen since %s", eg_time_format(words->since_ns, since));
	printf("\n");
}

static void print_cut(const struct eg_pinned *pinned, const struct eg_cut *cut)
{
	const struct eg_flow *flow = &cut->flow;
	char name[EG_NAME_TEXT_MAX], ends[EG_ENDS_TEXT_MAX], protocol[12], comm[EG_COMM_LEN + 1];
	char process[sizeof(comm) + 13], last[EG_TIME_TEXT_MAX];

	snprintf(process, sizeof(process), "%s[%u]", eg_comm_format(cut->comm, comm), cut->pid);
	printf("%-20s %-22s %-8s %-28s %8" PRIu64 " %6" PRIu64 " %12" PRIu64 " %12" PRIu64 "  %s\n",
	       eg_name_format(eg_pinned_name(pinned, cut->slot), name), process,
	       eg_protocol_name(flow->protocol, protocol), eg_ends_format(flow, cut->reason, ends), cut->count,
	       cut->connections, cut->rx_bytes, cut->tx_bytes, eg_time_format(cut->last_seen_ns, last));
}

static size_t count_clients(const struct eg_preflight *preflight)
{
	size_t count = 0;

	for (size_t i = 0; i < preflight->cuts.len; i++)
		count += preflight->cuts.items[i].is_incoming;
	return count;
}

void eg_preflight_print(const struct eg_preflight_report *report, const struct eg_preflight_words *words)
{
	const struct eg_preflight *preflight = &report->preflight;
	const size_t clients = count_clients(preflight);

	print_head(words, preflight->cuts.len - clients, "destinations", "passthrough were false");
	if (clients > 0)
		print_head(words, clients, "clients", "mTLS were STRICT");
	if (preflight->cuts.len > 0)
		printf("\n%-20s %-22s %-8s %-28s %8s %6s %12s %12s  %s\n", "WORKLOAD", "PROCESS", "PROTOCOL", "DESTINATION",
		       "COUNT", "OPEN", "RECEIVED", "SENT", "LAST SEEN");
	for (size_t i = 0; i < preflight->cuts.len; i++)
		print_cut(&report->pinned, &preflight->cuts.items[i]);
	if (report->gaps.len > 0)
		printf("\nnot recorded:\n");
	for (size_t i = 0; i < report->gaps.len; i++) {
		const struct eg_gap *gap = &report->gaps.items[i];
		char name[EG_NAME_TEXT_MAX];

		printf("- %s%s%s\n", gap->workload ? eg_name_format(gap->workload, name) : "",
		       gap->workload ? ": " : "", gap->what);
	}
}

/* ---- for programs ---- */

static json_t *time_json(uint64_t monotonic_ns)
{
	char buffer[EG_TIME_TEXT_MAX];

	return json_string(eg_time_format(monotonic_ns, buffer));
}

static json_t *cut_json(const struct eg_pinned *pinned, const struct eg_cut *cut)
{
	const struct eg_flow *flow = &cut->flow;
	char address[EG_ADDR_TEXT_MAX], protocol[12];

	return json_pack("{s:o, s:s, s:s, s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:I, s:o}", "workload",
			 eg_json_string(eg_pinned_name(pinned, cut->slot)), "direction", eg_direction_name(cut->reason), "address", eg_addr_format(flow->family, &flow->addr, address),
			 "port", (int)flow->port, "protocol", eg_protocol_name(flow->protocol, protocol), "family",
			 eg_family_name(flow->family), "reason", eg_reason_name(cut->reason), "count", (json_int_t)cut->count,
			 "connections", (json_int_t)cut->connections, "rx_bytes", (json_int_t)cut->rx_bytes, "tx_bytes",
			 (json_int_t)cut->tx_bytes, "last_seen", time_json(cut->last_seen_ns), "pid", (json_int_t)cut->pid,
			 "comm", eg_json_text(cut->comm, strnlen(cut->comm, EG_COMM_LEN)));
}

static int add_cuts(const struct eg_preflight_report *report, json_t *list)
{
	int r = 0;

	for (size_t i = 0; i < report->preflight.cuts.len && r == 0; i++)
		r = json_array_append_new(list, cut_json(&report->pinned, &report->preflight.cuts.items[i]));
	return r < 0 ? -ENOMEM : 0;
}

static int add_gaps(const struct eg_preflight_report *report, json_t *list)
{
	int r = 0;

	for (size_t i = 0; i < report->gaps.len && r == 0; i++) {
		const struct eg_gap *gap = &report->gaps.items[i];

		r = json_array_append_new(list, json_pack("{s:o, s:o*}", "what", eg_json_string(gap->what), "workload",
							  gap->workload ? eg_json_string(gap->workload) : NULL));
	}
	return r < 0 ? -ENOMEM : 0;
}

static int add_policies(const struct eg_preflight_words *words, json_t *list)
{
	int r = 0;

	for (size_t i = 0; i < words->policies.list.len && r == 0; i++)
		r = json_array_append_new(list, eg_json_string(words->policies.list.items[i]));
	return r < 0 ? -ENOMEM : 0;
}

int eg_preflight_print_json(const struct eg_preflight_report *report, const struct eg_preflight_words *words)
{
	json_auto_t *document = json_pack("{s:[], s:o*, s:[], s:[]}", "policies", "since",
					  words->has_since ? time_json(words->since_ns) : NULL, "destinations",
					  "not_recorded");
	int r = document ? add_policies(words, json_object_get(document, "policies")) : -ENOMEM;

	if (r == 0)
		r = add_cuts(report, json_object_get(document, "destinations"));
	if (r == 0)
		r = add_gaps(report, json_object_get(document, "not_recorded"));
	if (r < 0)
		return r;
	return json_dumpf(document, stdout, JSON_INDENT(2)) < 0 || printf("\n") < 0 ? -EIO : 0;
}
