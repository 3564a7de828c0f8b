/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* egressctl: one table of commands. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/suggest.h"
#include "cli/cli.h"

static const struct command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"run", "run one command under a policy, without a daemon", eg_cmd_run},
	{"check", "say what is wrong with policy files", eg_cmd_check},
	{"explain", "show what holds for a workload, and why", eg_cmd_explain},
	{"status", "what is enforced where", eg_cmd_status},
	{"stats", "statistics under Envoy's names", eg_cmd_stats},
	{"clusters", "limits and use of the passthrough clusters", eg_cmd_clusters},
	{"flows", "live connections", eg_cmd_flows},
	{"destinations", "destinations seen", eg_cmd_destinations},
	{"monitor", "refusals as they fall", eg_cmd_monitor},
	{"top", "the busiest workloads", eg_cmd_top},
	{"preflight", "what passthrough: false, or another policy, would cut", eg_cmd_preflight},
	{"detach", "end enforcement for a workload", eg_cmd_detach},
	{"uninstall", "remove everything of egressd from this node", eg_cmd_uninstall},
};

static void print_help(FILE *out)
{
	fprintf(out, "usage: egressctl COMMAND [ARG]...\n\n"
		     "Kernel-enforced egress for the workloads of a service mesh.\n\ncommands:\n");
	for (size_t i = 0; i < EG_COUNT_OF(commands); i++)
		fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
	fprintf(out, "\n'egressctl COMMAND --help' says more, 'egressctl --version' which build this is.\n");
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < EG_COUNT_OF(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int unknown_command(const char *name)
{
	const char *names[EG_COUNT_OF(commands)], *close_one;

	for (size_t i = 0; i < EG_COUNT_OF(commands); i++)
		names[i] = commands[i].name;
	close_one = eg_suggest(name, names, EG_COUNT_OF(commands));
	eg_log_error("unknown command '%s'%s%s%s (see 'egressctl --help')", name, close_one ? "; did you mean " : "",
		     close_one ? close_one : "", close_one ? "?" : "");
	return EG_EXIT_USAGE;
}

/*
 * A caller may have closed them, and what is opened next would become standard
 * output. A placeholder can be neither read nor written, as if it were not there,
 * and a command that is run does not get it.
 */
static void occupy_standard_streams(void)
{
	int fd;

	do {
		fd = open("/", O_PATH | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	eg_closep(&fd);
}

/* An answer that did not arrive is no answer. */
static int finish_output(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	eg_log_error("cannot write to standard output: %s", strerror(errno));
	return status == EG_EXIT_OK ? EG_EXIT_FAILED : status;
}

int main(int argc, char **argv)
{
	const struct command *command;

	occupy_standard_streams();

	if (getenv("EG_DEBUG"))
		eg_log_set_level(EG_LOG_DEBUG);
	if (argc < 2) {
		print_help(stderr);
		return EG_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return EG_EXIT_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("egressctl %s\n", EG_VERSION);
		return EG_EXIT_OK;
	}
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	return finish_output(command->run(argc - 1, argv + 1));
}
