/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "incoming.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "datapath/lookups.h"
#include "datapath/pins.h"
#include "workload/cgroup.h"
#include "workload/netns.h"

/* With more a workload would hold up the others: each takes a program of its own. It is looked at packet by packet. */
#define NAMESPACES_MAX 64

/* What one look sees. */
struct look {
	uint32_t flags[EG_SLOTS_MAX];
	struct eg_netns_set sets[EG_SLOTS_MAX];
	bool is_cut[EG_SLOTS_MAX]; /* there may be more namespaces than its set has */
	struct eg_lookup_list lookups; /* pinned before the look */
};

static struct look *look_free(struct look *look)
{
	for (uint32_t slot = 0; look && slot < EG_SLOTS_MAX; slot++)
		eg_array_clear(&look->sets[slot].inodes);
	if (look)
		eg_array_clear(&look->lookups.list);
	free(look);
	return NULL;
}
EG_DEFINE_CLEANUP(struct look *, look_free)

int eg_doors_open(struct eg_roster *roster, struct eg_doors *ret_doors)
{
	*ret_doors = (struct eg_doors){
		.roster = roster,
		.by = calloc(EG_SLOTS_MAX, sizeof(*ret_doors->by)),
		.may_filter = roster->may_filter,
	};
	return ret_doors->by ? 0 : -ENOMEM;
}

void eg_doors_clear(struct eg_doors *doors)
{
	free(doors->by);
	*doors = (struct eg_doors){};
}

/* ---- the filter ---- */

/* A cgroup that has just gone needs none. */
static int add_filter(struct eg_doors *doors, uint32_t slot)
{
	_cleanup_close_ int fd = eg_roster_open_cgroup(doors->roster, slot);
	int r = fd < 0 ? fd : eg_datapath_filter(doors->roster->datapath, fd, slot);

	doors->may_filter[slot] = true;
	return eg_cgroup_is_gone(-r) ? 0 : r;
}

static int remove_filter(struct eg_doors *doors, uint32_t slot)
{
	int r = 0;

	if (doors->may_filter[slot])
		r = eg_datapath_unfilter(doors->roster->datapath, slot, doors->roster->infos[slot].cgroup_id);
	doors->may_filter[slot] = r < 0;
	return r;
}

int eg_doors_prepare(struct eg_doors *doors, const struct eg_image *image)
{
	_cleanup_free_ uint32_t *wanted = calloc(EG_SLOTS_MAX, sizeof(*wanted));
	int r = wanted ? 0 : -ENOMEM;

	if (r == 0)
		eg_image_list_flags(image, wanted);
	for (uint32_t slot = 1; slot < EG_SLOTS_MAX && r == 0; slot++)
		if (doors->roster->attached[slot] && (wanted[slot] & EG_WORKLOAD_INCOMING) &&
		    doors->by[slot] == EG_INCOMING_BY_NOBODY)
			r = add_filter(doors, slot);
	return r;
}

/* ---- the lookups ---- */

static const struct eg_lookup *find_lookup(const struct look *look, uint32_t slot, uint32_t netns)
{
	for (size_t i = 0; i < look->lookups.list.len; i++) {
		const struct eg_lookup *lookup = &look->lookups.list.items[i];

		if (lookup->slot == slot && lookup->netns == netns)
			return lookup;
	}
	return NULL;
}

static int add_lookup(struct eg_doors *doors, const struct look *look, uint32_t slot, uint32_t netns)
{
	const struct eg_lookup *found = find_lookup(look, slot, netns);
	_cleanup_close_ int fd = -1;

	if (found && found->live_netns == netns)
		return 0;
	fd = eg_netns_open(netns, doors->roster->infos[slot].cgroup_id);
	return fd < 0 ? fd : eg_datapath_add_lookup(doors->roster->datapath, fd, netns, slot);
}

static int add_lookups(struct eg_doors *doors, const struct look *look, uint32_t slot)
{
	const struct eg_netns_set *set = &look->sets[slot];
	int r = 0;

	for (size_t i = 0; i < set->inodes.len && r == 0; i++)
		r = add_lookup(doors, look, slot, set->inodes.items[i]);
	return r;
}

/* Those of a slot in other namespaces than these; NULL: all. */
static int remove_lookups(const struct eg_doors *doors, const struct look *look, uint32_t slot,
			  const struct eg_netns_set *but)
{
	int r = 0;

	for (size_t i = 0; i < look->lookups.list.len && r == 0; i++) {
		const struct eg_lookup *lookup = &look->lookups.list.items[i];

		if (lookup->slot == slot && !(but && eg_netns_has(but, lookup->netns)))
			r = eg_datapath_remove_lookup(doors->roster->datapath, lookup);
	}
	return r;
}

/* ---- a slot ---- */

static bool is_shared(const struct look *look, uint32_t slot, uint32_t netns)
{
	for (uint32_t other = 1; other < EG_SLOTS_MAX; other++)
		if (other != slot && eg_netns_has(&look->sets[other], netns))
			return true;
	return eg_netns_is_common(netns);
}

/* A program in a namespace is asked for everybody's sockets there, and knows no silence. */
static bool can_look_up(const struct look *look, uint32_t slot)
{
	const struct eg_netns_set *set = &look->sets[slot];

	if (set->inodes.len == 0 || set->inodes.len > NAMESPACES_MAX || look->is_cut[slot] || (look->flags[slot] & EG_WORKLOAD_DROPS))
		return false;
	for (size_t i = 0; i < set->inodes.len; i++)
		if (is_shared(look, slot, set->inodes.items[i]))
			return false;
	return true;
}

static void say(struct eg_doors *doors, uint32_t slot, enum eg_incoming_by by)
{
	static const char *const texts[] = {
		[EG_INCOMING_BY_NOBODY] = "clients that come in are no longer looked at",
		[EG_INCOMING_BY_FILTER] = "clients that come in are looked at packet by packet: blocked ones get no answer",
		[EG_INCOMING_BY_LOOKUP] = "clients that come in are looked up in its own network namespace",
	};

	if (doors->by[slot] != by)
		eg_log_info("%s: %s", doors->roster->infos[slot].name, texts[by]);
	doors->by[slot] = by;
}

/* Whoever takes over is there before the other one goes. */
static int look_up(struct eg_doors *doors, const struct look *look, uint32_t slot)
{
	int r = add_lookups(doors, look, slot);

	if (r < 0)
		return r;
	say(doors, slot, EG_INCOMING_BY_LOOKUP);
	r = remove_filter(doors, slot);
	return r < 0 ? r : remove_lookups(doors, look, slot, &look->sets[slot]);
}

static int filter(struct eg_doors *doors, const struct look *look, uint32_t slot)
{
	int r = add_filter(doors, slot);

	if (r < 0)
		return r;
	say(doors, slot, EG_INCOMING_BY_FILTER);
	return remove_lookups(doors, look, slot, NULL);
}

/* Said once it is done: until then it is tried again. */
static int leave_open(struct eg_doors *doors, const struct look *look, uint32_t slot)
{
	int r = remove_filter(doors, slot);

	if (r == 0)
		r = remove_lookups(doors, look, slot, NULL);
	if (r == 0)
		say(doors, slot, EG_INCOMING_BY_NOBODY);
	return r;
}

/* What cannot be attached in a namespace, for whatever reason, is looked at by the filter. */
static int follow(struct eg_doors *doors, const struct look *look, uint32_t slot)
{
	const struct eg_roster *roster = doors->roster;
	int r;

	/* The links of whoever had it are gone. */
	if (roster->infos[slot].use == EG_SLOT_FREE && doors->by[slot] == EG_INCOMING_BY_NOBODY)
		return 0;
	if (!(look->flags[slot] & EG_WORKLOAD_INCOMING) || roster->infos[slot].use != EG_SLOT_ENROLLED)
		return doors->by[slot] != EG_INCOMING_BY_NOBODY || doors->may_filter[slot] ? leave_open(doors, look, slot) : 0;
	/* It was said that its links are not there, and it is tried again. */
	if (!roster->attached[slot])
		return 0;
	if (!can_look_up(look, slot))
		return filter(doors, look, slot);
	r = look_up(doors, look, slot);
	if (r < 0 && doors->by[slot] != EG_INCOMING_BY_FILTER)
		eg_log_warning("%s: cannot look up clients in its network namespace: %s", roster->infos[slot].name,
			       strerror(-r));
	return r < 0 ? filter(doors, look, slot) : 0;
}

/* ---- all of them ---- */

static bool is_wanted(const struct eg_doors *doors, const struct look *look)
{
	for (uint32_t slot = 1; slot < EG_SLOTS_MAX; slot++)
		if ((look->flags[slot] & EG_WORKLOAD_INCOMING) || doors->by[slot] != EG_INCOMING_BY_NOBODY)
			return true;
	return false;
}

/* Of every workload, so that a namespace that several share is nobody's own. */
static int list_namespaces(struct eg_doors *doors, struct look *look)
{
	int r = 0;

	for (uint32_t slot = 1; slot < EG_SLOTS_MAX && r == 0; slot++) {
		_cleanup_close_ int fd = -1;

		if (!doors->roster->attached[slot])
			continue;
		fd = eg_roster_open_cgroup(doors->roster, slot);
		r = fd < 0 ? fd : eg_netns_list(fd, &look->sets[slot]);
		look->is_cut[slot] = r == -ELOOP;
		if (r == -ELOOP || eg_cgroup_is_gone(-r))
			r = 0;
	}
	return r;
}

int eg_doors_follow(struct eg_doors *doors, bool *ret_look_again)
{
	_cleanup_(look_freep) struct look *look = calloc(1, sizeof(*look));
	int r = look ? eg_datapath_list_lookups(doors->roster->datapath, &look->lookups) : -ENOMEM;

	*ret_look_again = false;
	if (r < 0)
		return r;
	eg_datapath_list_flags(doors->roster->datapath, look->flags);
	*ret_look_again = is_wanted(doors, look);
	if (*ret_look_again)
		r = list_namespaces(doors, look);
	for (uint32_t slot = 1; slot < EG_SLOTS_MAX && r == 0; slot++)
		r = follow(doors, look, slot);
	return r;
}
