/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/service.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/address.h"
#include "config/checked.h"

#define NAME_MAX_LEN 63

int eg_service_add(struct eg_reader *reader, const struct eg_envelope *envelope, struct eg_service **ret_service)
{
	struct eg_service *service = eg_arena_alloc(&reader->model->arena, sizeof(*service));

	if (!service)
		return -ENOMEM;
	service->name = envelope->name;
	service->mesh = envelope->mesh;
	service->origin = envelope->origin;
	service->mesh_origin = envelope->mesh_origin;
	*ret_service = service;
	return eg_array_push(&reader->model->services, service);
}

int eg_service_add_endpoint(struct eg_reader *reader, struct eg_service *service, const struct eg_yaml_node *node,
			    const char *host, uint16_t port)
{
	struct eg_endpoint endpoint = {.port = port, .origin = eg_reader_origin(reader, node)};
	int r;

	if (!eg_reader_take_address(reader, node))
		return 0;
	eg_warn_host_name(reader, node, host);
	r = eg_read_copy(reader, host, &endpoint.address);
	return r < 0 ? r : eg_array_push(&service->endpoints, endpoint);
}

void eg_service_check_name(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	if (strlen(envelope->display_name) > NAME_MAX_LEN)
		eg_diag_add(reader->diag, EG_SEVERITY_ERROR, envelope->origin, "name",
			    "must not be longer than %u characters", NAME_MAX_LEN);
}

const struct eg_yaml_node *eg_service_vip(const struct eg_yaml_node *mapping)
{
	const struct eg_yaml_node *ip = mapping && mapping->kind == EG_YAML_MAPPING ? eg_yaml_get(mapping, "ip") : NULL;

	return ip && ip->kind == EG_YAML_SCALAR && eg_is_ip(ip->text) ? ip : NULL;
}

static const struct eg_field reference_fields[] = {
	{.name = "kind", .type = &eg_checked_text, .doc = "Not read."},
	{.name = "name", .type = &eg_checked_text, .doc = "Not read."},
};
static const struct eg_schema reference_schema = {EG_SCHEMA_FIELDS(reference_fields)};

static const struct eg_field inline_fields[] = {
	{.name = "value", .type = &eg_checked_text, .doc = "Not read."},
};
static const struct eg_schema inline_schema = {EG_SCHEMA_FIELDS(inline_fields)};

static const struct eg_field data_source_fields[] = {
	{.name = "secret", .type = &eg_checked_text, .doc = "The name of a secret. Not read."},
	{.name = "inline", .type = &eg_checked_text, .doc = "The content in base64. Not read."},
	{.name = "inlineString", .type = &eg_checked_text, .doc = "The content. Not read."},
	{.name = "file", .doc = "Not read."},
	{.name = "type", .type = &eg_checked_text, .doc = "Secret or InsecureInline, in the newer form. Not read."},
	{.name = "secretRef", .type = &eg_type_object, .fields = &reference_schema, .doc = "Not read."},
	{.name = "insecureInline", .type = &eg_type_object, .fields = &inline_schema, .doc = "Not read."},
	{.name = "envVar", .doc = "Not read."},
};
const struct eg_schema eg_data_source_schema = {EG_SCHEMA_FIELDS(data_source_fields)};
