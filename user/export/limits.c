/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/limits.h"

#include "base/cleanup.h"

static const struct eg_limit limits[] = {
	{"UDP-Lite that connects; raw sockets; datagrams of a ping socket that does not connect; SCTP, DCCP, L2TP where "
	 "the kernel has them",
	 "no CAP_NET_RAW, no such modules"},
	{"packet (AF_PACKET), AF_XDP and AF_VSOCK sockets; tun and tunnel devices", "no CAP_NET_RAW, no CAP_NET_ADMIN"},
	{"sockets made outside the cgroup and passed in; connections established before; processes that were moved out",
	 "start the workload in its cgroup, hand it no sockets"},
	{"IPv4 source routes (LSRR, SSRR), IPv6 routing headers: the address judged is not the one on the wire",
	 "drop them on the node's interfaces"},
	{"replies of a UDP server on an unconnected socket are blocked while passthrough is false, unless the peer is mesh "
	 "or exempt",
	 "name the peers in excludeOutboundIPs"},
	{"connected UDP sockets have no idle_timeout: the kernel keeps no count of their payload",
	 "max_connections bounds how many there are"},
};

const struct eg_limit *eg_limits(size_t *ret_count)
{
	*ret_count = EG_COUNT_OF(limits);
	return limits;
}
