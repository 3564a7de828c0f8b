/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_AUDIT_H
#define EG_EXPORT_AUDIT_H

/* For `status` and `stats`: the leases of the listed slots against their gauges, with or without an agent. */
#include "datapath/pinned.h"
#include "datapath/audit.h"

struct eg_audit {
	uint64_t leases;                 /* that are held */
	uint64_t places;                 /* that the gauges say are taken */
	bool agrees;                     /* of every slot */
	uint32_t differs;                /* a slot that does not agree; 0: all do */
	struct eg_audited found, gauges; /* of that slot */
};

/*
 * Tries again while they differ, since connections come and go meanwhile. 0, or
 * -errno.
 */
int eg_audit_run(const struct eg_pinned *pinned, struct eg_audit *ret_audit);

#endif
