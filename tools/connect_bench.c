/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The two ends of the connect benchmark; tools/bench starts them.
 *
 * usage: connect_bench serve CPU PORT             accepts and closes, without end
 *        connect_bench connect CPU ADDRESS PORT   reads a number of milliseconds a line
 *                                                 and, for each, connects and closes for
 *                                                 that long: "PAIRS NANOSECONDS"
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
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LISTEN_BACKLOG 4096
#define PAIRS_PER_CLOCK_READ 16

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

static int serve(const char *port)
{
	_cleanup_close_ int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct end any;
	int on = 1;

	if (listener < 0)
		return fail("socket");
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	parse_end("::", port, &any);
	if (bind(listener, (struct sockaddr *)&any.addr, any.len) < 0 || listen(listener, LISTEN_BACKLOG) < 0)
		return fail("listen");
	puts("listening");
	fflush(stdout);
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

	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		if (run_slice(to, strtoull(line, NULL, 10) * 1000000u) != 0)
			return 1;
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: connect_bench serve CPU PORT\n"
			"       connect_bench connect CPU ADDRESS PORT\n");
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
	if (!strcmp(argv[1], "connect") && argc == 5 && parse_end(argv[3], argv[4], &to) == 0)
		return serve_slices(&to);
	return usage();
}
