/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_LOOKUPS_H
#define EG_DATAPATH_LOOKUPS_H

/*
 * sk_lookup programs on network namespaces: they refuse clients that may not come in to a
 * workload whose own a namespace is. Pinned beside the links on cgroups:
 *
 *   egressd/netns/sSLOT_INODE   the inode number of the namespace
 */
#include <stdint.h>

#include "base/array.h"
#include "datapath/datapath.h"

/* One pinned link, as its name says and as the kernel says. */
struct eg_lookup {
	uint32_t slot;
	uint32_t netns;		/* of the name */
	uint32_t live_netns;	/* of the link; 0: its namespace is gone, or somebody has detached it */
	uint32_t program_id;	/* as the kernel numbers programs */
};

struct eg_lookup_list {
	EG_ARRAY(struct eg_lookup) list;
};

/* 0, or -errno with *ret_problem (malloc). */
int eg_pins_list_lookups(const char *directory, struct eg_lookup_list *ret_lookups, char **ret_problem);
/* The same of a datapath that pins, whose folder is there unless somebody unmounted it: -ESTALE. 0, or -errno. */
int eg_datapath_list_lookups(const struct eg_datapath *datapath, struct eg_lookup_list *ret_lookups);

/* Attaches one and pins it; what was pinned for this slot and namespace goes. 0, or -errno. */
int eg_datapath_add_lookup(struct eg_datapath *datapath, int netns_fd, uint32_t netns, uint32_t slot);
/* Detaches and unpins it. 0 also when it is gone, or -errno. */
int eg_datapath_remove_lookup(const struct eg_datapath *datapath, const struct eg_lookup *lookup);
/* Each goes over to the program of this build, without a moment in which there is none. 0, or -errno. */
int eg_datapath_adopt_lookups(struct eg_datapath *datapath);

/* Detaches and unpins those of the slots. 0, or -errno with *ret_problem (malloc). */
int eg_pins_remove_lookups_of(const char *directory, const struct eg_slot_set *slots, char **ret_problem);

/* A program of somebody else that the kernel asks in the same namespace. */
struct eg_other_lookup {
	uint32_t program_id;
	uint32_t netns;
	char name[16];
};

struct eg_other_lookups {
	EG_ARRAY(struct eg_other_lookup) list;
};

/* Every sk_lookup program of the node that is linked to a namespace and is none of ours. 0, or -errno. */
int eg_inspect_other_lookups(const struct eg_lookup_list *ours, struct eg_other_lookups *ret_others);

#endif
