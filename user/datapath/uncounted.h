/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_UNCOUNTED_H
#define EG_DATAPATH_UNCOUNTED_H

/* Connections that no gauge counts, since they are older than the enrolment of their cgroup. */
#include <stdint.h>

#include "datapath/walk.h"
#include "policy/model.h"

struct eg_uncounted {
	uint64_t outbound;           /* to where a lease is wanting */
	uint64_t forbidden;          /* of those, to where the policy in force lets nobody connect */
	struct eg_held_socket first; /* of outbound */
};

/*
 * Those of a slot in a walk by eg_pins_read_uncounted(). Who connected is inferred: one
 * whose local port a socket of the same network namespace listens on came from outside.
 * In audit mode what the policy forbids passes by rights, and no lease is wanting.
 */
struct eg_uncounted eg_uncounted_of(const struct eg_walk *walk, uint32_t slot, enum eg_mode mode);

/* Whether one in such a walk is a connection that, by the same inference, was made from here. */
bool eg_uncounted_is_outbound(const struct eg_walk *walk, const struct eg_held_socket *socket);

#endif
