/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_BREAKER_H
#define EG_TESTS_BREAKER_H

/*
 * One enrolled cgroup with passthrough true, in a network namespace of the test's own.
 * The test's process joins it: its listener was made before and stands outside, the
 * sockets that it makes from then on hold leases.
 */
#include <stdint.h>

#include "cgroup.h"
#include "datapath/datapath.h"
#include "policy/rules.h"

#define BREAKER_SLOT 1u

struct breaker {
	struct eg_datapath *datapath;
	struct eg_cgroup cgroup;
	struct eg_links *links;
	struct eg_scope scope;
	struct eg_subject subject;
	char *home;	/* cgroup.procs of where the process came from */
	int listener;	/* outside, on every address */
	uint16_t port;
};

/* The process stays outside until breaker_join(). Skips without root. */
void breaker_make(struct breaker *breaker);
/* With room for so many leases, a power of two. */
void breaker_make_small(struct breaker *breaker, uint32_t leases);
void breaker_join(const struct breaker *breaker);
void breaker_leave(const struct breaker *breaker);
/*
 * Leaves, and asserts what holds at every moment of rest, whatever happened before: total = active + destroyed, and
 * each lease in the table is one that a gauge counts.
 */
void breaker_end(struct breaker *breaker);

/* The policy anew, after a change of breaker->subject. */
void breaker_apply(struct breaker *breaker);
struct eg_slot breaker_slot(const struct breaker *breaker);
/* All samples of a histogram. */
uint64_t breaker_samples(const struct eg_histogram *histogram);
/* CLOCK_MONOTONIC. */
uint64_t breaker_now_ms(void);

#endif
