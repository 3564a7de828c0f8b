/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/pinned.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

int eg_listing_take_json(const char *value, void *context)
{
	(void)value;
	((struct eg_listing_words *)context)->json = true;
	return 0;
}

int eg_listing_take_follow(const char *value, void *context)
{
	(void)value;
	((struct eg_listing_words *)context)->follow = true;
	return 0;
}

int eg_listing_take_verdict(const char *value, void *context)
{
	struct eg_listing_words *words = context;

	return eg_selection_take_verdict(words->command, value, &words->selection);
}

int eg_listing_take_destination(const char *value, void *context)
{
	struct eg_listing_words *words = context;

	return eg_selection_take_destination(words->command, value, &words->selection);
}

int eg_listing_parse(int argc, char **argv, const struct eg_command_help *help, const struct eg_option *options,
		     size_t option_count, struct eg_listing_words *words)
{
	int operands, r;

	words->command = help->name;
	r = eg_options_parse(argc, argv, help, options, option_count, words, &operands);
	if (r != 0)
		return r;
	if (argc - operands > 1)
		return eg_options_error(help->name, "at most one workload is wanted, not also '%s'", argv[operands + 1]);
	words->workload = operands < argc ? argv[operands] : NULL;
	return 0;
}

static int open_pinned(const char *workload, struct eg_pinned *pinned, char **ret_problem)
{
	int r = eg_pins_locate(&pinned->directory, ret_problem);

	if (r == 0)
		r = eg_pins_open(pinned->directory, &pinned->maps, ret_problem);
	if (r == 0)
		r = eg_pinned_list_slots(&pinned->maps, workload, pinned);
	return r;
}

int eg_pinned_open(const char *command, const char *workload, struct eg_pinned *ret_pinned)
{
	_cleanup_pinned_ struct eg_pinned pinned = EG_PINNED_NONE;
	_cleanup_free_ char *problem = NULL;
	int r = open_pinned(workload, &pinned, &problem);

	if (r < 0) {
		eg_log_error("%s: %s", command, problem ? problem : strerror(-r));
		return r;
	}
	if (workload && pinned.slots.len == 0) {
		eg_log_error("%s: no workload called '%s' (see 'egressctl status')", command, workload);
		return -ENOENT;
	}
	*ret_pinned = pinned;
	pinned = EG_PINNED_NONE;
	return 0;
}

void eg_pinned_close(struct eg_pinned *pinned)
{
	eg_maps_close(&pinned->maps);
	eg_array_clear(&pinned->slots);
	free(pinned->directory);
	pinned->directory = NULL;
}
