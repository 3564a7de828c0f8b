/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "policy/eval.h"

/* A subject whose rules each test pushes: passthrough is false, so that only a rule lets something out. */
struct fixture {
	struct eg_scope mesh, own;
	struct eg_subject subject;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){
		.mesh = {.id = 1, .name = "default"},
		.own = {.id = 2, .name = "web"},
		.subject = {.name = "web", .mesh = "default", .slot = 1, .block_errno = EACCES},
	};
	fixture.subject.mesh_scope = &fixture.mesh;
	fixture.subject.own_scope = &fixture.own;
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	eg_array_clear(&fixture->mesh.rules);
	eg_array_clear(&fixture->own.rules);
	return 0;
}

static void add_rule(struct eg_scope *scope, enum eg_class class, const char *prefix, uint16_t port, uint32_t protocols)
{
	struct eg_rule rule = {.class = class, .port = port, .protocols = protocols};

	assert_int_equal(eg_prefix_parse(prefix, &rule.prefix), 0);
	assert_int_equal(eg_array_push(&scope->rules, rule), 0);
}

/* inet_pton() alone, so that mapped text stays a mapped address here. */
static struct eg_flow flow_to(const char *text, uint16_t port, uint16_t protocol)
{
	struct eg_flow flow = {.port = port, .protocol = protocol};

	if (inet_pton(AF_INET, text, &flow.addr) == 1) {
		flow.family = EG_FAMILY_IPV4;
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &flow.addr), 1);
		flow.family = EG_FAMILY_IPV6;
	}
	return flow;
}

static enum eg_reason reason_of(const struct fixture *fixture, const char *text, uint16_t port, uint16_t protocol)
{
	struct eg_flow flow = flow_to(text, port, protocol);

	return eg_eval(&fixture->subject, &flow, NULL).reason;
}

static const struct eg_rule *rule_of(const struct fixture *fixture, const char *text, uint16_t port)
{
	struct eg_flow flow = flow_to(text, port, IPPROTO_TCP);
	const struct eg_rule *rule;

	eg_eval(&fixture->subject, &flow, &rule);
	return rule;
}

static void without_a_policy_even_loopback_is_refused_with_eperm(void **state)
{
	struct eg_flow flow = flow_to("127.0.0.1", 80, IPPROTO_TCP);
	const struct eg_rule *rule = (const struct eg_rule *)&flow;
	struct eg_decision decision = eg_eval(NULL, &flow, &rule);

	(void)state;
	assert_int_equal(decision.verdict, EG_VERDICT_BLOCKED);
	assert_int_equal(decision.reason, EG_REASON_BLOCKED_NO_POLICY);
	assert_int_equal(decision.block_errno, EPERM);
	assert_null(rule);
}

static void loopback_is_exempt_in_every_form_and_its_neighbours_are_not(void **state)
{
	static const char *const loopback[] = {
		"127.0.0.0", "127.0.0.1", "127.255.255.255",  "0.0.0.0",
		"::1",       "::",        "::ffff:127.0.0.1", "::ffff:0.0.0.0",
	};
	static const char *const neighbours[] = {
		"126.255.255.255", "128.0.0.0", "0.0.0.1",          "::2",     "::127.0.0.1",    "1::1",
		"0:1::",           "0:0:1::1",  "::ffff:128.0.0.1", "::1:0:1", "0:0:0:0:0:1::1",
	};

	for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++)
		assert_int_equal(reason_of(*state, loopback[i], 1, IPPROTO_UDP), EG_REASON_EXEMPT_LOOPBACK);
	for (size_t i = 0; i < sizeof(neighbours) / sizeof(neighbours[0]); i++)
		assert_int_equal(reason_of(*state, neighbours[i], 1, IPPROTO_UDP), EG_REASON_BLOCKED_PASSTHROUGH_OFF);
}

static void what_no_rule_names_follows_passthrough(void **state)
{
	struct fixture *fixture = *state;
	struct eg_flow flow = flow_to("192.0.2.1", 443, IPPROTO_TCP);
	struct eg_decision decision = eg_eval(&fixture->subject, &flow, NULL);

	assert_int_equal(decision.verdict, EG_VERDICT_BLOCKED);
	assert_int_equal(decision.reason, EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	assert_int_equal(decision.block_errno, EACCES);

	fixture->subject.passthrough = true;
	decision = eg_eval(&fixture->subject, &flow, NULL);
	assert_int_equal(decision.verdict, EG_VERDICT_ALLOWED);
	assert_int_equal(decision.reason, EG_REASON_PASSTHROUGH);
	assert_int_equal(decision.block_errno, 0);
	assert_null(rule_of(fixture, "192.0.2.1", 443));
}

static void in_audit_mode_what_would_be_blocked_is_so_for_the_same_reason_and_goes_on(void **state)
{
	struct fixture *fixture = *state;
	struct eg_flow flow = flow_to("192.0.2.1", 443, IPPROTO_TCP);
	struct eg_decision decision;

	fixture->subject.mode = EG_MODE_AUDIT;
	decision = eg_eval(&fixture->subject, &flow, NULL);
	assert_int_equal(decision.verdict, EG_VERDICT_AUDITED);
	assert_int_equal(decision.reason, EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	assert_int_equal(decision.block_errno, 0);
	fixture->subject.passthrough = true;
	assert_int_equal(eg_eval(&fixture->subject, &flow, NULL).verdict, EG_VERDICT_ALLOWED);
}

static enum eg_reason connect_reason(const struct fixture *fixture, const char *address, uint16_t port,
				     uint16_t protocol, uint32_t *ret_port)
{
	struct eg_flow flow = flow_to(address, port, protocol);
	struct eg_place place;
	struct eg_decision decision = eg_eval_connect(&fixture->subject, &flow, NULL, &place);

	*ret_port = place.port;
	return decision.reason;
}

static void what_would_be_blocked_goes_to_the_proxy_of_its_family(void **state)
{
	struct fixture *fixture = *state;
	uint32_t port;

	fixture->subject.redirect_ipv4.to.port = 15001;
	fixture->subject.redirect_ipv4.dns.port = 15053;
	assert_int_equal(connect_reason(fixture, "192.0.2.1", 443, IPPROTO_TCP, &port), EG_REASON_REDIRECTED);
	assert_int_equal(port, 15001);
	assert_int_equal(connect_reason(fixture, "::ffff:192.0.2.1", 443, IPPROTO_TCP, &port), EG_REASON_REDIRECTED);
	assert_int_equal(port, 15001);
	assert_int_equal(connect_reason(fixture, "2001:db8::1", 443, IPPROTO_TCP, &port),
			 EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	assert_int_equal(port, 0);
	assert_int_equal(connect_reason(fixture, "192.0.2.1", 443, IPPROTO_UDP, &port),
			 EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	assert_int_equal(connect_reason(fixture, "192.0.2.1", 53, IPPROTO_UDP, &port), EG_REASON_REDIRECTED);
	assert_int_equal(port, 15053);
	assert_int_equal(connect_reason(fixture, "127.0.0.1", 53, IPPROTO_UDP, &port), EG_REASON_EXEMPT_LOOPBACK);
	assert_int_equal(port, 0);
	fixture->subject.passthrough = true;
	assert_int_equal(connect_reason(fixture, "192.0.2.1", 443, IPPROTO_TCP, &port), EG_REASON_PASSTHROUGH);
	assert_int_equal(port, 0);
}

static void in_audit_mode_nothing_is_redirected_and_what_would_be_is_said(void **state)
{
	struct fixture *fixture = *state;
	struct eg_flow flow = flow_to("192.0.2.1", 443, IPPROTO_TCP);
	struct eg_decision decision;
	struct eg_place place;

	fixture->subject.mode = EG_MODE_AUDIT;
	fixture->subject.redirect_ipv4.to.port = 15001;
	decision = eg_eval_connect(&fixture->subject, &flow, NULL, &place);
	assert_int_equal(decision.verdict, EG_VERDICT_AUDITED);
	assert_int_equal(decision.reason, EG_REASON_REDIRECTED);
	assert_int_equal(place.port, 0);
}

static void the_earlier_class_wins_however_specific_the_later_one_is(void **state)
{
	struct fixture *fixture = *state;

	add_rule(&fixture->own, EG_CLASS_MATCHED, "192.0.2.1", 53, EG_PROTO_TCP);
	assert_int_equal(reason_of(fixture, "192.0.2.1", 53, IPPROTO_TCP), EG_REASON_MATCHED);
	add_rule(&fixture->mesh, EG_CLASS_MESH, "192.0.2.0/24", 0, EG_PROTO_ANY);
	assert_int_equal(reason_of(fixture, "192.0.2.1", 53, IPPROTO_TCP), EG_REASON_MESH);
	add_rule(&fixture->own, EG_CLASS_RULE, "0.0.0.0/0", 53, EG_PROTO_TCP);
	assert_int_equal(reason_of(fixture, "192.0.2.1", 53, IPPROTO_TCP), EG_REASON_EXEMPT_RULE);
	add_rule(&fixture->mesh, EG_CLASS_RESOLVER, "192.0.0.0/16", 53, EG_PROTO_TCP);
	assert_int_equal(reason_of(fixture, "192.0.2.1", 53, IPPROTO_TCP), EG_REASON_EXEMPT_RESOLVER);
	assert_int_equal(reason_of(fixture, "192.0.2.1", 54, IPPROTO_TCP), EG_REASON_MESH);
}

static void a_rule_holds_for_its_port_and_protocols_only(void **state)
{
	struct fixture *fixture = *state;

	add_rule(&fixture->mesh, EG_CLASS_MESH, "10.0.0.1", 80, EG_PROTO_TCP | EG_PROTO_SCTP);
	assert_int_equal(reason_of(fixture, "10.0.0.1", 80, IPPROTO_TCP), EG_REASON_MESH);
	assert_int_equal(reason_of(fixture, "10.0.0.1", 80, 262 /* MPTCP */), EG_REASON_MESH);
	assert_int_equal(reason_of(fixture, "10.0.0.1", 80, IPPROTO_SCTP), EG_REASON_MESH);
	assert_int_equal(reason_of(fixture, "10.0.0.1", 80, IPPROTO_UDP), EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	assert_int_equal(reason_of(fixture, "10.0.0.1", 81, IPPROTO_TCP), EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	assert_int_equal(reason_of(fixture, "10.0.0.1", 0, IPPROTO_TCP), EG_REASON_BLOCKED_PASSTHROUGH_OFF);
}

static void any_protocol_includes_those_without_a_name(void **state)
{
	struct fixture *fixture = *state;

	add_rule(&fixture->mesh, EG_CLASS_MESH, "10.0.0.0/8", 0, EG_PROTO_ANY);
	assert_int_equal(reason_of(fixture, "10.0.0.1", 0, IPPROTO_ICMP), EG_REASON_MESH);
	assert_int_equal(reason_of(fixture, "10.0.0.1", 0, IPPROTO_RAW), EG_REASON_MESH);
	assert_int_equal(reason_of(fixture, "10.0.0.1", 65535, IPPROTO_DCCP), EG_REASON_MESH);
}

static void mapped_flows_follow_ipv4_rules_and_no_ipv6_rule(void **state)
{
	struct fixture *fixture = *state;

	add_rule(&fixture->mesh, EG_CLASS_MESH, "10.0.0.0/8", 0, EG_PROTO_ANY);
	add_rule(&fixture->own, EG_CLASS_MATCHED, "::/0", 0, EG_PROTO_ANY);
	assert_int_equal(reason_of(fixture, "::ffff:10.0.0.1", 80, IPPROTO_TCP), EG_REASON_MESH);
	assert_int_equal(reason_of(fixture, "::ffff:11.0.0.1", 80, IPPROTO_TCP), EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	assert_int_equal(reason_of(fixture, "11.0.0.1", 80, IPPROTO_TCP), EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	assert_int_equal(reason_of(fixture, "::10.0.0.1", 80, IPPROTO_TCP), EG_REASON_MATCHED);
}

static void a_subject_without_own_scope_is_judged_by_its_mesh(void **state)
{
	struct fixture *fixture = *state;

	add_rule(&fixture->own, EG_CLASS_MATCHED, "192.0.2.1", 0, EG_PROTO_ANY);
	add_rule(&fixture->mesh, EG_CLASS_MESH, "10.0.0.1", 80, EG_PROTO_TCP);
	fixture->subject.own_scope = NULL;
	assert_int_equal(reason_of(fixture, "192.0.2.1", 80, IPPROTO_TCP), EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	assert_int_equal(reason_of(fixture, "10.0.0.1", 80, IPPROTO_TCP), EG_REASON_MESH);
}

static void the_rule_named_is_the_longest_prefix_then_the_one_with_a_port(void **state)
{
	struct fixture *fixture = *state;
	const struct eg_rule *rule;

	add_rule(&fixture->own, EG_CLASS_MESH, "10.0.0.0/8", 80, EG_PROTO_TCP);
	add_rule(&fixture->own, EG_CLASS_MESH, "10.0.0.0/8", 0, EG_PROTO_ANY);
	add_rule(&fixture->mesh, EG_CLASS_MESH, "10.0.0.1", 0, EG_PROTO_ANY);
	add_rule(&fixture->mesh, EG_CLASS_MESH, "10.0.0.1", 80, EG_PROTO_TCP);
	add_rule(&fixture->mesh, EG_CLASS_MESH, "10.0.0.0/16", 80, EG_PROTO_TCP);

	rule = rule_of(fixture, "10.0.0.1", 80);
	assert_ptr_equal(rule, &fixture->mesh.rules.items[1]);
	rule = rule_of(fixture, "10.0.0.1", 81);
	assert_ptr_equal(rule, &fixture->mesh.rules.items[0]);
	rule = rule_of(fixture, "10.0.1.0", 80);
	assert_ptr_equal(rule, &fixture->mesh.rules.items[2]);
	rule = rule_of(fixture, "10.1.0.0", 80);
	assert_ptr_equal(rule, &fixture->own.rules.items[0]);
	rule = rule_of(fixture, "10.1.0.0", 81);
	assert_ptr_equal(rule, &fixture->own.rules.items[1]);
	assert_null(rule_of(fixture, "11.0.0.0", 80));
	assert_null(rule_of(fixture, "127.0.0.1", 80));
}

#define eval_test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		eval_test(without_a_policy_even_loopback_is_refused_with_eperm),
		eval_test(loopback_is_exempt_in_every_form_and_its_neighbours_are_not),
		eval_test(what_no_rule_names_follows_passthrough),
		eval_test(in_audit_mode_what_would_be_blocked_is_so_for_the_same_reason_and_goes_on),
		eval_test(what_would_be_blocked_goes_to_the_proxy_of_its_family),
		eval_test(in_audit_mode_nothing_is_redirected_and_what_would_be_is_said),
		eval_test(the_earlier_class_wins_however_specific_the_later_one_is),
		eval_test(a_rule_holds_for_its_port_and_protocols_only),
		eval_test(any_protocol_includes_those_without_a_name),
		eval_test(mapped_flows_follow_ipv4_rules_and_no_ipv6_rule),
		eval_test(a_subject_without_own_scope_is_judged_by_its_mesh),
		eval_test(the_rule_named_is_the_longest_prefix_then_the_one_with_a_port),
	};

	return cmocka_run_group_tests_name("eval", tests, NULL, NULL);
}
