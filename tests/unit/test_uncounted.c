/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which connections without a lease count as outbound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/tcp.h>

#include "base/cleanup.h"
#include "datapath/uncounted.h"

static struct eg_held_socket found(uint16_t slot, uint8_t state, uint32_t netns, uint16_t local_port, uint8_t reason)
{
	return (struct eg_held_socket){
		.word = eg_lease_word(EG_LEASE_NONE, 0, slot, 0, 1),
		.tcp_state = state,
		.netns = netns,
		.local_port = local_port,
		.reason = reason,
	};
}

static void what_came_in_through_a_listener_of_its_namespace_is_not_outbound(void **state)
{
	struct eg_held_socket sockets[] = {
		found(1, TCP_LISTEN, 1, 80, 0),
		found(1, TCP_ESTABLISHED, 1, 80, EG_REASON_PASSTHROUGH),
		found(1, TCP_ESTABLISHED, 2, 80, EG_REASON_PASSTHROUGH),
		found(1, TCP_SYN_SENT, 1, 40000, EG_REASON_MATCHED),
		found(2, TCP_ESTABLISHED, 1, 40001, EG_REASON_PASSTHROUGH),
	};
	const struct eg_walk walk = {.sockets = {.items = sockets, .len = EG_COUNT_OF(sockets)}};

	(void)state;
	assert_int_equal(eg_uncounted_of(&walk, 1, EG_MODE_ENFORCE).outbound, 2);
	assert_int_equal(eg_uncounted_of(&walk, 1, EG_MODE_ENFORCE).first.netns, 2);
	assert_int_equal(eg_uncounted_of(&walk, 1, EG_MODE_ENFORCE).forbidden, 0);
	assert_int_equal(eg_uncounted_of(&walk, 2, EG_MODE_ENFORCE).outbound, 1);
	assert_int_equal(eg_uncounted_of(&walk, 3, EG_MODE_ENFORCE).outbound, 0);
}

static void those_that_the_policy_forbids_are_among_them(void **state)
{
	struct eg_held_socket sockets[] = {
		found(1, TCP_ESTABLISHED, 1, 40000, EG_REASON_BLOCKED_PASSTHROUGH_OFF),
		found(1, TCP_ESTABLISHED, 1, 40001, EG_REASON_PASSTHROUGH),
	};
	const struct eg_walk walk = {.sockets = {.items = sockets, .len = EG_COUNT_OF(sockets)}};

	(void)state;
	assert_int_equal(eg_uncounted_of(&walk, 1, EG_MODE_ENFORCE).outbound, 2);
	assert_int_equal(eg_uncounted_of(&walk, 1, EG_MODE_ENFORCE).forbidden, 1);
}

static void in_audit_mode_what_the_policy_forbids_lacks_nothing(void **state)
{
	struct eg_held_socket sockets[] = {
		found(1, TCP_ESTABLISHED, 1, 40000, EG_REASON_BLOCKED_PASSTHROUGH_OFF),
		found(1, TCP_ESTABLISHED, 1, 40001, EG_REASON_MATCHED),
	};
	const struct eg_walk walk = {.sockets = {.items = sockets, .len = EG_COUNT_OF(sockets)}};
	struct eg_uncounted uncounted = eg_uncounted_of(&walk, 1, EG_MODE_AUDIT);

	(void)state;
	assert_int_equal(uncounted.outbound, 1);
	assert_int_equal(uncounted.forbidden, 0);
	assert_int_equal(uncounted.first.local_port, 40001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_came_in_through_a_listener_of_its_namespace_is_not_outbound),
		cmocka_unit_test(those_that_the_policy_forbids_are_among_them),
		cmocka_unit_test(in_audit_mode_what_the_policy_forbids_lacks_nothing),
	};

	return cmocka_run_group_tests_name("uncounted", tests, NULL, NULL);
}
