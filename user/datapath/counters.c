/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/object.h"

int eg_datapath_read_counts(struct eg_datapath *datapath, uint32_t slot, struct eg_slot_counts *ret_counts)
{
	struct eg_slot value;
	int r = bpf_map__lookup_elem(datapath->skeleton->maps.eg_slots, &slot, sizeof(slot), &value, sizeof(value), 0);

	if (r == 0)
		*ret_counts = value.counts;
	return r;
}

static int compare_destinations(const void *a, const void *b)
{
	const struct eg_flow *x = &((const struct eg_destination *)a)->key.flow;
	const struct eg_flow *y = &((const struct eg_destination *)b)->key.flow;
	int order;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	order = memcmp(&x->addr, &y->addr, sizeof(x->addr));
	if (order)
		return order;
	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	if (x->protocol != y->protocol)
		return x->protocol < y->protocol ? -1 : 1;
	return (int)((const struct eg_destination *)a)->key.reason - (int)((const struct eg_destination *)b)->key.reason;
}

/* An entry may vanish between the two calls, never change its key. */
static int add_destination(int fd, const struct eg_dest_key *key, uint32_t slot, struct eg_destinations *destinations)
{
	struct eg_destination destination = {.key = *key};
	int r;

	if (key->slot != slot)
		return 0;
	r = bpf_map_lookup_elem(fd, key, &destination.seen);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return eg_array_push(&destinations->list, destination);
}

int eg_datapath_read_destinations(struct eg_datapath *datapath, uint32_t slot, struct eg_destinations *ret_destinations)
{
	int fd = bpf_map__fd(datapath->skeleton->maps.eg_dests);
	struct eg_dest_key key, *previous = NULL;
	int r;

	while ((r = bpf_map_get_next_key(fd, previous, &key)) == 0) {
		r = add_destination(fd, &key, slot, ret_destinations);
		if (r < 0)
			return r;
		previous = &key;
	}
	if (r != -ENOENT)
		return r;
	if (ret_destinations->list.len > 0)
		qsort(ret_destinations->list.items, ret_destinations->list.len, sizeof(struct eg_destination),
		      compare_destinations);
	return 0;
}
