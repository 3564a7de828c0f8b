/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_EVAL_H
#define EG_POLICY_EVAL_H

#include "egress/flow.h"
#include "egress/verdict.h"
#include "policy/rules.h"

/*
 * The reference decision: DESIGN section 5 as a walk over the rules, written to be
 * read. `explain` gives it to people, and bpf/decide.bpf.h is compared with it.
 *
 * The flow may hold a mapped address; it is judged as IPv4. subject NULL stands for
 * a cgroup without policy. *ret_rule, if asked for, is the rule that gave the
 * verdict, or NULL where no rule did (loopback, passthrough).
 */
struct eg_decision eg_eval(const struct eg_subject *subject, const struct eg_flow *flow,
			   const struct eg_rule **ret_rule);

/*
 * The same for a client that comes in: the flow has its address, and the workload's own
 * port; port 0 is any that no rule names. bpf/incoming.bpf.h is compared with it. Who is
 * not looked at, while mTLS is off among others, may come in.
 */
struct eg_decision eg_eval_incoming(const struct eg_subject *subject, const struct eg_flow *flow,
				    const struct eg_rule **ret_rule);
/* Whether such a client is looked at, and so counted. */
bool eg_eval_is_judged(const struct eg_subject *subject, const struct eg_flow *flow);

/*
 * The same for a connect, or a datagram, of a task that is not the proxy's, and of a socket
 * that can be redirected. *ret_place is where it goes instead; port 0: where it wants to.
 * In audit mode nothing is redirected, and what a redirect would save from being refused is
 * said to be.
 */
struct eg_decision eg_eval_connect(const struct eg_subject *subject, const struct eg_flow *flow,
				   const struct eg_rule **ret_rule, struct eg_place *ret_place);

#endif
