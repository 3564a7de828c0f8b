/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_TAGS_H
#define EG_CONFIG_TAGS_H

/* Tags, as Kuma checks them, and labels. */
#include "config/schema.h"

#define EG_PROTOCOL_TAG "kuma.io/protocol"

/* Tags that something has. *ret_tags are those that are in order; it may be NULL. */
int eg_read_tags(struct eg_reader *reader, const struct eg_yaml_node *node, struct eg_tags *ret_tags);
/* The same of those that a selector wants: a value may be * as well, for any. */
int eg_read_selector(struct eg_reader *reader, const struct eg_yaml_node *node, struct eg_tags *ret_tags);
/* Labels, whose form nobody checks: texts by name. */
int eg_read_labels(struct eg_reader *reader, const struct eg_yaml_node *node, struct eg_tags *ret_labels);

/* Adds one to those in the model's arena. */
int eg_add_tag(struct eg_reader *reader, const char *name, const char *value, struct eg_tags *tags);

/* The written value of a tag, or NULL. */
const char *eg_tag_text(const struct eg_yaml_node *tags, const char *name);

/* Labels that are only checked. */
extern const struct eg_type eg_checked_labels;

/* Of a service: whether its protocol is one that Kuma knows. */
void eg_check_protocol_tag(struct eg_reader *reader, const struct eg_yaml_node *tags);

#endif
