/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/kinds.h"

#include <errno.h>

#include "base/cleanup.h"
#include "config/address.h"
#include "config/checked.h"
#include "config/service.h"
#include "config/tags.h"

#define PORT_REFUSAL "port must be a valid (1-65535)"

struct mesh_service_draft {
	EG_ARRAY(uint16_t) ports;
};

static void draft_clear(struct mesh_service_draft *draft)
{
	eg_array_clear(&draft->ports);
}

/* --- ports --- */

static int read_port(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		     void *target)
{
	(void)field;
	eg_read_u16(reader, node, 1, PORT_REFUSAL, target);
	return 0;
}
static const struct eg_type port_type = {"port", read_port};

static const struct eg_field port_fields[] = {
	{.name = "port",
	 .type = &port_type,
	 .missing = PORT_REFUSAL,
	 .doc = "The port of the service's own addresses, which stand in status.vips: each address with each port "
		"is a mesh destination, by TCP."},
	{.name = "name", .type = &eg_checked_text, .doc = "Not read."},
	{.name = "targetPort", .doc = "Not read: the ports of Dataplanes are in the Dataplanes."},
	{.name = "appProtocol", .type = &eg_checked_text, .fallback = "tcp", .doc = "Not read."},
	{.name = "protocol", .type = &eg_checked_text, .doc = "Not read: what release 2.8 calls appProtocol."},
};
static const struct eg_schema port_schema = {EG_SCHEMA_FIELDS(port_fields)};

static int read_port_item(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct mesh_service_draft *draft = target;
	uint16_t port = 0;
	int r = eg_read_object(reader, node, &port_schema, &port);

	return r < 0 || port == 0 ? r : eg_array_push(&draft->ports, port);
}

static int read_ports(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		      void *target)
{
	(void)field;
	return eg_read_list(reader, node, read_port_item, target);
}
static const struct eg_type ports_type = {"list of ports", read_ports};

/* --- selector --- */

static int check_selector(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	static const char *const kinds[] = {"dataplaneTags", "dataplaneRef", "dataplaneLabels", "dataplane"};
	size_t count = 0;

	(void)target;
	for (size_t i = 0; i < EG_COUNT_OF(kinds); i++)
		count += eg_has_field(node, kinds[i]);
	if (count > 1)
		eg_reader_error(reader, node,
				"must specify only one of: dataplaneTags, dataplaneRef, or dataplaneLabels");
	return 0;
}

static const struct eg_field reference_fields[] = {
	{.name = "name", .type = &eg_checked_text, .doc = "The name of a Dataplane."},
};
static const struct eg_schema reference_schema = {EG_SCHEMA_FIELDS(reference_fields)};

static const struct eg_field labels_fields[] = {
	{.name = "matchLabels", .type = &eg_checked_labels, .doc = "Labels that a Dataplane must have."},
};
static const struct eg_schema labels_schema = {EG_SCHEMA_FIELDS(labels_fields)};

static const struct eg_field selector_fields[] = {
	{.name = "dataplaneTags", .type = &eg_checked_labels, .doc = "Checked; not read."},
	{.name = "dataplaneRef", .type = &eg_type_object, .fields = &reference_schema, .doc = "Checked; not read."},
	{.name = "dataplaneLabels", .type = &eg_type_object, .fields = &labels_schema, .doc = "Checked; not read."},
	{.name = "dataplane",
	 .type = &eg_type_object,
	 .fields = &labels_schema,
	 .doc = "Checked; not read: what release 3 calls dataplaneLabels."},
};
static const struct eg_schema selector_schema = {EG_SCHEMA_FIELDS(selector_fields), .finish = check_selector};

/* --- the resource --- */

static const char *const states[] = {"Available", "Unavailable", NULL};

static const struct eg_field mesh_service_fields[] = {
	{.name = "ports", .type = &ports_type, .fields = &port_schema, .doc = "The ports of the service."},
	{.name = "selector",
	 .type = &eg_type_object,
	 .fields = &selector_schema,
	 .doc = "Checked; not read: which Dataplanes it leads to. They are mesh destinations by themselves."},
	{.name = "state", .type = &eg_checked_choice, .choices = states, .doc = "Checked; not read."},
	{.name = "identities", .doc = "Not read."},
};
const struct eg_schema eg_mesh_service_schema = {
	.name = "MeshService",
	.doc = "A service of the mesh: the addresses that Kuma gave it, and its ports.",
	EG_SCHEMA_FIELDS(mesh_service_fields),
};

/* The addresses that Kuma, or Kubernetes, gave the service. */
static int add_vips(struct eg_reader *reader, const struct eg_yaml_node *status, const struct mesh_service_draft *draft,
		    struct eg_service *service)
{
	const struct eg_yaml_node *vips =
		status && status->kind == EG_YAML_MAPPING ? eg_yaml_get(status, "vips") : NULL;
	int r = 0;

	eg_path_leave(reader, 0);
	eg_path_enter(reader, "status.vips");
	for (uint32_t i = 0; vips && vips->kind == EG_YAML_SEQUENCE && i < vips->count; i++) {
		const struct eg_yaml_node *ip = eg_service_vip(vips->items[i]);

		for (size_t port = 0; r == 0 && ip && port < draft->ports.len && !eg_reader_is_full(reader); port++)
			r = eg_service_add_endpoint(reader, service, ip, ip->text, draft->ports.items[port]);
	}
	return r;
}

int eg_mesh_service_read(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	_cleanup_(draft_clear) struct mesh_service_draft draft = {};
	struct eg_service *service;
	int r;

	eg_service_check_name(reader, envelope);
	r = eg_read_object(reader, envelope->spec, &eg_mesh_service_schema, &draft);
	if (r < 0)
		return r;
	r = eg_service_add(reader, envelope, &service);
	return r < 0 ? r : add_vips(reader, envelope->status, &draft, service);
}
