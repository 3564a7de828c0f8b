/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_PAIR_H
#define EG_TESTS_PAIR_H

/*
 * A connection over the loopback of a network namespace of its own, always with the
 * same addresses and ports. Whatever fails fails the test.
 *
 *   struct pair pair = {.family = AF_INET, .type = SOCK_STREAM};
 *   pair_make(&pair);
 *   ...
 *   pair_end(&pair);
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "datapath/sockdiag.h"

struct pair {
	int family;
	int type;
	bool mapped;      /* IPv6 sockets, IPv4 addresses */
	const char *bind; /* the client to this interface; NULL: to none */
	int netns;
	int listener; /* -1 for datagrams */
	int server;
	int client;
	struct eg_sockdiag *sockdiag; /* of the namespace */
};

void pair_make(struct pair *pair);
/* One whose client's SYNs are not answered: it stays in SYN_SENT. Its server is another client. */
void pair_make_connecting(struct pair *pair);
void pair_end(struct pair *pair);

/* The client's identity, as an iterator finds it. */
struct eg_held_socket pair_identity(const struct pair *pair);

/* A byte goes from client to server, and nothing is there for the client. */
void pair_expect_alive(const struct pair *pair);
/* What the client has now is ECONNABORTED. */
void pair_expect_aborted(const struct pair *pair);

#endif
