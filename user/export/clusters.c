/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/clusters.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "egress/maps.h"
#include "export/envoy.h"
#include "export/names.h"

void eg_clusters_clear(struct eg_clusters *clusters)
{
	eg_array_clear(&clusters->ipv4.hosts);
	eg_array_clear(&clusters->ipv6.hosts);
	*clusters = (struct eg_clusters){};
}

/* ---- reading ---- */

static void add_limits(struct eg_cluster_status *status, const struct eg_cluster_policy *policy)
{
	status->max_connections += policy->max_connections;
	status->max_pending_requests += policy->max_pending;
	status->max_requests += policy->max_requests;
	status->max_retries += policy->max_retries;
}

void eg_clusters_add_limits(struct eg_clusters *clusters, const struct eg_workload_policy *policy)
{
	if (!(policy->flags & EG_WORKLOAD_PRESENT))
		return;
	add_limits(&clusters->ipv4, &policy->ipv4);
	add_limits(&clusters->ipv6, &policy->ipv6);
}

static int add_host(struct eg_clusters *clusters, const struct eg_host *host)
{
	struct eg_cluster_status *status = host->flow.family == EG_FAMILY_IPV6 ? &clusters->ipv6 : &clusters->ipv4;

	return eg_array_push(&status->hosts, *host);
}

/* Whether such a connect is in the cluster's cx_total: audit mode lets those past a limit that it would refuse. */
static bool is_admitted(unsigned int reason, unsigned int verdict)
{
	if (reason == EG_REASON_REDIRECTED)
		return true;
	if (verdict == EG_VERDICT_ALLOWED)
		return reason == EG_REASON_PASSTHROUGH || reason == EG_REASON_MATCHED;
	return verdict == EG_VERDICT_AUDITED && reason >= EG_REASON_BLOCKED_MAX_CONNECTIONS &&
	       reason <= EG_REASON_BLOCKED_MAX_RETRIES;
}

/* Whether its peer is a host of the cluster: of one that was sent to a proxy it is that. Audit mode sends none. */
static bool is_at_host(const struct eg_held_socket *socket)
{
	const __u8 state = eg_lease_state(socket->word);

	if (socket->reason == EG_REASON_REDIRECTED && socket->verdict == EG_VERDICT_ALLOWED)
		return false;
	return state == EG_LEASE_ESTABLISHED || state == EG_LEASE_CONNECTING;
}

int eg_clusters_add_destinations(struct eg_clusters *clusters, const struct eg_slot_set *slots,
				 const struct eg_destinations *destinations)
{
	int r = 0;

	for (size_t i = 0; i < destinations->list.len && r == 0; i++) {
		const struct eg_dest_key *key = &destinations->list.items[i].key;
		const struct eg_host host = {
			.flow = key->flow,
			.cx_total = destinations->list.items[i].seen.count,
		};

		if (key->flow.protocol == IPPROTO_TCP && slots->has[key->slot % EG_SLOTS_MAX] &&
		    is_admitted(key->reason, key->verdict))
			r = add_host(clusters, &host);
	}
	return r;
}

int eg_clusters_add_sockets(struct eg_clusters *clusters, const struct eg_slot_set *slots, const struct eg_walk *walk)
{
	int r = 0;

	clusters->knows_active = true;
	for (size_t i = 0; i < walk->sockets.len && r == 0; i++) {
		const struct eg_held_socket *socket = &walk->sockets.items[i];
		const struct eg_host host = {
			.flow = eg_held_flow(socket),
			.cx_active = 1,
			.rq_active = eg_lease_state(socket->word) == EG_LEASE_ESTABLISHED,
		};

		if (is_at_host(socket) && slots->has[eg_lease_slot(socket->word) % EG_SLOTS_MAX])
			r = add_host(clusters, &host);
	}
	return r;
}

static int read_limits(const struct eg_pinned *listed, struct eg_slot_set *slots, struct eg_clusters *clusters)
{
	int r = 0;

	for (size_t i = 0; i < listed->slots.len && r == 0; i++) {
		struct eg_workload_policy policy;

		eg_slot_set_add(slots, listed->slots.items[i].slot);
		r = eg_maps_read_policy(&listed->maps, listed->slots.items[i].slot, &policy);
		if (r == 0)
			eg_clusters_add_limits(clusters, &policy);
	}
	return r;
}

static int read_destinations(const struct eg_maps *maps, const struct eg_slot_set *slots, struct eg_clusters *clusters)
{
	struct eg_destinations destinations = {};
	int r = eg_maps_read_destinations(maps, EG_ALL_SLOTS, &destinations);

	if (r == 0)
		r = eg_clusters_add_destinations(clusters, slots, &destinations);
	eg_array_clear(&destinations.list);
	return r;
}

/* Without the walk, which not every kernel has, nothing is said of what is active. */
static int read_sockets(const char *directory, const struct eg_slot_set *slots, struct eg_clusters *clusters)
{
	_cleanup_(eg_walk_clear) struct eg_walk walk = {};
	_cleanup_free_ char *problem = NULL;

	if (eg_pins_read_flows(directory, &walk, &problem) < 0)
		return 0;
	return eg_clusters_add_sockets(clusters, slots, &walk);
}

int eg_clusters_read(const struct eg_pinned *listed, struct eg_clusters *ret_clusters)
{
	_cleanup_(eg_clusters_clear) struct eg_clusters clusters = {};
	struct eg_slot_set slots = {};
	int r = read_limits(listed, &slots, &clusters);

	if (r == 0)
		r = read_destinations(&listed->maps, &slots, &clusters);
	if (r == 0)
		r = read_sockets(listed->directory, &slots, &clusters);
	if (r < 0)
		return r;
	eg_clusters_merge_hosts(&clusters);
	*ret_clusters = clusters;
	clusters = (struct eg_clusters){};
	return 0;
}

/* ---- one host from many ---- */

static int compare_hosts(const void *a, const void *b)
{
	const struct eg_flow *x = &((const struct eg_host *)a)->flow, *y = &((const struct eg_host *)b)->flow;
	int order = memcmp(&x->addr, &y->addr, sizeof(x->addr));

	return order != 0 ? order : (x->port > y->port) - (x->port < y->port);
}

static void merge_hosts(struct eg_cluster_status *status)
{
	struct eg_host *items = status->hosts.items;
	size_t kept = 0;

	if (status->hosts.len == 0)
		return;
	qsort(items, status->hosts.len, sizeof(*items), compare_hosts);
	for (size_t i = 1; i < status->hosts.len; i++) {
		if (compare_hosts(&items[kept], &items[i]) != 0) {
			items[++kept] = items[i];
			continue;
		}
		items[kept].cx_total += items[i].cx_total;
		items[kept].cx_active += items[i].cx_active;
		items[kept].rq_active += items[i].rq_active;
	}
	status->hosts.len = kept + 1;
}

void eg_clusters_merge_hosts(struct eg_clusters *clusters)
{
	merge_hosts(&clusters->ipv4);
	merge_hosts(&clusters->ipv6);
}

/* ---- text ---- */

#define CLUSTERS 2

static const struct eg_cluster_status *status_of(const struct eg_clusters *clusters, size_t index)
{
	return index == 0 ? &clusters->ipv4 : &clusters->ipv6;
}

/* As Kuma calls it, with colons; statistics have the other name. */
static const char *name_of(size_t index)
{
	return index == 0 ? "outbound:passthrough:ipv4" : "outbound:passthrough:ipv6";
}

/* The high priority acts on nothing, as in Envoy's TCP proxy, and keeps its defaults. */
static const struct eg_cluster_status high_priority = {
	.max_connections = EG_DEFAULT_MAX_CONNECTIONS,
	.max_pending_requests = EG_DEFAULT_MAX_PENDING,
	.max_requests = EG_DEFAULT_MAX_REQUESTS,
	.max_retries = EG_DEFAULT_MAX_RETRIES,
};

static void write_limits(const char *name, const char *priority, const struct eg_cluster_status *status, FILE *out)
{
	const struct {
		const char *name;
		uint64_t value;
	} limits[] = {
		{"max_connections", status->max_connections},
		{"max_pending_requests", status->max_pending_requests},
		{"max_requests", status->max_requests},
		{"max_retries", status->max_retries},
	};

	for (size_t i = 0; i < EG_COUNT_OF(limits); i++)
		fprintf(out, "%s::%s_priority::%s::%" PRIu64 "\n", name, priority, limits[i].name, limits[i].value);
}

/* What Envoy says of every host that nobody checks, and that has neither a name nor a place. */
static const char *const host_words[] = {
	"hostname::", "health_flags::healthy", "weight::1",   "region::",         "zone::",
	"sub_zone::", "canary::false",         "priority::0", "success_rate::-1", "local_origin_success_rate::-1",
};

static void write_host(const char *name, const struct eg_host *host, bool knows_active, FILE *out)
{
	char place[EG_PLACE_TEXT_MAX];

	eg_place_format(&host->flow, place);
	if (knows_active)
		fprintf(out, "%s::%s::cx_active::%" PRIu64 "\n", name, place, host->cx_active);
	fprintf(out, "%s::%s::cx_total::%" PRIu64 "\n", name, place, host->cx_total);
	if (knows_active)
		fprintf(out, "%s::%s::rq_active::%" PRIu64 "\n", name, place, host->rq_active);
	for (size_t i = 0; i < EG_COUNT_OF(host_words); i++)
		fprintf(out, "%s::%s::%s\n", name, place, host_words[i]);
}

int eg_clusters_write_text(const struct eg_clusters *clusters, FILE *out)
{
	for (size_t i = 0; i < CLUSTERS; i++) {
		const struct eg_cluster_status *status = status_of(clusters, i);
		const char *name = name_of(i);

		fprintf(out, "%s::observability_name::%s\n", name, eg_stat_cluster(i));
		write_limits(name, "default", status, out);
		write_limits(name, "high", &high_priority, out);
		fprintf(out, "%s::added_via_api::true\n", name);
		for (size_t host = 0; host < status->hosts.len; host++)
			write_host(name, &status->hosts.items[host], clusters->knows_active, out);
	}
	return ferror(out) ? -EIO : 0;
}

/* ---- JSON ---- */

static json_t *limits_json(const struct eg_cluster_status *status, const char *priority)
{
	return json_pack("{s:s*, s:I, s:I, s:I, s:I}", "priority", priority, "max_connections",
			 (json_int_t)status->max_connections, "max_pending_requests",
			 (json_int_t)status->max_pending_requests, "max_requests", (json_int_t)status->max_requests,
			 "max_retries", (json_int_t)status->max_retries);
}

/* A number of 64 bits is a text in Envoy's JSON, and one that is 0 is left out. */
static int add_metric(json_t *stats, const char *name, const char *type, uint64_t value)
{
	char digits[24];
	const char *text = NULL;

	if (value > 0) {
		snprintf(digits, sizeof(digits), "%" PRIu64, value);
		text = digits;
	}
	return json_array_append_new(stats, json_pack("{s:s*, s:s*, s:s}", "type", type, "value", text, "name", name));
}

static json_t *stats_json(const struct eg_host *host, bool knows_active)
{
	json_t *stats = json_array();
	int r = stats ? add_metric(stats, "cx_total", NULL, host->cx_total) : -1;

	if (r == 0 && knows_active)
		r = add_metric(stats, "cx_active", "GAUGE", host->cx_active);
	if (r == 0 && knows_active)
		r = add_metric(stats, "rq_active", "GAUGE", host->rq_active);
	if (r == 0)
		return stats;
	json_decref(stats);
	return NULL;
}

static json_t *host_json(const struct eg_host *host, bool knows_active)
{
	char address[EG_ADDR_TEXT_MAX];

	return json_pack("{s:{s:{s:s, s:i}}, s:o, s:{s:s}, s:i}", "address", "socket_address", "address",
			 eg_addr_format(host->flow.family, &host->flow.addr, address), "port_value",
			 (int)host->flow.port, "stats", stats_json(host, knows_active), "health_status",
			 "eds_health_status", "HEALTHY", "weight", 1);
}

static json_t *hosts_json(const struct eg_cluster_status *status, bool knows_active)
{
	json_t *hosts = json_array();

	for (size_t i = 0; i < status->hosts.len && hosts; i++) {
		if (json_array_append_new(hosts, host_json(&status->hosts.items[i], knows_active)) == 0)
			continue;
		json_decref(hosts);
		hosts = NULL;
	}
	return hosts;
}

static json_t *status_json(const struct eg_clusters *clusters, size_t index)
{
	const struct eg_cluster_status *status = status_of(clusters, index);

	return json_pack("{s:s, s:s, s:b, s:{s:[o, o]}, s:o}", "name", name_of(index), "observability_name",
			 eg_stat_cluster(index), "added_via_api", 1, "circuit_breakers", "thresholds",
			 limits_json(status, NULL), limits_json(&high_priority, "HIGH"), "host_statuses",
			 hosts_json(status, clusters->knows_active));
}

int eg_clusters_write_json(const struct eg_clusters *clusters, FILE *out)
{
	json_auto_t *json =
		json_pack("{s:[o, o]}", "cluster_statuses", status_json(clusters, 0), status_json(clusters, 1));

	if (!json)
		return -ENOMEM;
	return json_dumpf(json, out, JSON_INDENT(1)) < 0 || fputc('\n', out) == EOF ? -EIO : 0;
}
