/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/kinds.h"

#include "base/cleanup.h"
#include "config/checked.h"
#include "config/trafficpolicy.h"

#define DEFAULT_EMPTY "at least one of: 'connectionLimits' or 'outlierDetection' should be configured"

static const struct eg_range percent = {0, 100, "from 0 to 100", "must be in inclusive range [0, 100]"};

/* A number that must be more than 0. */
#define COUNT(field, text) \
	{ \
		.name = (field), .type = &eg_checked_number, .range = &eg_range_above_zero, .doc = (text) \
	}

/* --- connectionLimits --- */

static const struct eg_field limits_fields[] = {
	COUNT("maxConnections", "Connections."),
	COUNT("maxConnectionPools", "Connection pools."),
	COUNT("maxPendingRequests", "Pending requests; connections, where it is not HTTP."),
	COUNT("maxRetries", "Retries at a time."),
	COUNT("maxRequests", "Requests at a time."),
};
static const struct eg_schema limits_schema = {EG_SCHEMA_FIELDS(limits_fields)};

/* --- outlierDetection --- */

static const struct eg_field failures_fields[] = {
	COUNT("consecutive", "How many failures in a row eject an endpoint."),
};
static const struct eg_schema failures_schema = {EG_SCHEMA_FIELDS(failures_fields)};

static const struct eg_field success_rate_fields[] = {
	COUNT("minimumHosts", "With fewer endpoints nothing is ejected."),
	COUNT("requestVolume", "Endpoints with fewer requests are left out."),
	{.name = "standardDeviationFactor",
	 .type = &eg_checked_factor,
	 .doc = "How far from the mean success rate an endpoint may be."},
};
static const struct eg_schema success_rate_schema = {EG_SCHEMA_FIELDS(success_rate_fields)};

static const struct eg_field percentage_fields[] = {
	COUNT("minimumHosts", "With fewer endpoints nothing is ejected."),
	COUNT("requestVolume", "Endpoints with fewer requests are left out."),
	{.name = "threshold",
	 .type = &eg_checked_number,
	 .range = &percent,
	 .doc = "Which percentage of failures ejects an endpoint."},
};
static const struct eg_schema percentage_schema = {EG_SCHEMA_FIELDS(percentage_fields)};

static const struct eg_field detectors_fields[] = {
	{.name = "totalFailures", .type = &eg_type_object, .fields = &failures_schema, .doc = "All failures."},
	{.name = "gatewayFailures", .type = &eg_type_object, .fields = &failures_schema, .doc = "502, 503 and 504."},
	{.name = "localOriginFailures",
	 .type = &eg_type_object,
	 .fields = &failures_schema,
	 .doc = "Connections that failed."},
	{.name = "successRate",
	 .type = &eg_type_object,
	 .fields = &success_rate_schema,
	 .doc = "Success rates far below those of the others."},
	{.name = "failurePercentage",
	 .type = &eg_type_object,
	 .fields = &percentage_schema,
	 .doc = "Success rates by themselves."},
};

static int check_detectors(struct eg_reader *reader, const struct eg_yaml_node *node, void *target);
static const struct eg_schema detectors_schema = {EG_SCHEMA_FIELDS(detectors_fields), .finish = check_detectors};

static int check_detectors(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	(void)target;
	if (!eg_has_any_field(node, &detectors_schema))
		eg_reader_error(reader, node,
				"must have at least one defined: totalFailures, gatewayFailures, localOriginFailures, "
				"successRate, failurePercentage");
	return 0;
}

static const struct eg_field outlier_fields[] = {
	{.name = "disabled", .type = &eg_checked_bool, .doc = "Whether all of this has no effect."},
	{.name = "interval",
	 .type = &eg_checked_duration,
	 .range = &eg_range_duration_above_zero,
	 .doc = "How often endpoints are looked at."},
	{.name = "baseEjectionTime",
	 .type = &eg_checked_duration,
	 .range = &eg_range_duration_above_zero,
	 .doc = "How long an endpoint is ejected."},
	{.name = "maxEjectionPercent",
	 .type = &eg_checked_number,
	 .range = &percent,
	 .doc = "How many of the endpoints may be ejected."},
	{.name = "splitExternalAndLocalErrors",
	 .type = &eg_checked_bool,
	 .doc = "Whether connections that failed are counted apart."},
	{.name = "detectors",
	 .type = &eg_type_object,
	 .fields = &detectors_schema,
	 .missing = "must be defined",
	 .doc = "What ejects endpoints."},
	{.name = "healthyPanicThreshold",
	 .type = &eg_checked_percentage,
	 .doc = "Below which percentage of healthy endpoints all are used."},
};
static const struct eg_schema outlier_schema = {EG_SCHEMA_FIELDS(outlier_fields)};

/* --- default --- */

static const struct eg_field default_fields[] = {
	{.name = "connectionLimits", .type = &eg_type_object, .fields = &limits_schema, .doc = "The limits."},
	{.name = "outlierDetection",
	 .type = &eg_type_object,
	 .fields = &outlier_schema,
	 .doc = "Which endpoints are left out for a while."},
};

static int check_default(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	(void)target;
	if (!eg_has_field(node, "connectionLimits") && !eg_has_field(node, "outlierDetection"))
		eg_reader_error(reader, node, DEFAULT_EMPTY);
	return 0;
}
static const struct eg_schema default_schema = {EG_SCHEMA_FIELDS(default_fields), .finish = check_default};

static const struct eg_field to_fields[] = {
	EG_TRAFFIC_REF(eg_traffic_to_ref, "What it is about: the mesh, or a service."),
	EG_TRAFFIC_DEFAULT(default_schema, DEFAULT_EMPTY),
};
static const struct eg_schema to_schema = {EG_SCHEMA_FIELDS(to_fields)};

static const struct eg_field from_fields[] = {
	EG_TRAFFIC_REF(eg_traffic_from_ref, "Whose connections: kind Mesh."),
	EG_TRAFFIC_DEFAULT(default_schema, DEFAULT_EMPTY),
};
static const struct eg_schema from_schema = {EG_SCHEMA_FIELDS(from_fields)};

static const struct eg_field rule_fields[] = {
	EG_TRAFFIC_DEFAULT(default_schema, DEFAULT_EMPTY),
};
static const struct eg_schema rule_schema = {EG_SCHEMA_FIELDS(rule_fields)};

/* --- the resource --- */

static const struct eg_field mesh_circuit_breaker_fields[] = {
	EG_TRAFFIC_FIELDS(to_schema, from_schema, rule_schema),
};
const struct eg_schema eg_mesh_circuit_breaker_schema = {
	.name = "MeshCircuitBreaker",
	.doc = "Limits between services. " EG_INERT_DOC,
	EG_SCHEMA_FIELDS(mesh_circuit_breaker_fields),
	.finish = eg_traffic_check_parts,
};

int eg_mesh_circuit_breaker_read(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	struct eg_traffic_policy policy = {
		.takes = EG_TRAFFIC_TOP_KINDS,
		.to_takes = EG_TRAFFIC_TO_KINDS,
	};

	return eg_traffic_policy_read(reader, envelope, &policy);
}
