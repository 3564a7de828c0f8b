/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"

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

static void status_clear(struct eg_status *status)
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

int eg_status_add(struct eg_status *status, const char *workload, const char *remedy, const char *format, ...)
{
	struct eg_status_finding finding = {.remedy = remedy, .workload = workload};
	va_list args;
	int r;

	va_start(args, format);
	r = eg_text_format_escaped(&finding.what, format, args);
	va_end(args);
	if (r == 0) {
		r = eg_array_push(&status->findings, finding);
		if (r < 0)
			free(finding.what);
	}
	return r;
}

bool eg_workload_is_enforced(const struct eg_workload_state *workload)
{
	return workload->in_place && workload->mode == EG_MODE_ENFORCE;
}

const char *eg_status_agent(const struct eg_status *status)
{
	if (!status->alive)
		return "dead";
	if (status->sight == EG_AGENT_BEGINNING)
		return "starting";
	return status->agent.state == EG_AGENT_RUNNING ? "running" : "starting";
}

bool eg_workload_has_window(const struct eg_slot_info *info)
{
	return info->cgroup_id != 0 && info->window_ms != EG_WINDOW_UNKNOWN;
}

static int gather(struct eg_status *status, const char *workload)
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
	r = eg_status_inspect_cgroups(status, workload);
	return r < 0 ? r : eg_status_inspect_node(status);
}

int eg_cmd_status(int argc, char **argv)
{
	_cleanup_(status_clear) struct eg_status status = {.pinned = EG_PINNED_NONE};
	struct eg_listing_words words = {};
	int r = eg_listing_parse(argc, argv, &help, options, EG_COUNT_OF(options), &words);

	if (r != 0)
		return r == EG_OPTIONS_HELP ? EG_EXIT_OK : EG_EXIT_USAGE;
	if (eg_pinned_open(help.name, words.workload, &status.pinned) < 0)
		return EG_EXIT_FAILED;
	r = gather(&status, words.workload);
	if (r == 0 && words.json)
		r = eg_status_print_json(&status);
	else if (r == 0)
		eg_status_print(&status);
	if (r == 0)
		return EG_EXIT_OK;
	eg_log_error("status: %s%s", strerror(-r), r == -EPERM || r == -EACCES ? ": root is needed" : "");
	return EG_EXIT_FAILED;
}
