/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/prometheus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "export/names.h"

#define FAMILY_MAX 128
#define TAG_MAX 128
#define NSEC_PER_SEC 1e9
#define MSEC_PER_SEC 1e3

/* ---- text ---- */

static void add(struct eg_buffer *text, const char *string)
{
	eg_buffer_add(text, string, strlen(string));
}

/* A scrape has hundreds of thousands of them: printf() would take as long as all else together. */
static void add_number(struct eg_buffer *text, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	eg_buffer_add(text, digits + at, sizeof(digits) - at);
}

static void add_real(struct eg_buffer *text, double value)
{
	char digits[32];

	snprintf(digits, sizeof(digits), "%.15g", value);
	add(text, digits);
}

/* What is no UTF-8, or a control character, is written as bytes. */
static void add_escaped(struct eg_buffer *text, const char *value)
{
	for (size_t len; *value; value += len) {
		char hex[8];

		len = eg_text_shown_len(value);
		if (*value == '\\' || *value == '"') {
			eg_buffer_add(text, "\\", 1);
		} else if (len == 0) {
			snprintf(hex, sizeof(hex), "\\\\x%02x", (unsigned char)*value);
			add(text, hex);
			len = 1;
			continue;
		}
		eg_buffer_add(text, value, len);
	}
}

/* ---- what is to be written, and how far it is ---- */

/* Whatever a series is of: a workload; what has no slot; the retired sum. */
struct subject {
	const struct eg_totals *totals;
	char *labels; /* mesh="default",...; NULL: none */
};

enum phase {
	WORKLOADS,
	RETIRED,
	NODE,
	PROGRAMS,
	PHASES,
};

struct eg_prometheus {
	struct eg_stats_query query;
	struct eg_snapshot snapshot;
	struct subject *subjects; /* of the workloads, then of what has no slot */
	uint64_t *wanted;         /* for each row of the table a bit for each index that is asked for */
	struct eg_buffer text;    /* made, and not taken yet */
	int error;                /* of the filter */
	enum phase phase;
	size_t row;     /* of the phase's table */
	size_t subject; /* of the row */
	bool is_begun;  /* the family has its TYPE */
	char family[FAMILY_MAX];
};

_Static_assert(EG_REASON_COUNT <= 64, "a bit each");

/* ---- families ---- */

static bool ends_in_total(const char *name)
{
	size_t len = strlen(name), suffix = strlen("_total");

	return len >= suffix && strcmp(name + len - suffix, "_total") == 0;
}

static void sanitize(char *name)
{
	for (; *name; name++)
		if (*name == '.')
			*name = '_';
}

/* Envoy adds no _total; ours have it, as counters should. */
static void name_family(struct eg_prometheus *p, const struct eg_stat *stat)
{
	bool is_ours = eg_stat_is_ours(stat), is_retired = p->phase == RETIRED;
	bool adds_total = (is_ours || is_retired) && stat->type == EG_STAT_COUNTER && !ends_in_total(stat->name);

	snprintf(p->family, sizeof(p->family), "%s%s%s%s%s%s",
		 is_retired ? "egressd_retired_"
		 : is_ours  ? ""
			    : "envoy_",
		 is_retired && is_ours ? "" : stat->scope, is_retired && is_ours ? "" : "_", stat->name,
		 stat->is_ms ? "_seconds" : "", adds_total ? "_total" : "");
	sanitize(p->family);
}

static const char *type_name(enum eg_stat_type type)
{
	static const char *const names[] = {"counter", "gauge", "histogram"};

	return names[type];
}

/* Once a family, and not for one that has no sample. */
static void begin_family(struct eg_prometheus *p, const char *before_help, const char *help, enum eg_stat_type type)
{
	if (p->is_begun)
		return;
	p->is_begun = true;
	if (help) {
		add(&p->text, "# HELP ");
		add(&p->text, p->family);
		add(&p->text, " ");
		add(&p->text, before_help);
		add(&p->text, help);
		add(&p->text, "\n");
	}
	add(&p->text, "# TYPE ");
	add(&p->text, p->family);
	add(&p->text, " ");
	add(&p->text, type_name(type));
	add(&p->text, "\n");
}

static void begin_stat(struct eg_prometheus *p, const struct eg_stat *stat)
{
	char envoys[2 * FAMILY_MAX];

	if (p->phase != RETIRED || eg_stat_is_ours(stat)) {
		begin_family(p, p->phase == RETIRED ? "Of workloads that are gone: " : "", stat->help, stat->type);
		return;
	}
	snprintf(envoys, sizeof(envoys), "envoy_%s_%s.", stat->scope, stat->name);
	begin_family(p, "Of workloads that are gone: ", envoys, stat->type);
}

static void end_row(struct eg_prometheus *p)
{
	if (p->is_begun)
		add(&p->text, "\n");
	p->is_begun = false;
	p->subject = 0;
	p->row++;
}

/* ---- samples ---- */

/* What tells samples of one row and one subject apart. */
static void write_tag(const struct eg_stat *stat, size_t index, char tag[TAG_MAX])
{
	switch (stat->each) {
	case EG_EACH_CLUSTER:
		snprintf(tag, TAG_MAX, "%s=\"%s\"",
			 strcmp(stat->scope, "tcp") == 0 ? "envoy_tcp_prefix" : "envoy_cluster_name",
			 eg_stat_cluster(index));
		return;
	case EG_EACH_REASON:
		snprintf(tag, TAG_MAX, "reason=\"%s\",verdict=\"%s\"", eg_reason_name((unsigned int)index),
			 eg_verdict_name(eg_reason_verdict((unsigned int)index)));
		return;
	case EG_EACH_WORKLOAD:
		tag[0] = '\0';
		return;
	}
}

/* The front of a line, to its value. */
static void begin_sample(struct eg_prometheus *p, const char *suffix, const char *tag, const char *labels,
			 const char *le)
{
	const char *before = "";

	add(&p->text, p->family);
	add(&p->text, suffix);
	if (*tag || labels || le)
		add(&p->text, "{");
	if (*tag) {
		add(&p->text, tag);
		before = ",";
	}
	if (labels) {
		add(&p->text, before);
		add(&p->text, labels);
		before = ",";
	}
	if (le) {
		add(&p->text, before);
		add(&p->text, "le=\"");
		add(&p->text, le);
		add(&p->text, "\"");
	}
	add(&p->text, *tag || labels || le ? "} " : " ");
}

static void add_sample(struct eg_prometheus *p, const char *suffix, const char *tag, const char *labels, const char *le,
		       uint64_t value)
{
	begin_sample(p, suffix, tag, labels, le);
	add_number(&p->text, value);
	add(&p->text, "\n");
}

static void add_seconds(struct eg_prometheus *p, const char *labels, uint64_t ms)
{
	begin_sample(p, "", "", labels, NULL);
	add_real(&p->text, (double)ms / MSEC_PER_SEC);
	add(&p->text, "\n");
}

/* In milliseconds, as the name of the family says. */
static void add_histogram(struct eg_prometheus *p, const struct eg_histogram *histogram, const char *tag,
			  const char *labels)
{
	uint64_t below = 0;

	for (size_t i = 0; i < EG_HISTOGRAM_BUCKETS; i++) {
		char le[24] = "+Inf";

		if (i < EG_COUNT_OF(eg_histogram_bounds_ms))
			snprintf(le, sizeof(le), "%.10g", eg_histogram_bounds_ms[i]);
		below += histogram->buckets[i];
		add_sample(p, "_bucket", tag, labels, le, below);
	}
	begin_sample(p, "_sum", tag, labels, NULL);
	add_real(&p->text, (double)histogram->sum_ns / 1e6);
	add(&p->text, "\n");
	add_sample(p, "_count", tag, labels, NULL, below);
}

/* All of one row that one subject has. */
static void add_stats(struct eg_prometheus *p, const struct eg_stat *stat, const struct subject *subject)
{
	uint64_t wanted = p->wanted[p->row];

	for (size_t index = 0; wanted >> index; index++) {
		char tag[TAG_MAX];

		if (!(wanted >> index & 1) || (p->query.used_only && !eg_stat_is_used(stat, subject->totals, index)))
			continue;
		begin_stat(p, stat);
		write_tag(stat, index, tag);
		if (stat->type == EG_STAT_HISTOGRAM)
			add_histogram(p, eg_stat_histogram(stat, subject->totals, index), tag, subject->labels);
		else if (stat->is_ms)
			add_seconds(p, subject->labels, eg_stat_value(stat, subject->totals, index));
		else
			add_sample(p, "", tag, subject->labels, NULL, eg_stat_value(stat, subject->totals, index));
	}
}

/* ---- steps: each writes a little, and moves on ---- */

static void end_phase(struct eg_prometheus *p)
{
	p->phase++;
	p->row = 0;
}

/* Only verdicts and the like: connections belong to a slot. */
static bool is_homeless(const struct eg_prometheus *p, const struct eg_stat *stat)
{
	return p->snapshot.is_node && eg_stat_is_ours(stat) && stat->each != EG_EACH_CLUSTER;
}

static void step_workloads(struct eg_prometheus *p)
{
	size_t count, subjects = p->snapshot.workloads.len;
	const struct eg_stat *stats = eg_stats(&count);

	if (p->row == count) {
		end_phase(p);
		return;
	}
	if (p->subject == 0)
		name_family(p, &stats[p->row]);
	if (p->subject < subjects + is_homeless(p, &stats[p->row]))
		add_stats(p, &stats[p->row], &p->subjects[p->subject++]);
	else
		end_row(p);
}

static void step_retired(struct eg_prometheus *p)
{
	const struct subject retired = {.totals = &p->snapshot.retired};
	size_t count;
	const struct eg_stat *stats = eg_stats(&count);

	if (p->row == count || !p->snapshot.is_node) {
		end_phase(p);
		return;
	}
	name_family(p, &stats[p->row]);
	if (stats[p->row].type == EG_STAT_COUNTER)
		add_stats(p, &stats[p->row], &retired);
	end_row(p);
}

/* Whether one of ours, which is no workload's, is asked for. */
static bool is_wanted(struct eg_prometheus *p, enum eg_stat_type type, uint64_t value, const char *dotted)
{
	int r = p->query.used_only && value == 0 ? 0 : eg_stats_wants(&p->query, type, dotted);

	if (r < 0)
		p->error = r;
	return r == 1;
}

static void step_node(struct eg_prometheus *p)
{
	char dotted[EG_STAT_NAME_MAX];
	size_t count;
	const struct eg_node_stat *stat = eg_node_stats(&count) + p->row;
	uint64_t value;

	if (p->row == count) {
		end_phase(p);
		return;
	}
	value = eg_node_stat_value(stat, &p->snapshot);
	snprintf(dotted, sizeof(dotted), "egressd.%s%s", stat->name, stat->is_ns ? "_ns" : "");
	snprintf(p->family, sizeof(p->family), "egressd_%s%s", stat->name,
		 stat->type == EG_STAT_COUNTER ? "_total"
		 : stat->is_ns                 ? "_seconds"
					       : "");
	if (eg_node_stat_is_known(stat, &p->snapshot) && is_wanted(p, stat->type, value, dotted)) {
		begin_family(p, "", stat->help, stat->type);
		begin_sample(p, "", "", NULL, NULL);
		if (stat->is_ns)
			add_real(&p->text, (double)value / NSEC_PER_SEC);
		else
			add_number(&p->text, value);
		add(&p->text, "\n");
	}
	end_row(p);
}

static const struct {
	const char *name;
	const char *dotted;
	enum eg_stat_type type;
	const char *help;
} program_stats[] = {
	{"egressd_program_runs_total", "runs", EG_STAT_COUNTER,
	 "Runs of a program while kernel.bpf_stats_enabled was 1."},
	{"egressd_program_run_seconds_total", "run_ns", EG_STAT_COUNTER, "Processor time of those runs."},
	{"egressd_program_seconds_per_run", "ns_per_run", EG_STAT_GAUGE, "Processor time of a run, over all of them."},
};

static void add_program(struct eg_prometheus *p, const struct eg_program_cost *cost)
{
	char dotted[EG_STAT_NAME_MAX], tag[TAG_MAX];
	double seconds = (double)cost->run_ns / NSEC_PER_SEC;

	snprintf(dotted, sizeof(dotted), "egressd.programs.%s.%s", cost->name, program_stats[p->row].dotted);
	if (!is_wanted(p, program_stats[p->row].type, cost->runs, dotted))
		return;
	begin_family(p, "", program_stats[p->row].help, program_stats[p->row].type);
	snprintf(tag, sizeof(tag), "program=\"%s\"", cost->name);
	begin_sample(p, "", tag, NULL, NULL);
	if (p->row == 0)
		add_number(&p->text, cost->runs);
	else
		add_real(&p->text, p->row == 1 || cost->runs == 0 ? seconds : seconds / (double)cost->runs);
	add(&p->text, "\n");
}

static void step_programs(struct eg_prometheus *p)
{
	if (p->row == EG_COUNT_OF(program_stats)) {
		end_phase(p);
		return;
	}
	snprintf(p->family, sizeof(p->family), "%s", program_stats[p->row].name);
	for (size_t i = 0; i < p->snapshot.programs.count; i++)
		add_program(p, &p->snapshot.programs.list[i]);
	end_row(p);
}

static void step(struct eg_prometheus *p)
{
	static void (*const steps[])(struct eg_prometheus * p) = {step_workloads, step_retired, step_node,
								  step_programs};

	steps[p->phase](p);
}

/* ---- beginning and end ---- */

static int write_labels(const struct eg_counted *workload, char **ret_labels)
{
	const char *const labels[][2] = {
		{"mesh=\"", workload->mesh},
		{"\",dataplane=\"", workload->dataplane},
		{"\",kuma_io_service=\"", workload->service},
		{"\",workload=\"", workload->name},
	};
	struct eg_buffer text = {};

	for (size_t i = 0; i < EG_COUNT_OF(labels); i++) {
		add(&text, labels[i][0]);
		add_escaped(&text, labels[i][1]);
	}
	eg_buffer_add(&text, "\"", sizeof("\""));
	*ret_labels = text.bytes;
	return text.failed ? -ENOMEM : 0;
}

static int list_subjects(struct eg_prometheus *p)
{
	size_t count = p->snapshot.workloads.len;
	int r = 0;

	p->subjects = calloc(count + 1, sizeof(*p->subjects));
	if (!p->subjects)
		return -ENOMEM;
	for (size_t i = 0; i < count && r == 0; i++) {
		p->subjects[i].totals = &p->snapshot.workloads.items[i].totals;
		r = write_labels(&p->snapshot.workloads.items[i], &p->subjects[i].labels);
	}
	p->subjects[count].totals = &p->snapshot.homeless;
	return r;
}

/* Each name once, however many workloads there are. */
static int choose(struct eg_prometheus *p)
{
	size_t count;
	const struct eg_stat *stats = eg_stats(&count);

	p->wanted = calloc(count, sizeof(*p->wanted));
	if (!p->wanted)
		return -ENOMEM;
	for (size_t row = 0; row < count; row++) {
		for (size_t index = 0; index < eg_stat_count(&stats[row]); index++) {
			char dotted[EG_STAT_NAME_MAX];
			int r;

			eg_stat_name(&stats[row], index, dotted);
			r = eg_stats_wants(&p->query, stats[row].type, dotted);
			if (r < 0)
				return r;
			p->wanted[row] |= (uint64_t)r << index;
		}
	}
	return 0;
}

int eg_prometheus_new(struct eg_stats_query *query, struct eg_snapshot *snapshot, struct eg_prometheus **ret_prometheus)
{
	_cleanup_(eg_prometheus_freep) struct eg_prometheus *p = calloc(1, sizeof(*p));
	int r;

	if (!p) {
		eg_stats_query_clear(query);
		eg_snapshot_clear(snapshot);
		return -ENOMEM;
	}
	p->query = *query;
	p->snapshot = *snapshot;
	*query = (struct eg_stats_query){};
	*snapshot = (struct eg_snapshot){};
	r = choose(p);
	if (r == 0)
		r = list_subjects(p);
	if (r < 0)
		return r;
	*ret_prometheus = TAKE_PTR(p);
	return 0;
}

struct eg_prometheus *eg_prometheus_free(struct eg_prometheus *p)
{
	if (!p)
		return NULL;
	for (size_t i = 0; p->subjects && i < p->snapshot.workloads.len; i++)
		free(p->subjects[i].labels);
	free(p->subjects);
	free(p->wanted);
	eg_buffer_clear(&p->text);
	eg_snapshot_clear(&p->snapshot);
	eg_stats_query_clear(&p->query);
	free(p);
	return NULL;
}

ssize_t eg_prometheus_read(struct eg_prometheus *p, char *buffer, size_t size)
{
	size_t len;

	while (p->text.len < size && p->phase < PHASES && !p->text.failed && p->error == 0)
		step(p);
	if (p->text.failed || p->error < 0)
		return p->error < 0 ? p->error : -ENOMEM;
	len = p->text.len < size ? p->text.len : size;
	if (len == 0)
		return 0;
	memcpy(buffer, p->text.bytes, len);
	/* What is left is less than one step has made. */
	memmove(p->text.bytes, p->text.bytes + len, p->text.len - len);
	p->text.len -= len;
	return (ssize_t)len;
}

int eg_prometheus_write(struct eg_prometheus *p, FILE *out)
{
	char buffer[16384];
	ssize_t len;

	while ((len = eg_prometheus_read(p, buffer, sizeof(buffer))) > 0)
		if (fwrite(buffer, 1, (size_t)len, out) != (size_t)len)
			return -EIO;
	return (int)len;
}
