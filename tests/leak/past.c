/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Sockets with a past, processes that move, and the other places that a workload can be at. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "leak.h"

#define OFF "blocked-passthrough-off"
#define GUARD "blocked-guard"
#define PROTOCOL "blocked-protocol"
#define FOREIGN_LINE "made outside the cgroup"
#define MADE_ROW "sockets made before the enrolment, used later: TCP and UDP"
#define OPEN_ROW "connections open before the enrolment: TCP, with sendfile and splice too"
#define DATAGRAM_ROW "UDP sockets connected before the enrolment"
#define HIDDEN_ROW "the same of UDP"
#define MOVED_ROW "sockets of a process that was moved in"
#define MOVED_OPEN_ROW "open connections of such a process"
#define PASSED_ROW "sockets from outside, by SCM_RIGHTS"
#define PASSED_OPEN_ROW "open connections from outside, by SCM_RIGHTS and by pidfd_getfd"
#define PLACE_ROW "children, threads, cgroups below, other network namespaces"

/* ---- what is kept from before ---- */

/* Its end is one reset, and nothing that is sent again while other cases are counted. */
static int make_stream(struct trial *trial)
{
	static const struct linger abort = {.l_onoff = 1};

	trial->fd = way_socket(way_find("tcp-send"), &trial->to[OUT4]);
	return trial->fd < 0 ? trial->fd : told(setsockopt(trial->fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort)));
}

static int make_datagram(struct trial *trial)
{
	trial->fd = way_socket(way_find("udp-sendto"), &trial->to[OUT4]);
	return trial->fd < 0 ? trial->fd : 0;
}

static int make_raw(struct trial *trial)
{
	trial->fd = way_socket(way_find("raw-sendto"), &trial->to[OUT4]);
	return trial->fd < 0 ? trial->fd : 0;
}

static int connect_kept(struct trial *trial)
{
	return told(connect(trial->fd, &trial->to[OUT4].any, trial->to[OUT4].len));
}

static int make_connection(struct trial *trial)
{
	int r = make_stream(trial);

	return r < 0 ? r : connect_kept(trial);
}

static int make_session(struct trial *trial)
{
	int r = make_datagram(trial);

	return r < 0 ? r : connect_kept(trial);
}

/* Nobody listens on that port, but whoever looks at the wire there reads it. */
static int make_session_of_port_0(struct trial *trial)
{
	struct destination to = trial->to[OUT4];
	int r = make_datagram(trial);

	to.ipv4.sin_port = 0;
	return r < 0 ? r : told(connect(trial->fd, &to.any, to.len));
}

/* A datagram that has its address, and waits for more. */
static int begin_datagram(struct trial *trial)
{
	int r = make_datagram(trial);

	return r < 0 ? r : told(sendto(trial->fd, "", 0, MSG_MORE, &trial->to[OUT4].any, trial->to[OUT4].len));
}

/* ---- and used later ---- */

static int use(const char *way, const struct trial *trial)
{
	struct errand errand = trial_errand(trial);

	errand.to = &trial->to[OUT4];
	return way_find(way)->run(trial->fd, &errand);
}

static int use_stream(struct trial *trial)
{
	return use("tcp-send", trial);
}

static int use_datagram(struct trial *trial)
{
	return use("udp-sendto", trial);
}

static int use_raw(struct trial *trial)
{
	return use("raw-sendto", trial);
}

static int use_connected(struct trial *trial)
{
	return send_mark(trial->fd, trial);
}

static int marked_file(const struct trial *trial)
{
	int fd = memfd_create("mark", MFD_CLOEXEC);

	return fd >= 0 && pwrite(fd, trial->mark, WIRE_MARK_LEN, 0) == WIRE_MARK_LEN ? fd : -1;
}

static int use_sendfile(struct trial *trial)
{
	return told(sendfile(trial->fd, marked_file(trial), &(off_t){0}, WIRE_MARK_LEN));
}

static int use_splice(struct trial *trial)
{
	int ends[2], r = told(pipe2(ends, O_CLOEXEC));

	if (r == 0)
		r = told(write(ends[1], trial->mark, WIRE_MARK_LEN));
	return r < 0 ? r : told(splice(ends[0], NULL, trial->fd, NULL, WIRE_MARK_LEN, 0));
}

/* ---- made to look like what comes in ---- */

static int bind_shared(int fd, uint16_t port_be)
{
	static const int on = 1;
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = port_be};
	int r = told(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));

	return r < 0 ? r : told(bind(fd, (struct sockaddr *)&own, sizeof(own)));
}

/* And a listener on the connection's own port: as if the connection had been accepted there. */
static int make_shared_connection(struct trial *trial)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r = make_stream(trial);

	if (r == 0)
		r = bind_shared(trial->fd, trial->to[OUT4].ipv4.sin_port);
	if (r == 0)
		r = connect_kept(trial);
	if (r == 0)
		r = bind_shared(listener, trial->to[OUT4].ipv4.sin_port);
	return r < 0 ? r : told(listen(listener, 1));
}

/* A datagram from the destination itself, by the loopback: whoever wrote is answered. */
static int forge_peer(struct trial *trial)
{
	static const int on = 1;
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	const struct destination *to = &trial->to[OUT4];
	int forger = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;
	socklen_t len = sizeof(own);

	trial->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r = told(bind(trial->fd, (struct sockaddr *)&(struct sockaddr_in){.sin_family = AF_INET}, sizeof(own)));
	if (r == 0)
		r = told(getsockname(trial->fd, (struct sockaddr *)&own, &len));
	own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (r == 0)
		r = told(setsockopt(forger, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on)));
	if (r == 0)
		r = told(bind(forger, &to->any, to->len));
	if (r == 0)
		r = told(sendto(forger, "", 1, 0, (struct sockaddr *)&own, len));
	return r < 0 ? r : use_datagram(trial);
}

/* ---- handed over ---- */

static int send_descriptor(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
	struct iovec byte = {"x", 1};
	struct msghdr message = {
		.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return told(sendmsg(socket, &message, 0));
}

/* The descriptor, or -errno: -EPERM when something took it out of the message. */
static int receive_descriptor(int socket)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec byte = {&(char){0}, 1};
	struct msghdr message = {
		.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	const struct cmsghdr *header;
	int fd;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len < CMSG_LEN(sizeof(int)))
		return -EPERM;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static int take_passed(struct trial *trial)
{
	int fd = receive_descriptor(*(int *)trial->kept);

	if (fd < 0)
		return fd;
	trial->fd = fd;
	return 0;
}

static int use_passed_stream(struct trial *trial)
{
	int r = take_passed(trial);

	return r < 0 ? r : use_stream(trial);
}

static int use_passed_connection(struct trial *trial)
{
	int r = take_passed(trial);

	return r < 0 ? r : use_connected(trial);
}

static int use_passed_datagram(struct trial *trial)
{
	int r = take_passed(trial);

	return r < 0 ? r : use_datagram(trial);
}

/* Made here, passed to a workload's process, and no longer ours. */
static int pass(struct trial *trial, int (*make)(struct trial *trial), int (*take)(struct trial *trial))
{
	int ends[2], r = make(trial);

	if (r == 0)
		r = told(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends));
	if (r == 0)
		r = send_descriptor(ends[0], trial->fd);
	if (r < 0)
		return r;
	close(trial->fd);
	trial->kept = &ends[1];
	return as_workload(trial, take);
}

static int pass_stream(struct trial *trial)
{
	return pass(trial, make_stream, use_passed_stream);
}

static int pass_connection(struct trial *trial)
{
	return pass(trial, make_connection, use_passed_connection);
}

static int pass_datagram(struct trial *trial)
{
	return pass(trial, make_datagram, use_passed_datagram);
}

/* In a message to itself, where no look at the files of processes finds it. */
static int hide(struct trial *trial, int (*make_socket)(struct trial *trial))
{
	static int ends[2];
	int r = make_socket(trial);

	if (r == 0)
		r = told(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends));
	if (r == 0)
		r = send_descriptor(ends[0], trial->fd);
	close(trial->fd);
	trial->kept = &ends[1];
	return r;
}

static int hide_connection(struct trial *trial)
{
	return hide(trial, make_connection);
}

static int hide_session(struct trial *trial)
{
	return hide(trial, make_session);
}

static int hide_session_of_port_0(struct trial *trial)
{
	return hide(trial, make_session_of_port_0);
}

static int use_found_by_sendfile(struct trial *trial)
{
	int r = take_passed(trial);

	return r < 0 ? r : use_sendfile(trial);
}

static int make_routed(struct trial *trial)
{
	int r = make_datagram(trial);

	return r < 0 ? r : route_set_ipv4(trial->fd, trial);
}

static int use_passed_routed(struct trial *trial)
{
	struct errand errand = trial_errand(trial);
	int r = take_passed(trial);

	errand.to = &trial->to[MESH4];
	return r < 0 ? r : way_find("udp-sendto")->run(trial->fd, &errand);
}

static int pass_routed(struct trial *trial)
{
	return pass(trial, make_routed, use_passed_routed);
}

/* The parent's descriptor has the same number here, but is not inherited by that. */
static int use_stolen(struct trial *trial)
{
	int parent = (int)syscall(SYS_pidfd_open, getppid(), 0);
	int stolen = (int)syscall(SYS_pidfd_getfd, parent, trial->fd, 0);

	if (stolen < 0)
		return -errno;
	close(trial->fd);
	trial->fd = stolen;
	return use_connected(trial);
}

static int steal_connection(struct trial *trial)
{
	int r = make_connection(trial);

	return r < 0 ? r : as_workload(trial, use_stolen);
}

/* ---- elsewhere ---- */

static int from_outside(struct trial *trial)
{
	int r = join_cgroup(trial, "outside");

	if (r == 0)
		r = make_stream(trial);
	return r < 0 ? r : use_stream(trial);
}

static int from_below(struct trial *trial)
{
	char name[256], path[4096];
	int r;

	snprintf(name, sizeof(name), "%s/below", trial->cgroup);
	snprintf(path, sizeof(path), "%s/%s", trial->cgroups, name);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	r = join_cgroup(trial, name);
	if (r == 0)
		r = make_stream(trial);
	return r < 0 ? r : use_stream(trial);
}

static int from_child(struct trial *trial)
{
	int status, r;
	pid_t pid = fork();

	if (pid == 0) {
		r = make_stream(trial);
		_exit(-(r < 0 ? r : use_stream(trial)));
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static void *make_and_use(void *trial)
{
	long r = make_stream(trial);

	return (void *)(r < 0 ? r : use_stream(trial));
}

static int from_thread(struct trial *trial)
{
	void *result;
	pthread_t thread;
	int r = -pthread_create(&thread, NULL, make_and_use, trial);

	if (r < 0)
		return r;
	pthread_join(thread, &result);
	return (int)(long)result;
}

static int from_far(struct trial *trial)
{
	struct errand errand = trial_errand(trial);

	errand.to = &trial->to[FAR];
	return setns(trial->far_netns, CLONE_NEWNET) < 0 ? -errno : way_go(way_find("tcp-send"), &errand);
}

/* ---- what the peer makes us do ---- */

/* To the mesh, where the peer announces another address of its own; both sides speak, so that the kernel connects. */
static int wait_for_subflow(struct trial *trial)
{
	struct errand errand = trial_errand(trial);

	errand.to = &trial->to[MESH4];
	/* Stays open: the next connect is the kernel's. */
	return way_go_and_stay(way_find("mptcp-send"), &errand, &trial->fd);
}

#define TCP .listens = IPPROTO_TCP
#define ENDED .is_open = true, .is_ended = true
#define FROM_OUTSIDE .line = FOREIGN_LINE

const struct leak_case past_cases[] = {
	{"earlier-tcp", MADE_ROW, .before = make_stream, .run = use_stream, .past = EARLIER, TCP, .reason = OFF},
	{"earlier-udp", MADE_ROW, .before = make_datagram, .run = use_datagram, .past = EARLIER, .reason = OFF},
	{"earlier-tcp-connected", OPEN_ROW, .before = make_connection, .run = use_connected, .past = EARLIER, TCP, ENDED},
	{"earlier-tcp-sendfile", OPEN_ROW, .before = make_connection, .run = use_sendfile, .past = EARLIER, TCP, ENDED},
	{"earlier-tcp-splice", OPEN_ROW, .before = make_connection, .run = use_splice, .past = EARLIER, TCP, ENDED},
	{"earlier-udp-connected", DATAGRAM_ROW, .before = make_session, .run = use_connected, .past = EARLIER, ENDED},
	{"earlier-udp-port-0", DATAGRAM_ROW, .before = make_session_of_port_0, .run = use_connected, .past = EARLIER, ENDED},
	{"earlier-tcp-in-flight", "the same, and no process had it among its files then: TCP", .before = hide_connection,
	 .run = use_passed_connection, .past = EARLIER, TCP, .reason = GUARD},
	{"earlier-tcp-in-flight-sendfile", "the same, and no process had it among its files then: TCP",
	 .before = hide_connection, .run = use_found_by_sendfile, .past = EARLIER, TCP, .reason = GUARD},
	{"earlier-udp-in-flight", HIDDEN_ROW, .before = hide_session, .run = use_passed_connection, .past = EARLIER, .reason = GUARD},
	{"earlier-udp-port-0-in-flight", HIDDEN_ROW, .before = hide_session_of_port_0, .run = use_passed_connection, .past = EARLIER,
	 .reason = GUARD},
	{"earlier-udp-corked", "a datagram begun before the enrolment (MSG_MORE), and sent later", .before = begin_datagram,
	 .run = use_connected, .past = EARLIER, .reason = GUARD, .line = "were begun before"},
	{"earlier-raw", "raw sockets made before the enrolment", .before = make_raw, .run = use_raw, .past = EARLIER, .reason = GUARD},

	{"earlier-tcp-listener", "a connection open before the enrolment, and a listener on its own port",
	 .before = make_shared_connection, .run = use_connected, .past = EARLIER, TCP, .reason = GUARD,
	 .line = "on whose local port"},
	{"forged-peer", "UDP to a peer whose datagram the workload has forged", .run = forge_peer, .reason = OFF,
	 .line = "has forged"},

	{"moved-in-tcp", MOVED_ROW, .before = make_stream, .run = use_stream, .past = ELSEWHERE, TCP, .reason = OFF,
	 FROM_OUTSIDE},
	{"moved-in-udp", MOVED_ROW, .before = make_datagram, .run = use_datagram, .past = ELSEWHERE, .reason = OFF,
	 FROM_OUTSIDE},
	{"moved-in-tcp-connected", MOVED_OPEN_ROW, .before = make_connection, .run = use_connected, .past = ELSEWHERE, TCP,
	 .reason = GUARD, .is_open = true, FROM_OUTSIDE},
	{"moved-in-udp-connected", MOVED_OPEN_ROW, .before = make_session, .run = use_connected, .past = ELSEWHERE,
	 .reason = GUARD, FROM_OUTSIDE},
	{"moved-in-tcp-sendfile", "the same by sendfile", .before = make_connection, .run = use_sendfile, .past = ELSEWHERE,
	 TCP, .reason = GUARD, .is_open = true, FROM_OUTSIDE},
	{"moved-in-raw", "raw sockets of such a process", .before = make_raw, .run = use_raw, .past = ELSEWHERE,
	 .reason = PROTOCOL, FROM_OUTSIDE},
	{"passed-tcp", PASSED_ROW, .run = pass_stream, .past = OUTSIDE, TCP, .reason = OFF, FROM_OUTSIDE},
	{"passed-udp", PASSED_ROW, .run = pass_datagram, .past = OUTSIDE, .reason = OFF, FROM_OUTSIDE},
	{"passed-tcp-connected", PASSED_OPEN_ROW, .run = pass_connection, .past = OUTSIDE, TCP, .reason = GUARD,
	 .is_open = true, FROM_OUTSIDE},
	{"stolen-tcp-connected", PASSED_OPEN_ROW, .run = steal_connection, .past = OUTSIDE, TCP, .reason = GUARD,
	 .is_open = true, FROM_OUTSIDE},
	{"passed-lsrr", "sockets from outside with a source route, to an allowed address", .run = pass_routed,
	 .past = OUTSIDE, .reason = "blocked-source-route", FROM_OUTSIDE},
	{"moved-out", "new sockets of a process that was moved out", .run = from_outside, TCP, .line = "moved out"},

	{"child", PLACE_ROW, .run = from_child, TCP, .reason = OFF},
	{"thread", PLACE_ROW, .run = from_thread, TCP, .reason = OFF},
	{"cgroup-below", PLACE_ROW, .run = from_below, TCP, .reason = OFF},
	{"other-netns", PLACE_ROW, .run = from_far, TCP, .reason = OFF},
	{"mptcp4-later-subflow", "later subflows of MPTCP, to addresses that the peer announces",
	 .run = wait_for_subflow, .listens = IPPROTO_MPTCP, .reason = OFF, .arrives = WIRE_PACKET, .asynchronous = true},
};
const unsigned int past_count = EG_COUNT_OF(past_cases);
