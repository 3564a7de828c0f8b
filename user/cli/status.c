/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/inotify.h"
#include "base/log.h"
#include "export/audit.h"
#include "cli/cli.h"
#include "cli/foreign.h"
#include "cli/layers.h"
#include "cli/pinned.h"
#include "cli/status_incoming.h"
#include "cli/status_redirect.h"
#include "datapath/inspect.h"
#include "datapath/uncounted.h"
#include "export/json.h"
#include "export/limits.h"
#include "incoming.h"
#include "policy/model.h"
#include "watches.h"
#include "workload/agent.h"
#include "workload/cgroup.h"
#include "workload/escape.h"

static const struct eg_command_help help = {
	.name = "status",
	.usage = "[--json] [WORKLOAD]",
	.text = "Shows what is enforced where, what is not, and the remedy. Nothing is taken from\n"
		"the agent's word: links, cgroups and the kernel's own lists of programs are\n"
		"compared. Needs no running agent.",
};

static const struct eg_option options[] = {
	{"json", NULL, "print JSON", eg_listing_take_json},
};

struct finding {
	char *what;
	const char *remedy;
	const char *workload;	/* NULL: the node */
};

struct workload_state {
	const struct eg_pinned_slot *slot;
	enum eg_mode mode;
	bool guarded;
	uint64_t grace_ms;	/* left for what is open and forbidden; 0: no time */
	bool in_place;	/* its programs are what the kernel runs */
	struct eg_incoming_state incoming;
	struct eg_redirect_state redirect;
	struct eg_uncounted uncounted;
};

struct gate_state {
	struct eg_gate gate;
	bool enforced;
};

struct status {
	struct eg_pinned pinned;
	struct eg_agent agent;
	struct eg_control control;
	enum eg_agent_sight sight;
	bool alive;
	struct eg_audit audit;
	struct eg_layers layers;
	struct eg_walk uncounted;
	char *uncounted_problem;	/* why nobody knows; NULL when the walk succeeded */
	struct eg_walk foreign;
	char *foreign_problem;
	EG_ARRAY(struct workload_state) workloads;
	EG_ARRAY(struct gate_state) gates;
	EG_ARRAY(struct finding) findings;
};

static void status_clear(struct status *status)
{
	for (size_t i = 0; i < status->findings.len; i++)
		free(status->findings.items[i].what);
	eg_array_clear(&status->findings);
	eg_array_clear(&status->workloads);
	free(status->uncounted_problem);
	free(status->foreign_problem);
	eg_walk_clear(&status->foreign);
	eg_array_clear(&status->gates);
	eg_walk_clear(&status->uncounted);
	eg_pinned_close(&status->pinned);
}

__attribute__((format(printf, 4, 5))) static int add_finding(struct status *status, const char *workload,
							     const char *remedy, const char *format, ...)
{
	struct finding finding = {.remedy = remedy, .workload = workload};
	va_list args;
	int r;

	va_start(args, format);
	r = vasprintf(&finding.what, format, args) < 0 ? -ENOMEM : 0;
	va_end(args);
	if (r == 0) {
		r = eg_array_push(&status->findings, finding);
		if (r < 0)
			free(finding.what);
	}
	return r;
}

/* ---- a workload ---- */

static int add_hook_findings(struct status *status, const char *name, const struct eg_inspection *inspection)
{
	int r = 0;

	for (size_t i = 0; i < inspection->hooks.len && r == 0; i++) {
		const struct eg_hook_state *hook = &inspection->hooks.items[i];

		if (!hook->is_effective)
			r = add_finding(status, name, "restart egressd, which attaches what lacks", "%s: %s", hook->program,
					!hook->is_pinned     ? "no link is pinned"
					: !hook->is_attached ? "the pinned link is not on the cgroup"
							     : "the kernel does not run it for the cgroup");
	}
	return r;
}

/* What another owner's program could do to us. */
static const char *foreign_means(const struct eg_foreign *foreign, bool guarded)
{
	if (!foreign->can_overrule)
		return "it can take away what tells us of a connection's end";
	if (guarded)
		return "it can undo a refusal or change the destination; the guard drops what would leave by that, and TCP "
		       "then waits for its timeout";
	return "it can undo a refusal or change the destination, and no guard looks at packets while passthrough is true: a "
	       "connection that the circuit breaker refused would go on, and no limit would count it";
}

static int add_foreign_findings(struct status *status, const char *name, const struct eg_inspection *inspection,
				bool guarded)
{
	int r = 0;

	for (size_t i = 0; i < inspection->foreign.len && r == 0; i++) {
		const struct eg_foreign *foreign = &inspection->foreign.items[i];

		r = add_finding(status, name, "make sure that you trust it, or have its owner detach it",
				"program %u '%s' (%s, on %s) runs after ours: %s", foreign->program_id, foreign->name,
				foreign->hook, foreign->cgroup ? foreign->cgroup : "a cgroup that was not found",
				foreign_means(foreign, guarded));
	}
	return r;
}

static int add_escape_findings(struct status *status, const char *name, const char *path)
{
	struct eg_escapes escapes;
	int r = eg_escapes_read(path, &escapes);

	for (enum eg_escape escape = 0; escape < EG_ESCAPE_COUNT && r == 0; escape++) {
		const struct eg_escapers *with = &escapes.with[escape];
		char pids[EG_ESCAPE_PIDS * 12 + 8] = "";

		if (with->count == 0)
			continue;
		for (size_t i = 0; i < with->count && i < EG_ESCAPE_PIDS; i++)
			snprintf(pids + strlen(pids), sizeof(pids) - strlen(pids), "%s%d", i ? ", " : "",
				 with->pids[i]);
		r = add_finding(status, name, "run the workload without the capability",
				"%zu %s %s, which %s: %s%s", with->count,
				with->count == 1 ? "process has" : "processes have", eg_escape_name(escape),
				eg_escape_means(escape), pids, with->count > EG_ESCAPE_PIDS ? "..." : "");
	}
	return r;
}

/* What all cgroups are compared with. */
struct look {
	struct eg_program_sets programs;
	struct eg_link_pins pins;
	struct eg_lookup_list lookups;
	struct eg_other_lookups other_lookups;
	char *mount_point;
};

static void look_clear(struct look *look)
{
	eg_array_clear(&look->pins.list);
	eg_array_clear(&look->lookups.list);
	eg_array_clear(&look->other_lookups.list);
	free(look->mount_point);
}

/* A cgroup as the agent has written it down: for whom, where, which one, and whose links are on it. */
struct record {
	const char *name;
	const char *cgroup;
	uint64_t cgroup_id;
	uint32_t slot;
};

/* What belongs on a cgroup, by the policy in force. */
static const struct eg_program_names *wanted_programs(const struct status *status, const struct look *look,
						      const struct record *record)
{
	struct eg_workload_policy policy;

	if (record->slot == EG_GATE_SLOT)
		return &look->programs.gate;
	if (eg_maps_read_policy(&status->pinned.maps, record->slot, &policy) < 0)
		return &look->programs.workload[true][true];
	return &look->programs.workload[!!(policy.flags & EG_WORKLOAD_GUARDED)][!!(policy.flags & EG_WORKLOAD_REDIRECTS)];
}

static int inspect_programs(struct status *status, const struct look *look, const struct record *record,
			    const char *path, bool *ret_enforced)
{
	const bool is_gate = record->slot == EG_GATE_SLOT;
	const struct eg_program_names *wanted = wanted_programs(status, look, record);
	struct eg_inspection inspection = {};
	int r = eg_inspect_cgroup(wanted, &look->pins, record->slot, look->mount_point,
				  path, record->cgroup_id, &inspection);

	if (r == 0) {
		*ret_enforced = eg_inspection_is_enforced(&inspection);
		if (!is_gate)
			eg_layers_add(&status->layers, &inspection);
		r = add_hook_findings(status, record->name, &inspection);
	}
	if (r == 0)
		r = add_foreign_findings(status, record->name, &inspection,
					 wanted == &look->programs.workload[true][false] ||
						 wanted == &look->programs.workload[true][true]);
	if (r == 0 && !is_gate)
		r = add_escape_findings(status, record->name, path);
	eg_inspection_clear(&inspection);
	return r;
}

static int inspect_cgroup(struct status *status, const struct look *look, const struct record *record,
			  bool *ret_enforced)
{
	_cleanup_free_ char *path = NULL;
	struct stat st;
	int r;

	if (asprintf(&path, "%s%s", look->mount_point, record->cgroup) < 0)
		return -ENOMEM;
	if (stat(path, &st) < 0)
		return add_finding(status, record->name, "the agent takes it in as soon as it is there again",
				   "the cgroup is gone: %s", record->cgroup);
	if (st.st_ino != record->cgroup_id)
		return add_finding(status, record->name,
				   "the agent takes it in; restart egressd if it runs and does not",
				   "the cgroup was made anew under the same path: %s", record->cgroup);
	r = inspect_programs(status, look, record, path, ret_enforced);
	/* It went while it was looked at. */
	return r == -ENOENT || r == -ENODEV ? add_finding(status, record->name, "ask again", "the cgroup is going") : r;
}

static int add_uncounted_finding(struct status *status, const char *name, const struct eg_uncounted *uncounted)
{
	char first[EG_ADDR_TEXT_MAX];

	if (uncounted->outbound == 0)
		return 0;
	return add_finding(status, name, "restart the workload; or wait, they count no more once they end",
			   "%" PRIu64 " outbound connections are older than the enrolment or the end of audit mode: no limit counts them and no timeout "
			   "ends them (outbound by inference: nothing listens on their ports); the policy forbids %" PRIu64
			   " of them; the first is to %s, port %u",
			   uncounted->outbound, uncounted->forbidden,
			   eg_addr_format(uncounted->first.family, &uncounted->first.remote, first),
			   uncounted->first.remote_port);
}

static int add_foreign_sockets_finding(struct status *status, const struct workload_state *workload)
{
	const uint32_t slot = workload->slot->slot;
	const size_t count = eg_foreign_count(&status->foreign, slot);
	_cleanup_free_ char *text = count > 0 ? eg_foreign_text(&status->foreign, slot) : NULL;

	if (count == 0)
		return 0;
	return !text ? -ENOMEM
		     : add_finding(status, workload->slot->info.name,
				   "start the workload in its cgroup, hand it no sockets; without the packet sockets that it has",
				   "%zu open sockets are not seen by its cgroup's hooks: %s: %s", count, text,
				   !workload->guarded		      ? "no limit counts them, no timeout ends them"
				   : status->layers.lsm_error == 0 ? "they are judged where they connect and send, no limit "
								     "counts them, no timeout ends them"
								   : "nothing judges what they send");
}

static int read_policy(const struct status *status, struct workload_state *workload)
{
	struct eg_workload_policy policy;
	uint64_t now = eg_now_ns();
	int r = eg_maps_read_policy(&status->pinned.maps, workload->slot->slot, &policy);

	if (r < 0)
		return r;
	workload->mode = policy.flags & EG_WORKLOAD_AUDIT ? EG_MODE_AUDIT : EG_MODE_ENFORCE;
	workload->guarded = policy.flags & EG_WORKLOAD_GUARDED;
	workload->grace_ms = policy.grace_until_ns > now ? (policy.grace_until_ns - now) / 1000000 : 0;
	return 0;
}

static int add_mode_finding(struct status *status, const struct workload_state *workload)
{
	if (workload->mode != EG_MODE_AUDIT)
		return 0;
	return add_finding(status, workload->slot->info.name, "set its mode to enforce",
			   "it is in audit mode: what its policy refuses is counted and passes, no limit and no timeout acts");
}

static int inspect_place(struct status *status, const struct look *look, struct workload_state *workload)
{
	const struct eg_slot_info *info = &workload->slot->info;
	const struct record record = {info->name, info->cgroup, info->cgroup_id, workload->slot->slot};
	int r;

	if (info->use == EG_SLOT_LEAVING)
		r = add_finding(status, info->name, "none is wanted; 'egressctl detach' or the agent's next start ends it",
				"it is being let go");
	else if (info->cgroup_id == 0)
		r = add_finding(status, info->name, "the agent takes it in as soon as it is there",
				"it has no cgroup right now: %s", info->cgroup);
	else
		r = inspect_cgroup(status, look, &record, &workload->in_place);
	return r;
}

/* Whether the filter is on the cgroup, and is what the kernel runs. */
static int inspect_filter(const struct look *look, const struct record *record, const char *path, bool *ret_filtered)
{
	struct eg_inspection inspection = {};
	int r = eg_inspect_cgroup(&look->programs.filter, &look->pins, record->slot, look->mount_point, path,
				  record->cgroup_id, &inspection);

	*ret_filtered = r == 0 && eg_inspection_is_enforced(&inspection);
	eg_inspection_clear(&inspection);
	return r;
}

static int inspect_clients(const struct look *look, const struct record *record, struct eg_incoming_state *incoming)
{
	_cleanup_free_ char *path = NULL;
	bool filtered;
	int r;

	if (asprintf(&path, "%s%s", look->mount_point, record->cgroup) < 0)
		return -ENOMEM;
	r = inspect_filter(look, record, path, &filtered);
	return r < 0 ? r : eg_incoming_inspect(&look->lookups, record->slot, path, filtered, incoming);
}

static int add_other_lookups(struct status *status, const struct look *look, const struct workload_state *workload)
{
	int r = 0;

	for (size_t i = 0; i < look->other_lookups.list.len && r == 0; i++) {
		const struct eg_other_lookup *other = &look->other_lookups.list.items[i];

		if (eg_incoming_is_looked_up(&look->lookups, workload->slot->slot, other->netns))
			r = add_finding(status, workload->slot->info.name,
					"make sure that you trust it, or have its owner detach it",
					"program %u '%s' (sk_lookup) is asked in its network namespace too: it can give a client "
					"that we refuse a socket",
					other->program_id, other->name);
	}
	return r;
}

static int add_incoming_findings(struct status *status, const struct look *look, const struct workload_state *workload)
{
	const struct eg_incoming_state *incoming = &workload->incoming;
	const char *name = workload->slot->info.name;

	if (incoming->mode == EG_INCOMING_OFF)
		return 0;
	if (!eg_incoming_is_in_place(incoming))
		return add_finding(status, name, "restart egressd, which attaches what lacks",
				   "clients that come in are not looked at in %zu of its %zu network namespaces: no sk_lookup "
				   "link is there, and no filter on its cgroup",
				   incoming->namespaces - incoming->looked_up, incoming->namespaces);
	if (incoming->filtered && incoming->namespaces > 0 && incoming->mode == EG_INCOMING_STRICT && !incoming->drops)
		return add_finding(status, name, "give it a network namespace of its own",
				   "clients that are blocked are dropped and not refused, and each of its packets is looked at: "
				   "it shares a network namespace, or its namespaces take no sk_lookup program");
	return add_other_lookups(status, look, workload);
}

/* One that has just gone has no clients. */
static int inspect_incoming(struct status *status, const struct look *look, struct workload_state *workload)
{
	const struct eg_slot_info *info = &workload->slot->info;
	const struct record record = {info->name, info->cgroup, info->cgroup_id, workload->slot->slot};
	struct eg_workload_policy policy;
	int r = eg_maps_read_policy(&status->pinned.maps, record.slot, &policy);

	if (r < 0 || !workload->in_place || !(policy.flags & EG_WORKLOAD_INCOMING))
		return r;
	workload->incoming.mode = policy.flags & EG_WORKLOAD_STRICT ? EG_INCOMING_STRICT : EG_INCOMING_PERMISSIVE;
	workload->incoming.drops = policy.flags & EG_WORKLOAD_DROPS;
	r = inspect_clients(look, &record, &workload->incoming);
	if (r == -ENOENT || r == -ENODEV)
		return 0;
	workload->in_place = r == 0 && eg_incoming_is_in_place(&workload->incoming);
	return r < 0 ? r : add_incoming_findings(status, look, workload);
}

static int inspect_redirect(struct status *status, const struct look *look, struct workload_state *workload)
{
	struct eg_workload_policy policy;
	int r = eg_maps_read_policy(&status->pinned.maps, workload->slot->slot, &policy);

	if (r < 0)
		return r;
	eg_redirect_inspect(&policy, &look->pins, &workload->redirect);
	if (eg_redirect_is_in_place(&workload->redirect))
		return 0;
	workload->in_place = false;
	return add_finding(status, workload->slot->info.name, "restart egressd, which attaches what lacks",
			   "its proxy is not told where connections wanted to go: no link is on the proxy's cgroup");
}

static int inspect_workload(struct status *status, const struct look *look, const struct eg_pinned_slot *slot)
{
	struct workload_state workload = {.slot = slot};
	int r = read_policy(status, &workload);

	if (r == 0)
		r = add_mode_finding(status, &workload);
	if (r == 0)
		r = inspect_place(status, look, &workload);
	if (r == 0)
		r = inspect_incoming(status, look, &workload);
	if (r == 0)
		r = inspect_redirect(status, look, &workload);
	workload.uncounted = eg_uncounted_of(&status->uncounted, slot->slot, workload.mode);
	if (r == 0)
		r = add_uncounted_finding(status, slot->info.name, &workload.uncounted);
	if (r == 0)
		r = add_foreign_sockets_finding(status, &workload);
	return r < 0 ? r : eg_array_push(&status->workloads, workload);
}

/* Programs that let pass what they would refuse enforce nothing. */
static bool is_enforced(const struct workload_state *workload)
{
	return workload->in_place && workload->mode == EG_MODE_ENFORCE;
}

static int inspect_gate(struct status *status, const struct look *look, struct gate_state *state)
{
	const struct eg_gate_info *info = &state->gate.info;
	const struct record record = {info->workload, info->cgroup, state->gate.cgroup_id, EG_GATE_SLOT};

	return inspect_cgroup(status, look, &record, &state->enforced);
}

/* All are listed before the first is looked at: what is found about one points to its name in the list. */
static int inspect_gates(struct status *status, const struct look *look, const char *workload)
{
	struct eg_gate_list gates = {};
	int r = eg_maps_list_gates(&status->pinned.maps, &gates);

	for (size_t i = 0; i < gates.list.len && r == 0; i++)
		if (!workload || strcmp(gates.list.items[i].info.workload, workload) == 0)
			r = eg_array_push(&status->gates, {.gate = gates.list.items[i]});
	eg_array_clear(&gates.list);
	for (size_t i = 0; i < status->gates.len && r == 0; i++)
		r = inspect_gate(status, look, &status->gates.items[i]);
	return r;
}

static int inspect_cgroups(struct status *status, const char *workload)
{
	_cleanup_(look_clear) struct look look = {};
	_cleanup_free_ char *problem = NULL;
	int r = eg_cgroup_mount_point(&look.mount_point);

	if (r == 0)
		r = eg_inspect_programs(status->layers.lsm_error == 0, &look.programs);
	if (r == 0)
		r = eg_pins_list_links(status->pinned.directory, &look.pins, &problem);
	if (r == 0)
		r = eg_pins_list_lookups(status->pinned.directory, &look.lookups, &problem);
	if (r == 0)
		r = eg_inspect_other_lookups(&look.lookups, &look.other_lookups);
	if (problem)
		eg_log_error("status: %s", problem);
	for (size_t i = 0; i < status->pinned.slots.len && r == 0; i++)
		r = inspect_workload(status, &look, &status->pinned.slots.items[i]);
	return r < 0 ? r : inspect_gates(status, &look, workload);
}

/* ---- the node ---- */

/* What the kernel does not tell the agent of, it finds later. */
static int add_watch_finding(struct status *status, const char *what, uint32_t error)
{
	if (error == 0 || !status->alive)
		return 0;
	return add_finding(status, NULL, eg_inotify_remedy(-(int)error), "%s: %s: the agent looks every %d s", what,
			   eg_inotify_problem(-(int)error), EG_RESCAN_S);
}

static int add_sweep_findings(struct status *status)
{
	const struct eg_agent_sweep *sweep = &status->agent.sweep;
	int r = 0;

	if (sweep->error)
		r = add_finding(status, NULL, "see the agent's log",
				"idle_timeout and max_connection_duration end nothing: the last sweep failed: %s",
				strerror((int)sweep->error));
	if (r == 0 && sweep->unreachable)
		r = add_finding(status, NULL, "keep a process in the namespace, or a name for it in /run/netns",
				"%u connections are over their timeouts and could not be destroyed: nothing in sight leads "
				"to their network namespaces",
				sweep->unreachable);
	if (r == 0 && sweep->ended_ns)
		r = add_finding(status, NULL, "hold no socket in flight, use no MPTCP",
				"subflows of MPTCP, and sockets that no process has among its files, have no idle_timeout "
				"and no max_connection_duration");
	if (r == 0 && !status->audit.agrees)
		r = add_finding(status, eg_pinned_name(&status->pinned, status->audit.differs), "report it, and restart the workload",
				"%" PRIu64 " leases are held and the gauges say %" PRIu64 ": limits may refuse too early or too late",
				eg_audit_sum(&status->audit.found), eg_audit_sum(&status->audit.gauges));
	return r;
}

static int add_forbidden_findings(struct status *status)
{
	const struct eg_agent_forbidden *forbidden = &status->agent.forbidden;

	if (!forbidden->unreachable)
		return 0;
	return add_finding(status, NULL, "keep a process in the namespace, or a name for it in /run/netns; use no MPTCP",
			   "%u connections that their policy forbids could not be ended: the guard drops what they send, and "
			   "nobody tells their processes",
			   forbidden->unreachable);
}

/* What STRICT does not mean. */
static int add_strict_findings(struct status *status)
{
	bool is_strict = false, is_looked_up = false;
	int r = 0;

	for (size_t i = 0; i < status->workloads.len; i++) {
		is_strict |= status->workloads.items[i].incoming.mode == EG_INCOMING_STRICT;
		is_looked_up |= status->workloads.items[i].incoming.looked_up > 0;
	}
	if (is_strict)
		r = add_finding(status, NULL, "run Kuma's proxy where a certificate is to tell, and give it the port",
				"STRICT tells clients by their address and not by a certificate, when they come in by TCP or "
				"send to a declared port by UDP; connections that are open stay open");
	if (r == 0 && is_looked_up)
		r = add_finding(status, NULL, "make its namespaces before it listens, or drop CAP_SYS_ADMIN",
				"a network namespace that a workload with mTLS makes is found up to %d ms later, sockets of one "
				"that none of its processes is in are not: anyone may come in there until then",
				EG_INCOMING_LOOK_MS);
	return r;
}

static int add_node_findings(struct status *status)
{
	size_t count;
	const struct eg_limit *limits = eg_limits(&count);
	int r = 0;

	if (!status->alive)
		r = add_finding(status, NULL, "start egressd",
				"no agent runs: cgroups that appear and policies that change are not taken up; idle_timeout and "
				"max_connection_duration end nothing; connections that a policy forbids are not ended, the guard "
				"drops what they send");
	if (r == 0 && status->sight == EG_AGENT_SEEN && eg_agent_is_stopped(&status->agent))
		r = add_finding(status, NULL, "let it go on: kill -CONT, or end the debugger",
				"the agent is stopped (process %u): it does as little as a dead one", status->agent.pid);
	if (r == 0 && status->uncounted_problem)
		r = add_finding(status, NULL, "restart egressd", "connections that are older than the enrolment cannot be counted: %s",
				status->uncounted_problem);
	if (r == 0 && status->foreign_problem)
		r = add_finding(status, NULL, "restart egressd", "sockets made outside cannot be looked for: %s", status->foreign_problem);
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
			r = add_finding(status, NULL, limits[i].remedy, "%s", limits[i].what);
	if (r == 0 && !eg_pins_are_on_host(status->pinned.directory))
		r = add_finding(status, NULL, "mount the host's /sys/fs/bpf into the container that egressd runs in",
				"the BPF file system is not seen to be the host's: the pins may go with a container");
	return r;
}

static int gather(struct status *status, const char *workload)
{
	int r = eg_maps_read_agent(&status->pinned.maps, &status->agent);

	if (r == 0)
		r = eg_maps_read_control(&status->pinned.maps, &status->control);
	if (r < 0)
		return r;
	status->sight = eg_agent_look(&status->agent, eg_pins_are_locked(status->pinned.directory));
	status->alive = status->sight != EG_AGENT_DEAD;
	status->layers.lsm_error = -(int)status->agent.lsm_errno;
	r = eg_audit_run(&status->pinned, &status->audit);
	if (r == 0)
		r = eg_pins_read_uncounted(status->pinned.directory, &status->uncounted, &status->uncounted_problem);
	/* What cannot be counted is said, and the rest shown all the same. */
	if (r < 0 && !status->uncounted_problem)
		return r;
	r = eg_pins_read_foreign(status->pinned.directory, &status->foreign, &status->foreign_problem);
	if (r < 0 && !status->foreign_problem)
		return r;
	r = inspect_cgroups(status, workload);
	return r < 0 ? r : add_node_findings(status);
}

/* ---- output ---- */

static const char *state_name(const struct status *status)
{
	if (!status->alive)
		return "dead";
	if (status->sight == EG_AGENT_BEGINNING)
		return "starting";
	return status->agent.state == EG_AGENT_RUNNING ? "running" : "starting";
}

static bool has_window(const struct eg_slot_info *info)
{
	return info->cgroup_id != 0 && info->window_ms != EG_WINDOW_UNKNOWN;
}

static json_t *workloads_json(const struct status *status)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < status->workloads.len; i++) {
		const struct workload_state *workload = &status->workloads.items[i];
		const struct eg_slot_info *info = &workload->slot->info;

		if (json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:i, s:s, s:b, s:I, s:o, s:o*, s:o*, s:o*, s:o*}", "name", eg_json_string(info->name), "mesh",
							  eg_json_string(info->mesh), "cgroup", eg_json_string(info->cgroup), "slot",
							  (int)workload->slot->slot, "mode", eg_modes[workload->mode],
							  "enforced", is_enforced(workload), "uncounted",
							  (json_int_t)workload->uncounted.outbound, "foreign",
							  eg_foreign_json(&status->foreign, workload->slot->slot), "grace_ms",
							  workload->grace_ms ? json_integer((json_int_t)workload->grace_ms) : NULL, "window_ms",
							  has_window(info) ? json_integer(info->window_ms) : NULL, "incoming",
							  eg_incoming_state_json(&workload->incoming), "redirect",
							  eg_redirect_state_json(&workload->redirect))) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

static json_t *gates_json(const struct status *status)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < status->gates.len; i++) {
		const struct gate_state *state = &status->gates.items[i];
		const struct eg_gate_info *info = &state->gate.info;

		if (json_array_append_new(list, json_pack("{s:o, s:o, s:b}", "cgroup", eg_json_string(info->cgroup), "workload",
							  eg_json_string(info->workload), "enforced", state->enforced)) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

static json_t *findings_json(const struct status *status)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < status->findings.len; i++) {
		const struct finding *finding = &status->findings.items[i];
		json_t *entry = json_pack("{s:o, s:s, s:o*}", "what", eg_json_string(finding->what), "remedy", finding->remedy,
					  "workload", finding->workload ? eg_json_string(finding->workload) : NULL);

		if (json_array_append_new(list, entry) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

/* NULL before the first sweep. */
static json_t *sweep_json(const struct status *status)
{
	const struct eg_agent_sweep *sweep = &status->agent.sweep;

	if (sweep->ended_ns == 0)
		return NULL;
	return json_pack("{s:f, s:I, s:f, s:I, s:I, s:I}", "took_ms", (double)sweep->took_ns / 1e6, "looked_at",
			 (json_int_t)sweep->looked_at, "age_ms", (double)(eg_now_ns() - sweep->ended_ns) / 1e6, "period_ms",
			 (json_int_t)sweep->period_ms, "destroyed", (json_int_t)sweep->destroyed, "unreachable",
			 (json_int_t)sweep->unreachable);
}

/* NULL before the first look, which comes with the first sweep. */
static json_t *forbidden_json(const struct status *status)
{
	const struct eg_agent_forbidden *forbidden = &status->agent.forbidden;

	if (status->agent.sweep.ended_ns == 0)
		return NULL;
	return json_pack("{s:I, s:I, s:I, s:I}", "waiting", (json_int_t)forbidden->waiting, "unreachable",
			 (json_int_t)forbidden->unreachable, "ended", (json_int_t)forbidden->ended, "kept",
			 (json_int_t)forbidden->kept);
}

static json_t *audit_json(const struct status *status)
{
	const struct eg_audit *audit = &status->audit;

	return json_pack("{s:I, s:I, s:b}", "leases", (json_int_t)audit->leases, "gauges", (json_int_t)audit->places,
			 "agrees", audit->agrees);
}

static int print_json(const struct status *status)
{
	json_auto_t *document = json_pack("{s:{s:I, s:s}, s:I, s:o, s:o, s:o, s:o, s:I, s:o*, s:o*, s:o*}", "agent", "pid",
					  (json_int_t)status->agent.pid, "state", state_name(status), "generation",
					  (json_int_t)status->control.generation, "workloads", workloads_json(status),
					  "gates", gates_json(status), "layers",
					  eg_layers_json(&status->layers), "not_enforced", findings_json(status),
					  "loads_failed", (json_int_t)status->agent.loads_failed, "sweep",
					  sweep_json(status), "forbidden", forbidden_json(status), "audit", audit_json(status));

	if (document && status->agent.error[0])
		json_object_set_new(document, "last_error",
				    eg_json_text(status->agent.error, strnlen(status->agent.error, EG_ERROR_LEN)));
	if (!document)
		return -ENOMEM;
	return json_dumpf(document, stdout, JSON_INDENT(2)) < 0 || printf("\n") < 0 ? -EIO : 0;
}

static void print_sweep(const struct status *status)
{
	const struct eg_agent_sweep *sweep = &status->agent.sweep;

	if (sweep->ended_ns == 0)
		printf("sweep       none yet");
	else
		printf("sweep       %.1f ms for %" PRIu64 " files, %.1f s ago, %" PRIu64 " connections ended",
		       (double)sweep->took_ns / 1e6, (uint64_t)sweep->looked_at,
		       (double)(eg_now_ns() - sweep->ended_ns) / 1e9, (uint64_t)sweep->destroyed);
	if (status->alive)
		printf(sweep->period_ms ? "; every %u ms\n" : "\n", sweep->period_ms);
	else
		printf("; timeouts of open connections stand still\n");
}

/* The time of the workload that has most of it. */
static void print_grace(const struct status *status)
{
	uint64_t longest_ms = 0;

	for (size_t i = 0; i < status->workloads.len; i++)
		if (status->workloads.items[i].grace_ms > longest_ms)
			longest_ms = status->workloads.items[i].grace_ms;
	if (!status->agent.forbidden.waiting || !longest_ms)
		return;
	printf("grace       %u connections that their policy forbids go on for %.1f s%s\n", status->agent.forbidden.waiting,
	       (double)longest_ms / 1e3, status->alive ? "" : "; then the guard drops what they send, and nobody ends them");
}

static void print_audit(const struct status *status)
{
	const struct eg_audit *audit = &status->audit;

	printf("audit       %" PRIu64 " leases %s %" PRIu64 " by the gauges\n", audit->leases,
	       audit->agrees ? "=" : "DIFFER FROM", audit->places);
}

static void print_sight(const struct status *status)
{
	printf("agent       %s", state_name(status));
	switch (status->sight) {
	case EG_AGENT_DEAD:
		printf(", was process %u\n", status->agent.pid);
		break;
	case EG_AGENT_SEEN:
		printf(", process %u\n", status->agent.pid);
		break;
	case EG_AGENT_BEGINNING:
		printf("\n");
		break;
	case EG_AGENT_UNSEEN:
		printf(", process %u of another pid namespace\n", status->agent.pid);
		break;
	}
}

static const char *enforced_text(bool enforced)
{
	return enforced ? "yes" : "NO";
}

static const char *workload_text(const struct workload_state *workload)
{
	if (workload->in_place && workload->mode == EG_MODE_AUDIT)
		return "audit";
	return enforced_text(is_enforced(workload));
}

static void print_agent(const struct status *status)
{
	size_t enforced = 0, gates_enforced = 0;

	for (size_t i = 0; i < status->workloads.len; i++)
		enforced += is_enforced(&status->workloads.items[i]);
	for (size_t i = 0; i < status->gates.len; i++)
		gates_enforced += status->gates.items[i].enforced;
	print_sight(status);
	printf("generation  %" PRIu64 "\n", (uint64_t)status->control.generation);
	if (status->agent.error[0])
		printf("last load   FAILED, generation %" PRIu64 " stays in force: %.*s\n",
		       (uint64_t)status->control.generation, EG_ERROR_LEN, status->agent.error);
	printf("enforced    %zu of %zu workloads", enforced, status->workloads.len);
	if (status->gates.len > 0)
		printf(", %zu of %zu gates", gates_enforced, status->gates.len);
	printf("\n");
	print_sweep(status);
	print_grace(status);
	print_audit(status);
	eg_layers_print(&status->layers);
	printf("\n");
}

#define WINDOW_TEXT_MAX 16

/* How long processes were in the cgroup before it was enforced, at most. */
static void format_window(const struct eg_slot_info *info, char text[WINDOW_TEXT_MAX])
{
	if (!has_window(info))
		snprintf(text, WINDOW_TEXT_MAX, "-");
	else if (info->window_ms == 0)
		snprintf(text, WINDOW_TEXT_MAX, "none");
	else if (info->window_ms < 10000)
		snprintf(text, WINDOW_TEXT_MAX, "%u ms", info->window_ms);
	else
		snprintf(text, WINDOW_TEXT_MAX, "%u s", info->window_ms / 1000);
}

static void print_workloads(const struct status *status)
{
	if (status->workloads.len > 0)
		printf("%-8s %-28s %-14s %5s  %8s  %s\n", "ENFORCED", "WORKLOAD", "MESH", "SLOT", "WINDOW", "CGROUP");
	for (size_t i = 0; i < status->workloads.len; i++) {
		const struct workload_state *workload = &status->workloads.items[i];
		const struct eg_slot_info *info = &workload->slot->info;
		char window[WINDOW_TEXT_MAX];

		format_window(info, window);
		printf("%-8s %-28s %-14s %5u  %8s  %s\n", workload_text(workload), info->name, info->mesh,
		       workload->slot->slot, window, info->cgroup);
	}
}

static void print_incoming(const struct status *status)
{
	bool has_heading = false;

	for (size_t i = 0; i < status->workloads.len; i++) {
		const struct workload_state *workload = &status->workloads.items[i];

		if (workload->incoming.mode == EG_INCOMING_OFF)
			continue;
		if (!has_heading)
			printf("\n%-11s %-28s %s\n", "INCOMING", "WORKLOAD", "CLIENTS ARE LOOKED AT BY");
		has_heading = true;
		printf("%-11s %-28s ", eg_incoming_modes[workload->incoming.mode], workload->slot->info.name);
		eg_incoming_state_print(&workload->incoming);
	}
}

static void print_redirects(const struct status *status)
{
	bool has_heading = false;

	for (size_t i = 0; i < status->workloads.len; i++) {
		const struct workload_state *workload = &status->workloads.items[i];

		if (!workload->redirect.redirects)
			continue;
		if (!has_heading)
			printf("\n%-11s %-28s %s\n", "REDIRECT", "WORKLOAD", "SENT TO");
		has_heading = true;
		eg_redirect_state_print(&workload->redirect, workload->slot->info.name);
	}
}

static void print_gates(const struct status *status)
{
	if (status->gates.len > 0)
		printf("%s%-8s %-28s  %s\n", status->workloads.len > 0 ? "\n" : "", "ENFORCED", "GATE OF",
		       "REFUSES WHAT IS IN NO ENROLLED CGROUP BELOW");
	for (size_t i = 0; i < status->gates.len; i++) {
		const struct gate_state *state = &status->gates.items[i];

		printf("%-8s %-28s  %s\n", enforced_text(state->enforced), state->gate.info.workload,
		       state->gate.info.cgroup);
	}
}

static void print_text(const struct status *status)
{
	print_agent(status);
	print_workloads(status);
	print_incoming(status);
	print_redirects(status);
	print_gates(status);
	printf("\nnot enforced:\n");
	for (size_t i = 0; i < status->findings.len; i++) {
		const struct finding *finding = &status->findings.items[i];

		printf("- %s%s%s\n    remedy: %s\n", finding->workload ? finding->workload : "",
		       finding->workload ? ": " : "", finding->what, finding->remedy);
	}
}

int eg_cmd_status(int argc, char **argv)
{
	_cleanup_(status_clear) struct status status = {.pinned = EG_PINNED_NONE};
	struct eg_listing_words words = {};
	int r = eg_listing_parse(argc, argv, &help, options, EG_COUNT_OF(options), &words);

	if (r != 0)
		return r == EG_OPTIONS_HELP ? EG_EXIT_OK : EG_EXIT_USAGE;
	if (eg_pinned_open(help.name, words.workload, &status.pinned) < 0)
		return EG_EXIT_FAILED;
	r = gather(&status, words.workload);
	if (r == 0 && words.json)
		r = print_json(&status);
	else if (r == 0)
		print_text(&status);
	if (r == 0)
		return EG_EXIT_OK;
	eg_log_error("status: %s%s", strerror(-r), r == -EPERM || r == -EACCES ? ": root is needed" : "");
	return EG_EXIT_FAILED;
}
