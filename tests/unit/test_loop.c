/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/loop.h"

/* What the callbacks of one test share. */
struct script {
	struct eg_loop *loop;
	struct eg_timer *timer;
	struct eg_timer *other;
	int fd;
	int calls;
	int signals[4];
};

/* Longer than any of these tests takes: a loop that still runs then does not do its work. */
#define BOUND_MS 10000
#define TIMED_OUT (-ETIME)

static int give_up(void *context)
{
	(void)context;
	return TIMED_OUT;
}

static struct eg_loop *loop_with_bound(void)
{
	struct eg_timer *bound;
	struct eg_loop *loop;

	assert_int_equal(eg_loop_new(&loop), 0);
	assert_int_equal(eg_loop_add_timer(loop, give_up, NULL, &bound), 0);
	assert_int_equal(eg_timer_set(bound, BOUND_MS), 0);
	return loop;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int end_with_seven(void *context)
{
	struct script *script = context;

	script->calls++;
	return 7;
}

static int read_byte(int fd, uint32_t events, void *context)
{
	struct script *script = context;
	char byte;

	assert_true(events & EPOLLIN);
	assert_int_equal(fd, script->fd);
	assert_int_equal(read(fd, &byte, 1), 1);
	script->calls++;
	return byte == '.' ? 3 : 0;
}

static void a_descriptor_is_called_until_a_callback_ends_the_loop(void **state)
{
	_cleanup_(eg_loop_freep) struct eg_loop *loop = loop_with_bound();
	struct script script = {};
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	script.fd = ends[0];
	assert_int_equal(eg_loop_add_fd(loop, ends[0], EPOLLIN, read_byte, &script), 0);
	assert_int_equal(write(ends[1], "ab.c", 4), 4);
	assert_int_equal(eg_loop_run(loop), 3);
	assert_int_equal(script.calls, 3);
	close(ends[0]);
	close(ends[1]);
}

static void a_descriptor_that_cannot_be_waited_for_is_refused(void **state)
{
	_cleanup_(eg_loop_freep) struct eg_loop *loop = loop_with_bound();
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(eg_loop_add_fd(loop, fd, EPOLLIN, read_byte, NULL), -EPERM);
	assert_int_equal(eg_loop_add_fd(loop, -1, EPOLLIN, read_byte, NULL), -EBADF);
}

static void a_timer_is_called_once_and_not_too_early(void **state)
{
	_cleanup_(eg_loop_freep) struct eg_loop *loop = loop_with_bound();
	struct script script = {};
	struct eg_timer *timer;
	int64_t start = now_ms();

	(void)state;
	assert_int_equal(eg_loop_add_timer(loop, end_with_seven, &script, &timer), 0);
	assert_int_equal(eg_timer_set(timer, 30), 0);
	assert_int_equal(eg_loop_run(loop), 7);
	assert_true(now_ms() - start >= 29);
	assert_int_equal(eg_timer_set(timer, 0), 0);
	assert_int_equal(eg_loop_run(loop), 7);
	assert_int_equal(script.calls, 2);
}

static void a_timer_set_again_starts_anew(void **state)
{
	_cleanup_(eg_loop_freep) struct eg_loop *loop = loop_with_bound();
	struct script script = {};
	struct eg_timer *timer;

	(void)state;
	assert_int_equal(eg_loop_add_timer(loop, end_with_seven, &script, &timer), 0);
	assert_int_equal(eg_timer_set(timer, INT64_MAX), 0);
	assert_int_equal(eg_timer_set(timer, 1), 0);
	assert_int_equal(eg_loop_run(loop), 7);
	assert_int_equal(script.calls, 1);
}

static int stop_both(void *context)
{
	struct script *script = context;

	script->calls++;
	assert_int_equal(eg_timer_set(script->timer, -1), 0);
	return eg_timer_set(script->other, -1);
}

static void of_two_timers_that_are_due_the_first_can_stop_the_second(void **state)
{
	_cleanup_(eg_loop_freep) struct eg_loop *loop = loop_with_bound();
	struct script script = {.loop = loop};
	struct script end = {};
	struct eg_timer *later;

	(void)state;
	assert_int_equal(eg_loop_add_timer(loop, stop_both, &script, &script.timer), 0);
	assert_int_equal(eg_loop_add_timer(loop, stop_both, &script, &script.other), 0);
	assert_int_equal(eg_loop_add_timer(loop, end_with_seven, &end, &later), 0);
	assert_int_equal(eg_timer_set(script.timer, 0), 0);
	assert_int_equal(eg_timer_set(script.other, 0), 0);
	assert_int_equal(eg_timer_set(later, 50), 0);
	assert_int_equal(eg_loop_run(loop), 7);
	assert_int_equal(script.calls, 1);
}

static int add_a_timer(void *context)
{
	struct script *script = context;

	assert_int_equal(eg_loop_add_timer(script->loop, end_with_seven, script, &script->other), 0);
	return eg_timer_set(script->other, 0);
}

static void a_callback_may_add_a_timer(void **state)
{
	_cleanup_(eg_loop_freep) struct eg_loop *loop = loop_with_bound();
	struct script script = {.loop = loop};

	(void)state;
	assert_int_equal(eg_loop_add_timer(loop, add_a_timer, &script, &script.timer), 0);
	assert_int_equal(eg_timer_set(script.timer, 0), 0);
	assert_int_equal(eg_loop_run(loop), 7);
}

static int note_signal(const struct signalfd_siginfo *signal, void *context)
{
	struct script *script = context;

	script->signals[script->calls++] = (int)signal->ssi_signo;
	return script->calls == 2 ? 5 : 0;
}

static void blocked_signals_reach_the_callback_also_those_from_before(void **state)
{
	_cleanup_(eg_loop_freep) struct eg_loop *loop = loop_with_bound();
	struct script script = {};
	sigset_t signals, before;

	(void)state;
	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGTERM);
	assert_int_equal(sigprocmask(SIG_BLOCK, &signals, &before), 0);
	assert_int_equal(raise(SIGHUP), 0);
	assert_int_equal(eg_loop_add_signals(loop, &signals, note_signal, &script), 0);
	assert_int_equal(eg_loop_add_signals(loop, &signals, note_signal, &script), -EEXIST);
	assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(eg_loop_run(loop), 5);
	assert_int_equal(script.signals[0], SIGHUP);
	assert_int_equal(script.signals[1], SIGTERM);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor_is_called_until_a_callback_ends_the_loop),
		cmocka_unit_test(a_descriptor_that_cannot_be_waited_for_is_refused),
		cmocka_unit_test(a_timer_is_called_once_and_not_too_early),
		cmocka_unit_test(a_timer_set_again_starts_anew),
		cmocka_unit_test(of_two_timers_that_are_due_the_first_can_stop_the_second),
		cmocka_unit_test(a_callback_may_add_a_timer),
		cmocka_unit_test(blocked_signals_reach_the_callback_also_those_from_before),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
