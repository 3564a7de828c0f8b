/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_WATCHES_H
#define EG_WATCHES_H

/*
 * Tells the daemon that policy files or cgroups may have changed: by inotify, and
 * where that has come to a limit of the node by a look every EG_RESCAN_S seconds,
 * until it works again.
 */
#include <stddef.h>

#include "base/loop.h"
#include "config/watch.h"
#include "policy/model.h"
#include "workload/discover.h"

#define EG_RESCAN_S 10

/* Callbacks of a loop: other than 0 ends it. */
struct eg_watch_handlers {
	int (*policy_changed)(void *context);
	int (*cgroups_changed)(void *context);
	int (*limited)(void *context); /* policy_error or cgroup_error is another now */
};

struct eg_watches {
	struct eg_loop *loop; /* not owned, as the next two */
	const struct eg_watch_handlers *handlers;
	void *context;
	struct eg_timer *rescan_timer;
	struct eg_policy_watch *policy;
	const char *const *paths;
	size_t path_count;
	struct eg_cgroup_watch *cgroups;
	const char *mount_point;
	const struct eg_model *model; /* that cgroups are followed for; NULL: none yet */
	int policy_error;             /* 0, or -errno: why a look is taken every EG_RESCAN_S seconds */
	int cgroup_error;
};

void eg_watches_clear(struct eg_watches *watches);

/* Begins with the policy files; the paths must live as long. 0, or -errno; what inotify refuses is no error. */
int eg_watches_open(struct eg_loop *loop, const struct eg_watch_handlers *handlers, void *context,
		    const char *const *paths, size_t path_count, struct eg_watches *watches);
/*
 * Watches the cgroups that the model's Workloads lead through; call it before they are
 * looked for. The model must live until the next call or the end. As above.
 */
int eg_watches_follow(struct eg_watches *watches, const char *mount_point, const struct eg_model *model);

#endif
