/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_MATCH_H
#define EG_CONFIG_MATCH_H

/* Which of Envoy's resources a modification is about. */
#include "config/schema.h"

/* All of the kind that agree with what is written here. */
struct eg_match {
	const struct eg_yaml_node *node; /* NULL: it is left out */
	const char *name;
	const char *origin;
	const char *listener_name;
	struct eg_tags listener_tags;
};

/* struct eg_match; field->fields is one of the schemas below. */
extern const struct eg_type eg_type_match;
extern const struct eg_schema eg_match_cluster_schema;
extern const struct eg_schema eg_match_listener_schema;
extern const struct eg_schema eg_match_filter_schema;
extern const struct eg_schema eg_match_host_schema;

/* The cluster or listener of which families it speaks of, as enum eg_families; `name` is what it calls it. */
unsigned int eg_match_families(const struct eg_match *match, const char *name);
/* Warns that there is no `what` ("cluster") that it matches; `node` is what it stands in. */
void eg_match_warn(struct eg_reader *reader, const struct eg_yaml_node *node, const struct eg_match *match,
		   const char *what, const char *name);

#endif
