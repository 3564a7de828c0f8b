/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which connects are retries: those to a destination that failed in the network lately.
 * No retry is admitted here, and the breaker has an errno that no network gives. The
 * network is a namespace of the test's own.
 */
#include "support.h"

#include <bpf/bpf.h>
#include <netinet/in.h>
#include <poll.h>

#include "../lib/support/breaker.h"
#include "../lib/support/image.h"
#include "../lib/support/network.h"
#include "../lib/support/slow.h"

#define IS_RETRY EAGAIN

static void make_without_retries(struct breaker *breaker)
{
	breaker_make(breaker);
	breaker->subject.breaker_errno = IS_RETRY;
	breaker->subject.ipv4.max_retries = 0;
	breaker->subject.ipv4.flags = EG_CLUSTER_LIMITS_RETRIES;
	breaker_apply(breaker);
	breaker_join(breaker);
}

/* What comes of one connect, by a socket of its own that is closed again; flags as SOCK_NONBLOCK. */
static int try_to(const char *address, uint16_t port, int flags)
{
	int fd = network_socket(address, SOCK_STREAM | flags, 0);
	int error = network_connect(fd, address, port);

	close(fd);
	return error;
}

static uint16_t closed_port(void)
{
	uint16_t port;

	close(network_listen(0, 1, &port));
	return port;
}

static void a_failure_is_remembered_for_the_retry_window_and_no_longer(void **state)
{
	uint64_t deadline = breaker_now_ms() + slow_ms(10000);
	struct breaker breaker;
	uint16_t closed;

	(void)state;
	make_without_retries(&breaker);
	closed = closed_port();
	assert_int_equal(try_to(NETWORK_IPV4, closed, 0), ECONNREFUSED);
	assert_int_equal(try_to(NETWORK_IPV4, closed, 0), IS_RETRY);
	breaker.subject.retry_window_ms = 50;
	breaker_apply(&breaker);
	while (try_to(NETWORK_IPV4, closed, 0) == IS_RETRY) {
		assert_true(breaker_now_ms() < deadline);
		poll(NULL, 0, 5);
	}
	breaker_end(&breaker);
}

static void a_connect_that_the_application_gives_up_has_not_failed(void **state)
{
	struct breaker breaker;
	int fd;

	(void)state;
	make_without_retries(&breaker);
	fd = network_socket(NETWORK_IPV4, SOCK_STREAM | SOCK_NONBLOCK, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(network_connect(fd, NETWORK_BLACK_HOLE, 80), EINPROGRESS);
		network_disconnect(fd);
	}
	close(fd);
	for (int i = 0; i < 2; i++)
		assert_int_equal(try_to(NETWORK_BLACK_HOLE, 80, SOCK_NONBLOCK), EINPROGRESS);
	breaker_end(&breaker);
}

/* The socket does not know where it was to go, and a refusal by a program after ours looks the same. */
static void a_destination_without_a_route_is_not_remembered(void **state)
{
	struct breaker breaker;
	int fd;

	(void)state;
	make_without_retries(&breaker);
	fd = network_socket(NETWORK_IPV4, SOCK_STREAM, 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(network_connect(fd, NETWORK_NOWHERE, 80), ENETUNREACH);
	close(fd);
	assert_int_equal(try_to(NETWORK_NOWHERE, 80, 0), ENETUNREACH);
	assert_int_equal(breaker_slot(&breaker).counts.ipv4.cluster.without_event, 3);
	breaker_end(&breaker);
}

static void what_failed_for_the_slots_last_owner_has_not_failed_for_the_next(void **state)
{
	struct breaker breaker;
	struct eg_maps maps;
	uint16_t closed;

	(void)state;
	make_without_retries(&breaker);
	maps = eg_datapath_maps(breaker.datapath);
	closed = closed_port();
	for (int owner = 0; owner < 2; owner++) {
		assert_int_equal(try_to(NETWORK_IPV4, closed, 0), ECONNREFUSED);
		assert_int_equal(try_to(NETWORK_IPV4, closed, 0), IS_RETRY);
		assert_int_equal(eg_maps_retire_slot(&maps, BREAKER_SLOT), 0);
	}
	breaker_end(&breaker);
}

/* Of the epoch a lease has 16 bits, the slot 32. */
static void failures_are_remembered_however_many_owners_the_slot_has_had(void **state)
{
	const uint32_t epochs[] = {UINT16_MAX, UINT16_MAX + 1u}, slot_id = BREAKER_SLOT;
	struct breaker breaker;
	struct eg_slot slot;
	uint16_t closed;

	(void)state;
	make_without_retries(&breaker);
	closed = closed_port();
	for (size_t i = 0; i < EG_COUNT_OF(epochs); i++) {
		slot = breaker_slot(&breaker);
		slot.state.epoch = epochs[i];
		assert_int_equal(bpf_map_update_elem(eg_datapath_map_fd(breaker.datapath, "eg_slots"), &slot_id, &slot,
						     BPF_ANY),
				 0);
		assert_int_equal(try_to(NETWORK_IPV4, closed, 0), ECONNREFUSED);
		assert_int_equal(try_to(NETWORK_IPV4, closed, 0), IS_RETRY);
	}
	breaker_end(&breaker);
}

static void apply_redirect(struct breaker *breaker, uint16_t port)
{
	breaker->subject.redirect_ipv4.to =
		(struct eg_place){.addr.word_be[0] = htonl(INADDR_LOOPBACK), .port = port};
	breaker_apply(breaker);
}

/* Each destination for itself, though all of them go to the same proxy. */
static void what_a_proxy_does_not_take_has_failed_for_the_destination_that_was_asked_for(void **state)
{
	struct breaker breaker;
	int fd, peer;

	(void)state;
	breaker_make(&breaker);
	breaker.subject.mesh_scope = &breaker.scope;
	breaker.subject.passthrough = false;
	breaker.subject.breaker_errno = IS_RETRY;
	breaker.subject.ipv4.max_retries = 0;
	breaker.subject.ipv4.flags = EG_CLUSTER_LIMITS_RETRIES;
	apply_redirect(&breaker, closed_port());
	eg_links_free(breaker.links);
	assert_int_equal(eg_datapath_enrol(breaker.datapath, breaker.cgroup.fd, BREAKER_SLOT, &breaker.links), 0);
	breaker_join(&breaker);
	assert_int_equal(try_to(NETWORK_NOWHERE, 80, 0), ECONNREFUSED);
	assert_int_equal(try_to(NETWORK_NOWHERE, 80, 0), IS_RETRY);
	assert_int_equal(try_to(NETWORK_BLACK_HOLE, 80, 0), ECONNREFUSED);
	/* One retry, and it is answered: nothing is remembered any more. */
	breaker.subject.ipv4.max_retries = 1;
	apply_redirect(&breaker, breaker.port);
	fd = network_connected(NETWORK_NOWHERE, 80);
	peer = network_accept(breaker.listener);
	network_close_pair(fd, peer);
	breaker.subject.ipv4.max_retries = 0;
	breaker_apply(&breaker);
	assert_int_equal(try_to(NETWORK_BLACK_HOLE, 80, 0), IS_RETRY);
	fd = network_connected(NETWORK_NOWHERE, 80);
	peer = network_accept(breaker.listener);
	network_close_pair(fd, peer);
	breaker_end(&breaker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_is_remembered_for_the_retry_window_and_no_longer),
		cmocka_unit_test(a_connect_that_the_application_gives_up_has_not_failed),
		cmocka_unit_test(a_destination_without_a_route_is_not_remembered),
		cmocka_unit_test(what_failed_for_the_slots_last_owner_has_not_failed_for_the_next),
		cmocka_unit_test(failures_are_remembered_however_many_owners_the_slot_has_had),
		cmocka_unit_test(what_a_proxy_does_not_take_has_failed_for_the_destination_that_was_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
