/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "workload/agent.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/*
 * Fields 3 and 22 of /proc/PID/stat: state, and start in clock ticks since boot.
 * Field 2 is the process's name, in parentheses of which it may have more of its own.
 */
static int read_stat(uint32_t pid, char *ret_state, uint64_t *ret_start_ticks)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[32], line[1024];
	const char *rest;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	/* The process may end between open and read. */
	if (!fgets(line, sizeof(line), file))
		return -ESRCH;
	rest = strrchr(line, ')');
	if (!rest || sscanf(rest + 1,
			    " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64,
			    ret_state, ret_start_ticks) != 2)
		return -EBADMSG;
	return 0;
}

/* 0 where it cannot be known. */
static uint32_t own_pid_namespace(void)
{
	struct stat namespace;

	return stat("/proc/self/ns/pid", &namespace) < 0 ? 0 : (uint32_t)namespace.st_ino;
}

int eg_agent_self(struct eg_agent *ret)
{
	uint64_t start_ticks;
	char state;
	int r = read_stat((uint32_t)getpid(), &state, &start_ticks);

	if (r < 0)
		return r;
	ret->pid = (__u32)getpid();
	ret->start_ticks = start_ticks;
	ret->pid_namespace = own_pid_namespace();
	return 0;
}

bool eg_agent_is_alive(const struct eg_agent *agent)
{
	uint64_t start_ticks;
	char state;

	if (agent->pid == 0 || read_stat(agent->pid, &state, &start_ticks) < 0)
		return false;
	return start_ticks == agent->start_ticks && state != 'Z' && state != 'X';
}

enum eg_agent_sight eg_agent_look(const struct eg_agent *agent, bool is_locked)
{
	/* Another namespace has other processes of the same numbers. */
	if (agent->pid_namespace != own_pid_namespace())
		return is_locked ? EG_AGENT_UNSEEN : EG_AGENT_DEAD;
	if (eg_agent_is_alive(agent))
		return EG_AGENT_SEEN;
	return is_locked ? EG_AGENT_BEGINNING : EG_AGENT_DEAD;
}

bool eg_agent_is_stopped(const struct eg_agent *agent)
{
	uint64_t start_ticks;
	char state;

	return read_stat(agent->pid, &state, &start_ticks) == 0 && start_ticks == agent->start_ticks &&
	       (state == 'T' || state == 't');
}

int eg_agent_open(const struct eg_agent *agent)
{
	_cleanup_close_ int fd = -1;

	if (agent->pid == 0)
		return -ESRCH;
	fd = (int)syscall(SYS_pidfd_open, (pid_t)agent->pid, 0);
	if (fd < 0)
		return -errno;
	/* Looked at once it is held: a process that is the agent now is the one behind the descriptor. */
	return eg_agent_is_alive(agent) ? TAKE_FD(fd) : -ESRCH;
}
