/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/status.h"

#include <inttypes.h>
#include <string.h>

#include "base/inotify.h"
#include "export/limits.h"
#include "incoming.h"
#include "watches.h"

/* What the kernel does not tell the agent of, it finds later. */
static int add_watch_finding(struct eg_status *status, const char *what, uint32_t error)
{
	if (error == 0 || !status->alive)
		return 0;
	return eg_status_add(status, NULL, eg_inotify_remedy(-(int)error), "%s: %s: the agent looks every %d s", what,
			     eg_inotify_problem(-(int)error), EG_RESCAN_S);
}

static int add_sweep_findings(struct eg_status *status)
{
	const struct eg_agent_sweep *sweep = &status->agent.sweep;
	int r = 0;

	if (sweep->error)
		r = eg_status_add(status, NULL, "see the agent's log",
				  "idle_timeout and max_connection_duration end nothing: the last sweep failed: %s",
				  strerror((int)sweep->error));
	if (r == 0 && sweep->unreachable)
		r = eg_status_add(
			status, NULL, "keep a process in the namespace, or a name for it in /run/netns",
			"%u connections are over their timeouts and could not be destroyed: nothing in sight leads to "
			"their network namespaces",
			sweep->unreachable);
	if (r == 0 && sweep->ended_ns)
		r = eg_status_add(
			status, NULL, "hold no socket in flight, use no MPTCP",
			"subflows of MPTCP, and sockets that no process has among its files, have no idle_timeout and "
			"no max_connection_duration");
	if (r == 0 && !status->audit.agrees)
		r = eg_status_add(status, eg_pinned_name(&status->pinned, status->audit.differs),
				  "report it, and restart the workload",
				  "%" PRIu64 " leases are held and the gauges say %" PRIu64
				  ": limits may refuse too early or too late",
				  eg_audit_sum(&status->audit.found), eg_audit_sum(&status->audit.gauges));
	return r;
}

static int add_forbidden_findings(struct eg_status *status)
{
	const struct eg_agent_forbidden *forbidden = &status->agent.forbidden;

	if (!forbidden->unreachable)
		return 0;
	return eg_status_add(
		status, NULL, "keep a process in the namespace, or a name for it in /run/netns; use no MPTCP",
		"%u connections that their policy forbids could not be ended: the guard drops what they send, and "
		"nobody tells their processes",
		forbidden->unreachable);
}

/* What STRICT does not mean. */
static int add_strict_findings(struct eg_status *status)
{
	bool is_strict = false, is_looked_up = false;
	int r = 0;

	for (size_t i = 0; i < status->workloads.len; i++) {
		is_strict |= status->workloads.items[i].incoming.mode == EG_INCOMING_STRICT;
		is_looked_up |= status->workloads.items[i].incoming.looked_up > 0;
	}
	if (is_strict)
		r = eg_status_add(
			status, NULL, "run Kuma's proxy where a certificate is to tell, and give it the port",
			"STRICT tells clients by their address and not by a certificate, when they come in by TCP or "
			"send to a declared port by UDP; connections that are open stay open");
	if (r == 0 && is_looked_up)
		r = eg_status_add(status, NULL, "make its namespaces before it listens, or drop CAP_SYS_ADMIN",
				  "a network namespace that a workload with mTLS makes is found up to %d ms later, "
				  "sockets of one that none of its processes is in are not: anyone may come in there "
				  "until then",
				  EG_INCOMING_LOOK_MS);
	if (r == 0 && is_strict && is_looked_up)
		r = eg_status_add(status, NULL, "onIncomingBlocked: drop, by which each packet is looked at",
				  "datagrams by multicast and broadcast come in from anybody, to declared ports too: the "
				  "kernel asks no sk_lookup program for them");
	return r;
}

int eg_status_inspect_node(struct eg_status *status)
{
	size_t count;
	const struct eg_limit *limits = eg_limits(&count);
	int r = 0;

	if (!status->alive)
		r = eg_status_add(status, NULL, "start egressd",
				  "no agent runs: cgroups that appear and policies that change are not taken up; "
				  "idle_timeout and max_connection_duration end nothing; connections that a policy "
				  "forbids are not ended, the guard drops what they send");
	if (r == 0 && status->sight == EG_AGENT_SEEN && eg_agent_is_stopped(&status->agent))
		r = eg_status_add(status, NULL, "let it go on: kill -CONT, or end the debugger",
				  "the agent is stopped (process %u): it does as little as a dead one",
				  status->agent.pid);
	if (r == 0 && status->uncounted_problem)
		r = eg_status_add(status, NULL, "restart egressd",
				  "connections that are older than the enrolment cannot be counted: %s",
				  status->uncounted_problem);
	if (r == 0 && status->foreign_problem)
		r = eg_status_add(status, NULL, "restart egressd", "sockets made outside cannot be looked for: %s",
				  status->foreign_problem);
	if (r == 0)
		r = add_sweep_findings(status);
	if (r == 0)
		r = add_forbidden_findings(status);
	if (r == 0)
		r = add_strict_findings(status);
	if (r == 0)
		r = add_watch_finding(status, "changes of policy files may be taken late",
				      status->agent.policy_watch_errno);
	if (r == 0)
		r = add_watch_finding(status, "cgroups may be enforced late", status->agent.cgroup_watch_errno);
	for (size_t i = 0; i < count && r == 0; i++)
		if (eg_limit_holds(&limits[i], status->layers.lsm_error == 0))
			r = eg_status_add(status, NULL, limits[i].remedy, "%s", limits[i].what);
	if (r == 0 && !eg_pins_are_on_host(status->pinned.directory))
		r = eg_status_add(status, NULL, "mount the host's /sys/fs/bpf into the container that egressd runs in",
				  "the BPF file system is not seen to be the host's: the pins may go with a container");
	return r;
}
