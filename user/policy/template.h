/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_TEMPLATE_H
#define EG_POLICY_TEMPLATE_H

/* Which ProxyTemplate a workload has. */
#include "policy/model.h"
#include "policy/target.h"

/* In an arena. */
struct eg_template_list {
	const struct eg_proxy_template **items;
	size_t len;
};

/*
 * Those that are for a workload, in the order in which Kuma would take them: it takes
 * the first alone. The one with the most tags comes first, then with the most that are
 * no *, then the one created last, then the first by name. 0, or -ENOMEM.
 */
int eg_template_select(const struct eg_model *model, const struct eg_identity *identity, struct eg_arena *arena,
		       struct eg_template_list *ret_list);

/* Templates that do not hold where they match, with those that do. */
struct eg_shadows {
	struct eg_arena arena;
	void *tree; /* tsearch() */
};

void eg_shadows_clear(struct eg_shadows *shadows);
/* Takes note of the shadowed ones of a list that so many workloads have, the first of which is named. 0, or -ENOMEM. */
int eg_shadows_add(struct eg_shadows *shadows, const struct eg_template_list *templates, const char *workload,
		   size_t workloads);
/* Warns of each once, however many workloads it is shadowed for. */
void eg_shadows_check(const struct eg_shadows *shadows, struct eg_diag *diag);

#endif
