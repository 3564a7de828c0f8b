/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/support/generate.h"
#include "../lib/support/policy.h"
#include "base/cleanup.h"
#include "policy/cluster.h"
#include "policy/diff.h"

static struct eg_image *compile(const struct eg_ruleset *rules)
{
	static const struct eg_capacity roomy = {.max_entries = {1u << 20, 1u << 20, 1u << 20, 1u << 20}};
	struct eg_image *image = NULL;
	struct eg_diag diag = {};

	assert_int_equal(eg_image_compile(rules, &roomy, &diag, &image), 0);
	return image;
}

static struct eg_image *generate_image(struct generator *generator)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = generate_ruleset(generator);

	return compile(rules);
}

static struct eg_diff *diff(const struct eg_image *from, const struct eg_image *to)
{
	struct eg_diff *result = NULL;

	assert_int_equal(eg_image_diff(from, to, &result), 0);
	return result;
}

static const char *key_at(const struct eg_table_image *table, size_t i)
{
	return (const char *)table->keys + i * table->key_size;
}

static const char *value_at(const struct eg_table_image *table, size_t i)
{
	return (const char *)table->values + i * table->value_size;
}

/* The index of a key, or count. */
static size_t index_of(const struct eg_table_image *table, const char *key)
{
	size_t i;

	for (i = 0; i < table->count; i++)
		if (memcmp(key_at(table, i), key, table->key_size) == 0)
			break;
	return i;
}

static size_t count_changes(const struct eg_diff *changes)
{
	size_t count = 0;

	for (int i = 0; i < EG_TABLE_COUNT; i++)
		count += changes->tables[i].put.count + changes->tables[i].remove.count;
	return count;
}

/* Every put is in `to` and differs from `from`, every removal is in `from` alone. */
static void assert_only_changes(const struct eg_table_image *from, const struct eg_table_image *to,
				const struct eg_table_diff *changes)
{
	for (size_t i = 0; i < changes->put.count; i++) {
		size_t old = index_of(from, key_at(&changes->put, i)), new = index_of(to, key_at(&changes->put, i));

		assert_true(new < to->count);
		assert_memory_equal(value_at(&changes->put, i), value_at(to, new), to->value_size);
		if (old < from->count)
			assert_memory_not_equal(value_at(from, old), value_at(to, new), to->value_size);
	}
	for (size_t i = 0; i < changes->remove.count; i++) {
		assert_true(index_of(from, key_at(&changes->remove, i)) < from->count);
		assert_int_equal(index_of(to, key_at(&changes->remove, i)), to->count);
	}
}

/* Whatever the two tables do not agree on is in the lists. */
static void assert_all_changes(const struct eg_table_image *from, const struct eg_table_image *to,
			       const struct eg_table_diff *changes)
{
	size_t same = 0;

	for (size_t i = 0; i < to->count; i++) {
		size_t old = index_of(from, key_at(to, i));

		if (old < from->count && memcmp(value_at(from, old), value_at(to, i), to->value_size) == 0)
			same++;
		else
			assert_true(index_of(&changes->put, key_at(to, i)) < changes->put.count);
	}
	assert_int_equal(changes->put.count, to->count - same);
	for (size_t i = 0; i < from->count; i++)
		if (index_of(to, key_at(from, i)) == to->count)
			assert_true(index_of(&changes->remove, key_at(from, i)) < changes->remove.count);
}

static void equal_images_have_no_difference(void **state)
{
	struct generator generator = generator_new(1);
	_cleanup_(eg_image_freep) struct eg_image *image = generate_image(&generator), *empty = eg_image_new();
	_cleanup_(eg_diff_freep) struct eg_diff *same = diff(image, image), *nothing = NULL;

	(void)state;
	nothing = diff(empty, empty);
	assert_int_equal(count_changes(same), 0);
	assert_int_equal(count_changes(nothing), 0);
}

static void from_an_empty_bank_everything_is_put_and_to_one_everything_is_removed(void **state)
{
	struct generator generator = generator_new(2);
	_cleanup_(eg_image_freep) struct eg_image *image = generate_image(&generator), *empty = eg_image_new();
	_cleanup_(eg_diff_freep) struct eg_diff *fill = diff(empty, image), *clear = diff(image, empty);

	(void)state;
	for (int i = 0; i < EG_TABLE_COUNT; i++) {
		const struct eg_table_image *table = &image->tables[i];

		assert_true(table->count > 0);
		assert_int_equal(fill->tables[i].put.count, table->count);
		assert_int_equal(fill->tables[i].put.key_size, table->key_size);
		assert_int_equal(fill->tables[i].put.value_size, table->value_size);
		assert_int_equal(fill->tables[i].remove.count, 0);
		assert_memory_equal(fill->tables[i].put.keys, table->keys, table->count * table->key_size);
		assert_memory_equal(fill->tables[i].put.values, table->values, table->count * table->value_size);
		assert_int_equal(clear->tables[i].put.count, 0);
		assert_int_equal(clear->tables[i].remove.count, table->count);
		assert_memory_equal(clear->tables[i].remove.keys, table->keys, table->count * table->key_size);
	}
}

static void a_difference_is_all_that_changed_and_nothing_else(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 300; seed++) {
		struct generator generator = generator_new(seed);
		_cleanup_(eg_image_freep) struct eg_image *from = generate_image(&generator), *to = NULL;
		_cleanup_(eg_diff_freep) struct eg_diff *changes = NULL;

		to = generate_image(&generator);
		changes = diff(from, to);
		for (int i = 0; i < EG_TABLE_COUNT; i++) {
			assert_only_changes(&from->tables[i], &to->tables[i], &changes->tables[i]);
			assert_all_changes(&from->tables[i], &to->tables[i], &changes->tables[i]);
		}
	}
}

/* One mesh with an address for each number and ports that differ. */
static struct eg_ruleset *mesh_of(uint32_t addresses)
{
	struct eg_ruleset *rules = calloc(1, sizeof(*rules));
	struct eg_scope *scope;

	assert_non_null(rules);
	scope = eg_arena_alloc(&rules->arena, sizeof(*scope));
	assert_non_null(scope);
	assert_int_equal(eg_array_push(&rules->scopes, scope), 0);
	scope->id = 1;
	for (uint32_t i = 0; i < addresses; i++)
		assert_int_equal(eg_array_push(&scope->rules, {EG_CLASS_MESH,
							       {EG_FAMILY_IPV4, 32, {{htonl(0x0a000000 + i)}}},
							       (uint16_t)(1 + i),
							       EG_PROTO_TCP,
							       {}}),
				 0);
	return rules;
}

static void a_new_port_in_front_of_a_thousand_others_is_two_entries(void **state)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = mesh_of(1000);
	_cleanup_(eg_image_freep) struct eg_image *before = compile(rules), *after = NULL;
	_cleanup_(eg_diff_freep) struct eg_diff *changes = NULL;

	(void)state;
	assert_int_equal(
		eg_array_push(&rules->scopes.items[0]->rules,
			      {EG_CLASS_MESH, {EG_FAMILY_IPV4, 32, {{htonl(0x01000000)}}}, 40000, EG_PROTO_TCP, {}}),
		0);
	after = compile(rules);
	changes = diff(before, after);
	assert_int_equal(changes->tables[EG_TABLE_EXACT].put.count, 1);
	assert_int_equal(changes->tables[EG_TABLE_PORTS].put.count, 1);
	assert_int_equal(count_changes(changes), 2);
}

static void passthrough_switched_is_one_entry_for_each_workload(void **state)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = mesh_of(1000);
	_cleanup_(eg_image_freep) struct eg_image *before = NULL, *after = NULL;
	_cleanup_(eg_diff_freep) struct eg_diff *changes = NULL;
	struct eg_subject subject = {.slot = 1, .passthrough = true, .block_errno = 1};
	struct eg_workload_policy value;

	(void)state;
	subject.mesh_scope = rules->scopes.items[0];
	assert_int_equal(eg_array_push(&rules->subjects, &subject), 0);
	before = compile(rules);
	subject.passthrough = false;
	after = compile(rules);
	changes = diff(before, after);
	assert_int_equal(count_changes(changes), 1);
	assert_int_equal(changes->tables[EG_TABLE_WORKLOADS].put.count, 1);
	memcpy(&value, changes->tables[EG_TABLE_WORKLOADS].put.values, sizeof(value));
	assert_int_equal(value.flags, EG_WORKLOAD_PRESENT | EG_WORKLOAD_GUARDED);
}

static void a_threshold_or_timeout_that_changed_is_one_entry_of_its_workload(void **state)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = mesh_of(1);
	_cleanup_(eg_image_freep) struct eg_image *before = NULL;
	struct eg_subject subject = {.slot = 1, .ipv4 = EG_DEFAULT_CLUSTER, .ipv6 = EG_DEFAULT_CLUSTER};

	(void)state;
	subject.mesh_scope = rules->scopes.items[0];
	assert_int_equal(eg_array_push(&rules->subjects, &subject), 0);
	before = compile(rules);
	for (enum eg_setting setting = 0; setting < EG_SETTING_COUNT; setting++) {
		_cleanup_(eg_image_freep) struct eg_image *after = NULL;
		_cleanup_(eg_diff_freep) struct eg_diff *changes = NULL;
		struct eg_origin origins[EG_SETTING_COUNT];
		struct eg_settings settings = {};
		struct eg_workload_policy value;

		settings.numbers[setting] = (struct eg_optional_number){.is_set = true, .value = 77};
		subject.ipv6 = (struct eg_cluster_policy)EG_DEFAULT_CLUSTER;
		eg_cluster_apply(&subject.ipv6, origins, &settings);
		after = compile(rules);
		changes = diff(before, after);
		assert_int_equal(count_changes(changes), 1);
		memcpy(&value, changes->tables[EG_TABLE_WORKLOADS].put.values, sizeof(value));
		assert_int_equal(eg_cluster_get(&value.ipv6, setting), 77);
		assert_memory_equal(&value.ipv4, &subject.ipv4, sizeof(value.ipv4));
	}
}

/* --- from documents --- */

#define INBOUNDS 10

/* Dataplanes with ten ports each, which no other has; `other` has another one in their place. */
static char *write_dataplanes(unsigned int count, unsigned int other)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	fputs("type: Workload\nname: shop\ncgroup: /shop\n", out);
	for (unsigned int i = 0; i < count; i++) {
		fprintf(out, "---\ntype: Dataplane\nname: d%u\nnetworking:\n  address: 10.0.%u.%u\n  inbound:\n", i,
			i / 256, i % 256);
		for (unsigned int port = 0; port < INBOUNDS; port++)
			fprintf(out, "  - {port: %u, tags: {kuma.io/service: s}}\n",
				i == other && port == 0 ? 1 : 10000 + i + 5000 * port);
	}
	assert_int_equal(fclose(out), 0);
	return text;
}

static struct eg_image *compile_dataplanes(unsigned int count, unsigned int other)
{
	char *text = write_dataplanes(count, other);
	struct case_of of = case_new(text, NULL);
	struct eg_image *image = compile(of.rules);

	case_free(&of);
	free(text);
	return image;
}

static void another_port_of_a_dataplane_is_as_many_entries_however_many_dataplanes_there_are(void **state)
{
	static const unsigned int counts[] = {3, 100, 5000};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(counts); i++) {
		_cleanup_(eg_image_freep) struct eg_image *before = compile_dataplanes(counts[i], counts[i]);
		_cleanup_(eg_image_freep) struct eg_image *after = compile_dataplanes(counts[i], counts[i] / 2);
		_cleanup_(eg_diff_freep) struct eg_diff *changes = diff(before, after);

		assert_int_equal(before->tables[EG_TABLE_EXACT].count, counts[i]);
		assert_int_equal(before->tables[EG_TABLE_PORTS].count, INBOUNDS * counts[i]);
		/* Its address names another set of ports, which comes whole in the place of the old one. */
		assert_int_equal(changes->tables[EG_TABLE_EXACT].put.count, 1);
		assert_int_equal(changes->tables[EG_TABLE_PORTS].put.count, INBOUNDS);
		assert_int_equal(changes->tables[EG_TABLE_PORTS].remove.count, INBOUNDS);
		assert_int_equal(count_changes(changes), 1 + 2 * INBOUNDS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_images_have_no_difference),
		cmocka_unit_test(from_an_empty_bank_everything_is_put_and_to_one_everything_is_removed),
		cmocka_unit_test(a_difference_is_all_that_changed_and_nothing_else),
		cmocka_unit_test(a_new_port_in_front_of_a_thousand_others_is_two_entries),
		cmocka_unit_test(passthrough_switched_is_one_entry_for_each_workload),
		cmocka_unit_test(a_threshold_or_timeout_that_changed_is_one_entry_of_its_workload),
		cmocka_unit_test(another_port_of_a_dataplane_is_as_many_entries_however_many_dataplanes_there_are),
	};

	return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}
