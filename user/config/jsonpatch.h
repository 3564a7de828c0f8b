/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_JSONPATCH_H
#define EG_CONFIG_JSONPATCH_H

/* Lists of JSON Patches as Kuma has them in its policies. */
#include "config/schema.h"

/* The fields of an item. */
extern const struct eg_schema eg_json_patch_schema;

struct eg_json_patches {
	EG_ARRAY(struct eg_json_patch) list;
};

/*
 * Reads a list of patches of a resource with the fields of `resource`; NULL: it is none
 * of ours, and only the patches' form is looked at. What changes no setting is left
 * out, with a note. The caller clears the list, and what it points to is in the
 * model's arena. 0, mistakes being findings, or -ENOMEM.
 */
int eg_json_patches_read(struct eg_reader *reader, const struct eg_yaml_node *node, const struct eg_schema *resource,
			 struct eg_json_patches *patches);

#endif
