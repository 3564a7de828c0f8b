/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_LOOP_H
#define EG_BASE_LOOP_H

/*
 * One thread waits for descriptors, signals and timers, and calls whoever is
 * concerned. A callback that returns other than 0 ends the loop with that value.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/signalfd.h>

#include "base/cleanup.h"

struct eg_loop;
struct eg_timer;

typedef int (*eg_loop_fd_callback)(int fd, uint32_t events, void *context);
typedef int (*eg_loop_signal_callback)(const struct signalfd_siginfo *signal, void *context);
typedef int (*eg_loop_timer_callback)(void *context);

/* 0 with *ret_loop, or -errno. */
int eg_loop_new(struct eg_loop **ret_loop);
struct eg_loop *eg_loop_free(struct eg_loop *loop);
EG_DEFINE_CLEANUP(struct eg_loop *, eg_loop_free)

/* Calls back while fd has any of the EPOLL* events. The descriptor stays the caller's. */
int eg_loop_add_fd(struct eg_loop *loop, int fd, uint32_t events, eg_loop_fd_callback callback, void *context);
/* The signals of the set, which the caller has blocked before. Once for a loop. */
int eg_loop_add_signals(struct eg_loop *loop, const sigset_t *signals, eg_loop_signal_callback callback, void *context);
/* A timer that is not set yet; it ends with the loop. */
int eg_loop_add_timer(struct eg_loop *loop, eg_loop_timer_callback callback, void *context,
		      struct eg_timer **ret_timer);
/* Once, after_ms from now; set again it starts anew. A negative value stops it. */
int eg_timer_set(struct eg_timer *timer, int64_t after_ms);

/* Runs until a callback returns other than 0: that value, or -errno. */
int eg_loop_run(struct eg_loop *loop);

#endif
