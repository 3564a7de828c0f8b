/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_INSPECT_H
#define EG_DATAPATH_INSPECT_H

/* What the kernel itself says is attached, whatever the maps and pins claim. Functions return 0, or -errno. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "datapath/pins.h"

/* A program that judges sockets, and where it stands. */
struct eg_hook_state {
	char program[16];
	bool is_pinned;		/* the slot has a pinned link for it */
	bool is_attached;	/* ...that is alive, and on this very cgroup */
	bool is_effective;	/* ...and the kernel runs its program for the cgroup's sockets */
};

/*
 * A program of somebody else that runs after ours, where that matters: it can undo a refusal,
 * or change the destination that was judged. A packet that is dropped stays so, and what is
 * released too, whoever comes after.
 */
struct eg_foreign {
	uint32_t program_id;
	char name[16];
	const char *hook;	/* "cgroup_inet4_connect" */
	bool can_overrule;	/* else it can only take away what tells us of a connection's end */
	char *cgroup;		/* directory where it is attached; NULL when that was not found */
};

struct eg_inspection {
	EG_ARRAY(struct eg_hook_state) hooks;	/* every program of this build that decides */
	EG_ARRAY(struct eg_foreign) foreign;
};

void eg_inspection_clear(struct eg_inspection *inspection);
/* Whether every hook is effective. */
bool eg_inspection_is_enforced(const struct eg_inspection *inspection);

#define EG_PROGRAMS_MAX 32

struct eg_program_names {
	size_t count;
	char names[EG_PROGRAMS_MAX][16];
};

/* The programs of this build that belong on a cgroup. */
struct eg_program_sets {
	struct eg_program_names workload[2][2]; /* whether it is guarded, and whether it redirects */
	struct eg_program_names gate;
	struct eg_program_names filter; /* beside these where who comes in is looked at packet by packet */
};

/* Where the kernel takes programs of the BPF LSM they belong to those of guarded workloads. */
int eg_inspect_programs(bool has_lsm, struct eg_program_sets *ret_sets);

/*
 * What holds for the cgroup at `path`, whose inode number is cgroup_id, by the links
 * of `slot`: `programs` are to run there. mount_point is where the search for the owner of a foreign program ends.
 */
int eg_inspect_cgroup(const struct eg_program_names *programs, const struct eg_link_pins *pins, uint32_t slot,
		      const char *mount_point, const char *path, uint64_t cgroup_id,
		      struct eg_inspection *ret_inspection);

/*
 * The programs of an effective list, in the order in which they run, that come after
 * `own_id` and are not ours, each once. Writes at most `count` ids and returns how
 * many. 0 when own_id does not run at all.
 */
size_t eg_inspect_after(const uint32_t *effective, size_t count, uint32_t own_id,
			bool (*is_ours)(uint32_t program_id, const void *context), const void *context,
			uint32_t *ret_foreign);

/* A cgroup link, of anybody, whose program has one of our names. */
struct eg_found_link {
	uint32_t id;
	char program[16];
	uint64_t cgroup_id;	/* 0: it is on a network namespace */
	uint32_t netns;		/* its inode number */
};

struct eg_found_links {
	EG_ARRAY(struct eg_found_link) list;
};

/*
 * What the kernel says of the link with this id. 0, -ENOENT where there is none: it has gone since its id was read, or is
 * only just being made, for which the kernel says EAGAIN; or -errno.
 */
int eg_inspect_link(uint32_t id, struct bpf_link_info *ret_link);

/* All that are on a living cgroup or network namespace, node-wide. */
int eg_inspect_links(struct eg_found_links *ret_links);

#endif
