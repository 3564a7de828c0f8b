/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_AGER_H
#define EG_AGER_H

/*
 * Which destinations leave their table: those that nobody has tried for long; and where
 * three quarters of a workload's quota are taken, or of the table, those that were tried
 * longest ago, until half is left.
 */
#include <stdint.h>

#include "datapath/datapath.h"

/* Longer than the job that runs once a week waits for its next run. */
#define EG_AGE_DEFAULT_NS (8 * 24 * 3600 * UINT64_C(1000000000))

struct eg_ager {
	struct eg_datapath *datapath;
	uint32_t quota;    /* of a slot */
	uint32_t capacity; /* of the table */
	uint64_t age_ns;   /* of what leaves in any case */
	uint64_t aged_ns;  /* CLOCK_MONOTONIC, when it last ran */
	int said_error;
};

/* One look. 0, or -errno. */
int eg_ager_look(const struct eg_ager *ager);
/* The same if the last one was long enough ago; logs when it begins to fail. */
void eg_ager_run(struct eg_ager *ager);

#endif
