/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "netns.h"

#include "../../bpf/support.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "workload/netns.h"

#define OWN "/proc/thread-self/ns/net"

static int raise_loopback(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &loopback) < 0 ? -errno : 0;
}

/* Leaves the namespace that it was called for: the thread is its own. */
static int make(void *context)
{
	int r = unshare(CLONE_NEWNET) < 0 ? -errno : raise_loopback();

	*(int *)context = r < 0 ? -1 : open(OWN, O_RDONLY | O_CLOEXEC);
	return r;
}

int netns_make(void)
{
	_cleanup_close_ int own = open(OWN, O_RDONLY | O_CLOEXEC);
	int made = -1;

	skip_unless_root();
	netns_do(own, make, &made);
	assert_true(made >= 0);
	return made;
}

uint32_t netns_inode(int netns_fd)
{
	struct stat st;

	assert_int_equal(fstat(netns_fd, &st), 0);
	return (uint32_t)st.st_ino;
}

void netns_do(int netns_fd, int (*work)(void *context), void *context)
{
	assert_int_equal(eg_netns_call(netns_fd, work, context), 0);
}
