/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EMIT_BPF_H
#define EG_EMIT_BPF_H

/*
 * decision -> counters, the destination table, events.
 *
 * Counters are changed by atomic adds: the programs can be preempted and run on
 * every CPU at once, and no count may be lost.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "config.bpf.h"
#include "egress/maps.h"
#include "maps.bpf.h"

#define NSEC_PER_SEC 1000000000ull

/* One hook run with its answer. */
struct observation {
	__u32 slot_id;
	enum eg_hook hook;
	struct eg_flow flow;
	struct eg_decision decision;
	__u32 bank;		/* whose policy decided: the whole run looks into this one */
	__u64 time_ns;
};

static __always_inline void count(__u64 *counter)
{
	__sync_fetch_and_add(counter, 1);
}

/* The connects that Envoy's passthrough listener would have taken: non-mesh TCP. */
static __always_inline void count_cluster(struct eg_cluster_counts *cluster, enum eg_reason reason)
{
	switch (reason) {
	case EG_REASON_PASSTHROUGH:
	case EG_REASON_MATCHED:
	case EG_REASON_REDIRECTED:
		count(&cluster->cx_total);
		break;
	case EG_REASON_BLOCKED_PASSTHROUGH_OFF:
		count(&cluster->cx_no_route);
		break;
	case EG_REASON_BLOCKED_MAX_CONNECTIONS:
		count(&cluster->cx_overflow);
		break;
	case EG_REASON_BLOCKED_MAX_PENDING:
		count(&cluster->rq_pending_overflow);
		break;
	case EG_REASON_BLOCKED_MAX_REQUESTS:
		count(&cluster->rq_overflow);
		break;
	case EG_REASON_BLOCKED_MAX_RETRIES:
		count(&cluster->rq_retry_overflow);
		break;
	default:
		break;
	}
}

static __always_inline void count_verdict(struct eg_slot_counts *counts, const struct observation *seen)
{
	struct eg_family_counts *family = seen->flow.family == EG_FAMILY_IPV4 ? &counts->ipv4 : &counts->ipv6;
	__u32 reason = seen->decision.reason;

	/* The verifier cannot know that every reason has a counter. */
	if (reason >= EG_REASON_COUNT)
		return;
	count((__u64 *)&family->verdicts + reason);
	if (eg_protocol_bit(seen->flow.protocol) == EG_PROTO_TCP)
		count_cluster(&family->cluster, reason);
	else if (reason == EG_REASON_BLOCKED_MAX_CONNECTIONS)
		count(&family->cluster.sessions_overflow);
}

/* Counts a destination that is in the table already. */
static __always_inline bool touch_destination(const struct eg_dest_key *key, __u64 time_ns)
{
	struct eg_dest *dest = bpf_map_lookup_elem(&eg_dests, key);

	if (!dest)
		return false;
	count(&dest->count);
	/* A program that was preempted is late with its time. */
	if (dest->last_seen_ns < time_ns)
		dest->last_seen_ns = time_ns;
	return true;
}

/*
 * Who comes in is not the workload's to choose: however many they are, they leave half of
 * its places to its destinations.
 */
static __always_inline __u32 places_for(__u32 reason)
{
	return eg_reason_is_incoming(reason) ? eg_dest_quota / 2 : eg_dest_quota;
}

/* Takes a place of the slot's quota, adds the destination, or gives the place back. */
static __always_inline bool add_destination(struct eg_slot_state *state, const struct eg_dest_key *key, __u64 time_ns,
					    bool has_process)
{
	struct eg_dest dest = {.first_seen_ns = time_ns, .last_seen_ns = time_ns, .count = 1};

	if (__sync_fetch_and_add(&state->destinations, 1) < places_for(key->reason)) {
		if (has_process) {
			dest.pid = bpf_get_current_pid_tgid() >> 32;
			dest.uid = bpf_get_current_uid_gid();
			bpf_get_current_comm(dest.comm, sizeof(dest.comm));
		}
		if (bpf_map_update_elem(&eg_dests, key, &dest, BPF_NOEXIST) == 0)
			return true;
	}
	__sync_fetch_and_add(&state->destinations, -1);
	return false;
}

static __always_inline void record_destination(struct eg_slot *slot, const struct observation *seen, bool has_process)
{
	struct eg_dest_key key = {
		.slot = seen->slot_id,
		.flow = seen->flow,
		.reason = seen->decision.reason,
		.verdict = seen->decision.verdict,
	};

	/* Loopback never leaves the node. */
	if (seen->decision.reason == EG_REASON_EXEMPT_LOOPBACK)
		return;
	if (touch_destination(&key, seen->time_ns) || add_destination(&slot->state, &key, seen->time_ns, has_process))
		return;
	/* No place, or another CPU added the very same one first. */
	if (!touch_destination(&key, seen->time_ns))
		count(&slot->counts.destinations_missed);
}

/*
 * At most eg_event_rate a second; whoever turns the second over starts the count
 * again. A program that was preempted before must not turn it back.
 */
static __always_inline bool is_event_due(struct eg_slot_state *state, __u64 time_ns)
{
	__u64 window = time_ns / NSEC_PER_SEC;
	__u64 counted = *(volatile __u64 *)&state->event_window;

	if (counted < window && __sync_val_compare_and_swap(&state->event_window, counted, window) == counted)
		__sync_lock_test_and_set(&state->event_count, 0);
	return __sync_fetch_and_add(&state->event_count, 1) < eg_event_rate;
}

static __always_inline void emit_event(struct eg_slot *slot, const struct observation *seen, bool has_process)
{
	struct eg_event *event;

	if (!is_event_due(&slot->state, seen->time_ns)) {
		count(&slot->counts.events_suppressed);
		return;
	}
	event = bpf_ringbuf_reserve(&eg_events, sizeof(*event), 0);
	if (!event) {
		count(&slot->counts.events_lost);
		return;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->version = EG_EVENT_VERSION;
	event->size = sizeof(*event);
	event->slot = seen->slot_id;
	event->time_ns = seen->time_ns;
	event->flow = seen->flow;
	event->hook = seen->hook;
	event->verdict = seen->decision.verdict;
	event->reason = seen->decision.reason;
	if (has_process) {
		event->pid = bpf_get_current_pid_tgid() >> 32;
		event->uid = bpf_get_current_uid_gid();
		bpf_get_current_comm(event->comm, sizeof(event->comm));
	}
	bpf_ringbuf_submit(event, 0);
}

/*
 * What was allowed is counted and listed; what was blocked, or would be, is an event as
 * well. Whether the process at hand is the one is a constant: packet programs have no
 * helper that would tell it.
 */
static __always_inline void account(struct eg_slot *slot, const struct observation *seen, bool has_process)
{
	count_verdict(&slot->counts, seen);
	record_destination(slot, seen, has_process);
	if (seen->decision.verdict == EG_VERDICT_ALLOWED)
		return;
	if (seen->decision.verdict == EG_VERDICT_AUDITED)
		count(&slot->counts.not_enforced);
	emit_event(slot, seen, has_process);
}

/* The counters of a slot; those of slot 0 where the slot has none, so that no refusal goes uncounted. */
static __always_inline struct eg_slot *find_slot(__u32 *slot_id)
{
	struct eg_slot *slot = bpf_map_lookup_elem(&eg_slots, slot_id);

	if (slot)
		return slot;
	*slot_id = 0;
	return bpf_map_lookup_elem(&eg_slots, slot_id);
}

/*
 * Programs of descendant cgroups, and those attached before ours, have run: what
 * they refused never leaves, so it is not counted as admitted, nor as let go by audit mode.
 */
__noinline int eg_account(struct observation *seen, int refused_before)
{
	struct eg_slot *slot;
	__u32 slot_id;

	if (!seen)
		return 0;
	/* A key lies on the stack: before Linux 6.2 a function's argument cannot be one. */
	slot_id = seen->slot_id;
	slot = find_slot(&slot_id);
	seen->slot_id = slot_id;
	if (slot && seen->decision.verdict != EG_VERDICT_BLOCKED && refused_before)
		count(&slot->counts.refused_before);
	else if (slot)
		account(slot, seen, true);
	return 0;
}

#endif
