/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_WORKLOAD_AGENT_H
#define EG_WORKLOAD_AGENT_H

/* Whether the agent that the pinned maps name still runs: a process id alone may be another process's by now. */
#include <stdbool.h>

#include "egress/maps.h"

/* Fills pid and start_ticks with the calling process's; the rest stays as it is. 0, or -errno. */
int eg_agent_self(struct eg_agent *ret);
/* False for a zombie too, and for an agent that never was (pid 0). */
bool eg_agent_is_alive(const struct eg_agent *agent);
/*
 * A descriptor of the agent's process, for pidfd_send_signal() and poll(): that
 * very process, or none. -ESRCH when it is dead, or -errno.
 */
int eg_agent_open(const struct eg_agent *agent);

#endif
