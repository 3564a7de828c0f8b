/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workload/slots.h"

/* Slot 0 included: three can be given. */
#define SLOTS 4

/* Who has which slot, what the policy names, and which cgroups there are. */
struct node {
	struct eg_slot_info infos[SLOTS];
	struct eg_model *model;
	struct eg_instances instances;
	struct eg_slot_plans plans;
	char text[1024]; /* of the plans */
};

static int set_up(void **state)
{
	struct node *node = calloc(1, sizeof(*node));

	assert_non_null(node);
	node->model = eg_model_new();
	assert_non_null(node->model);
	*state = node;
	return 0;
}

static int tear_down(void **state)
{
	struct node *node = *state;

	eg_slot_plans_clear(&node->plans);
	/* Their texts are the tests' own. */
	eg_array_clear(&node->instances.list);
	eg_model_free(node->model);
	free(node);
	return 0;
}

static void has_slot(struct node *node, uint32_t slot, enum eg_slot_use use, const char *name, uint64_t cgroup_id)
{
	struct eg_slot_info *info = &node->infos[slot];

	*info = (struct eg_slot_info){.use = use, .cgroup_id = cgroup_id, .enrolled_ns = 100 + slot};
	strcpy(info->name, name);
	strcpy(info->mesh, "default");
	strcpy(info->cgroup, "/before");
}

static const struct eg_workload *add_workload(struct node *node, const char *name, const char *cgroup)
{
	struct eg_workload *workload = eg_arena_alloc(&node->model->arena, sizeof(*workload));

	assert_non_null(workload);
	workload->name = name;
	workload->mesh = "default";
	workload->cgroup = cgroup;
	assert_int_equal(eg_array_push(&node->model->workloads, workload), 0);
	return workload;
}

static void add_cgroup(struct node *node, const struct eg_workload *workload, const char *name, const char *cgroup,
		       uint64_t id)
{
	struct eg_instance instance = {workload, (char *)name, (char *)cgroup, id};

	assert_int_equal(eg_array_push(&node->instances.list, instance), 0);
}

static int plan(struct node *node)
{
	eg_slot_plans_clear(&node->plans);
	node->plans = (struct eg_slot_plans){};
	return eg_slots_plan(node->infos, SLOTS, node->model, &node->instances, &node->plans);
}

/* One line each: "SLOT STEP NAME CGROUP ID", with "-" where nobody's policy holds any more, and where counts are parked. */
static const char *plans(struct node *node)
{
	static const char *const steps[] = {
		[EG_STEP_KEEP] = "keep",
		[EG_STEP_ENROL] = "enrol",
		[EG_STEP_MOVE] = "move",
		[EG_STEP_RENAME] = "rename",
		[EG_STEP_LEAVE] = "leave",
	};
	size_t len = 0;

	assert_int_equal(plan(node), 0);
	node->text[0] = '\0';
	for (size_t i = 0; i < node->plans.list.len; i++) {
		const struct eg_slot_plan *item = &node->plans.list.items[i];

		len += (size_t)snprintf(node->text + len, sizeof(node->text) - len, "%u %s %s %s %llu%s", item->slot,
					steps[item->step], item->info.name, item->info.cgroup,
					(unsigned long long)item->info.cgroup_id, item->workload ? "" : " -");
		if (item->parking)
			len += (size_t)snprintf(node->text + len, sizeof(node->text) - len, " parked in %u", item->parking);
		len += (size_t)snprintf(node->text + len, sizeof(node->text) - len, "\n");
	}
	return node->text;
}

static void a_cgroup_that_is_still_there_keeps_its_slot_and_what_is_known_of_it(void **state)
{
	struct node *node = *state;

	has_slot(node, 2, EG_SLOT_ENROLLED, "web", 7);
	add_cgroup(node, add_workload(node, "web", "/web"), "web", "/web", 7);
	assert_string_equal(plans(node), "2 keep web /web 7\n");
	assert_int_equal(node->plans.list.items[0].info.enrolled_ns, 102);
	assert_int_equal(node->plans.list.items[0].info.use, EG_SLOT_ENROLLED);
}

static void a_cgroup_made_anew_under_its_name_takes_the_slot_over(void **state)
{
	struct node *node = *state;

	has_slot(node, 1, EG_SLOT_ENROLLED, "web:a", 7);
	add_cgroup(node, add_workload(node, "web", "/web/*"), "web:a", "/web/a", 8);
	assert_string_equal(plans(node), "1 move web:a /web/a 8\n");
}

static void new_cgroups_get_the_slots_that_are_free_in_the_order_of_their_names(void **state)
{
	struct node *node = *state;
	const struct eg_workload *web = add_workload(node, "web", "/web/*");

	has_slot(node, 2, EG_SLOT_ENROLLED, "web:b", 7);
	add_cgroup(node, web, "web:c", "/web/c", 9);
	add_cgroup(node, web, "web:b", "/web/b", 7);
	add_cgroup(node, web, "web:a", "/web/a", 8);
	assert_string_equal(plans(node), "2 keep web:b /web/b 7\n"
					 "1 enrol web:a /web/a 8\n"
					 "3 enrol web:c /web/c 9\n");
	assert_int_equal(node->plans.list.items[1].info.use, EG_SLOT_ENROLLED);
	assert_string_equal(node->plans.list.items[1].info.mesh, "default");
}

static struct eg_tag service(const char *value)
{
	return (struct eg_tag){EG_SERVICE_TAG, value};
}

static void add_dataplane_of(struct node *node, const char *mesh, const char *name, struct eg_tag *tag)
{
	struct eg_dataplane *dataplane = eg_arena_alloc(&node->model->arena, sizeof(*dataplane));
	struct eg_inbound inbound = {.port = 80, .tags = {tag, 1}};

	assert_non_null(dataplane);
	dataplane->name = name;
	dataplane->mesh = mesh;
	assert_int_equal(eg_array_push(&dataplane->inbounds, inbound), 0);
	assert_int_equal(eg_array_push(&node->model->dataplanes, dataplane), 0);
}

static void add_dataplane(struct node *node, const char *name, struct eg_tag *tag)
{
	add_dataplane_of(node, "default", name, tag);
}

static void a_slot_says_whose_dataplane_and_service_it_is(void **state)
{
	struct node *node = *state;
	struct eg_workload *web = (struct eg_workload *)add_workload(node, "web", "/web/*");
	struct eg_tag front = service("front");

	add_dataplane(node, "front-1", &front);
	web->dataplane = "front-1";
	add_cgroup(node, web, "web:a", "/web/a", 8);
	add_cgroup(node, add_workload(node, "lone", "/lone"), "lone", "/lone", 9);
	assert_int_equal(plan(node), 0);
	assert_string_equal(node->plans.list.items[0].info.name, "lone");
	assert_string_equal(node->plans.list.items[0].info.dataplane, "lone");
	assert_string_equal(node->plans.list.items[0].info.service, "lone");
	assert_string_equal(node->plans.list.items[1].info.name, "web:a");
	assert_string_equal(node->plans.list.items[1].info.dataplane, "front-1");
	assert_string_equal(node->plans.list.items[1].info.service, "front");
}

#define MANY 48

/* Names repeat, in two meshes; some are nobody's, and of two of a name the first counts. */
static void each_of_many_has_the_dataplane_that_its_workload_names(void **state)
{
	static const char *const meshes[] = {"default", "other"};
	static struct eg_slot_info infos[MANY + 1];
	static char names[MANY][8], dataplanes[MANY][8], services[MANY][24];
	static struct eg_tag tags[MANY];
	struct node *node = *state;

	for (size_t i = 0; i < MANY; i++) {
		struct eg_workload *workload;

		snprintf(names[i], sizeof(names[i]), "/w%zu", i);
		snprintf(dataplanes[i], sizeof(dataplanes[i]), "d%zu", i * 7 % 20);
		snprintf(services[i], sizeof(services[i]), "%s %s %zu", meshes[i % 2], dataplanes[i], i);
		tags[i] = service(services[i]);
		workload = (struct eg_workload *)add_workload(node, names[i] + 1, names[i]);
		workload->mesh = meshes[i / 2 % 2];
		workload->dataplane = i % 5 ? dataplanes[i] : NULL;
		add_cgroup(node, workload, names[i] + 1, names[i], i + 1);
		if (i % 3)
			add_dataplane_of(node, meshes[i % 2], dataplanes[i], &tags[i]);
	}
	assert_int_equal(eg_slots_plan(infos, MANY + 1, node->model, &node->instances, &node->plans), 0);
	assert_int_equal(node->plans.list.len, MANY);
	for (size_t i = 0; i < MANY; i++) {
		const struct eg_slot_plan *plan = &node->plans.list.items[i];
		const struct eg_workload *workload = plan->workload;
		const struct eg_dataplane *named =
			workload->dataplane ? eg_model_find_dataplane(node->model, workload->mesh, workload->dataplane) : NULL;

		assert_string_equal(plan->info.dataplane, named ? named->name : workload->name);
		assert_string_equal(plan->info.service,
				    named ? named->inbounds.items[0].tags.items[0].value : workload->name);
	}
}

static void a_workload_without_a_service_has_its_own_name_for_all_instances(void **state)
{
	struct node *node = *state;

	add_cgroup(node, add_workload(node, "web", "/web/*"), "web:a", "/web/a", 8);
	assert_int_equal(plan(node), 0);
	assert_string_equal(node->plans.list.items[0].info.dataplane, "web:a");
	assert_string_equal(node->plans.list.items[0].info.service, "web");
}

static void a_slot_that_is_kept_takes_another_service_over(void **state)
{
	struct node *node = *state;
	struct eg_workload *web = (struct eg_workload *)add_workload(node, "web", "/web");
	struct eg_tag tag = service("new"), inbound = service("not asked for");

	add_dataplane(node, "front-1", &inbound);
	web->dataplane = "front-1";
	web->tags = (struct eg_tags){&tag, 1};
	has_slot(node, 1, EG_SLOT_ENROLLED, "web", 7);
	strcpy(node->infos[1].service, "old");
	add_cgroup(node, web, "web", "/web", 7);
	assert_string_equal(plans(node), "1 keep web /web 7\n");
	assert_string_equal(node->plans.list.items[0].info.service, "new");
}

static void an_instance_whose_cgroup_is_gone_leaves_and_a_literal_path_waits(void **state)
{
	struct node *node = *state;

	add_workload(node, "web", "/web/*");
	add_workload(node, "lone", "/lone");
	has_slot(node, 1, EG_SLOT_ENROLLED, "web:a", 7);
	has_slot(node, 2, EG_SLOT_ENROLLED, "lone", 8);
	assert_string_equal(plans(node), "1 leave web:a /before 7 -\n"
					 "2 move lone /lone 0\n");
}

static void a_literal_path_that_waits_goes_on_waiting_and_then_moves_in(void **state)
{
	struct node *node = *state;
	const struct eg_workload *lone = add_workload(node, "lone", "/lone");

	has_slot(node, 2, EG_SLOT_ENROLLED, "lone", 0);
	assert_string_equal(plans(node), "2 keep lone /lone 0\n");
	add_cgroup(node, lone, "lone", "/lone", 9);
	assert_string_equal(plans(node), "2 move lone /lone 9\n");
}

static void a_literal_path_that_never_had_a_cgroup_takes_no_slot(void **state)
{
	struct node *node = *state;

	add_workload(node, "lone", "/lone");
	assert_string_equal(plans(node), "");
}

static void a_cgroup_that_gets_another_name_keeps_its_slot(void **state)
{
	struct node *node = *state;

	has_slot(node, 3, EG_SLOT_ENROLLED, "old", 7);
	add_cgroup(node, add_workload(node, "new", "/before"), "new", "/before", 7);
	assert_string_equal(plans(node), "3 rename new /before 7\n");
	assert_int_equal(node->plans.list.items[0].info.enrolled_ns, 103);
}

static void a_name_that_goes_to_another_workloads_cgroup_leaves_its_own(void **state)
{
	struct node *node = *state;

	has_slot(node, 1, EG_SLOT_ENROLLED, "blue", 7);
	has_slot(node, 2, EG_SLOT_ENROLLED, "green", 8);
	add_cgroup(node, add_workload(node, "blue", "/green"), "blue", "/green", 8);
	assert_string_equal(plans(node), "1 leave blue /before 7 -\n"
					 "2 rename blue /green 8\n");
}

static void names_that_change_places_park_their_counts_as_long_as_there_is_room(void **state)
{
	struct node *node = *state;

	has_slot(node, 1, EG_SLOT_ENROLLED, "blue", 7);
	has_slot(node, 2, EG_SLOT_ENROLLED, "green", 8);
	add_cgroup(node, add_workload(node, "blue", "/green"), "blue", "/green", 8);
	add_cgroup(node, add_workload(node, "green", "/blue"), "green", "/blue", 7);
	assert_string_equal(plans(node), "1 rename green /blue 7 parked in 3\n"
					 "2 rename blue /green 8\n");
}

static void a_name_that_gives_its_cgroup_away_takes_its_counts_to_the_new_one(void **state)
{
	struct node *node = *state;

	has_slot(node, 2, EG_SLOT_ENROLLED, "web", 7);
	add_cgroup(node, add_workload(node, "other", "/web"), "other", "/web", 7);
	add_cgroup(node, add_workload(node, "web", "/web2"), "web", "/web2", 9);
	assert_string_equal(plans(node), "2 rename other /web 7 parked in 3\n"
					 "1 enrol web /web2 9\n");
}

static void whoever_waits_for_a_cgroup_and_gets_one_that_is_enrolled_gives_its_slot_back(void **state)
{
	struct node *node = *state;

	has_slot(node, 1, EG_SLOT_ENROLLED, "web", 7);
	has_slot(node, 2, EG_SLOT_ENROLLED, "waiting", 0);
	add_cgroup(node, add_workload(node, "waiting", "/web"), "waiting", "/web", 7);
	assert_string_equal(plans(node), "1 rename waiting /web 7\n"
					 "2 leave waiting /before 0 -\n");
}

static void whoever_the_policy_no_longer_names_leaves_though_the_cgroup_is_there(void **state)
{
	struct node *node = *state;

	has_slot(node, 3, EG_SLOT_ENROLLED, "old", 7);
	add_cgroup(node, add_workload(node, "new", "/new"), "new", "/new", 8);
	assert_string_equal(plans(node), "3 leave old /before 7 -\n"
					 "1 enrol new /new 8\n");
}

static void who_leaves_for_a_cgroup_above_or_below_is_under_its_rules_until_then(void **state)
{
	struct node *node = *state;

	has_slot(node, 1, EG_SLOT_ENROLLED, "pod", 7);
	strcpy(node->infos[1].cgroup, "/pods/a");
	add_cgroup(node, add_workload(node, "pods", "/pods"), "pods", "/pods", 8);
	assert_string_equal(plans(node), "1 leave pod /pods/a 7\n"
					 "2 enrol pods /pods 8\n");
	assert_string_equal(node->plans.list.items[0].workload->name, "pods");
	strcpy(node->infos[1].cgroup, "/podsa");
	assert_string_equal(plans(node), "1 leave pod /podsa 7 -\n"
					 "2 enrol pods /pods 8\n");
}

static void a_literal_path_that_becomes_a_glob_waits_no_more(void **state)
{
	struct node *node = *state;

	has_slot(node, 1, EG_SLOT_ENROLLED, "web", 7);
	strcpy(node->infos[1].cgroup, "/web");
	add_cgroup(node, add_workload(node, "web", "/web/*"), "web:a", "/web/a", 8);
	assert_string_equal(plans(node), "1 leave web /web 7\n"
					 "2 enrol web:a /web/a 8\n");
}

static void a_name_that_goes_to_a_cgroup_above_or_below_gets_another_slot(void **state)
{
	struct node *node = *state;

	has_slot(node, 1, EG_SLOT_ENROLLED, "web", 7);
	strcpy(node->infos[1].cgroup, "/web");
	add_cgroup(node, add_workload(node, "web", "/web/main"), "web", "/web/main", 8);
	assert_string_equal(plans(node), "1 leave web /web 7\n"
					 "2 enrol web /web/main 8\n");
}

static void of_two_slots_on_one_cgroup_the_one_of_its_name_is_kept(void **state)
{
	struct node *node = *state;

	has_slot(node, 1, EG_SLOT_ENROLLED, "old", 7);
	has_slot(node, 3, EG_SLOT_ENROLLED, "web", 7);
	add_cgroup(node, add_workload(node, "web", "/web"), "web", "/web", 7);
	assert_string_equal(plans(node), "1 leave old /before 7 -\n"
					 "3 keep web /web 7\n");
}

static void a_slot_that_is_leaving_goes_on_leaving_and_its_name_gets_another(void **state)
{
	struct node *node = *state;

	has_slot(node, 1, EG_SLOT_LEAVING, "web", 7);
	add_cgroup(node, add_workload(node, "web", "/web"), "web", "/web", 7);
	assert_string_equal(plans(node), "1 leave web /before 7 -\n"
					 "2 enrol web /web 7\n");
}

static void counts_that_are_parked_leave_with_nobodys_rules(void **state)
{
	struct node *node = *state;

	has_slot(node, 1, EG_SLOT_LEAVING, "web", 0);
	node->infos[1].cgroup[0] = '\0';
	has_slot(node, 2, EG_SLOT_ENROLLED, "other", 7);
	add_cgroup(node, add_workload(node, "web", "/web"), "web", "/web", 7);
	assert_string_equal(plans(node), "1 leave web  0 -\n"
					 "2 rename web /web 7\n");
}

static void two_slots_of_one_name_are_not_both_kept(void **state)
{
	struct node *node = *state;

	has_slot(node, 1, EG_SLOT_ENROLLED, "web", 7);
	has_slot(node, 3, EG_SLOT_ENROLLED, "web", 7);
	add_cgroup(node, add_workload(node, "web", "/web"), "web", "/web", 7);
	assert_string_equal(plans(node), "1 keep web /web 7\n"
					 "3 leave web /before 7 -\n");
}

static void a_full_table_takes_no_more_and_says_so(void **state)
{
	struct node *node = *state;
	const struct eg_workload *web = add_workload(node, "web", "/web/*");

	add_cgroup(node, web, "web:a", "/web/a", 7);
	add_cgroup(node, web, "web:b", "/web/b", 8);
	add_cgroup(node, web, "web:c", "/web/c", 9);
	assert_int_equal(plan(node), 0);
	add_cgroup(node, web, "web:d", "/web/d", 10);
	assert_string_equal(plans(node), "1 enrol web:a /web/a 7\n2 enrol web:b /web/b 8\n3 enrol web:c /web/c 9\n");
	assert_int_equal(node->plans.left_out, 1);
	assert_false(eg_slot_plans_fit(&node->plans));
}

static void who_leaves_a_full_table_makes_room(void **state)
{
	struct node *node = *state;
	const struct eg_workload *web = add_workload(node, "web", "/web/*");

	for (uint32_t slot = 1; slot < SLOTS; slot++)
		has_slot(node, slot, EG_SLOT_ENROLLED, slot == 2 ? "web:b" : "web:gone", 4 + slot);
	add_cgroup(node, web, "web:a", "/web/a", 21);
	add_cgroup(node, web, "web:b", "/web/b", 6);
	add_cgroup(node, web, "web:c", "/web/c", 23);
	/* Slots that are only leaving are not free yet. */
	assert_int_equal(plan(node), 0);
	assert_int_equal(node->plans.list.len, 3);
	assert_int_equal(node->plans.leaving, 2);
	assert_int_equal(node->plans.left_out, 2);
	assert_true(eg_slot_plans_fit(&node->plans));
	has_slot(node, 1, EG_SLOT_FREE, "", 0);
	has_slot(node, 3, EG_SLOT_FREE, "", 0);
	assert_int_equal(plan(node), 0);
	assert_int_equal(node->plans.list.len, 3);
	assert_int_equal(node->plans.leaving, 0);
	assert_int_equal(node->plans.left_out, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_cgroup_that_is_still_there_keeps_its_slot_and_what_is_known_of_it),
		TEST(a_cgroup_made_anew_under_its_name_takes_the_slot_over),
		TEST(new_cgroups_get_the_slots_that_are_free_in_the_order_of_their_names),
		TEST(a_slot_says_whose_dataplane_and_service_it_is),
		TEST(each_of_many_has_the_dataplane_that_its_workload_names),
		TEST(a_workload_without_a_service_has_its_own_name_for_all_instances),
		TEST(a_slot_that_is_kept_takes_another_service_over),
		TEST(an_instance_whose_cgroup_is_gone_leaves_and_a_literal_path_waits),
		TEST(a_literal_path_that_waits_goes_on_waiting_and_then_moves_in),
		TEST(a_literal_path_that_never_had_a_cgroup_takes_no_slot),
		TEST(a_cgroup_that_gets_another_name_keeps_its_slot),
		TEST(a_name_that_goes_to_another_workloads_cgroup_leaves_its_own),
		TEST(names_that_change_places_park_their_counts_as_long_as_there_is_room),
		TEST(a_name_that_gives_its_cgroup_away_takes_its_counts_to_the_new_one),
		TEST(whoever_waits_for_a_cgroup_and_gets_one_that_is_enrolled_gives_its_slot_back),
		TEST(who_leaves_for_a_cgroup_above_or_below_is_under_its_rules_until_then),
		TEST(a_literal_path_that_becomes_a_glob_waits_no_more),
		TEST(a_name_that_goes_to_a_cgroup_above_or_below_gets_another_slot),
		TEST(whoever_the_policy_no_longer_names_leaves_though_the_cgroup_is_there),
		TEST(of_two_slots_on_one_cgroup_the_one_of_its_name_is_kept),
		TEST(a_slot_that_is_leaving_goes_on_leaving_and_its_name_gets_another),
		TEST(counts_that_are_parked_leave_with_nobodys_rules),
		TEST(two_slots_of_one_name_are_not_both_kept),
		TEST(a_full_table_takes_no_more_and_says_so),
		TEST(who_leaves_a_full_table_makes_room),
	};

	return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
