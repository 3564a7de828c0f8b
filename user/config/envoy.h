/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_ENVOY_H
#define EG_CONFIG_ENVOY_H

/* What is read of Envoy's own resources, which Kuma has as YAML in a text. */
#include "config/schema.h"

#define EG_TCP_PROXY_FILTER "envoy.filters.network.tcp_proxy"

/* What a Filter has its TcpProxy in. */
#define EG_TYPED_CONFIG "typedConfig"
#define EG_TYPED_CONFIG_SNAKE "typed_config"

/* The fields of a Cluster, of a network Filter and of a TcpProxy, each reading into a struct eg_tree. */
extern const struct eg_schema eg_envoy_cluster_schema;
extern const struct eg_schema eg_envoy_filter_schema;
extern const struct eg_schema eg_envoy_tcp_proxy_schema;

/* Whether settings come from a field, or from what is inside of it. */
bool eg_envoy_is_setting(const struct eg_field *field);
/* Says at the reader's path that a field from which none come has no effect. */
void eg_envoy_note(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node);

struct eg_envoy_value {
	/* Whose it is, as enum eg_families: of a patch the caller says so. Of what is none of ours errors alone are said. */
	unsigned int families;
	bool is_whole;        /* no patch: it must have a name, which says whose it is */
	struct eg_tree *tree; /* what settings come from, in the model's arena; NULL: nothing was read */
};

/* Each reads a text. 0, mistakes being findings, or -ENOMEM. */
int eg_envoy_read_cluster(struct eg_reader *reader, const struct eg_yaml_node *text, struct eg_envoy_value *value);
/* A network filter; the tree is of its TcpProxy. */
int eg_envoy_read_filter(struct eg_reader *reader, const struct eg_yaml_node *text, struct eg_envoy_value *value);
/* A whole listener; the tree is of the TcpProxy in it, NULL when there is none. */
int eg_envoy_read_listener(struct eg_reader *reader, const struct eg_yaml_node *text, struct eg_envoy_value *value);
/* Any other resource: only its form is looked at. */
int eg_envoy_check(struct eg_reader *reader, const struct eg_yaml_node *text);
/* One that says by @type what it is; it must. */
int eg_envoy_check_typed(struct eg_reader *reader, const struct eg_yaml_node *text);

#endif
