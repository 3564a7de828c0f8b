/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_LEAK_H
#define EG_LEAK_H

/*
 * A case is one way to get a packet out of a workload. It is tried twice: from a
 * workload that lets everything out, where it must arrive, so that a case that does not
 * work at all passes for nothing; and from one whose passthrough is false.
 */
#include <stdbool.h>
#include <stdint.h>

#include "../lib/support/ways.h"
#include "wire.h"

enum place {
	NOWHERE,
	OUT4,	/* not mesh */
	OUT6,
	MAPPED, /* OUT4 as an IPv6 address */
	MESH4,
	MESH6,
	MESH_MAPPED,
	FAR,	/* not mesh, reached from another network namespace of the workload's */
	PLACES,
};

/* Where a socket's past was. */
enum past {
	NO_PAST,
	EARLIER,  /* in the cgroup, before that was enrolled */
	ELSEWHERE, /* in a cgroup that never is; the process is moved, and brings it */
	OUTSIDE,   /* the process stays where nothing is enforced, and hands it to one that is a workload's */
};

struct trial {
	const struct leak_case *what;
	unsigned int number;	/* of its mark and port */
	struct destination to[PLACES]; /* at the trial's port */
	char mark[WIRE_MARK_LEN + 1];
	int fd;			/* what before() leaves for run(); -1 */
	void *kept;		/* the same */
	const char *cgroups;	/* directory: closed, open and so on are below it */
	const char *cgroup;	/* the name of the trial's own */
	int far_netns;
};

struct leak_case {
	const char *name;
	const char *row;	/* of the README's table: cases with the same one stand together */
	/* A way, or what to do instead: 0, or -errno, which the application is told. */
	const char *way;
	enum place to, then;
	int (*before)(struct trial *trial); /* for sockets with a past */
	int (*run)(struct trial *trial);
	enum past past;
	int listens;		/* the protocol by which the peer does; 0: none */
	const char *reason;	/* what counts it when it is caught; NULL: nobody need refuse it */
	const char *line;	/* of status's "not enforced", where the kernel lets nobody catch it */
	enum wire_seen arrives;	/* what the peer sees of it, at the most; 0: the payload */
	bool is_open;		/* a connection that stands: its end, which carries nothing, is no leak */
	bool is_ended;		/* by the agent, when the policy comes: nobody need count it then */
	bool optional;		/* a kernel may lack it */
	bool asynchronous;	/* refused after the process was told */
	bool creation;		/* the socket is what must not be */
};

/* ---- what cases share ---- */

struct errand trial_errand(const struct trial *trial);
/* The result of a system call that returns -1 for an error. */
int told(long returned);
/* Sends the mark by a connected socket. */
int send_mark(int fd, const struct trial *trial);
/* LSRR over a hop that is not mesh. 0, or -errno. */
int route_set_ipv4(int fd, const struct trial *trial);
/* Runs in another process, which is the workload's: what it returns, 0 or -errno. */
int as_workload(struct trial *trial, int (*work)(struct trial *trial));
/* Moves this process to the cgroup of that name, which is beside the trial's. 0, or -errno. */
int join_cgroup(const struct trial *trial, const char *name);

/* ---- the cases, by file ---- */

extern const struct leak_case plain_cases[], ring_cases[], route_cases[], device_cases[], past_cases[];
extern const unsigned int plain_count, ring_count, route_count, device_count, past_count;

#endif
