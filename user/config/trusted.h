/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_TRUSTED_H
#define EG_CONFIG_TRUSTED_H

/* Policies by whom they may come from. */
#include "base/diag.h"
#include "base/trust.h"

/*
 * An error for each file and folder of a policy that others than `trust` says could
 * change. What cannot be found is left to whoever reads it. 0, or -ENOMEM.
 */
int eg_policy_check_trust(const struct eg_trust *trust, const char *const *paths, size_t path_count,
			  struct eg_diag *diag);

#endif
