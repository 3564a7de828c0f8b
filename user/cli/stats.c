/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/pinned.h"
#include "export/envoy.h"

static const struct eg_command_help help = {
	.name = "stats",
	.usage = "[--format text|json] [WORKLOAD]",
	.text = "Prints what was counted: Envoy's names first, then our own. Without WORKLOAD it\n"
		"is the sum over the node, workloads that are gone included; the name of a\n"
		"Workload with a glob sums its instances, NAME:PATH is one of them.\n"
		"Needs no running agent.",
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

static int add_slot(const struct eg_maps *maps, uint32_t slot, struct eg_slot_counts *sum)
{
	struct eg_slot_counts counts;
	int r = eg_maps_read_counts(maps, slot, &counts);

	if (r == 0)
		eg_counts_add(sum, &counts);
	return r;
}

/*
 * Every slot, free ones too: what they hold is zero. A slot whose totals stand in
 * the retired sum already, and are not zeroed yet, counts once.
 */
static int sum_node(const struct eg_maps *maps, struct eg_slot_counts *ret_counts)
{
	struct eg_retired retired;
	int r = eg_maps_read_retired(maps, &retired);

	if (r < 0)
		return r;
	*ret_counts = retired.counts;
	for (uint32_t slot = 0; r == 0; slot++)
		if (slot == 0 || slot != retired.folding)
			r = add_slot(maps, slot, ret_counts);
	return r == -ENOENT ? 0 : r;
}

static int sum_slots(const struct eg_pinned *pinned, struct eg_slot_counts *ret_counts)
{
	int r = 0;

	for (size_t i = 0; i < pinned->slots.len && r == 0; i++)
		r = add_slot(&pinned->maps, pinned->slots.items[i].slot, ret_counts);
	return r;
}

/* ---- output ---- */

static int print_line(const char *name, uint64_t value, void *context)
{
	(void)context;
	return printf("%s: %" PRIu64 "\n", name, value) < 0 ? -EIO : 0;
}

static int add_entry(const char *name, uint64_t value, void *context)
{
	return json_array_append_new(context, json_pack("{s:s, s:I}", "name", name, "value", (json_int_t)value)) < 0
		       ? -ENOMEM
		       : 0;
}

static int visit_all(const struct eg_slot_counts *counts, eg_stat_visitor visit, void *context)
{
	int r = eg_envoy_visit(counts, visit, context);

	return r ? r : eg_own_stats_visit(counts, visit, context);
}

static int print_json(const struct eg_slot_counts *counts)
{
	json_auto_t *document = json_pack("{s:[]}", "stats");
	int r = document ? visit_all(counts, add_entry, json_object_get(document, "stats")) : -ENOMEM;

	if (r < 0)
		return r;
	return json_dumpf(document, stdout, JSON_INDENT(1)) < 0 || printf("\n") < 0 ? -EIO : 0;
}

int eg_cmd_stats(int argc, char **argv)
{
	_cleanup_pinned_ struct eg_pinned pinned = EG_PINNED_NONE;
	struct eg_listing_words words = {};
	struct eg_slot_counts counts = {};
	int r = eg_listing_parse(argc, argv, &help, options, EG_COUNT_OF(options), &words);

	if (r != 0)
		return r == EG_OPTIONS_HELP ? EG_EXIT_OK : EG_EXIT_USAGE;
	if (eg_pinned_open(help.name, words.workload, &pinned) < 0)
		return EG_EXIT_FAILED;
	r = words.workload ? sum_slots(&pinned, &counts) : sum_node(&pinned.maps, &counts);
	if (r == 0)
		r = words.json ? print_json(&counts) : visit_all(&counts, print_line, NULL);
	if (r == 0)
		return EG_EXIT_OK;
	eg_log_error("stats: %s", strerror(-r));
	return EG_EXIT_FAILED;
}
