/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_GUARDED_H
#define EG_TESTS_GUARDED_H

/*
 * A workload whose policy is not to let everything out, and this process in its cgroup;
 * the network is a namespace of the test's own (network.h). Its IPv6 addresses are mesh,
 * IPv4 is not. Whatever fails fails the test; without root it is skipped.
 *
 *   guarded_make(&guarded);
 *   ...                               sockets that are older than the enrolment
 *   guarded_enrol(&guarded, false);
 *   guarded_end(&guarded);
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "datapath/datapath.h"
#include "policy/rules.h"
#include "workload/cgroup.h"

#define SLOT 1u

struct guarded {
	struct eg_datapath *datapath;
	struct eg_cgroup cgroup;
	struct eg_links *links;
	struct eg_scope mesh;
	char *home; /* cgroup.procs of where the process came from */
	int listener; /* made outside */
	uint16_t port;
	uint32_t protocols; /* that may be used, beside the usual ones */
};

/* In the cgroup, which is not enrolled yet. */
void guarded_make(struct guarded *guarded);
void guarded_enrol(struct guarded *guarded, bool passthrough);
void guarded_end(struct guarded *guarded);

/* The process goes to a cgroup by its cgroup.procs, or to the workload's. */
void guarded_move(const char *procs);
void guarded_join(const struct guarded *guarded);

struct eg_slot_counts guarded_counts(const struct guarded *guarded);

/* Whether anything comes in as long as a packet over the loopback takes, and far longer. */
bool guarded_hears(int fd);
/* sendto() of one byte: 0, or the errno. */
int guarded_send(int fd, const char *address, uint16_t port);
/* socket(): 0, or why there is none. */
int guarded_try(int family, int type, int protocol);

/* Another owner's program that turns refusals of a hook into success; its link. */
int guarded_undo(const struct guarded *guarded, enum bpf_attach_type hook);

#endif
