/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_ENFORCED_H
#define EG_ENFORCED_H

/*
 * What a policy brings about on a node: which cgroups are enrolled, have a gate, are looked after
 * at their doors, and whose proxies are served. It changes as one with the policy in force.
 */
#include <stdbool.h>

#include "base/diag.h"
#include "datapath/datapath.h"
#include "enrol.h"
#include "gates.h"
#include "incoming.h"
#include "loaded.h"
#include "proxies.h"

struct eg_enforced {
	struct eg_datapath *datapath;	/* not owned, as the next */
	const char *mount_point;	/* of cgroup v2 */
	struct eg_roster roster;
	struct eg_gates gates;
	struct eg_doors doors;
	struct eg_proxies proxies;
	int unfinished;	/* why not all is done that follows from the policy in force, -errno; 0: it is */
};

/* What the caller is to see to, and when. */
struct eg_enforced_next {
	bool judge_open;	/* connections that are open may be forbidden now */
	bool look_soon;		/* eg_enforced_update(): somebody has made room */
	bool look_later;	/* the same: something could not be attached */
	bool follow_doors;	/* eg_enforced_follow_doors(), in EG_INCOMING_LOOK_MS: nobody tells when that changes */
};

/* Finds what an agent before this one left, in the pins below `directory`. 0, or -errno. */
int eg_enforced_open(struct eg_enforced *enforced, const char *directory);
void eg_enforced_clear(struct eg_enforced *enforced);

/*
 * Puts a policy in force, and its cgroups get slots, as one: what cannot be compiled or applied leaves all as it is. Once
 * it is in force it stays so: what fails then is kept in `unfinished`. `is_known`: a policy that was taken before goes
 * on without what an error in diag is about: a cgroup that somebody made must not keep others from being enrolled. It
 * cannot be the one that was taken if it lets go of a cgroup that is there: with an error it is refused like any other.
 * 0, -EBADMSG with diag, or -errno; *next is to be seen to in any case.
 */
int eg_enforced_replace(struct eg_enforced *enforced, const struct eg_loaded *policy, bool is_known,
			struct eg_diag *diag, struct eg_enforced_next *next);
/* The same for the policy in force, as the node is now: a look that finds no other cgroups makes no generation. */
int eg_enforced_update(struct eg_enforced *enforced, const struct eg_loaded *policy, struct eg_diag *diag,
		       struct eg_enforced_next *next);

/* Who looks at clients that come in depends on the namespaces of processes. What fails is logged and tried again. */
void eg_enforced_follow_doors(struct eg_enforced *enforced, struct eg_enforced_next *next);

#endif
