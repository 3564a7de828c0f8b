/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/totals.h"

/*
 * Envoy looks at a limit whenever what it limits changes. A limit of 0 admits
 * nothing that could change, so that it never shows as reached.
 */
static void add_limit(uint64_t held, uint64_t limit, uint64_t *open, uint64_t *remaining)
{
	*open |= held > 0 && held >= limit;
	*remaining += limit > held ? limit - held : 0;
}

/* Requests are what is established, as in Envoy, where nobody limits them; the limit looks at those that connect too. */
static uint64_t requests(const struct eg_cluster_state *state, const struct eg_cluster_policy *policy)
{
	uint32_t connections = eg_held_connections(state->held), pending = eg_held_pending(state->held);

	return policy->flags & EG_CLUSTER_LIMITS_REQUESTS ? connections : connections - pending;
}

static void add_limits(struct eg_cluster_gauges *gauges, const struct eg_cluster_state *state,
		       const struct eg_cluster_policy *policy)
{
	add_limit(eg_held_connections(state->held), policy->max_connections, &gauges->cx_open, &gauges->remaining_cx);
	add_limit(eg_held_pending(state->held), policy->max_pending, &gauges->pending_open, &gauges->remaining_pending);
	add_limit(requests(state, policy), policy->max_requests, &gauges->rq_open, &gauges->remaining_rq);
	add_limit(state->retries, policy->max_retries, &gauges->retry_open, &gauges->remaining_retries);
}

static void add_state(struct eg_cluster_gauges *gauges, const struct eg_cluster_state *state)
{
	uint32_t connections = eg_held_connections(state->held), pending = eg_held_pending(state->held);

	gauges->connections += connections;
	gauges->pending += pending;
	gauges->established += connections - pending;
	gauges->retries += state->retries;
	gauges->sessions += state->sessions;
	gauges->draining += state->draining;
}

void eg_totals_add(struct eg_totals *totals, const struct eg_slot *slot, const struct eg_workload_policy *policy)
{
	eg_counts_add(&totals->counts, &slot->counts);
	add_state(&totals->ipv4, &slot->state.ipv4);
	add_state(&totals->ipv6, &slot->state.ipv6);
	if (!(policy->flags & EG_WORKLOAD_PRESENT))
		return;
	add_limits(&totals->ipv4, &slot->state.ipv4, &policy->ipv4);
	add_limits(&totals->ipv6, &slot->state.ipv6, &policy->ipv6);
}

static void merge_gauges(struct eg_cluster_gauges *sum, const struct eg_cluster_gauges *gauges)
{
	sum->connections += gauges->connections;
	sum->pending += gauges->pending;
	sum->established += gauges->established;
	sum->retries += gauges->retries;
	sum->sessions += gauges->sessions;
	sum->draining += gauges->draining;
	sum->cx_open |= gauges->cx_open;
	sum->pending_open |= gauges->pending_open;
	sum->rq_open |= gauges->rq_open;
	sum->retry_open |= gauges->retry_open;
	sum->remaining_cx += gauges->remaining_cx;
	sum->remaining_pending += gauges->remaining_pending;
	sum->remaining_rq += gauges->remaining_rq;
	sum->remaining_retries += gauges->remaining_retries;
}

void eg_totals_merge(struct eg_totals *sum, const struct eg_totals *totals)
{
	eg_counts_add(&sum->counts, &totals->counts);
	merge_gauges(&sum->ipv4, &totals->ipv4);
	merge_gauges(&sum->ipv6, &totals->ipv6);
	sum->live |= totals->live;
	if (sum->uptime_s < totals->uptime_s)
		sum->uptime_s = totals->uptime_s;
	if (sum->window_ms < totals->window_ms)
		sum->window_ms = totals->window_ms;
}

int eg_totals_add_slot(struct eg_totals *totals, const struct eg_maps *maps, uint32_t slot)
{
	struct eg_workload_policy policy;
	struct eg_slot value;
	int r = eg_maps_read_slot(maps, slot, &value);

	if (r == 0)
		r = eg_maps_read_policy(maps, slot, &policy);
	if (r == 0)
		eg_totals_add(totals, &value, &policy);
	return r;
}
