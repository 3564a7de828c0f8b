/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_ENROL_H
#define EG_ENROL_H

/*
 * The life of the slots: cgroups are enrolled, move and leave as a plan says
 * (workload/slots.h), and what a killed agent began is finished.
 */
#include <stdbool.h>
#include <stdint.h>

#include "datapath/datapath.h"
#include "policy/compile.h"
#include "workload/slots.h"

/* The guard, and what a redirect needs. */
#define EG_EXTRAS 2

struct eg_roster {
	struct eg_datapath *datapath; /* not owned, as the next */
	const char *mount_point;      /* of cgroup v2 */
	struct eg_slot_info *infos;   /* what eg_infos says, EG_SLOTS_MAX entries */
	bool *attached;               /* slots whose links this process has seen complete, EG_SLOTS_MAX entries */
	bool *extra[EG_EXTRAS];       /* slots that may have these, EG_SLOTS_MAX entries each */
	bool *may_filter;	      /* slots that may have the filter of what comes in (incoming.h), EG_SLOTS_MAX entries */
};

void eg_roster_clear(struct eg_roster *roster);

/* Reads what the slots stand for, and finishes what a predecessor was killed in. 0, or -errno. */
int eg_roster_open(struct eg_datapath *datapath, const char *mount_point, struct eg_roster *ret_roster);

/*
 * The guard, and what a redirect needs, of slots that are enrolled already: on before the
 * image that wants it comes into force, and off, where the policy in force does not want
 * it, afterwards. 0, or -errno.
 */
int eg_roster_add_extras(struct eg_roster *roster, const struct eg_image *image);
int eg_roster_remove_extras(struct eg_roster *roster);

/* Whether a slot has a cgroup. */
bool eg_roster_has_any(const struct eg_roster *roster);

/* Whether the plans let go of a cgroup that is enrolled and still there. */
bool eg_roster_lets_go(const struct eg_roster *roster, const struct eg_slot_plans *plans);

/* The directory of a slot's cgroup. A descriptor, -ENOENT when it is gone or another one now, or -errno. */
int eg_roster_open_cgroup(const struct eg_roster *roster, uint32_t slot);

/* Whether links and slots are what the plans say already. */
bool eg_roster_is_done(const struct eg_roster *roster, const struct eg_slot_plans *plans);
/*
 * Brings links and slots to what the plans say; their policy is in force already.
 * Those that come do not wait until those that go are forgotten. 0, or -errno. What
 * could not be attached is logged and sets *ret_try_again: the same plans, made
 * anew, have it again.
 */
int eg_roster_carry_out(struct eg_roster *roster, const struct eg_slot_plans *plans, bool *ret_try_again);

#endif
