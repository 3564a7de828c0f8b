/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Holds one connection, and says how it ended and when.
 *
 * usage: holder listen ADDRESS PORT         takes connections, answers nothing; "ready" once it does
 *        holder MODE ADDRESS PORT SECONDS   connects; prints "connected", and in the end
 *                                           "MODE alive", or "MODE ERRNO MILLISECONDS" since then
 *
 * silent     sends nothing
 * busy       a byte each 50 ms
 * keepalive  nothing but the kernel's own probes, one a second
 * once       a byte after a line came on standard input; MILLISECONDS are since then
 * udp        a connected UDP socket that sends nothing
 */
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "support/destination.h"

#define BUSY_MS 50

struct mode {
	const char *name;
	int type;
	bool is_busy, has_probes, waits;
};

static const struct mode modes[] = {
	{.name = "silent", .type = SOCK_STREAM},
	{.name = "busy", .type = SOCK_STREAM, .is_busy = true},
	{.name = "keepalive", .type = SOCK_STREAM, .has_probes = true},
	{.name = "once", .type = SOCK_STREAM, .waits = true},
	{.name = "udp", .type = SOCK_DGRAM},
};

static const struct mode *find_mode(const char *name)
{
	for (size_t i = 0; i < EG_COUNT_OF(modes); i++)
		if (!strcmp(modes[i].name, name))
			return &modes[i];
	errx(2, "%s: no such mode", name);
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void say(const char *line)
{
	puts(line);
	fflush(stdout);
}

static int serve(const struct destination *at)
{
	int fd = socket(at->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	/* The kernel accepts for us, and keeps what comes. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 || bind(fd, &at->any, at->len) < 0 ||
	    listen(fd, 1024) < 0)
		err(2, "listen");
	say("ready");
	return pause();
}

static int connect_as(const struct mode *mode, const struct destination *to)
{
	int fd = socket(to->any.sa_family, mode->type | SOCK_CLOEXEC, 0), one = 1;

	if (mode->has_probes && (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)) < 0 ||
				 setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &one, sizeof(one)) < 0 ||
				 setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &one, sizeof(one)) < 0))
		err(2, "keepalive");
	if (connect(fd, &to->any, to->len) < 0)
		err(2, "connect");
	return fd;
}

/* 0 when it lived, or the errno that ended it. */
static int hold(const struct mode *mode, int fd, long until_ms)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	char byte;

	while (now_ms() < until_ms) {
		long left_ms = until_ms - now_ms();

		if (mode->is_busy && send(fd, "x", 1, MSG_NOSIGNAL) < 0)
			return errno;
		if (poll(&wait, 1, mode->is_busy && left_ms > BUSY_MS ? BUSY_MS : (int)left_ms) > 0)
			return recv(fd, &byte, 1, 0) < 0 ? errno : 0;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct mode *mode;
	struct destination to;
	long since_ms;
	int fd, error;

	if (argc < 4 || parse_destination(argv[2], argv[3], &to) < 0)
		errx(2, "usage: holder listen ADDRESS PORT | holder MODE ADDRESS PORT SECONDS");
	if (!strcmp(argv[1], "listen"))
		return serve(&to);
	mode = find_mode(argv[1]);
	fd = connect_as(mode, &to);
	say("connected");
	if (mode->waits && (getchar() == EOF || send(fd, "x", 1, 0) < 0))
		err(2, "send");
	since_ms = now_ms();
	error = hold(mode, fd, since_ms + (long)(atof(argv[4]) * 1000));
	if (error)
		printf("%s %s %ld\n", mode->name, strerrorname_np(error), now_ms() - since_ms);
	else
		printf("%s alive\n", mode->name);
	return 0;
}
