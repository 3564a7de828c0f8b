/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"

static int make_folder(const char *path)
{
	_cleanup_free_ char *folder = strdup(path);
	char *end = folder ? strrchr(folder, '/') : NULL;

	if (!folder)
		return -ENOMEM;
	if (!end || end == folder)
		return 0;
	*end = '\0';
	return mkdir(folder, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* Whether somebody listens there. */
static bool is_alive(const struct sockaddr_un *address)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* EAGAIN: so many wait that there is no room for one more. */
	return fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN);
}

static int remove_dead(const struct sockaddr_un *address)
{
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	if (is_alive(address))
		return -EADDRINUSE;
	return unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

int eg_listen_local(const char *path, int *ret_fd)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int r;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	r = make_folder(path);
	if (r == 0)
		r = remove_dead(&address);
	if (r < 0)
		return r;
	/* The file has the mode that the socket has when it is bound. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* What bind() takes of a place. */
union address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

static socklen_t write_address(const struct eg_addr_port *place, union address *address)
{
	*address = (union address){};
	if (place->family == EG_FAMILY_IPV4) {
		address->ipv4 = (struct sockaddr_in){
			.sin_family = AF_INET,
			.sin_port = htons(place->port),
			.sin_addr.s_addr = place->addr.word_be[0],
		};
		return sizeof(address->ipv4);
	}
	address->ipv6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(place->port)};
	memcpy(&address->ipv6.sin6_addr, &place->addr, sizeof(place->addr));
	return sizeof(address->ipv6);
}

int eg_listen_tcp(const struct eg_addr_port *place, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	union address address;
	socklen_t len = write_address(place, &address);
	const int on = 1;

	fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Connections of the one before may still be closing. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 || bind(fd, &address.any, len) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}
