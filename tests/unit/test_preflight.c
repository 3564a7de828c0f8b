/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What would be cut of what was seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "policy/preflight.h"

#define SLOT 2u

struct fixture {
	struct eg_scope mesh;
	struct eg_subject subject;
	const struct eg_subject *subjects[EG_SLOTS_MAX];
	struct eg_preflight preflight;
};

/* One workload with 10.0.0.0/8 in its mesh, and passthrough false. */
static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->mesh = (struct eg_scope){.id = 1, .name = "default"};
	assert_int_equal(eg_array_push(&fixture->mesh.rules, {.class = EG_CLASS_MESH, .protocols = EG_PROTO_ANY}), 0);
	assert_int_equal(eg_prefix_parse("10.0.0.0/8", &fixture->mesh.rules.items[0].prefix), 0);
	fixture->subject = (struct eg_subject){.slot = SLOT, .block_errno = 1, .mesh_scope = &fixture->mesh};
	fixture->subjects[SLOT] = &fixture->subject;
	fixture->preflight.subjects = fixture->subjects;
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	eg_preflight_clear(&fixture->preflight);
	eg_array_clear(&fixture->mesh.rules);
	free(fixture);
	return 0;
}

static struct eg_flow flow_to(const char *address, uint16_t port, uint16_t protocol)
{
	struct eg_flow flow = {.port = port, .protocol = protocol};

	assert_int_equal(eg_addr_parse(address, &flow.family, &flow.addr), 0);
	return flow;
}

static void see(struct fixture *fixture, struct eg_flow flow, enum eg_verdict verdict, uint64_t last_ns, uint64_t count)
{
	const struct eg_dest_key key = {.slot = SLOT, .flow = flow, .verdict = verdict};
	const struct eg_dest seen = {.last_seen_ns = last_ns, .count = count, .pid = 7, .comm = "curl"};

	assert_int_equal(eg_preflight_add_destination(&fixture->preflight, &key, &seen), 0);
}

static void hold(struct fixture *fixture, uint32_t slot, struct eg_flow flow, uint64_t bytes)
{
	const struct eg_held_socket socket = {
		.opened_ns = 5,
		.rx_bytes = bytes,
		.tx_bytes = 2 * bytes,
		.remote = flow.addr,
		.family = flow.family,
		.remote_port = flow.port,
		.protocol = flow.protocol,
		.pid = 8,
		.comm = "nginx",
	};

	assert_int_equal(eg_preflight_add_connection(&fixture->preflight, slot, &socket), 0);
}

static const struct eg_cut *only_cut(const struct fixture *fixture)
{
	assert_int_equal(fixture->preflight.cuts.len, 1);
	return &fixture->preflight.cuts.items[0];
}

static void what_the_policy_allows_or_loopback_is_not_cut_and_the_rest_is(void **state)
{
	struct fixture *fixture = *state;

	see(fixture, flow_to("10.1.1.1", 80, IPPROTO_TCP), EG_VERDICT_ALLOWED, 1, 1);
	see(fixture, flow_to("127.0.0.1", 80, IPPROTO_TCP), EG_VERDICT_ALLOWED, 1, 1);
	see(fixture, flow_to("192.0.2.1", 80, IPPROTO_TCP), EG_VERDICT_ALLOWED, 1, 3);
	assert_int_equal(only_cut(fixture)->reason, EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	assert_int_equal(only_cut(fixture)->count, 3);
	assert_int_equal(only_cut(fixture)->pid, 7);
	assert_string_equal(only_cut(fixture)->comm, "curl");
}

static void what_was_refused_is_cut_already_and_what_audit_mode_let_pass_is_not(void **state)
{
	struct fixture *fixture = *state;

	see(fixture, flow_to("192.0.2.1", 80, IPPROTO_TCP), EG_VERDICT_BLOCKED, 1, 1);
	assert_int_equal(fixture->preflight.cuts.len, 0);
	see(fixture, flow_to("192.0.2.1", 80, IPPROTO_TCP), EG_VERDICT_AUDITED, 1, 4);
	assert_int_equal(only_cut(fixture)->count, 4);
}

static void a_socket_that_could_not_be_made_is_cut_wherever_it_goes(void **state)
{
	struct fixture *fixture = *state;

	see(fixture, flow_to("10.1.1.1", 80, IPPROTO_UDPLITE), EG_VERDICT_ALLOWED, 1, 1);
	see(fixture, flow_to("10.1.1.1", 0, IPPROTO_ICMP), EG_VERDICT_ALLOWED, 1, 1);
	assert_int_equal(only_cut(fixture)->reason, EG_REASON_BLOCKED_PROTOCOL);
	fixture->subject.allowed_protocols = EG_PROTO_SCTP;
	see(fixture, flow_to("10.1.1.1", 80, IPPROTO_SCTP), EG_VERDICT_ALLOWED, 1, 1);
	assert_int_equal(fixture->preflight.cuts.len, 1);
}

static void a_policy_in_audit_mode_cuts_nothing(void **state)
{
	struct fixture *fixture = *state;

	fixture->subject.mode = EG_MODE_AUDIT;
	see(fixture, flow_to("192.0.2.1", 80, IPPROTO_TCP), EG_VERDICT_ALLOWED, 1, 1);
	hold(fixture, SLOT, flow_to("192.0.2.1", 80, IPPROTO_TCP), 1);
	assert_int_equal(fixture->preflight.cuts.len, 0);
}

static void verdicts_and_connections_of_one_destination_add_up_mptcp_among_them(void **state)
{
	struct fixture *fixture = *state;

	hold(fixture, SLOT, flow_to("192.0.2.1", 80, IPPROTO_TCP), 10);
	hold(fixture, SLOT, flow_to("192.0.2.1", 80, IPPROTO_TCP), 5);
	see(fixture, flow_to("192.0.2.1", 80, IPPROTO_TCP), EG_VERDICT_ALLOWED, 9, 3);
	see(fixture, flow_to("192.0.2.1", 80, IPPROTO_MPTCP), EG_VERDICT_ALLOWED, 8, 2);
	assert_int_equal(only_cut(fixture)->flow.protocol, IPPROTO_TCP);
	assert_int_equal(only_cut(fixture)->count, 5);
	assert_int_equal(only_cut(fixture)->connections, 2);
	assert_int_equal(only_cut(fixture)->rx_bytes, 15);
	assert_int_equal(only_cut(fixture)->tx_bytes, 30);
	assert_int_equal(only_cut(fixture)->last_seen_ns, 9);
	/* Who has it now says more than who had it first. */
	assert_int_equal(only_cut(fixture)->pid, 8);
	assert_string_equal(only_cut(fixture)->comm, "nginx");
}

static void what_was_last_seen_before_the_time_counts_only_while_it_is_open(void **state)
{
	struct fixture *fixture = *state;

	fixture->preflight.since_ns = 100;
	hold(fixture, SLOT, flow_to("192.0.2.1", 80, IPPROTO_TCP), 1);
	see(fixture, flow_to("192.0.2.1", 80, IPPROTO_TCP), EG_VERDICT_ALLOWED, 50, 3);
	see(fixture, flow_to("192.0.2.2", 80, IPPROTO_TCP), EG_VERDICT_ALLOWED, 99, 1);
	assert_int_equal(only_cut(fixture)->count, 3);
	see(fixture, flow_to("192.0.2.2", 81, IPPROTO_TCP), EG_VERDICT_ALLOWED, 100, 1);
	assert_int_equal(fixture->preflight.cuts.len, 2);
}

static void slots_that_nobody_asked_for_are_not_judged(void **state)
{
	struct fixture *fixture = *state;

	hold(fixture, SLOT + 1, flow_to("192.0.2.1", 80, IPPROTO_TCP), 1);
	hold(fixture, UINT16_MAX, flow_to("192.0.2.1", 80, IPPROTO_TCP), 1);
	assert_int_equal(fixture->preflight.cuts.len, 0);
}

static void the_list_is_sorted_however_it_came(void **state)
{
	struct fixture *fixture = *state;
	const struct eg_cut *cuts;

	fixture->subjects[SLOT + 1] = &fixture->subject;
	hold(fixture, SLOT + 1, flow_to("192.0.2.1", 1, IPPROTO_TCP), 1);
	see(fixture, flow_to("2001:db8::1", 1, IPPROTO_TCP), EG_VERDICT_ALLOWED, 1, 1);
	for (uint16_t port = 300; port > 0; port--)
		see(fixture, flow_to("192.0.2.1", port, IPPROTO_UDP), EG_VERDICT_ALLOWED, 1, 1);
	see(fixture, flow_to("192.0.2.1", 1, IPPROTO_TCP), EG_VERDICT_ALLOWED, 1, 1);
	eg_preflight_sort(&fixture->preflight);
	assert_int_equal(fixture->preflight.cuts.len, 303);
	cuts = fixture->preflight.cuts.items;
	assert_int_equal(cuts[0].flow.protocol, IPPROTO_TCP);
	assert_int_equal(cuts[1].flow.port, 1);
	assert_int_equal(cuts[300].flow.port, 300);
	assert_int_equal(cuts[301].flow.family, EG_FAMILY_IPV6);
	assert_int_equal(cuts[302].slot, SLOT + 1);
}

#define preflight_test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		preflight_test(what_the_policy_allows_or_loopback_is_not_cut_and_the_rest_is),
		preflight_test(what_was_refused_is_cut_already_and_what_audit_mode_let_pass_is_not),
		preflight_test(a_socket_that_could_not_be_made_is_cut_wherever_it_goes),
		preflight_test(a_policy_in_audit_mode_cuts_nothing),
		preflight_test(verdicts_and_connections_of_one_destination_add_up_mptcp_among_them),
		preflight_test(what_was_last_seen_before_the_time_counts_only_while_it_is_open),
		preflight_test(slots_that_nobody_asked_for_are_not_judged),
		preflight_test(the_list_is_sorted_however_it_came),
	};

	return cmocka_run_group_tests_name("preflight", tests, NULL, NULL);
}
