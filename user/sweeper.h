/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_SWEEPER_H
#define EG_SWEEPER_H

/*
 * What needs a clock: connections that are idle, too old, or connect for too long are
 * found by a walk (datapath/walk.h) and destroyed in their own network namespaces.
 */
#include <stdint.h>

#include "base/array.h"
#include "datapath/datapath.h"
#include "egress/lease.h"
#include "egress/maps.h"

/* One that is overdue and lives on. */
struct eg_unreachable {
	struct eg_held_socket socket;
	int error; /* -ENOENT: nobody in sight is in its network namespace, or names it */
};

struct eg_sweep {
	uint64_t took_ns; /* of a processor, to look at all */
	uint64_t looked_at; /* see struct eg_walk */
	uint64_t destroyed;
	EG_ARRAY(struct eg_unreachable) unreachable;
};

/* One sweep. 0; or -errno when this kernel walks over no sockets, or memory is short. */
int eg_sweep_run(struct eg_datapath *datapath, struct eg_sweep *ret_sweep);
void eg_sweep_clear(struct eg_sweep *sweep);

/*
 * How long after a sweep the next one comes, in ms: wanted_ms where somebody wrote it;
 * otherwise (0) a tenth of the shortest timeout (0: none), within bounds, but never so
 * often that sweeps that take took_ns would need more than a fiftieth of a processor.
 */
uint32_t eg_sweep_period_ms(uint64_t shortest_timeout_ms, uint32_t wanted_ms, uint64_t took_ns);

#define EG_SWEEP_PERIOD_MIN_MS 50
#define EG_SWEEP_PERIOD_MAX_MS 1000
/* However costly a sweep is. */
#define EG_SWEEP_PERIOD_COSTLY_MS 10000

/* Sweeps one after the other, by one process. */
struct eg_sweeper {
	struct eg_datapath *datapath;
	uint32_t wanted_ms;      /* of the policy; 0: derived from its timeouts */
	uint64_t destroyed;      /* by all of its sweeps */
	uint32_t period_ms;      /* until the next one */
	int error;               /* why the last one failed, 0 or -errno */
	struct eg_sweep last;    /* that did not fail */
	uint64_t collected_ns;   /* CLOCK_MONOTONIC, when the table of leases was last cleared of what is left over */
	uint64_t swept_ns;       /* CLOCK_MONOTONIC, when that ended; 0: none yet */
	size_t said_unreachable; /* what the log says last */
	int said_error;
	int said_collect_error;
};

/* Sweeps, logs what changed for the worse, and says in period_ms when the next one is due. */
void eg_sweeper_run(struct eg_sweeper *sweeper);
void eg_sweeper_clear(struct eg_sweeper *sweeper);
/* What others are told of the last sweep. */
struct eg_agent_sweep eg_sweeper_report(const struct eg_sweeper *sweeper);

#endif
