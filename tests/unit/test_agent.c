/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "workload/agent.h"

/* A child that writes what eg_agent_self() says and waits to be killed. */
static pid_t start_child(const char *name, struct eg_agent *ret_agent)
{
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct eg_agent agent = {};

		prctl(PR_SET_NAME, name);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (eg_agent_self(&agent) < 0 || write(ends[1], &agent, sizeof(agent)) != sizeof(agent))
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], ret_agent, sizeof(*ret_agent)), sizeof(*ret_agent));
	close(ends[0]);
	return pid;
}

static void a_process_finds_itself_alive(void **state)
{
	struct eg_agent agent = {.state = EG_AGENT_RUNNING};

	(void)state;
	assert_int_equal(eg_agent_self(&agent), 0);
	assert_int_equal(agent.pid, getpid());
	assert_true(agent.start_ticks > 0);
	assert_int_equal(agent.state, EG_AGENT_RUNNING);
	assert_true(eg_agent_is_alive(&agent));
}

static void whoever_holds_the_pins_of_a_dead_agent_is_one_that_begins(void **state)
{
	struct eg_agent agent = {};

	(void)state;
	assert_int_equal(eg_agent_self(&agent), 0);
	assert_int_equal(eg_agent_look(&agent, true), EG_AGENT_SEEN);
	assert_int_equal(eg_agent_look(&agent, false), EG_AGENT_SEEN);
	agent.start_ticks++;
	assert_int_equal(eg_agent_look(&agent, true), EG_AGENT_BEGINNING);
	assert_int_equal(eg_agent_look(&agent, false), EG_AGENT_DEAD);
}

static void an_agent_of_another_pid_namespace_is_known_by_its_hold_alone(void **state)
{
	struct eg_agent agent = {};

	(void)state;
	assert_int_equal(eg_agent_self(&agent), 0);
	agent.pid_namespace++;
	assert_int_equal(eg_agent_look(&agent, true), EG_AGENT_UNSEEN);
	assert_int_equal(eg_agent_look(&agent, false), EG_AGENT_DEAD);
}

static void a_stopped_process_is_told_from_one_that_runs(void **state)
{
	struct eg_agent agent;
	pid_t pid = start_child("child", &agent);
	siginfo_t info;

	(void)state;
	assert_false(eg_agent_is_stopped(&agent));
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
	assert_true(eg_agent_is_stopped(&agent));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(eg_agent_is_stopped(&agent));
}

static void the_same_process_id_with_another_start_is_another_process(void **state)
{
	struct eg_agent agent = {};

	(void)state;
	assert_int_equal(eg_agent_self(&agent), 0);
	agent.start_ticks++;
	assert_false(eg_agent_is_alive(&agent));
	assert_int_equal(eg_agent_open(&agent), -ESRCH);
}

static void an_agent_that_never_was_is_dead(void **state)
{
	static const struct eg_agent none;

	(void)state;
	assert_false(eg_agent_is_alive(&none));
	assert_int_equal(eg_agent_open(&none), -ESRCH);
}

static void a_zombie_is_dead_and_so_is_what_was_waited_for(void **state)
{
	struct eg_agent agent;
	siginfo_t info;
	pid_t pid = start_child("egressd", &agent);

	(void)state;
	assert_true(eg_agent_is_alive(&agent));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_false(eg_agent_is_alive(&agent));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(eg_agent_is_alive(&agent));
}

static void a_name_with_parentheses_and_blanks_does_not_shift_the_fields(void **state)
{
	struct eg_agent agent;
	pid_t pid = start_child("a) R 1 2 (", &agent);

	(void)state;
	assert_int_equal(agent.pid, pid);
	assert_true(eg_agent_is_alive(&agent));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void the_descriptor_is_of_that_very_process(void **state)
{
	struct eg_agent agent;
	pid_t pid = start_child("egressd", &agent);
	_cleanup_close_ int fd = eg_agent_open(&agent);
	struct pollfd ended = {.fd = fd, .events = POLLIN};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(poll(&ended, 1, 0), 0);
	kill(pid, SIGKILL);
	assert_int_equal(poll(&ended, 1, 5000), 1);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_finds_itself_alive),
		cmocka_unit_test(whoever_holds_the_pins_of_a_dead_agent_is_one_that_begins),
		cmocka_unit_test(an_agent_of_another_pid_namespace_is_known_by_its_hold_alone),
		cmocka_unit_test(a_stopped_process_is_told_from_one_that_runs),
		cmocka_unit_test(the_same_process_id_with_another_start_is_another_process),
		cmocka_unit_test(an_agent_that_never_was_is_dead),
		cmocka_unit_test(a_zombie_is_dead_and_so_is_what_was_waited_for),
		cmocka_unit_test(a_name_with_parentheses_and_blanks_does_not_shift_the_fields),
		cmocka_unit_test(the_descriptor_is_of_that_very_process),
	};

	return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
