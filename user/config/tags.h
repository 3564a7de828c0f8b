/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_TAGS_H
#define EG_CONFIG_TAGS_H

/* Tags, as Kuma checks them. */
#include "config/schema.h"

#define EG_SERVICE_TAG "kuma.io/service"
#define EG_PROTOCOL_TAG "kuma.io/protocol"

/* Calls tag(), which may be NULL, for each name and value that is in order. */
int eg_read_tags(struct eg_reader *reader, const struct eg_yaml_node *node,
		 int (*tag)(struct eg_reader *reader, const char *name, const char *value, void *target), void *target);

/* The written value of a tag, or NULL. */
const char *eg_tag_text(const struct eg_yaml_node *tags, const char *name);

#endif
