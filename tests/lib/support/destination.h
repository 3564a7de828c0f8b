/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_DESTINATION_H
#define EG_TESTS_DESTINATION_H

/* Where a test's client goes and its servers listen. */
#include <netinet/in.h>
#include <sys/socket.h>

struct destination {
	union {
		struct sockaddr any;
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
	};
	socklen_t len;
};

/* An IPv4 or IPv6 address and a port, as text. 0, or -EINVAL when it is no address. */
int parse_destination(const char *address, const char *port, struct destination *ret);

#endif
