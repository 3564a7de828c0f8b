/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/pinned.h"
#include "datapath/walk.h"
#include "export/json.h"
#include "export/names.h"

#define FOLLOW_MS 1000

static const struct eg_command_help help = {
	.name = "flows",
	.usage = "[--follow] [--json] [--verdict V] [--destination ADDR|CIDR[:PORT]] [WORKLOAD]",
	.text = "Lists the open connections that hold a place of a passthrough cluster, and connected\n"
		"UDP sockets; and while mTLS is on, TCP connections that came in. With each are the\n"
		"bytes of payload until now. A socket that several processes have comes once for\n"
		"each. Without WORKLOAD it is every workload's.\n"
		"Needs no running agent.",
};

static const struct eg_option options[] = {
	{"follow", NULL, "go on: a line for each that is opened or ends", eg_listing_take_follow},
	{"json", NULL, "print JSON; with --follow an object a line", eg_listing_take_json},
	EG_LISTING_OPTION_VERDICT,
	EG_LISTING_OPTION_DESTINATION,
};

/* One of a process. */
struct flow {
	struct eg_held_socket socket;
	bool is_missed; /* the last look did not find it, which happens to one that is there */
};

struct flows {
	struct eg_listing_words words;
	struct eg_pinned pinned;
	EG_ARRAY(struct flow) list; /* by network namespace, cookie and process */
};

static void flows_clear(struct flows *flows)
{
	eg_array_clear(&flows->list);
	eg_pinned_close(&flows->pinned);
}

/* ---- reading ---- */

static bool is_wanted(const struct flows *flows, const struct eg_held_socket *socket)
{
	const struct eg_flow flow = eg_held_ends(socket);

	return eg_pinned_name(&flows->pinned, eg_lease_slot(socket->word)) &&
	       eg_selection_has(&flows->words.selection, socket->verdict, socket->reason, &flow);
}

/* Slots change owners while we run. */
static int list_slots(struct flows *flows)
{
	flows->pinned.slots.len = 0;
	return eg_pinned_list_slots(&flows->pinned.maps, flows->words.workload, &flows->pinned);
}

static int read_wanted(struct flows *flows, struct eg_walk *ret_walk)
{
	_cleanup_free_ char *problem = NULL;
	size_t kept = 0;
	int r = eg_pins_read_holders(flows->pinned.directory, ret_walk, &problem);

	if (r < 0) {
		eg_log_error("flows: %s", problem ? problem : strerror(-r));
		return r;
	}
	for (size_t i = 0; i < ret_walk->sockets.len; i++)
		if (is_wanted(flows, &ret_walk->sockets.items[i]))
			ret_walk->sockets.items[kept++] = ret_walk->sockets.items[i];
	ret_walk->sockets.len = kept;
	return 0;
}

/* ---- output ---- */

/*
 * What is not known has a dash: payload of UDP, how long nothing moved where nothing ever
 * did, and the age of what is kept without a lease.
 */
static void print_row(const struct eg_held_socket *socket, const char *workload)
{
	const struct eg_flow flow = eg_held_ends(socket);
	const uint64_t now = eg_now_ns();
	const bool is_tcp = flow.protocol == IPPROTO_TCP;
	char name[EG_NAME_TEXT_MAX], ends[EG_ENDS_TEXT_MAX], protocol[12], comm[EG_COMM_LEN + 1];
	char age[24] = "-", idle[24] = "-", rx[24] = "-", tx[24] = "-";

	if (socket->opened_ns)
		snprintf(age, sizeof(age), "%.1fs", eg_seconds_between(socket->opened_ns, now));
	if (socket->active_ns)
		snprintf(idle, sizeof(idle), "%.1fs", eg_seconds_between(socket->active_ns, now));
	if (is_tcp) {
		snprintf(rx, sizeof(rx), "%" PRIu64, (uint64_t)socket->rx_bytes);
		snprintf(tx, sizeof(tx), "%" PRIu64, (uint64_t)socket->tx_bytes);
	}
	printf("%-20s %-7s %-23s %-11s %-8s %-28s %11s %11s %12s %12s  %s[%u]\n", eg_name_format(workload, name),
	       socket->fate == EG_FATE_KEPT ? "kept" : eg_outcome_name(socket->verdict), eg_reason_name(socket->reason),
	       eg_held_state_name(socket), eg_protocol_name(flow.protocol, protocol),
	       eg_ends_format(&flow, socket->reason, ends), age, idle, rx, tx,
	       eg_comm_format(socket->comm, comm), socket->pid);
}

static void print_heading(void)
{
	printf("%-20s %-7s %-23s %-11s %-8s %-28s %11s %11s %12s %12s  %s\n", "WORKLOAD", "VERDICT", "REASON", "STATE",
	       "PROTOCOL", "DESTINATION", "AGE", "IDLE", "RX", "TX", "PROCESS");
}

static const char *name_of(const struct flows *flows, const struct eg_held_socket *socket)
{
	const char *name = eg_pinned_name(&flows->pinned, eg_lease_slot(socket->word));

	return name ? name : "(gone)";
}

static int print_list_json(const struct flows *flows, const struct eg_walk *walk)
{
	json_auto_t *document = json_pack("{s:[]}", "flows");
	json_t *list = json_object_get(document, "flows");

	for (size_t i = 0; i < walk->sockets.len; i++)
		if (json_array_append_new(list, eg_json_flow(&walk->sockets.items[i],
							     name_of(flows, &walk->sockets.items[i]))) < 0)
			return -ENOMEM;
	if (!document)
		return -ENOMEM;
	return json_dumpf(document, stdout, JSON_INDENT(2)) < 0 || printf("\n") < 0 ? -EIO : 0;
}

static int print_list(struct flows *flows)
{
	_cleanup_(eg_walk_clear) struct eg_walk walk = {};
	int r = read_wanted(flows, &walk);

	if (r < 0)
		return r;
	if (flows->words.json)
		return print_list_json(flows, &walk);
	print_heading();
	for (size_t i = 0; i < walk.sockets.len; i++)
		print_row(&walk.sockets.items[i], name_of(flows, &walk.sockets.items[i]));
	return 0;
}

/* ---- following ---- */

static int say_event(const struct flows *flows, const char *event, const struct eg_held_socket *socket)
{
	json_auto_t *json = NULL;

	if (!flows->words.json) {
		printf("%-5s ", event);
		print_row(socket, name_of(flows, socket));
		return 0;
	}
	json = eg_json_flow(socket, name_of(flows, socket));
	if (!json || json_object_set_new(json, "event", json_string(event)) < 0)
		return -ENOMEM;
	return json_dumpf(json, stdout, JSON_COMPACT) < 0 || putchar('\n') < 0 ? -EIO : 0;
}

/* By what a walk sorts them. */
static int compare(const struct eg_held_socket *a, const struct eg_held_socket *b)
{
	if (a->netns != b->netns)
		return a->netns < b->netns ? -1 : 1;
	if (a->cookie != b->cookie)
		return a->cookie < b->cookie ? -1 : 1;
	return a->pid == b->pid ? 0 : a->pid < b->pid ? -1 : 1;
}

/* What two looks have missed has ended. */
static int keep_or_end(struct flows *next, const struct flow *known)
{
	if (known->is_missed)
		return say_event(next, "end", &known->socket);
	return eg_array_push(&next->list, {known->socket, true});
}

static int take(struct flows *next, const struct eg_held_socket *found)
{
	return eg_array_push(&next->list, {*found, false});
}

static int take_new(struct flows *next, const struct eg_held_socket *found)
{
	int r = say_event(next, "open", found);

	return r < 0 ? r : take(next, found);
}

/* The same socket may have connected again. */
static int take_again(struct flows *next, const struct flow *known, const struct eg_held_socket *found)
{
	int r;

	if (known->socket.opened_ns == found->opened_ns)
		return take(next, found);
	r = say_event(next, "end", &known->socket);
	return r < 0 ? r : take_new(next, found);
}

/* Both are sorted alike. */
static int merge(const struct flows *flows, const struct eg_walk *walk, struct flows *next)
{
	const struct eg_held_socket *found = walk->sockets.items;
	const struct flow *known = flows->list.items;
	size_t i = 0, j = 0;
	int r = 0;

	while (r == 0 && (i < flows->list.len || j < walk->sockets.len)) {
		int order = i == flows->list.len ? 1 : j == walk->sockets.len ? -1 : compare(&known[i].socket, &found[j]);

		if (order < 0)
			r = keep_or_end(next, &known[i++]);
		else if (order > 0)
			r = take_new(next, &found[j++]);
		else
			r = take_again(next, &known[i++], &found[j++]);
	}
	return r;
}

static int look_again(struct flows *flows)
{
	_cleanup_(eg_walk_clear) struct eg_walk walk = {};
	struct flows next;
	int r = list_slots(flows);

	if (r == 0)
		r = read_wanted(flows, &walk);
	if (r < 0)
		return r;
	next = (struct flows){.words = flows->words, .pinned = flows->pinned};
	r = merge(flows, &walk, &next);
	eg_array_clear(&flows->list);
	flows->list.items = next.list.items;
	flows->list.len = next.list.len;
	flows->list.capacity = next.list.capacity;
	return r == 0 && fflush(stdout) != 0 ? -errno : r;
}

static int follow(struct flows *flows)
{
	_cleanup_close_ int interrupt_fd = -1;
	int r = eg_interrupt_open(&interrupt_fd);

	if (r == 0 && !flows->words.json) {
		printf("%-5s ", "EVENT");
		print_heading();
	}
	do {
		if (r == 0)
			r = look_again(flows);
	} while (r == 0 && !eg_interrupt_wait(interrupt_fd, FOLLOW_MS));
	return r;
}

int eg_cmd_flows(int argc, char **argv)
{
	_cleanup_(flows_clear) struct flows flows = {.pinned = EG_PINNED_NONE};
	int r = eg_listing_parse(argc, argv, &help, options, EG_COUNT_OF(options), &flows.words);

	if (r != 0)
		return r == EG_OPTIONS_HELP ? EG_EXIT_OK : EG_EXIT_USAGE;
	if (eg_pinned_open(help.name, flows.words.workload, &flows.pinned) < 0)
		return EG_EXIT_FAILED;
	r = flows.words.follow ? follow(&flows) : print_list(&flows);
	return r == 0 ? EG_EXIT_OK : EG_EXIT_FAILED;
}
