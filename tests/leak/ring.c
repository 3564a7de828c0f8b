/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Sockets that are used through io_uring: by a worker, by a thread of the ring's own, by somebody else's. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "../lib/support/uring.h"
#include "base/cleanup.h"
#include "leak.h"

#define OFF "blocked-passthrough-off"
#define ROW "io_uring: CONNECT, SENDMSG, SEND, SOCKET; by workers, and by an SQPOLL thread"

static int connect_op(struct uring *ring, int fd, const struct destination *to, unsigned int flags)
{
	struct io_uring_sqe operation = {
		.opcode = IORING_OP_CONNECT,
		.flags = (uint8_t)flags,
		.fd = fd,
		.addr = (uintptr_t)&to->any,
		.off = to->len,
	};

	return uring_do(ring, &operation);
}

static int send_op(struct uring *ring, int fd, const struct trial *trial)
{
	struct io_uring_sqe operation = {
		.opcode = IORING_OP_SEND,
		.fd = fd,
		.addr = (uintptr_t)trial->mark,
		.len = WIRE_MARK_LEN,
		.msg_flags = MSG_NOSIGNAL,
	};

	return uring_do(ring, &operation);
}

static int sendmsg_op(struct uring *ring, int fd, const struct trial *trial)
{
	struct iovec payload = {(void *)trial->mark, WIRE_MARK_LEN};
	struct msghdr message = {
		.msg_name = (void *)&trial->to[OUT4].any,
		.msg_namelen = trial->to[OUT4].len,
		.msg_iov = &payload,
		.msg_iovlen = 1,
	};
	struct io_uring_sqe operation = {
		.opcode = IORING_OP_SENDMSG,
		.fd = fd,
		.addr = (uintptr_t)&message,
		.len = 1,
	};

	return uring_do(ring, &operation);
}

static int socket_op(struct uring *ring, int type)
{
	struct io_uring_sqe operation = {.opcode = IORING_OP_SOCKET, .fd = AF_INET, .off = (uint64_t)type};

	return uring_do(ring, &operation);
}

/* 0, or what went wrong first. */
static int connect_and_send(struct uring *ring, int fd, const struct trial *trial, unsigned int flags)
{
	int r = fd < 0 ? fd : connect_op(ring, fd, &trial->to[OUT4], flags);

	if (r >= 0)
		r = send_op(ring, fd, trial);
	return r < 0 ? r : 0;
}

static int with_ring(struct trial *trial, unsigned int setup, unsigned int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct uring ring;
	int r = uring_open(setup, &ring);

	return r < 0 ? r : connect_and_send(&ring, fd, trial, flags);
}

static int by_connect(struct trial *trial)
{
	return with_ring(trial, 0, 0);
}

static int by_connect_of_a_worker(struct trial *trial)
{
	return with_ring(trial, 0, IOSQE_ASYNC);
}

static int by_connect_of_a_thread(struct trial *trial)
{
	return with_ring(trial, IORING_SETUP_SQPOLL, 0);
}

static int sendmsg_with_ring(struct trial *trial, unsigned int setup)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct uring ring;
	int r = uring_open(setup, &ring);

	if (r >= 0)
		r = sendmsg_op(&ring, fd, trial);
	return r < 0 ? r : 0;
}

static int by_sendmsg(struct trial *trial)
{
	return sendmsg_with_ring(trial, 0);
}

static int by_sendmsg_of_a_thread(struct trial *trial)
{
	return sendmsg_with_ring(trial, IORING_SETUP_SQPOLL);
}

static int by_socket(struct trial *trial)
{
	struct uring ring;
	int r = uring_open(0, &ring);

	return r < 0 ? r : connect_and_send(&ring, socket_op(&ring, SOCK_STREAM), trial, 0);
}

/* ---- rings that are older than the process's place ---- */

static int make_ring(struct trial *trial)
{
	struct uring *ring = mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (ring == MAP_FAILED)
		return -errno;
	trial->kept = ring;
	return uring_open(IORING_SETUP_SQPOLL, ring);
}

static int by_older_ring(struct trial *trial)
{
	return connect_and_send(trial->kept, socket_op(trial->kept, SOCK_STREAM), trial, 0);
}

/* The thread is one of the process that made the ring, and stays where that is. */
static int by_ring_of_another(struct trial *trial)
{
	int r = make_ring(trial);

	return r < 0 ? r : as_workload(trial, by_older_ring);
}

const struct leak_case ring_cases[] = {
	{"uring-connect", ROW, .run = by_connect, .listens = IPPROTO_TCP, .reason = OFF},
	{"uring-connect-worker", ROW, .run = by_connect_of_a_worker, .listens = IPPROTO_TCP, .reason = OFF},
	{"uring-connect-sqpoll", ROW, .run = by_connect_of_a_thread, .listens = IPPROTO_TCP, .reason = OFF},
	{"uring-sendmsg", ROW, .run = by_sendmsg, .reason = OFF},
	{"uring-sendmsg-sqpoll", ROW, .run = by_sendmsg_of_a_thread, .reason = OFF},
	{"uring-socket", ROW, .run = by_socket, .listens = IPPROTO_TCP, .reason = OFF, .optional = true},
	{"uring-older", ROW, .before = make_ring, .run = by_older_ring, .past = ELSEWHERE, .listens = IPPROTO_TCP,
	 .reason = OFF, .optional = true},
	{"uring-foreign-sqpoll", "io_uring with an SQPOLL thread of a process outside", .run = by_ring_of_another,
	 .past = OUTSIDE, .listens = IPPROTO_TCP, .line = "an io_uring whose", .optional = true},
};
const unsigned int ring_count = EG_COUNT_OF(ring_cases);
