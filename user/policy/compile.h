/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_COMPILE_H
#define EG_POLICY_COMPILE_H

/* Rules -> image: the very entries of one bank of the policy maps (include/egress/maps.h). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/diag.h"
#include "egress/maps.h"
#include "policy/rules.h"

/* The policy maps of a bank, in the order in which an image lists its tables. */
enum eg_table {
	EG_TABLE_WORKLOADS,	/* __u32 slot -> struct eg_workload_policy */
	EG_TABLE_EXACT,		/* struct eg_addr_key -> struct eg_rules */
	EG_TABLE_PREFIXES,	/* struct eg_prefix_key -> struct eg_rules */
	EG_TABLE_PORTS,		/* struct eg_port_key -> struct eg_port_rule */
	EG_TABLE_COUNT,
};

/* Keys and values stand in two plain arrays, as the kernel's batch update wants them, sorted by memcmp() of the key. */
struct eg_table_image {
	size_t count;
	size_t key_size;
	size_t value_size;
	void *keys;
	void *values;
};

struct eg_image {
	struct eg_table_image tables[EG_TABLE_COUNT];
};

/* How many entries each table may have: the capacities of the maps that will take the image. */
struct eg_capacity {
	size_t max_entries[EG_TABLE_COUNT];
};

/*
 * 0 with *ret_image owned by the caller; -ENOMEM; or -ENOSPC with an error in diag
 * when a table would not hold it. The same rules give the same image, byte for byte.
 */
int eg_image_compile(const struct eg_ruleset *rules, const struct eg_capacity *capacity, struct eg_diag *diag,
		     struct eg_image **ret_image);
/*
 * Fills an empty table from entries that are each a key with its value behind it, in
 * any order; they are sorted in place. 0, or -ENOMEM.
 */
int eg_table_fill(struct eg_table_image *table, void *entries, size_t count);
/* Whether clients that come in to a slot are looked at. */
bool eg_image_looks_at_incoming(const struct eg_image *image, uint32_t slot);
/* The enum eg_workload_flag of every slot, EG_SLOTS_MAX of them; 0: it has no policy. */
void eg_image_list_flags(const struct eg_image *image, uint32_t *ret_flags);
/* Whether a slot has a policy with that flag: EG_WORKLOAD_GUARDED, EG_WORKLOAD_REDIRECTS... */
bool eg_image_has(const struct eg_image *image, uint32_t slot, enum eg_workload_flag flag);
/* The shortest idle timeout or greatest duration that an image has, in ms; 0 when it has none. */
uint64_t eg_image_shortest_timeout_ms(const struct eg_image *image);
/* The image of an empty bank. NULL without memory. */
struct eg_image *eg_image_new(void);
struct eg_image *eg_image_free(struct eg_image *image);
EG_DEFINE_CLEANUP(struct eg_image *, eg_image_free)

#endif
