/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "datapath/uncounted.h"

#include <netinet/tcp.h>
#include <stdbool.h>

static bool is_inbound(const struct eg_walk *walk, const struct eg_held_socket *socket)
{
	for (size_t i = 0; i < walk->sockets.len; i++) {
		const struct eg_held_socket *other = &walk->sockets.items[i];

		if (other->tcp_state == TCP_LISTEN && other->netns == socket->netns &&
		    other->local_port == socket->local_port)
			return true;
	}
	return false;
}

bool eg_uncounted_is_outbound(const struct eg_walk *walk, const struct eg_held_socket *socket)
{
	return socket->tcp_state != TCP_LISTEN && !is_inbound(walk, socket);
}

struct eg_uncounted eg_uncounted_of(const struct eg_walk *walk, uint32_t slot, enum eg_mode mode)
{
	struct eg_uncounted uncounted = {};

	for (size_t i = 0; i < walk->sockets.len; i++) {
		const struct eg_held_socket *socket = &walk->sockets.items[i];
		const bool is_forbidden = socket->reason == EG_REASON_BLOCKED_PASSTHROUGH_OFF;

		if (eg_lease_slot(socket->word) != slot || !eg_uncounted_is_outbound(walk, socket))
			continue;
		if (is_forbidden && mode == EG_MODE_AUDIT)
			continue;
		if (uncounted.outbound++ == 0)
			uncounted.first = *socket;
		uncounted.forbidden += is_forbidden;
	}
	return uncounted;
}
