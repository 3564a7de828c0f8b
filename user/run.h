/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_RUN_H
#define EG_RUN_H

/* One command under a policy, without a daemon: owns every stage of `egressctl run`. */
#include <stdint.h>

#include "policy/compile.h"
#include "policy/rules.h"

/* Exit statuses besides the command's own, as env(1) and the shell have them. */
enum eg_run_exit {
	EG_RUN_FAILED = 125,		/* egressctl itself failed; the command did not start, or was killed */
	EG_RUN_CANNOT_EXECUTE = 126,
	EG_RUN_NOT_FOUND = 127,
	EG_RUN_SIGNAL = 128,		/* plus the number of the signal that ended the command */
};

struct eg_run {
	const struct eg_subject *subject;
	struct eg_image **image;	/* taken over once it is in force */
	uint32_t sweep_interval_ms;	/* 0: derived from the timeouts */
	const char *report;		/* path of the JSON report; NULL: none is wanted */
	char *const *argv;		/* the command, NULL-terminated */
};

/*
 * Makes a cgroup below the caller's, puts the policy on it, runs the command in
 * it and waits. What the command leaves behind is killed; no cgroup or link stays.
 * Returns the exit status for the caller's caller; what failed has been logged.
 */
int eg_run(const struct eg_run *run);

#endif
