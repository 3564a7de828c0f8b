/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A real guardian. The runner is a child that can be killed, and the end of a
 * pipe stands for the links: the test sees when the last holder lets it go.
 */
#include "../bpf/support.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "../lib/support/cgroup.h"
#include "base/cleanup.h"
#include "workload/guardian.h"

#define WAIT_MS 5000

struct scene {
	struct eg_cgroup cgroup;
	pid_t command;
	int link;      /* readable once nobody holds the link any more */
	int held_link; /* what a runner hands to its guardian */
};

static int sleep_until_killed(void *unused)
{
	(void)unused;
	return pause();
}

static void set_up(struct scene *scene)
{
	int fds[2];

	scene->cgroup = cgroup_make("guardian");
	scene->command = cgroup_start(&scene->cgroup, sleep_until_killed, NULL);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	scene->link = fds[0];
	scene->held_link = fds[1];
}

static bool is_let_go(const struct scene *scene, int timeout_ms)
{
	struct pollfd poller = {.fd = scene->link};

	return poll(&poller, 1, timeout_ms) == 1;
}

static void clean_up(struct scene *scene)
{
	close(scene->link);
	eg_cgroup_close(&scene->cgroup);
}

static void assert_command_was_killed(const struct scene *scene)
{
	int status;

	assert_int_equal(waitpid(scene->command, &status, 0), scene->command);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static struct eg_guardian start(struct scene *scene)
{
	struct eg_guardian guardian = EG_GUARDIAN_NONE;

	assert_int_equal(eg_guardian_start(&scene->cgroup, &scene->held_link, 1, &guardian), 0);
	close(scene->held_link);
	return guardian;
}

static void a_killed_runner_ends_the_command_and_its_cgroup_before_the_links_go(void **state)
{
	struct scene scene;
	pid_t runner;

	(void)state;
	set_up(&scene);
	runner = fork();
	assert_true(runner >= 0);
	if (runner == 0) {
		start(&scene);
		raise(SIGKILL);
	}
	close(scene.held_link);
	assert_int_equal(waitpid(runner, NULL, 0), runner);
	assert_true(is_let_go(&scene, WAIT_MS));
	assert_int_equal(access(scene.cgroup.path, F_OK), -1);
	assert_command_was_killed(&scene);
	clean_up(&scene);
}

static void while_the_runner_lives_the_guardian_holds_the_links_and_kills_nobody(void **state)
{
	struct eg_guardian guardian;
	struct scene scene;

	(void)state;
	set_up(&scene);
	guardian = start(&scene);
	assert_false(is_let_go(&scene, 50));
	assert_int_equal(kill(guardian.pid, 0), 0);
	assert_int_equal(waitpid(scene.command, NULL, WNOHANG), 0);
	eg_guardian_release(&guardian, true);
	assert_true(is_let_go(&scene, 0));
	assert_int_equal(access(scene.cgroup.path, F_OK), -1);
	assert_command_was_killed(&scene);
	clean_up(&scene);
}

static void one_that_is_released_when_all_is_done_ends_at_once(void **state)
{
	struct eg_guardian guardian;
	struct scene scene;

	(void)state;
	set_up(&scene);
	guardian = start(&scene);
	assert_int_equal(eg_cgroup_kill(&scene.cgroup), 0);
	assert_int_equal(eg_cgroup_wait_empty(&scene.cgroup, WAIT_MS), 0);
	assert_int_equal(eg_cgroup_remove(&scene.cgroup), 0);
	eg_guardian_release(&guardian, true);
	assert_true(guardian.pid < 0 && guardian.pid_fd < 0 && guardian.leash_fd < 0);
	assert_true(is_let_go(&scene, 0));
	assert_command_was_killed(&scene);
	clean_up(&scene);
}

static void releasing_none_is_nothing(void **state)
{
	struct eg_guardian guardian = EG_GUARDIAN_NONE;

	(void)state;
	eg_guardian_release(&guardian, true);
	eg_guardian_release(&guardian, false);
	assert_true(guardian.pid < 0);
}

static void one_that_was_killed_is_noticed(void **state)
{
	struct eg_guardian guardian;
	struct pollfd poller;
	struct scene scene;

	(void)state;
	set_up(&scene);
	guardian = start(&scene);
	assert_int_equal(kill(guardian.pid, SIGKILL), 0);
	poller = (struct pollfd){.fd = guardian.pid_fd, .events = POLLIN};
	assert_int_equal(poll(&poller, 1, WAIT_MS), 1);
	eg_guardian_release(&guardian, true);
	assert_int_equal(eg_cgroup_kill(&scene.cgroup), 0);
	assert_int_equal(eg_cgroup_wait_empty(&scene.cgroup, WAIT_MS), 0);
	assert_int_equal(eg_cgroup_remove(&scene.cgroup), 0);
	assert_command_was_killed(&scene);
	clean_up(&scene);
}

/* True once the guardian's descriptors are its own; it sorts them out after it has been forked. */
static bool has_let_go_of(pid_t pid, int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	for (int waited_ms = 0; waited_ms < WAIT_MS; waited_ms++) {
		if (access(path, F_OK) != 0)
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}

static void no_other_descriptor_of_the_runner_stays_open(void **state)
{
	struct eg_guardian guardian;
	struct scene scene;
	int other[2];

	(void)state;
	set_up(&scene);
	assert_int_equal(pipe2(other, 0), 0);
	guardian = start(&scene);
	assert_true(has_let_go_of(guardian.pid, other[0]));
	assert_true(has_let_go_of(guardian.pid, other[1]));
	assert_int_not_equal(getsid(guardian.pid), getsid(0));
	eg_guardian_release(&guardian, true);
	close(other[0]);
	close(other[1]);
	assert_command_was_killed(&scene);
	clean_up(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_killed_runner_ends_the_command_and_its_cgroup_before_the_links_go),
		cmocka_unit_test(while_the_runner_lives_the_guardian_holds_the_links_and_kills_nobody),
		cmocka_unit_test(one_that_is_released_when_all_is_done_ends_at_once),
		cmocka_unit_test(releasing_none_is_nothing),
		cmocka_unit_test(one_that_was_killed_is_noticed),
		cmocka_unit_test(no_other_descriptor_of_the_runner_stays_open),
	};

	return cmocka_run_group_tests_name("guardian", tests, NULL, NULL);
}
