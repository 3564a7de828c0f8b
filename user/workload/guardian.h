/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_WORKLOAD_GUARDIAN_H
#define EG_WORKLOAD_GUARDIAN_H

/*
 * A second process that holds the links of a run, so that the command never
 * outlives its enforcement: when the runner dies, the guardian kills the
 * command's cgroup, waits until it is empty, removes it, and only then lets the
 * links go.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "workload/cgroup.h"

struct eg_guardian {
	pid_t pid;	/* a child of the runner */
	int pid_fd;	/* readable once it has ended */
	int leash_fd;	/* whoever holds this end is the runner; closing it is all it can say */
};

#define EG_GUARDIAN_NONE ((struct eg_guardian){.pid = -1, .pid_fd = -1, .leash_fd = -1})

/* Forks it. link_fds are what it holds. 0, or -errno. */
int eg_guardian_start(const struct eg_cgroup *cgroup, const int *link_fds, size_t link_count,
		      struct eg_guardian *ret_guardian);
/*
 * Lets it go: it does what is left to do, as if the runner had died, and ends.
 * Waiting for that is for when nothing is left, or it has ended.
 */
void eg_guardian_release(struct eg_guardian *guardian, bool wait);

#endif
