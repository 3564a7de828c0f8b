/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_JSON_H
#define EG_EXPORT_JSON_H

/* The contracts' records as JSON, the same in every listing. New references; NULL without memory. */
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "datapath/maps.h"
#include "egress/event.h"
#include "egress/lease.h"
#include "export/totals.h"

/* Enough for an eg_time_format() result. */
#define EG_TIME_TEXT_MAX 40

/*
 * A time of CLOCK_MONOTONIC, which the programs stamp with, as UTC wall-clock time,
 * by the difference of the clocks now: "2026-01-02T03:04:05.678Z". Returns buffer.
 */
const char *eg_time_format(uint64_t monotonic_ns, char buffer[EG_TIME_TEXT_MAX]);

/* Commands and processes may be called anything; JSON text is UTF-8 only, so that what is not says just that. */
json_t *eg_json_text(const char *bytes, size_t len);
json_t *eg_json_string(const char *string);
/* Ages are of now. */
json_t *eg_json_flow(const struct eg_held_socket *socket, const char *workload);
json_t *eg_json_destination(const struct eg_destination *destination);
/* count, sum_ms, and buckets: for each of Envoy's bounds upper_bound (ms) and cumulative, the samples below it. */
json_t *eg_json_histogram(const struct eg_histogram *histogram);
/* All there are, by their dotted names. */
json_t *eg_json_histograms(const struct eg_totals *totals);
/* `workload` may be NULL: a slot that nobody has any more. */
json_t *eg_json_event(const struct eg_event *event, const char *workload);

#endif
