/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "peer.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "workload/cgroup.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* from Linux 6.5 */
#endif

/* The very process where the kernel can say it; before 6.5 whoever has its number now. */
static int open_process(int fd, pid_t pid)
{
	int pidfd;
	socklen_t len = sizeof(pidfd);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0)
		return pidfd;
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static bool has_ended(int pidfd)
{
	struct pollfd end = {pidfd, POLLIN, 0};

	return poll(&end, 1, 0) != 0;
}

/* The cgroup, or one above it. */
static bool is_below_enrolled(const char *directory, const struct eg_maps *maps)
{
	_cleanup_free_ char *path = strdup(directory);
	struct stat st;
	char *end;

	if (!path)
		return true;
	while (*path) {
		/* One that has just gone may have been one. */
		if (stat(path, &st) < 0 || eg_maps_is_enrolled(maps, st.st_ino))
			return true;
		end = strrchr(path, '/');
		*(end ? end : path) = '\0';
	}
	return false;
}

bool eg_peer_is_outside(int fd, const struct eg_maps *maps)
{
	_cleanup_free_ char *directory = NULL;
	_cleanup_close_ int pidfd = -1;
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.pid <= 0)
		return false;
	pidfd = open_process(fd, peer.pid);
	if (pidfd < 0 || eg_cgroup_path_of(peer.pid, &directory) < 0)
		return false;
	/* What was read is of the peer only if that lives: its number cannot be another's then. */
	return !has_ended(pidfd) && !is_below_enrolled(directory, maps);
}
