/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/status.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/foreign.h"
#include "datapath/inspect.h"
#include "workload/cgroup.h"
#include "workload/escape.h"

static int add_hook_findings(struct eg_status *status, const char *name, const struct eg_inspection *inspection)
{
	int r = 0;

	for (size_t i = 0; i < inspection->hooks.len && r == 0; i++) {
		const struct eg_hook_state *hook = &inspection->hooks.items[i];

		if (!hook->is_effective)
			r = eg_status_add(status, name, "restart egressd, which attaches what lacks", "%s: %s",
					  hook->program,
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
		return "it can undo a refusal or change the destination; the guard drops what would leave by that, and "
		       "TCP then waits for its timeout";
	return "it can undo a refusal or change the destination, and no guard looks at packets while passthrough is "
	       "true: a connection that the circuit breaker refused would go on, and no limit would count it";
}

static int add_foreign_findings(struct eg_status *status, const char *name, const struct eg_inspection *inspection,
				bool guarded)
{
	int r = 0;

	for (size_t i = 0; i < inspection->foreign.len && r == 0; i++) {
		const struct eg_foreign *foreign = &inspection->foreign.items[i];

		r = eg_status_add(status, name, "make sure that you trust it, or have its owner detach it",
				  "program %u '%s' (%s, on %s) runs after ours: %s", foreign->program_id, foreign->name,
				  foreign->hook, foreign->cgroup ? foreign->cgroup : "a cgroup that was not found",
				  foreign_means(foreign, guarded));
	}
	return r;
}

static int add_escape_findings(struct eg_status *status, const char *name, const char *path)
{
	struct eg_escapes escapes;
	int r = eg_escapes_read(path, &escapes);

	if (r == -ELOOP)
		r = eg_status_add(status, name, "nest them less deeply",
				  "cgroups below it are nested more deeply than is looked at: who could escape in there is not seen");
	for (enum eg_escape escape = 0; escape < EG_ESCAPE_COUNT && r == 0; escape++) {
		const struct eg_escapers *with = &escapes.with[escape];
		char pids[EG_ESCAPE_PIDS * 12 + 8] = "";

		if (with->count == 0)
			continue;
		for (size_t i = 0; i < with->count && i < EG_ESCAPE_PIDS; i++)
			snprintf(pids + strlen(pids), sizeof(pids) - strlen(pids), "%s%d", i ? ", " : "",
				 with->pids[i]);
		r = eg_status_add(status, name, "run the workload without the capability", "%zu %s %s, which %s: %s%s",
				  with->count, with->count == 1 ? "process has" : "processes have",
				  eg_escape_name(escape), eg_escape_means(escape), pids,
				  with->count > EG_ESCAPE_PIDS ? "..." : "");
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

/* A cgroup as the agent has written it down: for whom, where, which one, whose links are on it, and what belongs there. */
struct record {
	const char *name;
	const char *cgroup;
	uint64_t cgroup_id;
	uint32_t slot;
	bool guarded;
	const struct eg_program_names *wanted;
};

static struct record record_of(const struct look *look, const struct eg_pinned_slot *slot,
			       const struct eg_workload_policy *policy)
{
	const bool guarded = policy->flags & EG_WORKLOAD_GUARDED;
	const bool redirects = policy->flags & EG_WORKLOAD_REDIRECTS;

	return (struct record){
		.name = slot->info.name,
		.cgroup = slot->info.cgroup,
		.cgroup_id = slot->info.cgroup_id,
		.slot = slot->slot,
		.guarded = guarded,
		.wanted = &look->programs.workload[guarded][redirects],
	};
}

static int inspect_hooks(const struct look *look, const struct record *record, const char *path,
			 struct eg_inspection *ret_inspection)
{
	return eg_inspect_cgroup(record->wanted, &look->pins, record->slot, look->mount_point, path, record->cgroup_id,
				 ret_inspection);
}

/* Whether a link is where it belongs, and its program is not: another one may have taken its place. */
static bool has_other_programs(const struct eg_inspection *inspection)
{
	for (size_t i = 0; i < inspection->hooks.len; i++)
		if (inspection->hooks.items[i].is_attached && !inspection->hooks.items[i].is_effective)
			return true;
	return false;
}

/*
 * An agent that starts gives the links its own programs, and those that we have listed are gone: then the links are
 * listed anew, and the cgroup is looked at once more.
 */
static int inspect_current_hooks(const struct eg_status *status, struct look *look, const struct record *record,
				 const char *path, struct eg_inspection *inspection)
{
	_cleanup_free_ char *problem = NULL;
	int r = inspect_hooks(look, record, path, inspection);

	if (r == 0 ? !has_other_programs(inspection) : r != -ENOENT)
		return r;
	eg_inspection_clear(inspection);
	eg_array_clear(&look->pins.list);
	r = eg_pins_list_links(status->pinned.directory, &look->pins, &problem);
	if (problem)
		eg_log_error("status: %s", problem);
	return r < 0 ? r : inspect_hooks(look, record, path, inspection);
}

static int inspect_programs(struct eg_status *status, struct look *look, const struct record *record, const char *path,
			    bool *ret_enforced)
{
	const bool is_gate = record->slot == EG_GATE_SLOT;
	struct eg_inspection inspection = {};
	int r = inspect_current_hooks(status, look, record, path, &inspection);

	if (r == 0) {
		*ret_enforced = eg_inspection_is_enforced(&inspection);
		if (!is_gate)
			eg_layers_add(&status->layers, &inspection);
		r = add_hook_findings(status, record->name, &inspection);
	}
	if (r == 0)
		r = add_foreign_findings(status, record->name, &inspection, record->guarded);
	if (r == 0 && !is_gate)
		r = add_escape_findings(status, record->name, path);
	eg_inspection_clear(&inspection);
	return r;
}

static int inspect_cgroup(struct eg_status *status, struct look *look, const struct record *record,
			  bool *ret_enforced)
{
	_cleanup_free_ char *path = NULL;
	struct stat st;
	int r;

	if (asprintf(&path, "%s%s", look->mount_point, record->cgroup) < 0)
		return -ENOMEM;
	if (stat(path, &st) < 0)
		return eg_status_add(status, record->name, "the agent takes it in as soon as it is there again",
				     "the cgroup is gone: %s", record->cgroup);
	if (st.st_ino != record->cgroup_id)
		return eg_status_add(status, record->name,
				     "the agent takes it in; restart egressd if it runs and does not",
				     "the cgroup was made anew under the same path: %s", record->cgroup);
	r = inspect_programs(status, look, record, path, ret_enforced);
	/* It went while it was looked at. */
	return r == -ENOENT || r == -ENODEV ? eg_status_add(status, record->name, "ask again", "the cgroup is going")
					    : r;
}

static int add_uncounted_finding(struct eg_status *status, const char *name, const struct eg_uncounted *uncounted)
{
	char first[EG_ADDR_TEXT_MAX];

	if (uncounted->outbound == 0)
		return 0;
	return eg_status_add(status, name, "restart the workload; or wait, they count no more once they end",
			     "%" PRIu64 " outbound connections are older than the enrolment or the end of audit mode: no "
			     "limit counts them and no timeout ends them (outbound by inference: nothing listens on their "
			     "ports); the policy forbids %" PRIu64 " of them; the first is to %s, port %u",
			     uncounted->outbound, uncounted->forbidden,
			     eg_addr_format(uncounted->first.family, &uncounted->first.remote, first),
			     uncounted->first.remote_port);
}

static const char *unseen_means(const struct eg_status *status, const struct eg_workload_state *workload)
{
	if (!workload->guarded)
		return "no limit counts them, no timeout ends them";
	if (status->layers.lsm_error == 0)
		return "they are judged where they connect and send, no limit counts them, no timeout ends them";
	return "nothing judges what they send";
}

static int add_foreign_sockets_finding(struct eg_status *status, const struct eg_workload_state *workload)
{
	const uint32_t slot = workload->slot->slot;
	const size_t count = eg_foreign_count(&status->foreign, slot);
	_cleanup_free_ char *text = count > 0 ? eg_foreign_text(&status->foreign, slot) : NULL;

	if (count == 0)
		return 0;
	if (!text)
		return -ENOMEM;
	return eg_status_add(status, workload->slot->info.name,
			     "start the workload in its cgroup, hand it no sockets; without the packet sockets that it has",
			     "%zu open sockets are not seen by its cgroup's hooks: %s: %s", count, text,
			     unseen_means(status, workload));
}

static struct eg_workload_state state_of(const struct eg_pinned_slot *slot, const struct eg_workload_policy *policy)
{
	uint64_t now = eg_now_ns();

	return (struct eg_workload_state){
		.slot = slot,
		.mode = policy->flags & EG_WORKLOAD_AUDIT ? EG_MODE_AUDIT : EG_MODE_ENFORCE,
		.guarded = policy->flags & EG_WORKLOAD_GUARDED,
		.grace_ms = policy->grace_until_ns > now ? (policy->grace_until_ns - now) / 1000000 : 0,
	};
}

static int add_mode_finding(struct eg_status *status, const struct eg_workload_state *workload)
{
	if (workload->mode != EG_MODE_AUDIT)
		return 0;
	return eg_status_add(
		status, workload->slot->info.name, "set its mode to enforce",
		"it is in audit mode: what its policy refuses is counted and passes, no limit and no timeout acts");
}

static int inspect_place(struct eg_status *status, struct look *look, const struct record *record,
			 struct eg_workload_state *workload)
{
	const struct eg_slot_info *info = &workload->slot->info;
	int r;

	if (info->use == EG_SLOT_LEAVING)
		r = eg_status_add(status, info->name,
				  "none is wanted; 'egressctl detach' or the agent's next start ends it",
				  "it is being let go");
	else if (info->cgroup_id == 0)
		r = eg_status_add(status, info->name, "the agent takes it in as soon as it is there",
				  "it has no cgroup right now: %s", info->cgroup);
	else
		r = inspect_cgroup(status, look, record, &workload->in_place);
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

static int add_other_lookups(struct eg_status *status, const struct look *look,
			     const struct eg_workload_state *workload)
{
	int r = 0;

	for (size_t i = 0; i < look->other_lookups.list.len && r == 0; i++) {
		const struct eg_other_lookup *other = &look->other_lookups.list.items[i];

		if (eg_incoming_is_looked_up(&look->lookups, workload->slot->slot, other->netns))
			r = eg_status_add(status, workload->slot->info.name,
					  "make sure that you trust it, or have its owner detach it",
					  "program %u '%s' (sk_lookup) is asked in its network namespace too: it can "
					  "give a client that we refuse a socket",
					  other->program_id, other->name);
	}
	return r;
}

static int add_incoming_findings(struct eg_status *status, const struct look *look,
				 const struct eg_workload_state *workload)
{
	const struct eg_incoming_state *incoming = &workload->incoming;
	const char *name = workload->slot->info.name;

	if (incoming->mode == EG_INCOMING_OFF)
		return 0;
	if (!eg_incoming_is_in_place(incoming))
		return eg_status_add(
			status, name, "restart egressd, which attaches what lacks",
			"clients that come in are not looked at in %zu of its %zu network namespaces: no sk_lookup "
			"link is there, and no filter on its cgroup",
			incoming->namespaces - incoming->looked_up, incoming->namespaces);
	if (incoming->filtered && incoming->namespaces > 0 && incoming->mode == EG_INCOMING_STRICT && !incoming->drops)
		return eg_status_add(
			status, name, "give it a network namespace of its own",
			"clients that are blocked are dropped and not refused, and each of its packets is looked at: "
			"it shares a network namespace, or its namespaces take no sk_lookup program");
	return add_other_lookups(status, look, workload);
}

/* One that has just gone has no clients. */
static int inspect_incoming(struct eg_status *status, const struct look *look, const struct record *record,
			    const struct eg_workload_policy *policy, struct eg_workload_state *workload)
{
	int r;

	if (!workload->in_place || !(policy->flags & EG_WORKLOAD_INCOMING))
		return 0;
	workload->incoming.mode = policy->flags & EG_WORKLOAD_STRICT ? EG_INCOMING_STRICT : EG_INCOMING_PERMISSIVE;
	workload->incoming.drops = policy->flags & EG_WORKLOAD_DROPS;
	r = inspect_clients(look, record, &workload->incoming);
	if (r == -ENOENT || r == -ENODEV)
		return 0;
	workload->in_place = r == 0 && eg_incoming_is_in_place(&workload->incoming);
	return r < 0 ? r : add_incoming_findings(status, look, workload);
}

static int inspect_redirect(struct eg_status *status, const struct look *look, const struct eg_workload_policy *policy,
			    struct eg_workload_state *workload)
{
	eg_redirect_inspect(policy, &look->pins, &workload->redirect);
	if (eg_redirect_is_in_place(&workload->redirect))
		return 0;
	workload->in_place = false;
	return eg_status_add(status, workload->slot->info.name, "restart egressd, which attaches what lacks",
			     "its proxy is not told where connections wanted to go: no link is on the proxy's cgroup");
}

/* Open connections and sockets that hooks have not seen. */
static int inspect_sockets(struct eg_status *status, struct eg_workload_state *workload)
{
	int r;

	workload->uncounted = eg_uncounted_of(&status->uncounted, workload->slot->slot, workload->mode);
	r = add_uncounted_finding(status, workload->slot->info.name, &workload->uncounted);
	return r < 0 ? r : add_foreign_sockets_finding(status, workload);
}

/* The policy is read once, so that all that is said of a workload is of the same one. */
static int inspect_workload(struct eg_status *status, struct look *look, const struct eg_pinned_slot *slot)
{
	struct eg_workload_policy policy;
	struct eg_workload_state workload;
	struct record record;
	int r = eg_maps_read_policy(&status->pinned.maps, slot->slot, &policy);

	if (r < 0)
		return r;
	workload = state_of(slot, &policy);
	record = record_of(look, slot, &policy);
	r = add_mode_finding(status, &workload);
	if (r == 0)
		r = inspect_place(status, look, &record, &workload);
	if (r == 0)
		r = inspect_incoming(status, look, &record, &policy, &workload);
	if (r == 0)
		r = inspect_redirect(status, look, &policy, &workload);
	if (r == 0)
		r = inspect_sockets(status, &workload);
	return r < 0 ? r : eg_array_push(&status->workloads, workload);
}

static int inspect_gate(struct eg_status *status, struct look *look, struct eg_gate_state *state)
{
	const struct eg_gate_info *info = &state->gate.info;
	const struct record record = {
		.name = info->workload,
		.cgroup = info->cgroup,
		.cgroup_id = state->gate.cgroup_id,
		.slot = EG_GATE_SLOT,
		.wanted = &look->programs.gate,
	};

	return inspect_cgroup(status, look, &record, &state->enforced);
}

/* All are listed before the first is looked at: what is found about one points to its name in the list. */
static int inspect_gates(struct eg_status *status, struct look *look, const char *workload)
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

int eg_status_inspect_cgroups(struct eg_status *status, const char *workload)
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
