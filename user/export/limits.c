/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/limits.h"

#include "base/cleanup.h"

static const struct eg_limit limits[] = {
	{"packet (AF_PACKET), AF_XDP and AF_VSOCK sockets, and those of other families that are not the Internet's",
	 "no CAP_NET_RAW, and seccomp for the rest; or a kernel that takes programs of the BPF LSM", EG_WITHOUT_LSM},
	{"sockets made outside the cgroup and brought in",
	 "start the workload in its cgroup, hand it no sockets; or a kernel that takes programs of the BPF LSM",
	 EG_WITHOUT_LSM},
	{"sockets made outside the cgroup and brought in are judged by where they connect and send: no limit counts "
	 "them, no timeout ends them, and their source routes pass",
	 "start the workload in its cgroup, hand it no sockets", EG_WITH_LSM},
	{"what is sent by sendfile() or splice() on a connection made outside the cgroup, before Linux 6.5",
	 "start the workload in its cgroup, hand it no sockets", EG_WITH_LSM},
	{"XDP sockets from before the policy: they send by poll() too", "restart the workload", EG_WITH_LSM},
	{"tun and tunnel devices, NAT of the workload's own", "no CAP_NET_ADMIN, no /dev/net/tun", EG_ALWAYS},
	{"sockets that processes make once they were moved out of the cgroup",
	 "let nobody but root move the workload's processes", EG_ALWAYS},
	{"an io_uring whose submission thread is a process's outside", "hand the workload no descriptors", EG_ALWAYS},
	{"answers to a peer whose datagram the workload has forged to itself", "no CAP_NET_RAW, no CAP_NET_ADMIN",
	 EG_ALWAYS},
	{"connections on whose local port the workload listens by now, and which are older than the enrolment, or which "
	 "the mesh or an exemption allowed and a policy forbids since; datagrams that were begun before the enrolment "
	 "(MSG_MORE)",
	 "start the workload once its cgroup is enrolled, and anew when the mesh or an exemption shrinks", EG_ALWAYS},
	{"connected UDP sockets have no idle_timeout: the kernel keeps no count of their payload",
	 "max_connections bounds how many there are", EG_ALWAYS},
};

const struct eg_limit *eg_limits(size_t *ret_count)
{
	*ret_count = EG_COUNT_OF(limits);
	return limits;
}

bool eg_limit_holds(const struct eg_limit *limit, bool has_lsm)
{
	return limit->when == EG_ALWAYS || (limit->when == EG_WITH_LSM) == has_lsm;
}
