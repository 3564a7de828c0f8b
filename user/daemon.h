/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DAEMON_H
#define EG_DAEMON_H

/* The node daemon: owns every stage, and is the only file that knows them all. */
#include <signal.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/trust.h"

struct eg_daemon_options {
	const char *const *policies;	/* files and folders */
	size_t policy_count;
	struct eg_trust trust;		/* whose policies are taken */
	const sigset_t *signals;	/* blocked by main before anything else */
	const char *admin_path;		/* of the admin endpoint's socket; "": none */
	const struct eg_addr_port *admin_place;	/* of the same by TCP; NULL: what the policy says */
};

/*
 * Starts, keeps workloads under their policy until SIGTERM or SIGINT, and leaves
 * enforcement as it is. Returns the exit status: 0; 3 when the first policy is
 * wrong; 1 for all else, with the reason logged. What an earlier agent left stays
 * in force also when this one cannot start.
 */
int eg_daemon_run(const struct eg_daemon_options *options);

#endif
