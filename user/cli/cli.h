/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CLI_CLI_H
#define EG_CLI_CLI_H

/* The commands of egressctl. Each takes its own words, argv[0] being its name, and returns an exit status. */

enum eg_exit {
	EG_EXIT_OK = 0, /* warnings too */
	EG_EXIT_FAILED = 1,
	EG_EXIT_USAGE = 2,
	EG_EXIT_INVALID = 3, /* a policy file is wrong */
	EG_EXIT_FOUND = 4,   /* preflight found something, or could not know */
};

int eg_cmd_clusters(int argc, char **argv);
int eg_cmd_check(int argc, char **argv);
int eg_cmd_explain(int argc, char **argv);
int eg_cmd_destinations(int argc, char **argv);
int eg_cmd_detach(int argc, char **argv);
int eg_cmd_flows(int argc, char **argv);
int eg_cmd_monitor(int argc, char **argv);
int eg_cmd_preflight(int argc, char **argv);
int eg_cmd_run(int argc, char **argv);
int eg_cmd_stats(int argc, char **argv);
int eg_cmd_status(int argc, char **argv);
int eg_cmd_top(int argc, char **argv);
int eg_cmd_uninstall(int argc, char **argv);

#endif
