/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Servers of one test, all in one process.
 *
 * usage: server LOG PROTOCOL:ADDRESS:PORT...     (protocol tcp, mptcp, tcp-close, tcp-reset or udp)
 *
 * A stream gets an HTTP answer after its first bytes, but for those that tcp-close
 * closes and tcp-reset resets once they are there; a datagram gets itself. LOG
 * gets "ready" once every socket is bound, then a line for each accepted
 * connection and each datagram: "PROTOCOL ADDRESS PORT PEER".
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "support/destination.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define BACKLOG 4096
#define FASTOPEN_BACKLOG 128
#define DATAGRAM_MAX 65536
#define EVENTS_AT_ONCE 64

struct server {
	const char *protocol, *address, *port;
	int fd;
};

/* What epoll watches: a server's own socket, or a connection that it accepted. */
static uint64_t watch_key(int server, int fd)
{
	return (uint64_t)server << 32 | (uint32_t)fd;
}

static void watch(int epoll_fd, int server, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = watch_key(server, fd)};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		err(1, "epoll_ctl");
}

/* PROTOCOL:ADDRESS:PORT, which is cut up; the address may have colons. */
static void parse_server(char *spec, struct server *ret)
{
	char *address = strchr(spec, ':'), *port = strrchr(spec, ':');

	if (!address || port == address)
		errx(2, "%s: not PROTOCOL:ADDRESS:PORT", spec);
	*address++ = '\0';
	*port++ = '\0';
	*ret = (struct server){.protocol = spec, .address = address, .port = port, .fd = -1};
}

static bool speaks(const struct server *server, const char *protocol)
{
	return strcmp(server->protocol, protocol) == 0;
}

static bool is_udp(const struct server *server)
{
	return speaks(server, "udp");
}

/* Servers of this network namespace may take data with a SYN. */
static void enable_fastopen(void)
{
	_cleanup_close_ int fd = open("/proc/sys/net/ipv4/tcp_fastopen", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "3", 1) != 1)
		err(1, "tcp_fastopen");
}

static int socket_of(const struct server *server, int family)
{
	if (is_udp(server))
		return socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		      speaks(server, "mptcp") ? IPPROTO_MPTCP : IPPROTO_TCP);
}

static void open_server(struct server *server)
{
	static const int on = 1, fastopen = FASTOPEN_BACKLOG;
	struct destination at;

	if (parse_destination(server->address, server->port, &at) < 0)
		errx(2, "%s: not an address", server->address);
	server->fd = socket_of(server, at.any.sa_family);
	if (server->fd < 0 || setsockopt(server->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(server->fd, &at.any, at.len) < 0)
		err(1, "%s %s %s", server->protocol, server->address, server->port);
	if (speaks(server, "tcp") &&
	    setsockopt(server->fd, IPPROTO_TCP, TCP_FASTOPEN, &fastopen, sizeof(fastopen)) < 0)
		err(1, "TCP_FASTOPEN");
	if (!is_udp(server) && listen(server->fd, BACKLOG) < 0)
		err(1, "listen");
}

static void write_arrival(int log_fd, const struct server *server, const struct destination *peer)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (peer->any.sa_family == AF_INET)
		inet_ntop(AF_INET, &peer->ipv4.sin_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET6, &peer->ipv6.sin6_addr, text, sizeof(text));
	if (dprintf(log_fd, "%s %s %s %s\n", server->protocol, server->address, server->port, text) < 0)
		err(1, "log");
}

/* The connection's first and last event is its end. */
static void end(int fd, bool reset)
{
	static const struct linger abort = {.l_onoff = 1};

	if (reset && setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort)) < 0)
		err(1, "SO_LINGER");
	close(fd);
}

static void accept_one(int epoll_fd, int log_fd, const struct server *servers, int i)
{
	struct destination peer = {.len = sizeof(peer.ipv6)};
	int fd = accept4(servers[i].fd, &peer.any, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	/* The connection may be gone again. */
	if (fd < 0)
		return;
	write_arrival(log_fd, &servers[i], &peer);
	if (speaks(&servers[i], "tcp-close") || speaks(&servers[i], "tcp-reset"))
		end(fd, speaks(&servers[i], "tcp-reset"));
	else
		watch(epoll_fd, i, fd);
}

static void echo(int log_fd, const struct server *server)
{
	static char data[DATAGRAM_MAX];
	struct destination peer = {.len = sizeof(peer.ipv6)};
	ssize_t len = recvfrom(server->fd, data, sizeof(data), 0, &peer.any, &peer.len);

	if (len < 0)
		return;
	write_arrival(log_fd, server, &peer);
	/* A peer that does not listen for it is its own business. */
	(void)!sendto(server->fd, data, len, 0, &peer.any, peer.len);
}

/* One read, one HTTP answer. What the client does wrong is its own business. */
static void answer(int fd, const struct server *server)
{
	char data[4096], body[128], text[256];
	int len;

	if (recv(fd, data, sizeof(data), 0) > 0) {
		len = snprintf(body, sizeof(body), "hello from %s port %s\n", server->address, server->port);
		len = snprintf(text, sizeof(text), "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s", len, body);
		(void)!send(fd, text, len, MSG_NOSIGNAL);
	}
	close(fd);
}

static void handle(int epoll_fd, int log_fd, const struct server *servers, uint64_t key)
{
	int i = key >> 32, fd = (uint32_t)key;

	if (fd != servers[i].fd)
		answer(fd, &servers[i]);
	else if (is_udp(&servers[i]))
		echo(log_fd, &servers[i]);
	else
		accept_one(epoll_fd, log_fd, servers, i);
}

int main(int argc, char *argv[])
{
	_cleanup_free_ struct server *servers = calloc(argc, sizeof(*servers));
	struct epoll_event events[EVENTS_AT_ONCE];
	int epoll_fd, log_fd, n;

	if (argc < 3)
		errx(2, "usage: server LOG PROTOCOL:ADDRESS:PORT...");
	log_fd = open(argv[1], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!servers || log_fd < 0 || epoll_fd < 0)
		err(1, "%s", argv[1]);
	enable_fastopen();
	for (int i = 0; i < argc - 2; i++) {
		parse_server(argv[i + 2], &servers[i]);
		open_server(&servers[i]);
		watch(epoll_fd, i, servers[i].fd);
	}
	dprintf(log_fd, "ready\n");
	while ((n = epoll_wait(epoll_fd, events, EVENTS_AT_ONCE, -1)) > 0 || errno == EINTR)
		for (int i = 0; i < n; i++)
			handle(epoll_fd, log_fd, servers, events[i].data.u64);
	err(1, "epoll_wait");
}
