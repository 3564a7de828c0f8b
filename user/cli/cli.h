/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CLI_CLI_H
#define EG_CLI_CLI_H

/* The commands of egressctl. argv[0] is the command's name; each returns the exit code. */

enum eg_exit {
	EG_EXIT_OK = 0,		/* warnings too */
	EG_EXIT_FAILED = 1,
	EG_EXIT_USAGE = 2,
	EG_EXIT_INVALID = 3,	/* the policy has errors */
};

int eg_cmd_check(int argc, char **argv);

#endif
