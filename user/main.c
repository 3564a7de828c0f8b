/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* egressd: options -> run(). */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "daemon.h"
#include "export/admin.h"
#include "words.h"

#define EXIT_USAGE 2

static const char usage[] =
	"usage: egressd --policy PATH... [--admin PLACE] [--trust USER]\n"
	"\n"
	"Keeps the workloads of a policy under it, in the foreground. Reloads on SIGHUP and when the\n"
	"files change; stops on SIGTERM and leaves enforcement in place. Started again it takes over,\n"
	"also after kill -9. 'egressctl status' shows what is enforced, 'egressctl uninstall' ends it.\n"
	"\n"
	"  --policy PATH   a policy file or folder; may be given several times\n"
	"  --admin PLACE   the path of the admin endpoint's unix socket, " EG_ADMIN_PATH "\n"
	"                  when left out; none: there is none. ADDRESS:PORT: by TCP as well, for reading\n"
	"  --trust USER    the number of a user beside root whose policy files are taken; may be given\n"
	"                  several times; any: whoever could write them\n"
	"  --version       the version\n"
	"  --help          this text\n"
	"\n"
	"Exit status: 0 stopped, 1 failed, 2 usage, 3 the policy has errors.\n";

static int usage_error(const char *what)
{
	eg_log_error("%s (see 'egressd --help')", what);
	return EXIT_USAGE;
}

static int run(const struct eg_daemon_words *words, const sigset_t *signals)
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
		.trust = {words->trusted.items, words->trusted.len, words->trusts_all},
		.signals = signals,
		.admin_path = words->admin_path ? words->admin_path : EG_ADMIN_PATH,
		.admin_place = words->has_admin_place ? &words->admin_place : NULL,
	});
}

int main(int argc, char **argv)
{
	struct eg_daemon_words words = {};
	const char *problem = "out of memory";
	sigset_t signals;
	int status;

	/* From the first line on, a SIGHUP that comes early is a reload that waits, not the end. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGPIPE);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	/* As process 1 of a container it gets children that it never had: the kernel buries them. */
	signal(SIGCHLD, SIG_IGN);

	if (getenv("EG_DEBUG"))
		eg_log_set_level(EG_LOG_DEBUG);
	if (eg_daemon_words_parse(argc, argv, &words, &problem) < 0)
		status = usage_error(problem);
	else
		status = run(&words, &signals);
	eg_daemon_words_clear(&words);
	return status;
}
