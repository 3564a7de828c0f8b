/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "workload/escape.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "workload/cgroup.h"

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static const struct {
	unsigned int capability;
	const char *name;
	const char *means;
} escapes_known[EG_ESCAPE_COUNT] = {
	[EG_ESCAPE_SYS_ADMIN] = {CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "can detach the programs, change their maps or leave the cgroup"},
	[EG_ESCAPE_BPF] = {CAP_BPF, "CAP_BPF", "can load programs, and with CAP_NET_ADMIN attach some that undo ours"},
	[EG_ESCAPE_NET_ADMIN] = {CAP_NET_ADMIN, "CAP_NET_ADMIN", "can redirect and tunnel packets"},
	[EG_ESCAPE_NET_RAW] = {CAP_NET_RAW, "CAP_NET_RAW", "can send by raw and packet sockets"},
};

const char *eg_escape_name(enum eg_escape escape)
{
	return escapes_known[escape].name;
}

const char *eg_escape_means(enum eg_escape escape)
{
	return escapes_known[escape].means;
}

int eg_escape_parse(const char *status, uint64_t *ret_capabilities)
{
	/* A process's name, in the first line, cannot hold a newline unescaped. */
	const char *line = strstr(status, "\nCapEff:");

	return line && sscanf(line, "\nCapEff: %" SCNx64, ret_capabilities) == 1 ? 0 : -EBADMSG;
}

void eg_escape_add(struct eg_escapes *escapes, pid_t pid, uint64_t capabilities)
{
	for (enum eg_escape escape = 0; escape < EG_ESCAPE_COUNT; escape++) {
		struct eg_escapers *escapers = &escapes->with[escape];

		if (!(capabilities & (UINT64_C(1) << escapes_known[escape].capability)))
			continue;
		if (escapers->count < EG_ESCAPE_PIDS)
			escapers->pids[escapers->count] = pid;
		escapers->count++;
	}
}

/* A process that has ended meanwhile escapes no more. */
static int add_process(pid_t pid, void *context)
{
	_cleanup_close_ int fd = -1;
	char path[32], status[4096];
	uint64_t capabilities;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, status, sizeof(status) - 1);
	if (len < 0)
		return 0;
	status[len] = '\0';
	if (eg_escape_parse(status, &capabilities) == 0)
		eg_escape_add(context, pid, capabilities);
	return 0;
}

int eg_escapes_read(const char *path, struct eg_escapes *ret_escapes)
{
	_cleanup_close_ int fd = open(path, OPEN_DIR);

	*ret_escapes = (struct eg_escapes){};
	return fd < 0 ? -errno : eg_cgroup_each_process_below(fd, add_process, ret_escapes);
}
