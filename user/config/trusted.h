/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_TRUSTED_H
#define EG_CONFIG_TRUSTED_H

/* Policies by whom they may come from. */
#include "base/diag.h"
#include "base/trust.h"

/*
 * An error for each file and folder of a policy that others than `trust` says could
 * change, or of which nobody can tell. 0, or -errno of a shortage (base/file.h).
 */
int eg_policy_check_trust(const struct eg_trust *trust, const char *const *paths, size_t path_count,
			  struct eg_diag *diag);

#endif
