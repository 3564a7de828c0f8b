/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/follow.h"
#include "cli/pinned.h"
#include "export/prometheus.h"
#include "export/stats.h"

static const struct eg_command_help help = {
	.name = "stats",
	.usage = "[--follow] [--filter RE] [--format text|json|prometheus] [WORKLOAD]",
	.text = "Prints what was counted, under Envoy's names and our own. Without WORKLOAD it\n"
		"is the sum over the node, workloads that are gone included; the name of a\n"
		"Workload with a glob sums its instances, NAME:PATH is one of them. In a sum\n"
		"a circuit breaker is open when one of them is. Needs no running agent.\n"
		"What Prometheus scrapes is not followed.",
};

struct words {
	struct eg_listing_words listing;
	struct eg_stats_query query;
	struct eg_pinned pinned;
};

static void words_clear(struct words *words)
{
	eg_stats_query_clear(&words->query);
	eg_pinned_close(&words->pinned);
}

static int take_filter(const char *value, void *context)
{
	char problem[EG_FILTER_PROBLEM_MAX] = "out of memory";
	struct words *words = context;

	eg_filter_free(words->query.filter);
	words->query.filter = NULL;
	if (eg_filter_new(value, problem, &words->query.filter) == 0)
		return 0;
	return eg_options_error(help.name, "--filter is no regular expression: %s", problem);
}

static int take_format(const char *value, void *context)
{
	char problem[EG_STATS_PROBLEM_MAX];
	struct words *words = context;

	if (!*value || eg_stats_query_set(&words->query, "format", value, problem) < 0)
		return eg_options_error(help.name, "--format is text, json or prometheus, not '%s'", value);
	if (words->query.format == EG_STATS_JSON)
		words->query.format = EG_STATS_LISTING;
	return 0;
}

static int take_json(const char *value, void *context)
{
	(void)value;
	return take_format("json", context);
}

static const struct eg_option options[] = {
	{"follow", NULL, "go on: each second the lines that changed, or the JSON if it did", eg_listing_take_follow},
	{"filter", "RE", "only what this regular expression is found in; pass_through finds both clusters", take_filter},
	{"format", "text|json|prometheus", "Envoy's lines (default), JSON, or what Prometheus scrapes", take_format},
	{"json", NULL, "the same as --format json", take_json},
};

static int write_scrape(struct eg_stats_query *query, struct eg_snapshot *snapshot, FILE *out)
{
	_cleanup_(eg_prometheus_freep) struct eg_prometheus *prometheus = NULL;
	int r = eg_prometheus_new(query, snapshot, &prometheus);

	return r < 0 ? r : eg_prometheus_write(prometheus, out);
}

static int write_stats(void *context, FILE *out)
{
	_cleanup_(eg_snapshot_clear) struct eg_snapshot snapshot = {};
	struct words *words = context;
	int r = eg_snapshot_read(&words->pinned, words->listing.workload, &snapshot);

	if (r < 0)
		return r;
	if (words->query.format == EG_STATS_PROMETHEUS)
		return write_scrape(&words->query, &snapshot, out);
	return eg_stats_write(&words->query, &snapshot, NULL, out);
}

/* The lines of a scrape that changed are no scrape: a family would be without its type. */
static int parse(int argc, char **argv, struct words *words)
{
	int r = eg_listing_parse(argc, argv, &help, options, EG_COUNT_OF(options), &words->listing);

	if (r == 0 && words->listing.follow && words->query.format == EG_STATS_PROMETHEUS)
		r = eg_options_error(help.name, "--follow goes with --format text or json");
	return r;
}

int eg_cmd_stats(int argc, char **argv)
{
	_cleanup_(words_clear) struct words words = {.pinned = EG_PINNED_NONE};
	int r = parse(argc, argv, &words);

	if (r != 0)
		return r == EG_OPTIONS_HELP ? EG_EXIT_OK : EG_EXIT_USAGE;
	if (eg_pinned_open(help.name, words.listing.workload, &words.pinned) < 0)
		return EG_EXIT_FAILED;
	r = words.listing.follow ? eg_follow(write_stats, &words, words.query.format == EG_STATS_LISTING)
				 : write_stats(&words, stdout);
	if (r == 0)
		return EG_EXIT_OK;
	eg_log_error("stats: %s", r == -E2BIG ? "--filter: " EG_FILTER_TOO_COSTLY : strerror(-r));
	return EG_EXIT_FAILED;
}
