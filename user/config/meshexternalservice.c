/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/kinds.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/address.h"
#include "config/checked.h"
#include "config/service.h"

#define MATCH_TYPE "HostnameGenerator"
#define PORT_REFUSAL "port must be a valid (1-65535)"
#define ADDRESS_REFUSAL "address has to be a valid IP or hostname or a unix path"
#define UNIX_PREFIX "unix://"

struct mesh_external_draft {
	struct eg_service *service;
	uint16_t match_port;
	bool has_extension;
};

/* One entry of `endpoints`. */
struct endpoint_draft {
	const char *address; /* as written; NULL: left out, or no text */
	const struct eg_yaml_node *address_node;
	uint16_t port;
	const struct eg_yaml_node *port_node;
};

static int read_port(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		     void *target)
{
	(void)field;
	eg_read_u16(reader, node, 1, PORT_REFUSAL, target);
	return 0;
}
static const struct eg_type port_type = {"port", read_port};

/* --- match --- */

static int check_match_type(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			    void *target)
{
	const char *text = eg_read_text(reader, node);

	(void)field;
	(void)target;
	if (text && strcmp(text, MATCH_TYPE) != 0)
		eg_reader_error(reader, node, "unrecognized type '%.64s' - only '" MATCH_TYPE "' is supported", text);
	return 0;
}
static const struct eg_type match_type_type = {MATCH_TYPE, check_match_type};

static const char *const protocols[] = {"tcp", "grpc", "http", "http2", NULL};

static const struct eg_field match_fields[] = {
	{.name = "type", .type = &match_type_type, .fallback = MATCH_TYPE, .doc = "Checked; not read."},
	{.name = "port",
	 .type = &port_type,
	 .offset = offsetof(struct mesh_external_draft, match_port),
	 .missing = PORT_REFUSAL,
	 .doc = "The port that programs connect to. With the address that Kuma gave the service, which stands in "
		"status.vip.ip, it is a mesh destination, by TCP."},
	{.name = "protocol",
	 .type = &eg_checked_choice,
	 .choices = protocols,
	 .fallback = "tcp",
	 .doc = "Checked; not read: all are TCP."},
};
static const struct eg_schema match_schema = {EG_SCHEMA_FIELDS(match_fields)};

/* --- endpoints --- */

static bool is_unix_path(const char *address)
{
	return strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0 && address[strlen(UNIX_PREFIX)] == '/';
}

static int take_endpoint(struct eg_reader *reader, const struct endpoint_draft *endpoint, struct eg_service *service)
{
	const size_t before = eg_path_enter(reader, "address");
	int r = 0;

	if (is_unix_path(endpoint->address))
		eg_reader_say(reader, EG_SEVERITY_WARNING, endpoint->address_node,
			      "\"%.64s\" is a socket in the file system, which egressd neither allows nor refuses",
			      endpoint->address);
	else if (endpoint->port)
		r = eg_service_add_endpoint(reader, service, endpoint->address_node, endpoint->address, endpoint->port);
	eg_path_leave(reader, before);
	return r;
}

static int check_endpoint(struct eg_reader *reader, const struct eg_yaml_node *node,
			  const struct endpoint_draft *endpoint, struct eg_service *service)
{
	const char *address = endpoint->address ? endpoint->address : "";
	const bool is_unix = is_unix_path(address), is_ip = eg_is_ip(address);

	if (!is_unix && !is_ip && !eg_is_host_name(address)) {
		eg_reader_error_at(reader, endpoint->address_node ? endpoint->address_node : node, "address",
				   ADDRESS_REFUSAL "%s%.64s%s", address[0] ? ", not \"" : "", address,
				   address[0] ? "\"" : "");
		return 0;
	}
	if (is_unix && endpoint->port_node)
		eg_reader_error_at(reader, endpoint->port_node, "port", "must not be defined when endpoint is a unix path");
	else if (is_ip && !endpoint->port_node)
		eg_reader_error_at(reader, node, "port", "must be defined when endpoint is an IP");
	else if (!is_unix && !endpoint->port_node)
		eg_reader_error_at(reader, node, "port", "must be defined when endpoint is a hostname");
	return take_endpoint(reader, endpoint, service);
}

static int read_endpoint_address(struct eg_reader *reader, const struct eg_field *field,
				 const struct eg_yaml_node *node, void *target)
{
	struct endpoint_draft *endpoint = target;

	(void)field;
	endpoint->address_node = node;
	endpoint->address = eg_read_text(reader, node);
	return 0;
}
static const struct eg_type endpoint_address_type = {"IP address, host name or unix:// path", read_endpoint_address};

static int read_endpoint_port(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			      void *target)
{
	struct endpoint_draft *endpoint = target;

	endpoint->port_node = node;
	return read_port(reader, field, node, &endpoint->port);
}
static const struct eg_type endpoint_port_type = {"port", read_endpoint_port};

static const struct eg_range priority = {0, 128, "from 0 to 128", "must be in inclusive range [0, 128]"};

static const struct eg_field endpoint_fields[] = {
	{.name = "address",
	 .type = &endpoint_address_type,
	 .doc = "An IP address is a mesh destination, by TCP. A host name and the path of a unix socket are accepted "
		"with a warning: what leaves for them is non-mesh, or no business of egressd."},
	{.name = "port", .type = &endpoint_port_type, .doc = "The port at that address; none with a unix:// path."},
	{.name = "priority", .type = &eg_checked_number, .range = &priority, .fallback = "0", .doc = "Not read."},
};
static const struct eg_schema endpoint_schema = {EG_SCHEMA_FIELDS(endpoint_fields)};

static int read_endpoint(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct mesh_external_draft *draft = target;
	struct endpoint_draft endpoint = {};
	int r = eg_read_object(reader, node, &endpoint_schema, &endpoint);

	if (r < 0 || node->kind != EG_YAML_MAPPING)
		return r;
	return check_endpoint(reader, node, &endpoint, draft->service);
}

/* Of an extension nobody else knows what its endpoints mean. */
static int read_endpoints(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			  void *target)
{
	const struct mesh_external_draft *draft = target;

	(void)field;
	if (!draft->has_extension)
		return eg_read_list(reader, node, read_endpoint, target);
	eg_reader_say(reader, EG_SEVERITY_WARNING, node,
		      "not read beside `extension`, which says what they mean: traffic to them is non-mesh");
	return 0;
}
static const struct eg_type endpoints_type = {"list of endpoints", read_endpoints};

static int read_extension(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			  void *target)
{
	struct mesh_external_draft *draft = target;

	draft->has_extension = true;
	return eg_read_object(reader, node, field->fields, target);
}
static const struct eg_type extension_type = {"object", read_extension};

static const struct eg_field extension_fields[] = {
	{.name = "type", .type = &eg_checked_text, .missing = "must not be empty", .doc = "Not read."},
	{.name = "config", .doc = "Not read."},
};
static const struct eg_schema extension_schema = {EG_SCHEMA_FIELDS(extension_fields)};

/* --- TLS --- */

/* From the oldest on. */
static const char *const versions[] = {"TLSAuto", "TLS10", "TLS11", "TLS12", "TLS13", NULL};

static size_t find_version(const struct eg_yaml_node *node)
{
	size_t i = 0;

	while (node && versions[i] && !(node->kind == EG_YAML_SCALAR && strcmp(versions[i], node->text) == 0))
		i++;
	return node ? i : SIZE_MAX;
}

/* TLSAuto is whatever Envoy takes. */
static int check_versions(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct eg_yaml_node *min = eg_yaml_get(node, "min");
	const size_t lowest = find_version(min), highest = find_version(eg_yaml_get(node, "max"));

	(void)target;
	if (lowest >= EG_COUNT_OF(versions) - 1 || highest >= EG_COUNT_OF(versions) - 1 || lowest <= highest)
		return 0;
	eg_reader_error_at(reader, min, "min", "min version must be lower than max");
	return 0;
}

static const struct eg_field version_fields[] = {
	{.name = "min", .type = &eg_checked_choice, .choices = versions, .fallback = "TLSAuto", .doc = "Not read."},
	{.name = "max", .type = &eg_checked_choice, .choices = versions, .fallback = "TLSAuto", .doc = "Not read."},
};
static const struct eg_schema version_schema = {EG_SCHEMA_FIELDS(version_fields), .finish = check_versions};

static const char *const san_types[] = {"Prefix", "Exact", NULL};

static const struct eg_field san_fields[] = {
	{.name = "type", .type = &eg_checked_choice, .choices = san_types, .fallback = "Exact", .doc = "Not read."},
	{.name = "value", .type = &eg_checked_text, .doc = "Not read."},
};
static const struct eg_schema san_schema = {EG_SCHEMA_FIELDS(san_fields)};

static int check_server_name(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			     void *target)
{
	const char *text = eg_read_text(reader, node);

	(void)field;
	(void)target;
	if (text && !eg_is_host_name(text))
		eg_reader_error(reader, node, "must be a valid DNS name, not \"%.64s\"", text);
	return 0;
}
static const struct eg_type server_name_type = {"host name", check_server_name};

/* A certificate is of no use without its key. */
static int check_pair(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const bool has_cert = eg_has_field(node, "clientCert"), has_key = eg_has_field(node, "clientKey");

	(void)target;
	if (has_cert == has_key)
		return 0;
	eg_reader_error_at(reader, node, has_cert ? "clientKey" : "clientCert", "must be defined when %s is defined",
			   has_cert ? "clientCert" : "clientKey");
	return 0;
}

static const char *const modes[] = {"SkipSAN", "SkipCA", "SkipAll", "Secured", NULL};

static const struct eg_field verification_fields[] = {
	{.name = "mode", .type = &eg_checked_choice, .choices = modes, .fallback = "Secured", .doc = "Not read."},
	{.name = "serverName", .type = &server_name_type, .doc = "Not read."},
	{.name = "subjectAltNames", .type = &eg_checked_list, .fields = &san_schema, .doc = "Not read."},
	{.name = "caCert", .type = &eg_type_object, .fields = &eg_data_source_schema, .doc = "Not read."},
	{.name = "clientCert", .type = &eg_type_object, .fields = &eg_data_source_schema, .doc = "Not read."},
	{.name = "clientKey", .type = &eg_type_object, .fields = &eg_data_source_schema, .doc = "Not read."},
};
static const struct eg_schema verification_schema = {EG_SCHEMA_FIELDS(verification_fields), .finish = check_pair};

static const struct eg_field tls_fields[] = {
	{.name = "enabled", .type = &eg_checked_bool, .doc = "Not read: egressd passes what the program sends."},
	{.name = "version", .type = &eg_type_object, .fields = &version_schema, .doc = "Checked; not read."},
	{.name = "allowRenegotiation", .type = &eg_checked_bool, .doc = "Not read."},
	{.name = "verification", .type = &eg_type_object, .fields = &verification_schema, .doc = "Checked; not read."},
};
static const struct eg_schema tls_schema = {EG_SCHEMA_FIELDS(tls_fields)};

/* --- the resource --- */

static const struct eg_field mesh_external_fields[] = {
	{.name = "match",
	 .type = &eg_type_object,
	 .fields = &match_schema,
	 .missing = "must be defined",
	 .doc = "What programs connect to in Kuma."},
	/* Before endpoints, which are not read beside it. */
	{.name = "extension",
	 .type = &extension_type,
	 .fields = &extension_schema,
	 .doc = "Not read. Beside it endpoints are not read either, with a warning."},
	{.name = "endpoints",
	 .type = &endpoints_type,
	 .fields = &endpoint_schema,
	 .doc = "Where the service is outside the mesh."},
	{.name = "tls", .type = &eg_type_object, .fields = &tls_schema, .doc = "Checked; not read."},
};
const struct eg_schema eg_mesh_external_service_schema = {
	.name = "MeshExternalService",
	.doc = "Addresses outside that belong to the mesh, and the address that Kuma gave them.",
	EG_SCHEMA_FIELDS(mesh_external_fields),
};

/* The address that Kuma gave the service. */
static int add_vip(struct eg_reader *reader, const struct eg_yaml_node *status, const struct mesh_external_draft *draft)
{
	const struct eg_yaml_node *vip = status && status->kind == EG_YAML_MAPPING ? eg_yaml_get(status, "vip") : NULL;
	const struct eg_yaml_node *ip = eg_service_vip(vip);

	if (!ip || draft->match_port == 0)
		return 0;
	eg_path_leave(reader, 0);
	eg_path_enter(reader, "status.vip.ip");
	return eg_service_add_endpoint(reader, draft->service, ip, ip->text, draft->match_port);
}

int eg_mesh_external_service_read(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	struct mesh_external_draft draft = {};
	int r;

	eg_service_check_name(reader, envelope);
	r = eg_service_add(reader, envelope, &draft.service);
	if (r < 0)
		return r;
	r = eg_read_object(reader, envelope->spec, &eg_mesh_external_service_schema, &draft);
	return r < 0 ? r : add_vip(reader, envelope->status, &draft);
}
