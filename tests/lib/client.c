/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A client that does one socket operation and says what the kernel answered:
 * `ok`, or `errno NAME`. Tests compare the very errno, which no other client
 * prints. Exit status 0 for ok, 1 for an errno, 2 for wrong usage.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "support/ways.h"

#define PAYLOAD "hello\n"
#define ERRNO_MAX 4096
#define THREADS_MAX 64
#define WATCHED_ANSWERS 256

static struct errand errand_to(const struct destination *to, const struct destination *then)
{
	return (struct errand){.to = to, .then = then, .payload = PAYLOAD, .len = sizeof(PAYLOAD) - 1};
}

static const char *name_of(int error)
{
	const char *name = strerrorname_np(error);

	return error == 0 ? "ok" : name ? name : "unknown";
}

/* `repeat` and `hold`: the same way many times from several threads; how often each answer came. */
struct repeat {
	const struct way *way;
	const struct destination *to;
	bool hold; /* what went well stays open */
	unsigned long count;             /* a thread */
	atomic_ulong answers[ERRNO_MAX]; /* by errno */
};

static void *repeat_thread(void *arg)
{
	struct repeat *repeat = arg;
	struct errand errand = errand_to(repeat->to, NULL);

	for (unsigned long i = 0; i < repeat->count; i++) {
		int fd = -1, r = way_go_and_stay(repeat->way, &errand, &fd);

		repeat->answers[-r]++;
		if (!repeat->hold)
			eg_closep(&fd);
	}
	return NULL;
}

static int run_repeat(struct repeat *repeat, unsigned int threads)
{
	pthread_t ids[THREADS_MAX];
	unsigned int started = 0;

	while (started < threads && pthread_create(&ids[started], NULL, repeat_thread, repeat) == 0)
		started++;
	for (unsigned int i = 0; i < started; i++)
		pthread_join(ids[i], NULL);
	if (started < threads) {
		fprintf(stderr, "client: only %u of %u threads started\n", started, threads);
		return 2;
	}
	for (int error = 0; error < ERRNO_MAX; error++)
		if (repeat->answers[error])
			printf("%s %lu\n", name_of(error), repeat->answers[error]);
	return 0;
}

static int main_repeat(int argc, char **argv, bool hold)
{
	static struct repeat repeat;
	struct destination to;
	unsigned int threads;

	if (argc != 5)
		return -EINVAL;
	repeat.way = way_find(argv[0]);
	threads = atoi(argv[4]);
	if (!repeat.way || parse_destination(argv[1], argv[2], &to) < 0 || threads < 1 || threads > THREADS_MAX)
		return -EINVAL;
	repeat.to = &to;
	repeat.count = strtoul(argv[3], NULL, 10);
	repeat.hold = hold;
	return run_repeat(&repeat, threads);
}

/* The same, and what is open stays so until standard input ends. */
static int main_hold(int argc, char **argv)
{
	int r = main_repeat(argc, argv, true);

	fflush(stdout);
	while (r == 0 && getchar() != EOF)
		;
	return r;
}

/* `pester`: without end; a line after each hundredth attempt, so that a test sees it is at work. */
static int main_pester(int argc, char **argv)
{
	const struct way *way;
	struct destination to;
	struct errand errand = errand_to(&to, NULL);

	if (argc != 3)
		return -EINVAL;
	way = way_find(argv[0]);
	if (!way || parse_destination(argv[1], argv[2], &to) < 0)
		return -EINVAL;
	for (unsigned long attempts = 1;; attempts++) {
		int r = way_go(way, &errand);

		if (attempts % 100 == 0) {
			printf("attempts %lu, last %s\n", attempts, name_of(-r));
			fflush(stdout);
		}
	}
}

/*
 * `watch`: connects one socket to each destination in turn until SIGTERM, then says
 * how often each answer came. No answer may leave the socket connecting: UDP, or
 * TCP to where no route leads. Nearly all of the time then goes into the hooks.
 */
struct watched {
	const char *address, *port;
	struct destination to;
	unsigned long answers[WATCHED_ANSWERS]; /* by errno; the last one has all that are larger */
};

static volatile sig_atomic_t is_told_to_stop;

static void stop(int signal)
{
	(void)signal;
	is_told_to_stop = 1;
}

static int watch(int type, struct watched *watched, size_t count)
{
	_cleanup_close_ int ipv4 = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	_cleanup_close_ int ipv6 = socket(AF_INET6, type | SOCK_CLOEXEC, 0);

	if (ipv4 < 0 || ipv6 < 0)
		return -errno;
	for (bool first = true; !is_told_to_stop; first = false) {
		for (size_t i = 0; i < count; i++) {
			int fd = watched[i].to.any.sa_family == AF_INET ? ipv4 : ipv6;
			int r = connect(fd, &watched[i].to.any, watched[i].to.len) < 0 ? errno : 0;

			watched[i].answers[r < WATCHED_ANSWERS ? r : WATCHED_ANSWERS - 1]++;
		}
		if (first)
			fprintf(stderr, "client: watching\n");
	}
	return 0;
}

static void print_watched(const struct watched *watched)
{
	for (int error = 0; error < WATCHED_ANSWERS; error++)
		if (watched->answers[error])
			printf("%s %s %s %lu\n", watched->address, watched->port, name_of(error),
			       watched->answers[error]);
}

static int main_watch(int argc, char **argv)
{
	size_t count = (size_t)argc / 2;
	_cleanup_free_ struct watched *watched = calloc(count + 1, sizeof(*watched));
	int r;

	if (!watched || argc < 3 || argc % 2 != 1 || (strcmp(argv[0], "tcp") && strcmp(argv[0], "udp")))
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		watched[i].address = argv[1 + 2 * i];
		watched[i].port = argv[2 + 2 * i];
		if (parse_destination(watched[i].address, watched[i].port, &watched[i].to) < 0)
			return -EINVAL;
	}
	signal(SIGTERM, stop);
	r = watch(strcmp(argv[0], "tcp") ? SOCK_DGRAM : SOCK_STREAM, watched, count);
	if (r < 0) {
		fprintf(stderr, "client: no socket: %s\n", name_of(-r));
		return 1;
	}
	for (size_t i = 0; i < count; i++)
		print_watched(&watched[i]);
	return 0;
}

static int main_once(int argc, char **argv)
{
	const struct way *way = argc > 0 ? way_find(argv[0]) : NULL;
	struct destination to[2] = {};
	struct errand errand = errand_to(&to[0], &to[1]);
	int r;

	if (!way || argc != (way->takes_two ? 5 : 3))
		return -EINVAL;
	for (int i = 0; i < (way->takes_two ? 2 : 1); i++)
		if (parse_destination(argv[1 + 2 * i], argv[2 + 2 * i], &to[i]) < 0)
			return -EINVAL;

	r = way_go(way, &errand);
	printf("%s%s\n", r < 0 ? "errno " : "", name_of(-r));
	return r < 0 ? 1 : 0;
}

/* `knock`: from an address of its own choice, to a server that answers what it is sent. */
struct knock {
	int type;
	struct destination from, to;
	struct timeval limit;
};

/* How many bytes came back, or -errno. */
static ssize_t knock_once(const struct knock *knock)
{
	_cleanup_close_ int fd = socket(knock->to.any.sa_family, knock->type | SOCK_CLOEXEC, 0);
	char answer[sizeof(PAYLOAD)];
	ssize_t n;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &knock->limit, sizeof(knock->limit)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &knock->limit, sizeof(knock->limit)) < 0 ||
	    bind(fd, &knock->from.any, knock->from.len) < 0 || connect(fd, &knock->to.any, knock->to.len) < 0 ||
	    send(fd, PAYLOAD, sizeof(PAYLOAD) - 1, MSG_NOSIGNAL) < 0)
		return -errno;
	n = recv(fd, answer, sizeof(answer), 0);
	return n < 0 ? -errno : n;
}

static const char *describe_knock(ssize_t result)
{
	switch (result) {
	case 0:
		return "closed";
	case -ECONNREFUSED: /* a reset, or port unreachable */
		return "refused";
	case -EAGAIN:
	case -EINPROGRESS:
		return "silent";
	default:
		return result > 0 ? "answered" : name_of(-result);
	}
}

static int main_knock(int argc, char **argv)
{
	struct knock knock = {.limit.tv_sec = argc == 5 ? atoi(argv[4]) : 1};

	if (argc < 4 || argc > 5 || (strcmp(argv[0], "tcp") && strcmp(argv[0], "udp")) ||
	    parse_destination(argv[1], "0", &knock.from) < 0 || parse_destination(argv[2], argv[3], &knock.to) < 0)
		return -EINVAL;
	knock.type = strcmp(argv[0], "tcp") ? SOCK_DGRAM : SOCK_STREAM;
	printf("%s\n", describe_knock(knock_once(&knock)));
	return 0;
}

static int usage(void)
{
	size_t count;
	const struct way *ways = ways_list(&count);

	fprintf(stderr, "usage: client WAY ADDRESS PORT [ADDRESS PORT]\n"
			"       client repeat WAY ADDRESS PORT COUNT THREADS\n"
			"       client hold WAY ADDRESS PORT COUNT THREADS\n"
			"       client pester WAY ADDRESS PORT\n"
			"       client watch tcp|udp ADDRESS PORT [ADDRESS PORT]...\n"
			"       client knock tcp|udp SOURCE ADDRESS PORT [SECONDS]: answered, closed, refused, silent\n"
			"ways:");
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, " %s", ways[i].name);
	fprintf(stderr, "\n");
	return 2;
}

int main(int argc, char **argv)
{
	int r;

	if (argc > 1 && !strcmp(argv[1], "repeat"))
		r = main_repeat(argc - 2, argv + 2, false);
	else if (argc > 1 && !strcmp(argv[1], "hold"))
		r = main_hold(argc - 2, argv + 2);
	else if (argc > 1 && !strcmp(argv[1], "pester"))
		r = main_pester(argc - 2, argv + 2);
	else if (argc > 1 && !strcmp(argv[1], "watch"))
		r = main_watch(argc - 2, argv + 2);
	else if (argc > 1 && !strcmp(argv[1], "knock"))
		r = main_knock(argc - 2, argv + 2);
	else
		r = main_once(argc - 1, argv + 1);
	return r < 0 ? usage() : r;
}
