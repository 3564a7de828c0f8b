/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_JSONPATCH_H
#define EG_POLICY_JSONPATCH_H

/*
 * JSON Patch (RFC 6902) on a tree, as Kuma applies it: `add` makes what it needs on
 * its way, `remove` of what is not there does nothing, an index may count from the end.
 */
#include "policy/tree.h"

enum eg_json_op {
	EG_JSON_ADD,
	EG_JSON_REMOVE,
	EG_JSON_REPLACE,
	EG_JSON_MOVE,
	EG_JSON_COPY,
};

/* A place in a tree. */
struct eg_pointer {
	const char **tokens; /* names of members and indexes of items; none: the tree itself */
	size_t len;
	const char *text; /* as it is written */
};

struct eg_json_patch {
	enum eg_json_op op;
	struct eg_pointer path;
	struct eg_pointer from;      /* of move and copy */
	const struct eg_tree *value; /* of add and replace; NULL: null, which takes away */
	struct eg_origin origin;
	const char *place; /* the field that it is, for findings */
};

/*
 * Applies one to *root, which then has memory of `arena`. What comes into the tree is
 * stamped with `written`; what is moved or copied has the patch's origin from then on.
 * 0; -EBADMSG when it does not apply, which is an error in diag; -ENOMEM.
 */
int eg_json_patch_apply(const struct eg_json_patch *patch, struct eg_arena *arena, uint32_t written,
			struct eg_diag *diag, struct eg_tree **root);

#endif
