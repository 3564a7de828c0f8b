/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "ways.h"

#include <errno.h>
#include <linux/dccp.h>
#include <linux/l2tp.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SOL_DCCP
#define SOL_DCCP 269
#endif
#ifndef SOCK_DCCP
#define SOCK_DCCP 6
#endif
#ifndef AF_SMC
#define AF_SMC 43
#endif
#ifndef IPPROTO_L2TP
#define IPPROTO_L2TP 115
#endif
#define SMCPROTO_SMC6 1
#ifndef IPPROTO_SMC
#define IPPROTO_SMC 256
#endif
/* Not one of the protocols that a kernel knows: RFC 3692 keeps it for experiments. */
#define EXPERIMENT 253
#define ECHO_REQUEST_6 128

/* A destination that swallows packets ends a test with EINPROGRESS or EAGAIN, not with a hang. */
#define SEND_TIMEOUT_S 5
#define DATAGRAMS_PER_CALL 3

static int result_of(ssize_t returned)
{
	return returned < 0 ? -errno : 0;
}

/* ---- connected ---- */

static int connect_to(int fd, const struct destination *to)
{
	return result_of(connect(fd, &to->any, to->len));
}

/* As the first of two. */
static int connect_first(int fd, const struct destination *to)
{
	int r = connect_to(fd, to);

	if (r < 0)
		fprintf(stderr, "first destination: %s\n", strerrorname_np(-r));
	return r;
}

static int do_connect(int fd, const struct errand *errand)
{
	return connect_to(fd, errand->to);
}

static int do_connect_nonblocking(int fd, const struct errand *errand)
{
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	socklen_t len = sizeof(int);
	int error = 0;

	if (connect_to(fd, errand->to) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	if (poll(&wait, 1, SEND_TIMEOUT_S * 1000) <= 0)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

static int do_send(int fd, const struct errand *errand)
{
	return result_of(send(fd, errand->payload, errand->len, MSG_NOSIGNAL));
}

static int do_connect_send(int fd, const struct errand *errand)
{
	int r = do_connect(fd, errand);

	return r < 0 ? r : do_send(fd, errand);
}

static int do_connect_nonblocking_send(int fd, const struct errand *errand)
{
	int r = do_connect_nonblocking(fd, errand);

	return r < 0 ? r : do_send(fd, errand);
}

/* Until the other side ends it: 0, or its errno. */
static int read_to_end(int fd)
{
	char data[4096];
	ssize_t len;

	do {
		len = recv(fd, data, sizeof(data), 0);
	} while (len > 0);
	return result_of(len);
}

static int do_connect_read(int fd, const struct errand *errand)
{
	int r = do_connect(fd, errand);

	return r < 0 ? r : read_to_end(fd);
}

static int do_connect_send_read(int fd, const struct errand *errand)
{
	int r = do_connect_send(fd, errand);

	return r < 0 ? r : read_to_end(fd);
}

/* Gives a connect up that has only begun. */
static int do_abandon(int fd, const struct errand *errand)
{
	int r = do_connect(fd, errand);

	return r == -EINPROGRESS ? 0 : r;
}

static int do_fastopen(int fd, const struct errand *errand)
{
	return result_of(sendto(fd, errand->payload, errand->len, MSG_FASTOPEN | MSG_NOSIGNAL, &errand->to->any,
				errand->to->len));
}

static int do_fastopen_connect(int fd, const struct errand *errand)
{
	int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)) < 0)
		return -errno;
	return do_connect_send(fd, errand);
}

/* Connected by decree, without a handshake: the first packet is one that asks for the window. */
static int do_repair(int fd, const struct errand *errand)
{
	int on = TCP_REPAIR_ON, off = TCP_REPAIR_OFF;
	int r;

	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0)
		return -errno;
	r = do_connect(fd, errand);
	if (r < 0)
		return r;
	return result_of(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)));
}

static int do_dccp(int fd, const struct errand *errand)
{
	uint32_t service = htonl(1);

	if (setsockopt(fd, SOL_DCCP, DCCP_SOCKOPT_SERVICE, &service, sizeof(service)) < 0)
		return -errno;
	return do_connect(fd, errand);
}

/* ---- datagrams ---- */

static int send_to(int fd, const struct destination *to, const struct errand *errand, int flags)
{
	return result_of(sendto(fd, errand->payload, errand->len, flags, &to->any, to->len));
}

static int do_sendto(int fd, const struct errand *errand)
{
	return send_to(fd, errand->to, errand, 0);
}

/* An IPv4 datagram socket takes AF_UNSPEC for AF_INET. */
static int do_sendto_unspec(int fd, const struct errand *errand)
{
	struct destination unspec = *errand->to;

	unspec.any.sa_family = AF_UNSPEC;
	return send_to(fd, &unspec, errand, 0);
}

static struct msghdr message_of(const struct errand *errand, struct iovec *payload)
{
	*payload = (struct iovec){.iov_base = (void *)errand->payload, .iov_len = errand->len};
	return (struct msghdr){
		.msg_name = (void *)&errand->to->any,
		.msg_namelen = errand->to->len,
		.msg_iov = payload,
		.msg_iovlen = 1,
	};
}

static int do_sendmsg(int fd, const struct errand *errand)
{
	struct iovec payload;
	struct msghdr message = message_of(errand, &payload);

	return result_of(sendmsg(fd, &message, 0));
}

static int do_sendmmsg(int fd, const struct errand *errand)
{
	struct mmsghdr messages[DATAGRAMS_PER_CALL] = {};
	struct iovec payload;
	int sent;

	for (int i = 0; i < DATAGRAMS_PER_CALL; i++)
		messages[i].msg_hdr = message_of(errand, &payload);
	sent = sendmmsg(fd, messages, DATAGRAMS_PER_CALL, 0);
	if (sent < 0)
		return -errno;
	return sent == DATAGRAMS_PER_CALL ? 0 : -EMSGSIZE;
}

/* What was sent has to be answered. */
static int hear_answer(int fd)
{
	struct timeval timeout = {.tv_sec = SEND_TIMEOUT_S};
	char data[64];

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	return result_of(recv(fd, data, sizeof(data), 0));
}

static int do_sendto_hear(int fd, const struct errand *errand)
{
	int r = do_sendto(fd, errand);

	return r < 0 ? r : hear_answer(fd);
}

static int do_connect_send_hear(int fd, const struct errand *errand)
{
	int r = do_connect_send(fd, errand);

	return r < 0 ? r : hear_answer(fd);
}

/* Begun for the first; what the second call adds goes with it, whatever its address is. */
static int do_cork(int fd, const struct errand *errand)
{
	int r = result_of(sendto(fd, "", 0, MSG_MORE, &errand->to->any, errand->to->len));

	return r < 0 ? r : send_to(fd, errand->then, errand, 0);
}

/* Connected to the first, then a datagram for the second. */
static int do_connected_sendto(int fd, const struct errand *errand)
{
	int r = connect_first(fd, errand->to);

	return r < 0 ? r : send_to(fd, errand->then, errand, 0);
}

/* Connected to the first, then to the second without a disconnect between them. */
static int do_reconnect(int fd, const struct errand *errand)
{
	int r = connect_first(fd, errand->to);

	return r < 0 ? r : connect_to(fd, errand->then);
}

/* An IPv6 socket becomes one of IPv4: only what is connected to a mapped address may. */
static int do_become_ipv4(int fd, const struct errand *errand)
{
	int family = AF_INET, r = connect_first(fd, errand->to);

	if (r == 0)
		r = result_of(setsockopt(fd, IPPROTO_IPV6, IPV6_ADDRFORM, &family, sizeof(family)));
	return r < 0 ? r : send_to(fd, errand->then, errand, 0);
}

/* The same, and something is sent, be the second connect refused or not. */
static int do_reconnect_send(int fd, const struct errand *errand)
{
	int r = do_reconnect(fd, errand), sent = do_send(fd, errand);

	return r < 0 ? r : sent;
}

static int do_disconnect_reconnect(int fd, const struct errand *errand)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	int r = connect_first(fd, errand->to);

	if (r < 0)
		return r;
	if (connect(fd, &none, sizeof(none)) < 0)
		return -errno;
	return connect_to(fd, errand->then);
}

static int do_disconnect_reconnect_send(int fd, const struct errand *errand)
{
	int r = do_disconnect_reconnect(fd, errand);

	return r < 0 ? r : do_send(fd, errand);
}

/* ---- headers of one's own ---- */

#define HEADER_MAX 64

/* The payload behind a header. */
static int send_behind(int fd, const struct errand *errand, const void *header, size_t len, bool connected)
{
	char packet[HEADER_MAX + 256];

	if (len > HEADER_MAX || errand->len > sizeof(packet) - HEADER_MAX)
		return -EMSGSIZE;
	memcpy(packet, header, len);
	memcpy(packet + len, errand->payload, errand->len);
	return result_of(sendto(fd, packet, len + errand->len, 0, connected ? NULL : &errand->to->any,
				connected ? 0 : errand->to->len));
}

/* Raw sockets of IPv6 are addressed without a port. */
static struct errand without_port(const struct errand *errand, struct destination *to)
{
	struct errand portless = *errand;

	*to = *errand->to;
	to->ipv4.sin_port = 0;
	portless.to = to;
	return portless;
}

static int do_raw_sendto(int fd, const struct errand *errand)
{
	struct destination to;
	struct errand portless = without_port(errand, &to);

	return do_sendto(fd, &portless);
}

static int do_raw_connect_send(int fd, const struct errand *errand)
{
	struct destination to;
	struct errand portless = without_port(errand, &to);

	return do_connect_send(fd, &portless);
}

static int do_raw_header(int fd, const struct errand *errand)
{
	struct iphdr header = {
		.version = 4,
		.ihl = 5,
		.ttl = 64,
		.protocol = EXPERIMENT,
		.daddr = errand->to->ipv4.sin_addr.s_addr,
	};

	return send_behind(fd, errand, &header, sizeof(header), false);
}

/* Both families have the same header; the kernel sums up where the socket is not raw, or IPv6. */
static struct icmphdr echo_request(const struct errand *errand)
{
	return (struct icmphdr){.type = errand->to->any.sa_family == AF_INET ? ICMP_ECHO : ECHO_REQUEST_6};
}

static int do_ping(int fd, const struct errand *errand)
{
	struct icmphdr header = echo_request(errand);
	struct destination to;
	struct errand portless = without_port(errand, &to);

	return send_behind(fd, &portless, &header, sizeof(header), false);
}

static int do_ping_connected(int fd, const struct errand *errand)
{
	struct icmphdr header = echo_request(errand);
	int r = do_connect(fd, errand);

	return r < 0 ? r : send_behind(fd, errand, &header, sizeof(header), true);
}

static int do_l2tp(int fd, const struct errand *errand)
{
	struct sockaddr_l2tpip ipv4 = {.l2tp_family = AF_INET, .l2tp_conn_id = 1};
	struct sockaddr_l2tpip6 ipv6 = {.l2tp_family = AF_INET6, .l2tp_conn_id = 1};
	bool is_ipv4 = errand->to->any.sa_family == AF_INET;

	ipv4.l2tp_addr = errand->to->ipv4.sin_addr;
	ipv6.l2tp_addr = errand->to->ipv6.sin6_addr;
	return result_of(sendto(fd, errand->payload, errand->len, 0,
				is_ipv4 ? (struct sockaddr *)&ipv4 : (struct sockaddr *)&ipv6,
				is_ipv4 ? sizeof(ipv4) : sizeof(ipv6)));
}

/* ---- the table ---- */

static const struct way ways[] = {
	{"tcp", 0, SOCK_STREAM, 0, do_connect, false},
	{"tcp-nonblocking", 0, SOCK_STREAM | SOCK_NONBLOCK, 0, do_connect_nonblocking, false},
	{"tcp-nonblocking-send", 0, SOCK_STREAM | SOCK_NONBLOCK, 0, do_connect_nonblocking_send, false},
	{"tcp-send", 0, SOCK_STREAM, 0, do_connect_send, false},
	{"tcp-read", 0, SOCK_STREAM, 0, do_connect_read, false},
	{"tcp-send-read", 0, SOCK_STREAM, 0, do_connect_send_read, false},
	{"tcp-abandon", 0, SOCK_STREAM | SOCK_NONBLOCK, 0, do_abandon, false},
	{"tcp-fastopen", 0, SOCK_STREAM, 0, do_fastopen, false},
	{"tcp-fastopen-connect", 0, SOCK_STREAM, 0, do_fastopen_connect, false},
	{"tcp-repair", 0, SOCK_STREAM, 0, do_repair, false},
	{"tcp-disconnect-reconnect", 0, SOCK_STREAM, 0, do_disconnect_reconnect, true},
	{"tcp-disconnect-reconnect-send", 0, SOCK_STREAM, 0, do_disconnect_reconnect_send, true},
	{"mptcp", 0, SOCK_STREAM, IPPROTO_MPTCP, do_connect, false},
	{"mptcp-nonblocking", 0, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_MPTCP, do_connect_nonblocking, false},
	{"mptcp-send", 0, SOCK_STREAM, IPPROTO_MPTCP, do_connect_send, false},
	{"mptcp-fastopen", 0, SOCK_STREAM, IPPROTO_MPTCP, do_fastopen, false},
	{"udp-connect", 0, SOCK_DGRAM, 0, do_connect_send, false},
	{"udp-sendto", 0, SOCK_DGRAM, 0, do_sendto, false},
	{"udp-sendto-unspec", 0, SOCK_DGRAM, 0, do_sendto_unspec, false},
	{"udp-sendmsg", 0, SOCK_DGRAM, 0, do_sendmsg, false},
	{"udp-sendmmsg", 0, SOCK_DGRAM, 0, do_sendmmsg, false},
	{"udp-sendto-hear", 0, SOCK_DGRAM, 0, do_sendto_hear, false},
	{"udp-connect-hear", 0, SOCK_DGRAM, 0, do_connect_send_hear, false},
	{"udp-cork", 0, SOCK_DGRAM, 0, do_cork, true},
	{"udp-connected-sendto", 0, SOCK_DGRAM, 0, do_connected_sendto, true},
	{"udp-become-ipv4", 0, SOCK_DGRAM, 0, do_become_ipv4, true},
	{"udp-reconnect", 0, SOCK_DGRAM, 0, do_reconnect, true},
	{"udp-reconnect-send", 0, SOCK_DGRAM, 0, do_reconnect_send, true},
	{"udp-disconnect-reconnect", 0, SOCK_DGRAM, 0, do_disconnect_reconnect, true},
	{"udp-disconnect-reconnect-send", 0, SOCK_DGRAM, 0, do_disconnect_reconnect_send, true},
	/* an IPv6 socket that is given an AF_INET address */
	{"udp6-connect", AF_INET6, SOCK_DGRAM, 0, do_connect_send, false},
	{"udp6-sendto", AF_INET6, SOCK_DGRAM, 0, do_sendto, false},
	{"udplite-sendto", 0, SOCK_DGRAM, IPPROTO_UDPLITE, do_sendto, false},
	{"udplite-connect", 0, SOCK_DGRAM, IPPROTO_UDPLITE, do_connect_send, false},
	{"raw-sendto", 0, SOCK_RAW, EXPERIMENT, do_raw_sendto, false},
	{"raw-connect", 0, SOCK_RAW, EXPERIMENT, do_raw_connect_send, false},
	{"raw-header", AF_INET, SOCK_RAW, IPPROTO_RAW, do_raw_header, false},
	{"raw-icmp", AF_INET, SOCK_RAW, IPPROTO_ICMP, do_ping, false},
	{"raw-icmpv6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, do_ping, false},
	{"ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP, do_ping, false},
	{"ping-connect", AF_INET, SOCK_DGRAM, IPPROTO_ICMP, do_ping_connected, false},
	{"ping6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, do_ping, false},
	{"ping6-connect", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, do_ping_connected, false},
	{"sctp", 0, SOCK_STREAM, IPPROTO_SCTP, do_connect_send, false},
	{"sctp-sendto", 0, SOCK_SEQPACKET, IPPROTO_SCTP, do_sendto, false},
	{"dccp", 0, SOCK_DCCP, IPPROTO_DCCP, do_dccp, false},
	{"l2tp", 0, SOCK_DGRAM, IPPROTO_L2TP, do_l2tp, false},
	{"smc", AF_SMC, SOCK_STREAM, 0, do_connect_send, false},
	{"smc-inet", 0, SOCK_STREAM, IPPROTO_SMC, do_connect_send, false},
	{"smc6", AF_SMC, SOCK_STREAM, SMCPROTO_SMC6, do_connect_send, false},
};

const struct way *ways_list(size_t *ret_count)
{
	*ret_count = EG_COUNT_OF(ways);
	return ways;
}

const struct way *way_find(const char *name)
{
	for (size_t i = 0; i < EG_COUNT_OF(ways); i++)
		if (!strcmp(ways[i].name, name))
			return &ways[i];
	return NULL;
}

int way_socket(const struct way *way, const struct destination *to)
{
	struct timeval timeout = {.tv_sec = SEND_TIMEOUT_S};
	_cleanup_close_ int fd = -1;

	fd = socket(way->family ? way->family : to->any.sa_family, way->type | SOCK_CLOEXEC, way->protocol);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int way_go_and_stay(const struct way *way, const struct errand *errand, int *ret_fd)
{
	_cleanup_close_ int fd = way_socket(way, errand->to);
	int r;

	if (fd < 0)
		return fd;
	r = way->run(fd, errand);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

int way_go(const struct way *way, const struct errand *errand)
{
	_cleanup_close_ int fd = -1;

	return way_go_and_stay(way, errand, &fd);
}
