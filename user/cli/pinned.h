/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CLI_PINNED_H
#define EG_CLI_PINNED_H

/* What the commands share that read an agent's pinned maps, be it dead or alive. */
#include "base/cleanup.h"
#include "cli/options.h"
#include "cli/select.h"
#include "datapath/pinned.h"

/* The command line of a listing: at most one WORKLOAD, and those of these options that its table has. */
struct eg_listing_words {
	const char *command;
	bool json;
	bool follow;
	struct eg_selection selection;
	const char *workload;	/* NULL: all */
};

/* The `take` of such an option. Its context begins with a struct eg_listing_words. */
int eg_listing_take_json(const char *value, void *context);
int eg_listing_take_follow(const char *value, void *context);
int eg_listing_take_verdict(const char *value, void *context);
int eg_listing_take_destination(const char *value, void *context);
#define EG_LISTING_OPTION_VERDICT \
	{"verdict", "V", "only allowed, blocked or audited ones, or those of a reason", eg_listing_take_verdict}
#define EG_LISTING_OPTION_DESTINATION \
	{"destination", "ADDR|CIDR[:PORT]", "only to there: 10.0.0.0/8:443, [fd00::1]:53", eg_listing_take_destination}
/* 0, EG_OPTIONS_HELP, or -EINVAL once it has said what is wrong. */
int eg_listing_parse(int argc, char **argv, const struct eg_command_help *help, const struct eg_option *options,
		     size_t option_count, struct eg_listing_words *words);

/*
 * Opens the maps where eg_pins_locate() finds them and lists the slots in use: a
 * workload's own and its instances' (NAME:...), all for a NULL name. 0, or -errno
 * once `command` has said on stderr what is wrong: -ENOENT for a workload that
 * nobody knows too.
 */
int eg_pinned_open(const char *command, const char *workload, struct eg_pinned *ret_pinned);
void eg_pinned_close(struct eg_pinned *pinned);

#define _cleanup_pinned_ _cleanup_(eg_pinned_close)

#endif
