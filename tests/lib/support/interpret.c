/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "interpret.h"

#include <errno.h>
#include <string.h>

#include "generate.h"

/* --- images --- */

const void *interpret_lookup(const struct eg_table_image *table, const void *key)
{
	for (size_t i = 0; i < table->count; i++)
		if (memcmp((const char *)table->keys + i * table->key_size, key, table->key_size) == 0)
			return (const char *)table->values + i * table->value_size;
	return NULL;
}

static bool bit_at(const void *bytes, size_t bit)
{
	return ((const uint8_t *)bytes)[bit / 8] >> (7 - bit % 8) & 1;
}

static bool leading_bits_equal(const void *a, const void *b, size_t bits)
{
	for (size_t bit = 0; bit < bits; bit++)
		if (bit_at(a, bit) != bit_at(b, bit))
			return false;
	return true;
}

static const struct eg_rules *lookup_longest(const struct eg_table_image *table, const struct eg_prefix_key *key)
{
	const struct eg_prefix_key *prefixes = table->keys;
	const struct eg_rules *values = table->values, *found = NULL;
	uint32_t longest = 0;

	for (size_t i = 0; i < table->count; i++) {
		if (prefixes[i].bits > key->bits || (found && prefixes[i].bits <= longest))
			continue;
		if (!leading_bits_equal(&prefixes[i].match, &key->match, prefixes[i].bits))
			continue;
		found = &values[i];
		longest = prefixes[i].bits;
	}
	return found;
}

/* Scope 0 is no scope. A single address that is listed is not looked up as a prefix as well. */
static const struct eg_rules *lookup_rules(const struct eg_image *image, uint32_t scope, const struct eg_flow *flow)
{
	struct eg_prefix_key key = {
		.bits = EG_PREFIX_KEY_BITS +
			(flow->family == EG_FAMILY_IPV4 ? EG_PREFIX_BITS_IPV4 : EG_PREFIX_BITS_IPV6),
		.match = {.scope = scope, .family = flow->family, .addr = flow->addr},
	};
	const struct eg_rules *exact;

	if (scope == 0)
		return NULL;
	exact = interpret_lookup(&image->tables[EG_TABLE_EXACT], &key.match);
	return exact ? exact : lookup_longest(&image->tables[EG_TABLE_PREFIXES], &key);
}

static bool class_allows(const struct eg_image *image, const struct eg_rules *rules, enum eg_class class,
			 const struct eg_flow *flow)
{
	uint32_t protocol = eg_protocol_bit(flow->protocol);
	const struct eg_port_rule *listed;
	struct eg_port_key key;

	if (!rules)
		return false;
	if (rules->classes[class].any_port & protocol)
		return true;
	if (rules->classes[class].ports == 0)
		return false;
	key = (struct eg_port_key){.ports = rules->classes[class].ports, .port = flow->port};
	listed = interpret_lookup(&image->tables[EG_TABLE_PORTS], &key);
	return listed && (listed->protocols & protocol);
}

static bool is_loopback(const struct eg_flow *flow)
{
	static const uint8_t zeros[15];
	const uint8_t *bytes = (const uint8_t *)&flow->addr;

	if (flow->family == EG_FAMILY_IPV4)
		return bytes[0] == 127 || memcmp(bytes, zeros, 4) == 0;
	return memcmp(bytes, zeros, 15) == 0 && bytes[15] <= 1;
}

static struct eg_decision decision_of(enum eg_reason reason, uint16_t block_errno)
{
	return (struct eg_decision){block_errno ? EG_VERDICT_BLOCKED : EG_VERDICT_ALLOWED, (uint8_t)reason,
				    block_errno};
}

struct eg_decision interpret_image(const struct eg_image *image, uint32_t slot, const struct eg_flow *mapped)
{
	static const enum eg_reason reasons[EG_CLASS_COUNT] = {EG_REASON_EXEMPT_RESOLVER, EG_REASON_EXEMPT_RULE,
							       EG_REASON_MESH, EG_REASON_MATCHED};
	const struct eg_workload_policy *workload = interpret_lookup(&image->tables[EG_TABLE_WORKLOADS], &slot);
	struct eg_flow flow = generate_normalised(mapped);
	const struct eg_rules *mesh, *own;

	if (!workload || !(workload->flags & EG_WORKLOAD_PRESENT))
		return decision_of(EG_REASON_BLOCKED_NO_POLICY, EPERM);
	if (is_loopback(&flow))
		return decision_of(EG_REASON_EXEMPT_LOOPBACK, 0);
	mesh = lookup_rules(image, workload->mesh_scope, &flow);
	own = lookup_rules(image, workload->own_scope, &flow);
	for (enum eg_class i = 0; i < EG_CLASS_COUNT; i++)
		if (class_allows(image, mesh, i, &flow) || class_allows(image, own, i, &flow))
			return decision_of(reasons[i], 0);
	if (workload->flags & EG_WORKLOAD_PASSTHROUGH)
		return decision_of(EG_REASON_PASSTHROUGH, 0);
	if (workload->flags & EG_WORKLOAD_AUDIT)
		return (struct eg_decision){EG_VERDICT_AUDITED, EG_REASON_BLOCKED_PASSTHROUGH_OFF, 0};
	return decision_of(EG_REASON_BLOCKED_PASSTHROUGH_OFF, workload->block_errno);
}

/* --- documents --- */

/* A workload and the Dataplane that it says it is. */
struct who {
	const struct eg_workload *workload;
	const struct eg_dataplane *dataplane; /* NULL: none, or none that there is */
};

static struct who who_is(const struct eg_model *model, const struct eg_workload *workload)
{
	struct who who = {.workload = workload};

	for (size_t i = 0; i < model->dataplanes.len && workload->dataplane && !who.dataplane; i++) {
		const struct eg_dataplane *dataplane = model->dataplanes.items[i];

		if (strcmp(dataplane->mesh, workload->mesh) == 0 && strcmp(dataplane->name, workload->dataplane) == 0)
			who.dataplane = dataplane;
	}
	return who;
}

static const char *find_tag(const struct eg_tags *tags, const char *name)
{
	for (size_t i = 0; i < tags->len; i++)
		if (strcmp(tags->items[i].name, name) == 0)
			return tags->items[i].value;
	return NULL;
}

/* A service of its own is for those whose Dataplane has none: no generated Workload writes one. */
static const char *service_of(const struct who *who)
{
	for (size_t i = 0; who->dataplane && i < who->dataplane->inbounds.len; i++)
		if (find_tag(&who->dataplane->inbounds.items[i].tags, EG_SERVICE_TAG))
			return NULL;
	if (who->dataplane && find_tag(&who->dataplane->gateway_tags, EG_SERVICE_TAG))
		return NULL;
	return who->workload->name;
}

static bool agree(const struct eg_tags *wanted, const struct eg_tags *tags, const char *service)
{
	for (size_t i = 0; i < wanted->len; i++) {
		const char *name = wanted->items[i].name, *value = find_tag(tags, name);

		if (!value && strcmp(name, EG_SERVICE_TAG) == 0)
			value = service;
		if (!value || (strcmp(wanted->items[i].value, "*") != 0 && strcmp(wanted->items[i].value, value) != 0))
			return false;
	}
	return true;
}

/* All of them by the Workload, or by one inbound, or by the gateway. */
static bool has_tags(const struct who *who, const struct eg_tags *wanted)
{
	if (agree(wanted, &who->workload->tags, service_of(who)))
		return true;
	for (size_t i = 0; who->dataplane && i < who->dataplane->inbounds.len; i++)
		if (agree(wanted, &who->dataplane->inbounds.items[i].tags, NULL))
			return true;
	return who->dataplane && agree(wanted, &who->dataplane->gateway_tags, NULL);
}

static bool has_labels(const struct who *who, const struct eg_tags *wanted)
{
	for (size_t i = 0; i < wanted->len; i++) {
		const struct eg_tag *label = &wanted->items[i];
		const struct eg_tags alone = {(struct eg_tag *)label, 1};
		const char *value = who->dataplane ? find_tag(&who->dataplane->labels, label->name) : NULL;

		if (value && strcmp(value, label->value) == 0)
			continue;
		if (strcmp(label->value, "*") == 0 || !has_tags(who, &alone))
			return false;
	}
	return true;
}

static bool is_for(const struct eg_policy_head *head, const struct who *who)
{
	const bool is_gateway = who->dataplane && who->dataplane->is_gateway;

	if (head->is_shadow)
		return false;
	if (head->target.proxy_types && head->target.proxy_types != (is_gateway ? EG_PROXY_GATEWAY : EG_PROXY_SIDECAR))
		return false;
	if (head->target.kind == EG_TARGET_MESH_SUBSET)
		return has_tags(who, &head->target.tags);
	if (head->target.kind != EG_TARGET_DATAPLANE)
		return head->target.kind == EG_TARGET_MESH;
	if (head->target.name)
		return strcmp(head->target.name, who->dataplane ? who->dataplane->name : who->workload->name) == 0;
	return has_labels(who, &head->target.labels);
}

static bool beats(const struct eg_policy_head *a, const struct eg_policy_head *b)
{
	if (a->target.kind != b->target.kind)
		return a->target.kind > b->target.kind;
	return strcmp(a->name, b->name) < 0;
}

static bool has_protocol(uint32_t protocols, const struct eg_flow *flow)
{
	return protocols & eg_protocol_bit(flow->protocol);
}

static bool lists(const struct eg_allow *list, size_t count, const struct eg_flow *flow)
{
	for (size_t i = 0; i < count; i++)
		if (eg_prefix_contains(&list[i].prefix, flow->family, &flow->addr) &&
		    (list[i].port == 0 || list[i].port == flow->port) && has_protocol(list[i].protocols, flow))
			return true;
	return false;
}

static bool contains(const struct eg_located_prefix *list, size_t count, const struct eg_flow *flow)
{
	for (size_t i = 0; i < count; i++)
		if (eg_prefix_contains(&list[i].prefix, flow->family, &flow->addr))
			return true;
	return false;
}

static bool is_resolver(const struct eg_model *model, const struct eg_flow *flow)
{
	const struct eg_node *node = model->node;

	return node && node->resolvers_listed && flow->port == 53 && has_protocol(EG_PROTO_TCP | EG_PROTO_UDP, flow) &&
	       contains(node->resolvers.items, node->resolvers.len, flow);
}

static bool is_excluded(const struct eg_workload *workload, const struct eg_flow *flow)
{
	for (size_t i = 0; i < workload->exclude_outbound_ports.len; i++)
		if (workload->exclude_outbound_ports.items[i].port == flow->port &&
		    has_protocol(EG_PROTO_TCP | EG_PROTO_UDP, flow))
			return true;
	return contains(workload->exclude_outbound_ips.items, workload->exclude_outbound_ips.len, flow);
}

/* A host name, and NULL, is nowhere. */
static bool is_at(const char *address, uint16_t port, const struct eg_flow *flow)
{
	struct eg_addr addr;
	uint32_t family;

	return port == flow->port && address && eg_addr_parse(address, &family, &addr) == 0 && family == flow->family &&
	       memcmp(&addr, &flow->addr, sizeof(addr)) == 0;
}

static bool is_at_dataplane(const struct eg_dataplane *dataplane, const struct eg_flow *flow)
{
	for (size_t i = 0; i < dataplane->inbounds.len; i++) {
		const struct eg_inbound *inbound = &dataplane->inbounds.items[i];

		if (is_at(inbound->address ? inbound->address : dataplane->address, inbound->port, flow))
			return true;
		if (!inbound->address && is_at(dataplane->advertised_address, inbound->port, flow))
			return true;
	}
	return false;
}

static bool is_at_one_of(const struct eg_endpoint *endpoints, size_t count, const struct eg_flow *flow)
{
	for (size_t i = 0; i < count; i++)
		if (is_at(endpoints[i].address, endpoints[i].port, flow))
			return true;
	return false;
}

static bool is_mesh(const struct eg_model *model, const struct who *who, const struct eg_flow *flow)
{
	const char *mesh = who->workload->mesh;

	if (model->node && contains(model->node->mesh_cidrs.items, model->node->mesh_cidrs.len, flow))
		return true;
	if (!has_protocol(EG_PROTO_TCP, flow))
		return false;
	for (size_t i = 0; i < model->dataplanes.len; i++)
		if (strcmp(model->dataplanes.items[i]->mesh, mesh) == 0 &&
		    is_at_dataplane(model->dataplanes.items[i], flow))
			return true;
	for (size_t i = 0; i < model->services.len; i++)
		if (strcmp(model->services.items[i]->mesh, mesh) == 0 &&
		    is_at_one_of(model->services.items[i]->endpoints.items, model->services.items[i]->endpoints.len, flow))
			return true;
	return who->dataplane && is_at_one_of(who->dataplane->outbounds.items, who->dataplane->outbounds.len, flow);
}

/* The mode in force, and in *ret_listed whether some policy's list has the flow. */
static enum eg_passthrough_mode mode_of(const struct eg_model *model, const struct who *who, const struct eg_flow *flow,
					bool *ret_listed)
{
	const struct eg_optional_bool *passthrough = &model->meshes.items[0]->passthrough;
	const struct eg_mesh_passthrough *best = NULL;

	*ret_listed = false;
	for (size_t i = 0; i < model->passthroughs.len; i++) {
		const struct eg_mesh_passthrough *policy = model->passthroughs.items[i];

		if (!is_for(&policy->head, who))
			continue;
		if (!best || beats(&policy->head, &best->head))
			best = policy;
		*ret_listed |= lists(policy->matches.items, policy->matches.len, flow);
	}
	if (best)
		return best->mode;
	return passthrough->is_set && !passthrough->value ? EG_PASSTHROUGH_NONE : EG_PASSTHROUGH_ALL;
}

enum eg_reason interpret_model(const struct eg_model *model, const struct eg_workload *workload,
			       const struct eg_flow *mapped)
{
	struct eg_flow flow = generate_normalised(mapped);
	const struct who who = who_is(model, workload);
	bool is_listed;
	enum eg_passthrough_mode mode = mode_of(model, &who, &flow, &is_listed);

	if (is_loopback(&flow))
		return EG_REASON_EXEMPT_LOOPBACK;
	if (is_resolver(model, &flow))
		return EG_REASON_EXEMPT_RESOLVER;
	if (is_excluded(workload, &flow))
		return EG_REASON_EXEMPT_RULE;
	if (is_mesh(model, &who, &flow))
		return EG_REASON_MESH;
	if (lists(workload->allow.items, workload->allow.len, &flow))
		return EG_REASON_MATCHED;
	if (mode == EG_PASSTHROUGH_MATCHED && is_listed)
		return EG_REASON_MATCHED;
	return mode == EG_PASSTHROUGH_ALL ? EG_REASON_PASSTHROUGH : EG_REASON_BLOCKED_PASSTHROUGH_OFF;
}
