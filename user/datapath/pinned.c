/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "datapath/pinned.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "datapath/pinning.h"

bool eg_pinned_is_named(const char *name, const char *workload)
{
	size_t len = strlen(workload);

	return strncmp(name, workload, len) == 0 && (name[len] == '\0' || name[len] == ':');
}

int eg_entries_map(int map_fd, size_t size, struct eg_entries *ret_entries)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	const void *values;

	if (bpf_obj_get_info_by_fd(map_fd, &info, &len) < 0)
		return -errno;
	values = mmap(NULL, info.max_entries * size, PROT_READ, MAP_SHARED, map_fd, 0);
	if (values == MAP_FAILED)
		return -errno;
	*ret_entries = (struct eg_entries){values, info.max_entries, size};
	return 0;
}

void eg_entries_unmap(struct eg_entries *entries)
{
	if (entries->values)
		munmap((void *)entries->values, entries->count * entries->size);
	*entries = (struct eg_entries){};
}

int eg_pinned_list_slots(const struct eg_maps *maps, const char *workload, struct eg_pinned *pinned)
{
	_cleanup_(eg_entries_unmap) struct eg_entries entries = {};
	int r = eg_entries_map(maps->infos, sizeof(struct eg_slot_info), &entries);

	for (uint32_t slot = 1; slot < entries.count && r == 0; slot++) {
		const struct eg_slot_info *info = (const struct eg_slot_info *)entries.values + slot;

		if (*(const volatile __u32 *)&info->use != EG_SLOT_FREE &&
		    (!workload || eg_pinned_is_named(info->name, workload)))
			r = eg_array_push(&pinned->slots, {slot, *info});
	}
	return r;
}

const char *eg_pinned_name(const struct eg_pinned *pinned, uint32_t slot)
{
	for (size_t i = 0; i < pinned->slots.len; i++)
		if (pinned->slots.items[i].slot == slot)
			return pinned->slots.items[i].info.name;
	return NULL;
}
