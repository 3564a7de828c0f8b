/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CLI_EXPLAIN_H
#define EG_CLI_EXPLAIN_H

/* What `explain` was asked and found out, and its two ways to say it. */
#include "base/diag.h"
#include "policy/eval.h"
#include "policy/rules.h"

struct eg_explanation {
	const struct eg_subject *subject;
	const struct eg_diag *diag;
	bool is_incoming;	/* the flow is a client's */
	bool has_flow;
	struct eg_flow flow;
	struct eg_decision decision;
	struct eg_place place; /* where it is sent instead; port 0: nowhere */
	const struct eg_rule *rule; /* NULL where no rule gave the verdict */
};

/* Each prints to stdout. The second: 0, or -errno. */
void eg_explanation_print(const struct eg_explanation *explanation);
int eg_explanation_print_json(const struct eg_explanation *explanation);

/* Whether a setting is shown: connections may become as old as they like unless somebody says otherwise. */
bool eg_explanation_shows(const struct eg_cluster_policy *cluster, enum eg_setting setting);
/* What a workload sends somewhere else: "to", "mesh", "dns"; NULL behind the last. */
const char *eg_explanation_redirect_name(size_t index);
/* Where, in a family; port 0: nowhere. */
struct eg_place eg_explanation_redirect_place(const struct eg_subject *subject, size_t index, uint32_t family);
/* Where what gave the verdict was written: the rule, or the switch. NULL: nobody can change it. */
const struct eg_origin *eg_explanation_cause(const struct eg_explanation *explanation);

#endif
