/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What is read back from an image decides as the rules that it was made from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "../lib/support/generate.h"
#include "base/cleanup.h"
#include "policy/decompile.h"
#include "policy/eval.h"

enum {
	RULESETS = 3000,
	FLOWS = 40
};

static struct eg_image *compile(const struct eg_ruleset *rules)
{
	const struct eg_capacity capacity = {.max_entries = {GENERATE_SLOTS_MAX + 1, 1 << 20, 1 << 20, 1 << 20}};
	struct eg_image *image = NULL;
	struct eg_diag diag = {};

	assert_int_equal(eg_image_compile(rules, &capacity, &diag, &image), 0);
	return image;
}

static const struct eg_subject *subject_of_slot(const struct eg_ruleset *rules, uint32_t slot)
{
	for (size_t i = 0; i < rules->subjects.len; i++)
		if (rules->subjects.items[i]->slot == slot)
			return rules->subjects.items[i];
	return NULL;
}

static void compare(uint64_t seed)
{
	struct generator generator = generator_new(seed);
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *written = generate_ruleset(&generator), *read = NULL;
	_cleanup_(eg_image_freep) struct eg_image *image = compile(written);

	assert_int_equal(eg_image_decompile(image, &read), 0);
	assert_int_equal(read->subjects.len, written->subjects.len);
	for (int i = 0; i < FLOWS; i++) {
		const struct eg_subject *subject = generate_subject(&generator, written);
		struct eg_flow flow = generate_flow(&generator, subject);
		struct eg_place wanted_place, place;
		struct eg_decision wanted = eg_eval_connect(subject, &flow, NULL, &wanted_place);
		struct eg_decision found = eg_eval_connect(subject ? subject_of_slot(read, subject->slot) : NULL, &flow,
							   NULL, &place);

		if (memcmp(&wanted, &found, sizeof(wanted)) == 0 && memcmp(&wanted_place, &place, sizeof(place)) == 0)
			continue;
		generate_print(stderr, &generator, subject, &flow);
		fail_msg("written: reason %u, read back: reason %u", wanted.reason, found.reason);
	}
}

static void rules_that_are_read_back_decide_as_those_that_were_written(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= RULESETS; seed++)
		compare(seed);
}

static void an_image_of_nothing_has_no_subject(void **state)
{
	_cleanup_(eg_image_freep) struct eg_image *image = eg_image_new();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;

	(void)state;
	assert_int_equal(eg_image_decompile(image, &rules), 0);
	assert_int_equal(rules->subjects.len + rules->scopes.len, 0);
}

/* The mesh's scope is never NULL, also when it has no rule and so no entry. */
static void a_subject_keeps_its_mode_its_limits_and_a_mesh(void **state)
{
	static const struct eg_scope empty = {.id = 7, .name = "default"};
	struct eg_subject subject = {
		.slot = 3,
		.mode = EG_MODE_AUDIT,
		.passthrough = true,
		.block_errno = 13,
		.breaker_errno = 111,
		.ipv4 = {.max_connections = 5, .connect_timeout_ms = 1},
		.mesh_scope = &empty,
	}, *subjects[] = {&subject};
	const struct eg_ruleset written = {.subjects = {.items = subjects, .len = 1}};
	_cleanup_(eg_image_freep) struct eg_image *image = compile(&written);
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *read = NULL;
	const struct eg_subject *found;

	(void)state;
	assert_int_equal(eg_image_decompile(image, &read), 0);
	found = subject_of_slot(read, 3);
	assert_non_null(found);
	assert_int_equal(found->mode, EG_MODE_AUDIT);
	assert_true(found->passthrough);
	assert_int_equal(found->block_errno, 13);
	assert_int_equal(found->breaker_errno, 111);
	assert_int_equal(found->ipv4.max_connections, 5);
	assert_int_equal(found->mesh_scope->rules.len, 0);
	assert_null(found->own_scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_that_are_read_back_decide_as_those_that_were_written),
		cmocka_unit_test(an_image_of_nothing_has_no_subject),
		cmocka_unit_test(a_subject_keeps_its_mode_its_limits_and_a_mesh),
	};

	return cmocka_run_group_tests_name("decompile", tests, NULL, NULL);
}
