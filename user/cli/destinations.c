/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/pinned.h"
#include "export/json.h"
#include "export/names.h"

static const struct eg_command_help help = {
	.name = "destinations",
	.usage = "[--json] [WORKLOAD]",
	.text = "Lists where workloads connected or tried to, a line for each destination and\n"
		"verdict, loopback left out. Without WORKLOAD it is every workload's.\n"
		"Needs no running agent.",
};

static const struct eg_option options[] = {
	{"json", NULL, "print JSON", eg_listing_take_json},
};

static void destinations_clear(struct eg_destinations *destinations)
{
	eg_array_clear(&destinations->list);
}

/* Those of the listed slots. A slot without an owner has left them to be dropped, but for slot 0's. */
static bool is_listed(const struct eg_pinned *pinned, const struct eg_listing_words *words, uint32_t slot,
		      const char **ret_name)
{
	*ret_name = eg_pinned_name(pinned, slot);
	if (!*ret_name && slot == 0 && !words->workload)
		*ret_name = "(none)";
	return *ret_name;
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

static int print_json(const struct eg_pinned *pinned, const struct eg_listing_words *words,
		      const struct eg_destinations *destinations, uint64_t missed)
{
	json_auto_t *document = json_pack("{s:[], s:I}", "destinations", "destinations_missed", (json_int_t)missed);
	json_t *list = json_object_get(document, "destinations");
	const char *name;

	for (size_t i = 0; i < destinations->list.len; i++) {
		const struct eg_destination *destination = &destinations->list.items[i];
		json_t *entry;

		if (!is_listed(pinned, words, destination->key.slot, &name))
			continue;
		entry = eg_json_destination(destination);
		if (!entry || json_object_set_new(entry, "workload", eg_json_text(name, strlen(name))) < 0 ||
		    json_array_append_new(list, entry) < 0)
			return -ENOMEM;
	}
	if (!document)
		return -ENOMEM;
	return json_dumpf(document, stdout, JSON_INDENT(2)) < 0 || printf("\n") < 0 ? -EIO : 0;
}

static void print_row(const struct eg_destination *destination, const char *name)
{
	const struct eg_flow *flow = &destination->key.flow;
	char protocol[12], place[EG_PLACE_TEXT_MAX], last[EG_TIME_TEXT_MAX], comm[EG_COMM_LEN + 1];

	printf("%-20s %-7s %-23s %-8s %-28s %8" PRIu64 "  %s  %s[%u]\n", name,
	       eg_outcome_name(destination->key.verdict), eg_reason_name(destination->key.reason),
	       eg_protocol_name(flow->protocol, protocol), eg_place_format(flow, place), (uint64_t)destination->seen.count,
	       eg_time_format(destination->seen.last_seen_ns, last), eg_comm_format(destination->seen.comm, comm),
	       destination->seen.pid);
}

static void print_table(const struct eg_pinned *pinned, const struct eg_listing_words *words,
			const struct eg_destinations *destinations, uint64_t missed)
{
	const char *name;

	printf("%-20s %-7s %-23s %-8s %-28s %8s  %-24s  %s\n", "WORKLOAD", "VERDICT", "REASON", "PROTOCOL", "DESTINATION",
	       "COUNT", "LAST SEEN", "FIRST BY");
	for (size_t i = 0; i < destinations->list.len; i++)
		if (is_listed(pinned, words, destinations->list.items[i].key.slot, &name))
			print_row(&destinations->list.items[i], name);
	if (missed > 0)
		printf("%" PRIu64 " verdicts on destinations that the table has no place for\n", missed);
}

int eg_cmd_destinations(int argc, char **argv)
{
	_cleanup_pinned_ struct eg_pinned pinned = EG_PINNED_NONE;
	_cleanup_(destinations_clear) struct eg_destinations destinations = {};
	struct eg_listing_words words = {};
	uint64_t missed;
	int r = eg_listing_parse(argc, argv, &help, options, EG_COUNT_OF(options), &words);

	if (r != 0)
		return r == EG_OPTIONS_HELP ? EG_EXIT_OK : EG_EXIT_USAGE;
	if (eg_pinned_open(help.name, words.workload, &pinned) < 0)
		return EG_EXIT_FAILED;
	r = eg_maps_read_destinations(&pinned.maps, EG_ALL_SLOTS, &destinations);
	if (r == 0)
		r = read_missed(&pinned, &missed);
	if (r == 0 && words.json)
		r = print_json(&pinned, &words, &destinations, missed);
	else if (r == 0)
		print_table(&pinned, &words, &destinations, missed);
	if (r == 0)
		return EG_EXIT_OK;
	eg_log_error("destinations: %s", strerror(-r));
	return EG_EXIT_FAILED;
}
