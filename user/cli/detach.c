/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/pinned.h"
#include "export/names.h"
#include "workload/agent.h"
#include "workload/cgroup.h"

static const struct eg_command_help help = {
	.name = "detach",
	.usage = "WORKLOAD",
	.text = "Ends enforcement for a workload while no agent runs: removes its links, adds\n"
		"its counters to the node's sum and frees its slot. The name of a Workload with\n"
		"a glob detaches all its instances. A running agent would enrol it again: take\n"
		"it out of the policy instead; one that starts later does, if its policy still\n"
		"names it. A gate (unenrolled: refuse) above it stays, and refuses what it sends\n"
		"from then on.",
};

/* What is detached, and what holds for it afterwards. */
struct detaching {
	const struct eg_pinned *pinned;
	char *mount_point;	/* of cgroup v2; NULL when it is not in sight */
	struct eg_link_pins pins;
	int grace_fd;
};

static void detaching_clear(struct detaching *detaching)
{
	free(detaching->mount_point);
	eg_array_clear(&detaching->pins.list);
	eg_closep(&detaching->grace_fd);
}

static bool has_gate(const struct eg_link_pins *pins, uint64_t cgroup_id)
{
	for (size_t i = 0; i < pins->list.len; i++)
		if (pins->list.items[i].slot == 0 && pins->list.items[i].live_cgroup_id == cgroup_id)
			return true;
	return false;
}

/* The nearest gate above a cgroup, which refuses what it sends once nobody judges it; NULL when there is none. */
static char *find_gate(const struct detaching *detaching, const char *cgroup)
{
	_cleanup_free_ char *path = NULL;
	char *slash;

	if (!detaching->mount_point || asprintf(&path, "%s%s", detaching->mount_point, cgroup) < 0)
		return NULL;
	while ((slash = strrchr(path, '/')) && slash > path + strlen(detaching->mount_point)) {
		struct stat st;

		*slash = '\0';
		if (stat(path, &st) == 0 && has_gate(&detaching->pins, st.st_ino))
			return TAKE_PTR(path);
	}
	return NULL;
}

/*
 * Marked first: whoever finds the slot half done finishes the same work. Gates let the
 * cgroup's tasks by no more before its links end, so that they are not free in between.
 */
static int detach_slot(struct detaching *detaching, struct eg_pinned_slot *slot, char **ret_problem)
{
	const struct eg_pinned *pinned = detaching->pinned;
	int r;

	slot->info.use = EG_SLOT_LEAVING;
	r = eg_maps_write_info(&pinned->maps, slot->slot, &slot->info);
	if (r == 0)
		r = eg_maps_forget_cgroup(&pinned->maps, slot->info.cgroup_id);
	if (r == 0)
		r = eg_pins_remove_links(pinned->directory, slot->slot, ret_problem);
	if (r == 0)
		r = eg_maps_wait_for_programs(&pinned->maps, &detaching->grace_fd);
	return r < 0 ? r : eg_maps_retire_slot(&pinned->maps, slot->slot);
}

static void say_detached(const struct detaching *detaching, const struct eg_slot_info *info)
{
	_cleanup_free_ char *gate = find_gate(detaching, info->cgroup);
	char name[EG_NAME_TEXT_MAX], cgroup[EG_NAME_TEXT_MAX];

	printf("detached %s (%s)\n", eg_name_format(info->name, name), eg_name_format(info->cgroup, cgroup));
	if (gate)
		printf("the gate on %s refuses what %s sends from now on\n", eg_name_format(gate, cgroup), name);
}

static int detach_all(struct eg_pinned *pinned)
{
	_cleanup_(detaching_clear) struct detaching detaching = {.pinned = pinned, .grace_fd = -1};
	_cleanup_free_ char *problem = NULL;
	int r = eg_pins_list_links(pinned->directory, &detaching.pins, &problem);

	if (r == 0)
		r = eg_cgroup_mount_point(&detaching.mount_point);
	if (r == -ENOENT)
		r = 0;
	for (size_t i = 0; i < pinned->slots.len && r == 0; i++) {
		r = detach_slot(&detaching, &pinned->slots.items[i], &problem);
		if (r == 0)
			say_detached(&detaching, &pinned->slots.items[i].info);
	}
	if (r < 0)
		eg_log_error("detach: %s", problem ? problem : strerror(-r));
	else
		printf("an agent that starts with a policy that names it enrols it again\n");
	return r;
}

/* An agent holds the lock on the directory as long as it lives: while we hold it, none starts either. */
static int keep_agents_away(const struct eg_pinned *pinned, const char *workload, int *ret_lock_fd)
{
	struct eg_agent agent = {};
	int r = eg_maps_read_agent(&pinned->maps, &agent);

	if (r == 0 && eg_agent_look(&agent, false) == EG_AGENT_SEEN) {
		eg_log_error("detach: an agent runs (process %u) and would enrol '%s' again: take the workload out of its "
			     "policy; the agent lets go of it by itself",
			     agent.pid, workload);
		return -EBUSY;
	}
	if (r == 0)
		r = eg_pins_lock(pinned->directory, ret_lock_fd);
	if (r == -EWOULDBLOCK)
		eg_log_error("detach: an agent holds %s that is starting or not seen from here; nothing was changed",
			     pinned->directory);
	else if (r < 0)
		eg_log_error("detach: %s: %s", pinned->directory, strerror(-r));
	return r;
}

/*
 * The pins tell which agent there is, and what to lock. They are read once more under the lock: before it an agent
 * may have given the slots to others, and an uninstall and a new agent may have put other maps there.
 */
static int open_locked(const char *workload, struct eg_pinned *pinned, int *ret_lock_fd)
{
	int r = eg_pinned_open(help.name, workload, pinned);

	if (r == 0)
		r = keep_agents_away(pinned, workload, ret_lock_fd);
	if (r < 0)
		return r;
	eg_pinned_close(pinned);
	return eg_pinned_open(help.name, workload, pinned);
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
	return open_locked(words.workload, &pinned, &lock_fd) < 0 || detach_all(&pinned) < 0 ? EG_EXIT_FAILED
											    : EG_EXIT_OK;
}
