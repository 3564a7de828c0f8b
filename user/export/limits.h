/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_LIMITS_H
#define EG_EXPORT_LIMITS_H

/* What this build lets through, or refuses too much of, whatever the policy says: the README's table, in its words. */
#include <stddef.h>

struct eg_limit {
	const char *what;
	const char *remedy;
};

/* The table, and how many rows it has. */
const struct eg_limit *eg_limits(size_t *ret_count);

#endif
