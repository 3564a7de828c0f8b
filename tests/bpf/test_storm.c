/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Many threads at one limit at the same moment: exactly as many connections as may be
 * are open, whatever way they are made, and each family has its own.
 */
#include "support.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>

#include "../lib/support/breaker.h"
#include "../lib/support/network.h"
#include "../lib/support/slow.h"
#include "base/cleanup.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define THREADS 16
#define CONNECTS 400 /* of all threads */
#define LIMIT 50
#define ROUNDS 20
#define SETTLE_MS 10000

/* How everybody connects. */
struct way {
	int type; /* SOCK_NONBLOCK or nothing */
	int protocol;
	size_t families; /* at the same time: IPv4, or IPv4 and IPv6 */
};

static const char *const addresses[] = {NETWORK_IPV4, NETWORK_IPV6};

struct crowd {
	const struct way *way;
	const struct breaker *breaker;
	uint16_t port;
	pthread_barrier_t start;
	atomic_uint connected[EG_COUNT_OF(addresses)];
	atomic_uint refused[EG_COUNT_OF(addresses)];
};

/* What is connected stays open until its process ends. */
static void connect_once(struct crowd *crowd, size_t family)
{
	int fd = network_socket(addresses[family], SOCK_STREAM | crowd->way->type, crowd->way->protocol);
	int error = network_connect(fd, addresses[family], crowd->port);

	if (error == EINPROGRESS) {
		socklen_t len = sizeof(error);

		network_poll(fd, POLLOUT);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	}
	if (error == 0)
		crowd->connected[family]++;
	else if (error == ECONNREFUSED)
		crowd->refused[family]++;
	if (error)
		close(fd);
}

static void *connect_many(void *argument)
{
	struct crowd *crowd = argument;

	pthread_barrier_wait(&crowd->start);
	for (int i = 0; i < CONNECTS / THREADS; i++)
		for (size_t family = 0; family < crowd->way->families; family++)
			connect_once(crowd, family);
	return NULL;
}

/* In a process of the cgroup: 0 when every family had exactly its limit. */
static int crowd_in(struct crowd *crowd)
{
	pthread_t threads[THREADS];

	breaker_join(crowd->breaker);
	pthread_barrier_init(&crowd->start, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, connect_many, crowd) != 0)
			return 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (size_t family = 0; family < crowd->way->families; family++)
		if (crowd->connected[family] != LIMIT || crowd->refused[family] != CONNECTS - LIMIT)
			return 2;
	return 0;
}

static void run_round(const struct breaker *breaker, const struct way *way, int listener, uint16_t port)
{
	struct crowd crowd = {.way = way, .breaker = breaker, .port = port};
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(crowd_in(&crowd));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (size_t i = 0; i < LIMIT * way->families; i++)
		close(network_accept(listener));
}

static bool holds_nothing(const struct eg_cluster_state *state)
{
	return state->held == 0 && state->draining == 0 && state->sessions == 0 && state->retries == 0;
}

/* The subflows of MPTCP, and what is flushing, end a moment after their process. */
static struct eg_slot settle(const struct breaker *breaker)
{
	uint64_t deadline = breaker_now_ms() + slow_ms(SETTLE_MS);
	struct eg_slot slot = breaker_slot(breaker);

	while (!holds_nothing(&slot.state.ipv4) || !holds_nothing(&slot.state.ipv6)) {
		assert_true(breaker_now_ms() < deadline);
		poll(NULL, 0, 5);
		slot = breaker_slot(breaker);
	}
	return slot;
}

static void assert_counted(const struct eg_cluster_counts *counts, bool used)
{
	uint64_t rounds = used ? slow_count(ROUNDS) : 0;

	assert_int_equal(counts->cx_total, rounds * LIMIT);
	assert_int_equal(counts->cx_overflow, rounds * (CONNECTS - LIMIT));
	assert_int_equal(eg_destroyed_local(counts) + eg_destroyed_remote(counts), rounds * LIMIT);
	assert_int_equal(counts->contended, 0);
}

static void run_crowds(const struct way *way)
{
	struct breaker breaker;
	struct eg_slot slot;
	uint16_t port;
	int listener;

	breaker_make(&breaker);
	breaker.subject.ipv4.max_connections = breaker.subject.ipv6.max_connections = LIMIT;
	breaker_apply(&breaker);
	listener = network_listen(way->protocol, CONNECTS, &port);
	for (unsigned int i = slow_count(ROUNDS); i > 0; i--) {
		run_round(&breaker, way, listener, port);
		slot = settle(&breaker);
	}
	assert_counted(&slot.counts.ipv4.cluster, true);
	assert_counted(&slot.counts.ipv6.cluster, way->families > 1);
	close(listener);
	breaker_end(&breaker);
}

static void of_16_threads_at_once_exactly_50_connections_are_admitted(void **state)
{
	(void)state;
	run_crowds(&(struct way){.families = 1});
}

static void the_same_holds_for_connects_that_do_not_block(void **state)
{
	(void)state;
	run_crowds(&(struct way){.type = SOCK_NONBLOCK, .families = 1});
}

static void the_same_holds_for_multipath_tcp(void **state)
{
	(void)state;
	run_crowds(&(struct way){.protocol = IPPROTO_MPTCP, .families = 1});
}

static void ipv6_has_50_of_its_own(void **state)
{
	(void)state;
	run_crowds(&(struct way){.families = 2});
}

/* ---- places that come and go ---- */

#define HURRIES 10000 /* a thread */
#define PLACES 1

struct hurry {
	atomic_int open;
	atomic_int most;
	atomic_uint admitted;
};

/* Counted only while it is surely held: after the connect and before the close. */
static void connect_and_leave(struct hurry *hurry)
{
	int fd = network_socket(NETWORK_BLACK_HOLE, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (network_connect(fd, NETWORK_BLACK_HOLE, 80) == EINPROGRESS) {
		int open = ++hurry->open, most = hurry->most;

		while (open > most && !atomic_compare_exchange_weak(&hurry->most, &most, open))
			;
		hurry->admitted++;
		/* Long enough for whoever came in at the same moment to be seen. */
		for (int i = 0; i < 20; i++)
			fcntl(fd, F_GETFL);
		hurry->open--;
	}
	close(fd);
}

static void *hurry_many(void *argument)
{
	for (unsigned int i = slow_count(HURRIES); i > 0; i--)
		connect_and_leave(argument);
	return NULL;
}

/* All threads at one place, until they have settled and nothing is held. */
static struct eg_slot hurry_at(const struct breaker *breaker, struct hurry *hurry)
{
	pthread_t threads[THREADS];
	struct eg_slot slot;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hurry_many, hurry), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	slot = settle(breaker);
	assert_int_equal(hurry->most, PLACES);
	assert_int_equal(slot.counts.ipv4.cluster.connect_cancelled, hurry->admitted);
	assert_int_equal(slot.counts.ipv4.cluster.cx_overflow, THREADS * slow_count(HURRIES) - hurry->admitted);
	assert_int_equal(slot.counts.ipv4.cluster.contended, 0);
	return slot;
}

static void where_places_come_and_go_all_the_time_there_is_never_one_too_many(void **state)
{
	struct hurry hurry = {};
	struct breaker breaker;
	struct eg_slot slot;

	(void)state;
	breaker_make(&breaker);
	breaker.subject.ipv4.max_connections = PLACES;
	breaker_apply(&breaker);
	breaker_join(&breaker);
	slot = hurry_at(&breaker, &hurry);
	assert_int_equal(slot.counts.ipv4.cluster.cx_total, hurry.admitted);
	breaker_end(&breaker);
}

/* From now on every connect to where nobody answers is one. */
static void make_retries(struct breaker *breaker)
{
	breaker->subject.ipv4.flags = EG_CLUSTER_LIMITS_RETRIES;
	breaker->subject.ipv4.max_retries = THREADS;
	breaker->subject.ipv4.connect_timeout_ms = 100;
	breaker->subject.retry_window_ms = 3600000;
	breaker_apply(breaker);
	assert_int_equal(network_connect(network_socket(NETWORK_BLACK_HOLE, SOCK_STREAM, 0), NETWORK_BLACK_HOLE, 80),
			 ETIMEDOUT);
	breaker->subject.ipv4.connect_timeout_ms = 10000;
}

static void of_retries_that_find_no_place_none_stays_counted_as_one(void **state)
{
	struct eg_cluster_counts counts;
	struct hurry hurry = {};
	struct breaker breaker;

	(void)state;
	breaker_make(&breaker);
	breaker_join(&breaker);
	make_retries(&breaker);
	breaker.subject.ipv4.max_connections = PLACES;
	breaker_apply(&breaker);
	counts = hurry_at(&breaker, &hurry).counts.ipv4.cluster;
	assert_int_equal(counts.rq_retry, hurry.admitted);
	assert_int_equal(counts.rq_retry_overflow, 0);
	breaker_end(&breaker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_16_threads_at_once_exactly_50_connections_are_admitted),
		cmocka_unit_test(the_same_holds_for_connects_that_do_not_block),
		cmocka_unit_test(the_same_holds_for_multipath_tcp),
		cmocka_unit_test(ipv6_has_50_of_its_own),
		cmocka_unit_test(where_places_come_and_go_all_the_time_there_is_never_one_too_many),
		cmocka_unit_test(of_retries_that_find_no_place_none_stays_counted_as_one),
	};

	return cmocka_run_group_tests_name("storm", tests, NULL, NULL);
}
