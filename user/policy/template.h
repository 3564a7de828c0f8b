/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_TEMPLATE_H
#define EG_POLICY_TEMPLATE_H

/* Which ProxyTemplate a workload has, and what it makes of the passthrough clusters. */
#include "egress/maps.h"
#include "policy/model.h"
#include "policy/target.h"

/*
 * The one that Kuma would take for a workload; NULL: none is for it. Of those that
 * match the one with the most tags wins, then with the most that are no *, then the
 * first by name: files have no time of creation.
 */
const struct eg_proxy_template *eg_template_select(const struct eg_model *model, const struct eg_identity *identity);

struct eg_template_cluster {
	struct eg_cluster_policy policy;
	struct eg_origin origins[EG_SETTING_COUNT];
	const struct eg_origin *removed; /* by which modification; NULL: it is there */
};

/* Applies all modifications of a template to a family's cluster. */
void eg_template_apply(const struct eg_proxy_template *template, enum eg_families family,
		       struct eg_template_cluster *cluster);

/* Warns of what a template says that cannot act, or that its author may have meant for both families. */
void eg_template_check(const struct eg_model *model, const struct eg_proxy_template *template, struct eg_diag *diag);

#endif
