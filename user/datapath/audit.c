/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "datapath/audit.h"

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
		*ret_gauges = (struct eg_audited){gauges_of(&value.state.ipv4), gauges_of(&value.state.ipv6)};
	return r;
}

static void add_lease(struct eg_places *places, __u8 state)
{
	places->connections += state == EG_LEASE_CONNECTING || state == EG_LEASE_ESTABLISHED;
	places->pending += state == EG_LEASE_CONNECTING;
	places->draining += state == EG_LEASE_DRAINING;
	places->sessions += state == EG_LEASE_SESSION;
}

struct eg_audited eg_audit_count(const struct eg_walk *walk, uint32_t slot)
{
	struct eg_audited audited = {};

	for (size_t i = 0; i < walk->sockets.len; i++) {
		__u64 word = walk->sockets.items[i].word;

		if (eg_lease_slot(word) == slot)
			add_lease(eg_lease_marks(word) & EG_LEASE_IPV6 ? &audited.ipv6 : &audited.ipv4,
				  eg_lease_state(word));
	}
	return audited;
}

static uint64_t sum_places(const struct eg_places *places)
{
	return (uint64_t)places->connections + places->draining + places->sessions;
}

uint64_t eg_audit_sum(const struct eg_audited *audited)
{
	return sum_places(&audited->ipv4) + sum_places(&audited->ipv6);
}

static bool is_between(uint32_t found, uint32_t a, uint32_t b, bool at_most)
{
	uint32_t low = a < b ? a : b, high = a < b ? b : a;

	return found <= high && (at_most || found >= low);
}

static bool places_agree(const struct eg_places *found, const struct eg_places *before, const struct eg_places *after,
			 bool by_files)
{
	return is_between(found->connections, before->connections, after->connections, by_files) &&
	       is_between(found->pending, before->pending, after->pending, by_files) &&
	       is_between(found->draining, before->draining, after->draining, by_files) &&
	       is_between(found->sessions, before->sessions, after->sessions, by_files);
}

bool eg_audit_agrees(const struct eg_audited *found, const struct eg_audited *before, const struct eg_audited *after,
		     bool by_files)
{
	return places_agree(&found->ipv4, &before->ipv4, &after->ipv4, by_files) &&
	       places_agree(&found->ipv6, &before->ipv6, &after->ipv6, by_files);
}
