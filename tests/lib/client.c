/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A client that does one socket operation and says what the kernel answered:
 * `ok`, or `errno NAME`. Tests compare the very errno, which no other client
 * prints. Exit status 0 for ok, 1 for an errno, 2 for wrong usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "support/destination.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define PAYLOAD "hello\n"
#define PAYLOAD_LEN (sizeof(PAYLOAD) - 1)
/* A destination that swallows packets ends a test with EINPROGRESS or EAGAIN, not with a hang. */
#define SEND_TIMEOUT_S 5
#define DATAGRAMS_PER_CALL 3
#define ERRNO_MAX 4096
#define THREADS_MAX 64
#define WATCHED_ANSWERS 256

/* One way to reach a destination. */
struct way {
	const char *name;
	int family; /* of the socket; 0: the destination's own */
	int type;
	int protocol;
	/* 0 or -errno; `second` is NULL unless the way takes two destinations */
	int (*run)(int fd, const struct destination *first, const struct destination *second);
	bool takes_two;
};

static int result_of(ssize_t returned)
{
	return returned < 0 ? -errno : 0;
}

static int do_connect(int fd, const struct destination *to, const struct destination *unused)
{
	(void)unused;
	return result_of(connect(fd, &to->any, to->len));
}

static int do_connect_nonblocking(int fd, const struct destination *to, const struct destination *unused)
{
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	socklen_t len = sizeof(int);
	int error = 0;

	(void)unused;
	if (connect(fd, &to->any, to->len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	if (poll(&wait, 1, SEND_TIMEOUT_S * 1000) <= 0)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

static int do_connect_send(int fd, const struct destination *to, const struct destination *unused)
{
	int r = do_connect(fd, to, unused);

	return r < 0 ? r : result_of(send(fd, PAYLOAD, PAYLOAD_LEN, MSG_NOSIGNAL));
}

/* Until the other side ends it: 0, or its errno. */
static int read_to_end(int fd)
{
	char data[4096];
	ssize_t len;

	do {
		len = recv(fd, data, sizeof(data), 0);
	} while (len > 0);
	return result_of(len);
}

static int do_connect_read(int fd, const struct destination *to, const struct destination *unused)
{
	int r = do_connect(fd, to, unused);

	return r < 0 ? r : read_to_end(fd);
}

static int do_connect_send_read(int fd, const struct destination *to, const struct destination *unused)
{
	int r = do_connect_send(fd, to, unused);

	return r < 0 ? r : read_to_end(fd);
}

/* Gives a connect up that has only begun. */
static int do_abandon(int fd, const struct destination *to, const struct destination *unused)
{
	int r = do_connect(fd, to, unused);

	return r == -EINPROGRESS ? 0 : r;
}

static int do_fastopen(int fd, const struct destination *to, const struct destination *unused)
{
	(void)unused;
	return result_of(sendto(fd, PAYLOAD, PAYLOAD_LEN, MSG_FASTOPEN | MSG_NOSIGNAL, &to->any, to->len));
}

static int do_fastopen_connect(int fd, const struct destination *to, const struct destination *unused)
{
	int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)) < 0)
		return -errno;
	return do_connect_send(fd, to, unused);
}

static int do_sendto(int fd, const struct destination *to, const struct destination *unused)
{
	(void)unused;
	return result_of(sendto(fd, PAYLOAD, PAYLOAD_LEN, 0, &to->any, to->len));
}

/* An IPv4 datagram socket takes AF_UNSPEC for AF_INET. */
static int do_sendto_unspec(int fd, const struct destination *to, const struct destination *unused)
{
	struct destination unspec = *to;

	unspec.any.sa_family = AF_UNSPEC;
	return do_sendto(fd, &unspec, unused);
}

static struct msghdr message_to(const struct destination *to, struct iovec *payload)
{
	return (struct msghdr){
		.msg_name = (void *)&to->any,
		.msg_namelen = to->len,
		.msg_iov = payload,
		.msg_iovlen = 1,
	};
}

static int do_sendmsg(int fd, const struct destination *to, const struct destination *unused)
{
	struct iovec payload = {.iov_base = PAYLOAD, .iov_len = PAYLOAD_LEN};
	struct msghdr message = message_to(to, &payload);

	(void)unused;
	return result_of(sendmsg(fd, &message, 0));
}

static int do_sendmmsg(int fd, const struct destination *to, const struct destination *unused)
{
	struct iovec payload = {.iov_base = PAYLOAD, .iov_len = PAYLOAD_LEN};
	struct mmsghdr messages[DATAGRAMS_PER_CALL] = {};
	int sent;

	(void)unused;
	for (int i = 0; i < DATAGRAMS_PER_CALL; i++)
		messages[i].msg_hdr = message_to(to, &payload);
	sent = sendmmsg(fd, messages, DATAGRAMS_PER_CALL, 0);
	if (sent < 0)
		return -errno;
	return sent == DATAGRAMS_PER_CALL ? 0 : -EMSGSIZE;
}

/* Connected to the first, then a datagram for the second. */
static int do_connected_sendto(int fd, const struct destination *first, const struct destination *second)
{
	int r = do_connect(fd, first, NULL);

	if (r < 0)
		fprintf(stderr, "client: first destination: %s\n", strerrorname_np(-r));
	return r < 0 ? r : do_sendto(fd, second, NULL);
}

/* Connected to the first, then to the second without a disconnect between them. */
static int do_reconnect(int fd, const struct destination *first, const struct destination *second)
{
	int r = do_connect(fd, first, NULL);

	if (r < 0)
		fprintf(stderr, "client: first destination: %s\n", strerrorname_np(-r));
	return r < 0 ? r : do_connect(fd, second, NULL);
}

static int do_disconnect_reconnect(int fd, const struct destination *first, const struct destination *second)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	int r = do_connect(fd, first, NULL);

	if (r < 0) {
		fprintf(stderr, "client: first destination: %s\n", strerrorname_np(-r));
		return r;
	}
	if (connect(fd, &none, sizeof(none)) < 0)
		return -errno;
	return do_connect(fd, second, NULL);
}

static const struct way ways[] = {
	{"tcp", 0, SOCK_STREAM, 0, do_connect, false},
	{"tcp-nonblocking", 0, SOCK_STREAM | SOCK_NONBLOCK, 0, do_connect_nonblocking, false},
	{"tcp-send", 0, SOCK_STREAM, 0, do_connect_send, false},
	{"tcp-read", 0, SOCK_STREAM, 0, do_connect_read, false},
	{"tcp-send-read", 0, SOCK_STREAM, 0, do_connect_send_read, false},
	{"tcp-abandon", 0, SOCK_STREAM | SOCK_NONBLOCK, 0, do_abandon, false},
	{"tcp-fastopen", 0, SOCK_STREAM, 0, do_fastopen, false},
	{"tcp-fastopen-connect", 0, SOCK_STREAM, 0, do_fastopen_connect, false},
	{"tcp-disconnect-reconnect", 0, SOCK_STREAM, 0, do_disconnect_reconnect, true},
	{"mptcp", 0, SOCK_STREAM, IPPROTO_MPTCP, do_connect, false},
	{"mptcp-nonblocking", 0, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_MPTCP, do_connect_nonblocking, false},
	{"udp-connect", 0, SOCK_DGRAM, 0, do_connect_send, false},
	{"udp-sendto", 0, SOCK_DGRAM, 0, do_sendto, false},
	{"udp-sendto-unspec", 0, SOCK_DGRAM, 0, do_sendto_unspec, false},
	{"udp-sendmsg", 0, SOCK_DGRAM, 0, do_sendmsg, false},
	{"udp-sendmmsg", 0, SOCK_DGRAM, 0, do_sendmmsg, false},
	{"udp-connected-sendto", 0, SOCK_DGRAM, 0, do_connected_sendto, true},
	{"udp-reconnect", 0, SOCK_DGRAM, 0, do_reconnect, true},
	{"udp-disconnect-reconnect", 0, SOCK_DGRAM, 0, do_disconnect_reconnect, true},
	/* an IPv6 socket that is given an AF_INET address */
	{"udp6-connect", AF_INET6, SOCK_DGRAM, 0, do_connect_send, false},
	{"udp6-sendto", AF_INET6, SOCK_DGRAM, 0, do_sendto, false},
	{"udplite-sendto", 0, SOCK_DGRAM, IPPROTO_UDPLITE, do_sendto, false},
};

static const struct way *find_way(const char *name)
{
	for (size_t i = 0; i < EG_COUNT_OF(ways); i++)
		if (!strcmp(ways[i].name, name))
			return &ways[i];
	return NULL;
}

/* 0 with *ret_fd, or -errno; a socket of its own for every call. */
static int go_and_stay(const struct way *way, const struct destination *first, const struct destination *second,
		       int *ret_fd)
{
	struct timeval timeout = {.tv_sec = SEND_TIMEOUT_S};
	_cleanup_close_ int fd = -1;
	int r;

	fd = socket(way->family ? way->family : first->any.sa_family, way->type | SOCK_CLOEXEC, way->protocol);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	r = way->run(fd, first, second);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

/* The same without the socket. */
static int go(const struct way *way, const struct destination *first, const struct destination *second)
{
	_cleanup_close_ int fd = -1;

	return go_and_stay(way, first, second, &fd);
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

	for (unsigned long i = 0; i < repeat->count; i++) {
		int fd = -1, r = go_and_stay(repeat->way, repeat->to, NULL, &fd);

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
	repeat.way = find_way(argv[0]);
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

	if (argc != 3)
		return -EINVAL;
	way = find_way(argv[0]);
	if (!way || parse_destination(argv[1], argv[2], &to) < 0)
		return -EINVAL;
	for (unsigned long attempts = 1;; attempts++) {
		int r = go(way, &to, NULL);

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
			int r = -do_connect(fd, &watched[i].to, NULL);

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
	const struct way *way = argc > 0 ? find_way(argv[0]) : NULL;
	struct destination to[2] = {};
	int r;

	if (!way || argc != (way->takes_two ? 5 : 3))
		return -EINVAL;
	for (int i = 0; i < (way->takes_two ? 2 : 1); i++)
		if (parse_destination(argv[1 + 2 * i], argv[2 + 2 * i], &to[i]) < 0)
			return -EINVAL;

	r = go(way, &to[0], way->takes_two ? &to[1] : NULL);
	printf("%s%s\n", r < 0 ? "errno " : "", name_of(-r));
	return r < 0 ? 1 : 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: client WAY ADDRESS PORT [ADDRESS PORT]\n"
			"       client repeat WAY ADDRESS PORT COUNT THREADS\n"
			"       client hold WAY ADDRESS PORT COUNT THREADS\n"
			"       client pester WAY ADDRESS PORT\n"
			"       client watch tcp|udp ADDRESS PORT [ADDRESS PORT]...\n"
			"ways:");
	for (size_t i = 0; i < EG_COUNT_OF(ways); i++)
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
	else
		r = main_once(argc - 1, argv + 1);
	return r < 0 ? usage() : r;
}
