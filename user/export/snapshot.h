/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_SNAPSHOT_H
#define EG_EXPORT_SNAPSHOT_H

/* All that statistics are made of, read from the maps at one moment, with or without an agent. */
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/array.h"
#include "datapath/pinned.h"
#include "datapath/programs.h"
#include "export/totals.h"

/* One workload or instance. */
struct eg_counted {
	const char *name;
	const char *mesh;
	const char *dataplane;
	const char *service;
	struct eg_totals totals;
};

/* What is the node's and no workload's; 64-bit words, so that a table can tell where each stands. */
struct eg_node_state {
	uint64_t generation;
	uint64_t load_errors;
	uint64_t load_failed; /* 1: the last one did */
	uint64_t agent_running;
	uint64_t workloads;
	uint64_t workloads_retired;
	uint64_t swept; /* 0: there was no sweep yet, and the next seven say nothing */
	uint64_t sweep_ns;
	uint64_t sweep_age_ns;
	uint64_t sweep_period_ns;
	uint64_t sweep_looked_at;
	uint64_t sweep_destroyed;
	uint64_t sweep_unreachable;
	uint64_t sweep_failed;
	uint64_t foreign_counted; /* 0: they could not be, and the next one says nothing */
	uint64_t foreign_sockets;
};

struct eg_snapshot {
	struct eg_arena arena;
	EG_ARRAY(struct eg_counted) workloads; /* by slot */
	struct eg_totals
		sum; /* of them; of the node also what belongs to none, and what belonged to those that are gone */
	struct eg_totals homeless; /* of the node: what has no slot */
	struct eg_totals retired;  /* of the node: of slots that were given back */
	uint64_t audit_leases;     /* of the slots looked at: places by the leases that are held */
	uint64_t audit_gauges;     /* ...and by the gauges */
	uint64_t audit_agrees;
	uint64_t is_node; /* 1: no workload was asked for, so that the node's state is there too */
	struct eg_node_state node;
	struct eg_program_costs programs; /* none unless the kernel keeps statistics of programs */
};

void eg_snapshot_clear(struct eg_snapshot *snapshot);

/*
 * Reads what `workload` names, a Workload and its instances, or all of the node for
 * NULL. The slots that `pinned` lists do not matter. 0; -ENOENT when nobody is called
 * so; or -errno.
 */
int eg_snapshot_read(const struct eg_pinned *pinned, const char *workload, struct eg_snapshot *ret_snapshot);

#endif
