/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "../lib/support/slow.h"
#include "base/clock.h"
#include "workload/netns.h"

#define BUFFER_BYTES (8 << 20)
#define PACKET_MAX 65536
#define MARK_FORMAT "EGLEAK:%04u:"
#define MARK_FIND "EGLEAK:"
#define MOMENT_PORT 19999
#define SETTLE_MS 10000

uint16_t wire_port(unsigned int number)
{
	return (uint16_t)(WIRE_PORT_FIRST + number);
}

void wire_mark(unsigned int number, char ret_mark[WIRE_MARK_LEN + 1])
{
	snprintf(ret_mark, WIRE_MARK_LEN + 1, MARK_FORMAT, number);
}

/* ---- a packet ---- */

struct packet {
	bool in_mesh;
	uint8_t protocol;
	const uint8_t *rest; /* behind the IP header */
	size_t rest_len;
};

static bool read_packet(const struct wire *wire, const uint8_t *bytes, size_t len, struct packet *ret)
{
	const struct iphdr *ipv4 = (const void *)bytes;
	const struct ip6_hdr *ipv6 = (const void *)bytes;
	size_t header;

	if (len >= sizeof(*ipv4) && ipv4->version == 4) {
		header = ipv4->ihl * 4u;
		ret->in_mesh = ipv4->daddr == wire->mesh_ipv4.s_addr;
		ret->protocol = ipv4->protocol;
	} else if (len >= sizeof(*ipv6) && ipv4->version == 6) {
		header = sizeof(*ipv6);
		ret->in_mesh = IN6_ARE_ADDR_EQUAL(&ipv6->ip6_dst, &wire->mesh_ipv6);
		ret->protocol = ipv6->ip6_nxt;
	} else {
		return false;
	}
	if (header > len)
		return false;
	ret->rest = bytes + header;
	ret->rest_len = len - header;
	return true;
}

/* 0 where there is none. Those protocols all have it at the same place. */
static uint16_t port_of(const struct packet *packet)
{
	switch (packet->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		return packet->rest_len < 4 ? 0 : (uint16_t)(packet->rest[2] << 8 | packet->rest[3]);
	default:
		return 0;
	}
}

/* The number of the trial whose payload this has, or -1. */
static int marked_as(const struct packet *packet)
{
	const char *mark = memmem(packet->rest, packet->rest_len, MARK_FIND, strlen(MARK_FIND));
	char text[WIRE_MARK_LEN + 1] = "";
	unsigned int number;

	if (!mark || (const char *)packet->rest + packet->rest_len - mark < WIRE_MARK_LEN)
		return -1;
	memcpy(text, mark, WIRE_MARK_LEN);
	return sscanf(text, MARK_FORMAT, &number) == 1 && number < WIRE_TRIALS_MAX ? (int)number : -1;
}

static void note(uint8_t *seen, enum wire_seen now)
{
	if (*seen < now)
		*seen = now;
}

/* True for one that marks the present moment. */
static bool take_packet(struct wire *wire, const struct packet *packet)
{
	uint16_t port = port_of(packet);
	int number = marked_as(packet);
	uint32_t moment;

	if (packet->protocol == IPPROTO_UDP && port == MOMENT_PORT && packet->rest_len >= 8 + sizeof(moment)) {
		memcpy(&moment, packet->rest + 8, sizeof(moment));
		return moment == wire->moment;
	}
	if (number >= 0)
		note(packet->in_mesh ? &wire->in_mesh[number] : &wire->seen[number], WIRE_PAYLOAD);
	else if (port >= WIRE_PORT_FIRST && port < WIRE_PORT_FIRST + WIRE_TRIALS_MAX)
		note(packet->in_mesh ? &wire->in_mesh[port - WIRE_PORT_FIRST] : &wire->seen[port - WIRE_PORT_FIRST],
		     WIRE_PACKET);
	return false;
}

/* What the peer itself sends is not of interest. 1 for one that marks the present moment. */
static int take_one(struct wire *wire)
{
	static uint8_t bytes[PACKET_MAX];
	struct sockaddr_ll from;
	socklen_t from_len = sizeof(from);
	struct packet packet;
	ssize_t len = recvfrom(wire->fd, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);

	if (len < 0 || from.sll_pkttype == PACKET_OUTGOING || !read_packet(wire, bytes, (size_t)len, &packet))
		return 0;
	return take_packet(wire, &packet);
}

/* ---- waiting ---- */

static int left_ms(uint64_t until_ns)
{
	uint64_t now_ns = eg_now_ns();

	return now_ns < until_ns ? (int)((until_ns - now_ns) / 1000000) + 1 : 0;
}

static uint64_t deadline_ns(int timeout_ms)
{
	return eg_now_ns() + (uint64_t)timeout_ms * 1000000;
}

/* Whether something is there to be taken. */
static bool wait_until(const struct wire *wire, uint64_t until_ns)
{
	struct pollfd wait = {.fd = wire->fd, .events = POLLIN};

	return poll(&wait, 1, left_ms(until_ns)) > 0;
}

static int send_moment(struct wire *wire)
{
	struct destination to = wire->outside;

	to.ipv4.sin_port = htons(MOMENT_PORT);
	return sendto(wire->sender, &wire->moment, sizeof(wire->moment), 0, &to.any, to.len) < 0 ? -errno : 0;
}

/* A veth device passes packets on by the backlog of the sending CPU, in order. 1 for each CPU that sent one. */
static int send_moment_from(struct wire *wire, int cpu, const cpu_set_t *allowed)
{
	cpu_set_t one;
	int r;

	if (!CPU_ISSET(cpu, allowed))
		return 0;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		return -errno;
	r = send_moment(wire);
	return r < 0 ? r : 1;
}

static int send_moments(struct wire *wire)
{
	cpu_set_t allowed;
	int sent = 0, r = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return -errno;
	wire->moment++;
	for (int cpu = 0; cpu < CPU_SETSIZE && r >= 0; cpu++, sent += r > 0)
		r = send_moment_from(wire, cpu, &allowed);
	sched_setaffinity(0, sizeof(allowed), &allowed);
	return r < 0 ? r : sent;
}

int wire_settle(struct wire *wire)
{
	uint64_t until_ns = deadline_ns(slow_ms(SETTLE_MS));
	int left = send_moments(wire);

	if (left < 0)
		return left;
	while (left > 0 && wait_until(wire, until_ns))
		left -= take_one(wire);
	return left > 0 ? -ETIMEDOUT : 0;
}

bool wire_await(struct wire *wire, const uint8_t *seen, enum wire_seen full, int timeout_ms)
{
	uint64_t until_ns = deadline_ns(timeout_ms);

	while (*seen < full && wait_until(wire, until_ns))
		take_one(wire);
	return *seen >= full;
}

void wire_forget(struct wire *wire, unsigned int number)
{
	wire->seen[number] = wire->in_mesh[number] = WIRE_NOTHING;
}

/* ---- the capture ---- */

static int open_capture(void *context)
{
	static const int bytes = BUFFER_BYTES;
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		return -errno;
	*(int *)context = fd;
	return 0;
}

int wire_open(int peer_netns, const struct destination *outside, const char *mesh_ipv4, const char *mesh_ipv6,
	      struct wire *ret_wire)
{
	int r;

	*ret_wire = (struct wire){.outside = *outside};
	if (inet_pton(AF_INET, mesh_ipv4, &ret_wire->mesh_ipv4) != 1 ||
	    inet_pton(AF_INET6, mesh_ipv6, &ret_wire->mesh_ipv6) != 1)
		return -EINVAL;
	r = eg_netns_call(peer_netns, open_capture, &ret_wire->fd);
	if (r < 0)
		return r;
	ret_wire->sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return ret_wire->sender < 0 ? -errno : 0;
}
