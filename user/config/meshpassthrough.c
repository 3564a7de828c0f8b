/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/kinds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/address.h"
#include "config/targetref.h"
#include "policy/passthrough.h"

enum match_type {
	MATCH_DOMAIN,
	MATCH_IP,
	MATCH_CIDR,
};

enum match_protocol {
	MATCH_TCP,
	MATCH_TLS,
	MATCH_GRPC,
	MATCH_HTTP,
	MATCH_HTTP2,
	MATCH_MYSQL,
};

static const char *const protocols[] = {
	[MATCH_TCP] = "tcp",     [MATCH_TLS] = "tls",     [MATCH_GRPC] = "grpc", [MATCH_HTTP] = "http",
	[MATCH_HTTP2] = "http2", [MATCH_MYSQL] = "mysql", NULL,
};
static const char *const types[] = {[MATCH_DOMAIN] = "Domain", [MATCH_IP] = "IP", [MATCH_CIDR] = "CIDR", NULL};

/* An entry as it is written; what is wrong with it by itself was said. */
struct match {
	const struct eg_yaml_node *node;
	const struct eg_yaml_node *type_node;
	const struct eg_yaml_node *value_node;
	const struct eg_yaml_node *port_node; /* NULL: every port */
	const struct eg_yaml_node *protocol_node;
	const char *value; /* NULL: left out, or no text */
	enum match_type type;
	enum match_protocol protocol;
	bool has_type;
	bool has_protocol; /* or its default */
	uint16_t port;     /* 0: none, or none that is right */
	uint32_t index;
};

struct draft {
	struct eg_mesh_passthrough *policy;
	EG_ARRAY(struct match) matches;
};

static void draft_clear(struct draft *draft)
{
	eg_array_clear(&draft->matches);
}

/* --- the fields of an entry --- */

static int read_type(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		     void *target)
{
	const char *text = eg_read_text(reader, node);
	struct match *match = target;

	(void)field;
	match->type_node = node;
	for (size_t i = 0; text && types[i]; i++)
		if (strcmp(text, types[i]) == 0) {
			match->type = (enum match_type)i;
			match->has_type = true;
			return 0;
		}
	if (text)
		eg_reader_error(reader, node,
				"provided type %.64s is not supported, one of Domain, IP, or CIDR is supported", text);
	return 0;
}
static const struct eg_type type_type = {"choice", read_type};

static int read_value(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		      void *target)
{
	struct match *match = target;

	(void)field;
	match->value_node = node;
	match->value = eg_read_text(reader, node);
	return 0;
}
static const struct eg_type value_type = {"host name, address or range", read_value};

static int read_port(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		     void *target)
{
	struct match *match = target;

	(void)field;
	match->port_node = node;
	eg_read_u16(reader, node, 1, "port must be a valid (1-65535)", &match->port);
	return 0;
}
static const struct eg_type port_type = {"port", read_port};

static int read_protocol(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			 void *target)
{
	struct match *match = target;
	size_t protocol;

	match->protocol_node = node;
	match->has_protocol = eg_read_choice(reader, field, node, &protocol);
	if (match->has_protocol)
		match->protocol = (enum match_protocol)protocol;
	return 0;
}
static const struct eg_type protocol_type = {"choice", read_protocol};

/* --- an entry --- */

static bool is_l7(enum match_protocol protocol)
{
	return protocol == MATCH_GRPC || protocol == MATCH_HTTP || protocol == MATCH_HTTP2;
}

/* "*.example.com" is one, and so is "*" alone. */
static const char *domain_problem(const char *name)
{
	if (name[0] != '*')
		return eg_is_host_name(name) ? NULL : "provided DNS has incorrect value";
	if (name[1] != '\0' && name[1] != '.')
		return "provided DNS has incorrect value, partial wildcard is currently not supported";
	return name[1] == '\0' || eg_is_host_name(name + 2) ? NULL : "provided DNS has incorrect value";
}

static void check_domain(struct eg_reader *reader, const struct match *match)
{
	const char *problem = match->value ? domain_problem(match->value) : NULL;

	if (problem)
		eg_reader_error_at(reader, match->value_node, "value", "%s", problem);
	if (match->has_protocol && (match->protocol == MATCH_TCP || match->protocol == MATCH_MYSQL))
		eg_reader_error_at(reader, match->protocol_node ? match->protocol_node : match->node, "protocol",
				   "protocol %s is not supported for a domain", protocols[match->protocol]);
	if (match->value && match->value[0] == '*' && !match->port_node && is_l7(match->protocol))
		eg_reader_error_at(reader, match->node, "port",
		       "wildcard domains doesn't work for all ports and layer 7 protocol");
}

/* Of an IP or a CIDR; false after a finding. */
static bool parse_range(struct eg_reader *reader, const struct match *match, struct eg_prefix *ret_prefix)
{
	const bool has_slash = strchr(match->value, '/');

	if (has_slash == (match->type == MATCH_CIDR) && eg_prefix_parse(match->value, ret_prefix) == 0)
		return true;
	eg_reader_error_at(reader, match->value_node, "value", "provided %s has incorrect value \"%.64s\"",
			   types[match->type], match->value);
	return false;
}

static int keep_domain(struct eg_reader *reader, const struct match *match, struct eg_mesh_passthrough *policy)
{
	struct eg_domain domain = {.origin = eg_reader_origin(reader, match->value_node)};
	const size_t before = eg_path_enter(reader, "value");
	int r = eg_read_copy(reader, reader->path, &domain.path);

	eg_path_leave(reader, before);
	if (r == 0)
		r = eg_read_copy(reader, match->value, &domain.name);
	return r < 0 ? r : eg_array_push(&policy->domains, domain);
}

/* Kuma tells the protocols apart by what flows; a socket's address cannot: all are TCP. */
static int keep_range(struct eg_reader *reader, const struct match *match, struct eg_mesh_passthrough *policy)
{
	struct eg_allow allow = {
		.port = match->port,
		.protocols = EG_PROTO_TCP,
		.origin = eg_reader_origin(reader, match->node),
	};

	if (!parse_range(reader, match, &allow.prefix) || !eg_reader_take_address(reader, match->node))
		return 0;
	return eg_array_push(&policy->matches, allow);
}

static int finish_match(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct match *match = target;

	match->node = node;
	if (match->protocol == MATCH_MYSQL && !match->port_node)
		eg_reader_error_at(reader, node, "port", "port must be defined for Mysql protocol");
	if (match->has_type && match->type == MATCH_DOMAIN)
		check_domain(reader, match);
	return 0;
}

static const struct eg_field match_fields[] = {
	{.name = "type",
	 .type = &type_type,
	 .choices = types,
	 .missing = "must be defined: one of Domain, IP, or CIDR is supported",
	 .doc = "What the value is. A Domain matches nothing, since egressd looks up no names; see the Node's domains."},
	{.name = "value",
	 .type = &value_type,
	 .missing = "must be defined",
	 .doc = "An address, a range whose host bits do not count, or a host name, with *. in front for all below it."},
	{.name = "port", .type = &port_type, .fallback = "every port", .doc = "The destination port."},
	{.name = "protocol",
	 .type = &protocol_type,
	 .choices = protocols,
	 .fallback = "tcp",
	 .doc = "All of them mean TCP here: a match lets out whatever speaks TCP to its address and port."},
};
static const struct eg_schema match_schema = {EG_SCHEMA_FIELDS(match_fields), .finish = finish_match};

static int read_match(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct draft *draft = target;
	struct match match = {.has_protocol = true, .index = (uint32_t)draft->matches.len};
	int r;

	r = eg_read_object(reader, node, &match_schema, &match);
	if (r == 0)
		r = eg_array_push(&draft->matches, match);
	if (r < 0 || !match.has_type || !match.value)
		return r;
	if (match.type != MATCH_DOMAIN)
		return keep_range(reader, &match, draft->policy);
	return domain_problem(match.value) ? 0 : keep_domain(reader, &match, draft->policy);
}

/* --- the entries together --- */

static int compare_numbers(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

/* By port, so that the protocols of one can be compared. */
static int compare_by_port(const void *a, const void *b)
{
	const struct match *x = a, *y = b;
	int order = compare_numbers(x->port, y->port);

	if (order == 0)
		order = compare_numbers(is_l7(x->protocol), is_l7(y->protocol));
	return order != 0 ? order : compare_numbers(x->index, y->index);
}

static int compare_values(const struct match *x, const struct match *y)
{
	int order = compare_numbers(x->port, y->port);

	if (order == 0)
		order = compare_numbers(x->protocol, y->protocol);
	if (order == 0)
		order = compare_numbers(x->value != NULL, y->value != NULL);
	return order == 0 && x->value ? strcmp(x->value, y->value) : order;
}

static int compare_by_value(const void *a, const void *b)
{
	const struct match *x = a, *y = b;
	int order = compare_values(x, y);

	return order != 0 ? order : compare_numbers(x->index, y->index);
}

/* In Kuma those of one port share a listener that must know what they speak. */
static void check_ports(struct eg_reader *reader, const struct draft *draft)
{
	const struct match *first = NULL;

	for (size_t i = 0; i < draft->matches.len; i++) {
		const struct match *match = &draft->matches.items[i];
		size_t before;

		if (match->port == 0 || !match->has_protocol || !is_l7(match->protocol))
			continue;
		if (!first || first->port != match->port)
			first = match;
		if (first->protocol == match->protocol)
			continue;
		before = eg_path_enter_index(reader, match->index);
		eg_reader_error_at(reader, match->port_node, "port",
				   "using the same port in multiple matches requires the same protocol for the "
				   "following protocols: [grpc http http2]");
		eg_path_leave(reader, before);
	}
}

static void check_values(struct eg_reader *reader, const struct draft *draft)
{
	for (size_t i = 1; i < draft->matches.len; i++) {
		const struct match *match = &draft->matches.items[i];
		size_t before;

		if (match->port == 0 || !match->value || !match->has_protocol ||
		    compare_values(&draft->matches.items[i - 1], match) != 0)
			continue;
		before = eg_path_enter_index(reader, match->index);
		eg_reader_error_at(reader, match->value_node, "value",
				   "value %.255s is already defiend for this port and protocol", match->value);
		eg_path_leave(reader, before);
	}
}

static int read_matches(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			void *target)
{
	struct draft *draft = target;
	int r = eg_read_list(reader, node, read_match, draft);

	(void)field;
	draft->policy->matches_origin = eg_reader_origin(reader, node);
	if (r < 0 || draft->matches.len < 2)
		return r;
	qsort(draft->matches.items, draft->matches.len, sizeof(draft->matches.items[0]), compare_by_port);
	check_ports(reader, draft);
	qsort(draft->matches.items, draft->matches.len, sizeof(draft->matches.items[0]), compare_by_value);
	check_values(reader, draft);
	return 0;
}
static const struct eg_type matches_type = {"list of matches", read_matches};

/* --- the document --- */

static int read_mode(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		     void *target)
{
	struct draft *draft = target;
	size_t mode;

	if (!eg_read_choice(reader, field, node, &mode))
		return 0;
	draft->policy->mode = (enum eg_passthrough_mode)mode;
	draft->policy->mode_origin = eg_reader_origin(reader, node);
	return 0;
}
static const struct eg_type mode_type = {"choice", read_mode};

static const struct eg_field default_fields[] = {
	{.name = "passthroughMode",
	 .type = &mode_type,
	 .choices = eg_passthrough_modes,
	 .fallback = "Matched",
	 .doc = "All lets every destination outside the mesh be reached, None lets none, Matched those of appendMatch. "
		"It counts whatever the Mesh says of passthrough. Of several policies the most specific one's counts."},
	{.name = "appendMatch",
	 .type = &matches_type,
	 .fields = &match_schema,
	 .doc = "Destinations outside the mesh that Matched lets out. The lists of all policies for a workload are added "
		"up."},
};
static const struct eg_schema default_schema = {EG_SCHEMA_FIELDS(default_fields)};

static int read_target_ref(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			   void *target)
{
	struct draft *draft = target;

	(void)field;
	return eg_read_target_ref(
		reader, node, EG_TARGET_BIT(MESH) | EG_TARGET_BIT(DATAPLANE) | EG_TARGET_BIT(MESH_SUBSET),
		&draft->policy->head.target);
}
static const struct eg_type target_ref_type = {"object", read_target_ref};

static const struct eg_field passthrough_fields[] = {
	{.name = "targetRef",
	 .type = &target_ref_type,
	 .fields = &eg_target_ref_schema,
	 .fallback = "every workload of the mesh",
	 .doc = "Which workloads the policy is for: of kind Mesh, Dataplane or MeshSubset."},
	{.name = "default",
	 .type = &eg_type_object,
	 .fields = &default_schema,
	 .doc = "What holds for them."},
};
const struct eg_schema eg_mesh_passthrough_schema = {
	.name = "MeshPassthrough",
	.doc = "What may leave the mesh for elsewhere, of some workloads or all.",
	EG_SCHEMA_FIELDS(passthrough_fields),
};

int eg_mesh_passthrough_read(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	_cleanup_(draft_clear) struct draft draft = {};
	int r;

	draft.policy = eg_arena_alloc(&reader->model->arena, sizeof(*draft.policy));
	if (!draft.policy)
		return -ENOMEM;
	draft.policy->mode = EG_PASSTHROUGH_MATCHED;
	draft.policy->mode_origin = envelope->origin;
	/* From here on the model frees what its lists hold. */
	r = eg_array_push(&reader->model->passthroughs, draft.policy);
	if (r == 0)
		r = eg_policy_head_read(reader, envelope, &draft.policy->head);
	return r < 0 ? r : eg_read_object(reader, envelope->spec, &eg_mesh_passthrough_schema, &draft);
}
