/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_WAYS_H
#define EG_TESTS_WAYS_H

/* Every way by which a socket call reaches a destination, by name. */
#include <stdbool.h>
#include <stddef.h>

#include "destination.h"

/* What is to be done by it. */
struct errand {
	const struct destination *to;
	const struct destination *then; /* for those that take two */
	const void *payload;
	size_t len;
};

struct way {
	const char *name;
	int family; /* of the socket; 0: the destination's own */
	int type;
	int protocol;
	/* 0 or -errno */
	int (*run)(int fd, const struct errand *errand);
	bool takes_two;
};

/* All of them. */
const struct way *ways_list(size_t *ret_count);
/* NULL when there is none of this name. */
const struct way *way_find(const char *name);

/* The socket alone: the descriptor, or -errno. Its sends end after a few seconds. */
int way_socket(const struct way *way, const struct destination *to);
/* 0 with *ret_fd, or -errno; a socket of its own for every call. */
int way_go_and_stay(const struct way *way, const struct errand *errand, int *ret_fd);
/* The same without the socket. */
int way_go(const struct way *way, const struct errand *errand);

#endif
