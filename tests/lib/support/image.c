/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "image.h"

#include "../../bpf/support.h"

#include <arpa/inet.h>

#include "base/diag.h"

struct eg_prefix prefix_of(const char *text)
{
	struct eg_prefix prefix;

	assert_int_equal(eg_prefix_parse(text, &prefix), 0);
	return prefix;
}

struct eg_prefix prefix_of_ipv4(uint32_t address)
{
	return (struct eg_prefix){EG_FAMILY_IPV4, 32, {{htonl(address)}}};
}

void scope_add(struct eg_scope *scope, enum eg_class class, struct eg_prefix prefix, uint16_t port, uint32_t protocols)
{
	struct eg_rule rule = {.class = class, .prefix = prefix, .port = port, .protocols = protocols};

	assert_int_equal(eg_array_push(&scope->rules, rule), 0);
}

struct eg_datapath *datapath_load_leases(uint32_t slots, size_t capacity, uint32_t leases)
{
	struct eg_datapath_options options = {
		.slots = slots,
		.capacity = {.max_entries = {0, capacity, capacity, capacity}},
		.destinations = 16,
		.leases = leases,
		.destination_quota = 16,
	};
	struct eg_datapath *datapath = NULL;
	char *problem = NULL;

	skip_unless_root();
	assert_int_equal(eg_datapath_load(&options, &datapath, &problem), 0);
	return datapath;
}

struct eg_datapath *datapath_load(uint32_t slots, size_t capacity)
{
	return datapath_load_leases(slots, capacity, 1 << 14);
}

struct eg_subject subject_of(uint32_t slot, const struct eg_scope *mesh)
{
	return (struct eg_subject){
		.name = "subject",
		.mesh = "default",
		.slot = slot,
		.block_errno = EPERM,
		.breaker_errno = ECONNREFUSED,
		.retry_window_ms = EG_DEFAULT_RETRY_WINDOW_MS,
		.ipv4 = EG_DEFAULT_CLUSTER,
		.ipv6 = EG_DEFAULT_CLUSTER,
		.mesh_scope = mesh,
	};
}

/* The compiler takes pointers to what it may change: copies. */
static struct eg_scope *add_scope(struct eg_ruleset *rules, const struct eg_scope *scope)
{
	struct eg_scope *copy = eg_arena_alloc(&rules->arena, sizeof(*copy));

	assert_non_null(copy);
	*copy = *scope;
	assert_int_equal(eg_array_push(&rules->scopes, copy), 0);
	return copy;
}

static void add_subject(struct eg_ruleset *rules, const struct eg_subject *subject)
{
	struct eg_subject *copy = eg_arena_alloc(&rules->arena, sizeof(*copy));

	assert_non_null(copy);
	*copy = *subject;
	copy->mesh_scope = add_scope(rules, subject->mesh_scope);
	if (subject->own_scope)
		copy->own_scope = add_scope(rules, subject->own_scope);
	assert_int_equal(eg_array_push(&rules->subjects, copy), 0);
}

struct eg_image *image_of_all(const struct eg_subject *subjects, size_t count)
{
	struct eg_capacity capacity = eg_datapath_max_capacity();
	struct eg_ruleset rules = {};
	struct eg_image *image = NULL;
	struct eg_diag diag = {};

	for (size_t i = 0; i < count; i++)
		add_subject(&rules, &subjects[i]);
	assert_int_equal(eg_image_compile(&rules, &capacity, &diag, &image), 0);
	eg_diag_clear(&diag);
	eg_array_clear(&rules.scopes);
	eg_array_clear(&rules.subjects);
	eg_arena_clear(&rules.arena);
	return image;
}

struct eg_image *image_of(const struct eg_subject *subject)
{
	return image_of_all(subject, 1);
}

void image_apply(struct eg_datapath *datapath, const struct eg_subject *subject)
{
	struct eg_image *image = image_of(subject);

	assert_int_equal(eg_datapath_apply(datapath, &image), 0);
}
