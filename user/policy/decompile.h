/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_DECOMPILE_H
#define EG_POLICY_DECOMPILE_H

/* Image -> rules: what is in force, for whoever has the maps and not the documents that they were made from. */
#include "policy/compile.h"
#include "policy/rules.h"

/*
 * A subject for each slot of the image, by slot, that eg_eval() judges as the programs
 * do. Nobody knows who wrote a rule, and names and meshes are "". 0 with *ret_rules
 * owned by the caller, or -ENOMEM.
 */
int eg_image_decompile(const struct eg_image *image, struct eg_ruleset **ret_rules);

#endif
