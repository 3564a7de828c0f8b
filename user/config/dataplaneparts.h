/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_DATAPLANEPARTS_H
#define EG_CONFIG_DATAPLANEPARTS_H

/* The parts of a Dataplane that are about Kuma's proxy itself, and only checked here. */
#include "config/schema.h"
#include "policy/model.h"

/* Of an inbound, and of a listener. */
extern const struct eg_schema eg_dataplane_health_schema;
extern const struct eg_schema eg_dataplane_service_probe_schema;
extern const char *const eg_dataplane_states[];

/* What is read of transparentProxying. */
struct eg_transparent {
	const struct eg_yaml_node *reachable_backends;
	uint16_t redirect_port;   /* redirectPortOutbound */
	uint16_t inbound_port;    /* redirectPortInbound */
	uint16_t inbound_port_v6; /* redirectPortInboundV6 */
	bool is_ipv4_alone;       /* ipFamilyMode: IPv4 */
};

/* Of networking. */
extern const struct eg_schema eg_dataplane_transparent_schema; /* into a struct eg_transparent */
extern const struct eg_schema eg_dataplane_reachable_schema;
extern const struct eg_schema eg_dataplane_listener_schema; /* into a struct eg_listener */

/* Of the Dataplane. */
extern const struct eg_schema eg_dataplane_probes_schema;
extern const struct eg_schema eg_dataplane_metrics_schema;

/* A name is a node, NULL when left out. */
struct eg_listener {
	const char *address;
	uint16_t port;
	const struct eg_yaml_node *name;
	const struct eg_yaml_node *node;
};

/*
 * Listeners share their names and ports with the inbounds, whose names these are.
 * The reader's path is that of networking. 0, or -ENOMEM.
 */
int eg_dataplane_check_listeners(struct eg_reader *reader, const struct eg_listener *listeners, size_t listener_count,
				 const struct eg_dataplane *dataplane, const struct eg_yaml_node *const *inbound_names,
				 size_t name_count);

#endif
