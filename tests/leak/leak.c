/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Tries every case and prints TAP; tests/leak/run makes the world that it needs.
 *
 * usage: leak CGROUP PEER-NETNS FAR-NETNS ENROL STATUS ROWS
 *
 * CGROUP has the cgroups closed and open, which are enrolled, late-closed and late-open,
 * which the command ENROL enrols, and outside, which never is. STATUS is what `egressctl
 * status` prints. To ROWS goes a line for each case: name, what became of it, what the
 * application was told, the reasons that were counted, and its row of the README.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../lib/support/slow.h"
#include "base/cleanup.h"
#include "cli/pinned.h"
#include "export/names.h"
#include "leak.h"
#include "workload/netns.h"

#define OUT4_ADDRESS "10.91.0.3"
#define OUT6_ADDRESS "fd91::3"
#define MESH4_ADDRESS "10.91.0.2"
#define MESH6_ADDRESS "fd91::2"
#define FAR_ADDRESS "10.92.0.2"

/* What a child is waited for, and a packet that has to come. */
#define CHILD_MS 8000
#define ARRIVAL_MS 5000
#define BACKLOG 16
#define HANGS 1 /* in the place of 0 or -errno */
#define REASONS_MAX 256

enum outcome {
	CAUGHT,
	HARMLESS, /* reached what is allowed, and nothing else */
	LEAKED,
	ABSENT,	  /* not in this kernel */
	BROKEN,	  /* does not even work where it may */
};

static const char *const outcome_names[] = {
	[CAUGHT] = "caught",
	[HARMLESS] = "harmless",
	[LEAKED] = "leaked",
	[ABSENT] = "absent",
	[BROKEN] = "broken",
};

/* One of the two runs of a case. */
struct attempt {
	struct trial trial;
	pid_t pid;
	int pipe; /* to and from the process */
	int listener;
	int told; /* 0, -errno or HANGS */
};

struct tried {
	const struct leak_case *what;
	struct attempt open, closed;
	enum outcome outcome;
	char reasons[REASONS_MAX]; /* with commas */
};

struct leak {
	const char *cgroups, *enrol, *status;
	int peer_netns, far_netns;
	struct wire wire;
	struct eg_pinned pinned;
	struct tried *tried;
	unsigned int count;
};

/* ---- what cases share ---- */

struct errand trial_errand(const struct trial *trial)
{
	return (struct errand){
		.to = &trial->to[trial->what->to],
		.then = &trial->to[trial->what->then],
		.payload = trial->mark,
		.len = WIRE_MARK_LEN,
	};
}

int told(long returned)
{
	return returned < 0 ? -errno : 0;
}

int send_mark(int fd, const struct trial *trial)
{
	return told(send(fd, trial->mark, WIRE_MARK_LEN, MSG_NOSIGNAL));
}

int join_cgroup(const struct trial *trial, const char *name)
{
	_cleanup_close_ int fd = -1;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s/cgroup.procs", trial->cgroups, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : told(write(fd, "0", 1));
}

int as_workload(struct trial *trial, int (*work)(struct trial *trial))
{
	int status, r;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		r = join_cgroup(trial, trial->cgroup);
		_exit(-(r < 0 ? r : work(trial)));
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

/* ---- the process that tries ---- */

/* Says what came of a step, and waits for the next one. */
static void step(int pipe, int result)
{
	char go;

	if (write(pipe, &result, sizeof(result)) != sizeof(result) || read(pipe, &go, 1) != 1)
		_exit(1);
}

static int go(struct trial *trial)
{
	struct errand errand = trial_errand(trial);

	return trial->what->run ? trial->what->run(trial) : way_go(way_find(trial->what->way), &errand);
}

static void have_past(struct trial *trial, int pipe)
{
	int r = trial->what->past == EARLIER ? join_cgroup(trial, trial->cgroup) : 0;

	if (r == 0 && trial->what->before)
		r = trial->what->before(trial);
	step(pipe, r);
}

/* Its sockets stay open until everybody has looked. */
static void be_process(struct trial *trial, int pipe)
{
	enum past past = trial->what->past;
	int r = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	have_past(trial, pipe);
	if (past == NO_PAST || past == ELSEWHERE)
		r = join_cgroup(trial, trial->cgroup);
	step(pipe, r < 0 ? r : go(trial));
	_exit(0);
}

/* ---- the two ends of an attempt ---- */

struct listening {
	int protocol;
	uint16_t port;
	int fd;
};

/* On every address of both families, and open to data in the SYN. */
static int listen_there(void *context)
{
	struct listening *listening = context;
	struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(listening->port)};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, listening->protocol), backlog = BACKLOG;

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	if (listening->protocol == IPPROTO_TCP && setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &backlog, sizeof(backlog)) < 0)
		return -errno;
	listening->fd = fd;
	return told(listen(fd, backlog));
}

/* -1 where nobody needs to, or the kernel cannot: the process will say so. */
static int start_listening(const struct leak *leak, const struct trial *trial)
{
	struct listening listening = {.protocol = trial->what->listens, .port = wire_port(trial->number), .fd = -1};

	if (listening.protocol)
		eg_netns_call(leak->peer_netns, listen_there, &listening);
	return listening.fd;
}

static void fill_places(struct trial *trial)
{
	static const char *const addresses[PLACES] = {
		[OUT4] = OUT4_ADDRESS,
		[OUT6] = OUT6_ADDRESS,
		[MAPPED] = "::ffff:" OUT4_ADDRESS,
		[MESH4] = MESH4_ADDRESS,
		[MESH6] = MESH6_ADDRESS,
		[MESH_MAPPED] = "::ffff:" MESH4_ADDRESS,
		[FAR] = FAR_ADDRESS,
	};
	char port[8];

	snprintf(port, sizeof(port), "%u", wire_port(trial->number));
	for (enum place place = OUT4; place < PLACES; place++)
		parse_destination(addresses[place], port, &trial->to[place]);
}

static void start_process(struct attempt *attempt)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		err(1, "socketpair");
	fflush(NULL);
	attempt->pid = fork();
	if (attempt->pid < 0)
		err(1, "fork");
	if (attempt->pid == 0) {
		close(ends[0]);
		be_process(&attempt->trial, ends[1]);
	}
	close(ends[1]);
	attempt->pipe = ends[0];
}

/* What the process says of its step: HANGS when that is nothing. */
static int hear_step(const struct attempt *attempt)
{
	struct pollfd wait = {.fd = attempt->pipe, .events = POLLIN};
	int result;

	if (poll(&wait, 1, slow_ms(CHILD_MS)) != 1 || read(attempt->pipe, &result, sizeof(result)) != sizeof(result))
		return HANGS;
	return result;
}

/* With its past behind it. */
static void begin(struct leak *leak, const struct leak_case *what, unsigned int number, bool is_open,
		  struct attempt *attempt)
{
	const bool late = what->past == EARLIER;

	*attempt = (struct attempt){
		.trial = {
			.what = what,
			.number = number,
			.fd = -1,
			.cgroups = leak->cgroups,
			.cgroup = is_open ? (late ? "late-open" : "open") : (late ? "late-closed" : "closed"),
			.far_netns = leak->far_netns,
		},
	};
	wire_mark(number, attempt->trial.mark);
	fill_places(&attempt->trial);
	attempt->listener = start_listening(leak, &attempt->trial);
	start_process(attempt);
	attempt->told = hear_step(attempt);
	if (wire_settle(&leak->wire) < 0)
		errx(1, "the peer sees nothing of what is sent to it");
	wire_forget(&leak->wire, number);
}

static void let_go_on(const struct attempt *attempt)
{
	if (write(attempt->pipe, "", 1) != 1)
		warn("%s: its process is gone", attempt->trial.what->name);
}

static void end(struct attempt *attempt)
{
	kill(attempt->pid, SIGKILL);
	waitpid(attempt->pid, NULL, 0);
	close(attempt->pipe);
	if (attempt->listener >= 0)
		close(attempt->listener);
}

/* ---- counters ---- */

static void reopen_pins(struct leak *leak)
{
	eg_pinned_close(&leak->pinned);
	leak->pinned = EG_PINNED_NONE;
	if (eg_pinned_open("leak", NULL, &leak->pinned) < 0)
		errx(1, "no pins of a daemon");
}

static struct eg_slot_counts counts_of(const struct leak *leak, const char *workload)
{
	struct eg_slot_counts counts;

	for (size_t i = 0; i < leak->pinned.slots.len; i++) {
		const struct eg_pinned_slot *slot = &leak->pinned.slots.items[i];

		if (strcmp(slot->info.name, workload) != 0)
			continue;
		if (eg_maps_read_counts(&leak->pinned.maps, slot->slot, &counts) < 0)
			errx(1, "%s: no counters", workload);
		return counts;
	}
	errx(1, "%s: nobody has enrolled it", workload);
}

/* The names of those that refuse and have grown, with commas. */
static void name_reasons(const struct eg_slot_counts *before, const struct eg_slot_counts *after,
			 char ret_reasons[REASONS_MAX])
{
	ret_reasons[0] = '\0';
	for (enum eg_reason reason = 0; reason < EG_REASON_COUNT; reason++) {
		size_t len = strlen(ret_reasons);

		if (eg_reason_verdict(reason) == EG_VERDICT_BLOCKED &&
		    eg_reason_count(after, reason) > eg_reason_count(before, reason))
			snprintf(ret_reasons + len, REASONS_MAX - len, "%s%s", len ? "," : "", eg_reason_name(reason));
	}
}

/* Until the reason is counted that is expected, or the time is up. */
static void await_reason(const struct leak *leak, const struct trial *trial, const struct eg_slot_counts *before)
{
	int reason = eg_reason_parse(trial->what->reason);
	struct eg_slot_counts now;

	for (int i = 0; i < slow_ms(ARRIVAL_MS) / 10; i++) {
		now = counts_of(leak, trial->cgroup);
		if (eg_reason_count(&now, reason) > eg_reason_count(before, reason))
			return;
		poll(NULL, 0, 10);
	}
}

/* ---- a case ---- */

static enum wire_seen full_of(const struct leak_case *what)
{
	return what->arrives ? what->arrives : WIRE_PAYLOAD;
}

/* Where it is to arrive: what need not be refused reaches the mesh. */
static const uint8_t *place_of(const struct leak *leak, const struct trial *trial)
{
	return trial->what->reason || trial->what->line || trial->what->is_ended ? &leak->wire.seen[trial->number] :
							  &leak->wire.in_mesh[trial->number];
}

static bool is_lacking(int result)
{
	return result == -EPROTONOSUPPORT || result == -ESOCKTNOSUPPORT || result == -EAFNOSUPPORT ||
	       result == -EOPNOTSUPP || result == -ENOPROTOOPT || result == -ENODEV || result == -ENOENT ||
	       result == -ENOSYS;
}

/* A refusal may be the peer's answer to what has arrived. */
static bool may_have_left(int result)
{
	return result >= 0 || result == -ECONNREFUSED;
}

/* Where everything may leave. */
static enum outcome try_open(struct leak *leak, struct tried *tried)
{
	struct attempt *attempt = &tried->open;
	const struct leak_case *what = tried->what;
	bool arrived;

	let_go_on(attempt);
	if (attempt->told == 0)
		attempt->told = hear_step(attempt);
	arrived = what->creation ? attempt->told == 0
				 : may_have_left(attempt->told) && wire_await(&leak->wire, place_of(leak, &attempt->trial),
									      full_of(what), slow_ms(ARRIVAL_MS));
	end(attempt);
	if (arrived)
		return CAUGHT;
	return what->optional && is_lacking(attempt->told) ? ABSENT : BROKEN;
}

static bool has_left(const struct leak *leak, const struct trial *trial)
{
	return leak->wire.seen[trial->number] > (trial->what->is_open ? WIRE_PACKET : WIRE_NOTHING);
}

static bool has_leaked(const struct leak *leak, const struct attempt *attempt)
{
	return attempt->trial.what->creation ? attempt->told == 0 : has_left(leak, &attempt->trial);
}

/* Where it may not. */
static enum outcome try_closed(struct leak *leak, struct tried *tried)
{
	struct attempt *attempt = &tried->closed;
	const struct trial *trial = &attempt->trial;
	struct eg_slot_counts before = counts_of(leak, trial->cgroup), after;

	let_go_on(attempt);
	attempt->told = hear_step(attempt);
	if (tried->what->asynchronous)
		await_reason(leak, trial, &before);
	if (wire_settle(&leak->wire) < 0)
		errx(1, "%s: the peer sees nothing any more", tried->what->name);
	after = counts_of(leak, trial->cgroup);
	name_reasons(&before, &after, tried->reasons);
	end(attempt);
	if (has_leaked(leak, attempt))
		return LEAKED;
	return leak->wire.in_mesh[trial->number] && !tried->what->reason && !tried->what->is_ended ? HARMLESS : CAUGHT;
}

static void try(struct leak *leak, struct tried *tried, unsigned int index)
{
	if (tried->what->past != EARLIER)
		begin(leak, tried->what, 2 * index, true, &tried->open);
	tried->outcome = try_open(leak, tried);
	if (tried->outcome != CAUGHT) {
		if (tried->what->past == EARLIER)
			end(&tried->closed);
		return;
	}
	if (tried->what->past != EARLIER)
		begin(leak, tried->what, 2 * index + 1, false, &tried->closed);
	tried->outcome = try_closed(leak, tried);
}

/* Those whose past is before the enrolment have it together. */
static void try_all(struct leak *leak)
{
	for (unsigned int i = 0; i < leak->count; i++) {
		if (leak->tried[i].what->past != EARLIER)
			continue;
		begin(leak, leak->tried[i].what, 2 * i, true, &leak->tried[i].open);
		begin(leak, leak->tried[i].what, 2 * i + 1, false, &leak->tried[i].closed);
	}
	if (system(leak->enrol) != 0)
		errx(1, "%s failed", leak->enrol);
	reopen_pins(leak);
	for (unsigned int i = 0; i < leak->count; i++)
		try(leak, &leak->tried[i], i);
	if (wire_settle(&leak->wire) < 0)
		errx(1, "the peer sees nothing any more");
}

/* ---- what is printed ---- */

static const char *told_text(int result)
{
	const char *name = strerrorname_np(-result);

	if (result == HANGS)
		return "hangs";
	return result == 0 ? "nothing" : name ? name : "unknown";
}

static bool status_says(const struct leak *leak, const char *line)
{
	_cleanup_fclose_ FILE *file = fopen(leak->status, "re");
	static char text[65536];
	size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	text[len] = '\0';
	return line && strstr(text, line);
}

/* As sockets say it that were destroyed: TCP, and UDP, which has no peer any more. */
static bool was_ended(const struct tried *tried)
{
	return tried->closed.told == -ECONNABORTED || tried->closed.told == -EDESTADDRREQ;
}

/* NULL when it is as it should be. */
static const char *complaint(const struct leak *leak, const struct tried *tried)
{
	const struct leak_case *what = tried->what;

	switch (tried->outcome) {
	case CAUGHT:
		if (what->is_ended)
			return was_ended(tried) ? NULL : "its connection was not ended";
		if (!what->reason)
			return what->line ? NULL : "nothing arrived where it may";
		return strstr(tried->reasons, what->reason) ? NULL : "it is not counted under its reason";
	case LEAKED:
		if (!what->line)
			return "it left";
		return status_says(leak, what->line) ? NULL : "it left, and status does not say so under 'not enforced'";
	case BROKEN:
		return "it does not arrive where everything may leave";
	case HARMLESS:
	case ABSENT:
		return NULL;
	}
	return "";
}

/* The number is that of the test. */
static bool print_test(const struct leak *leak, const struct tried *tried, unsigned int number)
{
	static const char *const ends[] = {
		[CAUGHT] = "nothing arrives",
		[HARMLESS] = "only the allowed address is reached",
		[LEAKED] = "not enforced, as status says",
		[ABSENT] = "not in this kernel",
		[BROKEN] = "does not work",
	};
	const char *problem = complaint(leak, tried);

	printf("%s %u - %s: %s\n", problem ? "not ok" : "ok", number, tried->what->name, ends[tried->outcome]);
	if (problem)
		printf("# %s: expected %s\n# told %s, by an open workload %s; counted: %s\n", problem,
		       tried->what->reason ? tried->what->reason : "no refusal", told_text(tried->closed.told),
		       told_text(tried->open.told), tried->reasons);
	return !problem;
}

/* A packet of a trial that was through already: held back, and let go later. */
static bool print_late(const struct leak *leak, unsigned int number)
{
	bool late = false;

	for (unsigned int i = 0; i < leak->count; i++)
		if (leak->tried[i].outcome != LEAKED && leak->tried[i].outcome != ABSENT &&
		    leak->tried[i].outcome != BROKEN && has_left(leak, &leak->tried[i].closed.trial)) {
			printf("# %s came late\n", leak->tried[i].what->name);
			late = true;
		}
	printf("%s %u - nothing arrives later either\n", late ? "not ok" : "ok", number);
	return !late;
}

static void write_rows(const struct leak *leak, const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "we");

	if (!file)
		err(1, "%s", path);
	for (unsigned int i = 0; i < leak->count; i++) {
		const struct tried *tried = &leak->tried[i];
		bool was_tried = tried->outcome != ABSENT && tried->outcome != BROKEN;

		fprintf(file, "%s\t%s\t%s\t%s\t%s\n", tried->what->name, outcome_names[tried->outcome],
			was_tried ? told_text(tried->closed.told) : "-", tried->reasons[0] ? tried->reasons : "-",
			tried->what->row);
	}
}

/* ---- all of them ---- */

static void add_cases(struct leak *leak, const struct leak_case *cases, unsigned int count)
{
	leak->tried = realloc(leak->tried, (leak->count + count) * sizeof(*leak->tried));
	if (!leak->tried)
		err(1, "no memory");
	for (unsigned int i = 0; i < count; i++)
		leak->tried[leak->count++] = (struct tried){.what = &cases[i]};
	if (leak->count > WIRE_TRIALS_MAX / 2)
		errx(1, "%u cases are too many", leak->count);
}

static int open_netns(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void open_wire(struct leak *leak)
{
	struct destination outside;
	int r = parse_destination(OUT4_ADDRESS, "0", &outside);

	if (r == 0)
		r = wire_open(leak->peer_netns, &outside, MESH4_ADDRESS, MESH6_ADDRESS, &leak->wire);
	if (r < 0)
		errx(1, "no capture: %s", strerror(-r));
}

int main(int argc, char **argv)
{
	struct leak leak = {.pinned = EG_PINNED_NONE};
	unsigned int failed = 0;

	if (argc != 7)
		errx(2, "usage: leak CGROUP PEER-NETNS FAR-NETNS ENROL STATUS ROWS");
	leak.cgroups = argv[1];
	leak.peer_netns = open_netns(argv[2]);
	leak.far_netns = open_netns(argv[3]);
	leak.enrol = argv[4];
	leak.status = argv[5];
	add_cases(&leak, plain_cases, plain_count);
	add_cases(&leak, ring_cases, ring_count);
	add_cases(&leak, route_cases, route_count);
	add_cases(&leak, device_cases, device_count);
	add_cases(&leak, past_cases, past_count);
	open_wire(&leak);
	try_all(&leak);
	for (unsigned int i = 0; i < leak.count; i++)
		failed += !print_test(&leak, &leak.tried[i], i + 1);
	failed += !print_late(&leak, leak.count + 1);
	write_rows(&leak, argv[6]);
	return failed > 0;
}
