/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "uring.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES 4
#define IDLE_MS 1000

static void *map(int fd, size_t len, off_t offset)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
}

int uring_open(unsigned int flags, struct uring *ret_ring)
{
	struct uring ring = {.flags = flags, .params = {.flags = flags, .sq_thread_idle = IDLE_MS}};
	const struct io_uring_params *params = &ring.params;
	size_t submitted, completed;

	ring.fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &ring.params);
	if (ring.fd < 0)
		return -errno;
	submitted = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
	completed = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
	ring.rings_len = submitted > completed ? submitted : completed;
	ring.rings = map(ring.fd, ring.rings_len, IORING_OFF_SQ_RING);
	ring.entries = map(ring.fd, params->sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	if (ring.rings == MAP_FAILED || ring.entries == MAP_FAILED)
		return -ENOMEM;
	*ret_ring = ring;
	return 0;
}

static _Atomic uint32_t *word(const struct uring *ring, uint32_t offset)
{
	return (_Atomic uint32_t *)((char *)ring->rings + offset);
}

static void submit(struct uring *ring, const struct io_uring_sqe *operation)
{
	const struct io_uring_params *params = &ring->params;
	uint32_t tail = *word(ring, params->sq_off.tail), at = tail & *word(ring, params->sq_off.ring_mask);

	ring->entries[at] = *operation;
	*word(ring, params->sq_off.array + at * (uint32_t)sizeof(uint32_t)) = at;
	atomic_store(word(ring, params->sq_off.tail), tail + 1);
}

static int wait_for_one(struct uring *ring)
{
	const struct io_uring_params *params = &ring->params;
	_Atomic uint32_t *head = word(ring, params->cq_off.head);
	const struct io_uring_cqe *completed;
	unsigned int flags = IORING_ENTER_GETEVENTS;

	if (ring->flags & IORING_SETUP_SQPOLL)
		flags |= IORING_ENTER_SQ_WAKEUP;
	while (*head == atomic_load(word(ring, params->cq_off.tail)))
		if (syscall(SYS_io_uring_enter, ring->fd, 1, 1, flags, NULL, 0) < 0 && errno != EINTR)
			return -errno;
	completed = (struct io_uring_cqe *)((char *)ring->rings + params->cq_off.cqes) +
		    (*head & *word(ring, params->cq_off.ring_mask));
	atomic_fetch_add(head, 1);
	return completed->res;
}

int uring_do(struct uring *ring, const struct io_uring_sqe *operation)
{
	submit(ring, operation);
	return wait_for_one(ring);
}

void uring_close(struct uring *ring)
{
	munmap(ring->rings, ring->rings_len);
	munmap(ring->entries, ring->params.sq_entries * sizeof(struct io_uring_sqe));
	close(ring->fd);
}
