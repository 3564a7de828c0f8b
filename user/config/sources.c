/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/sources.h"

#include <errno.h>

#include "config/address.h"
#include "policy/model.h"

struct source_draft {
	struct eg_allow source;
	bool has_prefix;
};

static int read_cidr(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		     void *target)
{
	struct source_draft *draft = target;

	(void)field;
	draft->has_prefix = eg_read_prefix(reader, node, false, &draft->source.prefix);
	return 0;
}
static const struct eg_type cidr_type = {"address or range", read_cidr};

static const char *const protocols[] = {"tcp", "udp", NULL};

static int read_protocol(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			 void *target)
{
	size_t choice;

	if (eg_read_choice(reader, field, node, &choice))
		*(uint32_t *)target = choice == 0 ? EG_PROTO_TCP : EG_PROTO_UDP;
	return 0;
}
static const struct eg_type protocol_type = {"protocol", read_protocol};

static const struct eg_field source_fields[] = {
	{.name = "cidr", .type = &cidr_type, .missing = "must be defined", .doc = "The client's address, or a range of them."},
	{.name = "port",
	 .type = &eg_type_optional_port,
	 .offset = offsetof(struct source_draft, source.port),
	 .fallback = "every port",
	 .doc = "The workload's own port."},
	{.name = "protocol",
	 .type = &protocol_type,
	 .offset = offsetof(struct source_draft, source.protocols),
	 .choices = protocols,
	 .fallback = "both",
	 .doc = "One of tcp and udp."},
};
const struct eg_schema eg_source_schema = {EG_SCHEMA_FIELDS(source_fields)};

static int read_source(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct source_draft draft = {.source = {.protocols = EG_PROTO_TCP | EG_PROTO_UDP,
						.origin = eg_reader_origin(reader, node)}};
	struct eg_sources *sources = target;
	int r;

	if (!eg_reader_take_address(reader, node))
		return 0;
	r = eg_read_object(reader, node, &eg_source_schema, &draft);
	return r < 0 || !draft.has_prefix ? r : eg_array_push(&sources->list, draft.source);
}

static int read_sources(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			void *target)
{
	(void)field;
	return eg_read_list(reader, node, read_source, target);
}
const struct eg_type eg_type_sources = {"list of clients", read_sources};
