/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

static socklen_t fill_address(const struct target *target, uint16_t port, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->ss_family = (sa_family_t)target->family;
	if (target->family == AF_INET) {
		v4->sin_port = htons(port);
		inet_pton(AF_INET, target->address, &v4->sin_addr);
		return sizeof(*v4);
	}
	v6->sin6_port = htons(port);
	inet_pton(AF_INET6, target->address, &v6->sin6_addr);
	return sizeof(*v6);
}

int attempt(const struct target *target, uint16_t port)
{
	struct sockaddr_storage address;
	socklen_t len = fill_address(target, port, &address);
	_cleanup_close_ int fd = socket(target->family, target->type | SOCK_CLOEXEC, 0);
	ssize_t r;

	if (fd < 0)
		return errno;
	if (target->sendto)
		r = sendto(fd, "x", 1, 0, (struct sockaddr *)&address, len);
	else
		r = connect(fd, (struct sockaddr *)&address, len);
	return r < 0 ? errno : 0;
}

int attempt_all(void *argument)
{
	const struct target *target = argument;
	unsigned int ports = target->ports ? target->ports : 1;
	int first = attempt(target, target->port);

	for (unsigned int i = 1; i < target->times; i++)
		if (attempt(target, (uint16_t)(target->port + i % ports)) != first)
			return ATTEMPTS_DIFFER;
	return first;
}
