/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/preflight.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ager.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/text.h"
#include "cli/cli.h"
#include "datapath/uncounted.h"
#include "export/json.h"

#define NSEC_PER_SEC INT64_C(1000000000)
#define NSEC_PER_USEC 1000
#define USEC_PER_SEC INT64_C(1000000)
/* From the year 1, which eg_parse_time() counts from, to 1970. */
#define EPOCH_S INT64_C(62135596800)

static const struct eg_command_help help = {
	.name = "preflight",
	.usage = "[--policy PATH]... [--since DUR|TIME] [--json|--emit-policy] [WORKLOAD]",
	.text = "Lists what would be cut if passthrough were false, and mTLS STRICT where it is\n"
		"PERMISSIVE, or if --policy were loaded: each destination that was reached, each\n"
		"connection that is open and each client that came in, judged by what holds now, or by\n"
		"that policy. Exit status: 0 nothing would be, 4 something would, or something\n"
		"was not recorded, 1 failed, 2 usage, 3 the policy is wrong. Needs no running agent.",
};

/* ---- the command line ---- */

static int take_policy(const char *value, void *context)
{
	struct eg_preflight_words *words = context;

	return eg_array_push(&words->policies.list, value);
}

static int64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/* How long ago it was that a text says: a duration, or a time. 0, or -EINVAL. */
static int parse_age(const char *text, int64_t *ret_ns)
{
	const int64_t now_us = wall_ns() / NSEC_PER_USEC;
	int64_t unix_us;
	uint64_t us;

	if (eg_parse_duration(text, ret_ns) == 0)
		return *ret_ns < 0 ? -EINVAL : 0;
	if (eg_parse_time(text, &us) < 0)
		return -EINVAL;
	unix_us = (int64_t)us - EPOCH_S * USEC_PER_SEC;
	if (unix_us < 0)
		unix_us = 0;
	/* In nanoseconds a year after 2262 is none. */
	if (unix_us > now_us)
		return -EINVAL;
	*ret_ns = (now_us - unix_us) * NSEC_PER_USEC;
	return 0;
}

static int take_since(const char *value, void *context)
{
	struct eg_preflight_words *words = context;
	uint64_t now = eg_now_ns();
	int64_t age_ns;

	if (parse_age(value, &age_ns) < 0)
		return eg_options_error(help.name, "--since wants how long ago, as 90m or 36h, or a time that has been, as "
						   "2026-01-02T03:04:05Z, not '%s'", value);
	words->has_since = true;
	/* What was before the machine started, nobody has seen. */
	words->since_ns = (uint64_t)age_ns < now ? now - (uint64_t)age_ns : 0;
	return 0;
}

static int take_emit_policy(const char *value, void *context)
{
	struct eg_preflight_words *words = context;

	(void)value;
	words->emits_policy = true;
	return 0;
}

static const struct eg_option options[] = {
	{"policy", "PATH", "judge by this file or folder; may be given several times", take_policy},
	{"since", "DUR|TIME", "leave out what was last seen before, and is not open", take_since},
	{"emit-policy", NULL, "print documents that keep it working with passthrough false", take_emit_policy},
	{"json", NULL, "print JSON", eg_listing_take_json},
};

static void clear_words(struct eg_preflight_words *words)
{
	eg_array_clear(&words->policies.list);
}

/* ---- what is not known ---- */

int eg_preflight_add_gap(struct eg_preflight_report *report, const char *workload, const char *format, ...)
{
	struct eg_gap gap = {.workload = workload};
	va_list args;
	int r;

	va_start(args, format);
	r = eg_text_format_escaped(&gap.what, format, args);
	va_end(args);
	if (r < 0)
		return r;
	r = eg_array_push(&report->gaps, gap);
	if (r < 0)
		free(gap.what);
	return r;
}

/* What left the table for want of room was last seen before all that is in it: maybe since the time that is asked for. */
static bool may_have_left_since(const struct eg_destinations *destinations, uint32_t slot, uint64_t since_ns)
{
	for (size_t i = 0; i < destinations->list.len; i++)
		if (destinations->list.items[i].key.slot == slot && destinations->list.items[i].seen.last_seen_ns < since_ns)
			return false;
	return true;
}

static int add_missed(struct eg_preflight_report *report, const struct eg_pinned_slot *slot, uint64_t since_ns)
{
	struct eg_slot_counts counts;
	int r = eg_maps_read_counts(&report->pinned.maps, slot->slot, &counts);

	if (r == 0 && counts.destinations_missed > 0)
		r = eg_preflight_add_gap(report, slot->info.name,
					 "%" PRIu64 " connects or datagrams went to destinations that the table had no place "
					 "for", (uint64_t)counts.destinations_missed);
	if (r == 0 && counts.destinations_evicted > 0 &&
	    may_have_left_since(&report->destinations, slot->slot, since_ns))
		r = eg_preflight_add_gap(report, slot->info.name,
					 "%" PRIu64 " destinations left the table to make room for others",
					 (uint64_t)counts.destinations_evicted);
	return r;
}

/* Without a time that asks for more, what is forgotten by now does not matter. */
static int add_forgotten(struct eg_preflight_report *report, const struct eg_preflight_words *words)
{
	const uint64_t now = eg_now_ns(), kept_since = now > EG_AGE_DEFAULT_NS ? now - EG_AGE_DEFAULT_NS : 0;
	char text[EG_TIME_TEXT_MAX];

	if (!words->has_since || words->since_ns >= kept_since)
		return 0;
	return eg_preflight_add_gap(report, NULL, "what nobody has tried since %s is forgotten",
				    eg_time_format(kept_since, text));
}

static int add_late_start(struct eg_preflight_report *report, const struct eg_pinned_slot *slot,
			  const struct eg_preflight_words *words)
{
	char enrolled[EG_TIME_TEXT_MAX];

	if (!words->has_since || slot->info.enrolled_ns <= words->since_ns)
		return 0;
	return eg_preflight_add_gap(report, slot->info.name, "it is enrolled since %s: what was before is not known",
				    eg_time_format(slot->info.enrolled_ns, enrolled));
}

static int add_gaps(struct eg_preflight_report *report, const struct eg_preflight_words *words)
{
	int r = add_forgotten(report, words);

	for (size_t i = 0; i < report->pinned.slots.len && r == 0; i++) {
		const struct eg_pinned_slot *slot = &report->pinned.slots.items[i];

		r = add_missed(report, slot, words->since_ns);
		if (r == 0)
			r = add_late_start(report, slot, words);
	}
	return r;
}

/* ---- what was seen ---- */

/* What was accepted is not the workload's to reach, and what is kept without a lease is cut by no policy. */
static bool was_connected(const struct eg_walk *walk, const struct eg_held_socket *socket)
{
	(void)walk;
	return eg_lease_state(socket->word) != EG_LEASE_TRUSTED && eg_lease_state(socket->word) != EG_LEASE_NONE;
}

static const struct look {
	const char *what;
	int (*read)(const char *directory, struct eg_walk *ret_walk, char **ret_problem);
	bool (*is_outbound)(const struct eg_walk *walk, const struct eg_held_socket *socket);
} looks[] = {
	{"connections that are open", eg_pins_read_flows, was_connected},
	/* without a lease: or let pass by audit mode */
	{"connections that are older than the enrolment", eg_pins_read_uncounted, eg_uncounted_is_outbound},
};

/* A walk that nobody can make leaves a gap. */
static int add_connections(struct eg_preflight_report *report, const struct look *look)
{
	_cleanup_(eg_walk_clear) struct eg_walk walk = {};
	_cleanup_free_ char *problem = NULL;
	int r = look->read(report->pinned.directory, &walk, &problem);

	if (r < 0 && r != -ENOMEM)
		return eg_preflight_add_gap(report, NULL, "%s cannot be listed: %s", look->what,
					    problem ? problem : strerror(-r));
	for (size_t i = 0; i < walk.sockets.len && r == 0; i++) {
		const struct eg_held_socket *socket = &walk.sockets.items[i];

		if (look->is_outbound(&walk, socket))
			r = eg_preflight_add_connection(&report->preflight, eg_lease_slot(socket->word), socket);
	}
	return r;
}

static int add_destinations(struct eg_preflight_report *report)
{
	const struct eg_destinations *destinations = &report->destinations;
	int r = 0;

	for (size_t i = 0; i < destinations->list.len && r == 0; i++)
		r = eg_preflight_add_destination(&report->preflight, &destinations->list.items[i].key,
						 &destinations->list.items[i].seen);
	return r;
}

static int gather(struct eg_preflight_report *report, const struct eg_preflight_words *words)
{
	int r = words->policies.list.len > 0 ? eg_judges_read_policy(report, words) : eg_judges_read_in_force(report);

	if (r < 0)
		return r;
	report->preflight.subjects = report->judges.by_slot;
	report->preflight.since_ns = words->since_ns;
	r = eg_maps_read_destinations(&report->pinned.maps, EG_ALL_SLOTS, &report->destinations);
	if (r == 0)
		r = add_gaps(report, words);
	for (size_t i = 0; i < EG_COUNT_OF(looks) && r == 0; i++)
		r = add_connections(report, &looks[i]);
	if (r == 0)
		r = add_destinations(report);
	eg_preflight_sort(&report->preflight);
	return r;
}

/* ---- the command ---- */

static void judges_clear(struct eg_judges *judges)
{
	eg_ruleset_free(judges->rules);
	eg_cli_policy_clear(&judges->policy);
	free(judges->closed);
	free(judges->by_slot);
}

static void report_clear(struct eg_preflight_report *report)
{
	for (size_t i = 0; i < report->gaps.len; i++)
		free(report->gaps.items[i].what);
	eg_array_clear(&report->gaps);
	eg_preflight_clear(&report->preflight);
	eg_array_clear(&report->destinations.list);
	judges_clear(&report->judges);
	eg_pinned_close(&report->pinned);
	eg_arena_clear(&report->arena);
}

static int print(const struct eg_preflight_report *report, const struct eg_preflight_words *words)
{
	if (words->emits_policy)
		return eg_preflight_print_policy(report);
	if (words->listing.json)
		return eg_preflight_print_json(report, words);
	eg_preflight_print(report, words);
	return 0;
}

static int report_failure(int error)
{
	if (error == -EBADMSG)
		return EG_EXIT_INVALID;
	if (error == -ESTALE) {
		eg_log_error("preflight: the policy in force was another one each time that it had been read: ask again once "
			     "fewer cgroups come and go");
		return EG_EXIT_FAILED;
	}
	eg_log_error("preflight: %s%s", strerror(-error), error == -EPERM || error == -EACCES ? ": root is needed" : "");
	return EG_EXIT_FAILED;
}

int eg_cmd_preflight(int argc, char **argv)
{
	_cleanup_(report_clear) struct eg_preflight_report report = {.pinned = EG_PINNED_NONE};
	_cleanup_(clear_words) struct eg_preflight_words words = {};
	int r = eg_listing_parse(argc, argv, &help, options, EG_COUNT_OF(options), &words.listing);

	if (r != 0)
		return r == EG_OPTIONS_HELP ? EG_EXIT_OK : EG_EXIT_USAGE;
	if (words.emits_policy && words.listing.json) {
		eg_options_error(help.name, "--emit-policy prints YAML; remove --json");
		return EG_EXIT_USAGE;
	}
	if (eg_pinned_open(help.name, words.listing.workload, &report.pinned) < 0)
		return EG_EXIT_FAILED;
	r = gather(&report, &words);
	if (r == 0)
		r = print(&report, &words);
	if (r < 0)
		return report_failure(r);
	return report.preflight.cuts.len + report.gaps.len > 0 ? EG_EXIT_FOUND : EG_EXIT_OK;
}
