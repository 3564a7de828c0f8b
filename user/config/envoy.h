/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_ENVOY_H
#define EG_CONFIG_ENVOY_H

/* What is read of Envoy's own resources, which Kuma has as YAML in a text. */
#include "config/schema.h"

#define EG_TCP_PROXY_FILTER "envoy.filters.network.tcp_proxy"

/* The fields of a Cluster and of a network Filter, for egress-policy(5). */
extern const struct eg_schema eg_envoy_cluster_schema;
extern const struct eg_schema eg_envoy_filter_schema;

struct eg_envoy_value {
	bool is_ours;     /* it is about a passthrough cluster or its listener: what has no effect is said */
	bool is_complete; /* the whole resource and no patch of it: it must have a name, which says whose it is */
	const char *name; /* in the model's arena; NULL: left out */
	struct eg_settings settings;
};

/* Each reads a text; the caller has set is_ours and is_complete. 0, mistakes being findings, or -ENOMEM. */
int eg_envoy_read_cluster(struct eg_reader *reader, const struct eg_yaml_node *text, struct eg_envoy_value *value);
/* A network filter: settings are those of a TcpProxy. */
int eg_envoy_read_filter(struct eg_reader *reader, const struct eg_yaml_node *text, struct eg_envoy_value *value);
/* Any other resource: only its form is looked at. */
int eg_envoy_check(struct eg_reader *reader, const struct eg_yaml_node *text);
/* One that says by @type what it is; it must. */
int eg_envoy_check_typed(struct eg_reader *reader, const struct eg_yaml_node *text);

#endif
