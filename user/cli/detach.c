/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/pinned.h"
#include "workload/agent.h"

static const struct eg_command_help help = {
	.name = "detach",
	.usage = "WORKLOAD",
	.text = "Ends enforcement for a workload while no agent runs: removes its links, adds\n"
		"its counters to the node's sum and frees its slot. The name of a Workload with\n"
		"a glob detaches all its instances. A running agent would enrol it again: take\n"
		"it out of the policy instead. A gate (unenrolled: refuse) stays, and lets the\n"
		"cgroups by that were enrolled.",
};

/* Marked first: whoever finds the slot half done finishes the same work. */
static int detach_slot(const struct eg_pinned *pinned, struct eg_pinned_slot *slot, int *grace_fd, char **ret_problem)
{
	int r;

	slot->info.use = EG_SLOT_LEAVING;
	r = eg_maps_write_info(&pinned->maps, slot->slot, &slot->info);
	if (r == 0)
		r = eg_pins_remove_links(pinned->directory, slot->slot, ret_problem);
	if (r == 0)
		r = eg_maps_wait_for_programs(&pinned->maps, grace_fd);
	return r < 0 ? r : eg_maps_retire_slot(&pinned->maps, slot->slot);
}

static int detach_all(struct eg_pinned *pinned)
{
	_cleanup_close_ int grace_fd = -1;
	_cleanup_free_ char *problem = NULL;

	for (size_t i = 0; i < pinned->slots.len; i++) {
		struct eg_pinned_slot *slot = &pinned->slots.items[i];
		int r = detach_slot(pinned, slot, &grace_fd, &problem);

		if (r < 0) {
			eg_log_error("detach: %s: %s", slot->info.name, problem ? problem : strerror(-r));
			return r;
		}
		printf("detached %s (%s)\n", slot->info.name, slot->info.cgroup);
	}
	return 0;
}

/* An agent holds the lock on the directory as long as it lives: while we hold it, none starts either. */
static int keep_agents_away(const struct eg_pinned *pinned, const char *workload, int *ret_lock_fd)
{
	struct eg_agent agent = {};
	int r = eg_maps_read_agent(&pinned->maps, &agent);

	*ret_lock_fd = open(pinned->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r == 0 && !eg_agent_is_alive(&agent) && *ret_lock_fd >= 0 && flock(*ret_lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	eg_log_error("detach: an agent runs (process %u) and would enrol '%s' again: take the workload out of its "
		     "policy; the agent lets go of it by itself",
		     agent.pid, workload);
	return -EBUSY;
}

int eg_cmd_detach(int argc, char **argv)
{
	_cleanup_pinned_ struct eg_pinned pinned = EG_PINNED_NONE;
	struct eg_listing_words words = {};
	_cleanup_close_ int lock_fd = -1;
	int r = eg_listing_parse(argc, argv, &help, NULL, 0, &words);

	if (r == 0 && !words.workload)
		r = eg_options_error(help.name, "a workload is wanted");
	if (r != 0)
		return r == EG_OPTIONS_HELP ? EG_EXIT_OK : EG_EXIT_USAGE;
	if (eg_pinned_open(help.name, words.workload, &pinned) < 0)
		return EG_EXIT_FAILED;
	return keep_agents_away(&pinned, words.workload, &lock_fd) < 0 || detach_all(&pinned) < 0 ? EG_EXIT_FAILED
												  : EG_EXIT_OK;
}
