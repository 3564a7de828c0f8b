/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../lib/support/generate.h"
#include "../lib/support/interpret.h"
#include "base/cleanup.h"
#include "policy/compile.h"
#include "policy/eval.h"

static const struct eg_capacity roomy = {.max_entries = {1u << 20, 1u << 20, 1u << 20, 1u << 20}};

/* Rulesets by hand. */

static struct eg_ruleset *new_rules(void)
{
	struct eg_ruleset *rules = calloc(1, sizeof(*rules));

	assert_non_null(rules);
	return rules;
}

static struct eg_scope *add_scope(struct eg_ruleset *rules)
{
	struct eg_scope *scope = eg_arena_alloc(&rules->arena, sizeof(*scope));

	assert_non_null(scope);
	assert_int_equal(eg_array_push(&rules->scopes, scope), 0);
	scope->id = (uint32_t)rules->scopes.len;
	return scope;
}

static struct eg_subject *add_subject(struct eg_ruleset *rules, const struct eg_scope *mesh, const struct eg_scope *own)
{
	struct eg_subject *subject = eg_arena_alloc(&rules->arena, sizeof(*subject));

	assert_non_null(subject);
	assert_int_equal(eg_array_push(&rules->subjects, subject), 0);
	subject->slot = (uint32_t)rules->subjects.len;
	subject->block_errno = EACCES;
	subject->mesh_scope = mesh;
	subject->own_scope = own;
	return subject;
}

static void add_rule(struct eg_scope *scope, enum eg_class class, const char *prefix, uint16_t port,
		     uint32_t rule_protocols)
{
	struct eg_rule rule = {.class = class, .port = port, .protocols = rule_protocols};

	assert_int_equal(eg_prefix_parse(prefix, &rule.prefix), 0);
	assert_int_equal(eg_array_push(&scope->rules, rule), 0);
}

static struct eg_image *compile(const struct eg_ruleset *rules)
{
	struct eg_diag diag = {};
	struct eg_image *image = NULL;

	assert_int_equal(eg_image_compile(rules, &roomy, &diag, &image), 0);
	assert_int_equal(diag.findings.len, 0);
	eg_diag_clear(&diag);
	return image;
}

static const struct eg_rules *entry_of(const struct eg_image *image, uint32_t scope, const char *text)
{
	struct eg_prefix_key key = {};
	struct eg_prefix prefix;

	assert_int_equal(eg_prefix_parse(text, &prefix), 0);
	key.bits = EG_PREFIX_KEY_BITS + prefix.len;
	key.match = (struct eg_addr_key){.scope = scope, .family = prefix.family, .addr = prefix.addr};
	if (prefix.len == (prefix.family == EG_FAMILY_IPV4 ? 32 : 128))
		return interpret_lookup(&image->tables[EG_TABLE_EXACT], &key.match);
	return interpret_lookup(&image->tables[EG_TABLE_PREFIXES], &key);
}

static uint32_t port_protocols(const struct eg_image *image, uint32_t set, uint32_t port)
{
	const struct eg_port_key key = {set, port};
	const struct eg_port_rule *rule = interpret_lookup(&image->tables[EG_TABLE_PORTS], &key);

	return rule ? rule->protocols : 0;
}

static void assert_images_equal(const struct eg_image *a, const struct eg_image *b)
{
	for (int i = 0; i < EG_TABLE_COUNT; i++) {
		const struct eg_table_image *x = &a->tables[i], *y = &b->tables[i];

		assert_int_equal(x->count, y->count);
		if (x->count == 0)
			continue;
		assert_memory_equal(x->keys, y->keys, x->count * x->key_size);
		assert_memory_equal(x->values, y->values, x->count * x->value_size);
	}
}

static void an_empty_ruleset_gives_the_image_of_an_empty_bank(void **state)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = new_rules();
	_cleanup_(eg_image_freep) struct eg_image *image = NULL, *empty = eg_image_new();

	(void)state;
	assert_non_null(empty);
	image = compile(rules);
	for (int i = 0; i < EG_TABLE_COUNT; i++) {
		assert_int_equal(image->tables[i].count, 0);
		assert_true(image->tables[i].key_size > 0);
		assert_int_equal(image->tables[i].key_size, empty->tables[i].key_size);
		assert_int_equal(image->tables[i].value_size, empty->tables[i].value_size);
	}
}

static void a_workload_without_rules_is_an_entry_by_its_slot(void **state)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = new_rules();
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	struct eg_scope *mesh = add_scope(rules), *own = add_scope(rules);
	const struct eg_workload_policy *policy;
	uint32_t slot;

	(void)state;
	add_subject(rules, mesh, NULL)->passthrough = true;
	add_subject(rules, mesh, own);
	image = compile(rules);
	assert_int_equal(image->tables[EG_TABLE_WORKLOADS].count, 2);
	assert_int_equal(image->tables[EG_TABLE_EXACT].count + image->tables[EG_TABLE_PREFIXES].count, 0);
	slot = 1;
	policy = interpret_lookup(&image->tables[EG_TABLE_WORKLOADS], &slot);
	assert_int_equal(policy->flags, EG_WORKLOAD_PRESENT | EG_WORKLOAD_PASSTHROUGH);
	assert_int_equal(policy->mesh_scope, 1);
	assert_int_equal(policy->own_scope, 0);
	slot = 2;
	policy = interpret_lookup(&image->tables[EG_TABLE_WORKLOADS], &slot);
	assert_int_equal(policy->flags, EG_WORKLOAD_PRESENT | EG_WORKLOAD_GUARDED);
	assert_int_equal(policy->own_scope, 2);
	assert_false(eg_image_has(image, 1, EG_WORKLOAD_GUARDED));
	assert_true(eg_image_has(image, 2, EG_WORKLOAD_GUARDED));
	assert_false(eg_image_has(image, 3, EG_WORKLOAD_GUARDED));
	assert_int_equal(policy->block_errno, EACCES);
}

static void audit_mode_is_a_flag_and_keeps_limits_but_no_timeouts(void **state)
{
	static const struct eg_cluster_policy written = EG_DEFAULT_CLUSTER;
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = new_rules();
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	struct eg_subject *subject = add_subject(rules, add_scope(rules), NULL);
	const struct eg_workload_policy *policy;
	const uint32_t slot = 1;

	(void)state;
	subject->mode = EG_MODE_AUDIT;
	subject->ipv4 = subject->ipv6 = written;
	image = compile(rules);
	policy = interpret_lookup(&image->tables[EG_TABLE_WORKLOADS], &slot);
	assert_int_equal(policy->flags, EG_WORKLOAD_PRESENT | EG_WORKLOAD_AUDIT);
	assert_int_equal(policy->ipv6.max_connections, written.max_connections);
	assert_int_equal(policy->ipv6.connect_timeout_ms, UINT32_MAX);
	assert_int_equal(eg_image_shortest_timeout_ms(image), 0);
}

static void single_addresses_are_exact_and_everything_shorter_is_a_prefix(void **state)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = new_rules();
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	struct eg_scope *mesh = add_scope(rules);
	const struct eg_prefix_key *prefixes;
	const struct eg_addr_key *exact;

	(void)state;
	add_rule(mesh, EG_CLASS_MESH, "10.0.0.1", 0, EG_PROTO_TCP);
	add_rule(mesh, EG_CLASS_MESH, "fd00::1", 0, EG_PROTO_TCP);
	add_rule(mesh, EG_CLASS_MESH, "0.0.0.0/0", 0, EG_PROTO_UDP);
	add_rule(mesh, EG_CLASS_MESH, "fd00::/127", 0, EG_PROTO_UDP);
	image = compile(rules);
	assert_int_equal(image->tables[EG_TABLE_EXACT].count, 2);
	exact = image->tables[EG_TABLE_EXACT].keys;
	assert_int_equal(exact[0].scope, 1);
	assert_int_equal(exact[0].family, EG_FAMILY_IPV4);
	assert_int_equal(exact[0].addr.word_be[0], htonl(0x0a000001));
	assert_int_equal(exact[1].family, EG_FAMILY_IPV6);
	assert_int_equal(exact[1].addr.word_be[3], htonl(1));
	assert_int_equal(image->tables[EG_TABLE_PREFIXES].count, 2);
	prefixes = image->tables[EG_TABLE_PREFIXES].keys;
	assert_int_equal(prefixes[0].bits, 64);
	assert_int_equal(prefixes[0].match.scope, 1);
	assert_int_equal(prefixes[0].match.family, EG_FAMILY_IPV4);
	assert_int_equal(prefixes[0].match.addr.word_be[0], 0);
	assert_int_equal(prefixes[1].bits, 64 + 127);
	assert_int_equal(prefixes[1].match.family, EG_FAMILY_IPV6);
	/* The kernel stops at an exact entry, so it brings what the prefixes around it say. */
	assert_int_equal(entry_of(image, 1, "10.0.0.1")->classes[EG_CLASS_MESH].any_port, EG_PROTO_TCP | EG_PROTO_UDP);
	assert_int_equal(entry_of(image, 1, "fd00::1")->classes[EG_CLASS_MESH].any_port, EG_PROTO_TCP | EG_PROTO_UDP);
	assert_int_equal(entry_of(image, 1, "0.0.0.0/0")->classes[EG_CLASS_MESH].any_port, EG_PROTO_UDP);
}

static void a_longer_prefix_never_hides_a_shorter_ones_ports(void **state)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = new_rules();
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	struct eg_scope *own = add_scope(rules);
	const struct eg_class_rules *inner, *sibling;

	(void)state;
	add_rule(own, EG_CLASS_MATCHED, "10.0.0.0/8", 80, EG_PROTO_TCP);
	add_rule(own, EG_CLASS_MATCHED, "10.0.0.0/8", 443, EG_PROTO_TCP);
	add_rule(own, EG_CLASS_MATCHED, "10.1.0.0/16", 443, EG_PROTO_UDP);
	add_rule(own, EG_CLASS_MATCHED, "10.1.0.0/16", 22, EG_PROTO_TCP);
	add_rule(own, EG_CLASS_RULE, "10.2.0.0/16", 22, EG_PROTO_TCP);
	add_rule(own, EG_CLASS_MATCHED, "11.0.0.0/8", 9, EG_PROTO_TCP);
	image = compile(rules);

	inner = &entry_of(image, 1, "10.1.0.0/16")->classes[EG_CLASS_MATCHED];
	assert_int_equal(inner->any_port, 0);
	assert_int_equal(port_protocols(image, inner->ports, 80), EG_PROTO_TCP);
	assert_int_equal(port_protocols(image, inner->ports, 443), EG_PROTO_TCP | EG_PROTO_UDP);
	assert_int_equal(port_protocols(image, inner->ports, 22), EG_PROTO_TCP);
	assert_int_equal(port_protocols(image, inner->ports, 9), 0);

	/* Another class's port changes nothing here, so that the set is the outer prefix's. */
	sibling = &entry_of(image, 1, "10.2.0.0/16")->classes[EG_CLASS_MATCHED];
	assert_int_equal(sibling->ports, entry_of(image, 1, "10.0.0.0/8")->classes[EG_CLASS_MATCHED].ports);
	assert_int_equal(port_protocols(image, sibling->ports, 22), 0);

	assert_int_equal(entry_of(image, 1, "11.0.0.0/8")->classes[EG_CLASS_RULE].ports, 0);
	assert_int_equal(image->tables[EG_TABLE_PORTS].count, 2 + 3 + 1 + 1);
}

static void ports_that_every_port_includes_are_left_out(void **state)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = new_rules();
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	struct eg_scope *own = add_scope(rules);
	const struct eg_class_rules *inner;

	(void)state;
	add_rule(own, EG_CLASS_MATCHED, "10.0.0.0/8", 80, EG_PROTO_TCP);
	add_rule(own, EG_CLASS_MATCHED, "10.0.0.0/8", 53, EG_PROTO_TCP | EG_PROTO_UDP);
	add_rule(own, EG_CLASS_MATCHED, "10.0.0.1", 0, EG_PROTO_TCP);
	add_rule(own, EG_CLASS_MATCHED, "10.0.0.2", 0, EG_PROTO_ANY);
	image = compile(rules);
	inner = &entry_of(image, 1, "10.0.0.1")->classes[EG_CLASS_MATCHED];
	assert_int_equal(inner->any_port, EG_PROTO_TCP);
	assert_int_equal(port_protocols(image, inner->ports, 80), 0);
	assert_int_equal(port_protocols(image, inner->ports, 53), EG_PROTO_UDP);
	assert_int_equal(entry_of(image, 1, "10.0.0.2")->classes[EG_CLASS_MATCHED].ports, 0);
	assert_int_equal(image->tables[EG_TABLE_PORTS].count, 3);
}

static void equal_port_sets_are_one_across_scopes_and_classes(void **state)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = new_rules();
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	struct eg_scope *one = add_scope(rules), *two = add_scope(rules);
	uint32_t set;

	(void)state;
	add_rule(one, EG_CLASS_MESH, "10.0.0.1", 80, EG_PROTO_TCP);
	add_rule(one, EG_CLASS_MESH, "10.0.0.1", 443, EG_PROTO_TCP);
	add_rule(two, EG_CLASS_RULE, "::/0", 443, EG_PROTO_TCP);
	add_rule(two, EG_CLASS_RULE, "::/0", 80, EG_PROTO_TCP);
	add_rule(two, EG_CLASS_RULE, "::/0", 80, EG_PROTO_TCP);
	add_rule(two, EG_CLASS_RULE, "10.0.0.1", 443, EG_PROTO_TCP);
	image = compile(rules);
	set = entry_of(image, 1, "10.0.0.1")->classes[EG_CLASS_MESH].ports;
	assert_int_not_equal(set, 0);
	assert_int_equal(entry_of(image, 2, "::/0")->classes[EG_CLASS_RULE].ports, set);
	assert_int_not_equal(entry_of(image, 2, "10.0.0.1")->classes[EG_CLASS_RULE].ports, set);
	assert_int_equal(image->tables[EG_TABLE_PORTS].count, 3);
}

static void a_great_set_is_inherited_with_what_is_added_to_it(void **state)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = new_rules();
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	struct eg_scope *scope = add_scope(rules);
	uint32_t inherited, added;

	(void)state;
	for (uint16_t port = 1; port <= 100; port++)
		add_rule(scope, EG_CLASS_MESH, "10.0.0.0/8", port, EG_PROTO_TCP);
	add_rule(scope, EG_CLASS_MESH, "10.0.0.1", 50, EG_PROTO_TCP);
	add_rule(scope, EG_CLASS_MESH, "10.0.0.2", 200, EG_PROTO_TCP);
	add_rule(scope, EG_CLASS_MESH, "10.0.0.3", 50, EG_PROTO_TCP);
	add_rule(scope, EG_CLASS_MESH, "10.0.0.3", 200, EG_PROTO_TCP);
	add_rule(scope, EG_CLASS_MESH, "10.0.0.4", 50, EG_PROTO_UDP);
	add_rule(scope, EG_CLASS_MESH, "10.0.0.5", 0, EG_PROTO_UDP);
	add_rule(scope, EG_CLASS_MESH, "10.0.0.6", 0, EG_PROTO_TCP);
	image = compile(rules);
	inherited = entry_of(image, 1, "10.0.0.0/8")->classes[EG_CLASS_MESH].ports;
	assert_int_equal(entry_of(image, 1, "10.0.0.1")->classes[EG_CLASS_MESH].ports, inherited);
	added = entry_of(image, 1, "10.0.0.2")->classes[EG_CLASS_MESH].ports;
	assert_int_equal(entry_of(image, 1, "10.0.0.3")->classes[EG_CLASS_MESH].ports, added);
	assert_int_equal(port_protocols(image, added, 1), EG_PROTO_TCP);
	assert_int_equal(port_protocols(image, added, 200), EG_PROTO_TCP);
	assert_int_equal(port_protocols(image, inherited, 200), 0);
	assert_int_equal(port_protocols(image, entry_of(image, 1, "10.0.0.4")->classes[EG_CLASS_MESH].ports, 50),
			 EG_PROTO_TCP | EG_PROTO_UDP);
	assert_int_equal(entry_of(image, 1, "10.0.0.5")->classes[EG_CLASS_MESH].ports, inherited);
	assert_int_equal(entry_of(image, 1, "10.0.0.6")->classes[EG_CLASS_MESH].ports, 0);
	assert_int_equal(image->tables[EG_TABLE_PORTS].count, 100 + 101 + 100);
}

/* It takes a twentieth of a second; putting the set together for each of them, one and a half minutes. */
static void a_great_set_is_not_put_together_for_each_address(void **state)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = new_rules();
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	struct eg_scope *scope = add_scope(rules);
	clock_t start;

	(void)state;
	for (uint32_t port = 1; port <= UINT16_MAX; port++)
		add_rule(scope, EG_CLASS_MESH, "10.0.0.0/8", (uint16_t)port, EG_PROTO_TCP);
	for (uint32_t i = 0; i < 100000; i++)
		assert_int_equal(eg_array_push(&scope->rules, {EG_CLASS_MESH,
							       {EG_FAMILY_IPV4, 32, {{htonl(0x0a000000 + i)}}},
							       (uint16_t)(i % 100 ? 80 : 81),
							       EG_PROTO_TCP | EG_PROTO_UDP,
							       {}}),
				 0);
	start = clock();
	image = compile(rules);
	assert_true(clock() - start < 20 * CLOCKS_PER_SEC);
	assert_int_equal(image->tables[EG_TABLE_EXACT].count, 100000);
	assert_int_equal(image->tables[EG_TABLE_PORTS].count, 3 * UINT16_MAX);
}

static void port_sets_whose_hashes_collide_stay_apart(void **state)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = new_rules(), *second_alone = new_rules();
	_cleanup_(eg_image_freep) struct eg_image *image = NULL, *other = NULL;
	struct eg_scope *scope = add_scope(rules), *alone;
	uint32_t first, second;

	(void)state;
	add_rule(scope, EG_CLASS_MESH, "10.0.0.1", 9436, EG_PROTO_TCP);
	add_rule(scope, EG_CLASS_MESH, "10.0.0.1", 39567, EG_PROTO_TCP);
	add_rule(scope, EG_CLASS_MESH, "10.0.0.2", 30526, EG_PROTO_TCP);
	add_rule(scope, EG_CLASS_MESH, "10.0.0.2", 65188, EG_PROTO_TCP);
	add_rule(scope, EG_CLASS_RULE, "10.0.0.3", 30526, EG_PROTO_TCP);
	add_rule(scope, EG_CLASS_RULE, "10.0.0.3", 65188, EG_PROTO_TCP);
	image = compile(rules);
	first = entry_of(image, 1, "10.0.0.1")->classes[EG_CLASS_MESH].ports;
	second = entry_of(image, 1, "10.0.0.2")->classes[EG_CLASS_MESH].ports;
	assert_int_not_equal(second, first);
	/* By itself the second set has the first one's number, or this test shows nothing. */
	alone = add_scope(second_alone);
	add_rule(alone, EG_CLASS_MESH, "10.0.0.2", 30526, EG_PROTO_TCP);
	add_rule(alone, EG_CLASS_MESH, "10.0.0.2", 65188, EG_PROTO_TCP);
	other = compile(second_alone);
	assert_int_equal(entry_of(other, 1, "10.0.0.2")->classes[EG_CLASS_MESH].ports, first);
	assert_int_equal(entry_of(image, 1, "10.0.0.3")->classes[EG_CLASS_RULE].ports, second);
	assert_int_equal(port_protocols(image, first, 9436), EG_PROTO_TCP);
	assert_int_equal(port_protocols(image, first, 30526), 0);
	assert_int_equal(port_protocols(image, second, 30526), EG_PROTO_TCP);
	assert_int_equal(port_protocols(image, second, 9436), 0);
}

static void nothing_is_inherited_from_another_scope_or_family(void **state)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = new_rules();
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	struct eg_scope *one = add_scope(rules), *two = add_scope(rules);

	(void)state;
	add_rule(one, EG_CLASS_MESH, "0.0.0.0/0", 0, EG_PROTO_ANY);
	add_rule(one, EG_CLASS_MESH, "::/0", 0, EG_PROTO_UDP);
	add_rule(one, EG_CLASS_MESH, "fd00::1", 0, EG_PROTO_TCP);
	add_rule(two, EG_CLASS_MESH, "10.0.0.1", 0, EG_PROTO_TCP);
	image = compile(rules);
	assert_int_equal(entry_of(image, 2, "10.0.0.1")->classes[EG_CLASS_MESH].any_port, EG_PROTO_TCP);
	assert_int_equal(entry_of(image, 1, "::/0")->classes[EG_CLASS_MESH].any_port, EG_PROTO_UDP);
	assert_int_equal(entry_of(image, 1, "fd00::1")->classes[EG_CLASS_MESH].any_port, EG_PROTO_TCP | EG_PROTO_UDP);
}

static void the_deepest_chain_of_prefixes_inherits_all_the_way(void **state)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = new_rules();
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	struct eg_scope *scope = add_scope(rules);
	const struct eg_class_rules *innermost;

	(void)state;
	for (uint32_t len = 0; len <= 128; len++) {
		char text[EG_ADDR_TEXT_MAX];

		snprintf(text, sizeof(text), "fd00:1:2:3:4:5:6:7/%u", len);
		add_rule(scope, EG_CLASS_MESH, text, (uint16_t)(1000 + len), EG_PROTO_TCP);
	}
	image = compile(rules);
	assert_int_equal(image->tables[EG_TABLE_PREFIXES].count, 128);
	assert_int_equal(image->tables[EG_TABLE_EXACT].count, 1);
	assert_int_equal(image->tables[EG_TABLE_PORTS].count, 129 * 130 / 2);
	innermost = &entry_of(image, 1, "fd00:1:2:3:4:5:6:7")->classes[EG_CLASS_MESH];
	for (uint32_t len = 0; len <= 128; len++)
		assert_int_equal(port_protocols(image, innermost->ports, 1000 + len), EG_PROTO_TCP);
}

static void shuffle_rules(struct generator *generator, struct eg_ruleset *rules)
{
	for (size_t i = 0; i < rules->scopes.len; i++) {
		struct eg_rule *items = rules->scopes.items[i]->rules.items;

		for (size_t left = rules->scopes.items[i]->rules.len; left > 1; left--) {
			size_t other = generate_below(generator, (uint32_t)left);
			struct eg_rule taken = items[left - 1];

			items[left - 1] = items[other];
			items[other] = taken;
		}
	}
}

static void the_order_of_rules_does_not_change_a_byte(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 300; seed++) {
		struct generator generator = generator_new(seed);
		_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = generate_ruleset(&generator);
		_cleanup_(eg_image_freep) struct eg_image *image = compile(rules), *again = compile(rules);
		_cleanup_(eg_image_freep) struct eg_image *shuffled = NULL;

		assert_images_equal(image, again);
		shuffle_rules(&generator, rules);
		shuffled = compile(rules);
		assert_images_equal(image, shuffled);
	}
}

static void tables_are_sorted_by_key_and_no_key_comes_twice(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 300; seed++) {
		struct generator generator = generator_new(seed);
		_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = generate_ruleset(&generator);
		_cleanup_(eg_image_freep) struct eg_image *image = compile(rules);

		for (int i = 0; i < EG_TABLE_COUNT; i++) {
			const struct eg_table_image *table = &image->tables[i];
			const char *keys = table->keys;

			for (size_t j = 1; j < table->count; j++)
				assert_true(memcmp(keys + (j - 1) * table->key_size, keys + j * table->key_size,
						   table->key_size) < 0);
		}
	}
}

/* A ruleset that needs just two entries in each of its tables, the reserved slot included. */
static struct eg_ruleset *two_of_each(void)
{
	struct eg_ruleset *rules = new_rules();
	struct eg_scope *scope = add_scope(rules);

	add_subject(rules, scope, NULL);
	add_rule(scope, EG_CLASS_MESH, "10.0.0.1", 80, EG_PROTO_TCP);
	add_rule(scope, EG_CLASS_MESH, "10.0.0.2", 80, EG_PROTO_TCP);
	add_rule(scope, EG_CLASS_MESH, "11.0.0.0/8", 81, EG_PROTO_TCP);
	add_rule(scope, EG_CLASS_MESH, "12.0.0.0/8", 81, EG_PROTO_TCP);
	return rules;
}

static void a_table_that_is_just_large_enough_is_taken(void **state)
{
	const struct eg_capacity capacity = {.max_entries = {2, 2, 2, 2}};
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = two_of_each();
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	struct eg_diag diag = {};

	(void)state;
	assert_int_equal(eg_image_compile(rules, &capacity, &diag, &image), 0);
	assert_int_equal(diag.findings.len, 0);
	assert_int_equal(image->tables[EG_TABLE_WORKLOADS].count, 1);
	for (int i = EG_TABLE_EXACT; i < EG_TABLE_COUNT; i++)
		assert_int_equal(image->tables[i].count, 2);
	eg_diag_clear(&diag);
}

static void a_table_too_small_is_enospc_and_named_with_its_numbers(void **state)
{
	static const char *const texts[EG_TABLE_COUNT] = {
		"the policy needs at least 2 entries in the table of workload slots, which holds 1",
		"the policy needs at least 2 entries in the table of single addresses, which holds 1",
		"the policy needs at least 2 entries in the table of prefixes, which holds 1",
		"the policy needs at least 2 entries in the table of ports, which holds 1",
	};
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = two_of_each();

	(void)state;
	for (int i = 0; i < EG_TABLE_COUNT; i++) {
		struct eg_capacity capacity = {.max_entries = {2, 2, 2, 2}};
		struct eg_image *image = NULL;
		struct eg_diag diag = {};

		capacity.max_entries[i] = 1;
		assert_int_equal(eg_image_compile(rules, &capacity, &diag, &image), -ENOSPC);
		assert_null(image);
		assert_int_equal(diag.findings.len, 1);
		assert_true(eg_diag_has_errors(&diag));
		assert_int_equal(diag.findings.items[0].severity, EG_SEVERITY_ERROR);
		assert_string_equal(diag.findings.items[0].text, texts[i]);
		eg_diag_clear(&diag);
	}
}

static void all_tables_too_small_are_named_in_one_run(void **state)
{
	const struct eg_capacity capacity = {.max_entries = {1, 1, 1, 2}};
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = two_of_each();
	struct eg_image *image = NULL;
	struct eg_diag diag = {};

	(void)state;
	assert_int_equal(eg_image_compile(rules, &capacity, &diag, &image), -ENOSPC);
	assert_int_equal(diag.errors, 3);
	eg_diag_clear(&diag);
}

static void a_slot_at_the_end_of_the_table_does_not_fit_however_few_there_are(void **state)
{
	struct eg_capacity capacity = roomy;
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = two_of_each();
	struct eg_image *image = NULL;
	struct eg_diag diag = {};

	(void)state;
	rules->subjects.items[0]->slot = 16;
	capacity.max_entries[EG_TABLE_WORKLOADS] = 16;
	assert_int_equal(eg_image_compile(rules, &capacity, &diag, &image), -ENOSPC);
	capacity.max_entries[EG_TABLE_WORKLOADS] = 17;
	assert_int_equal(eg_image_compile(rules, &capacity, &diag, &image), 0);
	eg_image_free(image);
	eg_diag_clear(&diag);
}

enum {
	RULESETS = 12000,
	FLOWS = 40
};

/* How many pairs had each reason: a reason that hardly comes up would not have been compared. */
static void compare_ruleset(uint64_t seed, unsigned long counts[EG_REASON_COUNT])
{
	struct generator generator = generator_new(seed);
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = generate_ruleset(&generator);
	_cleanup_(eg_image_freep) struct eg_image *image = compile(rules);

	for (int i = 0; i < FLOWS; i++) {
		const struct eg_subject *subject = generate_subject(&generator, rules);
		struct eg_flow flow = generate_flow(&generator, subject);
		struct eg_decision expected = eg_eval(subject, &flow, NULL);
		/* No ruleset gives this slot to anyone. */
		struct eg_decision actual = interpret_image(image, subject ? subject->slot : GENERATE_SLOTS_MAX, &flow);

		if (memcmp(&actual, &expected, sizeof(actual)) != 0) {
			generate_print(stderr, &generator, subject, &flow);
			fail_msg("the rules say reason %u errno %u, the image reason %u errno %u", expected.reason,
				 expected.block_errno, actual.reason, actual.block_errno);
		}
		counts[expected.reason]++;
	}
}

static void an_image_decides_as_the_rules_do(void **state)
{
	static const char *const names[] = {
#define REASON_NAME(id, field, name, verdict, text) name,
		EG_REASONS (REASON_NAME)
#undef REASON_NAME
	};
	unsigned long counts[EG_REASON_COUNT] = {}, pairs = (unsigned long)RULESETS * FLOWS;

	(void)state;
	for (uint64_t seed = 1; seed <= RULESETS; seed++)
		compare_ruleset(seed, counts);
	print_message("%lu pairs\n", pairs);
	for (int i = 0; i < EG_REASONS_DECIDED; i++) {
		print_message("  %-24s %lu\n", names[i], counts[i]);
		assert_true(counts[i] > pairs / 50);
	}
}

enum {
	MANY = 100000
};

/* 100,000 addresses and 100,000 prefixes, all of them inside one that excludes a port. */
static struct eg_ruleset *many_rules(void)
{
	struct eg_ruleset *rules = new_rules();
	struct eg_scope *scope = add_scope(rules);

	add_subject(rules, scope, NULL);
	add_rule(scope, EG_CLASS_RULE, "0.0.0.0/0", 22, EG_PROTO_TCP | EG_PROTO_UDP);
	for (uint32_t i = 0; i < MANY; i++) {
		struct eg_rule rule = {.class = EG_CLASS_MESH, .protocols = EG_PROTO_TCP};

		rule.port = (uint16_t)(1 + i % 50);
		rule.prefix = (struct eg_prefix){EG_FAMILY_IPV4, 32, {.word_be = {htonl(0x0a000000 + i)}}};
		assert_int_equal(eg_array_push(&scope->rules, rule), 0);
		rule.class = EG_CLASS_MATCHED;
		rule.port = (uint16_t)(1 + i % 3000);
		rule.prefix = (struct eg_prefix){EG_FAMILY_IPV4, 28, {.word_be = {htonl(0xc0000000 + i * 16)}}};
		assert_int_equal(eg_array_push(&scope->rules, rule), 0);
	}
	return rules;
}

static const struct eg_rules *find_sorted(const struct eg_table_image *table, const void *key)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = memcmp((const char *)table->keys + middle * table->key_size, key, table->key_size);

		if (order == 0)
			return (const struct eg_rules *)table->values + middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void assert_entry_of_many(const struct eg_image *image, const struct eg_rules *entry, enum eg_class class,
				 uint32_t port)
{
	assert_non_null(entry);
	assert_int_equal(port_protocols(image, entry->classes[class].ports, port), EG_PROTO_TCP);
	assert_int_equal(port_protocols(image, entry->classes[class].ports, port + 1), 0);
	assert_int_equal(port_protocols(image, entry->classes[EG_CLASS_RULE].ports, 22), EG_PROTO_TCP | EG_PROTO_UDP);
}

static void a_hundred_thousand_addresses_and_as_many_prefixes_compile(void **state)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = many_rules();
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	clock_t start = clock();

	(void)state;
	image = compile(rules);
	print_message("%d addresses and %d prefixes: %.0f ms\n", MANY, MANY,
		      1e3 * (double)(clock() - start) / CLOCKS_PER_SEC);
	assert_int_equal(image->tables[EG_TABLE_EXACT].count, MANY);
	assert_int_equal(image->tables[EG_TABLE_PREFIXES].count, MANY + 1);
	/* The first 50 ports of both classes share their sets. */
	assert_int_equal(image->tables[EG_TABLE_PORTS].count, 3000 + 1);
	for (uint32_t i = 0; i < MANY; i += 97) {
		struct eg_prefix_key key = {64 + 28, {1, EG_FAMILY_IPV4, {.word_be = {htonl(0xc0000000 + i * 16)}}}};
		struct eg_addr_key exact = {1, EG_FAMILY_IPV4, {.word_be = {htonl(0x0a000000 + i)}}};

		assert_entry_of_many(image, find_sorted(&image->tables[EG_TABLE_EXACT], &exact), EG_CLASS_MESH,
				     1 + i % 50);
		assert_entry_of_many(image, find_sorted(&image->tables[EG_TABLE_PREFIXES], &key), EG_CLASS_MATCHED,
				     1 + i % 3000);
	}
}

static void the_shortest_timeout_is_that_of_any_workload_family_and_kind(void **state)
{
	struct eg_ruleset *rules = new_rules();
	struct eg_scope *mesh = add_scope(rules);
	struct eg_subject *one = add_subject(rules, mesh, NULL), *other = add_subject(rules, mesh, NULL);
	__u64 *timeouts[] = {&one->ipv4.idle_timeout_ms, &one->ipv6.idle_timeout_ms, &other->ipv4.max_duration_ms,
				&other->ipv6.max_duration_ms};
	struct eg_image *image;

	(void)state;
	one->ipv4.idle_timeout_ms = one->ipv6.idle_timeout_ms = 0;
	other->ipv4.idle_timeout_ms = other->ipv6.idle_timeout_ms = 0;
	image = compile(rules);
	assert_int_equal(eg_image_shortest_timeout_ms(image), 0);
	eg_image_free(image);
	for (size_t i = 0; i < EG_COUNT_OF(timeouts); i++) {
		*timeouts[i] = 9000 - i;
		image = compile(rules);
		assert_int_equal(eg_image_shortest_timeout_ms(image), 9000 - i);
		eg_image_free(image);
	}
	*timeouts[0] = 500;
	image = compile(rules);
	assert_int_equal(eg_image_shortest_timeout_ms(image), 500);
	eg_image_free(image);
	eg_ruleset_free(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_ruleset_gives_the_image_of_an_empty_bank),
		cmocka_unit_test(a_workload_without_rules_is_an_entry_by_its_slot),
		cmocka_unit_test(audit_mode_is_a_flag_and_keeps_limits_but_no_timeouts),
		cmocka_unit_test(single_addresses_are_exact_and_everything_shorter_is_a_prefix),
		cmocka_unit_test(a_longer_prefix_never_hides_a_shorter_ones_ports),
		cmocka_unit_test(ports_that_every_port_includes_are_left_out),
		cmocka_unit_test(equal_port_sets_are_one_across_scopes_and_classes),
		cmocka_unit_test(a_great_set_is_inherited_with_what_is_added_to_it),
		cmocka_unit_test(a_great_set_is_not_put_together_for_each_address),
		cmocka_unit_test(port_sets_whose_hashes_collide_stay_apart),
		cmocka_unit_test(nothing_is_inherited_from_another_scope_or_family),
		cmocka_unit_test(the_deepest_chain_of_prefixes_inherits_all_the_way),
		cmocka_unit_test(the_order_of_rules_does_not_change_a_byte),
		cmocka_unit_test(tables_are_sorted_by_key_and_no_key_comes_twice),
		cmocka_unit_test(a_table_that_is_just_large_enough_is_taken),
		cmocka_unit_test(a_table_too_small_is_enospc_and_named_with_its_numbers),
		cmocka_unit_test(all_tables_too_small_are_named_in_one_run),
		cmocka_unit_test(a_slot_at_the_end_of_the_table_does_not_fit_however_few_there_are),
		cmocka_unit_test(an_image_decides_as_the_rules_do),
		cmocka_unit_test(the_shortest_timeout_is_that_of_any_workload_family_and_kind),
		cmocka_unit_test(a_hundred_thousand_addresses_and_as_many_prefixes_compile),
	};

	return cmocka_run_group_tests_name("compile", tests, NULL, NULL);
}
