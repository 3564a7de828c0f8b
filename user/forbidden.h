/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_FORBIDDEN_H
#define EG_FORBIDDEN_H

/*
 * Connections that are open when a policy comes that forbids them: they go on for their
 * workload's grace period and are then destroyed, or they are kept. The guard holds to
 * the same deadlines without an agent; an error for their processes needs one.
 */
#include <stdbool.h>
#include <stdint.h>

#include "datapath/datapath.h"
#include "egress/maps.h"

struct eg_forbidden {
	struct eg_datapath *datapath;
	bool is_due; /* a policy came, a cgroup was enrolled, or this agent has not looked yet */
	uint64_t until_ns; /* CLOCK_MONOTONIC: some workload's grace lasted so long at the last look; 0: none */
	struct eg_agent_forbidden seen;
	uint32_t said_unreachable; /* what the log says last */
	int said_error;
	uint32_t uncounted[EG_SLOTS_MAX]; /* what was ended and is still to be counted */
};

/* Looks where there may be something, ends or keeps it, and logs each. Whether `seen` is new. */
bool eg_forbidden_run(struct eg_forbidden *forbidden);
/* In how many ms there is something to end at the latest, and at most `period_ms`. */
uint32_t eg_forbidden_period_ms(const struct eg_forbidden *forbidden, uint32_t period_ms);

#endif
