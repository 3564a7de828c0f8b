/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_INOTIFY_H
#define EG_BASE_INOTIFY_H

#include <sys/inotify.h>

/* 1 when the event matters, 0 when not, or -errno to end with. event->name is there only when event->len is not 0. */
typedef int (*eg_inotify_callback)(const struct inotify_event *event, void *context);

/*
 * Takes events off a descriptor that does not block. Somebody may make them faster
 * than they are read: after a whole queue it returns, and the descriptor stays
 * readable. 1 when one of them mattered, 0 when none did, or -errno.
 */
int eg_inotify_drain(int fd, eg_inotify_callback callback, void *context);

/* Why changes may go unseen, in words, and the remedy; error is -errno, -EOVERFLOW for events that were lost. */
const char *eg_inotify_problem(int error);
const char *eg_inotify_remedy(int error);

#endif
