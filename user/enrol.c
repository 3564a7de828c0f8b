/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "enrol.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "datapath/pins.h"
#include "workload/cgroup.h"

/* What programs there may be beside those that decide. */
static const enum eg_workload_flag extra_flags[EG_EXTRAS] = {EG_WORKLOAD_GUARDED, EG_WORKLOAD_REDIRECTS};

void eg_roster_clear(struct eg_roster *roster)
{
	free(roster->infos);
	free(roster->attached);
	for (size_t i = 0; i < EG_EXTRAS; i++)
		free(roster->extra[i]);
	free(roster->may_filter);
	*roster = (struct eg_roster){};
}

static int write_info(struct eg_roster *roster, uint32_t slot, const struct eg_slot_info *info)
{
	struct eg_maps maps = eg_datapath_maps(roster->datapath);
	int r = memcmp(&roster->infos[slot], info, sizeof(*info)) == 0 ? 0 : eg_maps_write_info(&maps, slot, info);

	if (r == 0)
		roster->infos[slot] = *info;
	return r;
}

/* Written before the work begins, so that a successor finishes what is left of it. */
static int mark_leaving(struct eg_roster *roster, uint32_t slot)
{
	struct eg_slot_info info = roster->infos[slot];

	info.use = EG_SLOT_LEAVING;
	return write_info(roster, slot, &info);
}

/* The slot that has this name now, or 0. */
static uint32_t find_bearer(const struct eg_roster *roster, const char *name)
{
	for (uint32_t slot = 1; slot < EG_SLOTS_MAX; slot++)
		if (roster->infos[slot].use == EG_SLOT_ENROLLED && strcmp(roster->infos[slot].name, name) == 0)
			return slot;
	return 0;
}

/* The links of these slots have ended. One wait does for all. */
static int retire(struct eg_roster *roster, const struct eg_slot_set *leaving)
{
	uint32_t heirs[EG_SLOTS_MAX] = {};
	int r;

	for (uint32_t slot = 1; slot < EG_SLOTS_MAX; slot++)
		if (leaving->has[slot])
			heirs[slot] = find_bearer(roster, roster->infos[slot].name);
	r = leaving->count > 0 ? eg_datapath_retire(roster->datapath, leaving, heirs) : 0;
	for (uint32_t slot = 1; slot < EG_SLOTS_MAX && r == 0; slot++) {
		if (!leaving->has[slot])
			continue;
		/* One that held nothing but counts never had a cgroup. */
		if (*roster->infos[slot].cgroup)
			eg_log_info("%s: no longer enforced on %s", roster->infos[slot].name,
				    roster->infos[slot].cgroup);
		roster->infos[slot] = (struct eg_slot_info){};
	}
	return r;
}

/* The directory of a cgroup, if it is still the one that was seen. */
static int open_cgroup(const struct eg_roster *roster, const struct eg_slot_info *info)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *path = NULL;
	struct stat st;

	if (asprintf(&path, "%s%s", roster->mount_point, info->cgroup) < 0)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return st.st_ino == info->cgroup_id ? TAKE_FD(fd) : -ENOENT;
}

bool eg_roster_has_any(const struct eg_roster *roster)
{
	for (uint32_t slot = 1; slot < EG_SLOTS_MAX; slot++)
		if (roster->infos[slot].use == EG_SLOT_ENROLLED)
			return true;
	return false;
}

/* Not where the slot waits for one, or has none. What cannot be looked at may be there. */
static bool has_cgroup(const struct eg_roster *roster, uint32_t slot)
{
	_cleanup_close_ int fd = open_cgroup(roster, &roster->infos[slot]);

	return fd >= 0 || !eg_cgroup_is_gone(-fd);
}

bool eg_roster_lets_go(const struct eg_roster *roster, const struct eg_slot_plans *plans)
{
	for (size_t i = 0; i < plans->list.len; i++) {
		const struct eg_slot_plan *plan = &plans->list.items[i];

		if ((plan->step == EG_STEP_LEAVE || plan->step == EG_STEP_MOVE) && has_cgroup(roster, plan->slot))
			return true;
	}
	return false;
}

int eg_roster_open_cgroup(const struct eg_roster *roster, uint32_t slot)
{
	return open_cgroup(roster, &roster->infos[slot]);
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* How long a cgroup was there before it was enforced, by the time of its directory. */
static double window_ms(int cgroup_fd)
{
	struct stat st;

	if (fstat(cgroup_fd, &st) < 0)
		return 0;
	return (double)(int64_t)(now_ns(CLOCK_REALTIME) -
				 ((uint64_t)st.st_ctim.tv_sec * 1000000000 + (uint64_t)st.st_ctim.tv_nsec)) /
	       1e6;
}

/*
 * For whoever asks later: what came before the programs did was judged by nobody. A cgroup
 * without a process has no such past. One that came just now may be taken for one that was
 * there, but not the other way round.
 */
static int note_window(struct eg_roster *roster, uint32_t slot, double age_ms, bool has_processes)
{
	struct eg_slot_info info = roster->infos[slot];

	if (info.window_ms != EG_WINDOW_UNKNOWN)
		return 0;
	if (!has_processes)
		info.window_ms = 0;
	/* The clock was set back since. */
	else if (age_ms < 0)
		info.window_ms = EG_WINDOW_UNKNOWN - 1;
	else
		info.window_ms = age_ms < 1 ? 1 : age_ms < EG_WINDOW_UNKNOWN ? (uint32_t)age_ms : EG_WINDOW_UNKNOWN - 1;
	return write_info(roster, slot, &info);
}

/* Attaches what the slot's cgroup lacks. The slot has its policy already. */
static int enrol(struct eg_roster *roster, uint32_t slot, bool say)
{
	const struct eg_slot_info *info = &roster->infos[slot];
	_cleanup_close_ int fd = open_cgroup(roster, info);
	int r = fd < 0 ? fd : eg_datapath_enrol_pinned(roster->datapath, fd, slot);
	double age_ms = r == 0 ? window_ms(fd) : 0;

	roster->attached[slot] = r == 0;
	for (size_t i = 0; i < EG_EXTRAS; i++)
		roster->extra[i][slot] = true;
	roster->may_filter[slot] = true;
	if (r < 0)
		return r;
	if (say)
		eg_log_info("%s: enforcing on %s, slot %u, %.1f ms after the cgroup was made", info->name, info->cgroup,
			    slot, age_ms);
	return note_window(roster, slot, age_ms, eg_cgroup_has_processes(fd));
}

/* A cgroup may go at any moment; the watch then brings us back here. Anything else is said, and tried again: true. */
static bool has_failed(const struct eg_roster *roster, uint32_t slot, int error)
{
	if (error == 0 || eg_cgroup_is_gone(-error))
		return false;
	eg_log_error("%s: NOT enforced: cannot attach to %s: %s; trying again", roster->infos[slot].name,
		     roster->infos[slot].cgroup, strerror(-error));
	return true;
}

/* The plans' slots of one step, and marks those that leave. */
static int collect(struct eg_roster *roster, const struct eg_slot_plans *plans, enum eg_slot_step step,
		   struct eg_slot_set *slots)
{
	int r = 0;

	for (size_t i = 0; i < plans->list.len && r == 0; i++) {
		if (plans->list.items[i].step != step)
			continue;
		eg_slot_set_add(slots, plans->list.items[i].slot);
		if (step == EG_STEP_LEAVE)
			r = mark_leaving(roster, plans->list.items[i].slot);
	}
	return r;
}

/* A cgroup may have another slot by now: that a slot was to leave was written down, and then its name came back. */
static bool has_other_slot(const struct eg_roster *roster, uint32_t slot)
{
	for (uint32_t other = 1; other < EG_SLOTS_MAX; other++)
		if (other != slot && roster->infos[other].use == EG_SLOT_ENROLLED &&
		    roster->infos[other].cgroup_id == roster->infos[slot].cgroup_id)
			return true;
	return false;
}

/* In one go for all of them. */
static int end_links(struct eg_roster *roster, const struct eg_slot_set *slots)
{
	struct eg_maps maps = eg_datapath_maps(roster->datapath);
	int r = 0;

	if (slots->count == 0)
		return 0;
	for (uint32_t slot = 1; slot < EG_SLOTS_MAX && r == 0; slot++) {
		if (!slots->has[slot])
			continue;
		roster->attached[slot] = false;
		if (!has_other_slot(roster, slot))
			r = eg_maps_forget_cgroup(&maps, roster->infos[slot].cgroup_id);
	}
	return r < 0 ? r : eg_datapath_release(roster->datapath, slots);
}

/* Counts for a moment belong to a slot that is leaving from the start, so that a successor gives them to whom they belong. */
static int park_counts(struct eg_roster *roster, const struct eg_slot_plan *plan, struct eg_slot_set *leaving)
{
	const struct eg_slot_info *before = &roster->infos[plan->slot];
	struct eg_slot_info parked = {.use = EG_SLOT_LEAVING};

	strcpy(parked.name, before->name);
	strcpy(parked.mesh, before->mesh);
	eg_slot_set_add(leaving, plan->parking);
	return write_info(roster, plan->parking, &parked);
}

/*
 * The policy of the new name is in force for the slot already; what is left is whose
 * its counts are. Killed before the name is written, a successor does the same with
 * what was counted since.
 */
static int leave_counts(struct eg_roster *roster, const struct eg_slot_plan *plan, struct eg_slot_set *leaving)
{
	int r = plan->parking ? park_counts(roster, plan, leaving) : 0;

	if (r == 0)
		r = eg_datapath_move_counts(roster->datapath, plan->slot, plan->parking);
	if (r == 0)
		eg_log_info("%s: is %s now, and enforced on %s without a break", roster->infos[plan->slot].name,
			    plan->info.name, plan->info.cgroup);
	return r;
}

/* What is left of a plan once the policy is in force and links that must end have ended. */
static int carry_out(struct eg_roster *roster, const struct eg_slot_plan *plan, struct eg_slot_set *leaving,
		     bool *ret_try_again)
{
	bool is_new = plan->step == EG_STEP_ENROL || plan->step == EG_STEP_MOVE;
	struct eg_slot_info info = plan->info;
	int r = 0;

	if (plan->step == EG_STEP_LEAVE)
		return 0;
	if (plan->step == EG_STEP_MOVE && plan->info.cgroup_id == 0)
		eg_log_info("%s: %s is gone; waiting for it", plan->info.name, plan->info.cgroup);
	if (plan->step == EG_STEP_RENAME)
		r = leave_counts(roster, plan, leaving);
	if (is_new) {
		info.window_ms = EG_WINDOW_UNKNOWN;
		info.enrolled_ns = info.cgroup_id == 0 ? 0 : now_ns(CLOCK_MONOTONIC);
	}
	if (r == 0)
		r = write_info(roster, plan->slot, &info);
	if (r < 0 || plan->info.cgroup_id == 0 || roster->attached[plan->slot])
		return r;
	if (has_failed(roster, plan->slot, enrol(roster, plan->slot, is_new)))
		*ret_try_again = true;
	return 0;
}

static int add_extra(struct eg_roster *roster, uint32_t slot, size_t extra)
{
	_cleanup_close_ int fd = open_cgroup(roster, &roster->infos[slot]);
	int r = fd < 0 ? fd : eg_datapath_attach_for(roster->datapath, fd, slot, extra_flags[extra]);

	roster->extra[extra][slot] = true;
	/* One that has just gone needs none. */
	return eg_cgroup_is_gone(-r) ? 0 : r;
}

int eg_roster_add_extras(struct eg_roster *roster, const struct eg_image *image)
{
	int r = 0;

	for (size_t extra = 0; extra < EG_EXTRAS; extra++)
		for (uint32_t slot = 1; slot < EG_SLOTS_MAX && r == 0; slot++)
			if (roster->attached[slot] && eg_image_has(image, slot, extra_flags[extra]) &&
			    !eg_datapath_has(roster->datapath, slot, extra_flags[extra]))
				r = add_extra(roster, slot, extra);
	return r;
}

static int remove_extra(struct eg_roster *roster, uint32_t slot, size_t extra)
{
	int r;

	if (!roster->attached[slot] || !roster->extra[extra][slot] ||
	    eg_datapath_has(roster->datapath, slot, extra_flags[extra]))
		return 0;
	r = eg_datapath_detach_for(roster->datapath, slot, roster->infos[slot].cgroup_id, extra_flags[extra]);
	roster->extra[extra][slot] = r < 0;
	return r;
}

int eg_roster_remove_extras(struct eg_roster *roster)
{
	int r = 0;

	for (size_t extra = 0; extra < EG_EXTRAS; extra++)
		for (uint32_t slot = 1; slot < EG_SLOTS_MAX && r == 0; slot++)
			r = remove_extra(roster, slot, extra);
	return r;
}

bool eg_roster_is_done(const struct eg_roster *roster, const struct eg_slot_plans *plans)
{
	for (size_t i = 0; i < plans->list.len; i++)
		if (plans->list.items[i].info.cgroup_id != 0 && !roster->attached[plans->list.items[i].slot])
			return false;
	return eg_slot_plans_keep_all(plans);
}

/* A slot has one cgroup at a time: what its old one's sockets held is settled before the new one is on it. */
static int end_moving(struct eg_roster *roster, const struct eg_slot_plans *plans)
{
	struct eg_slot_set moving = {};
	int r = collect(roster, plans, EG_STEP_MOVE, &moving);

	if (r == 0)
		r = end_links(roster, &moving);
	return r < 0 ? r : eg_datapath_settle(roster->datapath, &moving);
}

int eg_roster_carry_out(struct eg_roster *roster, const struct eg_slot_plans *plans, bool *ret_try_again)
{
	struct eg_slot_set leaving = {};
	int r = collect(roster, plans, EG_STEP_LEAVE, &leaving);

	*ret_try_again = false;
	if (r == 0)
		r = end_moving(roster, plans);
	for (size_t i = 0; i < plans->list.len && r == 0; i++)
		r = carry_out(roster, &plans->list.items[i], &leaving, ret_try_again);
	/* What leaves may be above or below what has come. */
	if (r == 0)
		r = end_links(roster, &leaving);
	return r < 0 ? r : retire(roster, &leaving);
}

/* Parked counts whose name no slot has: that of their next one was not written. They leave with the plan that writes it. */
static bool waits_for_bearer(const struct eg_roster *roster, const struct eg_slot_info *info)
{
	return !*info->cgroup && find_bearer(roster, info->name) == 0;
}

/* What every slot may have by whoever was here before. NULL: no memory. */
static bool *all_slots(void)
{
	bool *slots = malloc(EG_SLOTS_MAX * sizeof(*slots));

	if (slots)
		memset(slots, true, EG_SLOTS_MAX * sizeof(*slots));
	return slots;
}

int eg_roster_open(struct eg_datapath *datapath, const char *mount_point, struct eg_roster *ret_roster)
{
	_cleanup_(eg_roster_clear) struct eg_roster roster = {.datapath = datapath, .mount_point = mount_point};
	struct eg_maps maps = eg_datapath_maps(datapath);
	struct eg_slot_set leaving = {};
	int r = 0;

	roster.infos = calloc(EG_SLOTS_MAX, sizeof(*roster.infos));
	roster.attached = calloc(EG_SLOTS_MAX, sizeof(*roster.attached));
	if (!roster.infos || !roster.attached)
		return -ENOMEM;
	for (size_t i = 0; i < EG_EXTRAS; i++) {
		roster.extra[i] = all_slots();
		if (!roster.extra[i])
			return -ENOMEM;
	}
	roster.may_filter = all_slots();
	if (!roster.may_filter)
		return -ENOMEM;
	r = eg_maps_read_infos(&maps, roster.infos);
	for (uint32_t slot = 1; slot < EG_SLOTS_MAX; slot++)
		if (roster.infos[slot].use == EG_SLOT_LEAVING && !waits_for_bearer(&roster, &roster.infos[slot]))
			eg_slot_set_add(&leaving, slot);
	if (r == 0)
		r = end_links(&roster, &leaving);
	if (r == 0)
		r = retire(&roster, &leaving);
	if (r < 0)
		return r;
	*ret_roster = roster;
	roster = (struct eg_roster){};
	return 0;
}
