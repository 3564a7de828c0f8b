/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a sweep costs: so many established connections, each with a lease, over the
 * loopback of a network namespace of their own, and nothing that is overdue. Times
 * are of a processor, whoever else wants it.
 *
 * usage: sweep_bench CONNECTIONS
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../tests/lib/support/lease.h"
#include "base/cleanup.h"
#include "datapath/datapath.h"
#include "datapath/walk.h"
#include "sweeper.h"

/* Of one process: below its limit of descriptors, and below the ports for one destination. */
#define CONNECTIONS_A_PROCESS 900
#define ROUNDS 15
#define SLOT 1

static uint64_t time_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void enter_namespace(void)
{
	struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd, limit;

	if (unshare(CLONE_NEWNET) < 0)
		err(1, "unshare");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &loopback) < 0)
		err(1, "lo");
	close(fd);
	/* Connections wait for accept() for ever: they need no descriptor. */
	limit = open("/proc/sys/net/core/somaxconn", O_WRONLY | O_CLOEXEC);
	if (limit < 0 || write(limit, "65535", 5) != 5)
		err(1, "somaxconn");
	close(limit);
}

static void put_lease(int leases_fd, int fd)
{
	struct eg_lease lease = {
		.word = eg_lease_word(EG_LEASE_ESTABLISHED, 0, SLOT, 0, 1),
		.opened_ns = time_ns(CLOCK_MONOTONIC),
		.active_ns = time_ns(CLOCK_MONOTONIC),
		.connect_timeout_ms = EG_DEFAULT_CONNECT_TIMEOUT_MS,
	};

	lease_put(leases_fd, fd, &lease);
}

/* A process with an address of its own, and that many connections to it. */
static _Noreturn void hold(int number, int count, int leases_fd, int ready_fd)
{
	struct sockaddr_in to = {AF_INET, htons(9000), {htonl(0x7f010000u + (unsigned int)number)}, {}};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char byte = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (bind(listener, (struct sockaddr *)&to, sizeof(to)) < 0 || listen(listener, count) < 0)
		err(1, "listen");
	for (int i = 0; i < count; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
			err(1, "connect");
		put_lease(leases_fd, fd);
	}
	if (write(ready_fd, &byte, 1) != 1)
		err(1, "pipe");
	pause();
	_exit(0);
}

static void open_connections(long count, int leases_fd)
{
	int ready[2], number = 0;
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		err(1, "pipe");
	for (; count > 0; count -= CONNECTIONS_A_PROCESS, number++) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "fork");
		if (pid == 0)
			hold(number, count < CONNECTIONS_A_PROCESS ? (int)count : CONNECTIONS_A_PROCESS, leases_fd,
			     ready[1]);
		/* One after the other: leases are put there without a lock. */
		if (read(ready[0], &byte, 1) != 1)
			errx(1, "a process could not hold its connections");
	}
	close(ready[1]);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void measure(struct eg_datapath *datapath, const char *what,
		    int (*walk)(struct eg_datapath *datapath, struct eg_walk *ret_walk))
{
	uint64_t took_ns[ROUNDS];
	struct eg_walk found = {};

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t before = time_ns(CLOCK_THREAD_CPUTIME_ID);

		eg_walk_clear(&found);
		if (walk(datapath, &found) < 0)
			errx(1, "%s failed", what);
		took_ns[i] = time_ns(CLOCK_THREAD_CPUTIME_ID) - before;
	}
	qsort(took_ns, ROUNDS, sizeof(took_ns[0]), compare);
	printf("%-5s %8.2f ms (quartiles %.2f, %.2f), %llu files looked at, %zu given\n", what,
	       (double)took_ns[ROUNDS / 2] / 1e6, (double)took_ns[ROUNDS / 4] / 1e6,
	       (double)took_ns[ROUNDS * 3 / 4] / 1e6, (unsigned long long)found.looked_at,
	       found.sockets.len);
	eg_walk_clear(&found);
}

int main(int argc, char **argv)
{
	const struct eg_datapath_options options = {.slots = SLOT + 1, .destinations = 1, .leases = EG_LEASES_MAX, .destination_quota = 1};
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = NULL;
	_cleanup_free_ char *problem = NULL;

	if (argc != 2 || atol(argv[1]) < 1)
		errx(2, "usage: sweep_bench CONNECTIONS");
	if (eg_datapath_load(&options, &datapath, &problem) < 0 || eg_datapath_load_walks(datapath) < 0)
		errx(1, "cannot load: %s", problem ? problem : "walks");
	enter_namespace();
	open_connections(atol(argv[1]), eg_datapath_map_fd(datapath, "eg_leases"));
	measure(datapath, "sweep", eg_datapath_sweep);
	measure(datapath, "list", eg_datapath_list_held);
	return 0;
}
