/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Audit mode on real sockets: what would be refused passes and is counted, listed and
 * reported under the same reason, and what holds a place gives it back like any other.
 * The network is a namespace of the test's own.
 */
#include "support.h"

#include <netinet/in.h>

#include "../lib/support/breaker.h"
#include "../lib/support/image.h"
#include "../lib/support/network.h"
#include "base/cleanup.h"
#include "datapath/walk.h"

#define UDP_PORT 9

static void make_audited(struct breaker *breaker, bool passthrough)
{
	breaker_make(breaker);
	breaker->subject.mode = EG_MODE_AUDIT;
	breaker->subject.passthrough = passthrough;
	breaker_apply(breaker);
	breaker_join(breaker);
}

static int udp_to(const char *address)
{
	int fd = network_socket(address, SOCK_DGRAM, 0);

	assert_int_equal(network_connect(fd, address, UDP_PORT), 0);
	return fd;
}

static void send_to(const char *address)
{
	struct sockaddr_storage to = network_address(address, UDP_PORT);
	int fd = network_socket(address, SOCK_DGRAM, 0);
	socklen_t len = to.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, len), 1);
	close(fd);
}

/* ---- passthrough is false ---- */

static void attempt_each_way(const struct breaker *breaker)
{
	static const char *const addresses[] = {NETWORK_IPV4, NETWORK_IPV6, NETWORK_MAPPED};

	for (size_t i = 0; i < EG_COUNT_OF(addresses); i++) {
		close(network_connected(addresses[i], breaker->port));
		close(udp_to(addresses[i]));
		send_to(addresses[i]);
	}
}

static void what_passthrough_false_would_block_passes_by_every_hook_and_counts_as_blocked(void **state)
{
	struct breaker breaker;
	struct eg_slot slot;

	(void)state;
	make_audited(&breaker, false);
	attempt_each_way(&breaker);
	slot = breaker_slot(&breaker);
	assert_int_equal(slot.counts.ipv4.verdicts.blocked_passthrough_off, 6);
	assert_int_equal(slot.counts.ipv6.verdicts.blocked_passthrough_off, 3);
	assert_int_equal(slot.counts.not_enforced, 9);
	assert_int_equal(slot.counts.ipv4.cluster.cx_no_route, 2);
	assert_int_equal(slot.counts.ipv6.cluster.cx_no_route, 1);
	/* It would hold nothing: it takes no place from what would. */
	assert_int_equal(slot.counts.ipv4.cluster.cx_total + slot.counts.ipv6.cluster.cx_total, 0);
	assert_int_equal(slot.counts.ipv4.cluster.sessions_total, 0);
	breaker_end(&breaker);
}

static void a_destination_has_an_entry_for_what_was_let_pass_and_one_for_what_was_refused(void **state)
{
	struct eg_destinations destinations = {};
	struct breaker breaker;
	struct eg_maps maps;
	int fd;

	(void)state;
	make_audited(&breaker, false);
	maps = eg_datapath_maps(breaker.datapath);
	close(network_connected(NETWORK_IPV4, breaker.port));
	close(network_connected(NETWORK_IPV4, breaker.port));
	breaker.subject.mode = EG_MODE_ENFORCE;
	breaker_apply(&breaker);
	fd = network_socket(NETWORK_IPV4, SOCK_STREAM, 0);
	assert_int_equal(network_connect(fd, NETWORK_IPV4, breaker.port), EPERM);
	close(fd);
	assert_int_equal(eg_maps_read_destinations(&maps, BREAKER_SLOT, &destinations), 0);
	assert_int_equal(destinations.list.len, 2);
	assert_int_equal(destinations.list.items[0].key.verdict, EG_VERDICT_BLOCKED);
	assert_int_equal(destinations.list.items[0].seen.count, 1);
	assert_int_equal(destinations.list.items[1].key.verdict, EG_VERDICT_AUDITED);
	assert_int_equal(destinations.list.items[1].seen.count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(destinations.list.items[i].key.reason, EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	eg_array_clear(&destinations.list);
	breaker_end(&breaker);
}

static void a_session_ends_when_its_socket_goes_to_where_it_would_not_come(void **state)
{
	struct breaker breaker;
	int fd;

	(void)state;
	make_audited(&breaker, true);
	fd = udp_to(NETWORK_IPV4);
	assert_int_equal(breaker_slot(&breaker).state.ipv4.sessions, 1);
	breaker.subject.passthrough = false;
	breaker_apply(&breaker);
	assert_int_equal(network_connect(fd, NETWORK_BLACK_HOLE, UDP_PORT), 0);
	assert_int_equal(breaker_slot(&breaker).state.ipv4.sessions, 0);
	assert_int_equal(breaker_slot(&breaker).counts.ipv4.verdicts.blocked_passthrough_off, 1);
	close(fd);
	breaker_end(&breaker);
}

/* ---- the circuit breaker ---- */

static void connections_past_the_limit_hold_places_and_give_them_back(void **state)
{
	struct breaker breaker;
	struct eg_slot slot;
	int fds[5];

	(void)state;
	make_audited(&breaker, true);
	breaker.subject.ipv4.max_connections = 2;
	breaker_apply(&breaker);
	for (size_t i = 0; i < EG_COUNT_OF(fds); i++)
		fds[i] = network_connected(NETWORK_IPV4, breaker.port);
	slot = breaker_slot(&breaker);
	assert_int_equal(eg_held_connections(slot.state.ipv4.held), 5);
	assert_int_equal(slot.counts.ipv4.cluster.cx_total, 5);
	assert_int_equal(slot.counts.ipv4.cluster.cx_overflow, 3);
	assert_int_equal(slot.counts.ipv4.cluster.cx_past_limit, 3);
	assert_int_equal(slot.counts.ipv4.verdicts.passthrough, 2);
	assert_int_equal(slot.counts.ipv4.verdicts.blocked_max_connections, 3);
	assert_int_equal(slot.counts.not_enforced, 3);
	for (size_t i = 0; i < EG_COUNT_OF(fds); i++)
		close(fds[i]);
	slot = breaker_slot(&breaker);
	assert_int_equal(slot.state.ipv4.held, 0);
	assert_int_equal(slot.counts.ipv4.cluster.closed_local, 5);
	breaker_end(&breaker);
}

static void pending_connects_and_retries_past_their_limits_pass_too(void **state)
{
	struct breaker breaker;
	struct eg_slot slot;
	int fds[3];

	(void)state;
	make_audited(&breaker, true);
	breaker.subject.ipv4.max_pending = 1;
	breaker.subject.ipv4.max_retries = 0;
	breaker.subject.ipv4.flags = EG_CLUSTER_LIMITS_RETRIES;
	breaker_apply(&breaker);
	for (size_t i = 0; i < EG_COUNT_OF(fds); i++) {
		fds[i] = network_socket(NETWORK_BLACK_HOLE, SOCK_STREAM | SOCK_NONBLOCK, 0);
		assert_int_equal(network_connect(fds[i], NETWORK_BLACK_HOLE, 80), EINPROGRESS);
	}
	slot = breaker_slot(&breaker);
	assert_int_equal(eg_held_pending(slot.state.ipv4.held), 3);
	assert_int_equal(slot.counts.ipv4.cluster.rq_pending_overflow, 2);
	for (size_t i = 0; i < EG_COUNT_OF(fds); i++)
		close(fds[i]);
	/* Nobody listens: the second connect is a retry. */
	for (int i = 0; i < 2; i++) {
		fds[0] = network_socket(NETWORK_IPV4, SOCK_STREAM, 0);
		assert_int_equal(network_connect(fds[0], NETWORK_IPV4, 9), ECONNREFUSED);
		close(fds[0]);
	}
	slot = breaker_slot(&breaker);
	assert_int_equal(slot.counts.ipv4.cluster.rq_retry, 1);
	assert_int_equal(slot.counts.ipv4.cluster.rq_retry_overflow, 1);
	assert_int_equal(slot.counts.ipv4.cluster.cx_past_limit, 3);
	assert_int_equal(slot.state.ipv4.retries, 0);
	breaker_end(&breaker);
}

static void sessions_past_the_limit_pass_and_end(void **state)
{
	struct breaker breaker;
	struct eg_slot slot;
	int fds[3];

	(void)state;
	make_audited(&breaker, true);
	breaker.subject.ipv4.max_connections = 1;
	breaker_apply(&breaker);
	for (size_t i = 0; i < EG_COUNT_OF(fds); i++)
		fds[i] = udp_to(NETWORK_IPV4);
	slot = breaker_slot(&breaker);
	assert_int_equal(slot.state.ipv4.sessions, 3);
	assert_int_equal(slot.counts.ipv4.cluster.sessions_total, 3);
	assert_int_equal(slot.counts.ipv4.cluster.sessions_overflow, 2);
	for (size_t i = 0; i < EG_COUNT_OF(fds); i++)
		close(fds[i]);
	assert_int_equal(breaker_slot(&breaker).state.ipv4.sessions, 0);
	breaker_end(&breaker);
}

static void what_the_table_has_no_place_for_passes_without_one(void **state)
{
	enum { FEW = 8 };
	struct breaker breaker;
	struct eg_slot slot;
	int fds[FEW + 1];

	(void)state;
	breaker_make_small(&breaker, FEW);
	breaker.subject.mode = EG_MODE_AUDIT;
	breaker_apply(&breaker);
	breaker_join(&breaker);
	for (int i = 0; i < FEW + 1; i++)
		fds[i] = network_connected(NETWORK_IPV4, breaker.port);
	slot = breaker_slot(&breaker);
	assert_int_equal(slot.counts.ipv4.verdicts.blocked_no_state, 1);
	assert_int_equal(slot.counts.ipv4.cluster.cx_total, FEW);
	for (int i = 0; i < FEW + 1; i++)
		network_abort(fds[i]);
	breaker_end(&breaker);
}

/* ---- timeouts, and the way back ---- */

static void no_timeout_ends_anything_in_audit_mode_and_it_does_afterwards(void **state)
{
	struct breaker breaker;
	struct eg_walk walk = {};
	int fd;

	(void)state;
	make_audited(&breaker, true);
	breaker.subject.ipv4.idle_timeout_ms = 1;
	breaker.subject.ipv4.max_duration_ms = 1;
	breaker_apply(&breaker);
	fd = network_connected(NETWORK_IPV4, breaker.port);
	for (uint64_t began = breaker_now_ms(); breaker_now_ms() < began + 3;)
		;
	assert_int_equal(eg_datapath_sweep(breaker.datapath, &walk), 0);
	assert_int_equal(walk.sockets.len, 0);
	breaker.subject.mode = EG_MODE_ENFORCE;
	breaker_apply(&breaker);
	assert_int_equal(eg_datapath_sweep(breaker.datapath, &walk), 0);
	assert_int_equal(walk.sockets.len, 1);
	eg_walk_clear(&walk);
	close(fd);
	breaker_end(&breaker);
}

static void back_in_force_the_limit_refuses_until_what_is_past_it_has_ended(void **state)
{
	struct breaker breaker;
	int fds[3], late;

	(void)state;
	make_audited(&breaker, true);
	breaker.subject.ipv4.max_connections = 1;
	breaker_apply(&breaker);
	for (size_t i = 0; i < EG_COUNT_OF(fds); i++)
		fds[i] = network_connected(NETWORK_IPV4, breaker.port);
	breaker.subject.mode = EG_MODE_ENFORCE;
	breaker_apply(&breaker);
	late = network_socket(NETWORK_IPV4, SOCK_STREAM, 0);
	for (size_t i = 0; i < EG_COUNT_OF(fds); i++) {
		assert_int_equal(network_connect(late, NETWORK_IPV4, breaker.port), ECONNREFUSED);
		close(fds[i]);
	}
	assert_int_equal(network_connect(late, NETWORK_IPV4, breaker.port), 0);
	assert_int_equal(breaker_slot(&breaker).counts.not_enforced, 2);
	close(late);
	breaker_end(&breaker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_passthrough_false_would_block_passes_by_every_hook_and_counts_as_blocked),
		cmocka_unit_test(a_destination_has_an_entry_for_what_was_let_pass_and_one_for_what_was_refused),
		cmocka_unit_test(a_session_ends_when_its_socket_goes_to_where_it_would_not_come),
		cmocka_unit_test(connections_past_the_limit_hold_places_and_give_them_back),
		cmocka_unit_test(pending_connects_and_retries_past_their_limits_pass_too),
		cmocka_unit_test(sessions_past_the_limit_pass_and_end),
		cmocka_unit_test(what_the_table_has_no_place_for_passes_without_one),
		cmocka_unit_test(no_timeout_ends_anything_in_audit_mode_and_it_does_afterwards),
		cmocka_unit_test(back_in_force_the_limit_refuses_until_what_is_past_it_has_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
