/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "datapath/pinned.h"

#include <errno.h>
#include <string.h>

bool eg_pinned_is_named(const char *name, const char *workload)
{
	size_t len = strlen(workload);

	return strncmp(name, workload, len) == 0 && (name[len] == '\0' || name[len] == ':');
}

int eg_pinned_list_slots(const struct eg_maps *maps, const char *workload, struct eg_pinned *pinned)
{
	struct eg_pinned_slot slot = {.slot = 1};
	int r;

	for (; (r = eg_maps_read_info(maps, slot.slot, &slot.info)) == 0; slot.slot++) {
		if (slot.info.use == EG_SLOT_FREE || (workload && !eg_pinned_is_named(slot.info.name, workload)))
			continue;
		r = eg_array_push(&pinned->slots, slot);
		if (r < 0)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

const char *eg_pinned_name(const struct eg_pinned *pinned, uint32_t slot)
{
	for (size_t i = 0; i < pinned->slots.len; i++)
		if (pinned->slots.items[i].slot == slot)
			return pinned->slots.items[i].info.name;
	return NULL;
}
