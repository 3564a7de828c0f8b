/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/kinds.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "config/address.h"
#include "config/checked.h"
#include "config/dataplaneparts.h"
#include "config/tags.h"

#define DEFAULT_OUTBOUND_ADDRESS "127.0.0.1"

/* One entry of networking.inbound, with what is only checked. */
struct inbound_draft {
	struct eg_inbound inbound;
	const char *service_address;
	const char *dataplane_address; /* networking.address; NULL: refused, or none */
	const struct eg_yaml_node *name;
	const struct eg_yaml_node *service_address_node;
	const struct eg_yaml_node *tags;
};

struct outbound_draft {
	struct eg_endpoint outbound;
	const char *service; /* as releases before 1.2 had it instead of tags */
	const struct eg_yaml_node *tags;
	const struct eg_yaml_node *backend_ref;
	bool needs_tags; /* the Dataplane is of the form that uses them elsewhere */
};

struct gateway_draft {
	bool is_written;
	bool is_builtin;
	const struct eg_yaml_node *tags;
	struct eg_tags kept_tags;
};

struct dataplane_draft {
	struct eg_dataplane *dataplane;
	const struct eg_yaml_node *address;
	const struct eg_yaml_node *inbound;
	const struct eg_yaml_node *outbound;
	const struct eg_yaml_node *listeners;
	const struct eg_yaml_node *transparent_proxying;
	struct eg_transparent transparent;
	const struct eg_yaml_node *probes;
	struct gateway_draft gateway;
	EG_ARRAY(const struct eg_yaml_node *) inbound_names;
	EG_ARRAY(struct eg_listener) listener_list;
	uint16_t admin_port;
	bool has_tags; /* somewhere; read before outbounds, which then must have some */
};

static void draft_clear(struct dataplane_draft *draft)
{
	eg_array_clear(&draft->inbound_names);
	eg_array_clear(&draft->listener_list);
}

/* --- values --- */

static const struct eg_type kept_tags_type = {"mapping of tags", eg_read_node};
static const struct eg_type kept_labels_type = {"mapping of labels", eg_read_node};

static int read_host(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		     void *target)
{
	const char *text = eg_read_text(reader, node);

	if (!text)
		return 0;
	if (text[0] == '\0') {
		eg_reader_error(reader, node, "%s can't be empty", field->name);
	} else if (eg_is_unspecified(text)) {
		eg_reader_error(reader, node, "must not be 0.0.0.0 or ::");
	} else if (!eg_is_ip(text) && !eg_is_host_name(text)) {
		eg_reader_error(reader, node, "%s has to be valid IP address or domain name, not \"%.64s\"",
				field->name, text);
	} else {
		eg_warn_host_name(reader, node, text);
		return eg_read_copy(reader, text, target);
	}
	return 0;
}

static bool has_tag(const struct eg_yaml_node *tags, const char *name)
{
	return tags && tags->kind == EG_YAML_MAPPING && eg_yaml_get(tags, name);
}

/* Releases before 0.5 call it just "service". */
static bool has_service_tag(const struct eg_yaml_node *tags)
{
	return has_tag(tags, EG_SERVICE_TAG) || has_tag(tags, "service");
}

/* --- inbound --- */

/* Since 2.14 an inbound needs no tags; one with tags is of the older form, where a service must be among them. */
static int read_inbound_tags(struct eg_reader *reader, const struct eg_yaml_node *tags, struct eg_tags *ret_tags)
{
	const size_t before = eg_path_enter(reader, "tags");
	int r = eg_read_tags(reader, tags, ret_tags);

	if (tags->kind == EG_YAML_MAPPING && !has_service_tag(tags)) {
		const size_t before_key = eg_path_enter_key(reader, EG_SERVICE_TAG);

		eg_reader_error(reader, tags, "tag has to exist");
		eg_path_leave(reader, before_key);
	}
	eg_check_protocol_tag(reader, tags);
	eg_path_leave(reader, before);
	return r;
}

static bool is_same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static void check_service_address(struct eg_reader *reader, const struct inbound_draft *draft)
{
	if (!is_same(draft->service_address, draft->inbound.address) &&
	    !is_same(draft->service_address, draft->dataplane_address))
		return;
	if (draft->inbound.service_port != 0 && draft->inbound.service_port != draft->inbound.port)
		return;
	eg_reader_error_at(reader, draft->service_address_node, "serviceAddress",
			   "serviceAddress and servicePort has to differ from address and port");
}

static int read_service_address(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
				void *target)
{
	struct inbound_draft *draft = target;

	draft->service_address_node = node;
	return eg_type_ip.read(reader, field, node, &draft->service_address);
}
static const struct eg_type service_address_type = {"IP address", read_service_address};

/* Whether somebody else than the application listens at the port: the proxy, which refuses by itself. */
static bool is_of_proxy(const struct inbound_draft *draft)
{
	const char *address = draft->service_address;

	if (draft->inbound.service_port != 0 && draft->inbound.service_port != draft->inbound.port)
		return true;
	return address && (strncmp(address, "127.", strlen("127.")) == 0 || strcmp(address, "::1") == 0);
}

static int finish_inbound(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct inbound_draft *draft = target;

	(void)node;
	check_service_address(reader, draft);
	draft->inbound.is_of_proxy = is_of_proxy(draft);
	if (draft->inbound.service_port == 0)
		draft->inbound.service_port = draft->inbound.port;
	return draft->tags ? read_inbound_tags(reader, draft->tags, &draft->inbound.tags) : 0;
}

static const struct eg_field inbound_fields[] = {
	{.name = "port",
	 .type = &eg_type_port,
	 .offset = offsetof(struct inbound_draft, inbound.port),
	 .missing = "port must be in the range [1, 65535]",
	 .doc = "The port that others connect to."},
	{.name = "address",
	 .type = &eg_type_ip,
	 .offset = offsetof(struct inbound_draft, inbound.address),
	 .fallback = "networking.address",
	 .doc = "The address that others connect to."},
	{.name = "servicePort",
	 .type = &eg_type_optional_port,
	 .offset = offsetof(struct inbound_draft, inbound.service_port),
	 .fallback = "port",
	 .doc = "The application's own port. Where it is another one, port is the proxy's, and anyone may come there."},
	{.name = "serviceAddress",
	 .type = &service_address_type,
	 .doc = "The application's own address. Where it is of loopback, port is the proxy's, and anyone may come there."},
	{.name = "tags",
	 .type = &kept_tags_type,
	 .offset = offsetof(struct inbound_draft, tags),
	 .doc = "What the Workload of this Dataplane is, for policies that select by tags.",
	 .kuma3 = "ignores them; labels of the Dataplane take their place"},
	{.name = "serviceProbe",
	 .type = &eg_type_object,
	 .fields = &eg_dataplane_service_probe_schema,
	 .doc = "Checked; not read."},
	{.name = "health",
	 .type = &eg_type_object,
	 .fields = &eg_dataplane_health_schema,
	 .doc = "Checked; not read: a port is of the mesh whatever its state."},
	{.name = "state",
	 .type = &eg_checked_choice,
	 .choices = eg_dataplane_states,
	 .fallback = "Ready",
	 .doc = "Checked; not read: a port is of the mesh whatever its state."},
	{.name = "name",
	 .type = &eg_type_text_node,
	 .offset = offsetof(struct inbound_draft, name),
	 .doc = "Checked; not read."},
	{.name = "protocol", .type = &eg_checked_text, .doc = "Not read: all are TCP."},
};
static const struct eg_schema inbound_schema = {EG_SCHEMA_FIELDS(inbound_fields), .finish = finish_inbound};

static int read_inbound_item(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct dataplane_draft *draft = target;
	struct inbound_draft item = {.inbound = {.origin = eg_reader_origin(reader, node)},
				     .dataplane_address = draft->dataplane->address};
	int r;

	if (!eg_reader_take_address(reader, node))
		return 0;
	r = eg_read_object(reader, node, &inbound_schema, &item);
	if (r < 0)
		return r;
	draft->has_tags |= item.tags != NULL;
	r = item.name ? eg_array_push(&draft->inbound_names, item.name) : 0;
	return r < 0 ? r : eg_array_push(&draft->dataplane->inbounds, item.inbound);
}

static int read_inbounds(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			 void *target)
{
	struct dataplane_draft *draft = target;

	(void)field;
	draft->inbound = node->count > 0 ? node : NULL;
	return eg_read_list(reader, node, read_inbound_item, draft);
}
static const struct eg_type inbounds_type = {"list of inbounds", read_inbounds};

/* --- outbound --- */

static bool is_ported_kind(const char *kind)
{
	return strcmp(kind, "MeshService") == 0 || strcmp(kind, "MeshMultiZoneService") == 0;
}

static int check_backend_kind(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			      void *target)
{
	const char *text = eg_read_text(reader, node);

	(void)field;
	*(const struct eg_yaml_node **)target = node;
	if (text && !is_ported_kind(text) && strcmp(text, "MeshExternalService") != 0)
		eg_reader_error(reader, node, "invalid value. Available values are: MeshExternalService,MeshService");
	return 0;
}
static const struct eg_type backend_kind_type = {"kind of a service", check_backend_kind};

struct backend_ref {
	const struct eg_yaml_node *kind;
	const struct eg_yaml_node *name;
	const struct eg_yaml_node *labels;
	uint16_t port;
};

/* A service is named or selected, and of a mesh service the port must be said. */
static int finish_backend_ref(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct backend_ref *ref = target;

	if (!ref->name && !ref->labels)
		eg_reader_error_at(reader, node, "name", "cannot be empty");
	if (ref->port || !ref->kind || ref->kind->kind != EG_YAML_SCALAR || !is_ported_kind(ref->kind->text))
		return 0;
	eg_reader_error_at(reader, node, "port", "port must be in the range [1, 65535]");
	return 0;
}

static const struct eg_field backend_ref_fields[] = {
	{.name = "kind",
	 .type = &backend_kind_type,
	 .offset = offsetof(struct backend_ref, kind),
	 .missing = "invalid value. Available values are: MeshExternalService,MeshService",
	 .doc = "Checked; not read."},
	{.name = "name",
	 .type = &eg_type_text_node,
	 .offset = offsetof(struct backend_ref, name),
	 .doc = "Checked; not read."},
	{.name = "labels",
	 .type = &kept_labels_type,
	 .offset = offsetof(struct backend_ref, labels),
	 .doc = "Not read."},
	{.name = "port",
	 .type = &eg_type_port,
	 .offset = offsetof(struct backend_ref, port),
	 .doc = "Checked; not read."},
	{.name = "namespace", .type = &eg_checked_text, .doc = "Not read."},
	{.name = "mesh", .type = &eg_checked_text, .doc = "Not read."},
};
static const struct eg_schema backend_ref_schema = {EG_SCHEMA_FIELDS(backend_ref_fields), .finish = finish_backend_ref};

static int read_backend_ref(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			    void *target)
{
	struct outbound_draft *draft = target;
	struct backend_ref ref = {};

	draft->backend_ref = node;
	return eg_read_object(reader, node, field->fields, &ref);
}
static const struct eg_type backend_ref_type = {"object", read_backend_ref};

static int check_outbound_tags(struct eg_reader *reader, const struct eg_yaml_node *node,
			       const struct eg_yaml_node *tags)
{
	const size_t before = eg_path_enter(reader, "tags");
	int r = tags ? eg_read_tags(reader, tags, NULL) : 0;

	if (!has_service_tag(tags))
		eg_reader_error(reader, tags ? tags : node, "mandatory tag \"" EG_SERVICE_TAG "\" is missing");
	eg_path_leave(reader, before);
	return r;
}

/* Tags up to 2.7, backendRef or tags up to 2.14, backendRef alone after that; `service` long before. */
static int finish_outbound(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct outbound_draft *draft = target;
	const bool is_named = draft->tags || draft->service;

	if (!draft->backend_ref && draft->service && !draft->tags)
		return 0;
	if (!draft->backend_ref && (draft->tags || draft->needs_tags))
		return check_outbound_tags(reader, node, draft->tags);
	if (draft->backend_ref && !is_named)
		return 0;
	if (is_named)
		eg_reader_error_at(reader, draft->backend_ref, "backendRef",
				   "both backendRef and tags/service cannot be defined");
	else
		eg_reader_error_at(reader, node, "backendRef", "must be defined");
	return 0;
}

static const struct eg_field outbound_fields[] = {
	{.name = "address",
	 .type = &eg_type_ip,
	 .offset = offsetof(struct outbound_draft, outbound.address),
	 .fallback = DEFAULT_OUTBOUND_ADDRESS,
	 .doc = "The address that the workload connects to."},
	{.name = "port",
	 .type = &eg_type_port,
	 .offset = offsetof(struct outbound_draft, outbound.port),
	 .missing = "port must be in the range [1, 65535]",
	 .doc = "The port that the workload connects to."},
	{.name = "tags",
	 .type = &kept_tags_type,
	 .offset = offsetof(struct outbound_draft, tags),
	 .doc = "Checked; not read.",
	 .kuma3 = "refuses an outbound without backendRef, which takes its place"},
	{.name = "service",
	 .type = &eg_type_string,
	 .offset = offsetof(struct outbound_draft, service),
	 .doc = "Not read: the older form of tags.",
	 .kuma3 = "refuses an outbound without backendRef, which takes its place"},
	{.name = "backendRef", .type = &backend_ref_type, .fields = &backend_ref_schema, .doc = "Checked; not read."},
};
static const struct eg_schema outbound_schema = {EG_SCHEMA_FIELDS(outbound_fields), .finish = finish_outbound};

static int read_outbound_item(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct dataplane_draft *draft = target;
	struct outbound_draft item = {.outbound = {.origin = eg_reader_origin(reader, node)},
				      .needs_tags = draft->has_tags};
	int r;

	if (!eg_reader_take_address(reader, node))
		return 0;
	r = eg_read_object(reader, node, &outbound_schema, &item);
	if (r < 0)
		return r;
	if (!item.outbound.address)
		item.outbound.address = DEFAULT_OUTBOUND_ADDRESS;
	return eg_array_push(&draft->dataplane->outbounds, item.outbound);
}

static int read_outbounds(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			  void *target)
{
	struct dataplane_draft *draft = target;

	(void)field;
	draft->outbound = node->count > 0 ? node : NULL;
	return eg_read_list(reader, node, read_outbound_item, draft);
}
static const struct eg_type outbounds_type = {"list of outbounds", read_outbounds};

/* --- gateway --- */

static int read_gateway_type(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			     void *target)
{
	const char *text = node->kind == EG_YAML_SCALAR ? node->text : "";

	(void)field;
	if (strcmp(text, "BUILTIN") == 0 || strcmp(text, "1") == 0)
		*(bool *)target = true;
	else if (strcmp(text, "DELEGATED") != 0 && strcmp(text, "0") != 0)
		eg_reader_error(reader, node, "unknown value; it is DELEGATED or BUILTIN");
	return 0;
}
static const struct eg_type gateway_type_type = {"DELEGATED or BUILTIN", read_gateway_type};

static void check_gateway_protocol(struct eg_reader *reader, const struct eg_yaml_node *tags)
{
	const char *protocol = eg_tag_text(tags, EG_PROTOCOL_TAG);
	size_t before;

	if (!protocol || strcmp(protocol, "tcp") == 0)
		return;
	before = eg_path_enter_key(reader, EG_PROTOCOL_TAG);
	eg_reader_error(reader, eg_yaml_get(tags, EG_PROTOCOL_TAG),
			"other values than tcp are not allowed, provided value \"%.64s\"", protocol);
	eg_path_leave(reader, before);
}

static int finish_gateway(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct gateway_draft *gateway = target;
	const size_t before = eg_path_enter(reader, "tags");
	int r = 0;

	(void)node;
	/* As for an inbound: without any tags it is of the newer form. */
	if (gateway->tags && gateway->tags->count > 0) {
		r = eg_read_tags(reader, gateway->tags, &gateway->kept_tags);
		if (!has_service_tag(gateway->tags))
			eg_reader_error(reader, gateway->tags, "mandatory tag \"" EG_SERVICE_TAG "\" is missing");
		check_gateway_protocol(reader, gateway->tags);
	}
	eg_path_leave(reader, before);
	return r;
}

static const struct eg_field gateway_fields[] = {
	{.name = "type",
	 .type = &gateway_type_type,
	 .offset = offsetof(struct gateway_draft, is_builtin),
	 .fallback = "DELEGATED",
	 .doc = "Checked; not read."},
	{.name = "tags",
	 .type = &kept_tags_type,
	 .offset = offsetof(struct gateway_draft, tags),
	 .doc = "As an inbound's."},
};
static const struct eg_schema gateway_schema = {EG_SCHEMA_FIELDS(gateway_fields), .finish = finish_gateway};

static int read_gateway(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			void *target)
{
	struct dataplane_draft *draft = target;
	int r;

	draft->gateway.is_written = true;
	draft->dataplane->is_gateway = true;
	r = eg_read_object(reader, node, field->fields, &draft->gateway);
	draft->has_tags |= draft->gateway.tags != NULL;
	draft->dataplane->gateway_tags = draft->gateway.kept_tags;
	return r;
}
static const struct eg_type gateway_type = {"object", read_gateway};

/* --- networking --- */

static const struct eg_field admin_fields[] = {
	{.name = "port", .type = &eg_type_optional_port, .doc = "Checked; not read."},
};
static const struct eg_schema admin_schema = {EG_SCHEMA_FIELDS(admin_fields)};

static int read_listener(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct dataplane_draft *draft = target;
	struct eg_listener listener = {.node = node};
	int r = eg_read_object(reader, node, &eg_dataplane_listener_schema, &listener);

	return r < 0 ? r : eg_array_push(&draft->listener_list, listener);
}

static int read_listeners(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			  void *target)
{
	struct dataplane_draft *draft = target;

	(void)field;
	draft->listeners = node->count > 0 ? node : NULL;
	return eg_read_list(reader, node, read_listener, draft);
}
static const struct eg_type listeners_type = {"list of listeners", read_listeners};

static void refuse_field(struct eg_reader *reader, const char *field, const struct eg_yaml_node *node, const char *what)
{
	if (node)
		eg_reader_error_at(reader, node, field, "%s", what);
}

static void check_gateway_alone(struct eg_reader *reader, const struct dataplane_draft *draft)
{
	if (!draft->gateway.is_written)
		return;
	if (!draft->gateway.is_builtin) {
		refuse_field(reader, "inbound", draft->inbound, "inbound cannot be defined for delegated gateways");
		return;
	}
	refuse_field(reader, "inbound", draft->inbound, "inbound cannot be defined for builtin gateways");
	refuse_field(reader, "outbound", draft->outbound, "outbound cannot be defined for builtin gateways");
	refuse_field(reader, "listeners", draft->listeners, "listeners cannot be defined for builtin gateways");
	refuse_field(reader, "probes", draft->probes, "probes cannot be defined for builtin gateways");
}

static void refuse_admin_port(struct eg_reader *reader, struct eg_origin origin, const char *other)
{
	const size_t before = eg_path_enter(reader, "admin.port");

	eg_diag_add(reader->diag, EG_SEVERITY_ERROR, origin, reader->path, "must differ from %s", other);
	eg_path_leave(reader, before);
}

/* Envoy's admin server listens on the loopback address. */
static void check_admin_port(struct eg_reader *reader, const struct dataplane_draft *draft)
{
	const struct eg_dataplane *dataplane = draft->dataplane;

	for (size_t i = 0; draft->admin_port && i < dataplane->inbounds.len; i++) {
		const struct eg_inbound *inbound = &dataplane->inbounds.items[i];
		const char *address = inbound->address ? inbound->address : dataplane->address;

		if (inbound->port == draft->admin_port && is_same(address, DEFAULT_OUTBOUND_ADDRESS))
			refuse_admin_port(reader, inbound->origin, "inbound");
	}
	for (size_t i = 0; draft->admin_port && i < dataplane->outbounds.len; i++) {
		const struct eg_endpoint *outbound = &dataplane->outbounds.items[i];

		if (outbound->port == draft->admin_port && is_same(outbound->address, DEFAULT_OUTBOUND_ADDRESS))
			refuse_admin_port(reader, outbound->origin, "outbound");
	}
}

static bool has_purpose(const struct dataplane_draft *draft)
{
	return draft->inbound || draft->gateway.is_written || draft->listeners || draft->transparent_proxying;
}

/* Kuma says transparentProxing there, and that is what people search for. */
static int check_reachable_backends(struct eg_reader *reader, struct dataplane_draft *draft)
{
	const size_t before = eg_path_enter(reader, "transparentProxing.reachableBackends");
	int r = draft->transparent.reachable_backends
			? eg_read_object(reader, draft->transparent.reachable_backends, &eg_dataplane_reachable_schema, draft)
			: 0;

	eg_path_leave(reader, before);
	return r;
}

static int finish_networking(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct dataplane_draft *draft = target;
	int r;

	/* A zone proxy has an address on each listener. */
	if (!draft->address && !draft->listeners)
		eg_reader_error_at(reader, node, "address", "address can't be empty");
	if (!has_purpose(draft))
		eg_reader_error(reader, node, "has to contain at least one inbound interface or gateway");
	check_gateway_alone(reader, draft);
	check_admin_port(reader, draft);
	r = check_reachable_backends(reader, draft);
	if (r < 0)
		return r;
	return eg_dataplane_check_listeners(reader, draft->listener_list.items, draft->listener_list.len,
					    draft->dataplane, draft->inbound_names.items, draft->inbound_names.len);
}

static int read_address(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			void *target)
{
	struct dataplane_draft *draft = target;

	draft->address = node;
	return read_host(reader, field, node, &draft->dataplane->address);
}
static const struct eg_type address_type = {"IP address or host name", read_address};

static int read_advertised(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			   void *target)
{
	struct dataplane_draft *draft = target;

	return read_host(reader, field, node, &draft->dataplane->advertised_address);
}
static const struct eg_type advertised_type = {"IP address or host name", read_advertised};

static int read_admin(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		      void *target)
{
	struct dataplane_draft *draft = target;

	return eg_read_object(reader, node, field->fields, &draft->admin_port);
}
static const struct eg_type admin_type = {"object", read_admin};

static int read_transparent(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			    void *target)
{
	struct dataplane_draft *draft = target;
	int r;

	draft->transparent_proxying = node;
	r = eg_read_object(reader, node, field->fields, &draft->transparent);
	draft->dataplane->redirect_ports[0] = draft->transparent.inbound_port;
	draft->dataplane->redirect_ports[1] = draft->transparent.inbound_port_v6;
	draft->dataplane->redirect_port = draft->transparent.redirect_port;
	draft->dataplane->redirects_ipv4_alone = draft->transparent.is_ipv4_alone;
	return r;
}
static const struct eg_type transparent_type = {"object", read_transparent};

static const struct eg_field networking_fields[] = {
	{.name = "address", .type = &address_type, .doc = "Where others reach this proxy: a mesh destination."},
	{.name = "advertisedAddress",
	 .type = &advertised_type,
	 .doc = "The same, as others see it: a mesh destination."},
	{.name = "inbound", .type = &inbounds_type, .fields = &inbound_schema, .doc = "Its ports."},
	{.name = "gateway",
	 .type = &gateway_type,
	 .fields = &gateway_schema,
	 .doc = "Says that the proxy is a gateway, which anyone may come in to."},
	{.name = "outbound",
	 .type = &outbounds_type,
	 .fields = &outbound_schema,
	 .doc = "What the workload itself connects to."},
	{.name = "admin", .type = &admin_type, .fields = &admin_schema, .doc = "Checked; not read."},
	{.name = "transparentProxying",
	 .type = &transparent_type,
	 .fields = &eg_dataplane_transparent_schema,
	 .doc = "Where its proxy listens."},
	{.name = "listeners",
	 .type = &listeners_type,
	 .fields = &eg_dataplane_listener_schema,
	 .doc = "Checked; not read: the listeners of zone proxies."},
	{.name = "ingress", .doc = "Not read: the zone ingress of releases before 1.2."},
};
static const struct eg_schema networking_schema = {EG_SCHEMA_FIELDS(networking_fields), .finish = finish_networking};

static int read_probes(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		       void *target)
{
	struct dataplane_draft *draft = target;

	draft->probes = node;
	return eg_read_object(reader, node, field->fields, target);
}
static const struct eg_type probes_type = {"object", read_probes};

static const struct eg_field dataplane_fields[] = {
	/* Before networking, whose checks look at it. */
	{.name = "probes", .type = &probes_type, .fields = &eg_dataplane_probes_schema, .doc = "Checked; not read."},
	{.name = "networking",
	 .type = &eg_type_object,
	 .fields = &networking_schema,
	 .missing = "must be defined",
	 .doc = "See its fields."},
	{.name = "metrics",
	 .type = &eg_type_object,
	 .fields = &eg_dataplane_metrics_schema,
	 .doc = "Checked; not read."},
};
const struct eg_schema eg_dataplane_schema = {
	.name = "Dataplane",
	.doc = "A proxy of Kuma: an address and ports that belong to the mesh.",
	EG_SCHEMA_FIELDS(dataplane_fields),
};

int eg_dataplane_read(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	struct eg_dataplane *dataplane = eg_arena_alloc(&reader->model->arena, sizeof(*dataplane));
	_cleanup_(draft_clear) struct dataplane_draft draft = {.dataplane = dataplane};
	int r;

	if (!dataplane)
		return -ENOMEM;
	dataplane->name = envelope->name;
	dataplane->mesh = envelope->mesh;
	dataplane->labels = envelope->labels;
	dataplane->origin = envelope->origin;
	/* From here on the model frees what its lists hold. */
	r = eg_array_push(&reader->model->dataplanes, dataplane);
	if (r < 0)
		return r;
	r = eg_read_object(reader, envelope->spec, &eg_dataplane_schema, &draft);
	/* There may be a million of them, most with one inbound. */
	eg_array_fit(&dataplane->inbounds);
	eg_array_fit(&dataplane->outbounds);
	return r;
}
