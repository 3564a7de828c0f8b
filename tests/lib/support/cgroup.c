/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cgroup.h"

#include "../../bpf/support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/cleanup.h"

struct eg_cgroup cgroup_make_below(const char *parent, const char *what)
{
	struct eg_cgroup cgroup = EG_CGROUP_NONE;
	_cleanup_free_ char *own = NULL;
	char name[64];

	skip_unless_root();
	assert_int_equal(eg_cgroup_own_path(&own), 0);
	snprintf(name, sizeof(name), "egress-test-%s-%d", what, getpid());
	assert_int_equal(eg_cgroup_create(parent ? parent : own, name, &cgroup), 0);
	return cgroup;
}

struct eg_cgroup cgroup_make(const char *what)
{
	return cgroup_make_below(NULL, what);
}

void cgroup_end(struct eg_cgroup *cgroup)
{
	assert_int_equal(eg_cgroup_remove(cgroup), 0);
	eg_cgroup_close(cgroup);
}

static bool enter(const struct eg_cgroup *cgroup)
{
	char path[4096];
	FILE *procs;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup->path);
	procs = fopen(path, "we");
	return procs && fputs("0", procs) >= 0 && fclose(procs) == 0;
}

pid_t cgroup_start(const struct eg_cgroup *cgroup, int (*work)(void *argument), void *argument)
{
	int entered[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe2(entered, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* Not for longer than a test that failed. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(entered[0]);
		if (!enter(cgroup) || write(entered[1], &byte, 1) != 1)
			_exit(EXIT_FAILURE);
		close(entered[1]);
		_exit(work(argument));
	}
	close(entered[1]);
	assert_int_equal(read(entered[0], &byte, 1), 1);
	close(entered[0]);
	return pid;
}

int cgroup_join(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

int cgroup_run(const struct eg_cgroup *cgroup, int (*work)(void *argument), void *argument)
{
	return cgroup_join(cgroup_start(cgroup, work, argument));
}

void cgroup_kill(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}
