/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/audit.h"

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

static void compare(const struct eg_pinned *pinned, const struct eg_walk *walk, const struct eg_audited *before,
		    const struct eg_audited *after, struct eg_audit *ret_audit)
{
	*ret_audit = (struct eg_audit){.by_files = walk->by_files, .agrees = true};
	for (size_t i = 0; i < pinned->slots.len; i++) {
		uint32_t slot = pinned->slots.items[i].slot;
		struct eg_audited found = eg_audit_count(walk, slot);

		ret_audit->leases += eg_audit_sum(&found);
		ret_audit->places += eg_audit_sum(&after[i]);
		if (eg_audit_agrees(&found, &before[i], &after[i], walk->by_files))
			continue;
		ret_audit->agrees = false;
		ret_audit->differs = slot;
		ret_audit->found = found;
		ret_audit->gauges = after[i];
	}
}

static int audit_once(const struct eg_pinned *pinned, struct eg_audited *before, struct eg_audited *after,
		      struct eg_audit *ret_audit, char **ret_problem)
{
	_cleanup_(eg_walk_clear) struct eg_walk walk = {};
	int r = read_all_gauges(pinned, before);

	if (r == 0)
		r = eg_pins_read_flows(pinned->directory, &walk, ret_problem);
	if (r == 0)
		r = read_all_gauges(pinned, after);
	if (r == 0)
		compare(pinned, &walk, before, after, ret_audit);
	return r;
}

int eg_audit_run(const struct eg_pinned *pinned, struct eg_audit *ret_audit, char **ret_problem)
{
	_cleanup_free_ struct eg_audited *before = calloc(pinned->slots.len + 1, sizeof(*before));
	_cleanup_free_ struct eg_audited *after = calloc(pinned->slots.len + 1, sizeof(*after));
	int r = before && after ? 0 : -ENOMEM;

	for (int i = 0; i < TRIES && r == 0; i++) {
		r = audit_once(pinned, before, after, ret_audit, ret_problem);
		if (r == 0 && ret_audit->agrees)
			break;
	}
	return r;
}
