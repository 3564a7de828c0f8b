/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/kinds.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/suggest.h"
#include "config/checked.h"

#define KUMA "kuma.io/v1alpha1"
#define EGRESSD "egressd.io/v1alpha1"

static const struct eg_kind kinds[] = {
	{"Mesh", EG_KIND_READ, KUMA, &eg_mesh_schema, eg_mesh_read, EG_FORM_FLAT, EG_NAMED_IN_SET},
	{"Dataplane", EG_KIND_READ, KUMA, &eg_dataplane_schema, eg_dataplane_read, EG_FORM_FLAT, EG_NAMED_IN_MESH},
	/* Commands name a Workload without its mesh. */
	{"Workload", EG_KIND_READ, EGRESSD, &eg_workload_schema, eg_workload_read, EG_FORM_FLAT, EG_NAMED_IN_SET},
	/* A second one is refused whatever its name. */
	{"Node", EG_KIND_READ, EGRESSD, &eg_node_schema, eg_node_read, EG_FORM_FLAT, EG_NAMED_FREELY},
	{"ProxyTemplate", EG_KIND_READ, KUMA, &eg_proxy_template_schema, eg_proxy_template_read, EG_FORM_FLAT,
	 EG_NAMED_IN_MESH},
	{"MeshPassthrough", EG_KIND_READ, KUMA, &eg_mesh_passthrough_schema, eg_mesh_passthrough_read, EG_FORM_SPEC,
	 EG_NAMED_IN_MESH},
	{"MeshTLS", EG_KIND_READ, KUMA, &eg_mesh_tls_schema, eg_mesh_tls_read, EG_FORM_SPEC, EG_NAMED_IN_MESH},
	{"MeshProxyPatch", EG_KIND_READ, KUMA, &eg_mesh_proxy_patch_schema, eg_mesh_proxy_patch_read, EG_FORM_SPEC,
	 EG_NAMED_IN_MESH},
	{"ExternalService", EG_KIND_READ, KUMA, &eg_external_service_schema, eg_external_service_read, EG_FORM_FLAT,
	 EG_NAMED_IN_MESH},
	{"MeshExternalService", EG_KIND_READ, KUMA, &eg_mesh_external_service_schema, eg_mesh_external_service_read,
	 EG_FORM_SPEC, EG_NAMED_IN_MESH},
	{"MeshService", EG_KIND_READ, KUMA, &eg_mesh_service_schema, eg_mesh_service_read, EG_FORM_SPEC,
	 EG_NAMED_IN_MESH},
	{"MeshCircuitBreaker", EG_KIND_INERT, KUMA, &eg_mesh_circuit_breaker_schema, eg_mesh_circuit_breaker_read,
	 EG_FORM_SPEC, EG_NAMED_IN_MESH},
	{"MeshTimeout", EG_KIND_INERT, KUMA, &eg_mesh_timeout_schema, eg_mesh_timeout_read, EG_FORM_SPEC,
	 EG_NAMED_IN_MESH},
	{"CircuitBreaker", EG_KIND_INERT, KUMA, &eg_circuit_breaker_schema, eg_checked_read, EG_FORM_FLAT,
	 EG_NAMED_IN_MESH},
	{"Timeout", EG_KIND_INERT, KUMA, &eg_timeout_schema, eg_checked_read, EG_FORM_FLAT, EG_NAMED_IN_MESH},
};

/*
 * Kinds of Kuma and Kubernetes that people keep in the same files. They are here
 * so that they are not taken for a misspelt one of the kinds above.
 */
static const char *const foreign[] = {
	"FaultInjection",
	"HealthCheck",
	"MeshAccessLog",
	"MeshFaultInjection",
	"MeshGateway",
	"MeshGatewayConfig",
	"MeshGatewayInstance",
	"MeshGatewayRoute",
	"MeshHealthCheck",
	"MeshHTTPRoute",
	"MeshIdentity",
	"MeshLoadBalancingStrategy",
	"MeshMetric",
	"MeshMultiZoneService",
	"MeshOPA",
	"MeshRateLimit",
	"MeshRetry",
	"MeshTCPRoute",
	"MeshTrace",
	"MeshTrafficPermission",
	"MeshTrust",
	"MeshGlobalRateLimit",
	"RateLimit",
	"Retry",
	"Secret",
	"Service",
	"TrafficLog",
	"TrafficPermission",
	"TrafficRoute",
	"TrafficTrace",
	"VirtualOutbound",
	"Zone",
	"ZoneEgress",
	"ZoneIngress",
	"ConfigMap",
	"Role",
	"Pod",
	"Job",
	"HostnameGenerator",
};

/* kumahq/kuma issues 17203 and 17245: what does not select by targetRef is removed. */
static const struct {
	const char *name;
	const char *successor;
} removed_in_kuma3[] = {
	{"ProxyTemplate", "a MeshProxyPatch"},
	{"CircuitBreaker", "a MeshCircuitBreaker"},
	{"Timeout", "a MeshTimeout"},
	{"ExternalService", "a MeshExternalService"},
	{"FaultInjection", "a MeshFaultInjection"},
	{"HealthCheck", "a MeshHealthCheck"},
	{"MeshGatewayRoute", "a MeshHTTPRoute or MeshTCPRoute"},
	{"RateLimit", "a MeshRateLimit"},
	{"Retry", "a MeshRetry"},
	{"TrafficLog", "a MeshAccessLog"},
	{"TrafficPermission", "a MeshTrafficPermission"},
	{"TrafficRoute", "a MeshHTTPRoute or MeshTCPRoute"},
	{"TrafficTrace", "a MeshTrace"},
	{"VirtualOutbound", "a HostnameGenerator"},
};

const char *eg_kind_successor(const char *name)
{
	for (size_t i = 0; i < EG_COUNT_OF(removed_in_kuma3); i++)
		if (strcmp(removed_in_kuma3[i].name, name) == 0)
			return removed_in_kuma3[i].successor;
	return NULL;
}

const char *eg_kind_removed_at(size_t index, const char **ret_successor)
{
	if (index >= EG_COUNT_OF(removed_in_kuma3))
		return NULL;
	*ret_successor = removed_in_kuma3[index].successor;
	return removed_in_kuma3[index].name;
}

const struct eg_kind *eg_kind_at(size_t index)
{
	return index < EG_COUNT_OF(kinds) ? &kinds[index] : NULL;
}

const struct eg_kind *eg_kind_find(const char *name)
{
	for (size_t i = 0; i < EG_COUNT_OF(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

static bool is_foreign(const char *name)
{
	for (size_t i = 0; i < EG_COUNT_OF(foreign); i++)
		if (strcmp(foreign[i], name) == 0)
			return true;
	return false;
}

const char *eg_kind_suggest(const char *name)
{
	const char *names[EG_COUNT_OF(kinds)];

	if (is_foreign(name))
		return NULL;
	for (size_t i = 0; i < EG_COUNT_OF(kinds); i++)
		names[i] = kinds[i].name;
	return eg_suggest(name, names, EG_COUNT_OF(kinds));
}
