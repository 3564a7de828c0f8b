/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/kinds.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "config/address.h"
#include "config/checked.h"
#include "config/service.h"
#include "config/tags.h"

#define HOST_NAME_MAX_LEN 253

struct external_draft {
	char host[HOST_NAME_MAX_LEN + 1]; /* "": none, or refused */
	uint16_t port;
	const struct eg_yaml_node *address;
	const struct eg_yaml_node *tags;
};

/* --- host:port --- */

/* Splits "host:port" and "[host]:port"; false when it is neither. NULL for a host that is too long for one. */
static bool split_address(const char *text, char host[HOST_NAME_MAX_LEN + 1], const char **ret_port)
{
	const bool is_bracketed = text[0] == '[';
	const char *start = text + is_bracketed, *end = strchr(start, is_bracketed ? ']' : ':');
	const char *colon = end ? end + is_bracketed : NULL;

	if (!colon || *colon != ':' || strchr(colon + 1, ':') || end - start > HOST_NAME_MAX_LEN)
		return false;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	*ret_port = colon + 1;
	return true;
}

/* What is wrong with an address, or NULL. Kuma says several things of one mistake; this is the first. */
static const char *read_host_and_port(const char *text, struct external_draft *draft)
{
	const char *port;
	uint32_t number;

	if (text[0] == '\0')
		return "address can't be empty";
	if (!split_address(text, draft->host, &port))
		return "unable to parse address: write host:port, or [address]:port for IPv6";
	if (!eg_is_ip(draft->host) && !eg_is_host_name(draft->host))
		return "address has to be a valid IP address or a domain name";
	if (eg_parse_u32(port, &number) < 0)
		return "unable to parse port in address";
	if (number == 0 || number > UINT16_MAX)
		return "port must be in the range [1, 65535]";
	draft->port = (uint16_t)number;
	return NULL;
}

static int read_address(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			void *target)
{
	struct external_draft *draft = target;
	const char *text = eg_read_text(reader, node), *problem;

	(void)field;
	if (!text)
		return 0;
	draft->address = node;
	problem = read_host_and_port(text, draft);
	if (problem && text[0])
		eg_reader_error(reader, node, "%s, not \"%.64s\"", problem, text);
	else if (problem)
		eg_reader_error(reader, node, "%s", problem);
	return 0;
}
static const struct eg_type address_type = {"address and port", read_address};

/* --- TLS --- */

static int read_source(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		       void *target)
{
	static const char *const sources[] = {"inline", "inlineString", "secret", "file"};
	int r = eg_read_object(reader, node, field->fields, target);

	if (node->kind != EG_YAML_MAPPING)
		return r;
	for (size_t i = 0; i < EG_COUNT_OF(sources); i++) {
		const struct eg_yaml_node *source = eg_get_field(node, sources[i]);

		if (source && (source->kind != EG_YAML_SCALAR || source->text[0] != '\0'))
			return r;
	}
	eg_reader_error(reader, node, "data source cannot be empty");
	return r;
}
static const struct eg_type source_type = {"object", read_source};

static const struct eg_field tls_fields[] = {
	{.name = "enabled", .type = &eg_checked_bool, .doc = "Not read: egressd passes what the program sends."},
	{.name = "caCert", .type = &source_type, .fields = &eg_data_source_schema, .doc = "Not read."},
	{.name = "clientCert", .type = &source_type, .fields = &eg_data_source_schema, .doc = "Not read."},
	{.name = "clientKey", .type = &source_type, .fields = &eg_data_source_schema, .doc = "Not read."},
	{.name = "allowRenegotiation", .type = &eg_checked_bool, .doc = "Not read."},
	{.name = "serverName", .type = &eg_checked_nonempty_text, .doc = "Not read."},
	{.name = "sni", .doc = "Not read: what pages of release 1.3 call serverName."},
};
static const struct eg_schema tls_schema = {EG_SCHEMA_FIELDS(tls_fields)};

/* --- the resource --- */

static const struct eg_field networking_fields[] = {
	{.name = "address",
	 .type = &address_type,
	 .missing = "address can't be empty",
	 .doc = "host:port, or [address]:port for IPv6. An IP address is a mesh destination on that port, by TCP; "
		"a host name is accepted with a warning, and non-mesh."},
	{.name = "tls", .type = &eg_type_object, .fields = &tls_schema, .doc = "Checked; not read."},
	{.name = "disableHostDNSEntry", .type = &eg_checked_bool, .doc = "Not read."},
};
static const struct eg_schema networking_schema = {EG_SCHEMA_FIELDS(networking_fields)};

static int read_tags(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		     void *target)
{
	struct external_draft *draft = target;
	int r = eg_read_tags(reader, node, NULL);

	(void)field;
	draft->tags = node;
	if (node->kind == EG_YAML_MAPPING && !eg_yaml_get(node, EG_SERVICE_TAG))
		eg_reader_error(reader, node, "mandatory tag \"" EG_SERVICE_TAG "\" is missing");
	eg_check_protocol_tag(reader, node);
	return r;
}
static const struct eg_type tags_type = {"mapping of tags", read_tags};

/* Such a service could not be told from its own address. */
static int check_service_name(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct external_draft *draft = target;
	const char *service = draft->tags ? eg_tag_text(draft->tags, EG_SERVICE_TAG) : NULL;
	size_t before;

	(void)node;
	if (!service || !draft->host[0] || strcmp(service, draft->host) != 0)
		return 0;
	before = eg_path_enter(reader, "tags");
	eg_path_enter_key(reader, EG_SERVICE_TAG);
	eg_reader_error(reader, eg_yaml_get(draft->tags, EG_SERVICE_TAG), "cannot be the same as networking.address");
	eg_path_leave(reader, before);
	return 0;
}

static const struct eg_field external_fields[] = {
	{.name = "networking",
	 .type = &eg_type_object,
	 .fields = &networking_schema,
	 .missing = "should have networking",
	 .doc = "Where the service is."},
	{.name = "tags",
	 .type = &tags_type,
	 .missing = "mandatory tag \"" EG_SERVICE_TAG "\" is missing",
	 .doc = "What it is called: kuma.io/service must be among them. Not read else."},
};
const struct eg_schema eg_external_service_schema = {
	.name = "ExternalService",
	.doc = "An address outside that belongs to the mesh.",
	EG_SCHEMA_FIELDS(external_fields),
	.finish = check_service_name,
};

int eg_external_service_read(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	struct external_draft draft = {};
	struct eg_service *service;
	int r;

	r = eg_read_object(reader, envelope->spec, &eg_external_service_schema, &draft);
	if (r < 0)
		return r;
	r = eg_service_add(reader, envelope, &service);
	if (r < 0 || draft.port == 0)
		return r;
	eg_path_enter(reader, "networking.address");
	return eg_service_add_endpoint(reader, service, draft.address, draft.host, draft.port);
}
