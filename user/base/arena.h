/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_ARENA_H
#define EG_BASE_ARENA_H

/* Memory of things that live and end together, as the resources of one policy do. */
#include <stddef.h>

struct eg_arena {
	struct eg_arena_block *blocks;
};

/* Zeroed memory, aligned for any type, or NULL without memory. It lives until eg_arena_clear(). */
void *eg_arena_alloc(struct eg_arena *arena, size_t size);
/* A NUL-terminated copy of len bytes of text, or NULL without memory. */
char *eg_arena_strndup(struct eg_arena *arena, const char *text, size_t len);
char *eg_arena_strdup(struct eg_arena *arena, const char *text);
/* Frees all of it; the arena can be used again. */
void eg_arena_clear(struct eg_arena *arena);
/* Ends a tsearch() tree of what is in an arena, and leaves that as it is. */
void eg_arena_drop_tree(void *tree);

#endif
