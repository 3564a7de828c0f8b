/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_AUDIT_H
#define EG_DATAPATH_AUDIT_H

/* Whether the gauges tell the truth: leases that a walk finds, against the places that the slots count as taken. */
#include <stdbool.h>
#include <stdint.h>

#include "datapath/maps.h"
#include "datapath/walk.h"

/* Places of one slot and family. */
struct eg_places {
	uint32_t connections; /* connecting and established */
	uint32_t pending;     /* connecting */
	uint32_t draining;
	uint32_t sessions;
};

struct eg_audited {
	struct eg_places ipv4, ipv6;
};

/* What the gauges of a slot say. 0, or -errno. */
int eg_audit_read_gauges(const struct eg_maps *maps, uint32_t slot, struct eg_audited *ret_gauges);
/* What the sockets of a walk hold of a slot. */
struct eg_audited eg_audit_count(const struct eg_walk *walk, uint32_t slot);
/* Every place there is. */
uint64_t eg_audit_sum(const struct eg_audited *audited);

/*
 * Whether `found` is what gauges may have said at some moment between `before` and
 * `after`: connections come and go while they are counted. A walk over files finds no
 * more than that, and nothing that drains.
 */
bool eg_audit_agrees(const struct eg_audited *found, const struct eg_audited *before, const struct eg_audited *after,
		     bool by_files);

#endif
