/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "ager.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "datapath/walk.h"

#define PERIOD_NS (10 * UINT64_C(1000000000))
/* So many are read in one call. */
#define SLOTS_AT_ONCE 128u

static void destinations_clear(struct eg_destinations *destinations)
{
	eg_array_clear(&destinations->list);
}

static bool is_crowded(uint64_t taken, uint64_t places)
{
	return taken >= places - places / 4;
}

static int compare_last_seen(const void *a, const void *b)
{
	const struct eg_dest *x = &((const struct eg_destination *)a)->seen, *y = &((const struct eg_destination *)b)->seen;

	return x->last_seen_ns == y->last_seen_ns ? 0 : x->last_seen_ns < y->last_seen_ns ? -1 : 1;
}

/* Who came in stands before where the workload went. */
static int compare_direction(const void *a, const void *b)
{
	const int x = eg_reason_is_incoming(((const struct eg_destination *)a)->key.reason);
	const int y = eg_reason_is_incoming(((const struct eg_destination *)b)->key.reason);

	return x == y ? compare_last_seen(a, b) : y - x;
}

static size_t count_clients(const struct eg_destinations *destinations)
{
	size_t count = 0;

	for (size_t i = 0; i < destinations->list.len; i++)
		count += (size_t)eg_reason_is_incoming(destinations->list.items[i].key.reason);
	return count;
}

/* The oldest `count` of these, which are sorted. What is seen meanwhile is not among them. */
static int evict(const struct eg_ager *ager, struct eg_age age, const struct eg_destination *sorted, size_t count)
{
	if (count == 0)
		return 0;
	age.for_room = 1;
	age.at_most = (__u32)count;
	age.seen_before_ns = sorted[count - 1].seen.last_seen_ns + 1;
	return eg_datapath_age(ager->datapath, &age);
}

/*
 * Of a slot, or of all: the oldest go, and as long as more than half of what is kept are
 * clients, of those alone: a flood of them is not to push destinations out.
 */
static int make_room(const struct eg_ager *ager, uint32_t slot, uint64_t keep)
{
	_cleanup_(destinations_clear) struct eg_destinations destinations = {};
	struct eg_maps maps = eg_datapath_maps(ager->datapath);
	const __u32 whose = slot == EG_ALL_SLOTS ? EG_AGE_ALL : slot;
	int r = eg_maps_read_destinations(&maps, slot, &destinations);
	struct eg_destination *items = destinations.list.items;
	size_t len = destinations.list.len, clients, first, rest;

	if (r < 0 || len <= keep)
		return r;
	clients = count_clients(&destinations);
	first = clients > keep / 2 ? clients - keep / 2 : 0;
	if (first > len - keep)
		first = len - keep;
	rest = len - keep - first;
	qsort(items, len, sizeof(*items), compare_direction);
	r = evict(ager, (struct eg_age){.slot = whose, .clients = 1}, items, first);
	if (r < 0)
		return r;
	qsort(items + first, len - first, sizeof(*items), compare_last_seen);
	return evict(ager, (struct eg_age){.slot = whose}, items + first, rest);
}

static int remove_old(const struct eg_ager *ager)
{
	const uint64_t now = eg_now_ns();
	struct eg_age age = {.slot = EG_AGE_ALL, .at_most = ager->capacity};

	if (now <= ager->age_ns)
		return 0;
	age.seen_before_ns = now - ager->age_ns;
	return eg_datapath_age(ager->datapath, &age);
}

/* What a slot has taken, once there is room in it. */
static int look_at(const struct eg_ager *ager, const struct eg_maps *maps, uint32_t slot, struct eg_slot *value)
{
	int r;

	if (!is_crowded(value->state.destinations, ager->quota))
		return 0;
	r = make_room(ager, slot, ager->quota / 2);
	return r < 0 ? r : eg_maps_read_slot(maps, slot, value);
}

int eg_ager_look(const struct eg_ager *ager)
{
	struct eg_maps maps = eg_datapath_maps(ager->datapath);
	_cleanup_free_ struct eg_slot *values = calloc(SLOTS_AT_ONCE, sizeof(*values));
	uint64_t taken = 0;
	uint32_t slot = 0;
	int count = 0, r = values ? remove_old(ager) : -ENOMEM;

	while (r == 0 && (count = eg_maps_read_slots(&maps, slot, SLOTS_AT_ONCE, values)) > 0) {
		for (int i = 0; i < count && r == 0; i++) {
			r = look_at(ager, &maps, slot++, &values[i]);
			taken += values[i].state.destinations;
		}
	}
	if (r < 0 || count < 0)
		return r < 0 ? r : count;
	return is_crowded(taken, ager->capacity) ? make_room(ager, EG_ALL_SLOTS, ager->capacity / 2) : 0;
}

void eg_ager_run(struct eg_ager *ager)
{
	uint64_t now = eg_now_ns();
	int r;

	if (now - ager->aged_ns < PERIOD_NS)
		return;
	ager->aged_ns = now;
	r = eg_ager_look(ager);
	if (r < 0 && r != ager->said_error)
		eg_log_error("destinations: none leaves the table, and new ones may find no place: %s", strerror(-r));
	ager->said_error = r;
}
