/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "datapath/monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/pinned.h"
#include "export/json.h"
#include "export/names.h"

/* How often signals and the counters of what was lost are looked at. */
#define POLL_MS 250

static const struct eg_command_help help = {
	.name = "monitor",
	.usage = "[--json] [--verdict V] [--destination ADDR|CIDR[:PORT]] [WORKLOAD]",
	.text = "Prints a line for each refused attempt, and each that audit mode let pass, until it\n"
		"is interrupted; what is allowed\n"
		"is counted and gives no event. Events over a workload's rate limit are\n"
		"suppressed, and lost when nobody reads; how many is said on standard error.\n"
		"Run one at a time: an event goes to one reader only. Needs no running agent.",
};

static const struct eg_option options[] = {
	{"json", NULL, "print a JSON object a line", eg_listing_take_json},
	EG_LISTING_OPTION_VERDICT,
	EG_LISTING_OPTION_DESTINATION,
};

struct monitoring {
	struct eg_listing_words words;
	struct eg_pinned pinned;
	struct eg_slot_counts seen;	/* what was said to be lost and suppressed */
};

/* ---- events ---- */

/* Slots change owners while we run. */
static bool is_wanted(const struct monitoring *monitoring, uint32_t slot, struct eg_slot_info *ret_info)
{
	if (eg_maps_read_info(&monitoring->pinned.maps, slot, ret_info) < 0 || ret_info->use == EG_SLOT_FREE)
		ret_info->name[0] = '\0';
	return !monitoring->words.workload || eg_pinned_is_named(ret_info->name, monitoring->words.workload);
}

static void print_line(const struct eg_event *event, const char *workload)
{
	const struct eg_flow *flow = &event->flow;
	char ends[EG_ENDS_TEXT_MAX], protocol[12], comm[EG_COMM_LEN + 1], time[EG_TIME_TEXT_MAX], name[EG_NAME_TEXT_MAX];

	printf("%s %s %s %s %s %s %s[%u]\n", eg_time_format(event->time_ns, time),
	       *workload ? eg_name_format(workload, name) : "(none)",
	       eg_outcome_name(event->verdict), eg_reason_name(event->reason),
	       eg_protocol_name(flow->protocol, protocol), eg_ends_format(flow, event->reason, ends),
	       eg_comm_format(event->comm, comm), event->pid);
}

static int print_json(const struct eg_event *event, const char *workload)
{
	json_auto_t *json = eg_json_event(event, *workload ? workload : NULL);

	if (!json)
		return -ENOMEM;
	return json_dumpf(json, stdout, JSON_COMPACT) < 0 || putchar('\n') < 0 ? -EIO : 0;
}

static int show_event(const struct eg_event *event, void *context)
{
	const struct monitoring *monitoring = context;
	struct eg_slot_info info;
	int r = 0;

	if (!is_wanted(monitoring, event->slot, &info) ||
	    !eg_selection_has(&monitoring->words.selection, event->verdict, event->reason, &event->flow))
		return 0;
	if (monitoring->words.json)
		r = print_json(event, info.name);
	else
		print_line(event, info.name);
	return r == 0 && fflush(stdout) != 0 ? -errno : r;
}

/* ---- what was not shown ---- */

static int sum_counts(const struct monitoring *monitoring, struct eg_slot_counts *ret_counts)
{
	struct eg_slot_counts counts, sum = {};
	struct eg_slot_info info;
	uint32_t slot = 0;
	int r;

	for (; (r = eg_maps_read_counts(&monitoring->pinned.maps, slot, &counts)) == 0; slot++)
		if (is_wanted(monitoring, slot, &info))
			eg_counts_add(&sum, &counts);
	*ret_counts = sum;
	return r == -ENOENT ? 0 : r;
}

static int say_what_is_missing(struct monitoring *monitoring)
{
	struct eg_slot_counts now;
	uint64_t suppressed, lost;
	int r = sum_counts(monitoring, &now);

	if (r < 0)
		return r;
	/* A slot that was given back takes its counts with it. */
	suppressed = now.events_suppressed > monitoring->seen.events_suppressed
			     ? now.events_suppressed - monitoring->seen.events_suppressed
			     : 0;
	lost = now.events_lost > monitoring->seen.events_lost ? now.events_lost - monitoring->seen.events_lost : 0;
	if (suppressed > 0 || lost > 0)
		eg_log_warning("monitor: not shown: %" PRIu64 " events over the rate limit, %" PRIu64
			       " that the buffer had no room for",
			       suppressed, lost);
	monitoring->seen = now;
	return 0;
}

/* ---- the command ---- */

static int run(struct monitoring *monitoring)
{
	_cleanup_(eg_monitor_freep) struct eg_monitor *monitor = NULL;
	_cleanup_close_ int interrupt_fd = -1;
	int r = eg_interrupt_open(&interrupt_fd);

	if (r == 0)
		r = sum_counts(monitoring, &monitoring->seen);
	if (r == 0)
		r = eg_monitor_new(&monitoring->pinned.maps, show_event, monitoring, &monitor);
	while (r >= 0 && !eg_interrupt_wait(interrupt_fd, 0)) {
		r = eg_monitor_poll(monitor, POLL_MS);
		if (r == -EINTR)
			r = 0;
		if (r >= 0)
			r = say_what_is_missing(monitoring);
	}
	return r < 0 ? r : 0;
}

int eg_cmd_monitor(int argc, char **argv)
{
	struct monitoring monitoring = {.pinned = EG_PINNED_NONE};
	int r = eg_listing_parse(argc, argv, &help, options, EG_COUNT_OF(options), &monitoring.words);

	if (r != 0)
		return r == EG_OPTIONS_HELP ? EG_EXIT_OK : EG_EXIT_USAGE;
	if (eg_pinned_open(help.name, monitoring.words.workload, &monitoring.pinned) < 0)
		return EG_EXIT_FAILED;
	r = run(&monitoring);
	eg_pinned_close(&monitoring.pinned);
	if (r == 0)
		return EG_EXIT_OK;
	eg_log_error("monitor: %s", strerror(-r));
	return EG_EXIT_FAILED;
}
