/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/limits.h"

#include "base/cleanup.h"

static const struct eg_limit limits[] = {
	{"packet (AF_PACKET), AF_XDP and AF_VSOCK sockets; tun and tunnel devices", "no CAP_NET_RAW, no CAP_NET_ADMIN"},
	{"sockets made outside the cgroup and passed in; sockets of processes that were moved out",
	 "start the workload in its cgroup, hand it no sockets"},
	{"connected UDP sockets have no idle_timeout: the kernel keeps no count of their payload",
	 "max_connections bounds how many there are"},
};

const struct eg_limit *eg_limits(size_t *ret_count)
{
	*ret_count = EG_COUNT_OF(limits);
	return limits;
}
