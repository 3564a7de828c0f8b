/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_WALK_H
#define EG_DATAPATH_WALK_H

/*
 * Walks over the sockets that hold leases, in every network namespace, by the files of
 * all processes. A walk takes time in proportion to those and stops nothing: a socket
 * that comes or goes meanwhile may be in it or not, and once in a while one that stays
 * is missed. What no process holds is not found, and no subflow of MPTCP.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "datapath/datapath.h"
#include "egress/lease.h"

struct eg_walk {
	EG_ARRAY(struct eg_held_socket) sockets; /* by network namespace, each once */
	uint64_t looked_at;                      /* files */
};

void eg_walk_clear(struct eg_walk *walk);

/* Loads the programs, which the first walk does by itself. 0, also when they are loaded, or -errno. */
int eg_datapath_load_walks(struct eg_datapath *datapath);

/*
 * Adds what moved to the slots' byte counters, notes who was active, ends leases whose
 * sockets ended without an event, and marks what is overdue: those are the sockets that
 * it gives. One caller at a time. 0, or -errno.
 */
int eg_datapath_sweep(struct eg_datapath *datapath, struct eg_walk *ret_walk);
/*
 * Frees places of leases that no socket has any more, and ends connects that no sweep
 * has found for long after their time. It looks at the whole table. 0, or -errno.
 */
int eg_datapath_collect(struct eg_datapath *datapath);
/* Removes destinations from their table, and gives their places of the quota back. 0, or -errno. */
int eg_datapath_age(struct eg_datapath *datapath, const struct eg_age *age);
/*
 * Gives the connections that are open and that the policy in force forbids, each with
 * its fate, and marks them with it; and sockets of enrolled cgroups that listen, without
 * one. One caller at a time. 0, or -errno.
 */
int eg_datapath_list_forbidden(struct eg_datapath *datapath, struct eg_walk *ret_walk);
/* One more connection of a slot was ended since the policy forbids it. 0, or -errno. */
int eg_datapath_count_ended(struct eg_datapath *datapath, uint32_t slot);
/* Gives every socket that holds a lease and changes nothing. 0, or -errno. */
int eg_datapath_list_held(struct eg_datapath *datapath, struct eg_walk *ret_walk);
/*
 * Pins what others read with no agent alive, in place of what is there: iters/eg_flows,
 * which is eg_datapath_list_held(), iters/eg_uncounted and iters/eg_foreign. 0, or -errno.
 */
int eg_datapath_pin_walks(struct eg_datapath *datapath);
/* Walk by these pins. 0; or -errno with *ret_problem (malloc) saying why: -ENOENT when there is none. */
int eg_pins_read_flows(const char *directory, struct eg_walk *ret_walk, char **ret_problem);
/* The same, and a socket comes once for each process that has it, by their ids. */
int eg_pins_read_holders(const char *directory, struct eg_walk *ret_walk, char **ret_problem);
/* TCP sockets of enrolled cgroups that listen, or are connected and lack a lease; among files, on every kernel. */
int eg_pins_read_uncounted(const char *directory, struct eg_walk *ret_walk, char **ret_problem);
/*
 * Sockets that processes of enrolled cgroups have open and that the hooks of these do not see: the slot in the word
 * is the process's, a protocol is EG_PROTOCOL_OF_FAMILY and more where the family is not the Internet's.
 */
int eg_pins_read_foreign(const char *directory, struct eg_walk *ret_walk, char **ret_problem);
#endif
