/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Sockets that are destroyed by their identity: which ones are, and what their processes see. */
#include "support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "../lib/support/netns.h"
#include "base/cleanup.h"
#include "datapath/sockdiag.h"
#include "workload/netns.h"

#define SERVER_PORT 7001
#define CLIENT_PORT 7002

/* One connection over the loopback of a namespace, always with the same addresses and ports. */
struct pair {
	int family;
	int type;
	bool mapped;      /* IPv6 sockets, IPv4 addresses */
	const char *bind; /* interface; NULL: none */
	int netns;
	int listener; /* -1 for datagrams */
	int server;
	int client;
	struct eg_sockdiag *sockdiag; /* of the namespace */
};

static socklen_t loopback_address(const struct pair *pair, uint16_t port, struct sockaddr_in6 *ret_address)
{
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	if (pair->family == AF_INET) {
		*ipv4 = (struct sockaddr_in){AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {}};
		return sizeof(*ipv4);
	}
	ret_address->sin6_family = AF_INET6;
	ret_address->sin6_port = htons(port);
	inet_pton(AF_INET6, pair->mapped ? "::ffff:127.0.0.1" : "::1", &ret_address->sin6_addr);
	return sizeof(*ret_address);
}

/* A socket that is bound to the port, or -1. */
static int bound(const struct pair *pair, uint16_t port, const char *interface)
{
	_cleanup_close_ int fd = socket(pair->family, pair->type | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 address;
	socklen_t len = loopback_address(pair, port, &address);
	int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (interface && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) < 0) ||
	    bind(fd, (struct sockaddr *)&address, len) < 0)
		return -1;
	return TAKE_FD(fd);
}

static int make_sockets(void *context)
{
	struct pair *pair = context;
	struct sockaddr_in6 address;
	socklen_t len = loopback_address(pair, SERVER_PORT, &address);

	pair->client = bound(pair, CLIENT_PORT, pair->bind);
	pair->server = bound(pair, SERVER_PORT, NULL);
	if (pair->type == SOCK_STREAM && listen(pair->server, 1) < 0)
		return -errno;
	if (connect(pair->client, (struct sockaddr *)&address, len) < 0)
		return -errno;
	if (pair->type == SOCK_STREAM) {
		pair->listener = pair->server;
		pair->server = accept4(pair->listener, NULL, NULL, SOCK_CLOEXEC);
	}
	return pair->server < 0 ? -errno : eg_sockdiag_open(&pair->sockdiag);
}

static void make_pair(struct pair *pair)
{
	pair->netns = netns_make();
	pair->listener = -1;
	netns_do(pair->netns, make_sockets, pair);
}

static void end_pair(struct pair *pair)
{
	eg_closep(&pair->client);
	eg_closep(&pair->server);
	eg_closep(&pair->listener);
	eg_closep(&pair->netns);
	eg_sockdiag_free(pair->sockdiag);
}

static void take_address(const struct sockaddr_in6 *address, struct eg_held_socket *socket, struct eg_addr *ret_addr,
			 __u16 *ret_port)
{
	const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)address;

	*ret_addr = (struct eg_addr){};
	*ret_port = ntohs(address->sin6_port);
	socket->socket_family = socket->family = address->sin6_family;
	if (address->sin6_family == AF_INET) {
		ret_addr->word_be[0] = ipv4->sin_addr.s_addr;
	} else if (IN6_IS_ADDR_V4MAPPED(&address->sin6_addr)) {
		socket->family = EG_FAMILY_IPV4;
		memcpy(ret_addr->word_be, address->sin6_addr.s6_addr + 12, 4);
	} else {
		memcpy(ret_addr->word_be, &address->sin6_addr, sizeof(ret_addr->word_be));
	}
}

/* The client's, as an iterator would find it. */
static struct eg_held_socket identity_of(const struct pair *pair)
{
	struct eg_held_socket socket = {.protocol = pair->type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP};
	struct sockaddr_in6 local = {}, remote = {};
	socklen_t local_len = sizeof(local), remote_len = sizeof(remote), cookie_len = sizeof(socket.cookie);

	assert_int_equal(getsockname(pair->client, (struct sockaddr *)&local, &local_len), 0);
	assert_int_equal(getpeername(pair->client, (struct sockaddr *)&remote, &remote_len), 0);
	assert_int_equal(getsockopt(pair->client, SOL_SOCKET, SO_COOKIE, &socket.cookie, &cookie_len), 0);
	take_address(&local, &socket, &socket.local, &socket.local_port);
	take_address(&remote, &socket, &socket.remote, &socket.remote_port);
	/* The loopback's index is 1 in every namespace. */
	socket.interface = pair->bind ? 1 : 0;
	return socket;
}

static ssize_t receive(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT);
}

static void expect_alive(const struct pair *pair)
{
	assert_int_equal(send(pair->client, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(pair->server, &(char){0}, 1, 0), 1);
	assert_int_equal(receive(pair->client), -1);
	assert_int_equal(errno, EAGAIN);
}

static void expect_aborted(const struct pair *pair)
{
	assert_int_equal(receive(pair->client), -1);
	assert_int_equal(errno, ECONNABORTED);
}

static void of_two_with_the_same_addresses_only_the_one_that_is_named_is_destroyed(void **state)
{
	struct pair one = {.family = AF_INET, .type = SOCK_STREAM}, other = one;
	struct eg_held_socket named;

	(void)state;
	make_pair(&one);
	make_pair(&other);
	named = identity_of(&one);
	/* In the other namespace there is no socket with this cookie, though one with these addresses. */
	assert_int_equal(eg_sockdiag_destroy(other.sockdiag, &named), -ENOENT);
	expect_alive(&one);
	expect_alive(&other);
	assert_int_equal(eg_sockdiag_destroy(one.sockdiag, &named), 0);
	expect_aborted(&one);
	expect_alive(&other);
	end_pair(&one);
	end_pair(&other);
}

static void an_established_connection_is_aborted_once_then_at_its_end_and_reset_for_the_peer(void **state)
{
	struct pair pair = {.family = AF_INET, .type = SOCK_STREAM};
	struct eg_held_socket named;

	(void)state;
	make_pair(&pair);
	named = identity_of(&pair);
	assert_int_equal(eg_sockdiag_destroy(pair.sockdiag, &named), 0);
	expect_aborted(&pair);
	assert_int_equal(receive(pair.client), 0);
	assert_int_equal(send(pair.client, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(receive(pair.server), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(eg_sockdiag_destroy(pair.sockdiag, &named), -ENOENT);
	end_pair(&pair);
}

static void a_connected_udp_socket_is_aborted_and_has_no_peer_any_more(void **state)
{
	struct pair pair = {.family = AF_INET, .type = SOCK_DGRAM};
	struct sockaddr_in6 peer;
	socklen_t len = sizeof(peer);
	struct eg_held_socket named;

	(void)state;
	make_pair(&pair);
	named = identity_of(&pair);
	expect_alive(&pair);
	assert_int_equal(eg_sockdiag_destroy(pair.sockdiag, &named), 0);
	expect_aborted(&pair);
	assert_int_equal(send(pair.client, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EDESTADDRREQ);
	assert_int_equal(getpeername(pair.client, (struct sockaddr *)&peer, &len), -1);
	assert_int_equal(errno, ENOTCONN);
	end_pair(&pair);
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

		make_pair(&pairs[i]);
		named = stranger = identity_of(&pairs[i]);
		stranger.cookie++;
		assert_int_equal(eg_sockdiag_destroy(pairs[i].sockdiag, &stranger), -ENOENT);
		expect_alive(&pairs[i]);
		assert_int_equal(eg_sockdiag_destroy(pairs[i].sockdiag, &named), 0);
		expect_aborted(&pairs[i]);
		end_pair(&pairs[i]);
	}
}

/* The queue of the listener is full with the pair's own: SYNs that come then go unanswered. */
static int connect_in_vain(void *context)
{
	struct pair *pair = context;
	struct sockaddr_in6 address;
	socklen_t len = loopback_address(pair, SERVER_PORT, &address);

	pair->client = bound(pair, CLIENT_PORT + 1, NULL);
	return fcntl(pair->client, F_SETFL, O_NONBLOCK) == 0 &&
			       connect(pair->client, (struct sockaddr *)&address, len) < 0 && errno == EINPROGRESS
		       ? 0
		       : -EINVAL;
}

static int listen_and_fill_queue(void *context)
{
	struct pair *pair = context;
	struct sockaddr_in6 address;
	socklen_t len = loopback_address(pair, SERVER_PORT, &address);

	pair->listener = bound(pair, SERVER_PORT, NULL);
	pair->server = bound(pair, CLIENT_PORT, NULL);
	return listen(pair->listener, 0) < 0 || connect(pair->server, (struct sockaddr *)&address, len) < 0
		       ? -errno
		       : eg_sockdiag_open(&pair->sockdiag);
}

static void one_that_still_connects_is_aborted_at_once(void **state)
{
	struct pair pair = {.family = AF_INET, .type = SOCK_STREAM, .netns = netns_make()};
	struct eg_held_socket named = {.family = AF_INET, .socket_family = AF_INET, .protocol = IPPROTO_TCP};
	struct pollfd wait = {.events = POLLOUT};
	socklen_t len = sizeof(named.cookie), error_len = sizeof(int);
	int error = 0;

	(void)state;
	netns_do(pair.netns, listen_and_fill_queue, &pair);
	netns_do(pair.netns, connect_in_vain, &pair);
	wait.fd = pair.client;
	assert_int_equal(poll(&wait, 1, 0), 0);
	/* It has no peer's address to ask for yet. */
	named.local.word_be[0] = named.remote.word_be[0] = htonl(INADDR_LOOPBACK);
	named.local_port = CLIENT_PORT + 1;
	named.remote_port = SERVER_PORT;
	assert_int_equal(getsockopt(pair.client, SOL_SOCKET, SO_COOKIE, &named.cookie, &len), 0);
	assert_int_equal(eg_sockdiag_destroy(pair.sockdiag, &named), 0);
	assert_int_equal(poll(&wait, 1, 0), 1);
	assert_int_equal(getsockopt(pair.client, SOL_SOCKET, SO_ERROR, &error, &error_len), 0);
	assert_int_equal(error, ECONNABORTED);
	end_pair(&pair);
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
