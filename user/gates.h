/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_GATES_H
#define EG_GATES_H

/*
 * Which cgroups have a gate (unenrolled: refuse), and which a policy wants one on.
 * Functions return 0, or -errno.
 */
#include <stdbool.h>

#include "base/array.h"
#include "datapath/datapath.h"
#include "policy/model.h"

struct eg_standing_gate {
	struct eg_gate gate;
	bool is_attached; /* this process has seen its links complete */
};

struct eg_gates {
	EG_ARRAY(struct eg_standing_gate) list;
};

void eg_gates_clear(struct eg_gates *gates);

/* Those that an agent before us has pinned below `directory`, be they complete or not. */
int eg_gates_recover(struct eg_datapath *datapath, const char *directory, struct eg_gates *gates);
/* Those that a policy asks for. */
int eg_gates_list_wanted(const char *mount_point, const struct eg_model *model, struct eg_gates *wanted);

/* Whether there is a gate where one is wanted, for whom it is wanted, and nowhere else. */
bool eg_gates_are_done(const struct eg_gates *gates, const struct eg_gates *wanted);
/*
 * Ends the gates that are not wanted any more. Called before cgroups are let go:
 * without its gate a cgroup that leaves is as free as its policy says.
 */
int eg_gates_remove_old(struct eg_gates *gates, struct eg_datapath *datapath, const struct eg_gates *wanted);
/*
 * Adds the gates that lack, and what lacks of those that are there. Called after
 * cgroups are enrolled: what is allowed is not refused in between.
 */
int eg_gates_add_new(struct eg_gates *gates, struct eg_datapath *datapath, const char *mount_point,
		     const struct eg_gates *wanted);

#endif
