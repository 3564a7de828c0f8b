/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/foreign.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "egress/lease.h"
#include "export/json.h"
#include "export/names.h"

/* So many are named. */
#define NAMED 3

/* The one after `at` that is of the slot; walk->sockets.len: none. */
static size_t next_of_slot(const struct eg_walk *walk, uint32_t slot, size_t at)
{
	while (at < walk->sockets.len && eg_lease_slot(walk->sockets.items[at].word) != slot)
		at++;
	return at;
}

size_t eg_foreign_count(const struct eg_walk *walk, uint32_t slot)
{
	size_t count = 0;

	for (size_t at = next_of_slot(walk, slot, 0); at < walk->sockets.len; at = next_of_slot(walk, slot, at + 1))
		count++;
	return count;
}

static void print_socket(FILE *out, const struct eg_held_socket *socket)
{
	char place[EG_PLACE_TEXT_MAX], protocol[12], comm[EG_COMM_LEN + 1];
	const struct eg_flow flow = eg_held_flow(socket);

	fputs(eg_protocol_name(socket->protocol, protocol), out);
	if (socket->remote_port)
		fprintf(out, " to %s", eg_place_format(&flow, place));
	else if (socket->local_port)
		fprintf(out, " on port %u", socket->local_port);
	fprintf(out, " (%s[%u])", eg_comm_format(socket->comm, comm), socket->pid);
}

char *eg_foreign_text(const struct eg_walk *walk, uint32_t slot)
{
	_cleanup_(eg_buffer_clear) struct eg_buffer text = {};
	FILE *out = eg_buffer_open(&text);
	size_t said = 0;

	if (!out)
		return NULL;
	for (size_t at = next_of_slot(walk, slot, 0); at < walk->sockets.len; at = next_of_slot(walk, slot, at + 1)) {
		if (said++ == NAMED) {
			fputs("...", out);
			break;
		}
		fputs(said > 1 ? ", " : "", out);
		print_socket(out, &walk->sockets.items[at]);
	}
	return eg_buffer_close(&text, out) == 0 ? TAKE_PTR(text.bytes) : NULL;
}

static json_t *socket_json(const struct eg_held_socket *socket)
{
	char remote[EG_ADDR_TEXT_MAX], protocol[12];

	return json_pack("{s:s, s:s, s:i, s:i, s:b, s:I, s:o, s:I, s:I}", "protocol",
			 eg_protocol_name(socket->protocol, protocol), "address",
			 eg_addr_format(socket->family, &socket->remote, remote), "port", (int)socket->remote_port,
			 "local_port", (int)socket->local_port, "listens", socket->tcp_state == TCP_LISTEN, "pid",
			 (json_int_t)socket->pid, "comm", eg_json_text(socket->comm, strnlen(socket->comm, EG_COMM_LEN)),
			 "cgroup_id", (json_int_t)socket->cgroup_id, "netns", (json_int_t)socket->netns);
}

json_t *eg_foreign_json(const struct eg_walk *walk, uint32_t slot)
{
	json_t *list = json_array();

	for (size_t at = next_of_slot(walk, slot, 0); list && at < walk->sockets.len;
	     at = next_of_slot(walk, slot, at + 1)) {
		if (json_array_append_new(list, socket_json(&walk->sockets.items[at])) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}
