/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_PINS_H
#define EG_DATAPATH_PINS_H

/*
 * What outlives the agent: maps and links below one directory of a BPF file system.
 *
 *   egressd/             0700, root's
 *     maps/NAME          as in the object
 *     links/sSLOT_CGROUPID_PROGRAM
 *     netns/sSLOT_INODE  of a network namespace, see lookups.h
 *     iters/eg_flows     read as struct eg_held_socket records: one for each lease,
 *     iters/eg_uncounted one for each connection that lacks one,
 *     iters/eg_foreign   and one for each socket that the hooks of its process's cgroup do not see
 *
 * Functions return 0, or -errno with *ret_problem (malloc) saying what is wrong and
 * what to do about it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datapath/datapath.h"
#include "datapath/maps.h"

/* "/sys/fs/bpf/egressd", wherever the BPF file system is mounted. -ENOENT when none is. */
int eg_pins_locate(char **ret_directory, char **ret_problem);

/* Makes the directory, or checks the one that is there. */
int eg_pins_make_directory(const char *directory, char **ret_problem);
/*
 * One agent at a time holds the directory, for as long as *ret_fd is open. 0, or
 * -EWOULDBLOCK when another process does, -ENOENT when one that did has removed it.
 */
int eg_pins_lock(const char *directory, int *ret_fd);
/* Whether what `directory_fd` is open on is what others find at that path. */
bool eg_pins_are_in_sight(int directory_fd, const char *directory);
/*
 * Pins all that is pinned in the directory that `from_fd` is open on, and that was unmounted, in `directory`. 0, or
 * -errno with *ret_problem (malloc); what was pinned by then stays, and another try goes on from there.
 */
int eg_pins_pin_anew(int from_fd, const char *directory, char **ret_problem);
/* Whether somebody holds it: an agent, wherever its process is seen from. */
bool eg_pins_are_locked(const char *directory);
/* Whether the first process of the host has the same BPF file system mounted. False too where that cannot be known. */
bool eg_pins_are_on_host(const char *directory);

/* The maps of an agent, dead or alive, for reading. -ENOENT: nothing is pinned. Close with eg_maps_close(). */
int eg_pins_open(const char *directory, struct eg_maps *ret_maps, char **ret_problem);
void eg_maps_close(struct eg_maps *maps);

/* The pinned eg_agent of any ABI: process id and start time, the rest may be zero. 0, or -errno. */
int eg_pins_read_agent(const char *directory, struct eg_agent *ret_agent);

/* In the names of links that are no slot's but a gate's, or a proxy's. */
#define EG_GATE_SLOT 0u

/* One pinned link, as its name says and as the kernel says. */
struct eg_link_pin {
	uint32_t slot;
	uint64_t cgroup_id;	  /* of the name */
	uint64_t live_cgroup_id;  /* of the link; 0: its cgroup is gone, it enforces nothing */
	uint32_t attach_type;	  /* enum bpf_attach_type of the link */
	uint32_t program_id;	  /* as the kernel numbers programs */
	char name[64];		  /* of the file */
	char program[16];
};

struct eg_link_pins {
	EG_ARRAY(struct eg_link_pin) list;
};

/* Of EG_GATE_SLOT: whether it is a gate's, or a proxy's. */
bool eg_link_pin_is_gates(const struct eg_link_pin *pin);
bool eg_link_pin_is_proxys(const struct eg_link_pin *pin);

int eg_pins_list_links(const char *directory, struct eg_link_pins *ret_links, char **ret_problem);
/* Ends a slot's links, those of every slot for EG_ALL_SLOTS: no program starts for it any more when this returns. */
int eg_pins_remove_links(const char *directory, uint32_t slot, char **ret_problem);
/* The same for many slots, which it takes no longer for. */
int eg_pins_remove_links_of(const char *directory, const struct eg_slot_set *slots, char **ret_problem);
/* Removes everything below and the directory itself; 0 also when nothing is there. Calls said() with each path. */
int eg_pins_remove(const char *directory, void (*said)(const char *path, void *context), void *context,
		   char **ret_problem);

/*
 * A datapath on the pinned maps: adopts what is there, after checking owner, type,
 * sizes, BTF and ABI, and makes what is not. Nothing is pinned before the kernel has
 * taken all programs; where it refuses a first start, the empty directory goes too.
 * Links that are there go over to the programs of this build; their verdicts and
 * counters stay as they are.
 */
int eg_datapath_open(const char *directory, const struct eg_datapath_options *options, struct eg_datapath **ret_datapath,
		     char **ret_problem);

/*
 * Whoever attaches, or ends, what is pinned gets -ESTALE where the pins are out of sight: nothing is attached then, and
 * what is there goes on. -ENOENT says that the cgroup has gone.
 */

/*
 * Attaches and pins what a slot's links lack, in any state that a crash may have
 * left, and gives the cgroup its slot. 0, or -errno.
 */
int eg_datapath_enrol_pinned(struct eg_datapath *datapath, int cgroup_fd, uint32_t slot);

/*
 * Programs that a flag of the slot's policy wants: those of the guard
 * (EG_WORKLOAD_GUARDED), which cost something for each packet, and those that a redirect
 * needs (EG_WORKLOAD_REDIRECTS). They are on a slot's cgroup before a policy that wants
 * them comes into force, and go after one that does not. Asking for what is so already
 * is no mistake. 0, or -errno.
 */
int eg_datapath_attach_for(struct eg_datapath *datapath, int cgroup_fd, uint32_t slot, enum eg_workload_flag flag);
int eg_datapath_detach_for(struct eg_datapath *datapath, uint32_t slot, uint64_t cgroup_id, enum eg_workload_flag flag);

/*
 * eg_datapath_serve_proxy(), pinned as links of EG_GATE_SLOT; and its end. Asking for
 * what is so already is no mistake. 0, or -errno.
 */
int eg_datapath_serve_pinned(struct eg_datapath *datapath, int cgroup_fd);
int eg_datapath_leave_proxy(struct eg_datapath *datapath, uint64_t cgroup_id);

/*
 * The filter of what comes in, which costs something for each packet, is on a slot's
 * cgroup before a policy that wants it comes into force, and goes once each namespace of
 * the workload has a lookup of its own (lookups.h). As above.
 */
int eg_datapath_filter(struct eg_datapath *datapath, int cgroup_fd, uint32_t slot);
int eg_datapath_unfilter(struct eg_datapath *datapath, uint32_t slot, uint64_t cgroup_id);

/*
 * A gate on a cgroup refuses what its tasks, and those below, send while they are
 * in no enrolled cgroup. Adding one that is there, and removing one that is not, is
 * no mistake. Gates are pinned as links of slot 0 (EG_GATE_SLOT) and listed in eg_gates.
 */
int eg_datapath_add_gate(struct eg_datapath *datapath, int cgroup_fd, const struct eg_gate_info *info);
int eg_datapath_remove_gate(struct eg_datapath *datapath, uint64_t cgroup_id);

/* Ends enforcement for these slots. Programs may run for them that have begun before. 0, or -errno. */
int eg_datapath_release(struct eg_datapath *datapath, const struct eg_slot_set *slots);
/*
 * Waits until no program runs for slots that were released, once for all, and retires
 * them. heirs[slot], of EG_SLOTS_MAX entries, is the slot that gets its totals; 0: the
 * retired sum. 0, or -errno.
 */
int eg_datapath_retire(struct eg_datapath *datapath, const struct eg_slot_set *slots, const uint32_t *heirs);

/*
 * All that was counted for slot `from` counts for `to` from now on, 0 for the retired
 * sum, in one step that is done whole or not at all. Programs may run for both: what
 * they count meanwhile is in one of them. 0, or -errno.
 */
int eg_datapath_move_counts(struct eg_datapath *datapath, uint32_t from, uint32_t to);
/*
 * Gives back what is held in these slots by sockets of a cgroup that is gone: their
 * links have ended, and nobody would. 0, or -errno.
 */
int eg_datapath_settle(struct eg_datapath *datapath, const struct eg_slot_set *slots);

#endif
