/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/kinds.h"

#include "base/cleanup.h"
#include "config/checked.h"
#include "config/selectors.h"

#define SECTION_EMPTY "at least one timeout in section has to be defined"

static const struct eg_range above_zero = {1, INT64_MAX, "above 0", "has to be greater than 0"};
static const struct eg_range above_zero_if_set = {1, INT64_MAX, "above 0", "has to be greater than 0 when defined"};

static int check_tcp(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	(void)target;
	if (!eg_has_field(node, "idleTimeout"))
		eg_reader_error(reader, node, SECTION_EMPTY);
	return 0;
}

static const struct eg_field tcp_fields[] = {
	{.name = "idleTimeout",
	 .type = &eg_checked_duration,
	 .range = &above_zero,
	 .doc = "How long nothing may be sent or received."},
};
static const struct eg_schema tcp_schema = {EG_SCHEMA_FIELDS(tcp_fields), .finish = check_tcp};

static int check_http(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	(void)target;
	if (!eg_has_field(node, "requestTimeout") && !eg_has_field(node, "idleTimeout"))
		eg_reader_error(reader, node, SECTION_EMPTY);
	return 0;
}

static const struct eg_field http_fields[] = {
	{.name = "requestTimeout",
	 .type = &eg_checked_duration,
	 .range = &above_zero_if_set,
	 .doc = "How long a response may take."},
	{.name = "idleTimeout",
	 .type = &eg_checked_duration,
	 .range = &above_zero_if_set,
	 .doc = "How long a connection may be without streams."},
	{.name = "streamIdleTimeout", .type = &eg_checked_duration, .doc = "How long a stream may be idle."},
	{.name = "maxStreamDuration", .type = &eg_checked_duration, .doc = "How long a stream may live."},
};
static const struct eg_schema http_schema = {EG_SCHEMA_FIELDS(http_fields), .finish = check_http};

static int check_grpc(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	(void)target;
	if (!eg_has_field(node, "streamIdleTimeout") && !eg_has_field(node, "maxStreamDuration"))
		eg_reader_error(reader, node, SECTION_EMPTY);
	return 0;
}

static const struct eg_field grpc_fields[] = {
	{.name = "streamIdleTimeout",
	 .type = &eg_checked_duration,
	 .range = &above_zero_if_set,
	 .doc = "How long a stream may be idle."},
	{.name = "maxStreamDuration",
	 .type = &eg_checked_duration,
	 .range = &above_zero_if_set,
	 .doc = "How long a stream may live."},
};
static const struct eg_schema grpc_schema = {EG_SCHEMA_FIELDS(grpc_fields), .finish = check_grpc};

static const struct eg_field conf_fields[] = {
	{.name = "connectTimeout", .type = &eg_checked_duration, .doc = "How long a connect may take."},
	{.name = "tcp", .type = &eg_type_object, .fields = &tcp_schema, .doc = "For TCP."},
	{.name = "http", .type = &eg_type_object, .fields = &http_schema, .doc = "For HTTP."},
	{.name = "grpc", .type = &eg_type_object, .fields = &grpc_schema, .doc = "For gRPC."},
};
static const struct eg_schema conf_schema = {EG_SCHEMA_FIELDS(conf_fields)};

static const struct eg_field timeout_fields[] = {
	EG_SELECTOR_FIELDS,
	{.name = "conf",
	 .type = &eg_type_object,
	 .fields = &conf_schema,
	 .missing = "has to be defined",
	 .doc = "The timeouts."},
};
const struct eg_schema eg_timeout_schema = {
	.name = "Timeout",
	.doc = "Timeouts between services, in the older form. " EG_INERT_DOC,
	EG_SCHEMA_FIELDS(timeout_fields),
};
