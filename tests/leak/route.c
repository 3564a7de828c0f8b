/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Source routes: the address that a hook sees is allowed, and the first hop on the way to it is not. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "leak.h"

#ifndef IPV6_RTHDR
#define IPV6_RTHDR 57
#endif
#define LSRR 131
#define SSRR 137
#define FIRST_POINTER 4
#define ROUTED "blocked-source-route"
#define IPV4_ROW "IPv4 source routes (LSRR, SSRR), by setsockopt"
#define IPV6_ROW "IPv6 routing headers, by setsockopt"
#define MESSAGE_ROW "IPv4 source routes by control message; both, set before the enrolment"

/* ---- the options ---- */

struct ipv4_route {
	uint8_t kind, len, pointer;
	struct in_addr hop; /* packed: it stands at 3 */
	uint8_t end;
} __attribute__((packed));

static struct ipv4_route ipv4_route(const struct trial *trial, uint8_t kind)
{
	return (struct ipv4_route){
		.kind = kind,
		.len = 3 + sizeof(struct in_addr),
		.pointer = FIRST_POINTER,
		.hop = trial->to[OUT4].ipv4.sin_addr,
	};
}

/* A segment routing header, type 4: the last one stands first, and is the destination. */
struct ipv6_route {
	uint8_t next, len, type, left, last, flags, tag[2];
	struct in6_addr segments[2];
};

static struct ipv6_route ipv6_route(const struct trial *trial)
{
	return (struct ipv6_route){
		.len = 2 * sizeof(struct in6_addr) / 8,
		.type = 4,
		.left = 1,
		.last = 1,
		.segments = {trial->to[MESH6].ipv6.sin6_addr, trial->to[OUT6].ipv6.sin6_addr},
	};
}

/* The header of mobile IPv6, type 2: one address, which is the final one for the kernel, too. */
struct home_route {
	uint8_t next, len, type, left;
	uint32_t reserved;
	struct in6_addr hop;
};

/* ---- by setsockopt ---- */

static int set_ipv4_route(int fd, const struct trial *trial, uint8_t kind)
{
	struct ipv4_route route = ipv4_route(trial, kind);

	return told(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, &route, sizeof(route)));
}

int route_set_ipv4(int fd, const struct trial *trial)
{
	return set_ipv4_route(fd, trial, LSRR);
}

static int set_ipv6_route(int fd, const struct trial *trial)
{
	struct ipv6_route route = ipv6_route(trial);

	return told(setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, &route, sizeof(route)));
}

static int go(const char *name, int fd, const struct trial *trial, enum place to)
{
	struct errand errand = trial_errand(trial);

	errand.to = &trial->to[to];
	return way_find(name)->run(fd, &errand);
}

/* What goes on after the option was refused could only reach the mesh. */
static int by_ipv4_option_to(const struct trial *trial, const char *way, uint8_t kind, enum place to)
{
	int fd = way_socket(way_find(way), &trial->to[to]);
	int r = set_ipv4_route(fd, trial, kind);

	return r < 0 ? r : go(way, fd, trial, to);
}

static int by_ipv4_option(const struct trial *trial, const char *way, uint8_t kind)
{
	return by_ipv4_option_to(trial, way, kind, MESH4);
}

static int lsrr_udp(struct trial *trial)
{
	return by_ipv4_option(trial, "udp-sendto", LSRR);
}

static int lsrr_udp_connected(struct trial *trial)
{
	return by_ipv4_option(trial, "udp-connect", LSRR);
}

static int ssrr_udp(struct trial *trial)
{
	return by_ipv4_option(trial, "udp-sendto", SSRR);
}

/* The first hop does not pass it on: the SYN is what leaves. */
static int lsrr_tcp(struct trial *trial)
{
	return by_ipv4_option(trial, "tcp-abandon", LSRR);
}

static int header_udp(struct trial *trial)
{
	int fd = way_socket(way_find("udp-sendto"), &trial->to[MESH6]);
	int r = set_ipv6_route(fd, trial);

	return r < 0 ? r : go("udp-sendto", fd, trial, MESH6);
}

static int header_udp_connected(struct trial *trial)
{
	int fd = way_socket(way_find("udp-connect"), &trial->to[MESH6]);
	int r = set_ipv6_route(fd, trial);

	return r < 0 ? r : go("udp-connect", fd, trial, MESH6);
}

/* ---- by control message ---- */

static int send_with(const struct trial *trial, enum place place, int level, int type, const void *option, size_t len)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(64)];
	} control = {.header = {.cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(len)}};
	struct iovec payload = {(void *)trial->mark, WIRE_MARK_LEN};
	struct msghdr message = {
		.msg_name = (void *)&trial->to[place].any,
		.msg_namelen = trial->to[place].len,
		.msg_iov = &payload,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(len),
	};
	int fd = way_socket(way_find("udp-sendmsg"), &trial->to[place]);

	memcpy(CMSG_DATA(&control.header), option, len);
	return told(sendmsg(fd, &message, 0));
}

static int lsrr_message(struct trial *trial)
{
	struct ipv4_route route = ipv4_route(trial, LSRR);

	return send_with(trial, MESH4, IPPROTO_IP, IP_RETOPTS, &route, sizeof(route));
}

/* The one type that is taken so; a kernel without mobile IPv6 takes none. */
static int header_message(struct trial *trial)
{
	struct home_route route = {.len = 2, .type = 2, .left = 1, .hop = trial->to[OUT6].ipv6.sin6_addr};
	int r = send_with(trial, MESH6, IPPROTO_IPV6, IPV6_RTHDR, &route, sizeof(route));

	return r == -EINVAL ? -EOPNOTSUPP : r;
}

/* Options of IPv4 on a socket of IPv6, which reaches it by mapped addresses. */
static int lsrr_mapped(struct trial *trial)
{
	return by_ipv4_option_to(trial, "udp-sendto", LSRR, MESH_MAPPED);
}

/* ---- set before ---- */

static int set_lsrr(struct trial *trial)
{
	trial->fd = way_socket(way_find("udp-sendto"), &trial->to[MESH4]);
	return route_set_ipv4(trial->fd, trial);
}

static int lsrr_earlier(struct trial *trial)
{
	return go("udp-sendto", trial->fd, trial, MESH4);
}

static int set_header(struct trial *trial)
{
	trial->fd = way_socket(way_find("udp-sendto"), &trial->to[MESH6]);
	return set_ipv6_route(trial->fd, trial);
}

static int header_earlier(struct trial *trial)
{
	return go("udp-sendto", trial->fd, trial, MESH6);
}

const struct leak_case route_cases[] = {
	{"lsrr-tcp", IPV4_ROW, .run = lsrr_tcp, .arrives = WIRE_PACKET, .reason = ROUTED},
	{"lsrr-udp", IPV4_ROW, .run = lsrr_udp, .reason = ROUTED},
	{"lsrr-udp-connect", IPV4_ROW, .run = lsrr_udp_connected, .reason = ROUTED},
	{"ssrr-udp", IPV4_ROW, .run = ssrr_udp, .reason = ROUTED},
	{"lsrr-mapped", IPV4_ROW, .run = lsrr_mapped, .reason = ROUTED},
	{"rthdr-udp", IPV6_ROW, .run = header_udp, .reason = ROUTED},
	{"rthdr-udp-connect", IPV6_ROW, .run = header_udp_connected, .reason = ROUTED},
	{"lsrr-message", MESSAGE_ROW, .run = lsrr_message, .reason = ROUTED},
	{"rthdr-message", "IPv6 routing headers, by control message", .run = header_message, .reason = ROUTED, .optional = true},
	{"lsrr-earlier", MESSAGE_ROW, .before = set_lsrr, .run = lsrr_earlier, .past = EARLIER, .reason = ROUTED},
	{"rthdr-earlier", MESSAGE_ROW, .before = set_header, .run = header_earlier, .past = EARLIER, .reason = ROUTED},
};
const unsigned int route_count = EG_COUNT_OF(route_cases);
