/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Real cgroups below the caller's. */
#include "../bpf/support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../lib/support/cgroup.h"
#include "base/cleanup.h"
#include "workload/cgroup.h"

#define WAIT_MS 5000

static bool exists(const struct eg_cgroup *cgroup)
{
	return access(cgroup->path, F_OK) == 0;
}

static void remove_and_close(struct eg_cgroup *cgroup)
{
	assert_int_equal(eg_cgroup_remove(cgroup), 0);
	assert_false(exists(cgroup));
	eg_cgroup_close(cgroup);
}

/* A child in a cgroup, by the folder's descriptor, that does nothing until it is killed. */
static pid_t start_sleeper(int dir_fd)
{
	int fd = openat(dir_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	char text[16];
	pid_t pid = fork();

	assert_true(pid >= 0 && fd >= 0);
	if (pid == 0) {
		/* not for longer than a test that failed */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	snprintf(text, sizeof(text), "%d", pid);
	assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
	close(fd);
	return pid;
}

static int make_below(int dir_fd, const char *name)
{
	int fd;

	assert_int_equal(mkdirat(dir_fd, name, 0755), 0);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void a_cgroup_that_was_made_is_there_and_one_that_was_removed_is_not(void **state)
{
	struct eg_cgroup cgroup = cgroup_make("life");
	struct stat by_path, by_fd;

	(void)state;
	assert_int_equal(stat(cgroup.path, &by_path), 0);
	assert_int_equal(fstat(cgroup.fd, &by_fd), 0);
	assert_int_equal(by_path.st_ino, by_fd.st_ino);
	assert_int_equal(eg_cgroup_wait_empty(&cgroup, 0), 0);
	remove_and_close(&cgroup);
	assert_true(cgroup.fd < 0 && cgroup.parent_fd < 0 && !cgroup.path && !cgroup.name);
}

static void a_name_that_is_taken_gets_a_number(void **state)
{
	struct eg_cgroup first = cgroup_make("taken"), second = cgroup_make("taken"), third = cgroup_make("taken");

	(void)state;
	assert_string_not_equal(first.name, second.name);
	assert_string_not_equal(second.name, third.name);
	assert_int_equal(strncmp(second.name, first.name, strlen(first.name)), 0);
	assert_string_equal(second.name + strlen(first.name), "-1");
	assert_string_equal(third.name + strlen(first.name), "-2");
	remove_and_close(&second);
	assert_true(exists(&first) && exists(&third));
	remove_and_close(&first);
	remove_and_close(&third);
}

static void where_none_can_be_made_nothing_is(void **state)
{
	struct eg_cgroup cgroup = EG_CGROUP_NONE;

	(void)state;
	skip_unless_root();
	assert_int_equal(eg_cgroup_create("/nonexistent", "name", &cgroup), -ENOENT);
	assert_int_equal(eg_cgroup_create("/dev/null", "name", &cgroup), -ENOTDIR);
	assert_true(cgroup.fd < 0 && cgroup.parent_fd < 0 && !cgroup.path && !cgroup.name);
}

static void one_with_processes_is_not_empty_and_is_not_removed(void **state)
{
	struct eg_cgroup cgroup = cgroup_make("busy");
	pid_t pid = start_sleeper(cgroup.fd);

	(void)state;
	assert_int_equal(eg_cgroup_wait_empty(&cgroup, 0), -ETIMEDOUT);
	assert_int_equal(eg_cgroup_wait_empty(&cgroup, 20), -ETIMEDOUT);
	assert_int_equal(eg_cgroup_remove(&cgroup), -EBUSY);
	assert_true(exists(&cgroup));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(eg_cgroup_wait_empty(&cgroup, WAIT_MS), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	remove_and_close(&cgroup);
}

static void killing_reaches_what_is_below_and_what_is_stopped(void **state)
{
	struct eg_cgroup cgroup = cgroup_make("kill");
	int below = make_below(cgroup.fd, "below"), hidden = make_below(below, ".hidden"), status;
	pid_t pids[] = {start_sleeper(cgroup.fd), start_sleeper(below), start_sleeper(hidden)};

	(void)state;
	assert_int_equal(kill(pids[2], SIGSTOP), 0);
	assert_int_equal(eg_cgroup_kill(&cgroup), 0);
	assert_int_equal(eg_cgroup_wait_empty(&cgroup, WAIT_MS), 0);
	for (size_t i = 0; i < EG_COUNT_OF(pids); i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	close(hidden);
	close(below);
	remove_and_close(&cgroup);
}

static int count(pid_t pid, void *context)
{
	int *seen = context;

	(void)pid;
	(*seen)++;
	return 0;
}

static void processes_below_are_seen_whatever_the_name_and_the_depth_is_bounded(void **state)
{
	enum { DEPTH = 66 };
	struct eg_cgroup cgroup = cgroup_make("below");
	int hidden = make_below(cgroup.fd, ".hidden"), fd = dup(cgroup.fd), seen = 0;
	pid_t pids[2] = {start_sleeper(cgroup.fd), start_sleeper(hidden)};

	(void)state;
	assert_int_equal(eg_cgroup_each_process_below(cgroup.fd, count, &seen), 0);
	assert_int_equal(seen, 2);
	for (int i = 0; i < DEPTH; i++) {
		int below = make_below(fd, "d");

		close(fd);
		fd = below;
	}
	close(fd);
	seen = 0;
	assert_int_equal(eg_cgroup_each_process_below(cgroup.fd, count, &seen), -ELOOP);
	assert_int_equal(seen, 2);
	assert_int_equal(eg_cgroup_kill(&cgroup), 0);
	for (size_t i = 0; i < EG_COUNT_OF(pids); i++)
		assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
	assert_int_equal(eg_cgroup_wait_empty(&cgroup, WAIT_MS), 0);
	close(hidden);
	remove_and_close(&cgroup);
}

static void few_descriptors_are_no_end_of_a_walk(void **state)
{
	struct eg_cgroup cgroup = cgroup_make("few");
	int below = make_below(cgroup.fd, "d"), seen = 0;
	struct rlimit old, low;
	pid_t pid = start_sleeper(below);
	rlim_t spare = (rlim_t)dup(0);

	(void)state;
	close((int)spare);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	/* enough for the list of the first, and not for what is below */
	low = (struct rlimit){.rlim_cur = spare + 1, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(eg_cgroup_each_process_below(cgroup.fd, count, &seen), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(below);
	assert_int_equal(eg_cgroup_wait_empty(&cgroup, WAIT_MS), 0);
	remove_and_close(&cgroup);
}

static void many_beside_and_below_each_other_are_removed(void **state)
{
	struct eg_cgroup cgroup = cgroup_make("tree");

	(void)state;
	for (int i = 0; i < 20; i++) {
		char name[16];
		int fd;

		snprintf(name, sizeof(name), "n%d", i);
		fd = make_below(cgroup.fd, name);
		close(make_below(fd, "a"));
		close(make_below(fd, "b"));
		close(fd);
	}
	remove_and_close(&cgroup);
}

static void ones_nested_deeper_than_descriptors_go_are_removed(void **state)
{
	enum {
		DEPTH = 100,
		DESCRIPTORS = 40
	};
	struct eg_cgroup cgroup = cgroup_make("deep");
	struct rlimit old, low;
	int fd = dup(cgroup.fd);

	(void)state;
	for (int i = 0; i < DEPTH; i++) {
		int below = make_below(fd, "d");

		close(fd);
		fd = below;
	}
	close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = (struct rlimit){.rlim_cur = DESCRIPTORS, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	remove_and_close(&cgroup);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void one_is_removed_when_no_descriptor_is_to_spare(void **state)
{
	struct eg_cgroup cgroup = cgroup_make("spare");
	struct rlimit old, none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	remove_and_close(&cgroup);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void one_that_somebody_else_removed_is_empty_and_gone(void **state)
{
	struct eg_cgroup cgroup = cgroup_make("gone");

	(void)state;
	assert_int_equal(rmdir(cgroup.path), 0);
	assert_int_equal(eg_cgroup_kill(&cgroup), 0);
	assert_int_equal(eg_cgroup_wait_empty(&cgroup, 0), 0);
	remove_and_close(&cgroup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cgroup_that_was_made_is_there_and_one_that_was_removed_is_not),
		cmocka_unit_test(a_name_that_is_taken_gets_a_number),
		cmocka_unit_test(where_none_can_be_made_nothing_is),
		cmocka_unit_test(one_with_processes_is_not_empty_and_is_not_removed),
		cmocka_unit_test(killing_reaches_what_is_below_and_what_is_stopped),
		cmocka_unit_test(processes_below_are_seen_whatever_the_name_and_the_depth_is_bounded),
		cmocka_unit_test(few_descriptors_are_no_end_of_a_walk),
		cmocka_unit_test(many_beside_and_below_each_other_are_removed),
		cmocka_unit_test(ones_nested_deeper_than_descriptors_go_are_removed),
		cmocka_unit_test(one_is_removed_when_no_descriptor_is_to_spare),
		cmocka_unit_test(one_that_somebody_else_removed_is_empty_and_gone),
	};

	return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
