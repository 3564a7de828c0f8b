/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/decompile.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/* The scopes by id and, since keys of maps are compared as bytes, the ports by set in a list of their own. */
struct decompiler {
	struct eg_ruleset *rules;
	void *scopes; /* tsearch() tree of struct eg_scope */
	EG_ARRAY(const struct eg_port_key *) ports;	/* sorted by set */
	const struct eg_table_image *port_table;
};

static void keep_node(void *node)
{
	(void)node;
}

static void decompiler_done(struct decompiler *decompiler)
{
	tdestroy(decompiler->scopes, keep_node);
	eg_array_clear(&decompiler->ports);
	eg_ruleset_free(decompiler->rules);
}

static int compare_scopes(const void *a, const void *b)
{
	const struct eg_scope *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* NULL for no scope, and for one without rules. */
static struct eg_scope *find_scope(const struct decompiler *decompiler, uint32_t id)
{
	const struct eg_scope wanted = {.id = id};
	void *node = tfind(&wanted, &decompiler->scopes, compare_scopes);

	return node ? *(struct eg_scope **)node : NULL;
}

static int make_scope(struct decompiler *decompiler, uint32_t id, struct eg_scope **ret_scope)
{
	struct eg_scope *scope = find_scope(decompiler, id);
	int r;

	*ret_scope = scope;
	if (scope)
		return 0;
	scope = eg_arena_alloc(&decompiler->rules->arena, sizeof(*scope));
	if (!scope)
		return -ENOMEM;
	r = eg_array_push(&decompiler->rules->scopes, scope);
	if (r < 0)
		return r;
	scope->id = id;
	scope->name = "";
	*ret_scope = scope;
	return tsearch(scope, &decompiler->scopes, compare_scopes) ? 0 : -ENOMEM;
}

/* --- rules --- */

static int compare_ports(const void *a, const void *b)
{
	const struct eg_port_key *x = *(const struct eg_port_key *const *)a, *y = *(const struct eg_port_key *const *)b;

	return (x->ports > y->ports) - (x->ports < y->ports);
}

static int sort_ports(struct decompiler *decompiler)
{
	const struct eg_port_key *keys = decompiler->port_table->keys;
	int r = 0;

	for (size_t i = 0; i < decompiler->port_table->count && r == 0; i++)
		r = eg_array_push(&decompiler->ports, &keys[i]);
	if (decompiler->ports.len > 0)
		qsort(decompiler->ports.items, decompiler->ports.len, sizeof(decompiler->ports.items[0]), compare_ports);
	return r;
}

/* The first of a set, or how many there are. */
static size_t find_ports(const struct decompiler *decompiler, uint32_t set)
{
	size_t first = 0, end = decompiler->ports.len;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (decompiler->ports.items[middle]->ports < set)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

static uint32_t protocols_of(const struct decompiler *decompiler, const struct eg_port_key *key)
{
	const struct eg_port_rule *rules = decompiler->port_table->values;

	return rules[key - (const struct eg_port_key *)decompiler->port_table->keys].protocols;
}

static int add_class(const struct decompiler *decompiler, struct eg_scope *scope, struct eg_rule rule,
		     const struct eg_class_rules *class_rules)
{
	int r = 0;

	rule.protocols = class_rules->any_port;
	if (rule.protocols)
		r = eg_array_push(&scope->rules, rule);
	for (size_t i = find_ports(decompiler, class_rules->ports);
	     r == 0 && class_rules->ports && i < decompiler->ports.len &&
	     decompiler->ports.items[i]->ports == class_rules->ports;
	     i++) {
		rule.port = (uint16_t)decompiler->ports.items[i]->port;
		rule.protocols = protocols_of(decompiler, decompiler->ports.items[i]);
		r = eg_array_push(&scope->rules, rule);
	}
	return r;
}

static int add_rules(struct decompiler *decompiler, const struct eg_addr_key *key, uint32_t len,
		     const struct eg_rules *rules)
{
	const struct eg_prefix prefix = {.family = key->family, .addr = key->addr, .len = len};
	struct eg_scope *scope;
	int r = make_scope(decompiler, key->scope, &scope);

	for (enum eg_class class = 0; class < EG_CLASS_COUNT && r == 0; class ++)
		r = add_class(decompiler, scope, (struct eg_rule){.class = class, .prefix = prefix}, &rules->classes[class]);
	return r;
}

static int add_exact(struct decompiler *decompiler, const struct eg_table_image *table)
{
	const struct eg_addr_key *keys = table->keys;
	const struct eg_rules *rules = table->values;
	int r = 0;

	for (size_t i = 0; i < table->count && r == 0; i++)
		r = add_rules(decompiler, &keys[i],
			      keys[i].family == EG_FAMILY_IPV4 ? EG_PREFIX_BITS_IPV4 : EG_PREFIX_BITS_IPV6, &rules[i]);
	return r;
}

static int add_prefixes(struct decompiler *decompiler, const struct eg_table_image *table)
{
	const struct eg_prefix_key *keys = table->keys;
	const struct eg_rules *rules = table->values;
	int r = 0;

	for (size_t i = 0; i < table->count && r == 0; i++)
		r = add_rules(decompiler, &keys[i].match, keys[i].bits - EG_PREFIX_KEY_BITS, &rules[i]);
	return r;
}

/* --- subjects --- */

static enum eg_incoming_mode mode_of(uint32_t flags)
{
	if (!(flags & EG_WORKLOAD_INCOMING))
		return EG_INCOMING_OFF;
	return flags & EG_WORKLOAD_STRICT ? EG_INCOMING_STRICT : EG_INCOMING_PERMISSIVE;
}

/* Keys of one set need not be in order. */
static int add_service_ports(struct decompiler *decompiler, uint32_t set, struct eg_incoming *incoming)
{
	const size_t first = find_ports(decompiler, set);
	size_t end = first;
	uint16_t *ports;

	while (set && end < decompiler->ports.len && decompiler->ports.items[end]->ports == set)
		end++;
	ports = eg_arena_alloc(&decompiler->rules->arena, (end - first + 1) * sizeof(*ports));
	if (!ports)
		return -ENOMEM;
	for (size_t i = first; i < end; i++)
		ports[i - first] = (uint16_t)decompiler->ports.items[i]->port;
	incoming->service_ports = ports;
	incoming->service_port_count = end - first;
	return 0;
}

static int add_incoming(struct decompiler *decompiler, const struct eg_workload_policy *policy,
			struct eg_incoming *incoming)
{
	*incoming = (struct eg_incoming){
		.mode = mode_of(policy->flags),
		.mesh_sources = find_scope(decompiler, policy->mesh_sources),
		.own_sources = find_scope(decompiler, policy->own_sources),
		.drops = policy->flags & EG_WORKLOAD_DROPS,
	};
	return add_service_ports(decompiler, policy->service_ports, incoming);
}

static int add_subject(struct decompiler *decompiler, uint32_t slot, const struct eg_workload_policy *policy)
{
	struct eg_subject *subject = eg_arena_alloc(&decompiler->rules->arena, sizeof(*subject));
	struct eg_scope *mesh;
	int r = subject ? make_scope(decompiler, policy->mesh_scope, &mesh) : -ENOMEM;

	if (r < 0)
		return r;
	*subject = (struct eg_subject){
		.name = "",
		.mesh = "",
		.slot = slot,
		.mode = policy->flags & EG_WORKLOAD_AUDIT ? EG_MODE_AUDIT : EG_MODE_ENFORCE,
		.passthrough = policy->flags & EG_WORKLOAD_PASSTHROUGH,
		.block_errno = policy->block_errno,
		.breaker_errno = policy->breaker_errno,
		.retry_window_ms = policy->retry_window_ms,
		.allowed_protocols = policy->allowed_protocols,
		.keeps_connections = policy->flags & EG_WORKLOAD_KEEPS,
		.grace_ms = policy->grace_ms,
		.proxy_cgroup = policy->proxy_cgroup,
		.redirect_ipv4 = policy->redirect_ipv4,
		.redirect_ipv6 = policy->redirect_ipv6,
		.ipv4 = policy->ipv4,
		.ipv6 = policy->ipv6,
		.mesh_scope = mesh,
		.own_scope = find_scope(decompiler, policy->own_scope),
	};
	r = add_incoming(decompiler, policy, &subject->incoming);
	return r < 0 ? r : eg_array_push(&decompiler->rules->subjects, subject);
}

static int compare_subjects(const void *a, const void *b)
{
	const struct eg_subject *x = *(struct eg_subject *const *)a, *y = *(struct eg_subject *const *)b;

	return (x->slot > y->slot) - (x->slot < y->slot);
}

static int add_subjects(struct decompiler *decompiler, const struct eg_table_image *table)
{
	const struct eg_workload_policy *policies = table->values;
	const uint32_t *slots = table->keys;
	int r = 0;

	for (size_t i = 0; i < table->count && r == 0; i++)
		r = add_subject(decompiler, slots[i], &policies[i]);
	if (decompiler->rules->subjects.len > 0)
		qsort(decompiler->rules->subjects.items, decompiler->rules->subjects.len, sizeof(struct eg_subject *),
		      compare_subjects);
	return r;
}

int eg_image_decompile(const struct eg_image *image, struct eg_ruleset **ret_rules)
{
	_cleanup_(decompiler_done) struct decompiler decompiler = {
		.rules = calloc(1, sizeof(struct eg_ruleset)),
		.port_table = &image->tables[EG_TABLE_PORTS],
	};
	int r = decompiler.rules ? sort_ports(&decompiler) : -ENOMEM;

	if (r == 0)
		r = add_exact(&decompiler, &image->tables[EG_TABLE_EXACT]);
	if (r == 0)
		r = add_prefixes(&decompiler, &image->tables[EG_TABLE_PREFIXES]);
	if (r == 0)
		r = add_subjects(&decompiler, &image->tables[EG_TABLE_WORKLOADS]);
	if (r == 0)
		*ret_rules = TAKE_PTR(decompiler.rules);
	return r;
}
