/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/preflight.h"

#include <netinet/in.h>
#include <search.h>
#include <stdbool.h>
#include <string.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "policy/eval.h"

/* Places instead of pointers: the array moves. */
struct place {
	uint32_t slot;
	bool is_incoming;
	struct eg_flow flow;
	size_t index;
};

void eg_preflight_clear(struct eg_preflight *preflight)
{
	tdestroy(preflight->index, free);
	preflight->index = NULL;
	eg_array_clear(&preflight->cuts);
}

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	if (x->is_incoming != y->is_incoming)
		return x->is_incoming ? 1 : -1;
	return eg_flow_compare(&x->flow, &y->flow);
}

static int compare_cuts(const void *a, const void *b)
{
	const struct eg_cut *x = a, *y = b;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	if (x->is_incoming != y->is_incoming)
		return x->is_incoming ? 1 : -1;
	return eg_flow_compare(&x->flow, &y->flow);
}

static struct eg_cut *find(const struct eg_preflight *preflight, uint32_t slot, const struct eg_flow *flow,
			   bool is_incoming)
{
	const struct place wanted = {.slot = slot, .is_incoming = is_incoming, .flow = *flow};
	struct place **found = tfind(&wanted, &preflight->index, compare_places);

	return found ? &preflight->cuts.items[(*found)->index] : NULL;
}

static int add(struct eg_preflight *preflight, uint32_t slot, const struct eg_flow *flow, bool is_incoming,
	       enum eg_reason reason, struct eg_cut **ret_cut)
{
	_cleanup_free_ struct place *place = malloc(sizeof(*place));
	int r = place ? 0 : -ENOMEM;

	if (r == 0) {
		*place = (struct place){.slot = slot, .is_incoming = is_incoming, .flow = *flow, .index = preflight->cuts.len};
		r = eg_array_push(&preflight->cuts, {.slot = slot, .is_incoming = is_incoming, .flow = *flow, .reason = reason});
	}
	if (r < 0)
		return r;
	if (!tsearch(place, &preflight->index, compare_places)) {
		preflight->cuts.len--;
		return -ENOMEM;
	}
	*ret_cut = &preflight->cuts.items[TAKE_PTR(place)->index];
	return 0;
}

/* Rules cannot tell them apart. */
static struct eg_flow without_mptcp(struct eg_flow flow)
{
	if (flow.protocol == IPPROTO_MPTCP)
		flow.protocol = IPPROTO_TCP;
	return flow;
}

/* While passthrough is false a socket of another kind cannot be made, wherever it would go. */
static bool may_be_made(const struct eg_subject *subject, const struct eg_flow *flow)
{
	const uint32_t usual = EG_PROTO_TCP | EG_PROTO_UDP | EG_PROTO_ICMP;

	return subject->passthrough || subject->mode == EG_MODE_AUDIT ||
	       (eg_protocol_bit(flow->protocol) & (usual | subject->allowed_protocols));
}

static bool is_cut(const struct eg_preflight *preflight, uint32_t slot, const struct eg_flow *flow, bool is_incoming,
		   enum eg_reason *ret_reason)
{
	const struct eg_subject *subject = slot < EG_SLOTS_MAX ? preflight->subjects[slot] : NULL;
	struct eg_decision decision;
	struct eg_place unused;

	if (!subject)
		return false;
	*ret_reason = EG_REASON_BLOCKED_PROTOCOL;
	if (!is_incoming && !may_be_made(subject, flow))
		return true;
	decision = is_incoming ? eg_eval_incoming(subject, flow, NULL) : eg_eval_connect(subject, flow, NULL, &unused);
	*ret_reason = decision.reason;
	return decision.verdict == EG_VERDICT_BLOCKED;
}

/* The entry of what would be cut, made when there is none and that is allowed. *ret_cut is NULL for what would not. */
static int look_up(struct eg_preflight *preflight, uint32_t slot, const struct eg_flow *flow, bool is_incoming,
		   bool may_make, struct eg_cut **ret_cut)
{
	enum eg_reason reason;

	*ret_cut = find(preflight, slot, flow, is_incoming);
	if (*ret_cut || !may_make || !is_cut(preflight, slot, flow, is_incoming, &reason))
		return 0;
	return add(preflight, slot, flow, is_incoming, reason, ret_cut);
}

int eg_preflight_add_connection(struct eg_preflight *preflight, uint32_t slot, const struct eg_held_socket *socket)
{
	const struct eg_flow flow = without_mptcp(eg_held_flow(socket));
	uint64_t seen_ns = socket->active_ns > socket->opened_ns ? socket->active_ns : socket->opened_ns;
	struct eg_cut *cut;
	int r = look_up(preflight, slot, &flow, false, true, &cut);

	if (r < 0 || !cut)
		return r;
	if (cut->connections++ == 0) {
		cut->pid = socket->pid;
		memcpy(cut->comm, socket->comm, sizeof(cut->comm));
	}
	cut->rx_bytes += socket->rx_bytes;
	cut->tx_bytes += socket->tx_bytes;
	if (cut->last_seen_ns < seen_ns)
		cut->last_seen_ns = seen_ns;
	return 0;
}

int eg_preflight_add_destination(struct eg_preflight *preflight, const struct eg_dest_key *key,
				 const struct eg_dest *seen)
{
	const bool is_incoming = eg_reason_is_incoming(key->reason);
	const struct eg_flow flow = without_mptcp(key->flow);
	struct eg_cut *cut;
	int r;

	if (key->verdict == EG_VERDICT_BLOCKED)
		return 0;
	r = look_up(preflight, key->slot, &flow, is_incoming, seen->last_seen_ns >= preflight->since_ns, &cut);
	if (r < 0 || !cut)
		return r;
	cut->count += seen->count;
	if (cut->last_seen_ns < seen->last_seen_ns)
		cut->last_seen_ns = seen->last_seen_ns;
	if (cut->pid == 0) {
		cut->pid = seen->pid;
		memcpy(cut->comm, seen->comm, sizeof(cut->comm));
	}
	return 0;
}

void eg_preflight_sort(struct eg_preflight *preflight)
{
	if (preflight->cuts.len > 0)
		qsort(preflight->cuts.items, preflight->cuts.len, sizeof(preflight->cuts.items[0]), compare_cuts);
}
