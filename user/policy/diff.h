/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_DIFF_H
#define EG_POLICY_DIFF_H

/* What turns one image of a bank into another. */
#include <stddef.h>

#include "base/cleanup.h"
#include "policy/compile.h"

/* Entries of one table, in the form of the kernel's batch calls. Values are unused in removals. */
struct eg_table_diff {
	struct eg_table_image put;	/* new, or with another value */
	struct eg_table_image remove;
};

struct eg_diff {
	struct eg_table_diff tables[EG_TABLE_COUNT];
};

/* 0 with *ret_diff owned by the caller, or -ENOMEM. */
int eg_image_diff(const struct eg_image *from, const struct eg_image *to, struct eg_diff **ret_diff);
struct eg_diff *eg_diff_free(struct eg_diff *diff);
EG_DEFINE_CLEANUP(struct eg_diff *, eg_diff_free)

#endif
