/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "datapath/audit.h"

#include "base/cleanup.h"
#include "datapath/pinning.h"

static struct eg_places gauges_of(const struct eg_cluster_state *state)
{
	return (struct eg_places){
		.connections = eg_held_connections(state->held),
		.pending = eg_held_pending(state->held),
		.draining = state->draining,
		.sessions = state->sessions,
	};
}

int eg_audit_read_gauges(const struct eg_maps *maps, uint32_t slot, struct eg_audited *ret_gauges)
{
	struct eg_slot value;
	int r = eg_maps_read_slot(maps, slot, &value);

	if (r == 0)
		*ret_gauges = (struct eg_audited){gauges_of(&value.state.ipv4), gauges_of(&value.state.ipv6),
						   (uint16_t)value.state.epoch};
	return r;
}

static void add_lease(struct eg_places *places, __u8 state)
{
	places->connections += state == EG_LEASE_CONNECTING || state == EG_LEASE_ESTABLISHED;
	places->pending += state == EG_LEASE_CONNECTING;
	places->draining += state == EG_LEASE_DRAINING;
	places->sessions += state == EG_LEASE_SESSION;
}

void eg_audit_add(struct eg_audited by_slot[EG_SLOTS_MAX], __u64 word)
{
	struct eg_audited *audited = &by_slot[eg_lease_slot(word) % EG_SLOTS_MAX];

	if (eg_lease_state(word) != EG_LEASE_NONE && eg_lease_epoch(word) == audited->epoch)
		add_lease(eg_lease_marks(word) & EG_LEASE_IPV6 ? &audited->ipv6 : &audited->ipv4, eg_lease_state(word));
}

int eg_audit_count(const struct eg_maps *maps, struct eg_audited by_slot[EG_SLOTS_MAX])
{
	_cleanup_(eg_entries_unmap) struct eg_entries leases = {};
	int r = eg_entries_map(maps->leases, sizeof(struct eg_lease), &leases);

	for (uint32_t i = 0; i < leases.count; i++)
		eg_audit_add(by_slot, *(const volatile __u64 *)&((const struct eg_lease *)leases.values)[i].word);
	return r;
}

static uint64_t sum_places(const struct eg_places *places)
{
	return (uint64_t)places->connections + places->draining + places->sessions;
}

uint64_t eg_audit_sum(const struct eg_audited *audited)
{
	return sum_places(&audited->ipv4) + sum_places(&audited->ipv6);
}

static bool is_between(uint32_t found, uint32_t a, uint32_t b)
{
	return found >= (a < b ? a : b) && found <= (a < b ? b : a);
}

static bool places_agree(const struct eg_places *found, const struct eg_places *before, const struct eg_places *after)
{
	return is_between(found->connections, before->connections, after->connections) &&
	       is_between(found->pending, before->pending, after->pending) &&
	       is_between(found->draining, before->draining, after->draining) &&
	       is_between(found->sessions, before->sessions, after->sessions);
}

bool eg_audit_agrees(const struct eg_audited *found, const struct eg_audited *before, const struct eg_audited *after)
{
	return places_agree(&found->ipv4, &before->ipv4, &after->ipv4) &&
	       places_agree(&found->ipv6, &before->ipv6, &after->ipv6);
}
