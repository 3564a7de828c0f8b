/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "datapath/object.h"
#include "policy/diff.h"
#include "policy/grace.h"

/* Entries a call: the kernel works through a batch in one go. */
#define BATCH_ENTRIES 4096u

/* An entry of an array cannot be removed: all zeros is what says "no policy". */
static int remove_entry(const struct bpf_map *map, const void *key)
{
	static const struct eg_workload_policy absent;
	int r;

	if (bpf_map__type(map) == BPF_MAP_TYPE_ARRAY)
		return bpf_map_update_elem(bpf_map__fd(map), key, &absent, BPF_ANY);
	r = bpf_map_delete_elem(bpf_map__fd(map), key);
	return r == -ENOENT ? 0 : r;
}

/* One by one: LPM tries have no batch removal. */
static int remove_entries(const struct bpf_map *map, const struct eg_table_image *entries)
{
	int r = 0;

	for (size_t i = 0; i < entries->count && r == 0; i++)
		r = remove_entry(map, (const char *)entries->keys + i * entries->key_size);
	return r;
}

static int put_entries(const struct bpf_map *map, const struct eg_table_image *entries)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);

	for (size_t done = 0; done < entries->count;) {
		size_t left = entries->count - done;
		__u32 count = left < BATCH_ENTRIES ? left : BATCH_ENTRIES;
		int r = bpf_map_update_batch(bpf_map__fd(map), (const char *)entries->keys + done * entries->key_size,
					     (const char *)entries->values + done * entries->value_size, &count,
					     &options);

		if (r < 0)
			return r;
		done += count;
	}
	return 0;
}

static int write_bank(struct eg_datapath *datapath, unsigned int bank, const struct eg_diff *diff)
{
	for (enum eg_table table = 0; table < EG_TABLE_COUNT; table++) {
		const struct bpf_map *map = eg_object_table(datapath, bank, table);
		/* Removals come first: a full map has room for what replaces them. */
		int r = remove_entries(map, &diff->tables[table].remove);

		if (r == 0)
			r = put_entries(map, &diff->tables[table].put);
		if (r < 0)
			return r;
	}
	return 0;
}

static int clear_array(const struct bpf_map *map)
{
	struct eg_table_image zeros = {
		.count = bpf_map__max_entries(map),
		.key_size = bpf_map__key_size(map),
		.value_size = bpf_map__value_size(map),
	};
	_cleanup_free_ __u32 *keys = zeros.keys = calloc(zeros.count, zeros.key_size);
	_cleanup_free_ void *values = zeros.values = calloc(zeros.count, zeros.value_size);

	if (!keys || !values)
		return -ENOMEM;
	for (__u32 i = 0; i < zeros.count; i++)
		keys[i] = i;
	return put_entries(map, &zeros);
}

/*
 * From each entry to the one after it, which is asked for while the entry is there still: the first of a hash table is
 * looked for from its first bucket on, through all that were emptied before.
 */
static int clear_table(const struct bpf_map *map)
{
	struct eg_prefix_key keys[2]; /* the longest of all keys: an entry's, and that of the next one */
	unsigned int at = 0;
	int found, r;

	_Static_assert(sizeof(keys[0]) >= sizeof(struct eg_addr_key) && sizeof(keys[0]) >= sizeof(struct eg_port_key),
		       "a key buffer for every table");
	if (bpf_map__type(map) == BPF_MAP_TYPE_ARRAY)
		return clear_array(map);
	found = bpf_map_get_next_key(bpf_map__fd(map), NULL, &keys[at]);
	for (; found == 0; at = !at) {
		found = bpf_map_get_next_key(bpf_map__fd(map), &keys[at], &keys[!at]);
		r = remove_entry(map, &keys[at]);
		if (r < 0)
			return r;
	}
	return found == -ENOENT ? 0 : found;
}

/* After a failure that left the idle bank half written: makes it what the active one is. */
static int refill_idle_bank(struct eg_datapath *datapath, unsigned int idle)
{
	_cleanup_(eg_image_freep) struct eg_image *nothing = eg_image_new();
	_cleanup_(eg_diff_freep) struct eg_diff *all = NULL;
	int r = 0;

	if (!nothing)
		return -ENOMEM;
	for (enum eg_table table = 0; table < EG_TABLE_COUNT && r == 0; table++)
		r = clear_table(eg_object_table(datapath, idle, table));
	if (r == 0)
		r = eg_image_diff(nothing, datapath->image, &all);
	if (r == 0)
		r = write_bank(datapath, idle, all);
	if (r == 0)
		datapath->idle_is_unknown = false;
	return r;
}

static int flip(struct eg_datapath *datapath)
{
	const __u64 generation = datapath->control.generation + 1;
	const struct eg_control control = {.abi = EG_ABI_VERSION, .active = generation & 1, .generation = generation};

	return eg_object_write_control(datapath, &control);
}

int eg_object_wait_for_programs(struct eg_datapath *datapath)
{
	struct eg_maps maps = eg_datapath_maps(datapath);

	return eg_maps_wait_for_programs(&maps, &datapath->grace_fd);
}

int eg_datapath_apply(struct eg_datapath *datapath, struct eg_image **image)
{
	_cleanup_(eg_diff_freep) struct eg_diff *diff = NULL;
	unsigned int old = datapath->control.active, idle = !old;
	int r;

	/* A program may be in a bank that went idle with a failure. */
	if (datapath->idle_is_unknown) {
		r = eg_object_wait_for_programs(datapath);
		if (r == 0)
			r = refill_idle_bank(datapath, idle);
		if (r < 0)
			return r;
	}
	r = eg_image_diff(datapath->image, *image, &diff);
	if (r < 0)
		return r;

	datapath->idle_is_unknown = true;
	r = write_bank(datapath, idle, diff);
	if (r == 0)
		r = flip(datapath);
	if (r < 0)
		return r;
	eg_image_free(datapath->image);
	datapath->image = TAKE_PTR(*image);

	/* The policy is in force. What fails now is mended by the next apply. */
	if (eg_object_wait_for_programs(datapath) == 0 && write_bank(datapath, old, diff) == 0)
		datapath->idle_is_unknown = false;
	return 0;
}

void eg_datapath_grant_grace(const struct eg_datapath *datapath, struct eg_image *image, const bool *fresh)
{
	eg_image_grant_grace(image, datapath->image, fresh, eg_now_ns());
}

uint64_t eg_datapath_next_grace_ns(const struct eg_datapath *datapath)
{
	return eg_image_next_grace_ns(datapath->image, eg_now_ns());
}

bool eg_datapath_has(const struct eg_datapath *datapath, uint32_t slot, enum eg_workload_flag flag)
{
	return eg_image_has(datapath->image, slot, flag);
}

void eg_datapath_list_flags(const struct eg_datapath *datapath, uint32_t *ret_flags)
{
	eg_image_list_flags(datapath->image, ret_flags);
}

uint64_t eg_datapath_generation(const struct eg_datapath *datapath)
{
	return datapath->control.generation;
}

uint64_t eg_datapath_shortest_timeout_ms(const struct eg_datapath *datapath)
{
	return eg_image_shortest_timeout_ms(datapath->image);
}
