/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_WORKLOAD_DISCOVER_H
#define EG_WORKLOAD_DISCOVER_H

/* Which cgroups the Workloads of a policy are about, and word of those that come and go. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/diag.h"
#include "policy/model.h"
#include "workload/cgroup.h"

/* A cgroup that is there and is to be enrolled. */
struct eg_instance {
	const struct eg_workload *workload;
	char *name;		/* the workload's; NAME:RELPATH for one that a glob found */
	char *cgroup;		/* below the mount, with its leading slash */
	uint64_t cgroup_id;	/* inode number of its directory when it was seen */
};

struct eg_instances {
	EG_ARRAY(struct eg_instance) list;	/* sorted by cgroup path, parents right before what is below */
};

void eg_instances_clear(struct eg_instances *instances);

/*
 * Every cgroup that a Workload names; the list points into the model. A literal
 * path beats a glob, the longer literal prefix (up to the first wildcard) beats the
 * shorter, a tie is an error in diag. A cgroup below an enrolled one is never
 * enrolled apart, whatever names it, with a warning for each Workload that is
 * concerned. The root cgroup is an error, and so is a name or path that the maps
 * cannot hold. What is not there yet is no mistake. RELPATH is the path below the
 * glob's literal directories. What an error is about is not in the list, all else
 * is. 0, or -errno without a list.
 */
int eg_instances_discover(const char *mount_point, const struct eg_model *model, struct eg_diag *diag,
			  struct eg_instances *ret_instances);

/* Whether a path leads through the cgroup `ancestor`, and further. */
bool eg_cgroup_is_below(const char *path, const char *ancestor);

/* The directory, below the mount, that a pattern begins in: the part before the wildcard. 0 with malloc(), or -errno. */
int eg_pattern_directory(const char *pattern, char **ret_path);

/*
 * A descriptor that becomes readable when the answer of eg_instances_discover()
 * may have changed: directories that the paths and globs lead through are watched
 * with inotify.
 */
struct eg_cgroup_watch;
int eg_cgroup_watch_new(const char *mount_point, struct eg_cgroup_watch **ret_watch);
struct eg_cgroup_watch *eg_cgroup_watch_free(struct eg_cgroup_watch *watch);
EG_DEFINE_CLEANUP(struct eg_cgroup_watch *, eg_cgroup_watch_free)
int eg_cgroup_watch_fd(const struct eg_cgroup_watch *watch);
/*
 * Watches what this model's Workloads lead through, and no longer what an earlier
 * one's did; call it before eg_instances_discover(), so that nothing comes between.
 * The model need not outlive the call. 0, or -errno with everything watched as it
 * was: -ENOSPC when fs.inotify.max_user_watches is used up.
 */
int eg_cgroup_watch_follow(struct eg_cgroup_watch *watch, const struct eg_model *model);
/*
 * Takes the events off and follows new directories. 1 when something may have
 * changed, 0 when not. -errno as above: something may have changed too, and what
 * could not be followed is tried again with the next event. -EOVERFLOW: events were
 * lost, and all is watched as before.
 */
int eg_cgroup_watch_drain(struct eg_cgroup_watch *watch);

#endif
