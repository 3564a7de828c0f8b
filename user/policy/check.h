/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_CHECK_H
#define EG_POLICY_CHECK_H

#include "base/diag.h"
#include "policy/model.h"

/* How much of a policy the set is said to be. */
enum eg_completeness {
	EG_SET_PART,	/* some documents (`check`, `explain`): what they lack may stand elsewhere */
	EG_SET_RUN,	/* one command's: mesh `default` needs no document, nor does a Workload */
	EG_SET_WHOLE,	/* the daemon's: every mesh named is defined and there is a Workload */
};

/*
 * The meaning of the resources together: undefined meshes and Dataplanes, the
 * same kind, mesh and name twice. Adds findings to diag; the caller asks eg_diag_has_errors(). 0, or -ENOMEM.
 */
int eg_policy_check(const struct eg_model *model, enum eg_completeness completeness, struct eg_diag *diag);

#endif
