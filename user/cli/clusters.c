/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/clusters.h"

#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/pinned.h"

static const struct eg_command_help help = {
	.name = "clusters",
	.usage = "[--json] [WORKLOAD]",
	.text = "Prints the two passthrough clusters as Envoy's /clusters does: the limits in force,\n"
		"and a host for each destination. Without WORKLOAD limits are the sum over every\n"
		"workload, and hosts those of all of them. Needs no running agent.",
};

static const struct eg_option options[] = {
	{"json", NULL, "print Envoy's JSON", eg_listing_take_json},
};

int eg_cmd_clusters(int argc, char **argv)
{
	_cleanup_pinned_ struct eg_pinned pinned = EG_PINNED_NONE;
	_cleanup_(eg_clusters_clear) struct eg_clusters clusters = {};
	struct eg_listing_words words = {};
	int r = eg_listing_parse(argc, argv, &help, options, EG_COUNT_OF(options), &words);

	if (r != 0)
		return r == EG_OPTIONS_HELP ? EG_EXIT_OK : EG_EXIT_USAGE;
	if (eg_pinned_open(help.name, words.workload, &pinned) < 0)
		return EG_EXIT_FAILED;
	r = eg_clusters_read(&pinned, &clusters);
	if (r == 0)
		r = words.json ? eg_clusters_write_json(&clusters, stdout) : eg_clusters_write_text(&clusters, stdout);
	if (r == 0)
		return EG_EXIT_OK;
	eg_log_error("clusters: %s", strerror(-r));
	return EG_EXIT_FAILED;
}
