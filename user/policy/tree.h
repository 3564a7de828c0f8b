/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_TREE_H
#define EG_POLICY_TREE_H

/*
 * One of Envoy's resources, or what a patch says of it, as far as settings come from
 * it: JSON whose values know who wrote them and when. Everything is in an arena.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"

/* Envoy's names of the parts that settings are in. */
#define EG_FIELD_CONNECT_TIMEOUT "connectTimeout"
#define EG_FIELD_BREAKERS "circuitBreakers"
#define EG_FIELD_THRESHOLDS "thresholds"
#define EG_FIELD_PRIORITY "priority"
#define EG_FIELD_MAX_CONNECTIONS "maxConnections"
#define EG_FIELD_MAX_PENDING "maxPendingRequests"
#define EG_FIELD_MAX_REQUESTS "maxRequests"
#define EG_FIELD_MAX_RETRIES "maxRetries"
#define EG_FIELD_IDLE_TIMEOUT "idleTimeout"
#define EG_FIELD_MAX_DURATION "maxDownstreamConnectionDuration"

enum eg_tree_kind {
	EG_TREE_OBJECT,
	EG_TREE_LIST,
	EG_TREE_NUMBER,
	EG_TREE_DURATION, /* ns in `number` */
	EG_TREE_TEXT,
};

struct eg_tree {
	enum eg_tree_kind kind;
	const char *name; /* of a member of an object; NULL: an item, or the resource itself */
	int64_t number;
	const char *text;
	struct eg_tree *first; /* of what is inside */
	struct eg_tree *next;  /* beside it */
	struct eg_origin origin;
	uint32_t written; /* after all that have less; 0: by nobody */
};

/* All that allocate give NULL without memory. */
struct eg_tree *eg_tree_new(struct eg_arena *arena, enum eg_tree_kind kind, const char *name);
/* A new last member or item. */
struct eg_tree *eg_tree_append(struct eg_arena *arena, struct eg_tree *parent, enum eg_tree_kind kind, const char *name);
struct eg_tree *eg_tree_copy(struct eg_arena *arena, const struct eg_tree *tree);

/* NULL: there is none. */
struct eg_tree *eg_tree_member(const struct eg_tree *object, const char *name);
struct eg_tree *eg_tree_item(const struct eg_tree *list, size_t index);
size_t eg_tree_count(const struct eg_tree *parent);

/* Before what is at `index` now; past the end it becomes the last. */
void eg_tree_insert(struct eg_tree *parent, struct eg_tree *child, size_t index);
/* A member in the place of one of its name, or a new one. */
void eg_tree_set(struct eg_tree *object, struct eg_tree *member);
void eg_tree_remove(struct eg_tree *parent, const struct eg_tree *child);

/* Says of all values in it when they were written; and where, unless origin is NULL. */
void eg_tree_stamp(struct eg_tree *tree, uint32_t written, const struct eg_origin *origin);

#endif
