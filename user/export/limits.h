/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_LIMITS_H
#define EG_EXPORT_LIMITS_H

/* What this build lets through, or refuses too much of, whatever the policy says: the README's table, in its words. */
#include <stdbool.h>
#include <stddef.h>

enum eg_limit_when {
	EG_ALWAYS,
	EG_WITH_LSM, /* where the programs of the BPF LSM are in force */
	EG_WITHOUT_LSM,
};

struct eg_limit {
	const char *what;
	const char *remedy;
	enum eg_limit_when when;
};

/* The table, and how many rows it has. */
const struct eg_limit *eg_limits(size_t *ret_count);
bool eg_limit_holds(const struct eg_limit *limit, bool has_lsm);

#endif
