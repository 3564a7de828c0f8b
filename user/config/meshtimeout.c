/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/kinds.h"

#include <string.h>

#include "base/cleanup.h"
#include "config/checked.h"
#include "config/trafficpolicy.h"

#define DEFAULT_EMPTY "at least one timeout should be configured"

static const struct eg_range not_negative = {0, INT64_MAX, "of 0s or more", "must not be negative when defined"};

/* A duration where 0 is: never. */
#define TIMEOUT(field, text) \
	{ \
		.name = (field), .type = &eg_checked_duration, .range = &not_negative, .doc = (text) \
	}

/* --- what cannot be set for some --- */

static void refuse_fields(struct eg_reader *reader, const struct eg_yaml_node *node, const char *const *fields,
			  const char *why)
{
	for (size_t i = 0; fields[i]; i++)
		if (eg_has_field(node, fields[i]))
			eg_reader_error_at(reader, node, fields[i], "can't be specified when %s", why);
}

/* A route, and who connects, are known only when the connection is there. */
static void refuse_early(struct eg_reader *reader, const struct eg_yaml_node *node,
			 const struct eg_traffic_policy *policy, const char *const *route_fields,
			 const char *const *identity_fields)
{
	if (policy->targets == EG_TARGET_MESH_HTTP_ROUTE)
		refuse_fields(reader, node, route_fields, "top-level TargetRef is referencing MeshHTTPRoute");
	else if (policy->matches_identity)
		refuse_fields(reader, node, identity_fields,
			      "matches contain spiffeID because this field cannot be conditioned on source identity");
}

/* --- default --- */

static const struct eg_field http_fields[] = {
	TIMEOUT("requestTimeout", "How long a request may take to arrive. Kuma's default is 15s."),
	TIMEOUT("streamIdleTimeout", "How long a stream may be idle. Kuma's default is 30m."),
	TIMEOUT("maxStreamDuration", "How long a stream may live."),
	TIMEOUT("maxConnectionDuration", "How long a connection may live."),
	TIMEOUT("requestHeadersTimeout", "How long the headers of a request may take to arrive."),
};

static int check_http(struct eg_reader *reader, const struct eg_yaml_node *node, void *target);
static const struct eg_schema http_schema = {EG_SCHEMA_FIELDS(http_fields), .finish = check_http};

static int check_http(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	static const char *const route_fields[] = {"maxStreamDuration", "maxConnectionDuration", NULL};
	static const char *const identity_fields[] = {"requestHeadersTimeout", "maxStreamDuration",
						      "maxConnectionDuration", NULL};

	if (!eg_has_any_field(node, &http_schema))
		eg_reader_error(reader, node, "at least one timeout in this section should be configured");
	refuse_early(reader, node, target, route_fields, identity_fields);
	return 0;
}

static const struct eg_field default_fields[] = {
	{.name = "connectionTimeout",
	 .type = &eg_checked_duration,
	 .range = &eg_range_duration_above_zero,
	 .doc = "How long a connect may take. Kuma's default is 5s."},
	TIMEOUT("idleTimeout", "How long nothing may be sent or received. Kuma's default is 1h."),
	{.name = "http", .type = &eg_type_object, .fields = &http_schema, .doc = "Timeouts of HTTP."},
};

static int check_default(struct eg_reader *reader, const struct eg_yaml_node *node, void *target);
static const struct eg_schema default_schema = {EG_SCHEMA_FIELDS(default_fields), .finish = check_default};

static int check_default(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	static const char *const fields[] = {"connectionTimeout", "idleTimeout", NULL};

	if (!eg_has_any_field(node, &default_schema))
		eg_reader_error(reader, node, DEFAULT_EMPTY);
	refuse_early(reader, node, target, fields, fields);
	return 0;
}

/* --- to and from --- */

static const struct eg_field to_fields[] = {
	EG_TRAFFIC_REF(eg_traffic_to_ref, "What it is about: the mesh, a service or a route."),
	EG_TRAFFIC_DEFAULT(default_schema, DEFAULT_EMPTY),
};
static const struct eg_schema to_schema = {EG_SCHEMA_FIELDS(to_fields)};

static const struct eg_field from_fields[] = {
	EG_TRAFFIC_REF(eg_traffic_from_ref, "Whose connections: kind Mesh."),
	EG_TRAFFIC_DEFAULT(default_schema, DEFAULT_EMPTY),
};
static const struct eg_schema from_schema = {EG_SCHEMA_FIELDS(from_fields)};

/* --- rules --- */

/* The names are in field->choices: one or two. */
static int check_match_type(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			    void *target)
{
	const char *const *choices = field->choices;
	const char *text = eg_read_text(reader, node);

	(void)target;
	for (size_t i = 0; text && choices[i]; i++)
		if (strcmp(choices[i], text) == 0)
			return 0;
	if (text)
		eg_reader_error(reader, node, "unrecognized type \"%.64s\", supported values are: %s%s%s", text,
				choices[0], choices[1] ? ", " : "", choices[1] ? choices[1] : "");
	return 0;
}
static const struct eg_type match_type_type = {"choice", check_match_type};

static const char *const identity_types[] = {"Exact", "Prefix", NULL};
static const char *const sni_types[] = {"Exact", NULL};

#define MATCH_FIELDS(types) \
	{.name = "type", \
	 .type = &match_type_type, \
	 .choices = (types), \
	 .missing = "must be set", \
	 .doc = "How the value is compared."}, \
	{ \
		.name = "value", .type = &eg_checked_text, .missing = "must be set", \
		.doc = "What it is compared with." \
	}

static const struct eg_field identity_fields[] = {MATCH_FIELDS(identity_types)};
static const struct eg_schema identity_schema = {EG_SCHEMA_FIELDS(identity_fields)};
static const struct eg_field sni_fields[] = {MATCH_FIELDS(sni_types)};
static const struct eg_schema sni_schema = {EG_SCHEMA_FIELDS(sni_fields)};

static const struct eg_field match_fields[] = {
	{.name = "spiffeID", .type = &eg_type_object, .fields = &identity_schema, .doc = "Who connects."},
	{.name = "sni", .type = &eg_type_object, .fields = &sni_schema, .doc = "The name that the client asks for."},
};

static int check_match(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct eg_traffic_policy *policy = target;

	if (!eg_has_field(node, "spiffeID") && !eg_has_field(node, "sni"))
		eg_reader_error(reader, node, "must specify at least one of 'spiffeID' or 'sni'");
	policy->matches_identity |= eg_has_field(node, "spiffeID");
	return 0;
}
static const struct eg_schema match_schema = {EG_SCHEMA_FIELDS(match_fields), .finish = check_match};

static int finish_rule(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct eg_traffic_policy *policy = target;

	(void)reader;
	(void)node;
	policy->matches_identity = false;
	return 0;
}

static const struct eg_field rule_fields[] = {
	/* Before `default`, which depends on it. */
	{.name = "matches",
	 .type = &eg_checked_list,
	 .fields = &match_schema,
	 .fallback = "every connection",
	 .doc = "Which connections."},
	EG_TRAFFIC_DEFAULT(default_schema, DEFAULT_EMPTY),
};
static const struct eg_schema rule_schema = {EG_SCHEMA_FIELDS(rule_fields), .finish = finish_rule};

/* --- the resource --- */

/* A route and a gateway have clients, and no inbound of their own. */
static int check_parts(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct eg_traffic_policy *policy = target;

	if ((policy->targets == EG_TARGET_MESH_HTTP_ROUTE || policy->targets == EG_TARGET_MESH_GATEWAY) &&
	    eg_has_field(node, "from"))
		eg_reader_error_at(reader, node, "from", "must not be defined");
	return eg_traffic_check_parts(reader, node, target);
}

static const struct eg_field mesh_timeout_fields[] = {
	EG_TRAFFIC_FIELDS(to_schema, from_schema, rule_schema),
};
const struct eg_schema eg_mesh_timeout_schema = {
	.name = "MeshTimeout",
	.doc = "Timeouts between services. " EG_INERT_DOC,
	EG_SCHEMA_FIELDS(mesh_timeout_fields),
	.finish = check_parts,
};

int eg_mesh_timeout_read(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	struct eg_traffic_policy policy = {
		.takes = EG_TRAFFIC_TOP_KINDS | EG_TARGET_BIT(MESH_HTTP_ROUTE),
		.to_takes = EG_TRAFFIC_TO_KINDS | EG_TARGET_BIT(MESH_HTTP_ROUTE),
		.route_takes = EG_TARGET_BIT(MESH) | EG_TARGET_BIT(MESH_EXTERNAL_SERVICE),
	};

	return eg_traffic_policy_read(reader, envelope, &policy);
}
