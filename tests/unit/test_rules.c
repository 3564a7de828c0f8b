/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "policy/rules.h"

/* Origins carry only a line here: each one of a test is a number of its own. */
static struct eg_origin line(uint32_t number)
{
	return (struct eg_origin){.file = "policy.yaml", .line = number, .column = 1};
}

static void *alloc(struct eg_model *model, size_t size)
{
	void *p = eg_arena_alloc(&model->arena, size);

	assert_non_null(p);
	return p;
}

static struct eg_model *new_model(void)
{
	struct eg_model *model = eg_model_new();

	assert_non_null(model);
	return model;
}

static struct eg_mesh *add_mesh(struct eg_model *model, const char *name)
{
	struct eg_mesh *mesh = alloc(model, sizeof(*mesh));

	mesh->name = name;
	assert_int_equal(eg_array_push(&model->meshes, mesh), 0);
	return mesh;
}

static struct eg_dataplane *add_dataplane(struct eg_model *model, const char *mesh, const char *name,
					  const char *address)
{
	struct eg_dataplane *dataplane = alloc(model, sizeof(*dataplane));

	dataplane->mesh = mesh;
	dataplane->name = name;
	dataplane->address = address;
	assert_int_equal(eg_array_push(&model->dataplanes, dataplane), 0);
	return dataplane;
}

static void add_inbound(struct eg_dataplane *dataplane, const char *address, uint16_t port)
{
	assert_int_equal(eg_array_push(&dataplane->inbounds, {.address = address, .port = port, .service_port = port,
							      .origin = line(port)}), 0);
}

static void add_outbound(struct eg_dataplane *dataplane, const char *address, uint16_t port)
{
	assert_int_equal(eg_array_push(&dataplane->outbounds, {address, port, line(port)}), 0);
}

static struct eg_workload *add_workload(struct eg_model *model, const char *mesh, const char *name)
{
	struct eg_workload *workload = alloc(model, sizeof(*workload));

	workload->mesh = mesh;
	workload->name = name;
	assert_int_equal(eg_array_push(&model->workloads, workload), 0);
	return workload;
}

static struct eg_node *add_node(struct eg_model *model)
{
	model->node = alloc(model, sizeof(*model->node));
	return model->node;
}

static struct eg_prefix prefix(const char *text)
{
	struct eg_prefix result;

	assert_int_equal(eg_prefix_parse(text, &result), 0);
	return result;
}

static struct eg_ruleset *resolve(const struct eg_model *model)
{
	struct eg_ruleset *rules;

	assert_int_equal(eg_rules_resolve(model, NULL, 0, &rules), 0);
	return rules;
}

static void print_rule(FILE *out, const struct eg_rule *rule)
{
	static const char *const classes[] = {"resolver", "rule", "mesh", "matched"};
	char text[EG_ADDR_TEXT_MAX];

	fprintf(out, "%s %s %u", classes[rule->class], eg_prefix_format(&rule->prefix, text), rule->port);
	if (rule->protocols == EG_PROTO_ANY)
		fprintf(out, " any\n");
	else
		fprintf(out, "%s%s%s\n", rule->protocols & EG_PROTO_TCP ? " tcp" : "",
			rule->protocols & EG_PROTO_UDP ? " udp" : "",
			rule->protocols & ~(EG_PROTO_TCP | EG_PROTO_UDP) ? " more" : "");
}

/* Rules have no order by contract, but the order of the documents is the natural one to print. */
static void assert_rules(const struct eg_scope *scope, const char *expected)
{
	_cleanup_free_ char *text = NULL;
	size_t text_len;
	FILE *out = open_memstream(&text, &text_len);

	assert_non_null(out);
	for (size_t i = 0; i < scope->rules.len; i++)
		print_rule(out, &scope->rules.items[i]);
	fclose(out);
	assert_string_equal(text, expected);
}

static void a_set_without_workloads_has_no_subjects_but_its_meshes_have_scopes(void **state)
{
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;

	(void)state;
	add_mesh(model, "a");
	add_mesh(model, "b");
	rules = resolve(model);
	assert_int_equal(rules->subjects.len, 0);
	assert_int_equal(rules->scopes.len, 2);
	assert_int_equal(rules->scopes.items[1]->id, 2);
	assert_string_equal(rules->scopes.items[1]->name, "b");
}

static void an_empty_model_gives_an_empty_ruleset(void **state)
{
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = resolve(model);

	(void)state;
	assert_int_equal(rules->subjects.len + rules->scopes.len, 0);
	assert_null(eg_ruleset_find(rules, "web"));
}

static void dataplanes_are_mesh_destinations_of_their_own_mesh_only(void **state)
{
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;

	(void)state;
	add_mesh(model, "a");
	add_mesh(model, "b");
	add_inbound(add_dataplane(model, "a", "x", "10.0.0.1"), NULL, 80);
	add_inbound(add_dataplane(model, "b", "x", "10.0.0.2"), NULL, 81);
	add_inbound(add_dataplane(model, "nowhere", "x", "10.0.0.3"), NULL, 82);
	add_workload(model, "b", "web");
	rules = resolve(model);
	assert_rules(rules->scopes.items[0], "mesh 10.0.0.1/32 80 tcp\n");
	assert_rules(rules->scopes.items[1], "mesh 10.0.0.2/32 81 tcp\n");
	assert_ptr_equal(rules->subjects.items[0]->mesh_scope, rules->scopes.items[1]);
	assert_int_equal(rules->scopes.len, 2);
}

static void the_advertised_address_stands_beside_the_dataplanes_own_but_not_an_inbounds(void **state)
{
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	struct eg_dataplane *dataplane;

	(void)state;
	add_mesh(model, "a");
	dataplane = add_dataplane(model, "a", "x", "10.0.0.1");
	dataplane->advertised_address = "192.0.2.1";
	add_inbound(dataplane, NULL, 80);
	add_inbound(dataplane, "fd00::7", 81);
	rules = resolve(model);
	assert_rules(rules->scopes.items[0], "mesh 10.0.0.1/32 80 tcp\n"
					     "mesh 192.0.2.1/32 80 tcp\n"
					     "mesh fd00::7/128 81 tcp\n");
	assert_int_equal(rules->scopes.items[0]->rules.items[1].origin.line, 80);
}

static void host_names_and_missing_addresses_give_no_rule(void **state)
{
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	struct eg_dataplane *named;

	(void)state;
	add_mesh(model, "a");
	named = add_dataplane(model, "a", "named", "db.example.com");
	named->advertised_address = "192.0.2.1";
	add_inbound(named, NULL, 80);
	add_inbound(named, "x.example.com", 81);
	add_inbound(add_dataplane(model, "a", "zone", NULL), NULL, 82);
	add_inbound(add_dataplane(model, "a", "mapped", "::ffff:10.0.0.1"), NULL, 83);
	rules = resolve(model);
	assert_rules(rules->scopes.items[0], "mesh 192.0.2.1/32 80 tcp\n"
					     "mesh 10.0.0.1/32 83 tcp\n");
}

static void mesh_ranges_and_listed_resolvers_hold_in_every_mesh(void **state)
{
	static const char *const expected = "resolver 10.0.0.53/32 53 tcp udp\n"
					    "mesh 10.96.0.0/12 0 any\n";
	const struct eg_located_prefix unused = {prefix("192.0.2.53"), line(9)};
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	struct eg_node *node = add_node(model);

	(void)state;
	add_mesh(model, "a");
	add_workload(model, EG_DEFAULT_MESH, "web");
	assert_int_equal(eg_array_push(&node->mesh_cidrs, {prefix("10.96.0.0/12"), line(5)}), 0);
	assert_int_equal(eg_array_push(&node->resolvers, {prefix("10.0.0.53"), line(6)}), 0);
	node->resolvers_listed = true;
	assert_int_equal(eg_rules_resolve(model, &unused, 1, &rules), 0);
	assert_rules(rules->scopes.items[0], expected);
	assert_rules(rules->scopes.items[1], expected);
	assert_string_equal(rules->scopes.items[1]->name, EG_DEFAULT_MESH);
	assert_int_equal(rules->scopes.items[0]->rules.items[1].origin.line, 5);
}

static void an_empty_list_of_resolvers_means_none_and_auto_means_the_nodes_own(void **state)
{
	const struct eg_located_prefix own = {prefix("192.0.2.53"), {.file = "/etc/resolv.conf", .line = 2}};
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *automatic = NULL, *listed = NULL;
	struct eg_node *node = add_node(model);

	(void)state;
	add_mesh(model, "a");
	assert_int_equal(eg_rules_resolve(model, &own, 1, &automatic), 0);
	assert_rules(automatic->scopes.items[0], "resolver 192.0.2.53/32 53 tcp udp\n");
	assert_string_equal(automatic->scopes.items[0]->rules.items[0].origin.file, "/etc/resolv.conf");
	node->resolvers_listed = true;
	assert_int_equal(eg_rules_resolve(model, &own, 1, &listed), 0);
	assert_rules(listed->scopes.items[0], "");
}

static void a_workload_brings_outbounds_exclusions_and_its_allow_list(void **state)
{
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	struct eg_dataplane *other_mesh, *own;
	struct eg_workload *workload;

	(void)state;
	add_mesh(model, "a");
	other_mesh = add_dataplane(model, "b", "web-1", "10.0.0.9");
	add_outbound(other_mesh, "10.9.9.9", 9999);
	own = add_dataplane(model, "a", "web-1", "10.0.0.1");
	add_outbound(own, "127.0.0.1", 10001);
	add_outbound(own, "240.0.0.1", 80);
	add_outbound(own, "db.example.com", 81);
	workload = add_workload(model, "a", "web");
	workload->dataplane = "web-1";
	assert_int_equal(eg_array_push(&workload->exclude_outbound_ports, {22, line(7)}), 0);
	assert_int_equal(eg_array_push(&workload->exclude_outbound_ips, {prefix("192.0.2.0/24"), line(8)}), 0);
	assert_int_equal(eg_array_push(&workload->allow, {prefix("198.51.100.0/24"), 443, EG_PROTO_TCP, line(9)}), 0);
	assert_int_equal(eg_array_push(&workload->allow, {prefix("::/0"), 0, EG_PROTO_SCTP, line(10)}), 0);
	rules = resolve(model);
	assert_rules(rules->subjects.items[0]->own_scope, "mesh 127.0.0.1/32 10001 tcp\n"
							  "mesh 240.0.0.1/32 80 tcp\n"
							  "rule 0.0.0.0/0 22 tcp udp\n"
							  "rule ::/0 22 tcp udp\n"
							  "rule 192.0.2.0/24 0 any\n"
							  "matched 198.51.100.0/24 443 tcp\n"
							  "matched ::/0 0 more\n");
	assert_rules(rules->subjects.items[0]->mesh_scope, "");
	assert_int_equal(rules->subjects.items[0]->own_scope->rules.items[4].origin.line, 8);
}

static void slots_follow_the_order_of_workloads_and_only_own_rules_take_a_scope(void **state)
{
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	struct eg_workload *second, *named, *fourth;
	struct eg_dataplane *dataplane;

	(void)state;
	add_workload(model, "a", "first");
	second = add_workload(model, "b", "second");
	second->cgroup = "/second.slice";
	assert_int_equal(eg_array_push(&second->exclude_outbound_ports, {22, line(7)}), 0);
	named = add_workload(model, "a", "named");
	named->dataplane = "d";
	fourth = add_workload(model, "a", "fourth");
	assert_int_equal(eg_array_push(&fourth->exclude_outbound_ports, {23, line(8)}), 0);
	dataplane = add_dataplane(model, "a", "d", NULL);
	add_outbound(dataplane, "only.names.example.com", 80);
	rules = resolve(model);

	assert_int_equal(rules->subjects.len, 4);
	assert_int_equal(rules->scopes.len, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(rules->subjects.items[i]->slot, i + 1);
		assert_int_equal(rules->scopes.items[i]->id, i + 1);
	}
	assert_null(rules->subjects.items[0]->own_scope);
	assert_int_equal(rules->subjects.items[1]->own_scope->id, 3);
	assert_null(rules->subjects.items[2]->own_scope);
	assert_int_equal(rules->subjects.items[3]->own_scope->id, 4);
	assert_int_equal(rules->subjects.items[0]->mesh_scope->id, 1);
	assert_int_equal(rules->subjects.items[1]->mesh_scope->id, 2);
	assert_string_equal(rules->subjects.items[1]->cgroup, "/second.slice");
	assert_ptr_equal(eg_ruleset_find(rules, "fourth"), rules->subjects.items[3]);
	assert_null(eg_ruleset_find(rules, "fifth"));
}

static void passthrough_is_the_meshs_and_true_where_nobody_says_so(void **state)
{
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	struct eg_mesh *closed;

	(void)state;
	closed = add_mesh(model, "closed");
	closed->passthrough = (struct eg_optional_bool){true, false, line(4)};
	add_mesh(model, "silent");
	add_workload(model, "closed", "one");
	add_workload(model, "silent", "two");
	add_workload(model, EG_DEFAULT_MESH, "three");
	rules = resolve(model);
	assert_false(rules->subjects.items[0]->passthrough);
	assert_int_equal(rules->subjects.items[0]->passthrough_origin.line, 4);
	assert_true(rules->subjects.items[1]->passthrough);
	assert_null(rules->subjects.items[1]->passthrough_origin.file);
	assert_true(rules->subjects.items[2]->passthrough);
	assert_null(rules->subjects.items[2]->passthrough_origin.file);
}

static void the_errno_is_the_workloads_then_the_nodes_then_eperm(void **state)
{
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *without_node = NULL, *with_node = NULL;

	(void)state;
	add_workload(model, "a", "one")->block_errno.value = ECONNREFUSED;
	add_workload(model, "a", "two");
	without_node = resolve(model);
	assert_int_equal(without_node->subjects.items[0]->block_errno, ECONNREFUSED);
	assert_int_equal(without_node->subjects.items[1]->block_errno, EPERM);
	add_node(model)->block_errno.value = EACCES;
	with_node = resolve(model);
	assert_int_equal(with_node->subjects.items[0]->block_errno, ECONNREFUSED);
	assert_int_equal(with_node->subjects.items[1]->block_errno, EACCES);
}

static void the_first_of_two_equal_names_counts(void **state)
{
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;

	(void)state;
	add_mesh(model, "a")->passthrough = (struct eg_optional_bool){true, false, line(1)};
	add_mesh(model, "a")->passthrough = (struct eg_optional_bool){true, true, line(2)};
	add_outbound(add_dataplane(model, "a", "d", NULL), "10.0.0.1", 1);
	add_outbound(add_dataplane(model, "a", "d", NULL), "10.0.0.2", 2);
	add_workload(model, "a", "web")->dataplane = "d";
	rules = resolve(model);
	assert_int_equal(rules->scopes.len, 2);
	assert_int_equal(rules->subjects.items[0]->passthrough_origin.line, 1);
	assert_rules(rules->subjects.items[0]->own_scope, "mesh 10.0.0.1/32 1 tcp\n");
}

static void the_breakers_errno_is_the_workloads_then_the_nodes_then_econnrefused(void **state)
{
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *without_node = NULL, *with_node = NULL;

	(void)state;
	add_workload(model, "a", "one")->breaker_errno.value = ETIMEDOUT;
	add_workload(model, "a", "two");
	without_node = resolve(model);
	assert_int_equal(without_node->subjects.items[0]->breaker_errno, ETIMEDOUT);
	assert_int_equal(without_node->subjects.items[1]->breaker_errno, ECONNREFUSED);
	add_node(model)->breaker_errno.value = EACCES;
	with_node = resolve(model);
	assert_int_equal(with_node->subjects.items[0]->breaker_errno, ETIMEDOUT);
	assert_int_equal(with_node->subjects.items[1]->breaker_errno, EACCES);
	assert_int_equal(with_node->subjects.items[1]->block_errno, EPERM);
}

static void the_retry_window_is_the_nodes_then_ten_seconds(void **state)
{
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *without_node = NULL, *with_node = NULL;

	(void)state;
	add_workload(model, "a", "one");
	without_node = resolve(model);
	assert_int_equal(without_node->subjects.items[0]->retry_window_ms, 10000);
	add_node(model)->retry_window_ms = (struct eg_optional_number){.is_set = true, .value = 0};
	with_node = resolve(model);
	assert_int_equal(with_node->subjects.items[0]->retry_window_ms, 0);
}

static void compatible_with_envoy_requests_and_retries_refuse_nothing(void **state)
{
	struct eg_rules_source run = {.name = "curl", .slot = 1, .mesh = EG_DEFAULT_MESH};
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *ours = NULL, *envoys = NULL;

	(void)state;
	run.settings.numbers[EG_SETTING_MAX_REQUESTS] = (struct eg_optional_number){.is_set = true, .value = 7};
	run.settings.numbers[EG_SETTING_MAX_RETRIES] = (struct eg_optional_number){.is_set = true, .value = 8};
	assert_int_equal(eg_rules_resolve_sources(model, &run, 1, NULL, 0, &ours), 0);
	assert_int_equal(ours->subjects.items[0]->ipv4.flags, EG_CLUSTER_LIMITS_REQUESTS | EG_CLUSTER_LIMITS_RETRIES);
	assert_int_equal(ours->subjects.items[0]->ipv6.flags, EG_CLUSTER_LIMITS_REQUESTS | EG_CLUSTER_LIMITS_RETRIES);
	add_node(model)->is_compatible_with_envoy = true;
	assert_int_equal(eg_rules_resolve_sources(model, &run, 1, NULL, 0, &envoys), 0);
	assert_int_equal(envoys->subjects.items[0]->ipv4.flags, 0);
	assert_int_equal(envoys->subjects.items[0]->ipv6.flags, 0);
	assert_int_equal(envoys->subjects.items[0]->ipv4.max_requests, 7);
}

static void a_command_without_documents_has_slot_1_and_the_default_mesh(void **state)
{
	const struct eg_rules_source run = {.name = "curl", .slot = 1, .mesh = EG_DEFAULT_MESH};
	const struct eg_located_prefix resolver = {prefix("192.0.2.53"), {}};
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;

	(void)state;
	assert_int_equal(eg_rules_resolve_sources(model, &run, 1, &resolver, 1, &rules), 0);
	assert_int_equal(rules->subjects.len, 1);
	assert_int_equal(rules->subjects.items[0]->slot, 1);
	assert_string_equal(rules->subjects.items[0]->name, "curl");
	assert_string_equal(rules->subjects.items[0]->mesh, EG_DEFAULT_MESH);
	assert_true(rules->subjects.items[0]->passthrough);
	assert_int_equal(rules->subjects.items[0]->block_errno, EPERM);
	assert_null(rules->subjects.items[0]->cgroup);
	assert_null(rules->subjects.items[0]->workload);
	assert_null(rules->subjects.items[0]->own_scope);
	assert_rules(rules->subjects.items[0]->mesh_scope, "resolver 192.0.2.53/32 53 tcp udp\n");
}

static void a_commands_flag_beats_the_mesh_and_its_mesh_beats_the_workloads(void **state)
{
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *by_mesh = NULL, *by_flag = NULL;
	struct eg_rules_source run = {.name = "curl", .slot = 1, .mesh = "b"};
	struct eg_workload *workload;

	(void)state;
	add_mesh(model, "a");
	add_mesh(model, "b")->passthrough = (struct eg_optional_bool){true, false, line(2)};
	add_outbound(add_dataplane(model, "a", "d", NULL), "10.0.0.1", 1);
	add_outbound(add_dataplane(model, "b", "d", NULL), "10.0.0.2", 2);
	add_workload(model, "a", "bystander");
	workload = add_workload(model, "a", "curl");
	workload->dataplane = "d";
	run.workload = workload;

	assert_int_equal(eg_rules_resolve_sources(model, &run, 1, NULL, 0, &by_mesh), 0);
	assert_int_equal(by_mesh->subjects.len, 1);
	assert_int_equal(by_mesh->subjects.items[0]->slot, 1);
	assert_false(by_mesh->subjects.items[0]->passthrough);
	assert_int_equal(by_mesh->subjects.items[0]->passthrough_origin.line, 2);
	assert_string_equal(by_mesh->subjects.items[0]->mesh_scope->name, "b");
	assert_rules(by_mesh->subjects.items[0]->own_scope, "mesh 10.0.0.2/32 2 tcp\n");

	run.passthrough = (struct eg_optional_bool){true, true, {.file = "--passthrough"}};
	assert_int_equal(eg_rules_resolve_sources(model, &run, 1, NULL, 0, &by_flag), 0);
	assert_true(by_flag->subjects.items[0]->passthrough);
	assert_string_equal(by_flag->subjects.items[0]->passthrough_origin.file, "--passthrough");
}

static void a_commands_limits_hold_for_both_families_and_beat_the_defaults(void **state)
{
	struct eg_rules_source run = {.name = "curl", .slot = 1, .mesh = EG_DEFAULT_MESH};
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	const struct eg_subject *subject;

	(void)state;
	run.settings.numbers[EG_SETTING_MAX_CONNECTIONS] =
		(struct eg_optional_number){true, 50, {.file = "--max-connections"}};
	assert_int_equal(eg_rules_resolve_sources(model, &run, 1, NULL, 0, &rules), 0);
	subject = rules->subjects.items[0];
	assert_int_equal(subject->ipv4.max_connections, 50);
	assert_int_equal(subject->ipv6.max_connections, 50);
	assert_int_equal(subject->ipv4.max_pending, EG_DEFAULT_MAX_PENDING);
	assert_string_equal(subject->ipv4_origins[EG_SETTING_MAX_CONNECTIONS].file, "--max-connections");
	assert_string_equal(subject->ipv6_origins[EG_SETTING_MAX_CONNECTIONS].file, "--max-connections");
	assert_null(subject->ipv4_origins[EG_SETTING_MAX_PENDING].file);
}

static void instances_of_a_workload_share_its_rules_and_patches_and_commands_do_not(void **state)
{
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	struct eg_workload *workload = add_workload(model, EG_DEFAULT_MESH, "shop");
	const struct eg_rules_source sources[] = {
		{.name = "shop:a", .workload = workload, .mesh = EG_DEFAULT_MESH, .slot = 1},
		{.name = "shop:b", .workload = workload, .mesh = EG_DEFAULT_MESH, .slot = 2},
		{.name = "curl", .mesh = EG_DEFAULT_MESH, .slot = 3},
		{.name = "wget", .mesh = EG_DEFAULT_MESH, .slot = 4},
	};
	struct eg_proxy_template *template = eg_arena_alloc(&model->arena, sizeof(*template));
	const struct eg_tag of_curl = {EG_SERVICE_TAG, "curl"};

	(void)state;
	assert_non_null(template);
	*template = (struct eg_proxy_template){.name = "t", .mesh = EG_DEFAULT_MESH};
	assert_int_equal(eg_array_push(&template->selectors, {(struct eg_tag *)&of_curl, 1}), 0);
	assert_int_equal(eg_array_push(&model->templates, template), 0);
	assert_int_equal(eg_array_push(&workload->exclude_outbound_ports, {.port = 1}), 0);
	assert_int_equal(eg_rules_resolve_sources(model, sources, EG_COUNT_OF(sources), NULL, 0, &rules), 0);
	assert_int_equal(rules->scopes.len, 2); /* the mesh's and the workload's */
	assert_ptr_equal(rules->subjects.items[0]->own_scope, rules->subjects.items[1]->own_scope);
	assert_ptr_equal(rules->subjects.items[0]->patches.items, rules->subjects.items[1]->patches.items);
	assert_null(eg_patches_template(&rules->subjects.items[0]->patches));
	assert_ptr_equal(eg_patches_template(&rules->subjects.items[2]->patches), template);
	assert_null(eg_patches_template(&rules->subjects.items[3]->patches));
	assert_null(rules->subjects.items[2]->own_scope);
}

static const char *format(struct eg_model *model, const char *pattern, unsigned int a, unsigned int b)
{
	char *text = alloc(model, 32);

	snprintf(text, 32, pattern, a, b);
	return text;
}

static void a_redirect_follows_the_port_of_the_dataplane_that_its_workload_names(void **state)
{
	struct eg_model *model = eg_model_new();
	struct eg_workload *web = add_workload(model, "m", "web"), *plain = add_workload(model, "m", "plain");
	struct eg_ruleset *rules;

	(void)state;
	add_dataplane(model, "other", "web-1", "192.0.2.1")->redirect_port = 15009;
	add_dataplane(model, "m", "web-1", "192.0.2.1")->redirect_port = 15001;
	web->dataplane = plain->dataplane = "web-1";
	web->redirect.is_set = true;
	rules = resolve(model);
	assert_int_equal(eg_ruleset_find(rules, "web")->redirect_ipv4.mesh.port, 15001);
	assert_int_equal(eg_ruleset_find(rules, "web")->redirect_ipv6.mesh.port, 15001);
	assert_int_equal(eg_ruleset_find(rules, "plain")->redirect_ipv4.mesh.port, 0);
	eg_ruleset_free(rules);
	eg_model_free(model);
}

static void a_hundred_thousand_dataplanes_and_a_thousand_workloads_resolve(void **state)
{
	enum {
		DATAPLANES = 100000,
		WORKLOADS = 1000,
		MESHES = 100
	};
	_cleanup_(eg_model_freep) struct eg_model *model = new_model();
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	clock_t start;

	(void)state;
	for (unsigned int i = 0; i < MESHES; i++)
		add_mesh(model, format(model, "mesh-%u", i, 0));
	for (unsigned int i = 0; i < DATAPLANES; i++) {
		const char *address = format(model, "10.1.%u.%u", i >> 8 & 0xff, i & 0xff);
		struct eg_dataplane *dataplane = add_dataplane(model, model->meshes.items[i % MESHES]->name,
							       format(model, "dataplane-%u", i, 0), address);

		add_inbound(dataplane, NULL, (uint16_t)(1 + i % 7));
		add_outbound(dataplane, "240.0.0.1", (uint16_t)(1 + i % 60000));
	}
	for (unsigned int i = 0; i < WORKLOADS; i++) {
		const struct eg_dataplane *dataplane = model->dataplanes.items[DATAPLANES - 1 - i * 97];

		add_workload(model, dataplane->mesh, format(model, "workload-%u", i, 0))->dataplane = dataplane->name;
	}

	start = clock();
	rules = resolve(model);
	print_message("%d Dataplanes, %d workloads: %.0f ms\n", DATAPLANES, WORKLOADS,
		      1e3 * (double)(clock() - start) / CLOCKS_PER_SEC);

	assert_int_equal(rules->scopes.len, MESHES + WORKLOADS);
	for (unsigned int i = 0; i < MESHES; i++)
		assert_int_equal(rules->scopes.items[i]->rules.len, DATAPLANES / MESHES);
	for (unsigned int i = 0; i < WORKLOADS; i++) {
		const struct eg_scope *own = rules->subjects.items[i]->own_scope;

		assert_int_equal(own->rules.len, 1);
		assert_int_equal(own->rules.items[0].port, 1 + (DATAPLANES - 1 - i * 97) % 60000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_model_gives_an_empty_ruleset),
		cmocka_unit_test(a_set_without_workloads_has_no_subjects_but_its_meshes_have_scopes),
		cmocka_unit_test(dataplanes_are_mesh_destinations_of_their_own_mesh_only),
		cmocka_unit_test(the_advertised_address_stands_beside_the_dataplanes_own_but_not_an_inbounds),
		cmocka_unit_test(host_names_and_missing_addresses_give_no_rule),
		cmocka_unit_test(mesh_ranges_and_listed_resolvers_hold_in_every_mesh),
		cmocka_unit_test(an_empty_list_of_resolvers_means_none_and_auto_means_the_nodes_own),
		cmocka_unit_test(a_workload_brings_outbounds_exclusions_and_its_allow_list),
		cmocka_unit_test(slots_follow_the_order_of_workloads_and_only_own_rules_take_a_scope),
		cmocka_unit_test(passthrough_is_the_meshs_and_true_where_nobody_says_so),
		cmocka_unit_test(the_errno_is_the_workloads_then_the_nodes_then_eperm),
		cmocka_unit_test(the_breakers_errno_is_the_workloads_then_the_nodes_then_econnrefused),
		cmocka_unit_test(the_retry_window_is_the_nodes_then_ten_seconds),
		cmocka_unit_test(compatible_with_envoy_requests_and_retries_refuse_nothing),
		cmocka_unit_test(the_first_of_two_equal_names_counts),
		cmocka_unit_test(a_command_without_documents_has_slot_1_and_the_default_mesh),
		cmocka_unit_test(a_commands_flag_beats_the_mesh_and_its_mesh_beats_the_workloads),
		cmocka_unit_test(a_commands_limits_hold_for_both_families_and_beat_the_defaults),
		cmocka_unit_test(instances_of_a_workload_share_its_rules_and_patches_and_commands_do_not),
		cmocka_unit_test(a_redirect_follows_the_port_of_the_dataplane_that_its_workload_names),
		cmocka_unit_test(a_hundred_thousand_dataplanes_and_a_thousand_workloads_resolve),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
