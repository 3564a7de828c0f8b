/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/dataplaneparts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "config/address.h"
#include "config/checked.h"
#include "config/tags.h"

#define PORT_REFUSAL "port must be in the range [1, 65535]"
#define PATH_REFUSAL "should be a valid URL Path"

static const struct eg_range port = {1, UINT16_MAX, "from 1 to 65535", PORT_REFUSAL};
static const struct eg_range optional_port = {0, UINT16_MAX, "from 1 to 65535; 0 is as if left out", PORT_REFUSAL};

const char *const eg_dataplane_states[] = {"Ready", "NotReady", "Ignored", NULL};

/* --- inbounds --- */

static const struct eg_field health_fields[] = {
	{.name = "ready", .type = &eg_checked_bool, .doc = "Not read."},
};
const struct eg_schema eg_dataplane_health_schema = {EG_SCHEMA_FIELDS(health_fields)};

static const struct eg_field service_probe_fields[] = {
	{.name = "interval", .type = &eg_checked_duration, .range = &eg_range_positive, .doc = "Checked; not read."},
	{.name = "timeout", .type = &eg_checked_duration, .range = &eg_range_positive, .doc = "Checked; not read."},
	{.name = "unhealthyThreshold",
	 .type = &eg_checked_number,
	 .range = &eg_range_positive,
	 .doc = "Checked; not read."},
	{.name = "healthyThreshold",
	 .type = &eg_checked_number,
	 .range = &eg_range_positive,
	 .doc = "Checked; not read."},
	{.name = "tcp", .doc = "Not read."},
};
const struct eg_schema eg_dataplane_service_probe_schema = {EG_SCHEMA_FIELDS(service_probe_fields)};

/* --- transparentProxying --- */

static const char *const backend_kinds[] = {"MeshExternalService", "MeshMultiZoneService", "MeshService", NULL};

static int check_backend_kind(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			      void *target)
{
	const char *text = eg_read_text(reader, node);

	(void)target;
	for (size_t i = 0; text && field->choices[i]; i++)
		if (strcmp(field->choices[i], text) == 0)
			return 0;
	if (text)
		eg_reader_error(reader, node,
				"invalid value. Available values are: "
				"MeshExternalService,MeshMultiZoneService,MeshService");
	return 0;
}
static const struct eg_type backend_kind_type = {"kind", check_backend_kind};

/* A subdomain of RFC 1123 in lower case. */
static int check_backend_name(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			      void *target)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	const char *text = eg_read_text(reader, node);

	(void)field;
	(void)target;
	for (; text && *text; text += *text == '.') {
		const size_t len = strcspn(text, "."), good = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

		if (len == 0 || good != len || !strchr(letters, text[0]) || !strchr(letters, text[len - 1])) {
			eg_reader_error(reader, node,
					"invalid characters. A lowercase RFC 1123 subdomain must consist of lower case "
					"alphanumeric characters, '-' or '.', and must start and end with an "
					"alphanumeric character");
			return 0;
		}
		text += len;
	}
	return 0;
}
static const struct eg_type backend_name_type = {"text", check_backend_name};

static int check_backend(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const bool has_name = eg_has_field(node, "name"), has_namespace = eg_has_field(node, "namespace");
	const bool has_labels = eg_has_field(node, "labels");

	(void)target;
	if (!has_name && has_namespace)
		eg_reader_error_at(reader, node, "name", "name is required, when namespace is defined");
	else if (!has_name && !has_labels)
		eg_reader_error_at(reader, node, "name", "name or labels are required");
	if ((has_name || has_namespace) && has_labels)
		eg_reader_error_at(reader, eg_yaml_get(node, "labels"), "labels",
				   "labels cannot be defined when name is specified");
	return 0;
}

static const struct eg_field backend_fields[] = {
	{.name = "kind",
	 .type = &backend_kind_type,
	 .choices = backend_kinds,
	 .missing = "invalid value. Available values are: MeshExternalService,MeshMultiZoneService,MeshService",
	 .doc = "Checked; not read."},
	{.name = "name", .type = &backend_name_type, .doc = "Checked; not read."},
	{.name = "namespace", .type = &eg_checked_text, .doc = "Checked; not read."},
	{.name = "port", .type = &eg_checked_number, .range = &optional_port, .doc = "Checked; not read."},
	{.name = "labels", .type = &eg_checked_labels, .doc = "Checked; not read."},
};
static const struct eg_schema backend_schema = {EG_SCHEMA_FIELDS(backend_fields), .finish = check_backend};

static const struct eg_field reachable_fields[] = {
	{.name = "refs", .type = &eg_checked_list, .fields = &backend_schema, .doc = "The services."},
};
const struct eg_schema eg_dataplane_reachable_schema = {EG_SCHEMA_FIELDS(reachable_fields)};

static const struct eg_type reachable_type = {"object", eg_read_node};

static const char *const family_modes[] = {"UnSpecified", "DualStack", "IPv4", "IPv6", NULL};

static int read_family_mode(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			    void *target)
{
	size_t mode;

	*(bool *)target = eg_read_choice(reader, field, node, &mode) && strcmp(family_modes[mode], "IPv4") == 0;
	return 0;
}
static const struct eg_type family_mode_type = {"choice", read_family_mode};

static int read_redirect_port(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			      void *target)
{
	struct eg_optional_number number = {};
	int r = eg_type_u32.read(reader, field, node, &number);

	if (number.value > UINT16_MAX)
		eg_reader_error(reader, node, "%s", field->range->refusal);
	else
		*(uint16_t *)target = (uint16_t)number.value;
	return r;
}
static const struct eg_type redirect_port_type = {"whole number", read_redirect_port};

static const struct eg_field transparent_fields[] = {
	{.name = "redirectPortInbound",
	 .type = &redirect_port_type,
	 .range = &optional_port,
	 .offset = offsetof(struct eg_transparent, inbound_port),
	 .doc = "Where the proxy takes what comes in. Anyone may come to this port, and the proxy judges."},
	{.name = "redirectPortOutbound",
	 .type = &redirect_port_type,
	 .range = &optional_port,
	 .offset = offsetof(struct eg_transparent, redirect_port),
	 .doc = "Where the proxy listens, on 127.0.0.1 and ::1, for what goes out. A Workload that names this Dataplane "
		"and has redirect sends its TCP to the mesh there."},
	{.name = "redirectPortInboundV6",
	 .type = &redirect_port_type,
	 .range = &optional_port,
	 .offset = offsetof(struct eg_transparent, inbound_port_v6),
	 .doc = "The same, of IPv6, where it is another port."},
	{.name = "directAccessServices", .type = &eg_checked_texts, .doc = "Not read."},
	{.name = "reachableServices",
	 .type = &eg_checked_texts,
	 .doc = "Not read.",
	 .kuma3 = "ignores it; reachableBackends takes its place"},
	{.name = "reachableBackends",
	 .type = &reachable_type,
	 .offset = offsetof(struct eg_transparent, reachable_backends),
	 .fields = &eg_dataplane_reachable_schema,
	 .doc = "Checked; not read: what is reachable is a matter of the mesh and its policies."},
	{.name = "ipFamilyMode",
	 .type = &family_mode_type,
	 .choices = family_modes,
	 .offset = offsetof(struct eg_transparent, is_ipv4_alone),
	 .fallback = "DualStack",
	 .doc = "With IPv4 no IPv6 is sent to redirectPortOutbound; both families are always enforced."},
	{.name = "redirectPort", .doc = "Not read: of releases before 0.7."},
};
const struct eg_schema eg_dataplane_transparent_schema = {EG_SCHEMA_FIELDS(transparent_fields)};

/* --- listeners --- */

static const char *const listener_types[] = {"ZoneIngress", "ZoneEgress", NULL};

static const struct eg_field listener_fields[] = {
	{.name = "type", .type = &eg_checked_choice, .choices = listener_types, .doc = "Checked; not read."},
	{.name = "address",
	 .type = &eg_type_ip,
	 .offset = offsetof(struct eg_listener, address),
	 .missing = "address can't be empty",
	 .doc = "Checked; not read."},
	{.name = "port",
	 .type = &eg_type_port,
	 .offset = offsetof(struct eg_listener, port),
	 .missing = PORT_REFUSAL,
	 .doc = "Checked; not read."},
	{.name = "name",
	 .type = &eg_type_text_node,
	 .offset = offsetof(struct eg_listener, name),
	 .doc = "Checked; not read."},
	{.name = "state", .type = &eg_checked_choice, .choices = eg_dataplane_states, .doc = "Checked; not read."},
	{.name = "tags", .doc = "Not read."},
	{.name = "protocol", .type = &eg_checked_text, .doc = "Not read."},
};
const struct eg_schema eg_dataplane_listener_schema = {EG_SCHEMA_FIELDS(listener_fields)};

/* What nobody else of the Dataplane may have: a name, or an address with a port. */
struct claim {
	const char *text;
	uint16_t port;
	bool is_listener;
	size_t index; /* of the listener */
	const struct eg_yaml_node *node;
};

struct claims {
	EG_ARRAY(struct claim) list;
};

static void claims_clear(struct claims *claims)
{
	eg_array_clear(&claims->list);
}

static int compare_values(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	return order ? order : (x->port > y->port) - (x->port < y->port);
}

/* Inbounds first, then as written. */
static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = compare_values(a, b);

	if (order == 0)
		order = (x->is_listener > y->is_listener) - (x->is_listener < y->is_listener);
	return order ? order : (x->index > y->index) - (x->index < y->index);
}

static void refuse_claim(struct eg_reader *reader, const struct claim *first, const struct claim *claim)
{
	const size_t before = eg_path_enter(reader, "listeners");

	eg_path_enter_index(reader, claim->index);
	if (claim->port == 0)
		eg_reader_error_at(reader, claim->node, "name",
				   "name \"%.64s\" must be unique across inbounds and listeners", claim->text);
	else
		eg_reader_error(reader, claim->node, "address:port %s:%u collides with an%s listener", claim->text,
				claim->port, first->is_listener ? "other" : " inbound");
	eg_path_leave(reader, before);
}

/* Sorted, since a hostile file may have a million of them. */
static void check_claims(struct eg_reader *reader, struct claims *claims)
{
	struct claim *list = claims->list.items;

	if (claims->list.len > 1)
		qsort(list, claims->list.len, sizeof(list[0]), compare_claims);
	for (size_t i = 1, first = 0; i < claims->list.len; i++) {
		if (compare_values(&list[first], &list[i]) != 0)
			first = i;
		else if (list[i].is_listener)
			refuse_claim(reader, &list[first], &list[i]);
	}
}

static const char *name_text(const struct eg_yaml_node *name)
{
	return name && name->kind == EG_YAML_SCALAR && name->text[0] ? name->text : NULL;
}

static int check_names(struct eg_reader *reader, const struct eg_listener *listeners, size_t listener_count,
		       const struct eg_yaml_node *const *inbound_names, size_t name_count)
{
	_cleanup_(claims_clear) struct claims names = {};
	int r = 0;

	for (size_t i = 0; r == 0 && i < name_count; i++)
		if (name_text(inbound_names[i]))
			r = eg_array_push(&names.list, {.text = name_text(inbound_names[i])});
	for (size_t i = 0; r == 0 && i < listener_count; i++)
		if (name_text(listeners[i].name))
			r = eg_array_push(&names.list, {.text = name_text(listeners[i].name),
							.is_listener = true,
							.index = i,
							.node = listeners[i].name});
	if (r == 0)
		check_claims(reader, &names);
	return r;
}

static int check_ports(struct eg_reader *reader, const struct eg_listener *listeners, size_t listener_count,
		       const struct eg_dataplane *dataplane)
{
	_cleanup_(claims_clear) struct claims ports = {};
	int r = 0;

	for (size_t i = 0; r == 0 && i < dataplane->inbounds.len; i++) {
		const struct eg_inbound *inbound = &dataplane->inbounds.items[i];
		const char *address = inbound->address ? inbound->address : dataplane->address;

		if (address && inbound->port)
			r = eg_array_push(&ports.list, {.text = address, .port = inbound->port});
	}
	for (size_t i = 0; r == 0 && i < listener_count; i++)
		if (listeners[i].address && listeners[i].port)
			r = eg_array_push(&ports.list, {.text = listeners[i].address,
							.port = listeners[i].port,
							.is_listener = true,
							.index = i,
							.node = listeners[i].node});
	if (r == 0)
		check_claims(reader, &ports);
	return r;
}

int eg_dataplane_check_listeners(struct eg_reader *reader, const struct eg_listener *listeners, size_t listener_count,
				 const struct eg_dataplane *dataplane, const struct eg_yaml_node *const *inbound_names,
				 size_t name_count)
{
	int r = 0;

	if (listener_count > 0)
		r = check_names(reader, listeners, listener_count, inbound_names, name_count);
	if (r == 0 && listener_count > 0)
		r = check_ports(reader, listeners, listener_count, dataplane);
	return r;
}

/* --- probes --- */

static int check_url_path(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			  void *target)
{
	const char *text = eg_read_text(reader, node);

	(void)field;
	(void)target;
	if (text && text[0] != '/')
		eg_reader_error(reader, node, PATH_REFUSAL);
	return 0;
}
static const struct eg_type url_path_type = {"URL path", check_url_path};

#define PORT(field) \
	{ \
		.name = (field), .type = &eg_checked_number, .range = &port, .missing = PORT_REFUSAL, \
		.doc = "Checked; not read." \
	}
#define URL_PATH(field) \
	{ \
		.name = (field), .type = &url_path_type, .missing = PATH_REFUSAL, .doc = "Checked; not read." \
	}

static const struct eg_field endpoint_fields[] = {
	PORT("inboundPort"),
	URL_PATH("inboundPath"),
	URL_PATH("path"),
};
static const struct eg_schema endpoint_schema = {EG_SCHEMA_FIELDS(endpoint_fields)};

static const struct eg_field probes_fields[] = {
	PORT("port"),
	{.name = "endpoints", .type = &eg_checked_list, .fields = &endpoint_schema, .doc = "Checked; not read."},
};
const struct eg_schema eg_dataplane_probes_schema = {EG_SCHEMA_FIELDS(probes_fields)};

/* --- metrics --- */

static int check_backend_type(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			      void *target)
{
	const char *text = eg_read_text(reader, node);

	(void)field;
	(void)target;
	if (text && strcmp(text, "prometheus") != 0)
		eg_reader_error(reader, node, "unknown backend type. Available backends: \"prometheus\"");
	return 0;
}
static const struct eg_type backend_type_type = {"prometheus", check_backend_type};

static const struct eg_field aggregate_fields[] = {
	{.name = "name", .type = &eg_checked_text, .doc = "Checked; not read."},
	{.name = "enabled", .type = &eg_checked_bool, .doc = "Not read."},
	{.name = "port", .type = &eg_checked_number, .range = &optional_port, .doc = "Checked; not read."},
	{.name = "path", .type = &eg_checked_text, .doc = "Not read."},
	{.name = "address", .type = &eg_checked_text, .doc = "Not read."},
};
static const struct eg_schema aggregate_schema = {EG_SCHEMA_FIELDS(aggregate_fields)};

static const char *item_name(const struct eg_yaml_node *item)
{
	return item->kind == EG_YAML_MAPPING ? name_text(eg_yaml_get(item, "name")) : NULL;
}

static bool is_repeated(const struct eg_yaml_node *list, uint32_t index)
{
	for (uint32_t i = 0; i < index; i++)
		if (item_name(list->items[i]) && strcmp(item_name(list->items[i]), item_name(list->items[index])) == 0)
			return true;
	return false;
}

/* Each is compared with all before it, so nobody has more than these. */
#define AGGREGATES_MAX 1000

static int check_aggregates(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			    void *target)
{
	int r = eg_checked_list.read(reader, field, node, target);

	for (uint32_t i = 0; node->kind == EG_YAML_SEQUENCE && i < node->count && i < AGGREGATES_MAX; i++) {
		const size_t before = eg_path_enter_index(reader, i);

		if (item_name(node->items[i]) && is_repeated(node, i))
			eg_reader_error_at(reader, eg_yaml_get(node->items[i], "name"), "name",
					   "duplicate entry: %.64s, values have to be unique",
					   item_name(node->items[i]));
		eg_path_leave(reader, before);
	}
	return r;
}
static const struct eg_type aggregates_type = {"list of endpoints", check_aggregates};

static const struct eg_field metrics_conf_fields[] = {
	{.name = "port", .type = &eg_checked_number, .range = &optional_port, .doc = "Checked; not read."},
	{.name = "path", .type = &eg_checked_text, .doc = "Not read."},
	{.name = "tags", .doc = "Not read."},
	{.name = "skipMTLS", .type = &eg_checked_bool, .doc = "Not read."},
	{.name = "aggregate", .type = &aggregates_type, .fields = &aggregate_schema, .doc = "Checked; not read."},
	{.name = "envoy", .doc = "Not read."},
	{.name = "tls", .doc = "Not read."},
};
static const struct eg_schema metrics_conf_schema = {EG_SCHEMA_FIELDS(metrics_conf_fields)};

static const struct eg_field metrics_fields[] = {
	{.name = "name", .type = &eg_checked_text, .doc = "Not read."},
	{.name = "type",
	 .type = &backend_type_type,
	 .missing = "unknown backend type. Available backends: \"prometheus\"",
	 .doc = "Checked; not read."},
	{.name = "conf", .type = &eg_type_object, .fields = &metrics_conf_schema, .doc = "Checked; not read."},
};
const struct eg_schema eg_dataplane_metrics_schema = {EG_SCHEMA_FIELDS(metrics_fields)};
