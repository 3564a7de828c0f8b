/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "../../bpf/support.h"

#include "network.h"
#include "slow.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Reads and fails like a script: the first command that fails ends it. */
static const char commands[] = "set -e\n"
			       "ip link set lo up\n"
			       "ip address add " NETWORK_IPV4 "/32 dev lo\n"
			       "ip -6 address add " NETWORK_IPV6 "/128 dev lo nodad\n"
			       "ip link add hole0 type veth peer name hole1\n"
			       "ip address add 203.0.113.1/24 dev hole0\n"
			       "ip link set hole0 up\n"
			       "ip link set hole1 up\n"
			       "ip neighbour add " NETWORK_BLACK_HOLE " lladdr 02:00:00:00:00:09 dev hole0\n";

void network_enter(void)
{
	static bool entered;

	skip_unless_root();
	if (entered)
		return;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(system(commands), 0);
	entered = true;
}

int network_listen(int protocol, int backlog, uint16_t *ret_port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, protocol);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*ret_port = ntohs(address.sin6_port);
	return fd;
}

int network_accept(int listener)
{
	int fd;

	assert_true(network_poll(listener, POLLIN) & POLLIN);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

struct sockaddr_storage network_address(const char *text, uint16_t port)
{
	struct sockaddr_storage address = {.ss_family = strchr(text, ':') ? AF_INET6 : AF_INET};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;

	if (address.ss_family == AF_INET) {
		v4->sin_port = htons(port);
		assert_int_equal(inet_pton(AF_INET, text, &v4->sin_addr), 1);
	} else {
		v6->sin6_port = htons(port);
		assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
	}
	return address;
}

int network_connect(int fd, const char *text, uint16_t port)
{
	struct sockaddr_storage address = network_address(text, port);

	return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
}

int network_socket(const char *address, int type, int protocol)
{
	int fd = socket(network_address(address, 0).ss_family, type | SOCK_CLOEXEC, protocol);

	assert_true(fd >= 0);
	return fd;
}

int network_connected(const char *address, uint16_t port)
{
	int fd = network_socket(address, SOCK_STREAM, 0);

	assert_int_equal(network_connect(fd, address, port), 0);
	return fd;
}

void network_disconnect(int fd)
{
	struct sockaddr_storage none = {.ss_family = AF_UNSPEC};

	assert_int_equal(connect(fd, (struct sockaddr *)&none, sizeof(none)), 0);
}

void network_abort(int fd)
{
	struct linger linger = {.l_onoff = 1};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	close(fd);
}

void network_close_pair(int first, int second)
{
	close(first);
	assert_true(network_poll(second, POLLIN | POLLRDHUP) & POLLRDHUP);
	close(second);
}

int network_poll(int fd, int events)
{
	struct pollfd poll_fd = {.fd = fd, .events = (short)events};

	assert_int_equal(poll(&poll_fd, 1, slow_ms(10000)), 1);
	return poll_fd.revents;
}
