/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/eval.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/addr.h"

static const uint8_t class_reasons[EG_CLASS_COUNT] = {
	[EG_CLASS_RESOLVER] = EG_REASON_EXEMPT_RESOLVER,
	[EG_CLASS_RULE] = EG_REASON_EXEMPT_RULE,
	[EG_CLASS_MESH] = EG_REASON_MESH,
	[EG_CLASS_MATCHED] = EG_REASON_MATCHED,
};

static struct eg_decision allow(enum eg_reason reason)
{
	return (struct eg_decision){.verdict = EG_VERDICT_ALLOWED, .reason = reason};
}

static struct eg_decision block(enum eg_reason reason, uint16_t block_errno)
{
	return (struct eg_decision){.verdict = EG_VERDICT_BLOCKED, .reason = reason, .block_errno = block_errno};
}

/* Audit mode: the same reason, and the call goes on. */
static struct eg_decision block_by(const struct eg_subject *subject, enum eg_reason reason)
{
	if (subject->mode == EG_MODE_AUDIT)
		return (struct eg_decision){.verdict = EG_VERDICT_AUDITED, .reason = reason};
	return block(reason, subject->block_errno);
}

static struct eg_flow normalise(const struct eg_flow *flow)
{
	struct eg_prefix destination = eg_prefix_of_addr(flow->family, &flow->addr);
	struct eg_flow normal = *flow;

	normal.family = destination.family;
	normal.addr = destination.addr;
	return normal;
}

static bool is_loopback(const struct eg_flow *flow)
{
	const uint32_t *word_be = flow->addr.word_be;
	uint32_t last = ntohl(word_be[3]);

	if (flow->family == EG_FAMILY_IPV4)
		return ntohl(word_be[0]) >> 24 == 127 || word_be[0] == 0;
	return word_be[0] == 0 && word_be[1] == 0 && word_be[2] == 0 && (last == 0 || last == 1);
}

static bool matches(const struct eg_rule *rule, const struct eg_flow *flow)
{
	return (rule->port == 0 || rule->port == flow->port) && (rule->protocols & eg_protocol_bit(flow->protocol)) &&
	       eg_prefix_contains(&rule->prefix, flow->family, &flow->addr);
}

/* A longer prefix says more than a shorter one, and of equal ones a port says more than none. */
static bool is_more_specific(const struct eg_rule *a, const struct eg_rule *b)
{
	if (a->prefix.len != b->prefix.len)
		return a->prefix.len > b->prefix.len;
	return a->port != 0 && b->port == 0;
}

/* The class decides, and no specificity across classes; within one it says which rule to name. */
static bool comes_before(const struct eg_rule *a, const struct eg_rule *b)
{
	return a->class != b->class ? a->class < b->class : is_more_specific(a, b);
}

/* The first of `found` and the scope's rules for the flow. scope and found may be NULL. */
static const struct eg_rule *find_rule(const struct eg_scope *scope, const struct eg_flow *flow, const struct eg_rule *found)
{
	for (size_t i = 0; scope && i < scope->rules.len; i++) {
		const struct eg_rule *rule = &scope->rules.items[i];

		if (matches(rule, flow) && (!found || comes_before(rule, found)))
			found = rule;
	}
	return found;
}

struct eg_decision eg_eval(const struct eg_subject *subject, const struct eg_flow *flow,
			   const struct eg_rule **ret_rule)
{
	struct eg_flow normal = normalise(flow);
	const struct eg_rule *unused;

	if (!ret_rule)
		ret_rule = &unused;
	*ret_rule = NULL;

	if (!subject)
		return block(EG_REASON_BLOCKED_NO_POLICY, EPERM);
	if (is_loopback(&normal))
		return allow(EG_REASON_EXEMPT_LOOPBACK);

	*ret_rule = find_rule(subject->own_scope, &normal, NULL);
	*ret_rule = find_rule(subject->mesh_scope, &normal, *ret_rule);
	if (*ret_rule)
		return allow(class_reasons[(*ret_rule)->class]);
	if (subject->passthrough)
		return allow(EG_REASON_PASSTHROUGH);
	return block_by(subject, EG_REASON_BLOCKED_PASSTHROUGH_OFF);
}

/* --- what comes in --- */

static bool is_service_port(const struct eg_incoming *incoming, uint16_t port)
{
	for (size_t i = 0; i < incoming->service_port_count; i++)
		if (incoming->service_ports[i] == port)
			return true;
	return false;
}

/* Loopback, without the unspecified addresses: those are no client's. */
static bool is_own_client(const struct eg_flow *flow)
{
	static const struct eg_addr unspecified;

	return is_loopback(flow) && memcmp(&flow->addr, &unspecified, sizeof(unspecified)) != 0;
}

bool eg_eval_is_judged(const struct eg_subject *subject, const struct eg_flow *flow)
{
	struct eg_flow normal = normalise(flow);

	if (!subject)
		return true;
	if (subject->incoming.mode == EG_INCOMING_OFF || is_own_client(&normal))
		return false;
	return normal.protocol != IPPROTO_UDP || is_service_port(&subject->incoming, normal.port);
}

struct eg_decision eg_eval_incoming(const struct eg_subject *subject, const struct eg_flow *flow,
				    const struct eg_rule **ret_rule)
{
	struct eg_flow normal = normalise(flow);
	const struct eg_rule *unused;

	if (!ret_rule)
		ret_rule = &unused;
	*ret_rule = NULL;

	if (!subject)
		return block(EG_REASON_BLOCKED_NO_POLICY, EPERM);
	if (is_own_client(&normal))
		return allow(EG_REASON_EXEMPT_LOOPBACK);
	if (!eg_eval_is_judged(subject, &normal) || subject->incoming.mode != EG_INCOMING_STRICT)
		return allow(EG_REASON_INCOMING_ALLOWED);
	*ret_rule = find_rule(subject->incoming.own_sources, &normal, NULL);
	*ret_rule = find_rule(subject->incoming.mesh_sources, &normal, *ret_rule);
	return *ret_rule ? allow(EG_REASON_INCOMING_ALLOWED) : block_by(subject, EG_REASON_INCOMING_BLOCKED);
}

#define DNS_PORT 53

/* Which of a workload's places takes the flow, whatever stands there. */
static struct eg_place find_place(const struct eg_subject *subject, const struct eg_flow *flow, enum eg_reason reason)
{
	static const struct eg_place nowhere;
	const struct eg_redirect_policy *redirect = eg_subject_redirect(subject, flow->family);

	switch (eg_protocol_bit(flow->protocol)) {
	case EG_PROTO_UDP:
		return flow->port == DNS_PORT && reason != EG_REASON_EXEMPT_LOOPBACK ? redirect->dns : nowhere;
	case EG_PROTO_TCP:
		return reason == EG_REASON_MESH			     ? redirect->mesh
		       : reason == EG_REASON_BLOCKED_PASSTHROUGH_OFF ? redirect->to
								     : nowhere;
	default:
		return nowhere;
	}
}

struct eg_decision eg_eval_connect(const struct eg_subject *subject, const struct eg_flow *flow,
				   const struct eg_rule **ret_rule, struct eg_place *ret_place)
{
	struct eg_decision decision = eg_eval(subject, flow, ret_rule);
	struct eg_flow normal = normalise(flow);
	struct eg_place place = {};

	if (subject)
		place = find_place(subject, &normal, decision.reason);
	*ret_place = place;
	if (place.port == 0)
		return decision;
	if (subject->mode == EG_MODE_AUDIT) {
		*ret_place = (struct eg_place){};
		if (decision.verdict == EG_VERDICT_AUDITED)
			decision.reason = EG_REASON_REDIRECTED;
		return decision;
	}
	/* Traffic of the mesh is that, whichever way it goes. */
	return decision.reason == EG_REASON_MESH ? decision : allow(EG_REASON_REDIRECTED);
}
