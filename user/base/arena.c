/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/arena.h"

#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK_BYTES 65536u

struct eg_arena_block {
	struct eg_arena_block *next;
	size_t used;
	size_t size;
	_Alignas(max_align_t) char bytes[];
};

static struct eg_arena_block *add_block(struct eg_arena *arena, size_t at_least)
{
	size_t size = at_least > ARENA_BLOCK_BYTES ? at_least : ARENA_BLOCK_BYTES;
	struct eg_arena_block *block;

	if (size > SIZE_MAX - sizeof(*block))
		return NULL;
	block = calloc(1, sizeof(*block) + size);
	if (!block)
		return NULL;
	block->size = size;
	block->next = arena->blocks;
	arena->blocks = block;
	return block;
}

void *eg_arena_alloc(struct eg_arena *arena, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	struct eg_arena_block *block = arena->blocks;
	void *p;

	if (size > SIZE_MAX - align)
		return NULL;
	size = (size + align - 1) / align * align;
	if (!block || block->size - block->used < size)
		block = add_block(arena, size);
	if (!block)
		return NULL;
	p = block->bytes + block->used;
	block->used += size;
	return p;
}

char *eg_arena_strndup(struct eg_arena *arena, const char *text, size_t len)
{
	char *copy = eg_arena_alloc(arena, len + 1);

	if (copy)
		memcpy(copy, text, len);
	return copy;
}

char *eg_arena_strdup(struct eg_arena *arena, const char *text)
{
	return eg_arena_strndup(arena, text, strlen(text));
}

void eg_arena_clear(struct eg_arena *arena)
{
	struct eg_arena_block *block = arena->blocks;

	while (block) {
		struct eg_arena_block *next = block->next;

		free(block);
		block = next;
	}
	arena->blocks = NULL;
}

static void keep(void *node)
{
	(void)node;
}

void eg_arena_drop_tree(void *tree)
{
	tdestroy(tree, keep);
}
