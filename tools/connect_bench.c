/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The two ends of the connect benchmark; tools/bench starts them.
 *
 * usage: connect_bench serve CPU PORT             accepts and closes, without end
 *        connect_bench connect CPU ADDRESS PORT   reads a number of milliseconds a line
 *                                                 and, for each, connects and closes for
 *                                                 that long: "PAIRS NANOSECONDS"
 *        connect_bench keep CPU PORT              accepts on this port and the four next ones
 *                                                 and keeps what it accepts
 *        connect_bench hold CPU ADDRESS PORT      reads a number of connections a line and
 *                                                 opens or closes until it holds so many
 *
 * The client closes with SO_LINGER 0: a reset instead of a FIN, so that neither
 * side keeps TIME_WAIT sockets and ports do not run out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LISTEN_BACKLOG 4096
#define PAIRS_PER_CLOCK_READ 16
/* One destination has no more connections than there are local ports: some 28,000. */
#define PORTS 5
#define HELD_MAX 110000

struct end {
	struct sockaddr_storage addr;
	socklen_t len;
};

static int fail(const char *what)
{
	fprintf(stderr, "connect_bench: %s: %s\n", what, strerror(errno));
	return 1;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int pin_to_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

static int parse_end(const char *address, const char *port, struct end *ret)
{
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)&ret->addr;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&ret->addr;

	*ret = (struct end){};
	if (inet_pton(AF_INET, address, &ipv4->sin_addr) == 1) {
		ipv4->sin_family = AF_INET;
		ipv4->sin_port = htons(atoi(port));
		ret->len = sizeof(*ipv4);
		return 0;
	}
	if (inet_pton(AF_INET6, address, &ipv6->sin6_addr) == 1) {
		ipv6->sin6_family = AF_INET6;
		ipv6->sin6_port = htons(atoi(port));
		ret->len = sizeof(*ipv6);
		return 0;
	}
	return -EINVAL;
}

/* A listening socket on every address, or -errno. */
static int listen_on(uint16_t port)
{
	_cleanup_close_ int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int on = 1;

	if (listener < 0)
		return -errno;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(listener, LISTEN_BACKLOG) < 0)
		return -errno;
	return TAKE_FD(listener);
}

static void say(const char *word)
{
	puts(word);
	fflush(stdout);
}

static int serve(const char *port)
{
	_cleanup_close_ int listener = listen_on(atoi(port));

	if (listener < 0)
		return fail("listen");
	say("listening");
	for (;;) {
		int connection = accept(listener, NULL, NULL);

		if (connection >= 0)
			close(connection);
		else if (errno != ECONNABORTED && errno != EINTR)
			return fail("accept");
	}
}

static int connect_and_close(const struct end *to)
{
	static const struct linger reset_at_close = {.l_onoff = 1, .l_linger = 0};
	_cleanup_close_ int fd = socket(to->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset_at_close, sizeof(reset_at_close)) < 0)
		return fail("SO_LINGER");
	if (connect(fd, (const struct sockaddr *)&to->addr, to->len) < 0)
		return fail("connect");
	return 0;
}

static int run_slice(const struct end *to, uint64_t duration_ns)
{
	uint64_t start = now_ns(), end = start;
	uint64_t pairs = 0;

	while (end - start < duration_ns) {
		for (int i = 0; i < PAIRS_PER_CLOCK_READ; i++)
			if (connect_and_close(to) != 0)
				return 1;
		pairs += PAIRS_PER_CLOCK_READ;
		end = now_ns();
	}
	printf("%" PRIu64 " %" PRIu64 "\n", pairs, end - start);
	fflush(stdout);
	return 0;
}

static int serve_slices(const struct end *to)
{
	char line[32];

	say("ready");
	while (fgets(line, sizeof(line), stdin))
		if (run_slice(to, strtoull(line, NULL, 10) * 1000000u) != 0)
			return 1;
	return 0;
}

/* As many as this process may have; what is too few is said by the call that lacks one. */
static int raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return fail("RLIMIT_NOFILE");
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? fail("RLIMIT_NOFILE") : 0;
}

/* Bit of an event's number that tells a listener from what it accepted. */
#define LISTENER (1ull << 32)

static int watch(int epoll, int fd, uint32_t events, uint64_t kind)
{
	struct epoll_event event = {.events = events, .data.u64 = kind | (uint32_t)fd};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static int keep_accepted(int epoll, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return errno == ECONNABORTED ? 0 : -1;
	return watch(epoll, fd, EPOLLRDHUP, 0);
}

/* What a peer closes is let go. Without end. */
static int keep(const char *port)
{
	_cleanup_close_ int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;

	if (raise_files() != 0)
		return 1;
	for (int i = 0; i < PORTS; i++) {
		int listener = listen_on(atoi(port) + i);

		if (listener < 0 || watch(epoll, listener, EPOLLIN, LISTENER) < 0)
			return fail("listen");
	}
	say("listening");
	while (epoll_wait(epoll, &event, 1, -1) >= 0) {
		int fd = (int)(uint32_t)event.data.u64;

		if (!(event.data.u64 & LISTENER))
			close(fd);
		else if (keep_accepted(epoll, fd) < 0)
			return fail("accept");
	}
	return fail("epoll_wait");
}

static int open_connection(struct end to, int number)
{
	int fd = socket(to.addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* The port stands at the same place for both families. */
	struct sockaddr_in *address = (struct sockaddr_in *)&to.addr;

	address->sin_port = htons(ntohs(address->sin_port) + number % PORTS);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&to.addr, to.len) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int hold(const struct end *to)
{
	static const struct linger reset_at_close = {.l_onoff = 1, .l_linger = 0};
	static int held[HELD_MAX];
	int count = 0;
	char line[32];

	if (raise_files() != 0)
		return 1;
	say("ready");
	while (fgets(line, sizeof(line), stdin)) {
		int wanted = atoi(line);

		for (; count < wanted && count < HELD_MAX; count++) {
			held[count] = open_connection(*to, count);
			if (held[count] < 0)
				return fail("connect");
		}
		for (; count > wanted; count--) {
			setsockopt(held[count - 1], SOL_SOCKET, SO_LINGER, &reset_at_close, sizeof(reset_at_close));
			close(held[count - 1]);
		}
		say("done");
	}
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: connect_bench serve|keep CPU PORT\n"
			"       connect_bench connect|hold CPU ADDRESS PORT\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct end to;

	if (argc < 4)
		return usage();
	if (pin_to_cpu(atoi(argv[2])) < 0)
		return fail("pinning to the CPU");
	if (!strcmp(argv[1], "serve") && argc == 4)
		return serve(argv[3]);
	if (!strcmp(argv[1], "keep") && argc == 4)
		return keep(argv[3]);
	if (!strcmp(argv[1], "hold") && argc == 5 && parse_end(argv[3], argv[4], &to) == 0)
		return hold(&to);
	if (!strcmp(argv[1], "connect") && argc == 5 && parse_end(argv[3], argv[4], &to) == 0)
		return serve_slices(&to);
	return usage();
}
