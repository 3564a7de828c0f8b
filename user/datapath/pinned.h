/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_PINNED_H
#define EG_DATAPATH_PINNED_H

/* The maps that an agent has pinned, be it dead or alive, and whose slots they count for. */
#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "datapath/pins.h"

/* A slot in use, and whose it is. */
struct eg_pinned_slot {
	uint32_t slot;
	struct eg_slot_info info;
};

struct eg_pinned {
	char *directory;
	struct eg_maps maps;
	EG_ARRAY(struct eg_pinned_slot) slots; /* in order of their numbers */
};

#define EG_PINNED_NONE ((struct eg_pinned){.maps = EG_MAPS_NONE})

/* Adds the slots that `workload` names, every slot in use for NULL. 0, or -errno. */
int eg_pinned_list_slots(const struct eg_maps *maps, const char *workload, struct eg_pinned *pinned);
/* Whether a slot of this name belongs to what a user called `workload`. */
bool eg_pinned_is_named(const char *name, const char *workload);
/* The name of a slot's workload; NULL for one that is not listed. */
const char *eg_pinned_name(const struct eg_pinned *pinned, uint32_t slot);

#endif
