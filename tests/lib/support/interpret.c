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
	return decision_of(EG_REASON_BLOCKED_PASSTHROUGH_OFF, workload->block_errno);
}

/* --- documents --- */

/* Its name is its kuma.io/service: no generated Workload writes one. */
static const char *tag_of(const struct eg_workload *workload, const char *name)
{
	for (size_t i = 0; i < workload->tags.len; i++)
		if (strcmp(workload->tags.items[i].name, name) == 0)
			return workload->tags.items[i].value;
	return strcmp(name, EG_SERVICE_TAG) == 0 ? workload->name : NULL;
}

static bool has_all(const struct eg_workload *workload, const struct eg_tags *wanted, bool may_be_any)
{
	for (size_t i = 0; i < wanted->len; i++) {
		const char *value = tag_of(workload, wanted->items[i].name);
		bool is_any = may_be_any && strcmp(wanted->items[i].value, "*") == 0;

		if (!value || !(is_any || strcmp(value, wanted->items[i].value) == 0))
			return false;
	}
	return true;
}

static bool is_for(const struct eg_policy_head *head, const struct eg_workload *workload)
{
	if (head->is_shadow || head->target.proxy_types == EG_PROXY_GATEWAY)
		return false;
	if (head->target.kind == EG_TARGET_MESH_SUBSET)
		return has_all(workload, &head->target.tags, true);
	if (head->target.kind != EG_TARGET_DATAPLANE)
		return head->target.kind == EG_TARGET_MESH;
	if (head->target.name)
		return strcmp(head->target.name, workload->name) == 0;
	return has_all(workload, &head->target.labels, false);
}

static bool beats(const struct eg_policy_head *a, const struct eg_policy_head *b)
{
	if (a->target.kind != b->target.kind)
		return a->target.kind > b->target.kind;
	return strcmp(a->name, b->name) < 0;
}

static bool lists(const struct eg_allow *list, size_t count, const struct eg_flow *flow)
{
	for (size_t i = 0; i < count; i++)
		if (eg_prefix_contains(&list[i].prefix, flow->family, &flow->addr) &&
		    (list[i].port == 0 || list[i].port == flow->port) &&
		    (list[i].protocols & eg_protocol_bit(flow->protocol)))
			return true;
	return false;
}

/* The mode in force, and in *ret_listed whether some policy's list has the flow. */
static enum eg_passthrough_mode mode_of(const struct eg_model *model, const struct eg_workload *workload,
					const struct eg_flow *flow, bool *ret_listed)
{
	const struct eg_optional_bool *passthrough = &model->meshes.items[0]->passthrough;
	const struct eg_mesh_passthrough *best = NULL;

	*ret_listed = false;
	for (size_t i = 0; i < model->passthroughs.len; i++) {
		const struct eg_mesh_passthrough *policy = model->passthroughs.items[i];

		if (!is_for(&policy->head, workload))
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
	bool is_listed;
	enum eg_passthrough_mode mode = mode_of(model, workload, &flow, &is_listed);

	if (is_loopback(&flow))
		return EG_REASON_EXEMPT_LOOPBACK;
	if (lists(workload->allow.items, workload->allow.len, &flow))
		return EG_REASON_MATCHED;
	if (mode == EG_PASSTHROUGH_MATCHED && is_listed)
		return EG_REASON_MATCHED;
	return mode == EG_PASSTHROUGH_ALL ? EG_REASON_PASSTHROUGH : EG_REASON_BLOCKED_PASSTHROUGH_OFF;
}
