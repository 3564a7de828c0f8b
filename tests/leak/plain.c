/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Cases that are one way to one destination, or to two. */
#include <netinet/in.h>

#include "base/cleanup.h"
#include "leak.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define OFF "blocked-passthrough-off"
#define PROTOCOL "blocked-protocol"
#define GUARD "blocked-guard"
#define TCP_ROW "TCP: blocking, non-blocking, to mapped addresses, after a disconnect"
#define FASTOPEN_ROW "TCP fast open by sendto and by connect; TCP_REPAIR"
#define UDP_ROW "UDP: sendto, sendmsg, sendmmsg, connect; AF_UNSPEC; to mapped addresses; AF_INET ones on IPv6 sockets"
#define UDP_CONNECTED_ROW "UDP: sendto elsewhere, or connect anew, on a connected socket"
#define UDPLITE_ROW "UDP-Lite"
#define RAW_ROW "raw sockets"
#define PING_ROW "ping sockets of IPv4, by sendto"
#define MPTCP_ROW "MPTCP"

const struct leak_case plain_cases[] = {
	{"tcp4", TCP_ROW, "tcp-send", OUT4, .listens = IPPROTO_TCP, .reason = OFF},
	{"tcp4-nonblocking", TCP_ROW, "tcp-nonblocking-send", OUT4, .listens = IPPROTO_TCP, .reason = OFF},
	{"tcp6", TCP_ROW, "tcp-send", OUT6, .listens = IPPROTO_TCP, .reason = OFF},
	{"tcp-mapped", TCP_ROW, "tcp-send", MAPPED, .listens = IPPROTO_TCP, .reason = OFF},
	{"tcp4-disconnect-reconnect", TCP_ROW, "tcp-disconnect-reconnect-send", MESH4, OUT4, .listens = IPPROTO_TCP,
	 .reason = OFF},
	{"tcp4-fastopen", FASTOPEN_ROW, "tcp-fastopen", OUT4, .listens = IPPROTO_TCP, .reason = OFF},
	{"tcp6-fastopen", FASTOPEN_ROW, "tcp-fastopen", OUT6, .listens = IPPROTO_TCP, .reason = OFF},
	{"tcp-mapped-fastopen", FASTOPEN_ROW, "tcp-fastopen", MAPPED, .listens = IPPROTO_TCP, .reason = OFF},
	{"tcp4-fastopen-connect", FASTOPEN_ROW, "tcp-fastopen-connect", OUT4, .listens = IPPROTO_TCP, .reason = OFF},
	{"tcp6-fastopen-connect", FASTOPEN_ROW, "tcp-fastopen-connect", OUT6, .listens = IPPROTO_TCP, .reason = OFF},
	{"tcp4-repair", FASTOPEN_ROW, "tcp-repair", OUT4, .arrives = WIRE_PACKET, .reason = OFF},

	{"udp4-sendto", UDP_ROW, "udp-sendto", OUT4, .reason = OFF},
	{"udp4-sendmsg", UDP_ROW, "udp-sendmsg", OUT4, .reason = OFF},
	{"udp4-sendmmsg", UDP_ROW, "udp-sendmmsg", OUT4, .reason = OFF},
	{"udp4-connect", UDP_ROW, "udp-connect", OUT4, .reason = OFF},
	{"udp4-sendto-unspec", UDP_ROW, "udp-sendto-unspec", OUT4, .reason = OFF},
	{"udp6-sendto", UDP_ROW, "udp-sendto", OUT6, .reason = OFF},
	{"udp6-sendmmsg", UDP_ROW, "udp-sendmmsg", OUT6, .reason = OFF},
	{"udp6-connect", UDP_ROW, "udp-connect", OUT6, .reason = OFF},
	{"udp-mapped-sendto", UDP_ROW, "udp-sendto", MAPPED, .reason = OFF},
	{"udp-mapped-connect", UDP_ROW, "udp-connect", MAPPED, .reason = OFF},
	{"udp6-sendto-ipv4", UDP_ROW, "udp6-sendto", OUT4, .reason = OFF},
	{"udp6-connect-ipv4", UDP_ROW, "udp6-connect", OUT4, .reason = OFF},
	{"udp4-connected-sendto", UDP_CONNECTED_ROW, "udp-connected-sendto", MESH4, OUT4, .reason = OFF},
	{"udp6-connected-sendto", UDP_CONNECTED_ROW, "udp-connected-sendto", MESH6, OUT6, .reason = OFF},
	{"udp6-become-ipv4", UDP_CONNECTED_ROW, "udp-become-ipv4", MESH_MAPPED, OUT4, .reason = OFF},
	{"udp4-reconnect", UDP_CONNECTED_ROW, "udp-reconnect-send", MESH4, OUT4, .reason = OFF},
	{"udp4-disconnect-reconnect", UDP_CONNECTED_ROW, "udp-disconnect-reconnect-send", MESH4, OUT4, .reason = OFF},
	{"udp4-cork", "UDP: corked for an allowed address, continued for another", "udp-cork", MESH4, OUT4, .reason = NULL},

	{"udplite4-sendto", UDPLITE_ROW, "udplite-sendto", OUT4, .reason = PROTOCOL, .optional = true},
	{"udplite4-connect", UDPLITE_ROW, "udplite-connect", OUT4, .reason = PROTOCOL, .optional = true},
	{"udplite6-sendto", UDPLITE_ROW, "udplite-sendto", OUT6, .reason = PROTOCOL, .optional = true},
	{"udplite6-connect", UDPLITE_ROW, "udplite-connect", OUT6, .reason = PROTOCOL, .optional = true},

	{"raw4-sendto", RAW_ROW, "raw-sendto", OUT4, .reason = PROTOCOL},
	{"raw4-connect", RAW_ROW, "raw-connect", OUT4, .reason = PROTOCOL},
	{"raw4-header", RAW_ROW, "raw-header", OUT4, .reason = PROTOCOL},
	{"raw4-icmp", RAW_ROW, "raw-icmp", OUT4, .reason = PROTOCOL},
	{"raw6-sendto", RAW_ROW, "raw-sendto", OUT6, .reason = PROTOCOL},
	{"raw6-connect", RAW_ROW, "raw-connect", OUT6, .reason = PROTOCOL},
	{"raw6-icmp", RAW_ROW, "raw-icmpv6", OUT6, .reason = PROTOCOL},
	{"ping4-sendto", PING_ROW, "ping", OUT4, .reason = GUARD},
	{"ping6-sendto", "ping sockets of IPv6, by sendto", "ping6", OUT6, .reason = GUARD},
	{"ping4-connect", "ping sockets, by connect", "ping-connect", OUT4, .reason = OFF},
	{"ping6-connect", "ping sockets, by connect", "ping6-connect", OUT6, .reason = OFF},

	{"mptcp4", MPTCP_ROW, "mptcp-send", OUT4, .listens = IPPROTO_MPTCP, .reason = OFF},
	{"mptcp6", MPTCP_ROW, "mptcp-send", OUT6, .listens = IPPROTO_MPTCP, .reason = OFF},
	{"mptcp-mapped", MPTCP_ROW, "mptcp-send", MAPPED, .listens = IPPROTO_MPTCP, .reason = OFF},
	{"mptcp4-fastopen", "MPTCP fast open", "mptcp-fastopen", OUT4, .listens = IPPROTO_MPTCP, .reason = OFF, .optional = true},

	{"sctp4", "SCTP", "sctp", OUT4, .listens = IPPROTO_SCTP, .reason = PROTOCOL, .optional = true},
	{"sctp6", "SCTP", "sctp", OUT6, .listens = IPPROTO_SCTP, .reason = PROTOCOL, .optional = true},
	{"sctp4-sendto", "SCTP", "sctp-sendto", OUT4, .listens = IPPROTO_SCTP, .reason = PROTOCOL, .optional = true},
	{"dccp4", "DCCP", "dccp", OUT4, .arrives = WIRE_PACKET, .reason = PROTOCOL, .optional = true},
	{"dccp6", "DCCP", "dccp", OUT6, .arrives = WIRE_PACKET, .reason = PROTOCOL, .optional = true},
	{"l2tp4", "L2TP/IP", "l2tp", OUT4, .reason = PROTOCOL, .optional = true},
	{"l2tp6", "L2TP/IP", "l2tp", OUT6, .reason = PROTOCOL, .optional = true},
	{"smc4", "SMC", "smc", OUT4, .listens = IPPROTO_TCP, .reason = OFF, .optional = true},
	{"smc6", "SMC", "smc6", OUT6, .listens = IPPROTO_TCP, .reason = OFF, .optional = true},
	{"smc-inet", "SMC by a protocol of AF_INET", "smc-inet", OUT4, .listens = IPPROTO_TCP, .reason = PROTOCOL, .optional = true},
};
const unsigned int plain_count = EG_COUNT_OF(plain_cases);
