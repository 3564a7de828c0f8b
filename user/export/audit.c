/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/audit.h"

#include <errno.h>
#include <stdlib.h>

/* What differs only because it was in motion agrees in one of these. */
#define TRIES 10

static int read_all_gauges(const struct eg_pinned *pinned, struct eg_audited *ret_gauges)
{
	int r = 0;

	for (size_t i = 0; i < pinned->slots.len && r == 0; i++)
		r = eg_audit_read_gauges(&pinned->maps, pinned->slots.items[i].slot, &ret_gauges[i]);
	return r;
}

/* What of a listing's slots is held: leases of others are not looked at. */
static void compare(const struct eg_pinned *pinned, const struct eg_audited *by_slot, const struct eg_audited *before,
		    const struct eg_audited *after, struct eg_audit *ret_audit)
{
	*ret_audit = (struct eg_audit){.agrees = true};
	for (size_t i = 0; i < pinned->slots.len; i++) {
		uint32_t slot = pinned->slots.items[i].slot;
		const struct eg_audited *found = &by_slot[slot];

		ret_audit->leases += eg_audit_sum(found);
		ret_audit->places += eg_audit_sum(&after[i]);
		if (eg_audit_agrees(found, &before[i], &after[i]))
			continue;
		ret_audit->agrees = false;
		ret_audit->differs = slot;
		ret_audit->found = *found;
		ret_audit->gauges = after[i];
	}
}

static int audit_once(const struct eg_pinned *pinned, struct eg_audited *before, struct eg_audited *after,
		      struct eg_audit *ret_audit)
{
	_cleanup_free_ struct eg_audited *by_slot = calloc(EG_SLOTS_MAX, sizeof(*by_slot));
	int r = by_slot ? read_all_gauges(pinned, before) : -ENOMEM;

	for (size_t i = 0; i < pinned->slots.len && r == 0; i++)
		by_slot[pinned->slots.items[i].slot].epoch = before[i].epoch;
	if (r == 0)
		r = eg_audit_count(&pinned->maps, by_slot);
	if (r == 0)
		r = read_all_gauges(pinned, after);
	if (r == 0)
		compare(pinned, by_slot, before, after, ret_audit);
	return r;
}

int eg_audit_run(const struct eg_pinned *pinned, struct eg_audit *ret_audit)
{
	_cleanup_free_ struct eg_audited *before = calloc(pinned->slots.len + 1, sizeof(*before));
	_cleanup_free_ struct eg_audited *after = calloc(pinned->slots.len + 1, sizeof(*after));
	int r = before && after ? 0 : -ENOMEM;

	for (int i = 0; i < TRIES && r == 0; i++) {
		r = audit_once(pinned, before, after, ret_audit);
		if (r == 0 && ret_audit->agrees)
			break;
	}
	return r;
}
