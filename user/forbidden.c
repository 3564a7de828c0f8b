/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "forbidden.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "datapath/uncounted.h"
#include "datapath/walk.h"
#include "destroy.h"
#include "export/names.h"

#define NSEC_PER_MSEC UINT64_C(1000000)
/* Lines of a look: a policy may forbid thousands. */
#define LINES_MAX 50
#define NAME_MAX_LEN (EG_NAME_LEN + EG_PLACE_TEXT_MAX + EG_COMM_LEN + 32)

/* One look. */
struct look {
	struct eg_forbidden *forbidden;
	EG_ARRAY(struct eg_held_socket) ending; /* by network namespace */
	uint32_t waiting;
	uint32_t unreachable;
	uint64_t ended;
	uint64_t kept;
	struct eg_held_socket stuck; /* the first that is unreachable */
	int stuck_error;
};

static void look_clear(struct look *look)
{
	eg_array_clear(&look->ending);
}

/* ---- what is said ---- */

/* "shop: 192.0.2.10:443 (1996, curl)" */
static const char *name_of(const struct look *look, const struct eg_held_socket *socket, char *buffer, size_t size)
{
	struct eg_maps maps = eg_datapath_maps(look->forbidden->datapath);
	const struct eg_flow flow = eg_held_flow(socket);
	char place[EG_PLACE_TEXT_MAX], comm[EG_COMM_LEN + 1];
	struct eg_slot_info info = {};

	if (eg_maps_read_info(&maps, eg_lease_slot(socket->word), &info) < 0)
		strcpy(info.name, "(gone)");
	snprintf(buffer, size, "%s: %s (%u, %s)", info.name, eg_place_format(&flow, place), socket->pid,
		 eg_comm_format(socket->comm, comm));
	return buffer;
}

static void say_one(const struct look *look, const struct eg_held_socket *socket, const char *what)
{
	char name[NAME_MAX_LEN];

	if (look->ended + look->kept <= LINES_MAX)
		eg_log_info("policy: %s was open and is forbidden now: %s", name_of(look, socket, name, sizeof(name)),
			    what);
}

static void say_totals(const struct look *look)
{
	if (look->ended > 0)
		eg_log_info("policy: %llu connections that it forbids were ended", (unsigned long long)look->ended);
	if (look->kept > 0)
		eg_log_info("policy: %llu connections that it forbids are kept until they end",
			    (unsigned long long)look->kept);
}

/* When they get more: an operator who has seen it once knows. */
static void say_unreachable(const struct look *look)
{
	struct eg_forbidden *forbidden = look->forbidden;
	char name[NAME_MAX_LEN];

	if (look->unreachable > forbidden->said_unreachable)
		eg_log_warning("policy: %u connections that it forbids could not be ended, and the guard drops what they "
			       "send: the first is %s: %s",
			       look->unreachable, name_of(look, &look->stuck, name, sizeof(name)),
			       eg_destroy_problem(look->stuck_error));
	forbidden->said_unreachable = look->unreachable;
}

static void say_error(struct eg_forbidden *forbidden, int error, const char *what)
{
	if (error < 0 && error != forbidden->said_error)
		eg_log_error("policy: connections that it forbids %s: %s", what, strerror(-error));
	forbidden->said_error = error;
}

/* ---- what is done ---- */

/* What cannot be counted now is with the next look: it has ended, and nobody finds it again. */
static int count_ended(struct eg_forbidden *forbidden, uint32_t slot)
{
	int r = 0;

	while (forbidden->uncounted[slot] > 0 && r == 0) {
		r = eg_datapath_count_ended(forbidden->datapath, slot);
		forbidden->uncounted[slot] -= r == 0;
	}
	return r;
}

static int count_rest(struct eg_forbidden *forbidden)
{
	int r = 0;

	for (uint32_t slot = 0; slot < EG_SLOTS_MAX && r == 0; slot++)
		r = count_ended(forbidden, slot);
	return r;
}

static int take_destroyed(const struct eg_held_socket *socket, int result, void *context)
{
	const uint32_t slot = eg_lease_slot(socket->word);
	struct look *look = context;

	if (result < 0) {
		if (look->unreachable++ == 0) {
			look->stuck = *socket;
			look->stuck_error = result;
		}
		return 0;
	}
	if (result == 0) {
		look->forbidden->uncounted[slot]++;
		count_ended(look->forbidden, slot);
		look->ended++;
		say_one(look, socket, "ended");
	}
	return 0;
}

/* One that was accepted before the enrolment has nothing in the kernel that tells it from one that was opened. */
static int sort_by_fate(const struct eg_walk *walk, struct look *look)
{
	int r = 0;

	for (size_t i = 0; i < walk->sockets.len && r == 0; i++) {
		const struct eg_held_socket *socket = &walk->sockets.items[i];

		if (socket->fate == EG_FATE_NONE || !eg_uncounted_is_outbound(walk, socket))
			continue;
		if (socket->fate == EG_FATE_ENDS)
			r = eg_array_push(&look->ending, *socket);
		look->waiting += socket->fate == EG_FATE_WAITS;
		if (socket->fate != EG_FATE_KEPT)
			continue;
		look->kept++;
		say_one(look, socket, "kept");
	}
	return r;
}

static int look_once(struct look *look)
{
	_cleanup_(eg_walk_clear) struct eg_walk walk = {};
	int r = eg_datapath_list_forbidden(look->forbidden->datapath, &walk);

	if (r == 0)
		r = sort_by_fate(&walk, look);
	if (r == 0)
		r = eg_destroy_sockets(look->ending.items, look->ending.len, take_destroyed, look);
	return r;
}

/* While a grace lasts there may be something, and after it until a look has found nothing. */
static bool is_due(const struct eg_forbidden *forbidden)
{
	return forbidden->is_due || forbidden->until_ns || forbidden->seen.waiting || forbidden->seen.unreachable;
}

bool eg_forbidden_run(struct eg_forbidden *forbidden)
{
	_cleanup_(look_clear) struct look look = {.forbidden = forbidden};
	uint64_t until_ns;
	int r, counted;

	if (!is_due(forbidden))
		return false;
	/* Before the look: one that begins after the last deadline finds what is over. */
	until_ns = eg_datapath_next_grace_ns(forbidden->datapath);
	r = look_once(&look);
	counted = count_rest(forbidden);
	if (r < 0)
		say_error(forbidden, r, "are not ended: cannot walk over the sockets");
	else
		say_error(forbidden, counted, "were ended and are not counted yet");
	/* Done is done, wherever the look ended. */
	forbidden->seen.ended += look.ended;
	forbidden->seen.kept += look.kept;
	say_totals(&look);
	if (r < 0)
		return look.ended + look.kept > 0;
	forbidden->is_due = counted < 0;
	forbidden->until_ns = until_ns;
	forbidden->seen.waiting = look.waiting;
	forbidden->seen.unreachable = look.unreachable;
	say_unreachable(&look);
	return true;
}

uint32_t eg_forbidden_period_ms(const struct eg_forbidden *forbidden, uint32_t period_ms)
{
	uint64_t now = eg_now_ns(), wait_ms;

	/* A deadline that has passed is looked at anew; a look that fails is not made again at once. */
	if (!forbidden->until_ns || forbidden->said_error)
		return period_ms;
	wait_ms = forbidden->until_ns > now ? (forbidden->until_ns - now) / NSEC_PER_MSEC + 1 : 1;
	return wait_ms < period_ms ? (uint32_t)wait_ms : period_ms;
}
