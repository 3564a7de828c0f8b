/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_TARGETREF_H
#define EG_CONFIG_TARGETREF_H

/* The targetRef of Kuma's newer policies: whom one is for. What it means is in policy/target.h. */
#include "config/envelope.h"
#include "config/schema.h"

/* For the field's .fields: its fields. */
extern const struct eg_schema eg_target_ref_schema;

/* Which kinds a policy takes, as 1 << enum eg_target_kind, and this: it is about inbounds, so it may name one. */
#define EG_TARGET_SECTIONS (1u << EG_TARGET_COUNT)
#define EG_TARGET_BIT(kind) (1u << EG_TARGET_##kind)

/*
 * Reads a targetRef with Kuma's texts for what is wrong with it; `takes` are the kinds
 * that are right in this place. After a finding *ret_target may be incomplete.
 */
int eg_read_target_ref(struct eg_reader *reader, const struct eg_yaml_node *node, unsigned int takes,
		       struct eg_target *ret_target);

/*
 * What a policy's envelope says, for the whole mesh until its targetRef is read, and adds
 * it to the model's heads. The head must live as long as the model.
 */
int eg_policy_head_read(struct eg_reader *reader, const struct eg_envelope *envelope, struct eg_policy_head *head);

#endif
