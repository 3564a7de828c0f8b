/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/tree.h"

#include <string.h>

struct eg_tree *eg_tree_new(struct eg_arena *arena, enum eg_tree_kind kind, const char *name)
{
	struct eg_tree *tree = eg_arena_alloc(arena, sizeof(*tree));

	if (tree)
		*tree = (struct eg_tree){.kind = kind, .name = name};
	return tree;
}

/* Where the pointer to what is at `index` stands, or the last one, which is NULL. */
static struct eg_tree **find_link(struct eg_tree *parent, size_t index)
{
	struct eg_tree **link = &parent->first;

	while (*link && index-- > 0)
		link = &(*link)->next;
	return link;
}

struct eg_tree *eg_tree_append(struct eg_arena *arena, struct eg_tree *parent, enum eg_tree_kind kind, const char *name)
{
	struct eg_tree *child = eg_tree_new(arena, kind, name);

	if (child)
		*find_link(parent, SIZE_MAX) = child;
	return child;
}

struct eg_tree *eg_tree_copy(struct eg_arena *arena, const struct eg_tree *tree)
{
	struct eg_tree *copy = eg_tree_new(arena, tree->kind, tree->name), **link;

	if (!copy)
		return NULL;
	*copy = *tree;
	copy->next = NULL;
	link = &copy->first;
	for (const struct eg_tree *child = tree->first; child; child = child->next) {
		*link = eg_tree_copy(arena, child);
		if (!*link)
			return NULL;
		link = &(*link)->next;
	}
	return copy;
}

struct eg_tree *eg_tree_member(const struct eg_tree *object, const char *name)
{
	if (object->kind != EG_TREE_OBJECT)
		return NULL;
	for (struct eg_tree *child = object->first; child; child = child->next)
		if (strcmp(child->name, name) == 0)
			return child;
	return NULL;
}

struct eg_tree *eg_tree_item(const struct eg_tree *list, size_t index)
{
	struct eg_tree *item = list->kind == EG_TREE_LIST ? list->first : NULL;

	while (item && index-- > 0)
		item = item->next;
	return item;
}

size_t eg_tree_count(const struct eg_tree *parent)
{
	size_t count = 0;

	for (const struct eg_tree *child = parent->first; child; child = child->next)
		count++;
	return count;
}

void eg_tree_insert(struct eg_tree *parent, struct eg_tree *child, size_t index)
{
	struct eg_tree **link = find_link(parent, index);

	child->next = *link;
	*link = child;
}

void eg_tree_set(struct eg_tree *object, struct eg_tree *member)
{
	struct eg_tree **link = &object->first;

	while (*link && strcmp((*link)->name, member->name) != 0)
		link = &(*link)->next;
	member->next = *link ? (*link)->next : NULL;
	*link = member;
}

void eg_tree_remove(struct eg_tree *parent, const struct eg_tree *child)
{
	struct eg_tree **link = &parent->first;

	while (*link && *link != child)
		link = &(*link)->next;
	if (*link)
		*link = child->next;
}

void eg_tree_stamp(struct eg_tree *tree, uint32_t written, const struct eg_origin *origin)
{
	tree->written = written;
	if (origin)
		tree->origin = *origin;
	for (struct eg_tree *child = tree->first; child; child = child->next)
		eg_tree_stamp(child, written, origin);
}
