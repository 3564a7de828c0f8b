/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_STRANDED_H
#define EG_DATAPATH_STRANDED_H

/*
 * A defect of Linux, seen on 6.12 and still in newer sources: a program that is attached to a cgroup
 * while that is removed may come after the kernel has let go of what the cgroup's programs had. Its entry of eg_cgroups
 * then stays on a list of memory that is freed, which is harmless until the map itself goes: the kernel writes there,
 * and panics if it notices. No call could prevent it; but it can be seen, and a map that is kept does no harm:
 *
 *   egressd-kept/eg_cgroups_ID    beside the agent's directory of pins, by the id of the map
 */
#include <stdbool.h>
#include <stdint.h>

struct eg_stranded_pin {
	const char *path;
	uint32_t entries; /* of cgroups that are no more */
};

/* Whether there is a cgroup with this id. What cannot be told is to be false: a map that is kept does no harm. */
typedef bool eg_is_cgroup_fn(uint64_t id);
typedef void eg_stranded_said_fn(const struct eg_stranded_pin *pin, void *context);

/*
 * Keeps the agent's map as long as it has such entries, and lets go of each that has none any more. Those of a cgroup
 * that went lately are among them, until the kernel has let go of it: later, where its sockets live on. 0 with said()
 * called for each map that is kept, or -errno.
 */
int eg_stranded_look(const char *directory, eg_is_cgroup_fn *is_cgroup, eg_stranded_said_fn *said, void *context);

#endif
