/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "pair.h"

#include "../../bpf/support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>

#include "netns.h"
#include "base/cleanup.h"

#define SERVER_PORT 7001
#define CLIENT_PORT 7002

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

void pair_make(struct pair *pair)
{
	pair->netns = netns_make();
	pair->listener = -1;
	netns_do(pair->netns, make_sockets, pair);
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

void pair_make_connecting(struct pair *pair)
{
	pair->netns = netns_make();
	netns_do(pair->netns, listen_and_fill_queue, pair);
	netns_do(pair->netns, connect_in_vain, pair);
}

void pair_end(struct pair *pair)
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

struct eg_held_socket pair_identity(const struct pair *pair)
{
	struct eg_held_socket socket = {.protocol = pair->type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP};
	struct sockaddr_in6 local = {}, remote;
	socklen_t local_len = sizeof(local), cookie_len = sizeof(socket.cookie);

	/* One that connects does not say yet what its peer is. */
	loopback_address(pair, SERVER_PORT, &remote);
	assert_int_equal(getsockname(pair->client, (struct sockaddr *)&local, &local_len), 0);
	assert_int_equal(getsockopt(pair->client, SOL_SOCKET, SO_COOKIE, &socket.cookie, &cookie_len), 0);
	take_address(&local, &socket, &socket.local, &socket.local_port);
	take_address(&remote, &socket, &socket.remote, &socket.remote_port);
	/* The loopback's index is 1 in every namespace. */
	socket.interface = pair->bind ? 1 : 0;
	return socket;
}

void pair_expect_alive(const struct pair *pair)
{
	assert_int_equal(send(pair->client, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(pair->server, &(char){0}, 1, 0), 1);
	assert_int_equal(recv(pair->client, &(char){0}, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

void pair_expect_aborted(const struct pair *pair)
{
	assert_int_equal(recv(pair->client, &(char){0}, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, ECONNABORTED);
}
