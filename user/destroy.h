/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DESTROY_H
#define EG_DESTROY_H

/* Sockets that a walk has found are destroyed, each by its exact identity in its own network namespace. */
#include <stddef.h>

#include "egress/lease.h"

/*
 * Of one socket: 0, it was destroyed; 1, it had ended by itself; or why it lives on: -ENOENT
 * where nobody in sight is in its namespace, or names it. Ends all with what it returns below 0.
 */
typedef int (*eg_destroyed_fn)(const struct eg_held_socket *socket, int result, void *context);

/* Those of a namespace stand one after the other, as walks give them. 0, or what take() returned. */
int eg_destroy_sockets(const struct eg_held_socket *sockets, size_t count, eg_destroyed_fn take, void *context);
/* In words, for what take() gets below 0. */
const char *eg_destroy_problem(int error);

#endif
