/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/jsonpatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A list that no file has by mistake: each insertion walks it. */
#define ITEMS_MAX 64

struct application {
	const struct eg_json_patch *patch;
	struct eg_arena *arena;
	uint32_t written;
	struct eg_diag *diag;
	struct eg_tree *root;
};

static int refuse(const struct application *application, const char *what, const char *pointer)
{
	eg_diag_add(application->diag, EG_SEVERITY_ERROR, application->patch->origin, application->patch->place,
		    "%s: %.200s: missing value; Kuma would refuse the whole configuration of the proxy", what, pointer);
	return -EBADMSG;
}

/* --- finding --- */

static bool is_index(const char *token)
{
	const char *digits = token + (token[0] == '-');

	return strcmp(token, "-") == 0 || (digits[0] != '\0' && digits[strspn(digits, "0123456789")] == '\0');
}

/* An index in a list that counts as `count` long, from its end when it is negative. SIZE_MAX: it is outside. */
static size_t find_index(const char *token, size_t count)
{
	long index = strtol(token, NULL, 10);

	if (!is_index(token) || strcmp(token, "-") == 0)
		return SIZE_MAX;
	if (index < 0)
		index += (long)count;
	return index < 0 || (size_t)index >= count ? SIZE_MAX : (size_t)index;
}

static struct eg_tree *step(const struct eg_tree *tree, const char *token)
{
	if (tree->kind == EG_TREE_LIST)
		return eg_tree_item(tree, find_index(token, eg_tree_count(tree)));
	return eg_tree_member(tree, token);
}

/* What stands `depth` tokens deep; NULL: nothing. */
static struct eg_tree *find(struct eg_tree *root, const struct eg_pointer *pointer, size_t depth)
{
	struct eg_tree *tree = root;

	for (size_t i = 0; tree && i < depth; i++)
		tree = step(tree, pointer->tokens[i]);
	return tree;
}

/* --- adding --- */

static int put(struct application *application, struct eg_tree *parent, const char *token, struct eg_tree *value)
{
	const size_t count = eg_tree_count(parent);
	size_t index;

	if (parent->kind == EG_TREE_OBJECT) {
		value->name = token;
		eg_tree_set(parent, value);
		return 0;
	}
	/* One more than there are: an item may be put behind the last. */
	index = strcmp(token, "-") == 0 ? count : find_index(token, count + 1);
	if (parent->kind != EG_TREE_LIST || index == SIZE_MAX || count >= ITEMS_MAX)
		return refuse(application, "add operation does not apply: no such place",
			      application->patch->path.text);
	value->name = NULL;
	eg_tree_insert(parent, value, index);
	return 0;
}

/* The next step on the way of an `add`, made when it is not there. */
static int make_step(struct application *application, struct eg_tree *parent, const char *token, const char *next,
		     struct eg_tree **ret_child)
{
	struct eg_tree *child = step(parent, token);

	*ret_child = child;
	if (child)
		return 0;
	child = eg_tree_new(application->arena, is_index(next) ? EG_TREE_LIST : EG_TREE_OBJECT, NULL);
	if (!child)
		return -ENOMEM;
	*ret_child = child;
	return put(application, parent, token, child);
}

static int add(struct application *application, struct eg_tree *value)
{
	const struct eg_pointer *path = &application->patch->path;
	struct eg_tree *parent = application->root;

	eg_tree_stamp(value, application->written, NULL);
	if (path->len == 0) {
		value->name = NULL;
		application->root = value;
		return 0;
	}
	for (size_t i = 0; i + 1 < path->len; i++) {
		int r = make_step(application, parent, path->tokens[i], path->tokens[i + 1], &parent);

		if (r < 0)
			return r;
	}
	return put(application, parent, path->tokens[path->len - 1], value);
}

/* --- the operations --- */

static void remove_at(struct application *application, const struct eg_pointer *pointer)
{
	struct eg_tree *parent = pointer->len > 0 ? find(application->root, pointer, pointer->len - 1) : NULL;
	const struct eg_tree *child = parent ? step(parent, pointer->tokens[pointer->len - 1]) : NULL;

	if (child)
		eg_tree_remove(parent, child);
}

static int add_value(struct application *application)
{
	struct eg_tree *value;

	if (!application->patch->value) {
		remove_at(application, &application->patch->path);
		return 0;
	}
	value = eg_tree_copy(application->arena, application->patch->value);
	return value ? add(application, value) : -ENOMEM;
}

static void warn_of_nothing(const struct application *application)
{
	eg_diag_add(application->diag, EG_SEVERITY_WARNING, application->patch->origin, application->patch->place,
		    "replaces what Kuma does not generate, and it would refuse the whole configuration of the proxy; "
		    "write \"op: add\"");
}

/* An item has its place in a list alone; a setting has a default whether it is written or not. */
static int replace(struct application *application)
{
	const struct eg_pointer *path = &application->patch->path;
	struct eg_tree *parent, *child;

	if (path->len == 0)
		return add_value(application);
	parent = find(application->root, path, path->len - 1);
	if (!parent)
		return refuse(application, "replace operation does not apply: doc is missing path", path->text);
	child = step(parent, path->tokens[path->len - 1]);
	if (!child && parent->kind != EG_TREE_OBJECT)
		return refuse(application, "replace operation does not apply: doc is missing key", path->text);
	if (!child)
		warn_of_nothing(application);
	else if (parent->kind == EG_TREE_LIST)
		eg_tree_remove(parent, child);
	return add_value(application);
}

static int copy(struct application *application)
{
	const struct eg_pointer *from = &application->patch->from;
	const struct eg_tree *source = find(application->root, from, from->len);
	const bool is_move = application->patch->op == EG_JSON_MOVE;
	struct eg_tree *value;

	if (!source)
		return refuse(application,
			      is_move ? "move operation does not apply: doc is missing from path"
				      : "copy operation does not apply: doc is missing from path",
			      from->text);
	value = eg_tree_copy(application->arena, source);
	if (!value)
		return -ENOMEM;
	eg_tree_stamp(value, application->written, &application->patch->origin);
	if (is_move)
		remove_at(application, from);
	return add(application, value);
}

static int apply(struct application *application)
{
	switch (application->patch->op) {
	case EG_JSON_ADD:
		return add_value(application);
	case EG_JSON_REMOVE:
		remove_at(application, &application->patch->path);
		return 0;
	case EG_JSON_REPLACE:
		return replace(application);
	case EG_JSON_MOVE:
	case EG_JSON_COPY:
		return copy(application);
	}
	return 0;
}

int eg_json_patch_apply(const struct eg_json_patch *patch, struct eg_arena *arena, uint32_t written,
			struct eg_diag *diag, struct eg_tree **root)
{
	struct application application = {patch, arena, written, diag, *root};
	int r = apply(&application);

	*root = application.root;
	return r;
}
