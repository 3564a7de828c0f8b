/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* egressd: options -> run(). */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/log.h"
#include "daemon.h"

#define EXIT_USAGE 2

static const char usage[] =
	"usage: egressd --policy PATH...\n"
	"\n"
	"Keeps the workloads of a policy under it, in the foreground. Reloads on SIGHUP and when the\n"
	"files change; stops on SIGTERM and leaves enforcement in place. Started again it takes over,\n"
	"also after kill -9. 'egressctl status' shows what is enforced, 'egressctl uninstall' ends it.\n"
	"\n"
	"  --policy PATH   a policy file or folder; may be given several times\n"
	"  --version       the version\n"
	"  --help          this text\n"
	"\n"
	"Exit status: 0 stopped, 1 failed, 2 usage, 3 the policy has errors.\n";

struct words {
	EG_ARRAY(const char *) policies;
	bool help;
	bool version;
};

static int usage_error(const char *what)
{
	eg_log_error("%s (see 'egressd --help')", what);
	return -EINVAL;
}

static int parse_words(int argc, char **argv, struct words *words)
{
	static const struct option options[] = {
		{"policy", required_argument, NULL, 'p'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	int option, r = 0;

	opterr = 0;
	while (r == 0 && (option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (option == 'p')
			r = eg_array_push(&words->policies, optarg);
		else if (option == 'v')
			words->version = true;
		else if (option == 'h')
			words->help = true;
		else
			return usage_error(option == ':' ? "--policy needs a value" : "unknown option");
	}
	if (r < 0 || words->help || words->version)
		return r;
	/* --policy a b c is --policy a --policy b --policy c. */
	for (int i = optind; i < argc && r == 0 && words->policies.len > 0; i++)
		r = eg_array_push(&words->policies, argv[i]);
	if (words->policies.len == 0)
		return usage_error("--policy is missing");
	return r;
}

static int run(const struct words *words, const sigset_t *signals)
{
	if (words->help) {
		fputs(usage, stdout);
		return EXIT_SUCCESS;
	}
	if (words->version) {
		printf("egressd %s\n", EG_VERSION);
		return EXIT_SUCCESS;
	}
	return eg_daemon_run(&(struct eg_daemon_options){
		.policies = words->policies.items,
		.policy_count = words->policies.len,
		.signals = signals,
	});
}

int main(int argc, char **argv)
{
	struct words words = {};
	sigset_t signals;
	int status;

	/* From the first line on, a SIGHUP that comes early is a reload that waits, not the end. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGPIPE);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	if (getenv("EG_DEBUG"))
		eg_log_set_level(EG_LOG_DEBUG);
	status = parse_words(argc, argv, &words) < 0 ? EXIT_USAGE : run(&words, &signals);
	eg_array_clear(&words.policies);
	return status;
}
