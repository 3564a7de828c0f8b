/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/snapshot.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "export/audit.h"
#include "datapath/walk.h"
#include "workload/agent.h"

#define NSEC_PER_SEC UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)

void eg_snapshot_clear(struct eg_snapshot *snapshot)
{
	eg_array_clear(&snapshot->workloads);
	eg_arena_clear(&snapshot->arena);
	*snapshot = (struct eg_snapshot){};
}

/* ---- workloads ---- */

/* A literal path waits for its cgroup with its slot: it is not live meanwhile. */
static void add_life(struct eg_totals *totals, const struct eg_slot_info *info)
{
	totals->live = info->use == EG_SLOT_ENROLLED && info->cgroup_id != 0;
	if (totals->live && info->enrolled_ns != 0)
		totals->uptime_s = (eg_now_ns() - info->enrolled_ns) / NSEC_PER_SEC;
	if (totals->live && info->window_ms != EG_WINDOW_UNKNOWN)
		totals->window_ms = info->window_ms;
}

static int add_workload(struct eg_snapshot *snapshot, const struct eg_slot_info *info, const struct eg_totals *totals)
{
	struct eg_counted counted = {
		.name = eg_arena_strdup(&snapshot->arena, info->name),
		.mesh = eg_arena_strdup(&snapshot->arena, info->mesh),
		.dataplane = eg_arena_strdup(&snapshot->arena, info->dataplane),
		.service = eg_arena_strdup(&snapshot->arena, info->service),
		.totals = *totals,
	};

	if (!counted.name || !counted.mesh || !counted.dataplane || !counted.service)
		return -ENOMEM;
	return eg_array_push(&snapshot->workloads, counted);
}

/* Those whose totals stand in the retired sum already count once. */
static int add_slots(const struct eg_pinned *listed, uint32_t folding, struct eg_snapshot *snapshot)
{
	int r = 0;

	for (size_t i = 0; i < listed->slots.len && r == 0; i++) {
		const struct eg_pinned_slot *slot = &listed->slots.items[i];
		struct eg_totals totals = {};

		if (slot->slot == folding)
			continue;
		r = eg_totals_add_slot(&totals, &listed->maps, slot->slot);
		add_life(&totals, &slot->info);
		eg_totals_merge(&snapshot->sum, &totals);
		if (r == 0)
			r = add_workload(snapshot, &slot->info, &totals);
	}
	return r;
}

static int read_slots(struct eg_pinned *listed, const char *workload, const struct eg_retired *retired,
		      struct eg_snapshot *snapshot)
{
	int r;

	eg_array_clear(&listed->slots);
	eg_snapshot_clear(snapshot);
	r = eg_pinned_list_slots(&listed->maps, workload, listed);
	if (r == 0)
		r = add_slots(listed, retired->folding, snapshot);
	if (r < 0 || workload)
		return r;
	snapshot->retired.counts = retired->counts;
	eg_totals_merge(&snapshot->sum, &snapshot->retired);
	r = eg_totals_add_slot(&snapshot->homeless, &listed->maps, 0);
	eg_totals_merge(&snapshot->sum, &snapshot->homeless);
	return r;
}

/* A slot that is folded meanwhile may be missing in both, or in both, so that all is read again. */
static int read_workloads(struct eg_pinned *listed, const char *workload, struct eg_snapshot *snapshot)
{
	struct eg_retired before, after;
	int r = eg_maps_read_retired(&listed->maps, &after);

	do {
		before = after;
		if (r == 0)
			r = read_slots(listed, workload, &before, snapshot);
		if (r == 0)
			r = eg_maps_read_retired(&listed->maps, &after);
	} while (r == 0 && (after.slots != before.slots || after.folding != before.folding));
	snapshot->node.workloads_retired = after.slots;
	return r == 0 && workload && snapshot->workloads.len == 0 ? -ENOENT : r;
}

/* ---- the node ---- */

static void add_sweep(struct eg_node_state *node, const struct eg_agent_sweep *sweep)
{
	node->swept = sweep->ended_ns != 0;
	node->sweep_ns = sweep->took_ns;
	node->sweep_age_ns = node->swept ? eg_now_ns() - sweep->ended_ns : 0;
	node->sweep_period_ns = sweep->period_ms * NSEC_PER_MSEC;
	node->sweep_looked_at = sweep->looked_at;
	node->sweep_destroyed = sweep->destroyed;
	node->sweep_unreachable = sweep->unreachable;
	node->sweep_failed = sweep->error != 0;
}

/* With the agent dead too, and whether or not it sweeps. */
static void count_foreign(const struct eg_pinned *pinned, struct eg_node_state *node)
{
	_cleanup_(eg_walk_clear) struct eg_walk walk = {};
	_cleanup_free_ char *problem = NULL;

	node->foreign_counted = eg_pins_read_foreign(pinned->directory, &walk, &problem) == 0;
	node->foreign_sockets = walk.sockets.len;
}

static int read_node(const struct eg_pinned *pinned, struct eg_snapshot *snapshot)
{
	struct eg_node_state *node = &snapshot->node;
	struct eg_control control;
	struct eg_agent agent;
	int r = eg_maps_read_control(&pinned->maps, &control);

	if (r == 0)
		r = eg_maps_read_agent(&pinned->maps, &agent);
	if (r < 0)
		return r;
	snapshot->is_node = true;
	node->generation = control.generation;
	node->load_errors = agent.loads_failed;
	node->load_failed = *agent.error != '\0' && agent.error_of == EG_WORK_LOAD;
	node->agent_running = agent.state == EG_AGENT_RUNNING &&
			      eg_agent_look(&agent, eg_pins_are_locked(pinned->directory)) != EG_AGENT_DEAD;
	node->workloads = snapshot->workloads.len;
	add_sweep(node, &agent.sweep);
	count_foreign(pinned, node);
	return eg_pins_read_programs(pinned->directory, &snapshot->programs);
}

static int audit(const struct eg_pinned *listed, struct eg_snapshot *snapshot)
{
	struct eg_audit found;
	int r = eg_audit_run(listed, &found);

	if (r < 0)
		return r;
	snapshot->audit_leases = found.leases;
	snapshot->audit_gauges = found.places;
	snapshot->audit_agrees = found.agrees;
	return 0;
}

static void listed_clear(struct eg_pinned *listed)
{
	eg_array_clear(&listed->slots);
}

int eg_snapshot_read(const struct eg_pinned *pinned, const char *workload, struct eg_snapshot *ret_snapshot)
{
	_cleanup_(listed_clear) struct eg_pinned listed = {.maps = pinned->maps};
	_cleanup_(eg_snapshot_clear) struct eg_snapshot snapshot = {};
	int r = read_workloads(&listed, workload, &snapshot);

	if (r == 0)
		r = audit(&listed, &snapshot);
	if (r == 0 && !workload)
		r = read_node(pinned, &snapshot);
	if (r < 0)
		return r;
	*ret_snapshot = snapshot;
	snapshot = (struct eg_snapshot){};
	return 0;
}
