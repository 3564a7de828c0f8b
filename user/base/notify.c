/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define USEC_PER_SEC 1000000u
#define USEC_PER_MSEC 1000u

/* A path, or with an @ before it a name that is in no file system. */
static int find_manager(const char *name, struct sockaddr_un *ret_address, socklen_t *ret_len)
{
	size_t len = strlen(name);

	if (len < 2 || len >= sizeof(ret_address->sun_path) || (name[0] != '/' && name[0] != '@'))
		return -EINVAL;
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret_address->sun_path, name, len);
	if (name[0] == '@')
		ret_address->sun_path[0] = '\0';
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return 0;
}

int eg_notify(const char *format, ...)
{
	const char *name = getenv("NOTIFY_SOCKET");
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	struct sockaddr_un manager;
	socklen_t len;
	va_list args;
	int r;

	if (!name)
		return 0;
	r = find_manager(name, &manager, &len);
	if (r < 0)
		return r;
	va_start(args, format);
	r = vasprintf(&text, format, args);
	va_end(args);
	if (r < 0)
		return -ENOMEM;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&manager, len) < 0)
		return -errno;
	return 0;
}

int eg_notify_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return eg_notify("RELOADING=1\nMONOTONIC_USEC=%llu",
			 (unsigned long long)now.tv_sec * USEC_PER_SEC + (unsigned long long)now.tv_nsec / 1000);
}

int64_t eg_notify_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	long long value = usec ? atoll(usec) : 0;

	if (value <= 0 || (pid && atoll(pid) != getpid()))
		return 0;
	return value < USEC_PER_MSEC ? 1 : (int64_t)(value / USEC_PER_MSEC);
}
