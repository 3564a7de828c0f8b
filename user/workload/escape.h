/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_WORKLOAD_ESCAPE_H
#define EG_WORKLOAD_ESCAPE_H

/* Processes of a workload whose capabilities let them go round the programs on its cgroup. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum eg_escape {
	EG_ESCAPE_SYS_ADMIN,
	EG_ESCAPE_BPF,
	EG_ESCAPE_NET_ADMIN,
	EG_ESCAPE_NET_RAW,
	EG_ESCAPE_COUNT,
};

#define EG_ESCAPE_PIDS 3

struct eg_escapers {
	size_t count;			/* processes that have it */
	pid_t pids[EG_ESCAPE_PIDS];	/* the first of them */
};

struct eg_escapes {
	struct eg_escapers with[EG_ESCAPE_COUNT];
};

/* "CAP_SYS_ADMIN" */
const char *eg_escape_name(enum eg_escape escape);
/* What a process can do with it. */
const char *eg_escape_means(enum eg_escape escape);

/* The effective capabilities, if that is the line of a /proc/PID/status. 0, or -EBADMSG. */
int eg_escape_parse(const char *line, uint64_t *ret_capabilities);
void eg_escape_add(struct eg_escapes *escapes, pid_t pid, uint64_t capabilities);

/* A process that has ended escapes no more. 0, or -errno of a shortage (base/file.h). */
int eg_escape_add_process(pid_t pid, struct eg_escapes *escapes);

/* Every process of the cgroup at `path` and below. 0; -ELOOP: of all but those that are nested too deeply; or -errno. */
int eg_escapes_read(const char *path, struct eg_escapes *ret_escapes);

#endif
