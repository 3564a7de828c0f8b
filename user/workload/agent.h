/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_WORKLOAD_AGENT_H
#define EG_WORKLOAD_AGENT_H

/* Whether the agent that the pinned maps name still runs: a process id alone may be another process's by now. */
#include <stdbool.h>

#include "egress/maps.h"

/* Fills pid, start_ticks and pid_namespace with the calling process's; the rest stays as it is. 0, or -errno. */
int eg_agent_self(struct eg_agent *ret);

enum eg_agent_sight {
	EG_AGENT_DEAD,
	EG_AGENT_SEEN,	    /* its process is there */
	EG_AGENT_BEGINNING, /* an agent holds the pins and has not said yet who it is */
	EG_AGENT_UNSEEN,    /* it holds the pins, and lives in a pid namespace that this process does not see */
};

/* What the pinned maps say of an agent, and whether anybody holds the pins (eg_pins_are_locked()). */
enum eg_agent_sight eg_agent_look(const struct eg_agent *agent, bool is_locked);
/* Whether a process that is there was stopped, by SIGSTOP or a debugger: it takes up nothing until it goes on. */
bool eg_agent_is_stopped(const struct eg_agent *agent);
/* False for a zombie too, and for an agent that never was (pid 0). */
bool eg_agent_is_alive(const struct eg_agent *agent);
/*
 * A descriptor of the agent's process, for pidfd_send_signal() and poll(): that
 * very process, or none. -ESRCH when it is dead, or -errno.
 */
int eg_agent_open(const struct eg_agent *agent);

#endif
