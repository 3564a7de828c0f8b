/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_WORKLOAD_NETNS_H
#define EG_WORKLOAD_NETNS_H

/* Network namespaces: found by inode number, and visited. */
#include <stdint.h>

/*
 * A descriptor of the network namespace with this inode number, as the kernel's
 * net->ns.inum has it. Looked for where it is likeliest first: our own, the processes
 * of the cgroup with this id (0: none), the names in /run/netns, all processes. A
 * number is another namespace's only after every socket of the first is gone. -ENOENT
 * when nothing in our sight is in it or names it, or -errno.
 */
int eg_netns_open(uint32_t inode, uint64_t cgroup_id);

/*
 * What work() returns when it runs in the network namespace; or -errno when that
 * cannot be entered. It runs in a thread of its own, which the caller waits for: the
 * caller's own namespace is never touched, so that no failure can leave it elsewhere.
 * A socket stays in the namespace that it was made in.
 */
int eg_netns_call(int netns_fd, int (*work)(void *context), void *context);

#endif
