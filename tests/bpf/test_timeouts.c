/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * connect_timeout on real sockets and a destination that takes every packet and never
 * answers: when the application hears of it, what it hears, and that its own setting of
 * TCP_USER_TIMEOUT is as it was.
 */
#include "support.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "../lib/support/breaker.h"
#include "../lib/support/image.h"
#include "../lib/support/network.h"
#include "base/cleanup.h"

static void make_with_timeout(struct breaker *breaker, uint32_t connect_timeout_ms)
{
	breaker_make(breaker);
	breaker->subject.ipv4.connect_timeout_ms = connect_timeout_ms;
	breaker_apply(breaker);
	breaker_join(breaker);
}

/* How late this machine wakes a sleeper, at worst, while the tests run: on a busy or emulated one that is much. */
static volatile uint64_t lateness_ms;

static void *watch_lateness(void *unused)
{
	for (;;) {
		uint64_t start = breaker_now_ms(), late;

		poll(NULL, 0, 10);
		late = breaker_now_ms() - start - 10;
		if (late > lateness_ms)
			lateness_ms = late;
	}
	return unused;
}

/* Within 10 % or 100 ms, whichever is more, and never before its time. */
static void assert_took(uint64_t took_ms, uint64_t timeout_ms)
{
	uint64_t slack_ms = timeout_ms / 10 > 100 ? timeout_ms / 10 : 100;

	print_message("# %lu ms: %lu, a sleeper was late by %lu ms at most\n", timeout_ms, took_ms, lateness_ms);
	assert_in_range(took_ms, timeout_ms - 10, timeout_ms + slack_ms + lateness_ms);
	lateness_ms = 0;
}

static uint64_t time_blocking_connect(int fd)
{
	uint64_t start = breaker_now_ms();

	assert_int_equal(network_connect(fd, NETWORK_BLACK_HOLE, 80), ETIMEDOUT);
	return breaker_now_ms() - start;
}

static int user_timeout_of(int fd)
{
	int value;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &len), 0);
	return value;
}

static void set_user_timeout(int fd, int value)
{
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof(value)), 0);
}

static void assert_timed_out(const struct breaker *breaker, uint64_t times)
{
	struct eg_cluster_counts counts = breaker_slot(breaker).counts.ipv4.cluster;

	assert_int_equal(counts.connect_timeout, times);
	assert_int_equal(eg_connects_failed(&counts), times);
	assert_int_equal(eg_destroyed_local(&counts), times);
	assert_int_equal(breaker_slot(breaker).state.ipv4.held, 0);
}

static void a_blocking_connect_hears_etimedout_at_its_time(void **state)
{
	static const uint32_t timeouts_ms[] = {100, 700, 1000, 1500, 2500};
	struct breaker breaker;

	(void)state;
	make_with_timeout(&breaker, timeouts_ms[0]);
	for (size_t i = 0; i < EG_COUNT_OF(timeouts_ms); i++) {
		int fd = network_socket(NETWORK_BLACK_HOLE, SOCK_STREAM, 0);

		breaker.subject.ipv4.connect_timeout_ms = timeouts_ms[i];
		breaker_apply(&breaker);
		assert_took(time_blocking_connect(fd), timeouts_ms[i]);
		assert_int_equal(user_timeout_of(fd), 0);
		close(fd);
		assert_timed_out(&breaker, i + 1);
	}
	breaker_end(&breaker);
}

static void a_non_blocking_connect_hears_it_as_the_sockets_error(void **state)
{
	struct breaker breaker;
	uint64_t start;
	int fd, error;
	socklen_t len = sizeof(error);

	(void)state;
	make_with_timeout(&breaker, 700);
	fd = network_socket(NETWORK_BLACK_HOLE, SOCK_STREAM | SOCK_NONBLOCK, 0);
	start = breaker_now_ms();
	assert_int_equal(network_connect(fd, NETWORK_BLACK_HOLE, 80), EINPROGRESS);
	assert_true(network_poll(fd, POLLOUT) & POLLERR);
	assert_took(breaker_now_ms() - start, 700);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	assert_int_equal(error, ETIMEDOUT);
	close(fd);
	assert_timed_out(&breaker, 1);
	breaker_end(&breaker);
}

static void the_applications_own_smaller_timeout_wins_and_is_not_counted_as_ours(void **state)
{
	struct breaker breaker;
	int fd;

	(void)state;
	make_with_timeout(&breaker, 4000);
	fd = network_socket(NETWORK_BLACK_HOLE, SOCK_STREAM, 0);
	set_user_timeout(fd, 1500);
	assert_took(time_blocking_connect(fd), 1500);
	assert_int_equal(user_timeout_of(fd), 1500);
	close(fd);
	assert_int_equal(breaker_slot(&breaker).counts.ipv4.cluster.connect_timeout, 0);
	assert_int_equal(breaker_slot(&breaker).counts.ipv4.cluster.connect_failed, 1);
	breaker_end(&breaker);
}

static void raising_the_applications_timeout_does_not_escape_before_or_during_the_connect(void **state)
{
	struct breaker breaker;
	uint64_t start;
	int fd;

	(void)state;
	make_with_timeout(&breaker, 1600);
	fd = network_socket(NETWORK_BLACK_HOLE, SOCK_STREAM | SOCK_NONBLOCK, 0);
	set_user_timeout(fd, 60000);
	start = breaker_now_ms();
	assert_int_equal(network_connect(fd, NETWORK_BLACK_HOLE, 80), EINPROGRESS);
	/* After the first lost SYN the option is ours; the application writes over it. */
	while (user_timeout_of(fd) != 1600 && breaker_now_ms() - start < 1500)
		poll(NULL, 0, 5);
	assert_int_equal(user_timeout_of(fd), 1600);
	set_user_timeout(fd, 50000);
	assert_true(network_poll(fd, POLLOUT) & POLLERR);
	assert_took(breaker_now_ms() - start, 1600);
	/* What it set last is what it has. */
	assert_int_equal(user_timeout_of(fd), 50000);
	close(fd);
	assert_timed_out(&breaker, 1);
	breaker_end(&breaker);
}

/* A listener with a full queue drops SYNs: the first one is lost, a later one is answered. */
static void what_the_application_set_is_back_once_the_connection_is_established(void **state)
{
	struct breaker breaker;
	uint16_t port;
	int listener, filler[2], fd;
	uint64_t start;

	(void)state;
	breaker_make(&breaker);
	listener = network_listen(0, 0, &port);
	breaker.subject.ipv4.connect_timeout_ms = 8000;
	breaker_apply(&breaker);
	filler[0] = network_connected(NETWORK_IPV4, port);
	breaker_join(&breaker);
	fd = network_socket(NETWORK_IPV4, SOCK_STREAM | SOCK_NONBLOCK, 0);
	set_user_timeout(fd, 33000);
	start = breaker_now_ms();
	assert_int_equal(network_connect(fd, NETWORK_IPV4, port), EINPROGRESS);
	while (user_timeout_of(fd) != 8000 && breaker_now_ms() - start < 5000)
		poll(NULL, 0, 5);
	assert_int_equal(user_timeout_of(fd), 8000);
	filler[1] = network_accept(listener);
	assert_true(network_poll(fd, POLLOUT) == POLLOUT);
	assert_int_equal(user_timeout_of(fd), 33000);
	assert_int_equal(breaker_slot(&breaker).counts.ipv4.cluster.connect_failed, 0);
	network_abort(fd);
	close(filler[0]);
	close(filler[1]);
	close(listener);
	breaker_end(&breaker);
}

/* Two workloads, one inside the other and each with a datapath of its own. */
static void make_nested(struct breaker *outer, struct breaker *inner)
{
	breaker_make(inner);
	inner->links = eg_links_free(inner->links);
	cgroup_end(&inner->cgroup);
	breaker_make(outer);
	inner->cgroup = cgroup_make_below(outer->cgroup.path, "inner");
	assert_int_equal(eg_datapath_enrol(inner->datapath, inner->cgroup.fd, BREAKER_SLOT, &inner->links), 0);
}

static void of_nested_workloads_each_takes_its_timeout_back(void **state)
{
	static const uint32_t timeouts_ms[][2] = {{9000, 8000}, {8000, 9000}, {8000, 8000}};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(timeouts_ms); i++) {
		struct breaker outer, inner;
		uint64_t start;
		uint16_t port;
		int listener, filler[2], fd;

		make_nested(&outer, &inner);
		inner.subject.ipv4.connect_timeout_ms = timeouts_ms[i][0];
		breaker_apply(&inner);
		outer.subject.ipv4.connect_timeout_ms = timeouts_ms[i][1];
		breaker_apply(&outer);
		listener = network_listen(0, 0, &port);
		filler[0] = network_connected(NETWORK_IPV4, port);
		breaker_join(&inner);
		fd = network_socket(NETWORK_IPV4, SOCK_STREAM | SOCK_NONBLOCK, 0);
		start = breaker_now_ms();
		assert_int_equal(network_connect(fd, NETWORK_IPV4, port), EINPROGRESS);
		while (user_timeout_of(fd) != 8000 && breaker_now_ms() - start < 5000)
			poll(NULL, 0, 5);
		assert_int_equal(user_timeout_of(fd), 8000);
		filler[1] = network_accept(listener);
		assert_true(network_poll(fd, POLLOUT) == POLLOUT);
		assert_int_equal(user_timeout_of(fd), 0);
		network_abort(fd);
		close(filler[0]);
		close(filler[1]);
		close(listener);
		breaker_end(&inner);
		breaker_end(&outer);
	}
}

/* It is sent again at half the time, where the kernel would wait for a second. */
static void a_lost_first_syn_is_sent_again_while_there_is_time_for_an_answer(void **state)
{
	struct breaker breaker;
	uint16_t port;
	int listener, filler[2], fd;
	uint64_t start, took;

	(void)state;
	breaker_make(&breaker);
	listener = network_listen(0, 0, &port);
	breaker.subject.ipv4.connect_timeout_ms = 900;
	breaker_apply(&breaker);
	filler[0] = network_connected(NETWORK_IPV4, port);
	breaker_join(&breaker);
	fd = network_socket(NETWORK_IPV4, SOCK_STREAM | SOCK_NONBLOCK, 0);
	start = breaker_now_ms();
	assert_int_equal(network_connect(fd, NETWORK_IPV4, port), EINPROGRESS);
	filler[1] = network_accept(listener);
	assert_true(network_poll(fd, POLLOUT) == POLLOUT);
	took = breaker_now_ms() - start;
	assert_in_range(took, 450 - 10, 450 + 100 + lateness_ms);
	network_abort(fd);
	close(filler[0]);
	close(filler[1]);
	close(listener);
	breaker_end(&breaker);
}

static void an_answer_in_time_leaves_the_option_alone(void **state)
{
	struct breaker breaker;
	int fd;

	(void)state;
	make_with_timeout(&breaker, 50);
	fd = network_connected(NETWORK_IPV4, breaker.port);
	assert_int_equal(user_timeout_of(fd), 0);
	network_abort(fd);
	assert_int_equal(breaker_slot(&breaker).counts.ipv4.cluster.connect_timeout, 0);
	breaker_end(&breaker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_blocking_connect_hears_etimedout_at_its_time),
		cmocka_unit_test(a_non_blocking_connect_hears_it_as_the_sockets_error),
		cmocka_unit_test(the_applications_own_smaller_timeout_wins_and_is_not_counted_as_ours),
		cmocka_unit_test(raising_the_applications_timeout_does_not_escape_before_or_during_the_connect),
		cmocka_unit_test(what_the_application_set_is_back_once_the_connection_is_established),
		cmocka_unit_test(of_nested_workloads_each_takes_its_timeout_back),
		cmocka_unit_test(a_lost_first_syn_is_sent_again_while_there_is_time_for_an_answer),
		cmocka_unit_test(an_answer_in_time_leaves_the_option_alone),
	};
	pthread_t watch;

	if (pthread_create(&watch, NULL, watch_lateness, NULL) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
