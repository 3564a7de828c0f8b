/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* egressctl top: what each workload does a second, from two looks at its counters. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/pinned.h"
#include "export/json.h"
#include "export/names.h"
#include "export/totals.h"

#define INTERVAL_MS 2000
#define INTERVAL_MIN_MS 100
#define INTERVAL_MAX_MS 3600000
#define NSEC_PER_MSEC 1000000
/* To the left upper corner, and nothing below it. */
#define CLEAR_SCREEN "\033[H\033[J"

static const struct eg_command_help help = {
	.name = "top",
	.usage = "[--interval DUR] [--count N] [--json] [WORKLOAD]",
	.text = "Lists the workloads every two seconds, those with the most verdicts a second\n"
		"first, until it is interrupted: verdicts and bytes a second since the look before,\n"
		"and the connections that are open. Needs no running agent; with the agent dead the\n"
		"bytes of a connection count when it ends.",
};

struct top_words {
	struct eg_listing_words listing;
	uint32_t interval_ms;
	uint32_t count; /* 0: until it is interrupted */
};

/* One workload at one look. */
struct load {
	uint32_t slot;
	char name[EG_NAME_LEN];
	uint64_t allowed; /* verdicts; audited ones are refused */
	uint64_t refused;
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	uint64_t connections;
	uint64_t pending;
	uint64_t sessions;
};

struct look {
	uint64_t time_ns;
	EG_ARRAY(struct load) loads; /* by slot; once it is compared, busiest first */
};

static void look_clear(struct look *look)
{
	eg_array_clear(&look->loads);
}

/* ---- the command line ---- */

static int take_interval(const char *value, void *context)
{
	struct top_words *words = context;
	int64_t ns;

	if (eg_parse_duration(value, &ns) < 0 || ns < (int64_t)INTERVAL_MIN_MS * NSEC_PER_MSEC ||
	    ns > (int64_t)INTERVAL_MAX_MS * NSEC_PER_MSEC)
		return eg_options_error(help.name, "--interval is a time from 100ms to 1h, not '%s'", value);
	words->interval_ms = (uint32_t)(ns / NSEC_PER_MSEC);
	return 0;
}

static int take_count(const char *value, void *context)
{
	struct top_words *words = context;

	if (eg_parse_u32(value, &words->count) < 0 || words->count == 0)
		return eg_options_error(help.name, "--count is a number from 1, not '%s'", value);
	return 0;
}

static const struct eg_option options[] = {
	{"interval", "DUR", "how long between two lists, 2s by default", take_interval},
	{"count", "N", "end after so many lists", take_count},
	{"json", NULL, "print a JSON object a line, one for each list", eg_listing_take_json},
};

/* ---- looking ---- */

static void add_verdicts(const struct eg_slot_counts *counts, struct load *load)
{
	for (unsigned int reason = 0; reason < EG_REASON_COUNT; reason++) {
		uint64_t *sum = eg_reason_verdict(reason) == EG_VERDICT_ALLOWED ? &load->allowed : &load->refused;

		*sum += eg_reason_count(counts, (enum eg_reason)reason);
	}
}

static struct load load_of(const struct eg_pinned_slot *slot, const struct eg_totals *totals)
{
	const struct eg_slot_counts *counts = &totals->counts;
	struct load load = {
		.slot = slot->slot,
		.rx_bytes = counts->ipv4.cluster.rx_bytes + counts->ipv6.cluster.rx_bytes,
		.tx_bytes = counts->ipv4.cluster.tx_bytes + counts->ipv6.cluster.tx_bytes,
		.connections = totals->ipv4.connections + totals->ipv6.connections,
		.pending = totals->ipv4.pending + totals->ipv6.pending,
		.sessions = totals->ipv4.sessions + totals->ipv6.sessions,
	};

	strcpy(load.name, slot->info.name);
	add_verdicts(counts, &load);
	return load;
}

/* Slots change owners while we run: they are listed anew each time. */
static int look(struct eg_pinned *pinned, const char *workload, struct look *ret_look)
{
	_cleanup_(look_clear) struct look now = {.time_ns = eg_now_ns()};
	int r;

	pinned->slots.len = 0;
	r = eg_pinned_list_slots(&pinned->maps, workload, pinned);
	for (size_t i = 0; i < pinned->slots.len && r == 0; i++) {
		struct eg_totals totals = {};

		r = eg_totals_add_slot(&totals, &pinned->maps, pinned->slots.items[i].slot);
		if (r == 0)
			r = eg_array_push(&now.loads, load_of(&pinned->slots.items[i], &totals));
	}
	if (r < 0)
		return r;
	*ret_look = now;
	now = (struct look){};
	return 0;
}

/* The same workload at the look before, or NULL. */
static const struct load *find_before(const struct look *before, const struct load *load)
{
	for (size_t i = 0; i < before->loads.len; i++)
		if (before->loads.items[i].slot == load->slot &&
		    strcmp(before->loads.items[i].name, load->name) == 0)
			return &before->loads.items[i];
	return NULL;
}

/* A workload that was renamed has left its counts with the old name. */
static uint64_t since(uint64_t before, uint64_t now)
{
	return now > before ? now - before : 0;
}

/* ---- comparing ---- */

static struct load difference(const struct load *before, const struct load *now)
{
	struct load load = *now;

	load.allowed = since(before->allowed, now->allowed);
	load.refused = since(before->refused, now->refused);
	load.rx_bytes = since(before->rx_bytes, now->rx_bytes);
	load.tx_bytes = since(before->tx_bytes, now->tx_bytes);
	return load;
}

static int busier_first(const void *first, const void *second)
{
	const struct load *a = first, *b = second;
	uint64_t verdicts_a = a->allowed + a->refused, verdicts_b = b->allowed + b->refused;

	if (verdicts_a != verdicts_b)
		return verdicts_a > verdicts_b ? -1 : 1;
	if (a->connections != b->connections)
		return a->connections > b->connections ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* What was not there at the look before has done all that it did since. */
static int compare(const struct look *before, const struct look *now, struct look *ret_change)
{
	static const struct load nothing;
	_cleanup_(look_clear) struct look change = {.time_ns = now->time_ns - before->time_ns};
	int r = 0;

	for (size_t i = 0; i < now->loads.len && r == 0; i++) {
		const struct load *known = find_before(before, &now->loads.items[i]);

		r = eg_array_push(&change.loads, difference(known ? known : &nothing, &now->loads.items[i]));
	}
	if (r < 0)
		return r;
	if (change.loads.len > 0)
		qsort(change.loads.items, change.loads.len, sizeof(*change.loads.items), busier_first);
	*ret_change = change;
	change = (struct look){};
	return 0;
}

/* ---- output ---- */

/* Of a terminal, below the heading; SIZE_MAX where there is none. */
static size_t count_rows(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0)
		return SIZE_MAX;
	return size.ws_row > 2 ? size.ws_row - 2u : 1;
}

static void print_table(const struct look *change)
{
	double seconds = (double)change->time_ns / 1e9;
	size_t rows = count_rows();

	printf("%s%-32s %12s %12s %11s %8s %8s %14s %14s\n", rows == SIZE_MAX ? "" : CLEAR_SCREEN, "WORKLOAD",
	       "ALLOWED/S", "REFUSED/S", "CONNECTIONS", "PENDING", "SESSIONS", "RX/S", "TX/S");
	for (size_t i = 0; i < change->loads.len && i < rows; i++) {
		const struct load *load = &change->loads.items[i];
		char name[EG_NAME_TEXT_MAX];

		printf("%-32s %12.1f %12.1f %11" PRIu64 " %8" PRIu64 " %8" PRIu64 " %14.0f %14.0f\n",
		       eg_name_format(load->name, name), (double)load->allowed / seconds,
		       (double)load->refused / seconds, load->connections, load->pending, load->sessions,
		       (double)load->rx_bytes / seconds,
		       (double)load->tx_bytes / seconds);
	}
}

static json_t *json_of(const struct load *load)
{
	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "workload", eg_json_string(load->name), "allowed",
			 (json_int_t)load->allowed, "refused", (json_int_t)load->refused, "connections",
			 (json_int_t)load->connections, "pending", (json_int_t)load->pending, "sessions",
			 (json_int_t)load->sessions, "rx_bytes", (json_int_t)load->rx_bytes, "tx_bytes",
			 (json_int_t)load->tx_bytes);
}

/* Whole numbers, and the time that they are of: whoever reads it divides. */
static int print_json(const struct look *change)
{
	json_auto_t *document = json_pack("{s:I, s:[]}", "period_ms", (json_int_t)(change->time_ns / NSEC_PER_MSEC),
					  "workloads");
	json_t *list = json_object_get(document, "workloads");

	for (size_t i = 0; i < change->loads.len; i++)
		if (json_array_append_new(list, json_of(&change->loads.items[i])) < 0)
			return -ENOMEM;
	if (!document)
		return -ENOMEM;
	return json_dumpf(document, stdout, JSON_COMPACT) < 0 || putchar('\n') < 0 ? -EIO : 0;
}

static int show(const struct top_words *words, const struct look *before, const struct look *now)
{
	_cleanup_(look_clear) struct look change = {};
	int r = compare(before, now, &change);

	if (r == 0 && words->listing.json)
		r = print_json(&change);
	else if (r == 0)
		print_table(&change);
	return r == 0 && fflush(stdout) != 0 ? -errno : r;
}

/* ---- the command ---- */

static int look_and_show(const struct top_words *words, struct eg_pinned *pinned, struct look *last)
{
	_cleanup_(look_clear) struct look now = {};
	int r = look(pinned, words->listing.workload, &now);

	if (r == 0)
		r = show(words, last, &now);
	if (r < 0)
		return r;
	look_clear(last);
	*last = now;
	now = (struct look){};
	return 0;
}

static int run(const struct top_words *words, struct eg_pinned *pinned)
{
	_cleanup_(look_clear) struct look last = {};
	_cleanup_close_ int interrupt_fd = -1;
	uint32_t shown = 0;
	int r = eg_interrupt_open(&interrupt_fd);

	if (r == 0)
		r = look(pinned, words->listing.workload, &last);
	while (r == 0 && (words->count == 0 || shown < words->count) &&
	       !eg_interrupt_wait(interrupt_fd, (int)words->interval_ms)) {
		if (shown++ > 0 && !words->listing.json && count_rows() == SIZE_MAX)
			printf("\n");
		r = look_and_show(words, pinned, &last);
	}
	return r;
}

int eg_cmd_top(int argc, char **argv)
{
	_cleanup_pinned_ struct eg_pinned pinned = EG_PINNED_NONE;
	struct top_words words = {.interval_ms = INTERVAL_MS};
	int r = eg_listing_parse(argc, argv, &help, options, EG_COUNT_OF(options), &words.listing);

	if (r != 0)
		return r == EG_OPTIONS_HELP ? EG_EXIT_OK : EG_EXIT_USAGE;
	if (eg_pinned_open(help.name, words.listing.workload, &pinned) < 0)
		return EG_EXIT_FAILED;
	r = run(&words, &pinned);
	if (r == 0)
		return EG_EXIT_OK;
	eg_log_error("top: %s", strerror(-r));
	return EG_EXIT_FAILED;
}
