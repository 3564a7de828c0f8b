/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * usage: tsc_khz
 *
 * The frequency of this machine's time stamp counter, in kHz, which an emulated machine's has too. vmtest/boot
 * tells it to the guest's kernel, which would measure it against emulated timers, and be wrong at times.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct reading {
	int64_t ns;
	uint64_t ticks;
};

static struct reading read_both(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (struct reading){.ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec, .ticks = __rdtsc()};
}

/* A reading that is interrupted between its two halves is wrong by as long: of 0.2 s, a millisecond is half a percent. */
int main(void)
{
	const struct timespec pause = {.tv_nsec = 200000000};
	struct reading from = read_both(), to;

	nanosleep(&pause, NULL);
	to = read_both();
	printf("%.0f\n", (double)(to.ticks - from.ticks) * 1e6 / (double)(to.ns - from.ns));
	return 0;
}
