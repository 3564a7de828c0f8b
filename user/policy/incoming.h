/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_INCOMING_H
#define EG_POLICY_INCOMING_H

/* Who may come in to a workload: the mode of mTLS, and the rules of sources. */
#include "policy/rules.h"
#include "policy/target.h"

/*
 * The nearest to the workload wins: the most specific MeshTLS that says a mode, then the
 * Mesh, then the default, which nobody wrote. mesh may be NULL.
 */
void eg_incoming_select(const struct eg_model *model, const struct eg_identity *identity, const struct eg_mesh *mesh,
			struct eg_incoming *ret_incoming);

/* Whether some workload of a mesh may have mTLS. mesh is NULL when no document defines it. */
bool eg_incoming_is_wanted(const struct eg_model *model, const char *name, const struct eg_mesh *mesh);

/* Rules of a mesh's sources: the node's, and those of one Dataplane after the other. 0, or -ENOMEM. */
int eg_incoming_add_node(struct eg_scope *scope, const struct eg_node *node);
int eg_incoming_add_dataplane(struct eg_scope *scope, const struct eg_dataplane *dataplane);
/* Who else may come in to a workload. Both may be NULL. 0, or -ENOMEM. */
int eg_incoming_add_own(struct eg_scope *scope, const struct eg_workload *workload,
			const struct eg_dataplane *dataplane);

/* Says what a set of documents does not mean as its author may believe. */
void eg_incoming_check(const struct eg_model *model, struct eg_diag *diag);

#endif
