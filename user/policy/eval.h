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

#endif
