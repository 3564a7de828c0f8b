/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_KIND_BPF_H
#define EG_KIND_BPF_H

/* Kinds of sockets: those that every workload may make, and the bits of allowProtocols for the others. */
#include <stdbool.h>

#include <linux/types.h>

#include "egress/flow.h"

#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_ICMP 1
#define IPPROTO_ICMPV6 58
#define IPPROTO_L2TP 115
#define IPPROTO_MPTCP 262

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3

enum {
	AF_UNIX = 1,
	AF_INET = 2,
	AF_INET6 = 10,
	AF_KEY = 15,
	AF_NETLINK = 16,
	AF_PACKET = 17,
	AF_ALG = 38,
	AF_VSOCK = 40,
	AF_KCM = 41,
	AF_SMC = 43,
	AF_XDP = 44,
};

/* ---- of the families that the cgroup hooks see: type and protocol as of socket() ---- */

static __always_inline bool is_internet(__u32 family)
{
	return family == AF_INET || family == AF_INET6;
}

/* Ping sockets may be made: where they send to is judged packet by packet. */
static __always_inline bool is_usual_kind(__u32 type, __u32 protocol)
{
	if (type == SOCK_STREAM)
		return protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP;
	return type == SOCK_DGRAM &&
	       (protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6);
}

static __always_inline __u32 bit_of_kind(__u32 type, __u32 protocol)
{
	/* Of any protocol: it writes the headers of that itself. */
	if (type == SOCK_RAW)
		return EG_PROTO_RAW;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && protocol != 132 /* IPPROTO_SCTP: SOCK_SEQPACKET */ &&
	    protocol != 33 /* IPPROTO_DCCP: SOCK_DCCP */)
		return EG_PROTO_RAW;
	return protocol == IPPROTO_L2TP ? EG_PROTO_L2TP : eg_protocol_bit(protocol);
}

/* ---- of the others ---- */

/*
 * Those that lead to no network by themselves, and SMC and KCM, which send through TCP
 * sockets that are judged. What is not listed is refused: of the families that this
 * kernel has or a later one will, each is a way to some network (packet, XDP, TIPC, RDS,
 * RXRPC, PPPoX, CAN, Bluetooth...) or to another machine (vsock).
 */
static __always_inline bool is_local_family(__u32 family)
{
	switch (family) {
	case AF_UNIX:
	case AF_KEY:
	case AF_NETLINK:
	case AF_ALG:
	case AF_KCM:
	case AF_SMC:
		return true;
	default:
		return false;
	}
}

/* 0: nothing allows it. */
static __always_inline __u32 bit_of_family(__u32 family)
{
	switch (family) {
	case AF_PACKET:
		return EG_PROTO_PACKET;
	case AF_XDP:
		return EG_PROTO_XDP;
	case AF_VSOCK:
		return EG_PROTO_VSOCK;
	default:
		return 0;
	}
}

#endif
