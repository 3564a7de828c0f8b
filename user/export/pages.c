/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/pages.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/envoy.h"
#include "export/json.h"
#include "policy/model.h"

static int dump(json_t *json, FILE *out)
{
	json_auto_t *owned = json;

	if (!owned)
		return -ENOMEM;
	return json_dumpf(owned, out, JSON_INDENT(1)) < 0 || fputc('\n', out) == EOF ? -EIO : 0;
}

static const char *mode_of(const struct eg_workload_policy *policy)
{
	return eg_modes[policy->flags & EG_WORKLOAD_AUDIT ? EG_MODE_AUDIT : EG_MODE_ENFORCE];
}

/* A literal path waits for its cgroup with its slot. */
static bool is_live(const struct eg_slot_info *info)
{
	return info->use == EG_SLOT_ENROLLED && info->cgroup_id != 0;
}

static bool lets_pass(const struct eg_workload_policy *policy)
{
	return policy->flags & EG_WORKLOAD_PASSTHROUGH;
}

/* Fills a list with what a function makes of each slot. */
static int list_slots(const struct eg_pinned *listed, json_t *list,
		      json_t *(*make)(const struct eg_pinned_slot *slot, const struct eg_workload_policy *policy))
{
	int r = list ? 0 : -ENOMEM;

	for (size_t i = 0; i < listed->slots.len && r == 0; i++) {
		struct eg_workload_policy policy;

		r = eg_maps_read_policy(&listed->maps, listed->slots.items[i].slot, &policy);
		if (r == 0 && json_array_append_new(list, make(&listed->slots.items[i], &policy)) < 0)
			r = -ENOMEM;
	}
	return r;
}

/* ---- workloads ---- */

static void write_workload(const struct eg_pinned_slot *slot, const struct eg_workload_policy *policy, FILE *out)
{
	const struct eg_slot_info *info = &slot->info;
	const char *const words[][2] = {
		{"mesh", info->mesh},
		{"dataplane", info->dataplane},
		{"kuma_io_service", info->service},
		{"cgroup", info->cgroup},
		{"mode", mode_of(policy)},
		{"passthrough", lets_pass(policy) ? "true" : "false"},
		{"live", is_live(info) ? "true" : "false"},
	};

	for (size_t i = 0; i < EG_COUNT_OF(words); i++)
		fprintf(out, "%s::%s::%s\n", info->name, words[i][0], words[i][1]);
	fprintf(out, "%s::slot::%" PRIu32 "\n", info->name, slot->slot);
}

int eg_pages_write_workloads_text(const struct eg_pinned *listed, FILE *out)
{
	int r = 0;

	for (size_t i = 0; i < listed->slots.len && r == 0; i++) {
		struct eg_workload_policy policy;

		r = eg_maps_read_policy(&listed->maps, listed->slots.items[i].slot, &policy);
		if (r == 0)
			write_workload(&listed->slots.items[i], &policy, out);
	}
	return r == 0 && ferror(out) ? -EIO : r;
}

static json_t *workload_json(const struct eg_pinned_slot *slot, const struct eg_workload_policy *policy)
{
	const struct eg_slot_info *info = &slot->info;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:b, s:b, s:i}", "name", eg_json_string(info->name), "mesh",
			 eg_json_string(info->mesh), "dataplane", eg_json_string(info->dataplane), "kuma_io_service",
			 eg_json_string(info->service), "cgroup", eg_json_string(info->cgroup), "mode", mode_of(policy),
			 "passthrough", lets_pass(policy), "live", is_live(info), "slot", (int)slot->slot);
}

int eg_pages_write_workloads_json(const struct eg_pinned *listed, FILE *out)
{
	json_auto_t *list = json_array();
	int r = list_slots(listed, list, workload_json);

	return r < 0 ? r : dump(json_pack("{s:O}", "workloads", list), out);
}

/* ---- configuration ---- */

/* As protobuf's JSON writes a duration; NULL for none, and for one that is so long that it means none. */
static json_t *duration_json(uint64_t ms)
{
	if (ms == 0 || ms == UINT32_MAX)
		return NULL;
	return ms % 1000 == 0 ? json_sprintf("%" PRIu64 "s", ms / 1000)
			      : json_sprintf("%" PRIu64 ".%03us", ms / 1000, (unsigned int)(ms % 1000));
}

static json_t *cluster_json(const char *name, const char *stat_name, const struct eg_cluster_policy *policy)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o*, s:{s:[{s:I, s:I, s:I, s:I}]}}", "@type",
			 "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name", name, "alt_stat_name",
			 stat_name, "type", "ORIGINAL_DST", "lb_policy", "CLUSTER_PROVIDED", "connect_timeout",
			 duration_json(policy->connect_timeout_ms), "circuit_breakers", "thresholds", "max_connections",
			 (json_int_t)policy->max_connections, "max_pending_requests", (json_int_t)policy->max_pending,
			 "max_requests", (json_int_t)policy->max_requests, "max_retries",
			 (json_int_t)policy->max_retries);
}

/* An idle_timeout of 0 is written, since what is left out would be an hour. */
static json_t *proxy_json(const char *name, const char *stat_name, const struct eg_cluster_policy *policy)
{
	json_t *idle = policy->idle_timeout_ms ? duration_json(policy->idle_timeout_ms) : json_string("0s");

	return json_pack("{s:s, s:s, s:s, s:o, s:o*}", "@type",
			 "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix",
			 stat_name, "cluster", name, "idle_timeout", idle, "max_downstream_connection_duration",
			 duration_json(policy->max_duration_ms));
}

static json_t *config_json(const struct eg_pinned_slot *slot, const struct eg_workload_policy *policy)
{
	static const char ipv4[] = "outbound:passthrough:ipv4", ipv6[] = "outbound:passthrough:ipv6";

	return json_pack("{s:o, s:o, s:s, s:b, s:i, s:i, s:o, s:[o, o], s:[o, o]}", "name",
			 eg_json_string(slot->info.name), "mesh", eg_json_string(slot->info.mesh), "mode",
			 mode_of(policy), "passthrough", lets_pass(policy), "block_errno", (int)policy->block_errno,
			 "breaker_errno", (int)policy->breaker_errno, "retry_window",
			 policy->retry_window_ms ? duration_json(policy->retry_window_ms) : json_string("0s"),
			 "clusters", cluster_json(ipv4, eg_stat_cluster(0), &policy->ipv4),
			 cluster_json(ipv6, eg_stat_cluster(1), &policy->ipv6), "tcp_proxies",
			 proxy_json(ipv4, eg_stat_cluster(0), &policy->ipv4),
			 proxy_json(ipv6, eg_stat_cluster(1), &policy->ipv6));
}

int eg_pages_write_config(const struct eg_pinned *listed, FILE *out)
{
	json_auto_t *list = json_array();
	struct eg_control control;
	int r = eg_maps_read_control(&listed->maps, &control);

	if (r == 0)
		r = list_slots(listed, list, config_json);
	if (r < 0)
		return r;
	return dump(json_pack("{s:[{s:s, s:I, s:O}]}", "configs", "@type", "egressd.io/v1alpha1/WorkloadsConfigDump",
			      "generation", (json_int_t)control.generation, "workloads", list),
		    out);
}

/* ---- the server ---- */

int eg_pages_write_server_info(const struct eg_maps *maps, uint64_t uptime_s, FILE *out)
{
	char host[256] = "", uptime[32];
	struct eg_agent agent;
	int r = eg_maps_read_agent(maps, &agent);

	if (r < 0)
		return r;
	gethostname(host, sizeof(host) - 1);
	snprintf(uptime, sizeof(uptime), "%" PRIu64 "s", uptime_s);
	return dump(json_pack("{s:s, s:s, s:s, s:{}, s:{s:o, s:s}, s:s, s:s}", "version",
			      "egressd/" EG_VERSION "/Clean/RELEASE/none", "state",
			      agent.state == EG_AGENT_RUNNING ? "LIVE" : "INITIALIZING", "hot_restart_version",
			      "disabled", "command_line_options", "node", "id", eg_json_string(host), "cluster",
			      "egressd", "uptime_current_epoch", uptime, "uptime_all_epochs", uptime),
		    out);
}
