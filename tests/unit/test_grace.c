/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* When a policy that comes in the place of another gives open connections time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "policy/grace.h"

#define GUARDED (EG_WORKLOAD_PRESENT | EG_WORKLOAD_GUARDED)
#define OPEN (EG_WORKLOAD_PRESENT | EG_WORKLOAD_PASSTHROUGH)
#define NOW_NS UINT64_C(1000000000000)
#define GRACE_MS 2000u
#define GRANTED_NS (NOW_NS + GRACE_MS * UINT64_C(1000000))
#define EARLIER_NS (NOW_NS - 5)

struct workload_entry {
	uint32_t slot;
	struct eg_workload_policy policy;
};

struct exact_entry {
	struct eg_addr_key key;
	struct eg_rules rules;
};

/* Slot 1 with these flags, and an address in its mesh's scope that these protocols may reach; 0: none. */
static struct eg_image *image_with(uint32_t flags, uint32_t protocols, uint64_t until_ns)
{
	struct workload_entry workload = {
		.slot = 1,
		.policy = {.flags = flags, .mesh_scope = 1, .grace_ms = GRACE_MS, .grace_until_ns = until_ns},
	};
	struct exact_entry exact = {
		.key = {.scope = 1, .family = EG_FAMILY_IPV4, .addr = {{7}}},
		.rules = {.classes = {[EG_CLASS_MESH] = {.any_port = protocols}}},
	};
	/* The key's end is not the value's beginning where that is aligned to more. */
	char entry[sizeof(uint32_t) + sizeof(workload.policy)];
	struct eg_image *image = eg_image_new();

	assert_non_null(image);
	memcpy(entry, &workload.slot, sizeof(uint32_t));
	memcpy(entry + sizeof(uint32_t), &workload.policy, sizeof(workload.policy));
	assert_int_equal(eg_table_fill(&image->tables[EG_TABLE_WORKLOADS], entry, 1), 0);
	if (protocols)
		assert_int_equal(eg_table_fill(&image->tables[EG_TABLE_EXACT], &exact, 1), 0);
	return image;
}

/* Until when slot 1 has time once `image` is in the place of `before`; both are freed. */
static uint64_t granted(struct eg_image *image, struct eg_image *before, const bool *fresh)
{
	uint64_t until_ns;

	eg_image_grant_grace(image, before, fresh, NOW_NS);
	until_ns = ((const struct eg_workload_policy *)image->tables[EG_TABLE_WORKLOADS].values)->grace_until_ns;
	eg_image_free(image);
	eg_image_free(before);
	return until_ns;
}

static void a_policy_that_forbids_more_gives_time(void **state)
{
	(void)state;
	assert_int_equal(granted(image_with(GUARDED, 0, 0), image_with(OPEN, 0, 0), NULL), GRANTED_NS);
	assert_int_equal(granted(image_with(GUARDED, 0, 0), image_with(GUARDED, EG_PROTO_TCP, 0), NULL), GRANTED_NS);
	assert_int_equal(granted(image_with(GUARDED, EG_PROTO_TCP, 0), image_with(GUARDED, EG_PROTO_ANY, 0), NULL),
			 GRANTED_NS);
}

static void one_that_forbids_no_more_gives_no_more_time(void **state)
{
	(void)state;
	assert_int_equal(granted(image_with(GUARDED, EG_PROTO_TCP, 0), image_with(GUARDED, EG_PROTO_TCP, EARLIER_NS), NULL),
			 EARLIER_NS);
	assert_int_equal(granted(image_with(GUARDED, EG_PROTO_TCP, 0), image_with(GUARDED, 0, EARLIER_NS), NULL),
			 EARLIER_NS);
	assert_int_equal(granted(image_with(OPEN, 0, 0), image_with(GUARDED, EG_PROTO_TCP, EARLIER_NS), NULL), 0);
}

static void a_workload_that_was_not_there_and_one_with_another_cgroup_have_time(void **state)
{
	bool fresh[EG_SLOTS_MAX] = {[1] = true};

	(void)state;
	assert_int_equal(granted(image_with(GUARDED, 0, 0), eg_image_new(), NULL), GRANTED_NS);
	assert_int_equal(granted(image_with(GUARDED, 0, 0), image_with(GUARDED, 0, EARLIER_NS), fresh), GRANTED_NS);
}

static void what_is_kept_has_five_seconds_at_least_to_be_marked(void **state)
{
	(void)state;
	assert_int_equal(granted(image_with(GUARDED | EG_WORKLOAD_KEEPS, 0, 0), image_with(OPEN, 0, 0), NULL),
			 NOW_NS + UINT64_C(5000000000));
}

static void the_next_grace_to_end_is_one_that_still_runs(void **state)
{
	struct eg_image *running = image_with(GUARDED, 0, GRANTED_NS), *over = image_with(GUARDED, 0, EARLIER_NS);

	(void)state;
	assert_int_equal(eg_image_next_grace_ns(running, NOW_NS), GRANTED_NS);
	assert_int_equal(eg_image_next_grace_ns(over, NOW_NS), 0);
	eg_image_free(running);
	eg_image_free(over);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_that_forbids_more_gives_time),
		cmocka_unit_test(one_that_forbids_no_more_gives_no_more_time),
		cmocka_unit_test(a_workload_that_was_not_there_and_one_with_another_cgroup_have_time),
		cmocka_unit_test(what_is_kept_has_five_seconds_at_least_to_be_marked),
		cmocka_unit_test(the_next_grace_to_end_is_one_that_still_runs),
	};

	return cmocka_run_group_tests_name("grace", tests, NULL, NULL);
}
