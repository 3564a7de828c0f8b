/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_MONITOR_H
#define EG_DATAPATH_MONITOR_H

/* Taking events off the ring buffer. Whoever takes one takes it from every other reader. */
#include "base/cleanup.h"
#include "datapath/maps.h"

struct eg_monitor;

/* A result below 0 ends the poll. */
typedef int (*eg_event_visitor)(const struct eg_event *event, void *context);

/* 0 with *ret_monitor, or -errno. */
int eg_monitor_new(const struct eg_maps *maps, eg_event_visitor visit, void *context, struct eg_monitor **ret_monitor);
struct eg_monitor *eg_monitor_free(struct eg_monitor *monitor);
EG_DEFINE_CLEANUP(struct eg_monitor *, eg_monitor_free)

/*
 * Waits for events and visits those that are there; records of another version are
 * skipped. How many records were taken, 0 after timeout_ms without any, or -errno:
 * -EINTR after a signal, or what visit() returned.
 */
int eg_monitor_poll(struct eg_monitor *monitor, int timeout_ms);

#endif
