/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/pinned.h"
#include "export/json.h"
#include "export/names.h"

#define FOLLOW_MS 1000

static const struct eg_command_help help = {
	.name = "destinations",
	.usage = "[--follow] [--json] [--verdict V] [--destination ADDR|CIDR[:PORT]] [WORKLOAD]",
	.text = "Lists where workloads connected or tried to, a line for each destination and\n"
		"verdict, loopback left out; and while mTLS is on who came in to them or tried to,\n"
		"a line for each source, port and verdict. Without WORKLOAD it is every workload's.\n"
		"Needs no running agent.",
};

static const struct eg_option options[] = {
	{"follow", NULL, "go on: a line for each that is new, or seen again", eg_listing_take_follow},
	{"json", NULL, "print JSON; with --follow an object a line", eg_listing_take_json},
	EG_LISTING_OPTION_VERDICT,
	EG_LISTING_OPTION_DESTINATION,
};

struct listing {
	struct eg_listing_words words;
	struct eg_pinned pinned;
	struct eg_destinations seen; /* at the last look */
};

static void destinations_clear(struct eg_destinations *destinations)
{
	eg_array_clear(&destinations->list);
}

static void listing_clear(struct listing *listing)
{
	destinations_clear(&listing->seen);
	eg_pinned_close(&listing->pinned);
}

/* ---- reading ---- */

/* A slot without an owner has left its destinations to be dropped, but for slot 0's. */
static const char *name_of(const struct listing *listing, uint32_t slot)
{
	const char *name = eg_pinned_name(&listing->pinned, slot);

	return !name && slot == 0 && !listing->words.workload ? "(none)" : name;
}

static bool is_wanted(const struct listing *listing, const struct eg_dest_key *key)
{
	return name_of(listing, key->slot) &&
	       eg_selection_has(&listing->words.selection, key->verdict, key->reason, &key->flow);
}

static int read_wanted(const struct listing *listing, struct eg_destinations *ret_destinations)
{
	size_t kept = 0;
	int r = eg_maps_read_destinations(&listing->pinned.maps, EG_ALL_SLOTS, ret_destinations);

	for (size_t i = 0; i < ret_destinations->list.len; i++)
		if (is_wanted(listing, &ret_destinations->list.items[i].key))
			ret_destinations->list.items[kept++] = ret_destinations->list.items[i];
	ret_destinations->list.len = kept;
	return r;
}

static int read_missed(const struct eg_pinned *pinned, uint64_t *ret_missed)
{
	*ret_missed = 0;
	for (size_t i = 0; i < pinned->slots.len; i++) {
		struct eg_slot_counts counts;
		int r = eg_maps_read_counts(&pinned->maps, pinned->slots.items[i].slot, &counts);

		if (r < 0)
			return r;
		*ret_missed += counts.destinations_missed;
	}
	return 0;
}

/* ---- output ---- */

/* NULL without memory. */
static json_t *entry_of(const struct listing *listing, const struct eg_destination *destination)
{
	const char *name = name_of(listing, destination->key.slot);
	json_t *entry = eg_json_destination(destination);

	if (entry && json_object_set_new(entry, "workload", eg_json_text(name, strlen(name))) == 0)
		return entry;
	json_decref(entry);
	return NULL;
}

static int print_list_json(const struct listing *listing, const struct eg_destinations *destinations, uint64_t missed)
{
	json_auto_t *document = json_pack("{s:[], s:I}", "destinations", "destinations_missed", (json_int_t)missed);
	json_t *list = json_object_get(document, "destinations");

	for (size_t i = 0; i < destinations->list.len; i++)
		if (json_array_append_new(list, entry_of(listing, &destinations->list.items[i])) < 0)
			return -ENOMEM;
	if (!document)
		return -ENOMEM;
	return json_dumpf(document, stdout, JSON_INDENT(2)) < 0 || printf("\n") < 0 ? -EIO : 0;
}

static void print_heading(void)
{
	printf("%-20s %-7s %-23s %-8s %-28s %8s  %-24s  %s\n", "WORKLOAD", "VERDICT", "REASON", "PROTOCOL", "DESTINATION",
	       "COUNT", "LAST SEEN", "FIRST BY");
}

static void print_row(const struct eg_destination *destination, const char *name)
{
	const struct eg_flow *flow = &destination->key.flow;
	char shown[EG_NAME_TEXT_MAX], protocol[12], ends[EG_ENDS_TEXT_MAX], last[EG_TIME_TEXT_MAX], comm[EG_COMM_LEN + 1];

	printf("%-20s %-7s %-23s %-8s %-28s %8" PRIu64 "  %s  %s[%u]\n", eg_name_format(name, shown),
	       eg_outcome_name(destination->key.verdict), eg_reason_name(destination->key.reason),
	       eg_protocol_name(flow->protocol, protocol), eg_ends_format(flow, destination->key.reason, ends),
	       (uint64_t)destination->seen.count, eg_time_format(destination->seen.last_seen_ns, last),
	       eg_comm_format(destination->seen.comm, comm), destination->seen.pid);
}

static int print_list(struct listing *listing)
{
	_cleanup_(destinations_clear) struct eg_destinations destinations = {};
	uint64_t missed = 0;
	int r = read_wanted(listing, &destinations);

	if (r == 0)
		r = read_missed(&listing->pinned, &missed);
	if (r < 0)
		return r;
	if (listing->words.json)
		return print_list_json(listing, &destinations, missed);
	print_heading();
	for (size_t i = 0; i < destinations.list.len; i++)
		print_row(&destinations.list.items[i], name_of(listing, destinations.list.items[i].key.slot));
	if (missed > 0)
		printf("%" PRIu64 " verdicts on destinations that the table has no place for\n", missed);
	return 0;
}

/* ---- following ---- */

static int say(const struct listing *listing, const struct eg_destination *destination)
{
	json_auto_t *entry = NULL;

	if (!listing->words.json) {
		print_row(destination, name_of(listing, destination->key.slot));
		return 0;
	}
	entry = entry_of(listing, destination);
	if (!entry)
		return -ENOMEM;
	return json_dumpf(entry, stdout, JSON_COMPACT) < 0 || putchar('\n') < 0 ? -EIO : 0;
}

/* Both are sorted alike. What is gone since is no news: it was not seen for long. */
static int say_news(const struct listing *listing, const struct eg_destinations *now)
{
	const struct eg_destinations *before = &listing->seen;
	size_t j = 0;
	int r = 0;

	for (size_t i = 0; i < now->list.len && r == 0; i++) {
		const struct eg_destination *destination = &now->list.items[i];

		while (j < before->list.len && eg_destination_compare(&before->list.items[j], destination) < 0)
			j++;
		if (j == before->list.len || eg_destination_compare(&before->list.items[j], destination) != 0 ||
		    before->list.items[j].seen.count != destination->seen.count)
			r = say(listing, destination);
	}
	return r;
}

/* Slots change owners while we run. */
static int look_again(struct listing *listing)
{
	struct eg_destinations now = {};
	int r;

	listing->pinned.slots.len = 0;
	r = eg_pinned_list_slots(&listing->pinned.maps, listing->words.workload, &listing->pinned);
	if (r == 0)
		r = read_wanted(listing, &now);
	if (r == 0)
		r = say_news(listing, &now);
	destinations_clear(&listing->seen);
	listing->seen = now;
	return r == 0 && fflush(stdout) != 0 ? -errno : r;
}

static int follow(struct listing *listing)
{
	_cleanup_close_ int interrupt_fd = -1;
	int r = eg_interrupt_open(&interrupt_fd);

	if (r == 0 && !listing->words.json)
		print_heading();
	do {
		if (r == 0)
			r = look_again(listing);
	} while (r == 0 && !eg_interrupt_wait(interrupt_fd, FOLLOW_MS));
	return r;
}

int eg_cmd_destinations(int argc, char **argv)
{
	_cleanup_(listing_clear) struct listing listing = {.pinned = EG_PINNED_NONE};
	int r = eg_listing_parse(argc, argv, &help, options, EG_COUNT_OF(options), &listing.words);

	if (r != 0)
		return r == EG_OPTIONS_HELP ? EG_EXIT_OK : EG_EXIT_USAGE;
	if (eg_pinned_open(help.name, listing.words.workload, &listing.pinned) < 0)
		return EG_EXIT_FAILED;
	r = listing.words.follow ? follow(&listing) : print_list(&listing);
	if (r == 0)
		return EG_EXIT_OK;
	eg_log_error("destinations: %s", strerror(-r));
	return EG_EXIT_FAILED;
}
