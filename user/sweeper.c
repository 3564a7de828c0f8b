/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "sweeper.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "datapath/walk.h"
#include "destroy.h"

#define NSEC_PER_MSEC UINT64_C(1000000)
/* Of the shortest timeout: how much later than its time a connection may end. */
#define PERIODS_A_TIMEOUT 10
/* Of a processor's time. */
#define COST_FRACTION 50
#define COLLECT_PERIOD_MS 10000

static uint64_t time_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 * NSEC_PER_MSEC + (uint64_t)now.tv_nsec;
}

void eg_sweep_clear(struct eg_sweep *sweep)
{
	eg_array_clear(&sweep->unreachable);
	*sweep = (struct eg_sweep){};
}

/* ---- one sweep ---- */

static int take_destroyed(const struct eg_held_socket *socket, int result, void *context)
{
	struct eg_sweep *sweep = context;

	sweep->destroyed += result == 0;
	return result < 0 ? eg_array_push(&sweep->unreachable, {*socket, result}) : 0;
}

int eg_sweep_run(struct eg_datapath *datapath, struct eg_sweep *ret_sweep)
{
	_cleanup_(eg_sweep_clear) struct eg_sweep sweep = {};
	_cleanup_(eg_walk_clear) struct eg_walk walk = {};
	uint64_t started_ns;
	/* Loading does not come with every sweep: it is none of its cost. */
	int r = eg_datapath_load_walks(datapath);

	started_ns = time_ns(CLOCK_THREAD_CPUTIME_ID);
	if (r == 0)
		r = eg_datapath_sweep(datapath, &walk);
	sweep.took_ns = time_ns(CLOCK_THREAD_CPUTIME_ID) - started_ns;
	sweep.looked_at = walk.looked_at;
	if (r == 0)
		r = eg_destroy_sockets(walk.sockets.items, walk.sockets.len, take_destroyed, &sweep);
	/* Nor does destroying; but what cannot be reached is looked for by every sweep. */
	if (sweep.unreachable.len > 0)
		sweep.took_ns = time_ns(CLOCK_THREAD_CPUTIME_ID) - started_ns;
	if (r < 0)
		return r;
	*ret_sweep = sweep;
	sweep = (struct eg_sweep){};
	return 0;
}

/* ---- one after the other ---- */

uint32_t eg_sweep_period_ms(uint64_t shortest_timeout_ms, uint32_t wanted_ms, uint64_t took_ns)
{
	uint64_t period = EG_SWEEP_PERIOD_MAX_MS, affordable = took_ns * COST_FRACTION / NSEC_PER_MSEC;

	if (wanted_ms > 0)
		return wanted_ms;
	if (shortest_timeout_ms > 0 && shortest_timeout_ms / PERIODS_A_TIMEOUT < period)
		period = shortest_timeout_ms / PERIODS_A_TIMEOUT;
	if (period < EG_SWEEP_PERIOD_MIN_MS)
		period = EG_SWEEP_PERIOD_MIN_MS;
	if (affordable > EG_SWEEP_PERIOD_COSTLY_MS)
		affordable = EG_SWEEP_PERIOD_COSTLY_MS;
	return (uint32_t)(period < affordable ? affordable : period);
}

/* When they get more: an operator who has seen it once knows. */
static void say_unreachable(struct eg_sweeper *sweeper)
{
	const struct eg_sweep *sweep = &sweeper->last;
	const struct eg_unreachable *first = sweep->unreachable.items;

	if (sweep->unreachable.len > sweeper->said_unreachable)
		eg_log_warning("sweep: %zu overdue connections live on: of the first, network namespace %u cannot be "
			       "entered, or the socket not be destroyed: %s",
			       sweep->unreachable.len, first->socket.netns, eg_destroy_problem(first->error));
	sweeper->said_unreachable = sweep->unreachable.len;
}

static void say_error(struct eg_sweeper *sweeper)
{
	if (sweeper->error < 0 && sweeper->error != sweeper->said_error)
		eg_log_error("sweep: idle_timeout and max_connection_duration end nothing: cannot walk over the "
			     "sockets: %s",
			     strerror(-sweeper->error));
	sweeper->said_error = sweeper->error;
}

/* The table is large, and what is left over in it does no harm for a while. */
static void collect(struct eg_sweeper *sweeper)
{
	uint64_t now = time_ns(CLOCK_MONOTONIC);
	int r;

	if (now - sweeper->collected_ns < COLLECT_PERIOD_MS * NSEC_PER_MSEC)
		return;
	sweeper->collected_ns = now;
	r = eg_datapath_collect(sweeper->datapath);
	if (r < 0 && r != sweeper->said_collect_error)
		eg_log_error("sweep: what ended connections left over is not collected: %s", strerror(-r));
	sweeper->said_collect_error = r;
}

static void take(struct eg_sweeper *sweeper, const struct eg_sweep *sweep)
{
	eg_sweep_clear(&sweeper->last);
	sweeper->last = *sweep;
	sweeper->swept_ns = time_ns(CLOCK_MONOTONIC);
	sweeper->destroyed += sweep->destroyed;
	say_unreachable(sweeper);
}

void eg_sweeper_run(struct eg_sweeper *sweeper)
{
	struct eg_sweep sweep = {};

	sweeper->error = eg_sweep_run(sweeper->datapath, &sweep);
	say_error(sweeper);
	if (sweeper->error == 0) {
		take(sweeper, &sweep);
		collect(sweeper);
	}
	sweeper->period_ms = eg_sweep_period_ms(eg_datapath_shortest_timeout_ms(sweeper->datapath), sweeper->wanted_ms,
						sweeper->last.took_ns);
	eg_log_debug("sweep: %llu looked at, %llu destroyed, %zu unreachable, %.3f ms; the next in %u ms",
		     (unsigned long long)sweeper->last.looked_at, (unsigned long long)sweep.destroyed,
		     sweeper->last.unreachable.len, (double)sweeper->last.took_ns / (double)NSEC_PER_MSEC,
		     sweeper->period_ms);
}

void eg_sweeper_clear(struct eg_sweeper *sweeper)
{
	eg_sweep_clear(&sweeper->last);
}

struct eg_agent_sweep eg_sweeper_report(const struct eg_sweeper *sweeper)
{
	return (struct eg_agent_sweep){
		.ended_ns = sweeper->swept_ns,
		.took_ns = sweeper->last.took_ns,
		.looked_at = sweeper->last.looked_at,
		.destroyed = sweeper->destroyed,
		.unreachable = (__u32)sweeper->last.unreachable.len,
		.period_ms = sweeper->period_ms,
		.error = (__u32)-sweeper->error,
	};
}
