/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_SELECTION_H
#define EG_POLICY_SELECTION_H

/* Which policies are for which Workloads of a set, and what comes of it. */
#include "policy/check.h"

/*
 * Adds what is wrong with it to diag, and refuses what would have to be looked at, or
 * held, too many times: each Workload has its rules and limits for itself. 0, or
 * -ENOMEM.
 */
int eg_selection_check(const struct eg_model *model, enum eg_completeness completeness, struct eg_diag *diag);

#endif
