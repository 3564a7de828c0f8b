/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Sockets that are destroyed by their identity: which ones are, and what their processes see. */
#include "support.h"

#include <netinet/in.h>
#include <poll.h>

#include "../lib/support/pair.h"
#include "base/cleanup.h"
#include "datapath/sockdiag.h"

static ssize_t receive(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT);
}

static void of_two_with_the_same_addresses_only_the_one_that_is_named_is_destroyed(void **state)
{
	struct pair one = {.family = AF_INET, .type = SOCK_STREAM}, other = one;
	struct eg_held_socket named;

	(void)state;
	pair_make(&one);
	pair_make(&other);
	named = pair_identity(&one);
	/* In the other namespace there is no socket with this cookie, though one with these addresses. */
	assert_int_equal(eg_sockdiag_destroy(other.sockdiag, &named), -ENOENT);
	pair_expect_alive(&one);
	pair_expect_alive(&other);
	assert_int_equal(eg_sockdiag_destroy(one.sockdiag, &named), 0);
	pair_expect_aborted(&one);
	pair_expect_alive(&other);
	pair_end(&one);
	pair_end(&other);
}

static void an_established_connection_is_aborted_once_then_at_its_end_and_reset_for_the_peer(void **state)
{
	struct pair pair = {.family = AF_INET, .type = SOCK_STREAM};
	struct eg_held_socket named;

	(void)state;
	pair_make(&pair);
	named = pair_identity(&pair);
	assert_int_equal(eg_sockdiag_destroy(pair.sockdiag, &named), 0);
	pair_expect_aborted(&pair);
	assert_int_equal(receive(pair.client), 0);
	assert_int_equal(send(pair.client, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(receive(pair.server), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(eg_sockdiag_destroy(pair.sockdiag, &named), -ENOENT);
	pair_end(&pair);
}

static void a_connected_udp_socket_is_aborted_and_has_no_peer_any_more(void **state)
{
	struct pair pair = {.family = AF_INET, .type = SOCK_DGRAM};
	struct sockaddr_in6 peer;
	socklen_t len = sizeof(peer);
	struct eg_held_socket named;

	(void)state;
	pair_make(&pair);
	named = pair_identity(&pair);
	pair_expect_alive(&pair);
	assert_int_equal(eg_sockdiag_destroy(pair.sockdiag, &named), 0);
	pair_expect_aborted(&pair);
	assert_int_equal(send(pair.client, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EDESTADDRREQ);
	assert_int_equal(getpeername(pair.client, (struct sockaddr *)&peer, &len), -1);
	assert_int_equal(errno, ENOTCONN);
	pair_end(&pair);
}

static void ipv6_mapped_and_interface_bound_sockets_are_destroyed_too(void **state)
{
	struct pair pairs[] = {
		{.family = AF_INET6, .type = SOCK_STREAM},
		{.family = AF_INET6, .type = SOCK_DGRAM},
		{.family = AF_INET6, .type = SOCK_STREAM, .mapped = true},
		{.family = AF_INET6, .type = SOCK_DGRAM, .mapped = true},
		{.family = AF_INET, .type = SOCK_STREAM, .bind = "lo"},
		{.family = AF_INET6, .type = SOCK_DGRAM, .bind = "lo"},
	};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(pairs); i++) {
		struct eg_held_socket named, stranger;

		pair_make(&pairs[i]);
		named = stranger = pair_identity(&pairs[i]);
		stranger.cookie++;
		assert_int_equal(eg_sockdiag_destroy(pairs[i].sockdiag, &stranger), -ENOENT);
		pair_expect_alive(&pairs[i]);
		assert_int_equal(eg_sockdiag_destroy(pairs[i].sockdiag, &named), 0);
		pair_expect_aborted(&pairs[i]);
		pair_end(&pairs[i]);
	}
}

static void one_that_still_connects_is_aborted_at_once(void **state)
{
	struct pair pair = {.family = AF_INET, .type = SOCK_STREAM};
	struct pollfd wait = {.events = POLLOUT};
	socklen_t len = sizeof(int);
	struct eg_held_socket named;
	int error = 0;

	(void)state;
	pair_make_connecting(&pair);
	named = pair_identity(&pair);
	wait.fd = pair.client;
	assert_int_equal(poll(&wait, 1, 0), 0);
	assert_int_equal(eg_sockdiag_destroy(pair.sockdiag, &named), 0);
	assert_int_equal(poll(&wait, 1, 0), 1);
	assert_int_equal(getsockopt(pair.client, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	assert_int_equal(error, ECONNABORTED);
	pair_end(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_two_with_the_same_addresses_only_the_one_that_is_named_is_destroyed),
		cmocka_unit_test(an_established_connection_is_aborted_once_then_at_its_end_and_reset_for_the_peer),
		cmocka_unit_test(a_connected_udp_socket_is_aborted_and_has_no_peer_any_more),
		cmocka_unit_test(ipv6_mapped_and_interface_bound_sockets_are_destroyed_too),
		cmocka_unit_test(one_that_still_connects_is_aborted_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
