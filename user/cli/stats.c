/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/audit.h"
#include "cli/cli.h"
#include "cli/pinned.h"
#include "export/envoy.h"
#include "export/json.h"

static const struct eg_command_help help = {
	.name = "stats",
	.usage = "[--format text|json] [WORKLOAD]",
	.text = "Prints what was counted: Envoy's names first, then our own. Without WORKLOAD it\n"
		"is the sum over the node, workloads that are gone included; the name of a\n"
		"Workload with a glob sums its instances, NAME:PATH is one of them. In a sum\n"
		"a circuit breaker is open when one of them is. Needs no running agent.",
};

static int take_format(const char *value, void *context)
{
	struct eg_listing_words *words = context;

	if (strcmp(value, "prometheus") == 0)
		return eg_options_error(help.name, "--format prometheus: not supported yet");
	if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
		return eg_options_error(help.name, "--format is text or json, not '%s'", value);
	words->json = strcmp(value, "json") == 0;
	return 0;
}

static const struct eg_option options[] = {
	{"format", "text|json", "Envoy's lines (default), or Envoy's JSON", take_format},
	{"json", NULL, "the same as --format json", eg_listing_take_json},
	{"filter", "RE", NULL, NULL},
};

/* ---- sums ---- */

/* Every slot, free ones too: what they hold is zero. Those whose totals stand in the retired sum already count once. */
static int add_slots(const struct eg_maps *maps, const struct eg_retired *retired, struct eg_totals *totals)
{
	int r = 0;

	for (uint32_t slot = 0; r == 0; slot++)
		if (slot == 0 || slot != retired->folding)
			r = eg_totals_add_slot(totals, maps, slot);
	return r == -ENOENT ? 0 : r;
}

/* A slot that is folded meanwhile may be missing in both, so that the sum is made again. */
static int sum_node(const struct eg_maps *maps, struct eg_totals *ret_totals)
{
	struct eg_retired before, after;
	int r = eg_maps_read_retired(maps, &after);

	do {
		before = after;
		*ret_totals = (struct eg_totals){.counts = before.counts};
		if (r == 0)
			r = add_slots(maps, &before, ret_totals);
		if (r == 0)
			r = eg_maps_read_retired(maps, &after);
	} while (r == 0 && (after.slots != before.slots || after.folding != before.folding));
	return r;
}

static int sum_slots(const struct eg_pinned *pinned, struct eg_totals *ret_totals)
{
	int r = 0;

	for (size_t i = 0; i < pinned->slots.len && r == 0; i++)
		r = eg_totals_add_slot(ret_totals, &pinned->maps, pinned->slots.items[i].slot);
	return r;
}

/* ---- the audit ---- */

/* Leases that sockets hold, against the places that the gauges count as taken. */
static int visit_audit(const struct eg_pinned *pinned, eg_stat_visitor visit, void *context)
{
	struct eg_audit audit = {};
	int r = eg_audit_run(pinned, &audit);

	if (r < 0)
		return r;
	r = visit("egressd.audit_leases", audit.leases, context);
	if (r == 0)
		r = visit("egressd.audit_gauges", audit.places, context);
	return r == 0 ? visit("egressd.audit_agrees", audit.agrees, context) : r;
}

/* ---- output ---- */

static int print_line(const char *name, uint64_t value, void *context)
{
	(void)context;
	return printf("%s: %" PRIu64 "\n", name, value) < 0 ? -EIO : 0;
}

/*
 * As Envoy prints cumulative buckets, (interval, all): nothing is flushed here, so
 * that there is no interval. Quantiles would be guesses between bounds that are far apart.
 */
static int print_histogram(const char *name, const struct eg_histogram *histogram, void *context)
{
	uint64_t below = 0;

	(void)context;
	if (eg_histogram_samples(histogram) == 0)
		return printf("%s: No recorded values\n", name) < 0 ? -EIO : 0;
	printf("%s:", name);
	for (size_t i = 0; i < EG_HISTOGRAM_BUCKETS - 1; i++) {
		below += histogram->buckets[i];
		printf(" B%.10g(nan,%" PRIu64 ")", eg_histogram_bounds_ms[i], below);
	}
	return printf("\n") < 0 ? -EIO : 0;
}

static int print_text(const struct eg_pinned *pinned, const struct eg_totals *totals)
{
	int r = eg_envoy_visit(totals, print_line, NULL);

	if (r == 0)
		r = eg_envoy_visit_histograms(totals, print_histogram, NULL);
	if (r == 0)
		r = eg_own_stats_visit(totals, print_line, NULL);
	return r == 0 ? visit_audit(pinned, print_line, NULL) : r;
}

static int add_entry(const char *name, uint64_t value, void *context)
{
	return json_array_append_new(context, json_pack("{s:s, s:I}", "name", name, "value", (json_int_t)value)) < 0
		       ? -ENOMEM
		       : 0;
}

static int print_json(const struct eg_pinned *pinned, const struct eg_totals *totals)
{
	json_auto_t *document = json_pack("{s:[], s:o}", "stats", "histograms", eg_json_histograms(totals));
	json_t *stats = json_object_get(document, "stats");
	int r = document ? eg_envoy_visit(totals, add_entry, stats) : -ENOMEM;

	if (r == 0)
		r = eg_own_stats_visit(totals, add_entry, stats);
	if (r == 0)
		r = visit_audit(pinned, add_entry, stats);
	if (r < 0)
		return r;
	return json_dumpf(document, stdout, JSON_INDENT(1)) < 0 || printf("\n") < 0 ? -EIO : 0;
}

int eg_cmd_stats(int argc, char **argv)
{
	_cleanup_pinned_ struct eg_pinned pinned = EG_PINNED_NONE;
	struct eg_listing_words words = {};
	struct eg_totals totals = {};
	int r = eg_listing_parse(argc, argv, &help, options, EG_COUNT_OF(options), &words);

	if (r != 0)
		return r == EG_OPTIONS_HELP ? EG_EXIT_OK : EG_EXIT_USAGE;
	if (eg_pinned_open(help.name, words.workload, &pinned) < 0)
		return EG_EXIT_FAILED;
	r = words.workload ? sum_slots(&pinned, &totals) : sum_node(&pinned.maps, &totals);
	if (r == 0)
		r = words.json ? print_json(&pinned, &totals) : print_text(&pinned, &totals);
	if (r == 0)
		return EG_EXIT_OK;
	eg_log_error("stats: %s", strerror(-r));
	return EG_EXIT_FAILED;
}
