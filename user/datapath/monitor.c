/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "datapath/monitor.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

struct eg_monitor {
	struct ring_buffer *ring;
	eg_event_visitor visit;
	void *context;
};

static int take_record(void *context, void *record, size_t size)
{
	const struct eg_monitor *monitor = context;
	const struct eg_event *event = record;

	if (size < sizeof(*event) || event->version != EG_EVENT_VERSION || event->size != sizeof(*event))
		return 0;
	return monitor->visit(event, monitor->context);
}

int eg_monitor_new(const struct eg_maps *maps, eg_event_visitor visit, void *context, struct eg_monitor **ret_monitor)
{
	_cleanup_(eg_monitor_freep) struct eg_monitor *monitor = calloc(1, sizeof(*monitor));

	if (!monitor)
		return -ENOMEM;
	monitor->visit = visit;
	monitor->context = context;
	monitor->ring = ring_buffer__new(maps->events, take_record, monitor, NULL);
	if (!monitor->ring)
		return -errno;
	*ret_monitor = TAKE_PTR(monitor);
	return 0;
}

struct eg_monitor *eg_monitor_free(struct eg_monitor *monitor)
{
	if (!monitor)
		return NULL;
	ring_buffer__free(monitor->ring);
	free(monitor);
	return NULL;
}

int eg_monitor_poll(struct eg_monitor *monitor, int timeout_ms)
{
	return ring_buffer__poll(monitor->ring, timeout_ms);
}
