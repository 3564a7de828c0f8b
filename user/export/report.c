/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/report.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "export/envoy.h"
#include "export/json.h"
#include "export/names.h"

static int add_number(const char *name, uint64_t value, json_t *object)
{
	return json_object_set_new(object, name, json_integer((json_int_t)value)) < 0 ? -ENOMEM : 0;
}

/* A report that lacks something must not look complete: NULL, unless all went well. */
static json_t *whole(json_t *json, int r)
{
	if (r == 0)
		return json;
	json_decref(json);
	return NULL;
}

/* Verdicts and what else is no cluster's stand beside them. */
static json_t *format_stats(const struct eg_totals *totals)
{
	_cleanup_(eg_stat_lines_clear) struct eg_stat_lines lines = {};
	json_t *stats = json_object();
	int r = stats ? eg_stat_list(&lines) : -ENOMEM;

	for (size_t i = 0; i < lines.list.len && r == 0; i++) {
		const struct eg_stat_line *line = &lines.list.items[i];

		if (line->stat->each == EG_EACH_CLUSTER && line->stat->type != EG_STAT_HISTOGRAM)
			r = add_number(line->name, eg_stat_value(line->stat, totals, line->index), stats);
	}
	return whole(stats, r);
}

static json_t *format_verdicts(const struct eg_slot_counts *counts)
{
	json_t *verdicts = json_object();
	int r = verdicts ? 0 : -ENOMEM;

	for (enum eg_reason reason = 0; reason < EG_REASON_COUNT && r == 0; reason++)
		r = add_number(eg_reason_name(reason), eg_reason_count(counts, reason), verdicts);
	return whole(verdicts, r);
}

static json_t *format_destinations(const struct eg_destinations *destinations)
{
	json_t *list = json_array();
	int r = list ? 0 : -ENOMEM;

	for (size_t i = 0; i < destinations->list.len && r == 0; i++)
		r = json_array_append_new(list, eg_json_destination(&destinations->list.items[i]));
	return whole(list, r);
}

int eg_report_format(const struct eg_subject *subject, const struct eg_totals *totals,
		     const struct eg_destinations *destinations, char **ret_text)
{
	const struct eg_slot_counts *counts = &totals->counts;
	json_auto_t *report = NULL;
	_cleanup_free_ char *json = NULL;

	report = json_pack("{s:o, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "workload",
			   eg_json_text(subject->name, strlen(subject->name)), "mesh", subject->mesh, "mode",
			   eg_modes[subject->mode], "passthrough",
			   subject->passthrough, "stats", format_stats(totals), "histograms",
			   eg_json_histograms(totals), "verdicts", format_verdicts(counts), "destinations",
			   format_destinations(destinations), "destinations_missed",
			   (json_int_t)counts->destinations_missed, "refused_before",
			   (json_int_t)counts->refused_before, "not_enforced", (json_int_t)counts->not_enforced);
	json = report ? json_dumps(report, JSON_INDENT(2)) : NULL;
	if (!json || asprintf(ret_text, "%s\n", json) < 0)
		return -ENOMEM;
	return 0;
}
