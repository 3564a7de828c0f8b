/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "workload/escape.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
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

int eg_escape_parse(const char *line, uint64_t *ret_capabilities)
{
	return sscanf(line, "CapEff: %" SCNx64, ret_capabilities) == 1 ? 0 : -EBADMSG;
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

/* Groups stand before the capabilities, and may be thousands. */
static int read_capabilities(FILE *status, uint64_t *ret_capabilities)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, status) > 0)
		if (eg_escape_parse(line, ret_capabilities) == 0)
			return 0;
	return -EBADMSG;
}

int eg_escape_add_process(pid_t pid, struct eg_escapes *escapes)
{
	_cleanup_fclose_ FILE *status = NULL;
	uint64_t capabilities;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	status = fopen(path, "re");
	if (!status)
		return eg_file_is_shortage(-errno) ? -errno : 0;
	if (read_capabilities(status, &capabilities) == 0)
		eg_escape_add(escapes, pid, capabilities);
	return 0;
}

static int add_process(pid_t pid, void *context)
{
	return eg_escape_add_process(pid, context);
}

int eg_escapes_read(const char *path, struct eg_escapes *ret_escapes)
{
	_cleanup_close_ int fd = open(path, OPEN_DIR);

	*ret_escapes = (struct eg_escapes){};
	return fd < 0 ? -errno : eg_cgroup_each_process_below(fd, add_process, ret_escapes);
}
