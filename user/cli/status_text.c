/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/status.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "export/names.h"

static void print_sweep(const struct eg_status *status)
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
static void print_grace(const struct eg_status *status)
{
	uint64_t longest_ms = 0;

	for (size_t i = 0; i < status->workloads.len; i++)
		if (status->workloads.items[i].grace_ms > longest_ms)
			longest_ms = status->workloads.items[i].grace_ms;
	if (!status->agent.forbidden.waiting || !longest_ms)
		return;
	printf("grace       %u connections that their policy forbids go on for %.1f s%s\n",
	       status->agent.forbidden.waiting, (double)longest_ms / 1e3,
	       status->alive ? "" : "; then the guard drops what they send, and nobody ends them");
}

static void print_audit(const struct eg_status *status)
{
	const struct eg_audit *audit = &status->audit;

	printf("audit       %" PRIu64 " leases %s %" PRIu64 " by the gauges\n", audit->leases,
	       audit->agrees ? "=" : "DIFFER FROM", audit->places);
}

static void print_sight(const struct eg_status *status)
{
	printf("agent       %s", eg_status_agent(status));
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

static const char *workload_text(const struct eg_workload_state *workload)
{
	if (workload->in_place && workload->mode == EG_MODE_AUDIT)
		return "audit";
	return enforced_text(eg_workload_is_enforced(workload));
}

static void print_agent(const struct eg_status *status)
{
	size_t enforced = 0, gates_enforced = 0;

	for (size_t i = 0; i < status->workloads.len; i++)
		enforced += eg_workload_is_enforced(&status->workloads.items[i]);
	for (size_t i = 0; i < status->gates.len; i++)
		gates_enforced += status->gates.items[i].enforced;
	print_sight(status);
	printf("generation  %" PRIu64 "\n", (uint64_t)status->control.generation);
	if (status->agent.error[0] && status->agent.error_of == EG_WORK_LOAD)
		printf("last load   FAILED, generation %" PRIu64 " stays in force: %.*s\n",
		       (uint64_t)status->control.generation, EG_ERROR_LEN, status->agent.error);
	if (status->agent.error[0] && status->agent.error_of == EG_WORK_LOOK)
		printf("cgroups     NOT ALL as generation %" PRIu64 " says: %.*s\n", (uint64_t)status->control.generation,
		       EG_ERROR_LEN, status->agent.error);
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
	if (!eg_workload_has_window(info))
		snprintf(text, WINDOW_TEXT_MAX, "-");
	else if (info->window_ms == 0)
		snprintf(text, WINDOW_TEXT_MAX, "none");
	else if (info->window_ms < 10000)
		snprintf(text, WINDOW_TEXT_MAX, "%u ms", info->window_ms);
	else
		snprintf(text, WINDOW_TEXT_MAX, "%u s", info->window_ms / 1000);
}

static void print_workloads(const struct eg_status *status)
{
	if (status->workloads.len > 0)
		printf("%-8s %-28s %-14s %5s  %8s  %s\n", "ENFORCED", "WORKLOAD", "MESH", "SLOT", "WINDOW", "CGROUP");
	for (size_t i = 0; i < status->workloads.len; i++) {
		const struct eg_workload_state *workload = &status->workloads.items[i];
		const struct eg_slot_info *info = &workload->slot->info;
		char window[WINDOW_TEXT_MAX], name[EG_NAME_TEXT_MAX], cgroup[EG_NAME_TEXT_MAX];

		format_window(info, window);
		printf("%-8s %-28s %-14s %5u  %8s  %s\n", workload_text(workload), eg_name_format(info->name, name),
		       info->mesh, workload->slot->slot, window, eg_name_format(info->cgroup, cgroup));
	}
}

static void print_incoming(const struct eg_status *status)
{
	bool has_heading = false;

	for (size_t i = 0; i < status->workloads.len; i++) {
		const struct eg_workload_state *workload = &status->workloads.items[i];
		char name[EG_NAME_TEXT_MAX];

		if (workload->incoming.mode == EG_INCOMING_OFF)
			continue;
		if (!has_heading)
			printf("\n%-11s %-28s %s\n", "INCOMING", "WORKLOAD", "CLIENTS ARE LOOKED AT BY");
		has_heading = true;
		printf("%-11s %-28s ", eg_incoming_modes[workload->incoming.mode],
		       eg_name_format(workload->slot->info.name, name));
		eg_incoming_state_print(&workload->incoming);
	}
}

static void print_redirects(const struct eg_status *status)
{
	bool has_heading = false;

	for (size_t i = 0; i < status->workloads.len; i++) {
		const struct eg_workload_state *workload = &status->workloads.items[i];
		char name[EG_NAME_TEXT_MAX];

		if (!workload->redirect.redirects)
			continue;
		if (!has_heading)
			printf("\n%-11s %-28s %s\n", "REDIRECT", "WORKLOAD", "SENT TO");
		has_heading = true;
		eg_redirect_state_print(&workload->redirect, eg_name_format(workload->slot->info.name, name));
	}
}

static void print_gates(const struct eg_status *status)
{
	if (status->gates.len > 0)
		printf("%s%-8s %-28s  %s\n", status->workloads.len > 0 ? "\n" : "", "ENFORCED", "GATE OF",
		       "REFUSES WHAT IS IN NO ENROLLED CGROUP BELOW");
	for (size_t i = 0; i < status->gates.len; i++) {
		const struct eg_gate_state *state = &status->gates.items[i];
		char name[EG_NAME_TEXT_MAX], cgroup[EG_NAME_TEXT_MAX];

		printf("%-8s %-28s  %s\n", enforced_text(state->enforced),
		       eg_name_format(state->gate.info.workload, name), eg_name_format(state->gate.info.cgroup, cgroup));
	}
}

void eg_status_print(const struct eg_status *status)
{
	print_agent(status);
	print_workloads(status);
	print_incoming(status);
	print_redirects(status);
	print_gates(status);
	printf("\nnot enforced:\n");
	for (size_t i = 0; i < status->findings.len; i++) {
		const struct eg_status_finding *finding = &status->findings.items[i];
		char name[EG_NAME_TEXT_MAX];

		printf("- %s%s%s\n    remedy: %s\n", finding->workload ? eg_name_format(finding->workload, name) : "",
		       finding->workload ? ": " : "", finding->what, finding->remedy);
	}
}
