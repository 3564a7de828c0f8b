/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/stats.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <string.h>

#include "base/suggest.h"
#include "export/json.h"

/* ---- what is asked for ---- */

__attribute__((format(printf, 2, 3))) static int refuse(char problem[EG_STATS_PROBLEM_MAX], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(problem, EG_STATS_PROBLEM_MAX, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

/* The index of a word in a list that ends with NULL; -1 for none of them. */
static int find_word(const char *const *words, const char *wanted)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], wanted) == 0)
			return i;
	return -1;
}

static int set_format(struct eg_stats_query *query, const char *value, char *problem)
{
	static const char *const words[] = {"text", "json", "prometheus", NULL};
	int found = find_word(words, value);

	if (found < 0)
		return refuse(problem, "usage: /stats?format=(json|prometheus|text)\n\n");
	query->format = (enum eg_stats_format)found;
	return 0;
}

static int set_type(struct eg_stats_query *query, const char *value, char *problem)
{
	static const char *const words[] = {"Counters", "Gauges", "Histograms", "All", "TextReadouts", NULL};
	int found = find_word(words, value);

	if (found < 0)
		return refuse(problem, "invalid &type= param");
	query->types = found <= EG_STAT_HISTOGRAM ? 1u << found : 0;
	query->none = strcmp(value, "TextReadouts") == 0;
	return 0;
}

static int set_buckets(struct eg_stats_query *query, const char *value, char *problem)
{
	static const char *const words[] = {"none", "cumulative", "disjoint", NULL};
	int found = find_word(words, value);

	if (found < 0)
		return refuse(problem, "usage: /stats?histogram_buckets=(cumulative|disjoint|none)\n");
	query->buckets = (enum eg_stats_buckets)found;
	return 0;
}

/* Envoy says no more of a pattern that is wrong. */
static int set_filter(struct eg_stats_query *query, const char *value, char *problem)
{
	char wrong[EG_FILTER_PROBLEM_MAX];
	int r;

	query->filter = eg_filter_free(query->filter);
	r = eg_filter_new(value, wrong, &query->filter);
	return r == -EINVAL ? refuse(problem, "Invalid re2 regex") : r;
}

static int set_used_only(struct eg_stats_query *query, const char *value, char *problem)
{
	(void)value;
	(void)problem;
	query->used_only = true;
	return 0;
}

static int set_workload(struct eg_stats_query *query, const char *value, char *problem)
{
	(void)problem;
	free(query->workload);
	query->workload = strdup(value);
	return query->workload ? 0 : -ENOMEM;
}

/* What asks Envoy for what is not here, or is here anyway. */
static int ignore(struct eg_stats_query *query, const char *value, char *problem)
{
	(void)query;
	(void)value;
	(void)problem;
	return 0;
}

static const struct parameter {
	const char *name;
	bool needs_value; /* an empty one is none, as in Envoy */
	int (*set)(struct eg_stats_query *query, const char *value, char *problem);
} parameters[] = {
	{"format", true, set_format},     {"type", true, set_type},
	{"filter", true, set_filter},     {"histogram_buckets", true, set_buckets},
	{"workload", true, set_workload}, {"usedonly", false, set_used_only},
	{"hidden", false, ignore},        {"pretty", false, ignore},
	{"text_readouts", false, ignore},
};

static int refuse_unknown(const char *name, char problem[EG_STATS_PROBLEM_MAX])
{
	const char *names[EG_COUNT_OF(parameters)], *meant;

	for (size_t i = 0; i < EG_COUNT_OF(parameters); i++)
		names[i] = parameters[i].name;
	meant = eg_suggest(name, names, EG_COUNT_OF(names));
	return refuse(problem, "unknown parameter '%.64s'%s%s%s\n", name, meant ? "; did you mean '" : "",
		      meant ? meant : "", meant ? "'?" : "");
}

int eg_stats_query_set(struct eg_stats_query *query, const char *name, const char *value,
		       char problem[EG_STATS_PROBLEM_MAX])
{
	for (size_t i = 0; i < EG_COUNT_OF(parameters); i++) {
		if (strcmp(name, parameters[i].name) != 0)
			continue;
		if (parameters[i].needs_value && (!value || !*value))
			return 0;
		return parameters[i].set(query, value, problem);
	}
	return refuse_unknown(name, problem);
}

void eg_stats_query_clear(struct eg_stats_query *query)
{
	eg_filter_free(query->filter);
	free(query->workload);
	*query = (struct eg_stats_query){};
}

bool eg_stats_wants_type(const struct eg_stats_query *query, enum eg_stat_type type)
{
	return !query->none && (query->types == 0 || query->types & 1u << type);
}

int eg_stats_wants(const struct eg_stats_query *query, enum eg_stat_type type, const char *dotted_name)
{
	return eg_stats_wants_type(query, type) ? eg_filter_match_stat(query->filter, dotted_name) : 0;
}

/* ---- the node's ---- */

#define OF(field) offsetof(struct eg_snapshot, field)
#define ALWAYS OF(audit_agrees) /* never looked at */

static const struct eg_node_stat node_stats[] = {
	{"agent_running", EG_STAT_GAUGE, false, OF(node.agent_running), OF(is_node),
	 "1 while the agent runs and its policy is in force; what is enforced does not need it."},
	{"policy_generation", EG_STAT_GAUGE, false, OF(node.generation), OF(is_node),
	 "How often a policy was put in force since the pins were made."},
	{"policy_load_errors", EG_STAT_COUNTER, false, OF(node.load_errors), OF(is_node),
	 "Policies that were refused while an older one stayed in force."},
	{"policy_load_failed", EG_STAT_GAUGE, false, OF(node.load_failed), OF(is_node),
	 "1 while the policy files are others than what is in force, since they have errors."},
	{"workloads", EG_STAT_GAUGE, false, OF(node.workloads), OF(is_node), "Cgroups that have a slot."},
	{"workloads_retired", EG_STAT_COUNTER, false, OF(node.workloads_retired), OF(is_node),
	 "Slots that were given back, with their totals added to the retired ones."},
	{"sweep_duration", EG_STAT_GAUGE, true, OF(node.sweep_ns), OF(node.swept),
	 "Processor time of the last walk over the sockets that hold leases."},
	{"sweep_age", EG_STAT_GAUGE, true, OF(node.sweep_age_ns), OF(node.swept), "Since the last walk ended."},
	{"sweep_period", EG_STAT_GAUGE, true, OF(node.sweep_period_ns), OF(node.swept),
	 "From the last walk to the next one."},
	{"sweep_files", EG_STAT_GAUGE, false, OF(node.sweep_looked_at), OF(node.swept),
	 "Files of processes that the last walk looked at."},
	{"sweep_destroyed", EG_STAT_COUNTER, false, OF(node.sweep_destroyed), OF(node.swept),
	 "Connections that walks of this agent ended, by their timeouts."},
	{"sweep_unreachable", EG_STAT_GAUGE, false, OF(node.sweep_unreachable), OF(node.swept),
	 "Overdue connections that live on, since their network namespace cannot be entered."},
	{"sweep_failed", EG_STAT_GAUGE, false, OF(node.sweep_failed), OF(node.swept),
	 "1 while walks fail, so that timeouts of open connections end nothing."},
	{"foreign_sockets", EG_STAT_GAUGE, false, OF(node.foreign_sockets), OF(node.foreign_counted),
	 "Open sockets of workloads' processes that the hooks of their cgroups do not see: made outside, or of another family."},
	{"audit_leases", EG_STAT_GAUGE, false, OF(audit_leases), ALWAYS,
	 "Places of connections, by leases that are held."},
	{"audit_gauges", EG_STAT_GAUGE, false, OF(audit_gauges), ALWAYS, "Places of connections, by the gauges."},
	{"audit_agrees", EG_STAT_GAUGE, false, OF(audit_agrees), ALWAYS, "1 while leases and gauges agree."},
};

const struct eg_node_stat *eg_node_stats(size_t *ret_count)
{
	*ret_count = EG_COUNT_OF(node_stats);
	return node_stats;
}

static uint64_t word_at(const struct eg_snapshot *snapshot, size_t offset)
{
	uint64_t word;

	memcpy(&word, (const char *)snapshot + offset, sizeof(word));
	return word;
}

bool eg_node_stat_is_known(const struct eg_node_stat *stat, const struct eg_snapshot *snapshot)
{
	return stat->condition == ALWAYS || word_at(snapshot, stat->condition) != 0;
}

uint64_t eg_node_stat_value(const struct eg_node_stat *stat, const struct eg_snapshot *snapshot)
{
	return word_at(snapshot, stat->offset);
}

/* ---- from where counters are shown ---- */

/* Whether counters went on from there: a workload of the same name that came later has counted less, at first. */
static bool goes_on_from(const struct eg_totals *now, const struct eg_totals *before)
{
	const __u64 *a = (const __u64 *)&now->counts, *b = (const __u64 *)&before->counts;

	for (size_t i = 0; i < sizeof(now->counts) / sizeof(*a); i++)
		if (a[i] < b[i])
			return false;
	return true;
}

/* One that was shown from 0 is so from then on: it must not go back once it has counted as much as the one before. */
static void add_baseline(const struct eg_counted *workload, struct eg_snapshot *baseline, struct eg_totals *base)
{
	for (size_t i = 0; i < baseline->workloads.len; i++) {
		struct eg_counted *before = &baseline->workloads.items[i];

		if (strcmp(before->name, workload->name) != 0)
			continue;
		if (!goes_on_from(&workload->totals, &before->totals))
			before->totals = (struct eg_totals){};
		eg_totals_merge(base, &before->totals);
	}
}

/* What the sum of a snapshot is shown without. */
static struct eg_totals base_of(const struct eg_snapshot *snapshot, struct eg_snapshot *baseline)
{
	struct eg_totals base = {};

	if (baseline && snapshot->is_node)
		return baseline->sum;
	for (size_t i = 0; i < snapshot->workloads.len && baseline; i++)
		add_baseline(&snapshot->workloads.items[i], baseline, &base);
	return base;
}

static uint64_t since(uint64_t value, uint64_t base)
{
	return value < base ? value : value - base;
}

/* ---- collecting ---- */

/* One line of the answer. */
struct entry {
	char name[EG_STAT_NAME_MAX];
	uint64_t value;
	const struct eg_histogram *histogram; /* NULL: it has a value */
};

struct answer {
	const struct eg_stats_query *query;
	EG_ARRAY(struct entry) values;
	EG_ARRAY(struct entry) histograms;
};

static void answer_clear(struct answer *answer)
{
	eg_array_clear(&answer->values);
	eg_array_clear(&answer->histograms);
}

__attribute__((format(printf, 5, 6))) static int add_value(struct answer *answer, enum eg_stat_type type, bool is_used,
							   uint64_t value, const char *format, ...)
{
	struct entry entry = {.value = value};
	va_list arguments;
	int r;

	va_start(arguments, format);
	vsnprintf(entry.name, sizeof(entry.name), format, arguments);
	va_end(arguments);
	if (answer->query->used_only && !is_used)
		return 0;
	r = eg_stats_wants(answer->query, type, entry.name);
	return r == 1 ? eg_array_push(&answer->values, entry) : r;
}

static int add_histogram(struct answer *answer, const char *name, const struct eg_histogram *histogram)
{
	struct entry entry = {.histogram = histogram};
	int r = eg_stats_wants(answer->query, EG_STAT_HISTOGRAM, name);

	strcpy(entry.name, name);
	return r == 1 ? eg_array_push(&answer->histograms, entry) : r;
}

static int add_line(struct answer *answer, const struct eg_stat_line *line, const struct eg_totals *totals,
		    const struct eg_totals *base)
{
	const struct eg_stat *stat = line->stat;
	bool is_used = eg_stat_is_used(stat, totals, line->index);
	uint64_t value;

	if (stat->type == EG_STAT_HISTOGRAM && answer->query->used_only && !is_used)
		return 0;
	if (stat->type == EG_STAT_HISTOGRAM)
		return add_histogram(answer, line->name, eg_stat_histogram(stat, totals, line->index));
	value = eg_stat_value(stat, totals, line->index);
	if (stat->type == EG_STAT_COUNTER)
		value = since(value, eg_stat_value(stat, base, line->index));
	return add_value(answer, stat->type, is_used, value, "%s", line->name);
}

static int add_lines(struct answer *answer, const struct eg_totals *totals, const struct eg_totals *base)
{
	_cleanup_(eg_stat_lines_clear) struct eg_stat_lines lines = {};
	int r = eg_stat_list(&lines);

	for (size_t i = 0; i < lines.list.len && r == 0; i++)
		r = add_line(answer, &lines.list.items[i], totals, base);
	return r;
}

static int add_node(struct answer *answer, const struct eg_snapshot *snapshot, const struct eg_snapshot *baseline)
{
	int r = 0;

	for (size_t i = 0; i < EG_COUNT_OF(node_stats) && r == 0; i++) {
		const struct eg_node_stat *stat = &node_stats[i];
		uint64_t value = eg_node_stat_value(stat, snapshot), base = 0;

		if (!eg_node_stat_is_known(stat, snapshot))
			continue;
		if (baseline && stat->type == EG_STAT_COUNTER)
			base = eg_node_stat_value(stat, baseline);
		r = add_value(answer, stat->type, value != 0, since(value, base), "egressd.%s%s", stat->name,
			      stat->is_ns ? "_ns" : "");
	}
	return r;
}

static int add_programs(struct answer *answer, const struct eg_program_costs *programs)
{
	int r = 0;

	for (size_t i = 0; i < programs->count && r == 0; i++) {
		const struct eg_program_cost *cost = &programs->list[i];
		bool is_used = cost->runs > 0;

		r = add_value(answer, EG_STAT_COUNTER, is_used, cost->runs, "egressd.programs.%s.runs", cost->name);
		if (r == 0)
			r = add_value(answer, EG_STAT_COUNTER, is_used, cost->run_ns, "egressd.programs.%s.run_ns",
				      cost->name);
		if (r == 0)
			r = add_value(answer, EG_STAT_GAUGE, is_used, is_used ? cost->run_ns / cost->runs : 0,
				      "egressd.programs.%s.ns_per_run", cost->name);
	}
	return r;
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static int collect(struct answer *answer, const struct eg_snapshot *snapshot, struct eg_snapshot *baseline)
{
	const struct eg_totals base = base_of(snapshot, baseline);
	int r = add_lines(answer, &snapshot->sum, &base);

	if (r == 0)
		r = add_node(answer, snapshot, baseline);
	if (r == 0)
		r = add_programs(answer, &snapshot->programs);
	if (r == 0 && answer->values.len > 0)
		qsort(answer->values.items, answer->values.len, sizeof(answer->values.items[0]), compare_entries);
	return r;
}

/* ---- histograms ---- */

static const double quantiles[] = {0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100};

/* Nothing is flushed here, so that there is no interval: as Envoy has it when nothing was in the last one. */
static void print_quantiles(const struct eg_histogram *histogram, FILE *out)
{
	for (size_t i = 0; i < EG_COUNT_OF(quantiles); i++)
		fprintf(out, " P%g(nan,%.10g)", quantiles[i], eg_histogram_quantile_ms(histogram, quantiles[i] / 100));
}

/* Of the buckets that have a bound. */
static uint64_t bucket_of(const struct eg_histogram *histogram, size_t index, enum eg_stats_buckets buckets)
{
	uint64_t samples = 0;

	for (size_t i = buckets == EG_BUCKETS_DISJOINT ? index : 0; i <= index; i++)
		samples += histogram->buckets[i];
	return samples;
}

static void print_buckets(const struct eg_histogram *histogram, enum eg_stats_buckets buckets, FILE *out)
{
	for (size_t i = 0; i < EG_COUNT_OF(eg_histogram_bounds_ms); i++)
		fprintf(out, " B%.10g(0,%" PRIu64 ")", eg_histogram_bounds_ms[i], bucket_of(histogram, i, buckets));
}

static void print_histogram(const struct entry *entry, enum eg_stats_buckets buckets, FILE *out)
{
	fprintf(out, "%s:", entry->name);
	if (eg_histogram_samples(entry->histogram) == 0)
		fputs(" No recorded values", out);
	else if (buckets == EG_BUCKETS_NONE)
		print_quantiles(entry->histogram, out);
	else
		print_buckets(entry->histogram, buckets, out);
	fputc('\n', out);
}

static void print_text(const struct answer *answer, FILE *out)
{
	for (size_t i = 0; i < answer->values.len; i++)
		fprintf(out, "%s: %" PRIu64 "\n", answer->values.items[i].name, answer->values.items[i].value);
	for (size_t i = 0; i < answer->histograms.len; i++)
		print_histogram(&answer->histograms.items[i], answer->query->buckets, out);
}

/* ---- JSON: by hand, since every name is plain and this is all that there is ---- */

static void print_json_quantiles(const struct eg_histogram *histogram, FILE *out)
{
	bool is_empty = eg_histogram_samples(histogram) == 0;

	fputs("\"values\":[", out);
	for (size_t i = 0; i < EG_COUNT_OF(quantiles); i++) {
		fputs(i ? ",{\"cumulative\":" : "{\"cumulative\":", out);
		if (is_empty)
			fputs("null", out);
		else
			fprintf(out, "%.10g", eg_histogram_quantile_ms(histogram, quantiles[i] / 100));
		fputs(",\"interval\":null}", out);
	}
	fputc(']', out);
}

static void print_json_buckets(const struct eg_histogram *histogram, enum eg_stats_buckets buckets, FILE *out)
{
	fputs("\"buckets\":[", out);
	for (size_t i = 0; i < EG_COUNT_OF(eg_histogram_bounds_ms); i++)
		fprintf(out, "%s{\"upper_bound\":%.10g,\"interval\":0,\"cumulative\":%" PRIu64 "}", i ? "," : "",
			eg_histogram_bounds_ms[i], bucket_of(histogram, i, buckets));
	fputc(']', out);
}

static void print_json_histogram(const struct entry *entry, enum eg_stats_buckets buckets, FILE *out)
{
	fprintf(out, "{\"name\":\"%s\",", entry->name);
	if (buckets == EG_BUCKETS_NONE)
		print_json_quantiles(entry->histogram, out);
	else
		print_json_buckets(entry->histogram, buckets, out);
	fputc('}', out);
}

static void print_json_histograms(const struct answer *answer, FILE *out)
{
	bool has_quantiles = answer->query->buckets == EG_BUCKETS_NONE;

	fputs("{\"histograms\":", out);
	if (has_quantiles) {
		fputs("{\"supported_quantiles\":", out);
		for (size_t i = 0; i < EG_COUNT_OF(quantiles); i++)
			fprintf(out, "%c%g", i ? ',' : '[', quantiles[i]);
		fputs("],\"computed_quantiles\":", out);
	}
	fputc('[', out);
	for (size_t i = 0; i < answer->histograms.len; i++) {
		fputs(i ? "," : "", out);
		print_json_histogram(&answer->histograms.items[i], answer->query->buckets, out);
	}
	fputs(has_quantiles ? "]}}" : "]}", out);
}

static void print_json_values(const struct answer *answer, FILE *out)
{
	for (size_t i = 0; i < answer->values.len; i++)
		fprintf(out, "%s{\"name\":\"%s\",\"value\":%" PRIu64 "}", i ? "," : "", answer->values.items[i].name,
			answer->values.items[i].value);
}

static void print_json(const struct answer *answer, FILE *out)
{
	fputs("{\"stats\":[", out);
	print_json_values(answer, out);
	if (answer->histograms.len > 0) {
		fputs(answer->values.len > 0 ? "," : "", out);
		print_json_histograms(answer, out);
	}
	fputs("]}\n", out);
}

static int print_listing(const struct answer *answer, FILE *out)
{
	json_auto_t *histograms = json_object();
	int r = histograms ? 0 : -ENOMEM;

	for (size_t i = 0; i < answer->histograms.len && r == 0; i++)
		r = json_object_set_new(histograms, answer->histograms.items[i].name,
					eg_json_histogram(answer->histograms.items[i].histogram));
	if (r < 0)
		return -ENOMEM;
	fputs("{\"stats\":[", out);
	print_json_values(answer, out);
	fputs("],\"histograms\":", out);
	json_dumpf(histograms, out, JSON_COMPACT);
	fputs("}\n", out);
	return 0;
}

int eg_stats_write(const struct eg_stats_query *query, const struct eg_snapshot *snapshot,
		   struct eg_snapshot *baseline, FILE *out)
{
	_cleanup_(answer_clear) struct answer answer = {.query = query};
	int r = collect(&answer, snapshot, baseline);

	if (r < 0)
		return r;
	if (query->format == EG_STATS_LISTING)
		r = print_listing(&answer, out);
	else if (query->format == EG_STATS_JSON)
		print_json(&answer, out);
	else
		print_text(&answer, out);
	return r == 0 && ferror(out) ? -EIO : r;
}
