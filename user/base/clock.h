/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_CLOCK_H
#define EG_BASE_CLOCK_H

/* The clock that the programs stamp with. */
#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC. */
static inline uint64_t eg_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* 0 for a time that another CPU wrote a moment ahead of ours. */
static inline double eg_seconds_between(uint64_t since_ns, uint64_t now_ns)
{
	return now_ns > since_ns ? (double)(now_ns - since_ns) / 1e9 : 0;
}

#endif
