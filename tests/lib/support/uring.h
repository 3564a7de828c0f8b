/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_URING_H
#define EG_TESTS_URING_H

/* io_uring by its system calls: a small ring, one operation at a time. */
#include <linux/io_uring.h>
#include <stddef.h>

struct uring {
	int fd;
	unsigned int flags; /* IORING_SETUP_* */
	void *rings;	    /* both, in one mapping */
	size_t rings_len;
	struct io_uring_sqe *entries;
	struct io_uring_params params;
};

/* 0, or -errno. */
int uring_open(unsigned int flags, struct uring *ret_ring);
/* What the operation gave, or -errno. */
int uring_do(struct uring *ring, const struct io_uring_sqe *operation);
void uring_close(struct uring *ring);

#endif
