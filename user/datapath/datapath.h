/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_DATAPATH_H
#define EG_DATAPATH_DATAPATH_H

/*
 * The programs and maps in the kernel: load, apply a policy image, attach to
 * cgroups, read what was counted. The only folder that knows libbpf.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "datapath/maps.h"
#include "egress/maps.h"
#include "policy/compile.h"

struct eg_datapath;
struct eg_links;

struct eg_datapath_options {
	uint32_t slots;			/* 2..EG_SLOTS_MAX, slot 0 included */
	struct eg_capacity capacity;	/* of the policy maps; EG_TABLE_WORKLOADS is taken from slots */
	uint32_t destinations;		/* entries of the destination table, 1..EG_DESTS_MAX */
	bool never_guards;		/* no policy will come that wants packets looked at: programs that do are left out */
	bool never_filters;		/* the same of who comes in */
	bool never_redirects;		/* the same of a policy that sends traffic to a proxy */
	uint32_t leases;		/* places of the lease table, a power of two, 1..EG_LEASES_MAX */
	uint32_t destination_quota;	/* of them for one slot */
	uint32_t event_rate;		/* events a second for one slot */
	bool nothing_pinned;		/* saves loading programs that only an agent has use for */
};

/* The capacities that the contract allows at most: what a daemon can ask for. */
struct eg_capacity eg_datapath_max_capacity(void);

/*
 * Loads programs and maps; nothing is attached or pinned, and all slots refuse
 * until a policy is applied. 0 with *ret_datapath, or -errno: then *ret_problem
 * (malloc) says why this process or this kernel cannot, and the remedy; NULL where
 * there is no more to say than the error. At debug level the log has all that
 * libbpf and the verifier say.
 */
int eg_datapath_load(const struct eg_datapath_options *options, struct eg_datapath **ret_datapath, char **ret_problem);
struct eg_datapath *eg_datapath_free(struct eg_datapath *datapath);
EG_DEFINE_CLEANUP(struct eg_datapath *, eg_datapath_free)

/*
 * Puts a policy in force, whole: writes what differs to the idle bank, flips the
 * index word, waits until no program can still be in the old bank, and replays
 * the difference there. 0 with *image taken over (and set to NULL), or -errno with
 * the old policy in force.
 */
int eg_datapath_apply(struct eg_datapath *datapath, struct eg_image **image);
/*
 * Says in an image that is to be applied how long open connections go on that it forbids:
 * see eg_image_grant_grace(). Without it they have no time.
 */
void eg_datapath_grant_grace(const struct eg_datapath *datapath, struct eg_image *image, const bool *fresh);
/* CLOCK_MONOTONIC: when the next of the graces ends that run by the policy in force; 0: none runs. */
uint64_t eg_datapath_next_grace_ns(const struct eg_datapath *datapath);
/* How often a policy was put in force. */
/* Of the policy in force: see eg_image_list_flags(). */
void eg_datapath_list_flags(const struct eg_datapath *datapath, uint32_t *ret_flags);
/* Whether a slot has that flag by the policy in force. */
bool eg_datapath_has(const struct eg_datapath *datapath, uint32_t slot, enum eg_workload_flag flag);
uint64_t eg_datapath_generation(const struct eg_datapath *datapath);
/* Of the policy in force: see eg_image_shortest_timeout_ms(). */
uint64_t eg_datapath_shortest_timeout_ms(const struct eg_datapath *datapath);

/*
 * Attaches every program to a cgroup (multi-attach links) and gives the cgroup a
 * slot. Between the two it refuses, as slot 0. 0 with *ret_links, or -errno with
 * nothing attached.
 */
int eg_datapath_enrol(struct eg_datapath *datapath, int cgroup_fd, uint32_t slot, struct eg_links **ret_links);
/*
 * Lets the proxies of a cgroup, and below, ask where their connections wanted to go.
 * 0 with *ret_links, or -errno with nothing attached.
 */
int eg_datapath_serve_proxy(struct eg_datapath *datapath, int cgroup_fd, struct eg_links **ret_links);
/* Ends enforcement, if no other process holds the links. */
struct eg_links *eg_links_free(struct eg_links *links);
EG_DEFINE_CLEANUP(struct eg_links *, eg_links_free)
/* The links' descriptors, for a process that must hold them as well. */
size_t eg_links_fds(const struct eg_links *links, const int **ret_fds);

/* The maps that tell what happened; they live as long as the datapath. */
struct eg_maps eg_datapath_maps(const struct eg_datapath *datapath);

/* The descriptor of a map by its name in the object, or -ENOENT: for tests that look at the very maps. */
int eg_datapath_map_fd(const struct eg_datapath *datapath, const char *name);

#endif
