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

struct eg_datapath *datapath_load(uint32_t slots, size_t capacity)
{
	struct eg_datapath_options options = {
		.slots = slots,
		.capacity = {.max_entries = {0, capacity, capacity, capacity}},
		.destinations = 16,
		.destination_quota = 16,
	};
	struct eg_datapath *datapath = NULL;
	char *problem = NULL;

	skip_unless_root();
	assert_int_equal(eg_datapath_load(&options, &datapath, &problem), 0);
	return datapath;
}

struct eg_subject subject_of(uint32_t slot, const struct eg_scope *mesh)
{
	return (struct eg_subject){
		.name = "subject",
		.mesh = "default",
		.slot = slot,
		.block_errno = EPERM,
		.breaker_errno = ECONNREFUSED,
		.ipv4 = EG_DEFAULT_CLUSTER,
		.ipv6 = EG_DEFAULT_CLUSTER,
		.mesh_scope = mesh,
	};
}

struct eg_image *image_of(const struct eg_subject *subject)
{
	struct eg_capacity capacity = eg_datapath_max_capacity();
	struct eg_scope mesh = *subject->mesh_scope, own = {};
	struct eg_scope *scopes[] = {&mesh, &own};
	struct eg_subject copy = *subject;
	struct eg_subject *subjects[] = {&copy};
	struct eg_ruleset rules = {
		.scopes = {.items = scopes, .len = 1, .capacity = 2},
		.subjects = {.items = subjects, .len = 1, .capacity = 1},
	};
	struct eg_image *image = NULL;
	struct eg_diag diag = {};

	copy.mesh_scope = &mesh;
	if (subject->own_scope) {
		own = *subject->own_scope;
		copy.own_scope = &own;
		rules.scopes.len = 2;
	}
	assert_int_equal(eg_image_compile(&rules, &capacity, &diag, &image), 0);
	eg_diag_clear(&diag);
	return image;
}

void image_apply(struct eg_datapath *datapath, const struct eg_subject *subject)
{
	struct eg_image *image = image_of(subject);

	assert_int_equal(eg_datapath_apply(datapath, &image), 0);
}
