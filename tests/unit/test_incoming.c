/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Who may come in, from documents to the reference decision, and once more from what they are compiled to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>

#include "../lib/support/policy.h"
#include "base/cleanup.h"
#include "policy/compile.h"
#include "policy/decompile.h"
#include "policy/eval.h"

#define MESH(mode) "type: Mesh\nname: default\nmtls: {enabledBackend: a, backends: [{name: a, mode: " mode "}]}\n---\n"
#define OPEN_MESH "type: Mesh\nname: default\n---\n"
#define PEER \
	"type: Dataplane\nmesh: default\nname: peer\nnetworking:\n  address: 10.0.0.2\n  advertisedAddress: 10.1.0.2\n" \
	"  inbound: [{port: 80, tags: {kuma.io/service: peer}}, {port: 80, address: 'fd00::2', tags: {kuma.io/service: peer}}]\n---\n"
#define SELF(inbound, more) \
	"type: Dataplane\nmesh: default\nname: web\nnetworking:\n  address: 10.0.0.1\n  inbound: [{" inbound \
	", tags: {kuma.io/service: web}}]\n" more "---\n"
#define ALONE(more) "type: Workload\nname: web\nmesh: default\ncgroup: /w\n" more
#define WEB(more) "type: Workload\nname: web\nmesh: default\ncgroup: /w\ndataplane: web\n" more

struct world {
	struct policy *policy;
	struct eg_ruleset *rules;
	struct eg_ruleset *compiled; /* the same once more, by way of map entries */
};

static struct world world_of(const char *text)
{
	const struct eg_capacity capacity = {.max_entries = {1000, 1000, 1000, 1000}};
	struct world world = {.policy = policy_read(text)};
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;

	assert_false(eg_diag_has_errors(&world.policy->diag));
	assert_int_equal(eg_rules_resolve(world.policy->model, NULL, 0, &world.rules), 0);
	assert_int_equal(eg_image_compile(world.rules, &capacity, &world.policy->diag, &image), 0);
	assert_int_equal(eg_image_decompile(image, &world.compiled), 0);
	return world;
}

static void world_free(struct world *world)
{
	eg_ruleset_free(world->compiled);
	eg_ruleset_free(world->rules);
	policy_free(world->policy);
}

static enum eg_reason reason_for(const struct world *world, const char *client, uint16_t port, uint16_t protocol)
{
	struct eg_flow flow = {.port = port, .protocol = protocol};
	struct eg_decision decision, again;

	assert_int_equal(eg_addr_parse(client, &flow.family, &flow.addr), 0);
	decision = eg_eval_incoming(world->rules->subjects.items[0], &flow, NULL);
	again = eg_eval_incoming(world->compiled->subjects.items[0], &flow, NULL);
	assert_memory_equal(&decision, &again, sizeof(decision));
	assert_int_equal(eg_eval_is_judged(world->rules->subjects.items[0], &flow),
			 eg_eval_is_judged(world->compiled->subjects.items[0], &flow));
	return decision.reason;
}

static void assert_comes_in(const struct world *world, const char *client, uint16_t port)
{
	assert_int_equal(reason_for(world, client, port, IPPROTO_TCP), EG_REASON_INCOMING_ALLOWED);
}

static void assert_blocked(const struct world *world, const char *client, uint16_t port)
{
	assert_int_equal(reason_for(world, client, port, IPPROTO_TCP), EG_REASON_INCOMING_BLOCKED);
}

static void strict_lets_in_loopback_and_addresses_of_the_mesh_to_any_port(void **state)
{
	struct world world = world_of(MESH("STRICT") PEER SELF("port: 8080", "") WEB(""));

	(void)state;
	for (uint16_t port = 8080; port <= 8081; port++) {
		assert_int_equal(reason_for(&world, "127.9.9.9", port, IPPROTO_TCP), EG_REASON_EXEMPT_LOOPBACK);
		assert_int_equal(reason_for(&world, "::1", port, IPPROTO_TCP), EG_REASON_EXEMPT_LOOPBACK);
		assert_int_equal(reason_for(&world, "::ffff:127.0.0.1", port, IPPROTO_TCP), EG_REASON_EXEMPT_LOOPBACK);
		assert_comes_in(&world, "10.0.0.2", port);
		assert_comes_in(&world, "::ffff:10.1.0.2", port);
		assert_comes_in(&world, "fd00::2", port);
		assert_comes_in(&world, "10.0.0.1", port);
		assert_blocked(&world, "10.0.0.3", port);
		assert_blocked(&world, "fd00::3", port);
		assert_blocked(&world, "0.0.0.0", port);
		assert_blocked(&world, "::", port);
	}
	world_free(&world);
}

static void datagrams_are_judged_at_declared_ports_alone(void **state)
{
	struct world world = world_of(MESH("STRICT") SELF("port: 8080", "") WEB(""));

	(void)state;
	assert_int_equal(reason_for(&world, "192.0.2.1", 8080, IPPROTO_UDP), EG_REASON_INCOMING_BLOCKED);
	assert_int_equal(reason_for(&world, "192.0.2.1", 40000, IPPROTO_UDP), EG_REASON_INCOMING_ALLOWED);
	world_free(&world);
}

static void permissive_lets_in_anyone_and_without_mtls_nobody_is_looked_at(void **state)
{
	struct eg_flow flow = {.family = EG_FAMILY_IPV4, .addr.word_be = {1}, .port = 80, .protocol = IPPROTO_TCP};
	struct world permissive = world_of(MESH("PERMISSIVE") ALONE("")), off = world_of(OPEN_MESH ALONE(""));

	(void)state;
	assert_comes_in(&permissive, "192.0.2.1", 8080);
	assert_true(eg_eval_is_judged(permissive.rules->subjects.items[0], &flow));
	assert_comes_in(&off, "192.0.2.1", 8080);
	assert_false(eg_eval_is_judged(off.rules->subjects.items[0], &flow));
	world_free(&permissive);
	world_free(&off);
}

static void a_port_of_the_proxy_is_left_to_it_and_the_applications_own_is_not(void **state)
{
	struct world world = world_of(MESH("STRICT") SELF("port: 8080, servicePort: 9090", "") WEB(""));
	struct world same = world_of(MESH("STRICT") SELF("port: 8080, serviceAddress: 127.0.0.1", "") WEB(""));
	struct world transparent = world_of(MESH("STRICT") SELF("port: 8080",
			"  transparentProxying: {redirectPortInbound: 15006, redirectPortOutbound: 15001}\n") WEB(""));
	struct world snake = world_of(MESH("STRICT") SELF("port: 8080",
			"  transparent_proxying: {redirect_port_inbound: 15006, redirect_port_inbound_v6: 15010}\n") WEB(""));

	(void)state;
	assert_comes_in(&world, "192.0.2.1", 8080);
	assert_blocked(&world, "192.0.2.1", 9090);
	assert_comes_in(&same, "192.0.2.1", 8080);
	assert_comes_in(&transparent, "192.0.2.1", 15006);
	assert_comes_in(&transparent, "::6", 8080);
	assert_blocked(&transparent, "192.0.2.1", 8080);
	assert_blocked(&transparent, "192.0.2.1", 15001);
	assert_comes_in(&snake, "192.0.2.1", 15006);
	assert_comes_in(&snake, "fd99::1", 15010);
	world_free(&snake);
	world_free(&world);
	world_free(&same);
	world_free(&transparent);
}

static void a_gateway_takes_in_anyone(void **state)
{
	struct world world = world_of(MESH("STRICT") "type: Dataplane\nmesh: default\nname: web\nnetworking: {address: 10.0.0.1, "
				      "gateway: {tags: {kuma.io/service: web}}}\n---\n" WEB(""));

	(void)state;
	assert_comes_in(&world, "192.0.2.1", 8000);
	world_free(&world);
}

static void exemptions_are_those_of_the_workload_and_of_the_node(void **state)
{
	struct world world = world_of(MESH("STRICT") SELF("port: 8080", "")
		"type: Node\nname: n\nmeshCIDRs: [10.64.0.0/16]\nallowIncoming: [{cidr: 10.9.0.1, port: 8080, protocol: tcp}]\n---\n"
		WEB("allowIncoming: [{cidr: 10.8.0.0/16}, {cidr: '::/0', port: 7}]\n"));

	(void)state;
	assert_comes_in(&world, "10.64.1.1", 1);
	assert_comes_in(&world, "10.9.0.1", 8080);
	assert_blocked(&world, "10.9.0.1", 8081);
	assert_int_equal(reason_for(&world, "10.9.0.1", 8080, IPPROTO_UDP), EG_REASON_INCOMING_BLOCKED);
	assert_comes_in(&world, "10.8.1.1", 8081);
	assert_comes_in(&world, "fd99::1", 7);
	assert_blocked(&world, "192.0.2.1", 7);
	world_free(&world);
}

static void the_most_specific_mesh_tls_with_a_mode_goes_before_the_mesh(void **state)
{
#define TLS(name, target, rest) "type: MeshTLS\nmesh: default\nname: " name "\nspec:\n  targetRef: {" target "}\n  rules: [{default: {" rest "}}]\n---\n"
	static const struct {
		const char *text;
		enum eg_incoming_mode mode;
	} cases[] = {
		{MESH("PERMISSIVE") TLS("t", "kind: Mesh", "mode: Strict") ALONE(""), EG_INCOMING_STRICT},
		{MESH("STRICT") TLS("t", "kind: Mesh", "mode: Permissive") ALONE(""), EG_INCOMING_PERMISSIVE},
		{MESH("STRICT") TLS("t", "kind: Mesh", "tlsVersion: {min: TLS12}") ALONE(""), EG_INCOMING_STRICT},
		{OPEN_MESH TLS("t", "kind: Mesh", "tlsVersion: {min: TLS12}") ALONE(""), EG_INCOMING_OFF},
		{OPEN_MESH TLS("t", "kind: Mesh", "mode: Strict") ALONE(""), EG_INCOMING_STRICT},
		{MESH("STRICT") TLS("a", "kind: Mesh", "mode: Strict")
		 TLS("b", "kind: MeshSubset, tags: {team: x}", "mode: Permissive") ALONE("tags: {team: x}\n"), EG_INCOMING_PERMISSIVE},
		{MESH("STRICT") TLS("b", "kind: MeshSubset, tags: {team: y}", "mode: Permissive") ALONE("tags: {team: x}\n"),
		 EG_INCOMING_STRICT},
		{MESH("STRICT") TLS("s", "kind: Dataplane, sectionName: http", "mode: Permissive") ALONE(""), EG_INCOMING_STRICT},
		{MESH("STRICT") TLS("s", "kind: Dataplane, section_name: http", "mode: Permissive") ALONE(""), EG_INCOMING_STRICT},
		{MESH("PERMISSIVE") TLS("s", "kind: Dataplane, sectionName: null", "mode: Strict") ALONE(""), EG_INCOMING_STRICT},
		{"type: Mesh\nname: default\nmtls: {backends: [{name: a, mode: STRICT}]}\n---\n" ALONE(""), EG_INCOMING_OFF},
		{"type: Mesh\nname: default\nmtls: {enabledBackend: a, backends: [{name: a}]}\n---\n" ALONE(""), EG_INCOMING_STRICT},
	};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(cases); i++) {
		struct world world = world_of(cases[i].text);

		if (world.rules->subjects.items[0]->incoming.mode != cases[i].mode)
			fail_msg("case %zu: mode %d", i, world.rules->subjects.items[0]->incoming.mode);
		assert_int_equal(world.compiled->subjects.items[0]->incoming.mode, cases[i].mode);
		world_free(&world);
	}
}

static void in_audit_mode_the_same_reason_lets_in(void **state)
{
	struct world world = world_of(MESH("STRICT") ALONE("mode: audit\n"));
	struct eg_flow flow = {.family = EG_FAMILY_IPV4, .addr.word_be = {1}, .port = 80, .protocol = IPPROTO_TCP};
	struct eg_decision decision = eg_eval_incoming(world.rules->subjects.items[0], &flow, NULL);

	(void)state;
	assert_int_equal(decision.verdict, EG_VERDICT_AUDITED);
	assert_int_equal(decision.reason, EG_REASON_INCOMING_BLOCKED);
	world_free(&world);
}

static void what_does_not_mean_what_it_says_is_said(void **state)
{
	(void)state;
	assert_refused(OPEN_MESH ALONE("allowIncoming: [{port: 80}]\n"), "allowIncoming[0].cidr: must be defined");
	assert_refused(OPEN_MESH ALONE("allowIncoming: [{cidr: 10.0.0.1, protocol: icmp}]\n"),
		       "allowIncoming[0].protocol: \"protocol\" must be one of");
	assert_refused(OPEN_MESH ALONE("onIncomingBlocked: reject\n"),
		       "onIncomingBlocked: \"onIncomingBlocked\" must be one of [\"refuse\", \"drop\"]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strict_lets_in_loopback_and_addresses_of_the_mesh_to_any_port),
		cmocka_unit_test(datagrams_are_judged_at_declared_ports_alone),
		cmocka_unit_test(permissive_lets_in_anyone_and_without_mtls_nobody_is_looked_at),
		cmocka_unit_test(a_port_of_the_proxy_is_left_to_it_and_the_applications_own_is_not),
		cmocka_unit_test(a_gateway_takes_in_anyone),
		cmocka_unit_test(exemptions_are_those_of_the_workload_and_of_the_node),
		cmocka_unit_test(the_most_specific_mesh_tls_with_a_mode_goes_before_the_mesh),
		cmocka_unit_test(in_audit_mode_the_same_reason_lets_in),
		cmocka_unit_test(what_does_not_mean_what_it_says_is_said),
	};

	return cmocka_run_group_tests_name("incoming", tests, NULL, NULL);
}
