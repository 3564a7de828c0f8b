/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_WORKLOAD_CGROUP_H
#define EG_WORKLOAD_CGROUP_H

/* cgroup v2: where it is mounted, the caller's place in it, and cgroups of our own. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The directory where the whole cgroup v2 tree is mounted (its root, not a part). 0
 * with *ret_path (malloc), -ENOENT when there is none, or -errno.
 */
int eg_cgroup_mount_point(char **ret_path);
/* Whether cgroup v2 is what can be seen at a path. */
bool eg_cgroup_is_mounted(const char *path);

/* The directory of the cgroup with this id. 0 with *ret_path (malloc), -ESTALE when it is gone, or -errno. */
int eg_cgroup_find_path(uint64_t id, char **ret_path);
/* False also where that cannot be told. */
bool eg_cgroup_is_there(uint64_t id);

/*
 * The directory of the calling process's cgroup, below wherever cgroup v2 is
 * mounted. 0 with *ret_path (malloc), -ENOENT when no mount of cgroup v2 shows it,
 * or -errno.
 */
int eg_cgroup_own_path(char **ret_path);

/* The same of another process: -ENOENT also when it is gone. */
int eg_cgroup_path_of(pid_t pid, char **ret_path);

/*
 * Calls take() with each process of the cgroup itself, not of those below, until it
 * returns other than 0: that value; or 0 (also when the cgroup is gone), or -errno.
 */
int eg_cgroup_each_process(int cgroup_fd, int (*take)(pid_t pid, void *context), void *context);

/* What the kernel says of a cgroup, or of a file in it, that was removed. `error` is an errno. */
bool eg_cgroup_is_gone(int error);

/* Whether a process is in it or below; what cannot be read may have some. */
bool eg_cgroup_has_processes(int cgroup_fd);

/*
 * The same for the cgroup and those below it. -ELOOP: all that can be reached was taken, but some are nested more deeply than
 * is looked at (64), and may have processes.
 */
int eg_cgroup_each_process_below(int cgroup_fd, int (*take)(pid_t pid, void *context), void *context);

/* A cgroup that this process made, held by descriptors: its path may be renamed or hidden, they stay. */
struct eg_cgroup {
	int parent_fd;
	int fd;
	char *name;	/* below the parent */
	char *path;	/* for people */
};

/*
 * Makes a new cgroup below parent_path, called `name`, or name-1, name-2... when
 * that is taken. 0, or -errno with nothing made.
 */
int eg_cgroup_create(const char *parent_path, const char *name, struct eg_cgroup *ret_cgroup);
/* Closes the descriptors; the cgroup stays. */
void eg_cgroup_close(struct eg_cgroup *cgroup);

/* Kills every process in it and below. 0 (also when it is gone), or -errno. */
int eg_cgroup_kill(const struct eg_cgroup *cgroup);
/* Waits until no process is left in it or below. 0, -ETIMEDOUT after timeout_ms (-1: for ever), or -errno. */
int eg_cgroup_wait_empty(const struct eg_cgroup *cgroup, int timeout_ms);
/* Removes it with all cgroups below; it must be empty of processes. 0 (also when it is gone), or -errno. */
int eg_cgroup_remove(const struct eg_cgroup *cgroup);

#define EG_CGROUP_NONE ((struct eg_cgroup){.parent_fd = -1, .fd = -1})

#endif
