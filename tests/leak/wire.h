/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_LEAK_WIRE_H
#define EG_LEAK_WIRE_H

/*
 * The far end of the veth pair: whatever arrives there has left. Nothing else is
 * believed, neither the sender nor the kernel's counters.
 *
 * A packet is a trial's by the mark in its payload, or by the port that it goes to,
 * which no other trial has. What goes to the mesh is allowed and told apart.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../lib/support/destination.h"

#define WIRE_TRIALS_MAX 512
#define WIRE_MARK_LEN 12
#define WIRE_PORT_FIRST 20000

/* What has arrived of a trial; the more, the larger. */
enum wire_seen {
	WIRE_NOTHING,
	WIRE_PACKET, /* one that its payload was not in: a SYN */
	WIRE_PAYLOAD,
};

struct wire {
	int fd;	       /* the capture, at the peer's end */
	int sender;    /* of the packets that mark a moment */
	uint32_t moment;
	struct destination outside;
	struct in_addr mesh_ipv4;
	struct in6_addr mesh_ipv6;
	uint8_t seen[WIRE_TRIALS_MAX];	  /* enum wire_seen: at another address than the mesh's */
	uint8_t in_mesh[WIRE_TRIALS_MAX]; /* the same, at the mesh's */
};

/* `outside` is an address of the peer's that is not mesh. 0, or -errno. */
int wire_open(int peer_netns, const struct destination *outside, const char *mesh_ipv4, const char *mesh_ipv6,
	      struct wire *ret_wire);

/* Of trial `number`. */
uint16_t wire_port(unsigned int number);
/* WIRE_MARK_LEN bytes and a NUL. */
void wire_mark(unsigned int number, char ret_mark[WIRE_MARK_LEN + 1]);

/*
 * Takes in all that was sent before now, by any CPU: a packet from each of them, sent
 * now, has arrived. 0, or -ETIMEDOUT.
 */
int wire_settle(struct wire *wire);
/* Takes in what comes, until the trial has been seen there, in full or more (true), or the time is up. */
bool wire_await(struct wire *wire, const uint8_t *seen, enum wire_seen full, int timeout_ms);
/* As if nothing of it had arrived. */
void wire_forget(struct wire *wire, unsigned int number);

#endif
