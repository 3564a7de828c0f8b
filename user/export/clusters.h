/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_CLUSTERS_H
#define EG_EXPORT_CLUSTERS_H

/* The passthrough clusters, their limits and hosts, as Envoy's /clusters shows them. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/array.h"
#include "datapath/pinned.h"
#include "datapath/walk.h"

/* A destination that the cluster had connections to: of an ORIGINAL_DST cluster each is a host. */
struct eg_host {
	struct eg_flow flow;
	uint64_t cx_total;
	uint64_t cx_active; /* connecting and established */
	uint64_t rq_active; /* established */
};

struct eg_cluster_status {
	uint64_t max_connections;
	uint64_t max_pending_requests;
	uint64_t max_requests;
	uint64_t max_retries;
	EG_ARRAY(struct eg_host) hosts; /* by address and port */
};

struct eg_clusters {
	struct eg_cluster_status ipv4, ipv6;
	bool knows_active; /* false: there is no walk over sockets, and nothing is said of what is active */
};

void eg_clusters_clear(struct eg_clusters *clusters);

/*
 * Of the slots that `listed` lists, of which limits add up and hosts are one. 0, or
 * -errno.
 */
int eg_clusters_read(const struct eg_pinned *listed, struct eg_clusters *ret_clusters);
/* The same from what was read: a slot's limits, destinations and sockets of slots of that set; then hosts are one each. */
void eg_clusters_add_limits(struct eg_clusters *clusters, const struct eg_workload_policy *policy);
int eg_clusters_add_destinations(struct eg_clusters *clusters, const struct eg_slot_set *slots,
				 const struct eg_destinations *destinations);
int eg_clusters_add_sockets(struct eg_clusters *clusters, const struct eg_slot_set *slots, const struct eg_walk *walk);
void eg_clusters_merge_hosts(struct eg_clusters *clusters);

/* Envoy's text, or its JSON. 0, -ENOMEM or -EIO. */
int eg_clusters_write_text(const struct eg_clusters *clusters, FILE *out);
int eg_clusters_write_json(const struct eg_clusters *clusters, FILE *out);

#endif
