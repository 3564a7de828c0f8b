/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_OBJECT_H
#define EG_DATAPATH_OBJECT_H

/* What the files of this folder share. */
#include <stdbool.h>

#include "bpf/egress.skel.h"
#include "datapath/datapath.h"
#include "policy/compile.h"

struct lsm_bpf;
struct walk_bpf;
struct incoming_bpf;

struct eg_datapath {
	struct egress_bpf *skeleton;
	struct lsm_bpf *lsm;		/* NULL: not wanted */
	int lsm_error;			/* 0: it is loaded; or why not */
	struct walk_bpf *walks;		/* loaded when the first walk is wanted; NULL before */
	struct eg_control control;	/* what eg_control holds */
	struct eg_image *image;		/* what the active bank holds, and the idle one unless it is unknown */
	bool idle_is_unknown;		/* writing it failed midway: it is filled anew before it is used */
	int grace_fd;			/* see eg_object_wait_for_programs() */
	char *directory;		/* of the pins; NULL: nothing is pinned */
	/*
	 * As in the programs' .rodata, for objects that are loaded later: libbpf takes the skeleton's view of it away
	 * when the kernel has refused it a map to map into memory, be it for want of memory.
	 */
	uint32_t destination_quota;
	uint32_t event_rate;
	uint32_t lease_mask;
};

/* A datapath that is opened and not loaded yet. 0, or -errno. */
int eg_object_open(const struct eg_datapath_options *options, struct eg_datapath **ret_datapath);
/* Puts it into the kernel. 0, or -errno with *ret_problem (malloc) saying why not and the remedy. */
int eg_object_load(struct eg_datapath *datapath, char **ret_problem);
/* Says which policy is in force; the first write also says the ABI. */
int eg_object_write_control(struct eg_datapath *datapath, const struct eg_control *control);
/* Returns when no program runs that may have seen what was there before the call. 0, or -errno. */
int eg_object_wait_for_programs(struct eg_datapath *datapath);
/* A program that judges the sockets of every enrolled cgroup: neither a guard, nor a gate, nor a help to set up. */
bool eg_object_decides(const struct eg_datapath *datapath, const struct bpf_program *program);
/* A program that looks at packets and sockets of a cgroup whose policy is not to let everything out. */
bool eg_object_is_guard(const struct bpf_program *program);
/* A program that looks at who comes in, where the kernel's lookup of sockets cannot be asked. */
bool eg_object_is_filter(const struct bpf_program *program);
/* A program that a redirect needs, on the workload's cgroup. */
bool eg_object_is_redirect(const struct bpf_program *program);
/* One of these that the proxy's cgroup has too. */
bool eg_object_is_proxys(const struct bpf_program *program);
/* A program that refuses what is in no enrolled cgroup. */
bool eg_object_is_gate(const struct bpf_program *program);
/* A program that only an agent has use for, which pins: a gate, or what moves counts. */
bool eg_object_is_for_agent(const struct bpf_program *program);
/* The walks over a loaded datapath's maps, opened and not loaded yet. 0, or -errno. */
int eg_object_open_walks(const struct eg_datapath *datapath, struct walk_bpf **ret_walks);
/* The program that looks up a slot's clients, over a loaded datapath's maps, opened and not loaded yet. 0, or -errno. */
int eg_object_open_incoming(const struct eg_datapath *datapath, uint32_t slot, struct incoming_bpf **ret_object);
/* Takes NULL too. */
void eg_object_free_walks(struct walk_bpf *walks);

/* Another object is to work on this one's maps; settings are its own. Once these are loaded, and before it is. */
int eg_object_share_maps(const struct eg_datapath *datapath, struct bpf_object *object);

/*
 * 0, or -errno. A kernel that does not take them leaves lsm_error, and all else as it is: that is no failure. One that
 * has not the means right now is.
 */
int eg_object_open_lsm(struct eg_datapath *datapath);
int eg_object_load_lsm(struct eg_datapath *datapath);
/* Takes NULL too. */
void eg_object_free_lsm(struct lsm_bpf *lsm);
/* The guard's programs of the LSM, which have names of guards, loaded or not; NULL when they are not wanted. */
struct bpf_object *eg_object_lsm(const struct eg_datapath *datapath);
/* NULL also where the kernel did not take them. */
struct bpf_object *eg_object_loaded_lsm(const struct eg_datapath *datapath);

/* The map of a bank that takes an image's table. */
struct bpf_map *eg_object_table(const struct eg_datapath *datapath, unsigned int bank, enum eg_table table);

#endif
