/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/kinds.h"

#include "base/cleanup.h"
#include "config/checked.h"
#include "config/selectors.h"

static const struct eg_range percent = {0, 100, "from 0 to 100", "has to be in [0.0 - 100.0] range"};

static const struct eg_field errors_fields[] = {
	{.name = "consecutive", .type = &eg_checked_number, .doc = "How many errors in a row eject an endpoint."},
};
static const struct eg_schema errors_schema = {EG_SCHEMA_FIELDS(errors_fields)};

static const struct eg_field deviation_fields[] = {
	{.name = "requestVolume", .type = &eg_checked_number, .doc = "Endpoints with fewer requests are left out."},
	{.name = "minimumHosts", .type = &eg_checked_number, .doc = "With fewer endpoints nothing is ejected."},
	{.name = "factor", .doc = "How far from the mean success rate an endpoint may be. Not read."},
};
static const struct eg_schema deviation_schema = {EG_SCHEMA_FIELDS(deviation_fields)};

static const struct eg_field failure_fields[] = {
	{.name = "requestVolume", .type = &eg_checked_number, .doc = "Endpoints with fewer requests are left out."},
	{.name = "minimumHosts", .type = &eg_checked_number, .doc = "With fewer endpoints nothing is ejected."},
	{.name = "threshold",
	 .type = &eg_checked_number,
	 .range = &percent,
	 .doc = "Which percentage of failures ejects an endpoint."},
};
static const struct eg_schema failure_schema = {EG_SCHEMA_FIELDS(failure_fields)};

static const struct eg_field detectors_fields[] = {
	{.name = "totalErrors", .type = &eg_type_object, .fields = &errors_schema, .doc = "All errors."},
	{.name = "gatewayErrors", .type = &eg_type_object, .fields = &errors_schema, .doc = "502, 503 and 504."},
	{.name = "localErrors", .type = &eg_type_object, .fields = &errors_schema, .doc = "Connections that failed."},
	{.name = "standardDeviation",
	 .type = &eg_type_object,
	 .fields = &deviation_schema,
	 .doc = "Success rates far below those of the others."},
	{.name = "failure", .type = &eg_type_object, .fields = &failure_schema, .doc = "Success rates by themselves."},
};
static const struct eg_schema detectors_schema = {EG_SCHEMA_FIELDS(detectors_fields)};

static const struct eg_field thresholds_fields[] = {
	{.name = "maxConnections", .type = &eg_checked_number, .fallback = "1024", .doc = "Connections."},
	{.name = "maxPendingRequests", .type = &eg_checked_number, .fallback = "1024", .doc = "Pending requests."},
	{.name = "maxRetries", .type = &eg_checked_number, .fallback = "3", .doc = "Retries at a time."},
	{.name = "maxRequests", .type = &eg_checked_number, .fallback = "1024", .doc = "Requests at a time."},
};
static const struct eg_schema thresholds_schema = {EG_SCHEMA_FIELDS(thresholds_fields)};

static const struct eg_field conf_fields[] = {
	{.name = "interval", .type = &eg_checked_duration, .doc = "How often endpoints are looked at."},
	{.name = "baseEjectionTime", .type = &eg_checked_duration, .doc = "How long an endpoint is ejected."},
	{.name = "maxEjectionPercent",
	 .type = &eg_checked_number,
	 .range = &percent,
	 .doc = "How many of the endpoints may be ejected."},
	{.name = "splitExternalAndLocalErrors",
	 .type = &eg_checked_bool,
	 .doc = "Whether connections that failed are counted apart."},
	{.name = "detectors", .type = &eg_type_object, .fields = &detectors_schema, .doc = "What ejects endpoints."},
	{.name = "thresholds", .type = &eg_type_object, .fields = &thresholds_schema, .doc = "The limits."},
};

/* One of the two says something; one that is there and says nothing was meant to. */
static int check_conf(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	static const struct {
		const char *name;
		const struct eg_schema *schema;
	} parts[] = {{"detectors", &detectors_schema}, {"thresholds", &thresholds_schema}};
	bool is_set[EG_COUNT_OF(parts)];

	(void)target;
	for (size_t i = 0; i < EG_COUNT_OF(parts); i++) {
		const struct eg_yaml_node *part = eg_yaml_get(node, parts[i].name);

		is_set[i] = part && eg_has_any_field(part, parts[i].schema);
	}
	if (!is_set[0] && !is_set[1])
		eg_reader_error(reader, node, "must have at least one of the detector or threshold configured");
	for (size_t i = 0; is_set[0] != is_set[1] && i < EG_COUNT_OF(parts); i++)
		if (!is_set[i] && eg_has_field(node, parts[i].name))
			eg_reader_error_at(reader, eg_yaml_get(node, parts[i].name), parts[i].name, "can't be empty");
	return 0;
}
static const struct eg_schema conf_schema = {EG_SCHEMA_FIELDS(conf_fields), .finish = check_conf};

static const struct eg_field circuit_breaker_fields[] = {
	EG_SELECTOR_FIELDS,
	{.name = "conf",
	 .type = &eg_type_object,
	 .fields = &conf_schema,
	 .missing = "must have at least one of the detector or threshold configured",
	 .doc = "The limits."},
};
const struct eg_schema eg_circuit_breaker_schema = {
	.name = "CircuitBreaker",
	.doc = "Limits between services, in the older form. " EG_INERT_DOC,
	EG_SCHEMA_FIELDS(circuit_breaker_fields),
};
