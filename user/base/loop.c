/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* What is waited for. The loop owns it; dispatch() reads whatever its descriptor has before it calls back. */
struct source {
	struct source *next;
	int (*dispatch)(struct source *source, uint32_t events);
	int fd;
	bool owns_fd;
	union {
		eg_loop_fd_callback fd_callback;
		eg_loop_signal_callback signal_callback;
		eg_loop_timer_callback timer_callback;
	};
	void *context;
};

struct eg_timer {
	struct source source;
};

struct eg_loop {
	int epoll_fd;
	bool has_signals;
	struct source *sources;
};

static struct source *source_free(struct source *source)
{
	if (!source)
		return NULL;
	if (source->owns_fd && source->fd >= 0)
		close(source->fd);
	free(source);
	return NULL;
}
EG_DEFINE_CLEANUP(struct source *, source_free)

int eg_loop_new(struct eg_loop **ret_loop)
{
	_cleanup_(eg_loop_freep) struct eg_loop *loop = malloc(sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	*loop = (struct eg_loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
	if (loop->epoll_fd < 0)
		return -errno;
	*ret_loop = TAKE_PTR(loop);
	return 0;
}

struct eg_loop *eg_loop_free(struct eg_loop *loop)
{
	struct source *source, *next;

	if (!loop)
		return NULL;
	for (source = loop->sources; source; source = next) {
		next = source->next;
		source_free(source);
	}
	eg_closep(&loop->epoll_fd);
	free(loop);
	return NULL;
}

/* The loop takes the source when this succeeds, and only then. */
static int add_source(struct eg_loop *loop, struct source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) < 0)
		return -errno;
	source->next = loop->sources;
	loop->sources = source;
	return 0;
}

/* --- descriptors --- */

static int dispatch_fd(struct source *source, uint32_t events)
{
	return source->fd_callback(source->fd, events, source->context);
}

int eg_loop_add_fd(struct eg_loop *loop, int fd, uint32_t events, eg_loop_fd_callback callback, void *context)
{
	_cleanup_(source_freep) struct source *source = malloc(sizeof(*source));
	int r;

	if (!source)
		return -ENOMEM;
	*source = (struct source){.dispatch = dispatch_fd, .fd = fd, .fd_callback = callback, .context = context};
	r = add_source(loop, source, events);
	if (r < 0)
		return r;
	TAKE_PTR(source);
	return 0;
}

/* --- signals --- */

static int dispatch_signal(struct source *source, uint32_t events)
{
	struct signalfd_siginfo signal;

	(void)events;
	/* One at a time: the callback may end the loop, and what is still pending is then for whoever runs it again. */
	if (read(source->fd, &signal, sizeof(signal)) < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return source->signal_callback(&signal, source->context);
}

int eg_loop_add_signals(struct eg_loop *loop, const sigset_t *signals, eg_loop_signal_callback callback, void *context)
{
	_cleanup_(source_freep) struct source *source = malloc(sizeof(*source));
	int r;

	if (!source)
		return -ENOMEM;
	*source =
		(struct source){.dispatch = dispatch_signal, .fd = -1, .signal_callback = callback, .context = context};
	/* Of two descriptors that want the same signal, whichever is read first would get it. */
	if (loop->has_signals)
		return -EEXIST;
	source->owns_fd = true;
	source->fd = signalfd(-1, signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (source->fd < 0)
		return -errno;
	r = add_source(loop, source, EPOLLIN);
	if (r < 0)
		return r;
	TAKE_PTR(source);
	loop->has_signals = true;
	return 0;
}

/* --- timers --- */

static int dispatch_timer(struct source *source, uint32_t events)
{
	uint64_t expirations;

	(void)events;
	if (read(source->fd, &expirations, sizeof(expirations)) < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return source->timer_callback(source->context);
}

int eg_loop_add_timer(struct eg_loop *loop, eg_loop_timer_callback callback, void *context, struct eg_timer **ret_timer)
{
	struct eg_timer *timer = malloc(sizeof(*timer));
	_cleanup_(source_freep) struct source *source = timer ? &timer->source : NULL;
	int r;

	if (!timer)
		return -ENOMEM;
	*source = (struct source){.dispatch = dispatch_timer, .timer_callback = callback, .context = context};
	source->owns_fd = true;
	source->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (source->fd < 0)
		return -errno;
	r = add_source(loop, source, EPOLLIN);
	if (r < 0)
		return r;
	TAKE_PTR(source);
	*ret_timer = timer;
	return 0;
}

int eg_timer_set(struct eg_timer *timer, int64_t after_ms)
{
	struct itimerspec when = {};

	if (after_ms >= 0) {
		when.it_value.tv_sec = after_ms / 1000;
		when.it_value.tv_nsec = after_ms % 1000 * 1000000;
	}
	/* All zeros would stop it: "now" is the first nanosecond. */
	if (after_ms == 0)
		when.it_value.tv_nsec = 1;
	return timerfd_settime(timer->source.fd, 0, &when, NULL) < 0 ? -errno : 0;
}

/* --- running --- */

int eg_loop_run(struct eg_loop *loop)
{
	for (;;) {
		struct epoll_event event;
		struct source *source;
		int r;

		/*
		 * One event at a time, so that none is stale: a callback may stop a timer or
		 * close a descriptor that a longer list would still name. The kernel moves
		 * what it reported to the end of its list, so nobody starves.
		 */
		r = epoll_wait(loop->epoll_fd, &event, 1, -1);
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r <= 0)
			continue;
		source = event.data.ptr;
		r = source->dispatch(source, event.events);
		if (r != 0)
			return r;
	}
}
