/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/cluster.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

#define NS_PER_MS 1000000
#define KERNEL_CONNECT_TIMEOUT_NS INT64_C(127000000000) /* tcp_syn_retries is 6 unless somebody changed it */

static const struct {
	const char *name;
	size_t offset; /* in struct eg_cluster_policy */
	bool is_wide;  /* 64 bits there, or 32 */
	uint32_t flag; /* set once somebody writes the value */
} infos[EG_SETTING_COUNT] = {
#define NARROW(member) .offset = offsetof(struct eg_cluster_policy, member), .is_wide = false
#define WIDE(member) .offset = offsetof(struct eg_cluster_policy, member), .is_wide = true
	[EG_SETTING_MAX_CONNECTIONS] = {"max_connections", NARROW(max_connections)},
	[EG_SETTING_MAX_PENDING] = {"max_pending_requests", NARROW(max_pending)},
	[EG_SETTING_MAX_REQUESTS] = {"max_requests", NARROW(max_requests), .flag = EG_CLUSTER_LIMITS_REQUESTS},
	[EG_SETTING_MAX_RETRIES] = {"max_retries", NARROW(max_retries), .flag = EG_CLUSTER_LIMITS_RETRIES},
	[EG_SETTING_CONNECT_TIMEOUT] = {"connect_timeout_ms", NARROW(connect_timeout_ms)},
	[EG_SETTING_IDLE_TIMEOUT] = {"idle_timeout_ms", WIDE(idle_timeout_ms)},
	[EG_SETTING_MAX_DURATION] = {"max_connection_duration_ms", WIDE(max_duration_ms)},
#undef NARROW
#undef WIDE
};

const char *eg_cluster_name(uint32_t family)
{
	return family == EG_FAMILY_IPV4 ? "outbound:passthrough:ipv4" : "outbound:passthrough:ipv6";
}

unsigned int eg_cluster_families(const char *name)
{
	static const struct {
		const char *name;
		unsigned int families;
	} names[] = {
		{"outbound:passthrough:ipv4", EG_FAMILIES_IPV4},
		{"outbound:passthrough:ipv6", EG_FAMILIES_IPV6},
		{"outbound_passthrough_ipv4", EG_FAMILIES_IPV4},
		{"outbound_passthrough_ipv6", EG_FAMILIES_IPV6},
		{"self_transparentproxy_passthrough_outbound_ipv4", EG_FAMILIES_IPV4},
		{"self_transparentproxy_passthrough_outbound_ipv6", EG_FAMILIES_IPV6},
		{"pass_through", EG_FAMILIES_BOTH},
	};

	for (size_t i = 0; i < EG_COUNT_OF(names); i++)
		if (strcmp(name, names[i].name) == 0)
			return names[i].families;
	return 0;
}

const char *eg_setting_name(enum eg_setting setting)
{
	return infos[setting].name;
}

uint64_t eg_cluster_get(const struct eg_cluster_policy *cluster, enum eg_setting setting)
{
	const char *at = (const char *)cluster + infos[setting].offset;

	return infos[setting].is_wide ? *(const __u64 *)at : *(const __u32 *)at;
}

static void set(struct eg_cluster_policy *cluster, enum eg_setting setting, uint64_t value)
{
	char *at = (char *)cluster + infos[setting].offset;

	if (infos[setting].is_wide)
		*(__u64 *)at = value;
	else
		*(__u32 *)at = (__u32)value;
	cluster->flags |= infos[setting].flag;
}

void eg_cluster_apply(struct eg_cluster_policy *cluster, struct eg_origin origins[EG_SETTING_COUNT],
		      const struct eg_settings *settings)
{
	for (enum eg_setting setting = 0; setting < EG_SETTING_COUNT; setting++) {
		const struct eg_optional_number *number = &settings->numbers[setting];

		if (!number->is_set)
			continue;
		set(cluster, setting, number->value);
		origins[setting] = number->origin;
	}
}

int eg_setting_from_ns(enum eg_setting setting, int64_t ns, uint64_t *ret_ms)
{
	uint64_t ms;

	if (ns < 0 || (ns == 0 && setting == EG_SETTING_CONNECT_TIMEOUT))
		return -ERANGE;
	ms = (uint64_t)ns / NS_PER_MS;
	if (ms == 0 && ns > 0 && setting != EG_SETTING_IDLE_TIMEOUT)
		ms = 1;
	if (ms > UINT32_MAX && setting == EG_SETTING_CONNECT_TIMEOUT)
		ms = UINT32_MAX;
	*ret_ms = ms;
	return 0;
}

const char *eg_setting_doubt(enum eg_setting setting, int64_t ns)
{
	if (setting == EG_SETTING_CONNECT_TIMEOUT && ns > KERNEL_CONNECT_TIMEOUT_NS)
		return "never acts: the kernel gives a connect up by itself after about 127 s";
	if (setting == EG_SETTING_IDLE_TIMEOUT && ns > 0 && ns < NS_PER_MS)
		return "is below 1ms, which means none, as in Envoy";
	return NULL;
}
