/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/kinds.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "config/address.h"
#include "config/sources.h"

static int read_mesh_cidr(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct eg_node *self = target;
	struct eg_located_prefix item;

	return eg_read_located_prefix(reader, node, false, &item) ? eg_array_push(&self->mesh_cidrs, item) : 0;
}

static int read_mesh_cidrs(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			   void *target)
{
	(void)field;
	return eg_read_list(reader, node, read_mesh_cidr, target);
}
static const struct eg_type mesh_cidrs_type = {"list of addresses and ranges", read_mesh_cidrs};

static int read_resolver(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct eg_node *self = target;
	struct eg_located_prefix item;

	return eg_read_located_prefix(reader, node, true, &item) ? eg_array_push(&self->resolvers, item) : 0;
}

static int read_resolvers(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			  void *target)
{
	struct eg_node *self = target;

	(void)field;
	if (node->kind == EG_YAML_SCALAR && strcmp(node->text, "auto") == 0)
		return 0;
	if (node->kind != EG_YAML_SEQUENCE) {
		eg_reader_error(reader, node, "must be auto or a list of IP addresses");
		return 0;
	}
	self->resolvers_listed = true;
	return eg_read_list(reader, node, read_resolver, self);
}
static const struct eg_type resolvers_type = {"auto, or list of addresses", read_resolvers};

static int read_retry_window(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			     void *target)
{
	(void)field;
	eg_read_interval(reader, node, 0, EG_RETRY_WINDOW_MAX_MS, target);
	return 0;
}
static const struct eg_type retry_window_type = {"duration from 0s to 24h", read_retry_window};

static int read_sweep_interval(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			       void *target)
{
	(void)field;
	eg_read_interval(reader, node, EG_SWEEP_INTERVAL_MIN_MS, EG_SWEEP_INTERVAL_MAX_MS, target);
	return 0;
}
static const struct eg_type sweep_interval_type = {"duration from 10ms to 1h", read_sweep_interval};

static const char *const compats[] = {"envoy", NULL};

static int read_compat(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		       void *target)
{
	size_t unused;

	*(bool *)target = eg_read_choice(reader, field, node, &unused);
	return 0;
}
static const struct eg_type compat_type = {"envoy", read_compat};

static int read_domains(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			void *target)
{
	size_t choice;

	if (eg_read_choice(reader, field, node, &choice))
		*(bool *)target = choice == 1;
	return 0;
}
static const struct eg_type domains_type = {"choice", read_domains};
static const char *const domains_choices[] = {"warn", "refuse", NULL};

/* An address and never a name: it is listened on, and nobody resolves. */
static int read_admin(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		      void *target)
{
	const char *text = eg_read_text(reader, node);
	struct eg_optional_place *admin = target;

	(void)field;
	if (!text)
		return 0;
	admin->is_set = eg_addr_port_parse(text, &admin->place) == 0;
	admin->origin = eg_reader_origin(reader, node);
	if (!admin->is_set)
		eg_reader_error(reader, node, "must be an address with its port, as 127.0.0.1:9901, not \"%.64s\"", text);
	return 0;
}
static const struct eg_type admin_type = {"ADDRESS:PORT", read_admin};

static const struct eg_field node_fields[] = {
	{.name = "meshCIDRs",
	 .type = &mesh_cidrs_type,
	 .doc = "Ranges that belong to every mesh, any protocol and port."},
	{.name = "allowIncoming",
	 .type = &eg_type_sources,
	 .fields = &eg_source_schema,
	 .offset = offsetof(struct eg_node, allow_incoming),
	 .doc = "Clients outside the mesh that may come in to every workload while mTLS is STRICT: health probes of the "
		"node, whose address is among them only when it is written here."},
	{.name = "resolvers",
	 .type = &resolvers_type,
	 .fallback = "auto",
	 .doc = "DNS servers, reached on port 53 whatever the mesh says. auto: those of the node's resolv.conf."},
	{.name = "blockErrno",
	 .type = &eg_type_errno,
	 .offset = offsetof(struct eg_node, block_errno),
	 .fallback = "EPERM",
	 .doc = "What a blocked program sees where its Workload does not say."},
	{.name = "breakerErrno",
	 .type = &eg_type_errno,
	 .offset = offsetof(struct eg_node, breaker_errno),
	 .fallback = "ECONNREFUSED",
	 .doc = "The same of what the circuit breaker refuses."},
	{.name = "admin",
	 .type = &admin_type,
	 .offset = offsetof(struct eg_node, admin),
	 .doc = "Where the admin endpoint listens by TCP too, for reading; who reaches it may read. egressd's --admin goes before."},
	{.name = "sweepInterval",
	 .type = &sweep_interval_type,
	 .offset = offsetof(struct eg_node, sweep_interval_ms),
	 .fallback = "a tenth of the shortest timeout in force, between 50ms and 1s",
	 .doc = "How often held connections are looked at, for idle and duration timeouts among others."},
	{.name = "retryWindow",
	 .type = &retry_window_type,
	 .offset = offsetof(struct eg_node, retry_window_ms),
	 .fallback = "10s",
	 .doc = "How long after a failure a connect to the same destination counts as a retry."},
	{.name = "compat",
	 .type = &compat_type,
	 .choices = compats,
	 .offset = offsetof(struct eg_node, is_compatible_with_envoy),
	 .doc = "With it max_requests and max_retries refuse nothing, as in its TCP proxy."},
	{.name = "domains",
	 .type = &domains_type,
	 .offset = offsetof(struct eg_node, refuses_domains),
	 .choices = domains_choices,
	 .fallback = "warn",
	 .doc = "What to say of entries that name a host, which match nothing: warn or refuse, which makes them errors."},
};
const struct eg_schema eg_node_schema = {
	.name = "Node",
	.doc = "Settings of this node, of ours. One in a set.",
	EG_SCHEMA_FIELDS(node_fields),
};

static void node_clear(struct eg_node *node)
{
	eg_array_clear(&node->mesh_cidrs);
	eg_array_clear(&node->allow_incoming.list);
	eg_array_clear(&node->resolvers);
}

/* The model holds one Node: a second is checked all the same, and dropped. */
static int read_second(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	const struct eg_origin *first = &reader->model->node->origin;
	_cleanup_(node_clear) struct eg_node node = {};

	eg_diag_add(reader->diag, EG_SEVERITY_ERROR, envelope->origin, NULL,
		    "a second Node: the first is in %s:%u:%u; put all settings of this node into one", first->file,
		    first->line, first->column);
	return eg_read_object(reader, envelope->spec, &eg_node_schema, &node);
}

int eg_node_read(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	struct eg_node *node;

	if (reader->model->node)
		return read_second(reader, envelope);
	node = eg_arena_alloc(&reader->model->arena, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->name = envelope->name;
	node->origin = envelope->origin;
	reader->model->node = node;
	return eg_read_object(reader, envelope->spec, &eg_node_schema, node);
}
