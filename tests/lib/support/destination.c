/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "destination.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

int parse_destination(const char *address, const char *port, struct destination *ret)
{
	*ret = (struct destination){};
	if (inet_pton(AF_INET, address, &ret->ipv4.sin_addr) == 1) {
		ret->ipv4.sin_family = AF_INET;
		ret->ipv4.sin_port = htons(atoi(port));
		ret->len = sizeof(ret->ipv4);
		return 0;
	}
	if (inet_pton(AF_INET6, address, &ret->ipv6.sin6_addr) == 1) {
		ret->ipv6.sin6_family = AF_INET6;
		ret->ipv6.sin6_port = htons(atoi(port));
		ret->len = sizeof(ret->ipv6);
		return 0;
	}
	return -EINVAL;
}
