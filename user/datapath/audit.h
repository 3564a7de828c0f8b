/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_AUDIT_H
#define EG_DATAPATH_AUDIT_H

/* Whether the gauges tell the truth: the leases that are held, against the places that the slots count as taken. */
#include <stdbool.h>
#include <stdint.h>

#include "datapath/maps.h"

/* Places of one slot and family. */
struct eg_places {
	uint32_t connections; /* connecting and established */
	uint32_t pending;     /* connecting */
	uint32_t draining;
	uint32_t sessions;
};

struct eg_audited {
	struct eg_places ipv4, ipv6;
	uint16_t epoch; /* of the slot: leases of an earlier one count no more */
};

/* What the gauges of a slot say. 0, or -errno. */
int eg_audit_read_gauges(const struct eg_maps *maps, uint32_t slot, struct eg_audited *ret_gauges);
/* Adds a lease to its slot's entry, if it is live and of that epoch. */
void eg_audit_add(struct eg_audited by_slot[EG_SLOTS_MAX], __u64 word);
/* Adds every lease, with or without an agent. 0, or -errno. */
int eg_audit_count(const struct eg_maps *maps, struct eg_audited by_slot[EG_SLOTS_MAX]);
/* Every place there is. */
uint64_t eg_audit_sum(const struct eg_audited *audited);

/*
 * Whether `found` is what gauges may have said at some moment between `before` and
 * `after`: connections come and go while they are counted.
 */
bool eg_audit_agrees(const struct eg_audited *found, const struct eg_audited *before, const struct eg_audited *after);

#endif
