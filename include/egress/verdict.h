/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EGRESS_VERDICT_H
#define EGRESS_VERDICT_H

/* Verdicts and reasons: the one table that the datapath, events, JSON, statistics and the manual share. */
#include "egress/flow.h"

/* One byte, as EG_REASON_*: keys of maps have them by name, and bpftool shows it. */
enum __attribute__((packed)) eg_verdict {
	EG_VERDICT_BLOCKED = 0,	/* zero, so that a decision nobody filled in refuses */
	EG_VERDICT_ALLOWED = 1,
	EG_VERDICT_AUDITED = 2,	/* would be blocked, for the same reason, and goes on: the workload is in audit mode */
};

/*
 * X(ENUM, field, "name", verdict, "what it means to an operator")
 *
 * A reason is listed once something can give it. The order is the order of the
 * counters in struct eg_reason_counts: append, and raise EG_ABI_VERSION.
 */
#define EG_REASONS(X) \
	X(MESH, mesh, "mesh", ALLOWED, \
	  "a destination of the workload's mesh") \
	X(EXEMPT_LOOPBACK, exempt_loopback, "exempt-loopback", ALLOWED, \
	  "127.0.0.0/8, ::1 and the unspecified addresses, which the kernel takes as loopback") \
	X(EXEMPT_RESOLVER, exempt_resolver, "exempt-resolver", ALLOWED, \
	  "a configured DNS resolver, port 53 over UDP or TCP") \
	X(EXEMPT_RULE, exempt_rule, "exempt-rule", ALLOWED, \
	  "an address or port that the Workload excludes") \
	X(PASSTHROUGH, passthrough, "passthrough", ALLOWED, \
	  "non-mesh, and passthrough is true") \
	X(MATCHED, matched, "matched", ALLOWED, \
	  "non-mesh, and named by an allow list") \
	X(BLOCKED_PASSTHROUGH_OFF, blocked_passthrough_off, "blocked-passthrough-off", BLOCKED, \
	  "non-mesh, and passthrough is false") \
	X(BLOCKED_NO_POLICY, blocked_no_policy, "blocked-no-policy", BLOCKED, \
	  "the cgroup has programs but no policy that could be looked up") \
	X(BLOCKED_MAX_CONNECTIONS, blocked_max_connections, "blocked-max-connections", BLOCKED, \
	  "the circuit breaker's max_connections are held already") \
	X(BLOCKED_MAX_PENDING, blocked_max_pending, "blocked-max-pending", BLOCKED, \
	  "the circuit breaker's max_pending_requests are connecting already") \
	X(BLOCKED_MAX_REQUESTS, blocked_max_requests, "blocked-max-requests", BLOCKED, \
	  "the circuit breaker's max_requests, which a policy wrote, are held already") \
	X(BLOCKED_MAX_RETRIES, blocked_max_retries, "blocked-max-retries", BLOCKED, \
	  "the circuit breaker's max_retries, which a policy wrote, are connecting again already") \
	X(BLOCKED_NO_STATE, blocked_no_state, "blocked-no-state", BLOCKED, \
	  "what the circuit breaker keeps for a socket could not be stored") \
	X(REPLY, reply, "reply", ALLOWED, \
	  "a datagram to a peer that wrote to this very socket lately") \
	X(BLOCKED_PROTOCOL, blocked_protocol, "blocked-protocol", BLOCKED, \
	  "a socket of a kind that the workload may not make: raw, or a protocol that allowProtocols does not name") \
	X(BLOCKED_SOURCE_ROUTE, blocked_source_route, "blocked-source-route", BLOCKED, \
	  "a packet with a source route or a routing header: its address is only the way to another one") \
	X(BLOCKED_GUARD, blocked_guard, "blocked-guard", BLOCKED, \
	  "a packet of a socket that no other hook has judged, and whose destination the policy does not allow") \
	X(INCOMING_ALLOWED, incoming_allowed, "incoming-allowed", ALLOWED, \
	  "a client that may come in, while mTLS is on: of the mesh, named by allowIncoming, or anyone while its mode is " \
	  "PERMISSIVE") \
	X(INCOMING_BLOCKED, incoming_blocked, "incoming-blocked", BLOCKED, \
	  "a client outside the mesh, while the mode of mTLS is STRICT") \
	X(REDIRECTED, redirected, "redirected", ALLOWED, \
	  "sent to the proxy or the resolver that the Workload names: non-mesh TCP while passthrough is false, or DNS")

enum __attribute__((packed)) eg_reason {
#define EG_REASON_ENUM(id, field, name, verdict, text) EG_REASON_##id,
	EG_REASONS(EG_REASON_ENUM)
#undef EG_REASON_ENUM
	EG_REASON_COUNT,
};

/* Those from here on come from the circuit breaker and the guard: a decision by itself never has them. */
#define EG_REASONS_DECIDED EG_REASON_BLOCKED_MAX_CONNECTIONS

/* Whether a verdict with this reason is on a client that comes in: the flow has its address and the workload's own port. */
static inline int eg_reason_is_incoming(unsigned int reason)
{
	return reason == EG_REASON_INCOMING_ALLOWED || reason == EG_REASON_INCOMING_BLOCKED;
}

/* What decide() and its reference answer. */
struct eg_decision {
	__u8 verdict;		/* enum eg_verdict */
	__u8 reason;		/* enum eg_reason */
	__u16 block_errno;	/* what the caller sees when blocked: 1..4095; 0 when the call goes on */
};
EG_STATIC_SIZE(struct eg_decision, 4);

#endif
