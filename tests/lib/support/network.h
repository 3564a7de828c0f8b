/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_NETWORK_H
#define EG_TESTS_NETWORK_H

/*
 * A network namespace of the test's own, and TCP in it. The addresses are non-mesh ones
 * that the namespace has itself, so that connections to them are real and leave nothing.
 * Whatever fails fails the test.
 */
#include <stdint.h>
#include <sys/socket.h>

#define NETWORK_IPV4 "198.51.100.1"
#define NETWORK_IPV6 "2001:db8:51::1"
#define NETWORK_MAPPED "::ffff:198.51.100.1"
/* Takes every packet and never answers. */
#define NETWORK_BLACK_HOLE "203.0.113.9"
/* There is no way to it: connect() fails before the first SYN. */
#define NETWORK_NOWHERE "192.0.2.1"

/* The process leaves its namespace for a new one with the addresses above, once. Skips without root. */
void network_enter(void);

/* A listening socket on a port of the kernel's choice, on every address; protocol 0 or IPPROTO_MPTCP. */
int network_listen(int protocol, int backlog, uint16_t *ret_port);
/* A new connection of a listener. */
int network_accept(int listener);

struct sockaddr_storage network_address(const char *address, uint16_t port);
/* connect() of a socket: 0, or the errno. */
int network_connect(int fd, const char *address, uint16_t port);
/* A TCP socket of the address's family; flags as SOCK_NONBLOCK. */
int network_socket(const char *address, int type, int protocol);
/* It and its connection, which must succeed. */
int network_connected(const char *address, uint16_t port);
/* connect(AF_UNSPEC), which must succeed. */
void network_disconnect(int fd);
/* close() with SO_LINGER 0: an RST. */
void network_abort(int fd);
/* Closes with a FIN, and the other side after it. */
void network_close_pair(int first, int second);
/* Waits for events of poll(), or fails after ten seconds. What came. */
int network_poll(int fd, int events);

#endif
