/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_SOCKET_H
#define EG_TESTS_SOCKET_H

/*
 * Sockets that try a destination, and the errno that comes of it. For cgroup_run():
 *
 *   struct target target = {AF_INET, SOCK_DGRAM, "192.0.2.1", .port = 9};
 *   assert_int_equal(cgroup_run(&cgroup, attempt_all, &target), EPERM);
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct target {
	int family;
	int type;
	const char *address; /* of that family */
	uint16_t port;
	bool sendto;        /* one byte, without connect() */
	unsigned int times; /* 0 is once */
	unsigned int ports; /* how many consecutive ports to go through; 0 is one */
};

/* What attempt_all() returns when two attempts differ; no errno is that large. */
#define ATTEMPTS_DIFFER 254

/* 0, or the errno, by a socket of its own. */
int attempt(const struct target *target, uint16_t port);
/* The errno of all attempts at a struct target. */
int attempt_all(void *target);

#endif
