/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Connects without any order from many processes: some succeed, some are refused, some
 * wait for nobody; they end by every side and in every way, and processes are killed
 * in the middle of it. What the kernel answered is tallied, to be compared with what was
 * counted.
 *
 * usage: storm OPERATIONS PROCESSES SEED IPV4 IPV6 HOLE4 HOLE6
 *
 * Both addresses serve the ports below, the holes never answer, and there is no way to
 * 192.0.2.1. A circuit breaker refuses with EDQUOT, which nothing else here answers.
 * Prints "tenth N" whenever a tenth of the operations has begun, and in the end, for
 * each family, "ipv4 STARTED RETURNED REFUSED": TCP connects that were begun, those that
 * came back, since a killed process leaves one behind, and those that the breaker
 * refused; then "killed N".
 */
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "support/destination.h"
#include "support/generate.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define ANSWERS "8080"
#define MULTIPATH "8082"
#define ECHOES "5353"
#define CLOSES "8090"
#define RESETS "8091"
#define NOBODY "9"

#define PROCESSES_MAX 64
#define HELD_MAX 8
/* As many operations of all processes until one of them is killed. */
#define OPERATIONS_A_KILL 500
#define TENTHS 10

struct tally {
	atomic_ulong started;
	atomic_ulong returned;
	atomic_ulong refused;
};

/* Of all processes. */
struct storm {
	long operations;
	atomic_long begun;
	struct tally families[2];
	const char *addresses[2];
	const char *holes[2];
};

struct worker {
	struct storm *storm;
	struct generator generator;
	int held[HELD_MAX]; /* -1: none */
};

/* ---- steps ---- */

static bool chance(struct worker *worker, uint32_t percent)
{
	return generate_below(&worker->generator, 100) < percent;
}

static struct destination destination_of(const char *address, const char *port)
{
	struct destination to;

	if (parse_destination(address, port, &to) < 0)
		errx(2, "%s: not an address", address);
	return to;
}

/* One of the two families. */
static struct destination somewhere(struct worker *worker, const char *port)
{
	return destination_of(worker->storm->addresses[chance(worker, 30)], port);
}

static struct destination hole(struct worker *worker)
{
	return destination_of(worker->storm->holes[chance(worker, 30)], "80");
}

static int new_socket(const struct destination *to, int type, int protocol)
{
	int fd = socket(to->any.sa_family, type | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		err(1, "socket");
	return fd;
}

/* connect() of a TCP socket that is not connecting: 0, or the errno. */
static int try(struct worker *worker, int fd, const struct destination *to)
{
	struct tally *tally = &worker->storm->families[to->any.sa_family == AF_INET6];
	int error;

	tally->started++;
	error = connect(fd, &to->any, to->len) < 0 ? errno : 0;
	if (error == EDQUOT)
		tally->refused++;
	tally->returned++;
	return error;
}

static int try_new(struct worker *worker, const struct destination *to, int type, int protocol)
{
	int fd = new_socket(to, SOCK_STREAM | type, protocol);

	try(worker, fd, to);
	return fd;
}

static void reset(int fd)
{
	static const struct linger abort = {.l_onoff = 1};

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort)) < 0)
		err(1, "SO_LINGER");
	close(fd);
}

static void end(struct worker *worker, int fd)
{
	if (chance(worker, 25))
		reset(fd);
	else
		close(fd);
}

/* Open for a while: it ends whoever had its place before. */
static void hold(struct worker *worker, int fd)
{
	int *place = &worker->held[generate_below(&worker->generator, HELD_MAX)];

	if (*place >= 0)
		end(worker, *place);
	*place = fd;
}

static void read_to_end(int fd)
{
	char data[256];

	while (recv(fd, data, sizeof(data), 0) > 0)
		;
}

static void dissolve(int fd)
{
	static const struct sockaddr none = {.sa_family = AF_UNSPEC};

	connect(fd, &none, sizeof(none));
}

/* ---- operations ---- */

static void come_and_go(struct worker *worker)
{
	struct destination to = somewhere(worker, ANSWERS);

	end(worker, try_new(worker, &to, 0, 0));
}

static void come_and_stay(struct worker *worker)
{
	struct destination to = somewhere(worker, ANSWERS);

	hold(worker, try_new(worker, &to, chance(worker, 50) ? SOCK_NONBLOCK : 0, 0));
}

static void exchange(struct worker *worker)
{
	struct destination to = somewhere(worker, ANSWERS);
	int fd = try_new(worker, &to, 0, 0);

	if (send(fd, "hello", 5, MSG_NOSIGNAL) == 5)
		read_to_end(fd);
	end(worker, fd);
}

static void wait_for_the_other_side(struct worker *worker)
{
	struct destination to = somewhere(worker, chance(worker, 50) ? CLOSES : RESETS);
	int fd = try_new(worker, &to, 0, 0);

	if (chance(worker, 50))
		read_to_end(fd);
	end(worker, fd);
}

static void shut_down(struct worker *worker)
{
	struct destination to = somewhere(worker, ANSWERS);
	int fd = try_new(worker, &to, 0, 0);

	if (shutdown(fd, SHUT_WR) == 0)
		read_to_end(fd);
	end(worker, fd);
}

/* The same socket goes on after a connect that failed. */
static void fail_and_try_again(struct worker *worker)
{
	struct destination nobody = somewhere(worker, NOBODY), nowhere = destination_of("192.0.2.1", "80");
	bool far = chance(worker, 30);
	const struct destination *first = far ? &nowhere : &nobody;
	struct destination second = destination_of(worker->storm->addresses[first->any.sa_family == AF_INET6], ANSWERS);
	int fd = try_new(worker, first, 0, 0);

	if (chance(worker, 50))
		try(worker, fd, &second);
	end(worker, fd);
}

/* Given up at once, or after a while, or not before connect_timeout. */
static void wait_for_nobody(struct worker *worker)
{
	struct destination to = hole(worker);
	int fd = try_new(worker, &to, SOCK_NONBLOCK, 0);
	struct pollfd wait = {.fd = fd, .events = POLLOUT};

	if (chance(worker, 1))
		poll(&wait, 1, -1);
	if (chance(worker, 50))
		end(worker, fd);
	else
		hold(worker, fd);
}

static void dissolve_and_come_back(struct worker *worker)
{
	struct destination to = somewhere(worker, ANSWERS);
	int fd = try_new(worker, &to, chance(worker, 50) ? SOCK_NONBLOCK : 0, 0);

	dissolve(fd);
	try(worker, fd, &to);
	end(worker, fd);
}

static void multipath(struct worker *worker)
{
	struct destination to = somewhere(worker, MULTIPATH);

	end(worker, try_new(worker, &to, 0, IPPROTO_MPTCP));
}

static void datagrams(struct worker *worker)
{
	struct destination to = somewhere(worker, ECHOES);
	int fd = new_socket(&to, SOCK_DGRAM, 0);

	connect(fd, &to.any, to.len);
	if (chance(worker, 30))
		dissolve(fd);
	if (chance(worker, 30))
		connect(fd, &to.any, to.len);
	hold(worker, fd);
}

/* The last of two processes to let go is the one that ends it. */
static void share(struct worker *worker)
{
	struct destination to = somewhere(worker, ANSWERS);
	int fd = try_new(worker, &to, 0, 0);
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	close(fd);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static const struct operation {
	uint32_t weight; /* of 100 */
	void (*run)(struct worker *worker);
} operations[] = {
	{20, come_and_go},
	{15, come_and_stay},
	{10, exchange},
	{12, wait_for_the_other_side},
	{5, shut_down},
	{12, fail_and_try_again},
	{10, wait_for_nobody},
	{6, dissolve_and_come_back},
	{4, multipath},
	{5, datagrams},
	{1, share},
};

static void operate(struct worker *worker)
{
	uint32_t dice = generate_below(&worker->generator, 100);

	for (size_t i = 0; i < EG_COUNT_OF(operations); i++) {
		if (dice < operations[i].weight) {
			operations[i].run(worker);
			return;
		}
		dice -= operations[i].weight;
	}
}

/* ---- processes ---- */

static pid_t start_worker(struct storm *storm, uint64_t seed)
{
	struct worker worker = {.storm = storm, .generator = generator_new(seed)};
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < HELD_MAX; i++)
		worker.held[i] = -1;
	while (storm->begun++ < storm->operations)
		operate(&worker);
	_exit(0);
}

static void print_tenths(const struct storm *storm, long *printed)
{
	for (; *printed < TENTHS && storm->begun >= *printed * storm->operations / TENTHS; ++*printed)
		printf("tenth %ld\n", *printed);
	fflush(stdout);
}

/* Kills one now and then, and puts another in its place, until the others have done all there is. How many. */
static unsigned long rage(struct storm *storm, pid_t *workers, uint32_t count, struct generator *generator)
{
	static const struct timespec moment = {.tv_nsec = 1000000};
	unsigned long killed = 0;
	long printed = 0;

	while (storm->begun < storm->operations) {
		print_tenths(storm, &printed);
		if ((long)(killed + 1) * OPERATIONS_A_KILL <= storm->begun) {
			pid_t *worker = &workers[generate_below(generator, count)];

			kill(*worker, SIGKILL);
			waitpid(*worker, NULL, 0);
			*worker = start_worker(storm, generator->seed + 1000 + killed++);
		}
		nanosleep(&moment, NULL);
	}
	return killed;
}

static void print_tally(const char *family, const struct tally *tally)
{
	printf("%s %lu %lu %lu\n", family, tally->started, tally->returned, tally->refused);
}

int main(int argc, char **argv)
{
	struct storm *storm = mmap(NULL, sizeof(*storm), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint32_t count = argc == 8 ? strtoul(argv[2], NULL, 10) : 0;
	struct generator generator;
	pid_t workers[PROCESSES_MAX];
	unsigned long killed;

	if (count < 1 || count > PROCESSES_MAX)
		errx(2, "usage: storm OPERATIONS PROCESSES SEED IPV4 IPV6 HOLE4 HOLE6");
	if (storm == MAP_FAILED)
		err(1, "mmap");
	storm->operations = strtol(argv[1], NULL, 10);
	storm->addresses[0] = argv[4];
	storm->addresses[1] = argv[5];
	storm->holes[0] = argv[6];
	storm->holes[1] = argv[7];
	generator = generator_new(strtoull(argv[3], NULL, 10));
	for (uint32_t i = 0; i < count; i++)
		workers[i] = start_worker(storm, generator.seed + 1 + i);
	killed = rage(storm, workers, count, &generator);
	for (uint32_t i = 0; i < count; i++)
		waitpid(workers[i], NULL, 0);
	print_tally("ipv4", &storm->families[0]);
	print_tally("ipv6", &storm->families[1]);
	printf("killed %lu\n", killed);
	return 0;
}
