/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_INCOMING_H
#define EG_INCOMING_H

/*
 * Who looks at the clients that come in to the workloads with mTLS: an sk_lookup program in
 * each network namespace of a workload that is its own, or else the filter on its cgroup.
 * The filter needs no namespace, so that it stands in until the lookups are there: while
 * a workload has no process among others.
 */
#include <stdbool.h>
#include <stdint.h>

#include "enrol.h"
#include "policy/compile.h"

/* How often namespaces are looked for: one that a workload makes is seen that late. */
#define EG_INCOMING_LOOK_MS 1000

enum eg_incoming_by {
	EG_INCOMING_BY_NOBODY,
	EG_INCOMING_BY_FILTER,
	EG_INCOMING_BY_LOOKUP,
};

struct eg_doors {
	struct eg_roster *roster; /* not owned */
	uint8_t *by;		  /* enum eg_incoming_by, of EG_SLOTS_MAX slots: as it was last said */
	bool *may_filter;	  /* the roster's, which attaches the filter with all else */
};

/* 0, or -ENOMEM. */
int eg_doors_open(struct eg_roster *roster, struct eg_doors *ret_doors);
void eg_doors_clear(struct eg_doors *doors);

/* Before an image comes into force: the filter of slots that are enrolled already and want one. 0, or -errno. */
int eg_doors_prepare(struct eg_doors *doors, const struct eg_image *image);
/*
 * Brings filters and lookups to what the policy in force and the namespaces of now want.
 * *ret_look_again says whether that can change without anybody telling. 0, or -errno.
 */
int eg_doors_follow(struct eg_doors *doors, bool *ret_look_again);

#endif
