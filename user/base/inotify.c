/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/inotify.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* Times 64 events and more: a whole queue of the kernel's usual length. */
#define READS_MAX 256

int eg_inotify_drain(int fd, eg_inotify_callback callback, void *context)
{
	_Alignas(struct inotify_event) char events[64 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
	const struct inotify_event *event;
	int mattered = 0;

	for (unsigned int reads = 0; reads < READS_MAX; reads++) {
		ssize_t len = read(fd, events, sizeof(events));

		if (len <= 0)
			return len < 0 && errno != EAGAIN && errno != EINTR ? -errno : mattered;
		for (const char *next = events; next < events + len; next += sizeof(*event) + event->len) {
			int r;

			event = (const struct inotify_event *)next;
			r = callback(event, context);
			if (r < 0)
				return r;
			mattered |= r;
		}
	}
	return mattered;
}

const char *eg_inotify_problem(int error)
{
	switch (-error) {
	case ENOSPC:
		return "no inotify watch is left";
	case EMFILE:
		return "no inotify instance is left";
	case EOVERFLOW:
		return "changes came faster than they could be read, and some were not told";
	case ENOENT:
		return "the folder to watch is not there";
	default:
		return strerror(-error);
	}
}

const char *eg_inotify_remedy(int error)
{
	switch (-error) {
	case ENOSPC:
		return "raise fs.inotify.max_user_watches (sysctl)";
	case EMFILE:
		return "raise fs.inotify.max_user_instances (sysctl) or the limit of descriptors (LimitNOFILE=)";
	case EOVERFLOW:
		return "raise fs.inotify.max_queued_events (sysctl) and restart egressd";
	case ENOENT:
		return "make the folder again";
	default:
		return "see egressd's log";
	}
}
