/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/clusters.h"

#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/follow.h"
#include "cli/pinned.h"

static const struct eg_command_help help = {
	.name = "clusters",
	.usage = "[--follow] [--json] [WORKLOAD]",
	.text = "Prints the two passthrough clusters as Envoy's /clusters does: the limits in force,\n"
		"and a host for each destination. Without WORKLOAD limits are the sum over every\n"
		"workload, and hosts those of all of them. Needs no running agent.",
};

static const struct eg_option options[] = {
	{"follow", NULL, "go on: each second the lines that changed, or the JSON if it did", eg_listing_take_follow},
	{"json", NULL, "print Envoy's JSON", eg_listing_take_json},
};

struct listing {
	struct eg_listing_words words;
	struct eg_pinned pinned;
};

static void listing_clear(struct listing *listing)
{
	eg_pinned_close(&listing->pinned);
}

/* Slots change owners while we run: they are listed anew each time. */
static int write_clusters(void *context, FILE *out)
{
	_cleanup_(eg_clusters_clear) struct eg_clusters clusters = {};
	struct listing *listing = context;
	int r;

	listing->pinned.slots.len = 0;
	r = eg_pinned_list_slots(&listing->pinned.maps, listing->words.workload, &listing->pinned);
	if (r == 0)
		r = eg_clusters_read(&listing->pinned, &clusters);
	if (r < 0)
		return r;
	return listing->words.json ? eg_clusters_write_json(&clusters, out) : eg_clusters_write_text(&clusters, out);
}

int eg_cmd_clusters(int argc, char **argv)
{
	_cleanup_(listing_clear) struct listing listing = {.pinned = EG_PINNED_NONE};
	int r = eg_listing_parse(argc, argv, &help, options, EG_COUNT_OF(options), &listing.words);

	if (r != 0)
		return r == EG_OPTIONS_HELP ? EG_EXIT_OK : EG_EXIT_USAGE;
	if (eg_pinned_open(help.name, listing.words.workload, &listing.pinned) < 0)
		return EG_EXIT_FAILED;
	r = listing.words.follow ? eg_follow(write_clusters, &listing, listing.words.json)
				 : write_clusters(&listing, stdout);
	if (r == 0)
		return EG_EXIT_OK;
	eg_log_error("clusters: %s", strerror(-r));
	return EG_EXIT_FAILED;
}
