/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_PREFLIGHT_H
#define EG_POLICY_PREFLIGHT_H

/*
 * What a policy would cut of the traffic that was seen: destinations that were reached,
 * connections that are open, and clients that came in, judged by the reference decision.
 *
 *   struct eg_preflight preflight = {.subjects = subjects, .since_ns = since_ns};
 *   eg_preflight_add_connection() for each that is open, then
 *   eg_preflight_add_destination() for each that was seen, then eg_preflight_sort()
 *   ... preflight.cuts
 *   eg_preflight_clear(&preflight);
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "egress/lease.h"
#include "egress/maps.h"
#include "policy/rules.h"

/* One destination of one workload. */
struct eg_cut {
	uint32_t slot;
	struct eg_flow flow;	/* MPTCP is TCP here */
	bool is_incoming;	/* a client: the flow has its address, and the workload's own port */
	enum eg_reason reason;	/* why it would be blocked */
	uint64_t count;		/* connects, and datagrams of unconnected sockets; 0: none was recorded */
	uint64_t connections;	/* open now */
	uint64_t rx_bytes;	/* of these, payload until now */
	uint64_t tx_bytes;
	uint64_t last_seen_ns;	/* CLOCK_MONOTONIC */
	uint32_t pid;		/* of one that has it open, or else was seen first */
	char comm[EG_COMM_LEN];
};

struct eg_preflight {
	const struct eg_subject *const *subjects; /* by slot, EG_SLOTS_MAX of them; NULL: not judged */
	uint64_t since_ns;	/* CLOCK_MONOTONIC: what was last seen before and is not open does not count */
	EG_ARRAY(struct eg_cut) cuts;
	void *index;		/* tsearch() tree over the places of cuts */
};

void eg_preflight_clear(struct eg_preflight *preflight);

/* The slot is that of the socket's lease, or of its cgroup. 0, or -ENOMEM. */
int eg_preflight_add_connection(struct eg_preflight *preflight, uint32_t slot, const struct eg_held_socket *socket);
/* Connections come first. What was refused to reach it would not be cut: it is. 0, or -ENOMEM. */
int eg_preflight_add_destination(struct eg_preflight *preflight, const struct eg_dest_key *key,
				 const struct eg_dest *seen);
/* By slot, family, address, port and protocol; nothing is added afterwards. */
void eg_preflight_sort(struct eg_preflight *preflight);

#endif
