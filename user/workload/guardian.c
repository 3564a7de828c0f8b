/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "workload/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/array.h"
#include "base/cleanup.h"

#define RETRY_MS 100

struct fd_list {
	EG_ARRAY(int) fds;
};

static int compare_ints(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Whatever else the runner had open, a pipe to its caller for instance, must not stay open for our sake. */
static void close_all_but(struct fd_list *keep)
{
	unsigned int first = STDERR_FILENO + 1;

	qsort(keep->fds.items, keep->fds.len, sizeof(int), compare_ints);
	for (size_t i = 0; i < keep->fds.len; i++) {
		unsigned int fd = keep->fds.items[i];

		if (fd > first)
			close_range(first, fd - 1, 0);
		first = fd + 1;
	}
	close_range(first, ~0u, 0);
}

static void mute_stdio(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
		dup2(fd, i);
	eg_closep(&fd);
}

/* The last to go when memory is short. */
static void avoid_oom_killer(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "-1000", 5) != 5)
		errno = 0; /* without the privilege we are as mortal as the runner */
	eg_closep(&fd);
}

/* Nothing is ever written to the leash: reading ends when the runner's end of it closes. */
static void wait_for_runner(int leash_fd)
{
	char nothing;

	while (read(leash_fd, &nothing, 1) < 0 && errno == EINTR)
		;
}

/*
 * Enforcement ends with our exit: not before the cgroup is empty and removed,
 * whatever fails meanwhile. Nobody is left to hear of it. A runner that has done
 * it all leaves nothing to do.
 */
static void end_cgroup(const struct eg_cgroup *cgroup)
{
	while (eg_cgroup_kill(cgroup) < 0 || eg_cgroup_wait_empty(cgroup, 1000) < 0 || eg_cgroup_remove(cgroup) < 0)
		poll(NULL, 0, RETRY_MS);
}

static _Noreturn void guard(const struct eg_cgroup *cgroup, struct fd_list *keep, int leash_fd)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "egress-guardian");
	mute_stdio();
	close_all_but(keep);
	avoid_oom_killer();
	wait_for_runner(leash_fd);
	end_cgroup(cgroup);
	_exit(0);
}

static int list_fds(struct fd_list *list, const struct eg_cgroup *cgroup, const int *link_fds, size_t link_count,
		    int leash_fd)
{
	int r = eg_array_push(&list->fds, leash_fd);

	if (r == 0)
		r = eg_array_push(&list->fds, cgroup->fd);
	if (r == 0)
		r = eg_array_push(&list->fds, cgroup->parent_fd);
	for (size_t i = 0; i < link_count && r == 0; i++)
		r = eg_array_push(&list->fds, link_fds[i]);
	return r;
}

int eg_guardian_start(const struct eg_cgroup *cgroup, const int *link_fds, size_t link_count,
		      struct eg_guardian *ret_guardian)
{
	_cleanup_close_ int read_end = -1, write_end = -1, pid_fd = -1;
	struct fd_list keep = {};
	int pipe_fds[2], r;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	read_end = pipe_fds[0];
	write_end = pipe_fds[1];
	r = list_fds(&keep, cgroup, link_fds, link_count, read_end);
	pid = r < 0 ? -1 : fork();
	if (pid == 0)
		guard(cgroup, &keep, read_end);
	if (r == 0 && pid < 0)
		r = -errno;
	eg_array_clear(&keep.fds);
	if (r < 0)
		return r;
	pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pid_fd < 0) {
		r = -errno;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return r;
	}
	*ret_guardian = (struct eg_guardian){
		.pid = pid,
		.pid_fd = TAKE_FD(pid_fd),
		.leash_fd = TAKE_FD(write_end),
	};
	return 0;
}

void eg_guardian_release(struct eg_guardian *guardian, bool wait)
{
	eg_closep(&guardian->leash_fd);
	if (wait && guardian->pid > 0)
		waitpid(guardian->pid, NULL, 0);
	eg_closep(&guardian->pid_fd);
	*guardian = EG_GUARDIAN_NONE;
}
