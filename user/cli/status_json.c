/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/status.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/clock.h"
#include "cli/foreign.h"
#include "export/json.h"

static json_t *workloads_json(const struct eg_status *status)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < status->workloads.len; i++) {
		const struct eg_workload_state *workload = &status->workloads.items[i];
		const struct eg_slot_info *info = &workload->slot->info;

		if (json_array_append_new(
			    list,
			    json_pack("{s:o, s:o, s:o, s:i, s:s, s:b, s:I, s:o, s:o*, s:o*, s:o*, s:o*}", "name",
				      eg_json_string(info->name), "mesh", eg_json_string(info->mesh), "cgroup",
				      eg_json_string(info->cgroup), "slot", (int)workload->slot->slot, "mode",
				      eg_modes[workload->mode], "enforced", eg_workload_is_enforced(workload),
				      "uncounted", (json_int_t)workload->uncounted.outbound, "foreign",
				      eg_foreign_json(&status->foreign, workload->slot->slot), "grace_ms",
				      workload->grace_ms ? json_integer((json_int_t)workload->grace_ms) : NULL,
				      "window_ms", eg_workload_has_window(info) ? json_integer(info->window_ms) : NULL,
				      "incoming", eg_incoming_state_json(&workload->incoming), "redirect",
				      eg_redirect_state_json(&workload->redirect))) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

static json_t *gates_json(const struct eg_status *status)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < status->gates.len; i++) {
		const struct eg_gate_state *state = &status->gates.items[i];
		const struct eg_gate_info *info = &state->gate.info;

		if (json_array_append_new(list, json_pack("{s:o, s:o, s:b}", "cgroup", eg_json_string(info->cgroup),
							  "workload", eg_json_string(info->workload), "enforced",
							  state->enforced)) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

static json_t *findings_json(const struct eg_status *status)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < status->findings.len; i++) {
		const struct eg_status_finding *finding = &status->findings.items[i];
		json_t *entry =
			json_pack("{s:o, s:s, s:o*}", "what", eg_json_string(finding->what), "remedy", finding->remedy,
				  "workload", finding->workload ? eg_json_string(finding->workload) : NULL);

		if (json_array_append_new(list, entry) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

/* NULL before the first sweep. */
static json_t *sweep_json(const struct eg_status *status)
{
	const struct eg_agent_sweep *sweep = &status->agent.sweep;

	if (sweep->ended_ns == 0)
		return NULL;
	return json_pack("{s:f, s:I, s:f, s:I, s:I, s:I}", "took_ms", (double)sweep->took_ns / 1e6, "looked_at",
			 (json_int_t)sweep->looked_at, "age_ms", (double)(eg_now_ns() - sweep->ended_ns) / 1e6,
			 "period_ms", (json_int_t)sweep->period_ms, "destroyed", (json_int_t)sweep->destroyed,
			 "unreachable", (json_int_t)sweep->unreachable);
}

/* NULL before the first look, which comes with the first sweep. */
static json_t *forbidden_json(const struct eg_status *status)
{
	const struct eg_agent_forbidden *forbidden = &status->agent.forbidden;

	if (status->agent.sweep.ended_ns == 0)
		return NULL;
	return json_pack("{s:I, s:I, s:I, s:I}", "waiting", (json_int_t)forbidden->waiting, "unreachable",
			 (json_int_t)forbidden->unreachable, "ended", (json_int_t)forbidden->ended, "kept",
			 (json_int_t)forbidden->kept);
}

static json_t *audit_json(const struct eg_status *status)
{
	const struct eg_audit *audit = &status->audit;

	return json_pack("{s:I, s:I, s:b}", "leases", (json_int_t)audit->leases, "gauges", (json_int_t)audit->places,
			 "agrees", audit->agrees);
}

int eg_status_print_json(const struct eg_status *status)
{
	json_auto_t *document =
		json_pack("{s:{s:I, s:s}, s:I, s:o, s:o, s:o, s:o, s:I, s:o*, s:o*, s:o*}", "agent", "pid",
			  (json_int_t)status->agent.pid, "state", eg_status_agent(status), "generation",
			  (json_int_t)status->control.generation, "workloads", workloads_json(status), "gates",
			  gates_json(status), "layers", eg_layers_json(&status->layers), "not_enforced",
			  findings_json(status), "loads_failed", (json_int_t)status->agent.loads_failed, "sweep",
			  sweep_json(status), "forbidden", forbidden_json(status), "audit", audit_json(status));

	if (document && status->agent.error[0])
		json_object_set_new(document, status->agent.error_of == EG_WORK_LOAD ? "last_error" : "look_error",
				    eg_json_text(status->agent.error, strnlen(status->agent.error, EG_ERROR_LEN)));
	if (!document)
		return -ENOMEM;
	return json_dumpf(document, stdout, JSON_INDENT(2)) < 0 || printf("\n") < 0 ? -EIO : 0;
}
