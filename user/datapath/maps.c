/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "datapath/maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/cleanup.h"

static const __u32 only_entry = 0;

/*
 * Entries of an array from `first` on, at most `count`, in one call instead of thousands. How many they are: fewer
 * where the array ends; or -errno.
 */
static int read_array(int fd, uint32_t first, uint32_t count, void *values)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);
	_cleanup_free_ __u32 *keys = calloc(count, sizeof(*keys));
	__u32 before = first - 1, last;
	int r;

	if (!keys)
		return -ENOMEM;
	r = bpf_map_lookup_batch(fd, first > 0 ? &before : NULL, &last, keys, values, &count, &options);
	return r < 0 && r != -ENOENT ? r : (int)count;
}

int eg_maps_read_control(const struct eg_maps *maps, struct eg_control *ret_control)
{
	return bpf_map_lookup_elem(maps->control, &only_entry, ret_control);
}

int eg_maps_read_agent(const struct eg_maps *maps, struct eg_agent *ret_agent)
{
	return bpf_map_lookup_elem(maps->agent, &only_entry, ret_agent);
}

int eg_maps_write_agent(const struct eg_maps *maps, const struct eg_agent *agent)
{
	return bpf_map_update_elem(maps->agent, &only_entry, agent, BPF_ANY);
}

int eg_maps_read_retired(const struct eg_maps *maps, struct eg_retired *ret_retired)
{
	return bpf_map_lookup_elem(maps->retired, &only_entry, ret_retired);
}

int eg_maps_read_info(const struct eg_maps *maps, uint32_t slot, struct eg_slot_info *ret_info)
{
	return bpf_map_lookup_elem(maps->infos, &slot, ret_info);
}

int eg_maps_read_infos(const struct eg_maps *maps, struct eg_slot_info ret_infos[EG_SLOTS_MAX])
{
	int r = read_array(maps->infos, 0, EG_SLOTS_MAX, ret_infos);

	return r < 0 ? r : 0;
}

int eg_maps_write_info(const struct eg_maps *maps, uint32_t slot, const struct eg_slot_info *info)
{
	return bpf_map_update_elem(maps->infos, &slot, info, BPF_ANY);
}

int eg_maps_forget_cgroup(const struct eg_maps *maps, uint64_t cgroup_id)
{
	int r = bpf_map_delete_elem(maps->enrolled, &cgroup_id);

	return r == -ENOENT ? 0 : r;
}

bool eg_maps_is_enrolled(const struct eg_maps *maps, uint64_t cgroup_id)
{
	__u32 slot;

	return bpf_map_lookup_elem(maps->enrolled, &cgroup_id, &slot) != -ENOENT;
}

int eg_maps_list_gates(const struct eg_maps *maps, struct eg_gate_list *gates)
{
	struct eg_gate gate = {};
	void *previous = NULL;
	int r;

	while ((r = bpf_map_get_next_key(maps->gates, previous, &gate.cgroup_id)) == 0) {
		uint64_t id = gate.cgroup_id;

		r = bpf_map_lookup_elem(maps->gates, &id, &gate.info);
		/* It may go while we look. */
		if (r == 0)
			r = eg_array_push(&gates->list, gate);
		if (r < 0 && r != -ENOENT)
			return r;
		previous = &gate.cgroup_id;
	}
	return r == -ENOENT ? 0 : r;
}

int eg_maps_read_slot(const struct eg_maps *maps, uint32_t slot, struct eg_slot *ret_slot)
{
	return bpf_map_lookup_elem(maps->slots, &slot, ret_slot);
}

int eg_maps_read_slots(const struct eg_maps *maps, uint32_t first, uint32_t count, struct eg_slot *ret_slots)
{
	return read_array(maps->slots, first, count, ret_slots);
}

int eg_maps_read_counts(const struct eg_maps *maps, uint32_t slot, struct eg_slot_counts *ret_counts)
{
	struct eg_slot value;
	int r = eg_maps_read_slot(maps, slot, &value);

	if (r == 0)
		*ret_counts = value.counts;
	return r;
}

/* A bank that went idle while it was read may have been written to meanwhile. */
int eg_maps_read_policy(const struct eg_maps *maps, uint32_t slot, struct eg_workload_policy *ret_policy)
{
	struct eg_control before, after;
	int r = eg_maps_read_control(maps, &after);

	do {
		before = after;
		if (r == 0)
			r = bpf_map_lookup_elem(maps->tables[!!before.active][EG_TABLE_WORKLOADS], &slot, ret_policy);
		if (r == 0)
			r = eg_maps_read_control(maps, &after);
	} while (r == 0 && after.generation != before.generation);
	return r;
}

/* ---- the policy in force ---- */

/* Entries as eg_table_fill() takes them. */
struct entries {
	char *items;
	size_t count, capacity;
};

static int add_entry(struct entries *entries, const struct eg_table_image *table, const void *key, const void *value)
{
	size_t size = table->key_size + table->value_size;
	int r = eg_array_grow((void **)&entries->items, entries->count, &entries->capacity, size);
	char *entry = r < 0 ? NULL : entries->items + entries->count++ * size;

	if (r < 0)
		return r;
	memcpy(entry, key, table->key_size);
	memcpy(entry + table->key_size, value, table->value_size);
	return 0;
}

/* An array has an entry for every slot. */
static int read_workloads(int fd, const struct eg_table_image *table, struct entries *entries)
{
	_cleanup_free_ struct eg_workload_policy *workloads = calloc(EG_SLOTS_MAX, sizeof(*workloads));
	int count = workloads ? read_array(fd, 0, EG_SLOTS_MAX, workloads) : -ENOMEM, r = 0;

	for (__u32 slot = 0; (int)slot < count && r == 0; slot++)
		if (workloads[slot].flags & EG_WORKLOAD_PRESENT)
			r = add_entry(entries, table, &slot, &workloads[slot]);
	return count < 0 ? count : r;
}

/* A trie needs memory for each step, which the kernel may not have: that is not its end. */
static int read_others(int fd, const struct eg_table_image *table, struct entries *entries)
{
	char key[sizeof(struct eg_prefix_key)], value[sizeof(struct eg_rules)], *previous = NULL;
	int r;

	while ((r = bpf_map_get_next_key(fd, previous, key)) == 0) {
		r = bpf_map_lookup_elem(fd, key, value);
		if (r == 0)
			r = add_entry(entries, table, key, value);
		if (r < 0)
			return r;
		previous = key;
	}
	return r == -ENOENT ? 0 : r;
}

static int read_table(int fd, enum eg_table which, struct eg_table_image *table)
{
	struct entries entries = {};
	int r = which == EG_TABLE_WORKLOADS ? read_workloads(fd, table, &entries) : read_others(fd, table, &entries);

	if (r == 0)
		r = eg_table_fill(table, entries.items, entries.count);
	free(entries.items);
	return r;
}

static int read_bank(const struct eg_maps *maps, unsigned int bank, struct eg_image **ret_image)
{
	_cleanup_(eg_image_freep) struct eg_image *image = eg_image_new();
	int r = image ? 0 : -ENOMEM;

	for (enum eg_table table = 0; table < EG_TABLE_COUNT && r == 0; table++)
		r = read_table(maps->tables[bank][table], table, &image->tables[table]);
	if (r == 0)
		*ret_image = TAKE_PTR(image);
	return r;
}

/* A large policy takes seconds, and each pod that comes or goes makes another generation: there may be no end of it. */
#define IMAGE_TRIES 16

/* 0, -ESTALE for one that another generation has followed meanwhile, or -errno. */
static int read_image_once(const struct eg_maps *maps, struct eg_image **ret_image)
{
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	struct eg_control before, after;
	int found, r = eg_maps_read_control(maps, &before);

	if (r < 0)
		return r;
	found = read_bank(maps, !!before.active, &image);
	r = eg_maps_read_control(maps, &after);
	if (r < 0)
		return r;
	/* A bank that went idle is written to: what was read of it counts no more, be it an entry that went meanwhile. */
	if (after.generation != before.generation)
		return -ESTALE;
	*ret_image = TAKE_PTR(image);
	return found;
}

int eg_maps_read_image(const struct eg_maps *maps, struct eg_image **ret_image)
{
	struct eg_image *image = NULL;
	int r = -ESTALE;

	for (unsigned int tries = 0; tries < IMAGE_TRIES && r == -ESTALE; tries++)
		r = read_image_once(maps, &image);
	if (r == 0)
		*ret_image = image;
	return r;
}

/* ---- counts ---- */

void eg_counts_add(struct eg_slot_counts *sum, const struct eg_slot_counts *counts)
{
	__u64 *to = (__u64 *)sum;
	const __u64 *from = (const __u64 *)counts;

	_Static_assert(sizeof(*sum) % sizeof(*to) == 0, "nothing but counters");
	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
}

int eg_maps_wait_for_programs(const struct eg_maps *maps, int *grace_fd)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .inner_map_fd = maps->control);

	if (*grace_fd < 0)
		*grace_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "eg_grace", sizeof(only_entry), sizeof(__u32), 1,
					   &options);
	if (*grace_fd < 0)
		return *grace_fd;
	return bpf_map_update_elem(*grace_fd, &only_entry, &maps->control, BPF_ANY);
}

/* ---- giving a slot back ---- */

/* Connections that outlive their slot are nobody's any more: total = active + destroyed holds for the sum too. */
static void settle(struct eg_cluster_counts *counts, const struct eg_cluster_state *state)
{
	counts->connect_cancelled += eg_held_pending(state->held);
	counts->closed_local += eg_held_connections(state->held) - eg_held_pending(state->held);
}

static int add_to_retired(const struct eg_maps *maps, struct eg_slot *value, uint32_t slot)
{
	struct eg_retired retired;
	struct eg_slot_info info;
	int r = eg_maps_read_retired(maps, &retired);

	if (r < 0 || retired.folding == slot)
		return r;
	r = eg_maps_read_info(maps, slot, &info);
	if (r < 0)
		return r;
	settle(&value->counts.ipv4.cluster, &value->state.ipv4);
	settle(&value->counts.ipv6.cluster, &value->state.ipv6);
	eg_counts_add(&retired.counts, &value->counts);
	retired.folding = slot;
	/* One that is free has been counted: whoever asks does not know that it is done. */
	retired.slots += info.use != EG_SLOT_FREE;
	return bpf_map_update_elem(maps->retired, &only_entry, &retired, BPF_ANY);
}

static int finish_retired(const struct eg_maps *maps)
{
	struct eg_retired retired;
	int r = eg_maps_read_retired(maps, &retired);

	if (r < 0)
		return r;
	retired.folding = 0;
	return bpf_map_update_elem(maps->retired, &only_entry, &retired, BPF_ANY);
}

/* One walk for all slots: the table is large, however little is in it. */
static int drop_destinations(const struct eg_maps *maps, const struct eg_slot_set *slots)
{
	struct eg_destinations destinations = {};
	int r = eg_maps_read_destinations(maps, EG_ALL_SLOTS, &destinations);

	for (size_t i = 0; r == 0 && i < destinations.list.len; i++) {
		if (!slots->has[destinations.list.items[i].key.slot])
			continue;
		r = bpf_map_delete_elem(maps->dests, &destinations.list.items[i].key);
		if (r == -ENOENT)
			r = 0;
	}
	eg_array_clear(&destinations.list);
	return r;
}

static int fold(const struct eg_maps *maps, uint32_t slot)
{
	static const struct eg_slot_info free_info;
	struct eg_slot value, next = {};
	int r = eg_maps_read_slot(maps, slot, &value);

	/* What is still held by a socket of the last owner must never be given back to the next one. */
	next.state.epoch = value.state.epoch + 1;
	if (r == 0)
		r = add_to_retired(maps, &value, slot);
	if (r == 0)
		r = bpf_map_update_elem(maps->slots, &slot, &next, BPF_ANY);
	/*
	 * The fold is forgotten while the slot still belongs to nobody else: the next
	 * owner's totals would be taken for folded. Killed in between, a successor folds
	 * the zeroes once more, which is harmless.
	 */
	if (r == 0)
		r = finish_retired(maps);
	if (r == 0)
		r = eg_maps_write_info(maps, slot, &free_info);
	return r;
}

/* eg_retired has one place to note which slot is folded: the next one's number would take it, and the counts be added again. */
int eg_maps_finish_fold(const struct eg_maps *maps)
{
	struct eg_retired retired;
	int r = eg_maps_read_retired(maps, &retired);

	return r < 0 || retired.folding == 0 ? r : fold(maps, retired.folding);
}

int eg_maps_retire_slots(const struct eg_maps *maps, const struct eg_slot_set *slots)
{
	int r = eg_maps_finish_fold(maps);

	if (r == 0)
		r = drop_destinations(maps, slots);
	for (uint32_t slot = 0; slot < EG_SLOTS_MAX && r == 0; slot++)
		if (slots->has[slot])
			r = fold(maps, slot);
	return r;
}

int eg_maps_retire_slot(const struct eg_maps *maps, uint32_t slot)
{
	struct eg_slot_set slots = {};

	eg_slot_set_add(&slots, slot);
	return eg_maps_retire_slots(maps, &slots);
}

/* ---- destinations ---- */

int eg_destination_compare(const struct eg_destination *a, const struct eg_destination *b)
{
	const struct eg_dest_key *x = &a->key, *y = &b->key;
	int order;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	order = eg_flow_compare(&x->flow, &y->flow);
	if (order != 0)
		return order;
	if (x->reason != y->reason)
		return (int)x->reason - (int)y->reason;
	return (int)x->verdict - (int)y->verdict;
}

static int compare_destinations(const void *a, const void *b)
{
	return eg_destination_compare(a, b);
}

/* An entry may vanish between the two calls. */
static int add_destination(int fd, const struct eg_dest_key *key, uint32_t slot, struct eg_destinations *destinations)
{
	struct eg_destination destination = {.key = *key};
	int r;

	if (slot != EG_ALL_SLOTS && key->slot != slot)
		return 0;
	r = bpf_map_lookup_elem(fd, key, &destination.seen);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return eg_array_push(&destinations->list, destination);
}

/* The kernel starts over when the entry that we stand on was removed: what was read twice stands side by side. */
static void sort_destinations(struct eg_destinations *destinations)
{
	struct eg_destination *items = destinations->list.items;
	size_t kept = 0;

	if (destinations->list.len == 0)
		return;
	qsort(items, destinations->list.len, sizeof(*items), compare_destinations);
	for (size_t i = 1; i < destinations->list.len; i++)
		if (compare_destinations(&items[kept], &items[i]) != 0)
			items[++kept] = items[i];
	destinations->list.len = kept + 1;
}

int eg_maps_read_destinations(const struct eg_maps *maps, uint32_t slot, struct eg_destinations *ret_destinations)
{
	struct eg_dest_key key, *previous = NULL;
	int r;

	while ((r = bpf_map_get_next_key(maps->dests, previous, &key)) == 0) {
		r = add_destination(maps->dests, &key, slot, ret_destinations);
		if (r < 0)
			return r;
		previous = &key;
	}
	if (r != -ENOENT)
		return r;
	sort_destinations(ret_destinations);
	return 0;
}
