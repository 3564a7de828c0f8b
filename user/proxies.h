/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_PROXIES_H
#define EG_PROXIES_H

/*
 * The cgroups of proxies (Workload.redirect.proxyCgroup): which there are, which are
 * told where connections wanted to go, and whose proxy they are.
 * Functions return 0, or -errno.
 */
#include "base/array.h"
#include "datapath/datapath.h"
#include "workload/slots.h"

struct eg_proxy {
	uint32_t slot;		/* of the workload whose traffic it gets; 0 where nobody asks for it any more */
	uint64_t cgroup_id;	/* 0: it is not there */
	char *cgroup;		/* below the mount, with its leading slash; NULL: not known */
};

struct eg_proxies {
	EG_ARRAY(struct eg_proxy) list;
};

void eg_proxies_clear(struct eg_proxies *proxies);

/* Those that an agent before us has pinned below `directory`, be their links complete or not. */
int eg_proxies_recover(const char *directory, struct eg_proxies *proxies);
/* Those that a policy asks for: one for each slot that has one. */
int eg_proxies_list_wanted(const char *mount_point, const struct eg_slot_plans *plans, struct eg_proxies *wanted);
/* The id of a slot's; 0: it has none. */
uint64_t eg_proxies_find(const struct eg_proxies *proxies, uint32_t slot);
/* Whether these are served, and no others. */
bool eg_proxies_are_done(const struct eg_proxies *proxies, const struct eg_proxies *wanted);

/*
 * Serves those that are wanted, before their workloads redirect; and no others, after
 * they do not any more: `wanted` is *proxies from then on, and empty. What the first has
 * served for a policy that did not come into force, the next call of the second leaves.
 */
int eg_proxies_add_new(struct eg_proxies *proxies, struct eg_datapath *datapath, const char *mount_point,
		       const struct eg_proxies *wanted);
int eg_proxies_remove_old(struct eg_proxies *proxies, struct eg_datapath *datapath, struct eg_proxies *wanted);

#endif
