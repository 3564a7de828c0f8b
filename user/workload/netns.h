/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_WORKLOAD_NETNS_H
#define EG_WORKLOAD_NETNS_H

/* Network namespaces: found by inode number, and visited. */
#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"

/* Network namespaces by inode number, ascending, each once. */
struct eg_netns_set {
	EG_ARRAY(uint32_t) inodes;
};

/*
 * Those that the processes of a cgroup, and of the cgroups below, are in. 0, or -errno.
 * Threads are taken to be where the first one of their process is.
 */
int eg_netns_list(int cgroup_fd, struct eg_netns_set *ret_set);
bool eg_netns_has(const struct eg_netns_set *set, uint32_t inode);
/* Whether it is the host's, or the caller's own: what is in there is not one workload's. */
bool eg_netns_is_common(uint32_t inode);

/*
 * A descriptor of the network namespace with this inode number, as the kernel's
 * net->ns.inum has it. Looked for where it is likeliest first: our own, the processes
 * of the cgroup with this id (0: none), the names in /run/netns, all processes. A
 * number is another namespace's only after every socket of the first is gone. -ENOENT
 * when nothing in our sight is in it or names it, or -errno.
 */
int eg_netns_open(uint32_t inode, uint64_t cgroup_id);

/* A file that led to a namespace when it was read. */
struct eg_netns_place {
	uint32_t inode;
	char *path;
};

/*
 * What names and processes lead to, for whoever looks for many namespaces at one moment: each folder is read once, and
 * only when one is wanted that is not found before. {} to begin with.
 */
struct eg_netns_places {
	EG_ARRAY(struct eg_netns_place) list; /* ascending by inode, each as often as it has places */
	unsigned int cgroups_searched;
	unsigned int folders_read;
	int error; /* a shortage that hid something, -errno; 0: none */
};

/* As eg_netns_open(). */
int eg_netns_find(struct eg_netns_places *places, uint32_t inode, uint64_t cgroup_id);
void eg_netns_places_clear(struct eg_netns_places *places);

/*
 * What work() returns when it runs in the network namespace; or -errno when that
 * cannot be entered. It runs in a thread of its own, which the caller waits for: the
 * caller's own namespace is never touched, so that no failure can leave it elsewhere.
 * A socket stays in the namespace that it was made in.
 */
int eg_netns_call(int netns_fd, int (*work)(void *context), void *context);

#endif
