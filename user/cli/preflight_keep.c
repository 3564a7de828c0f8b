/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* preflight --emit-policy: for whom, and what their documents say now. */
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "cli/preflight.h"
#include "cli/running.h"
#include "export/keep.h"
#include "export/names.h"
#include "policy/passthrough.h"

#define POLICY_SUFFIX "-preflight"
/* Of a name, so that it is one with the suffix and a number. */
#define NAME_PART_MAX 230

struct keeping {
	const struct eg_preflight_report *report;
	struct eg_cli_policy running;	/* what the agent reads, when nobody says otherwise */
	const struct eg_model *model;	/* NULL: not known */
	struct eg_paths paths;
	struct eg_arena arena;
	EG_ARRAY(struct eg_keep) keeps;
};

static void keeping_clear(struct keeping *keeping)
{
	for (size_t i = 0; i < keeping->keeps.len; i++)
		eg_array_clear(&keeping->keeps.items[i].flows);
	eg_array_clear(&keeping->keeps);
	eg_array_clear(&keeping->paths.list);
	eg_cli_policy_clear(&keeping->running);
	eg_arena_clear(&keeping->arena);
}

/* ---- the documents of now ---- */

/* Of the running agent; why they are not known has been said then, and is no failure. */
static int read_running(struct keeping *keeping)
{
	int r;

	if (eg_running_policy("preflight", &keeping->arena, &keeping->paths) < 0)
		return 0;
	r = eg_cli_policy_load(&keeping->paths, &keeping->running);
	if (r == 0 && !eg_diag_has_errors(&keeping->running.diag))
		keeping->model = keeping->running.model;
	return r;
}

static int read_documents(struct keeping *keeping)
{
	keeping->model = keeping->report->judges.policy.model;
	return keeping->model ? 0 : read_running(keeping);
}

/* ---- a workload ---- */

static bool is_taken(const struct eg_model *model, const char *mesh, const char *name)
{
	for (size_t i = 0; model && i < model->passthroughs.len; i++) {
		const struct eg_policy_head *head = &model->passthroughs.items[i]->head;

		if (strcmp(head->mesh, mesh) == 0 && strcmp(head->name, name) == 0)
			return true;
	}
	return false;
}

/* NULL without memory. */
static const char *free_name(struct keeping *keeping, const struct eg_keep *keep)
{
	char name[NAME_PART_MAX + sizeof(POLICY_SUFFIX) + 12];

	snprintf(name, sizeof(name), "%.*s" POLICY_SUFFIX, NAME_PART_MAX, keep->name);
	for (unsigned int i = 2; is_taken(keeping->model, keep->mesh, name); i++)
		snprintf(name, sizeof(name), "%.*s" POLICY_SUFFIX "-%u", NAME_PART_MAX, keep->name, i);
	return eg_arena_strdup(&keeping->arena, name);
}

/* One that is for the workload, more specific than a targetRef by its name, and does not ask the lists. */
static const struct eg_mesh_passthrough *find_rival(const struct keeping *keeping, const struct eg_keep *keep)
{
	const struct eg_policy_head own = {
		.name = keep->policy,
		.display_name = keep->policy,
		.mesh = keep->mesh,
		.target = {.kind = EG_TARGET_DATAPLANE},
	};
	const struct eg_workload *workload = keep->workload;
	const struct eg_identity identity = {
		.mesh = keep->mesh,
		.name = keep->name,
		.workload = workload,
		.dataplane = workload && workload->dataplane
				     ? eg_model_find_dataplane(keeping->model, keep->mesh, workload->dataplane)
				     : NULL,
	};
	const struct eg_mesh_passthrough *best = keeping->model ? eg_passthrough_select(keeping->model, &identity) : NULL;

	return best && best->mode != EG_PASSTHROUGH_MATCHED && eg_target_compare(&own, &best->head) < 0 ? best : NULL;
}

/* An instance of a glob is called NAME:PATH, and the glob is nowhere but in its file. */
static int describe(struct keeping *keeping, const struct eg_slot_info *info, struct eg_keep *ret_keep)
{
	const bool is_instance = strchr(info->name, ':');
	struct eg_keep keep = {.mesh = info->mesh};
	char name[EG_NAME_LEN];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(info->name, ":"), info->name);
	keep.name = eg_arena_strdup(&keeping->arena, name);
	if (!keep.name)
		return -ENOMEM;
	keep.dataplane = strcmp(info->dataplane, info->name) == 0 ? keep.name : info->dataplane;
	keep.cgroup = is_instance ? NULL : info->cgroup;
	keep.workload = keeping->model ? eg_model_find_workload(keeping->model, keep.name) : NULL;
	if (keep.workload) {
		keep.mesh = keep.workload->mesh;
		keep.cgroup = keep.workload->cgroup;
		keep.dataplane = keep.workload->dataplane ? keep.workload->dataplane : keep.name;
	}
	keep.policy = free_name(keeping, &keep);
	if (!keep.policy)
		return -ENOMEM;
	keep.rival = find_rival(keeping, &keep);
	*ret_keep = keep;
	return 0;
}

static int find_or_add(struct keeping *keeping, const struct eg_slot_info *info, struct eg_keep **ret_keep)
{
	const size_t len = strcspn(info->name, ":");
	struct eg_keep keep;
	int r;

	for (size_t i = 0; i < keeping->keeps.len; i++) {
		*ret_keep = &keeping->keeps.items[i];
		if (strncmp((*ret_keep)->name, info->name, len) == 0 && (*ret_keep)->name[len] == '\0')
			return 0;
	}
	r = describe(keeping, info, &keep);
	if (r == 0)
		r = eg_array_push(&keeping->keeps, keep);
	if (r == 0)
		*ret_keep = &keeping->keeps.items[keeping->keeps.len - 1];
	return r;
}

/* ---- its flows ---- */

static int compare_flows(const void *a, const void *b)
{
	return eg_flow_compare(a, b);
}

/* Instances of one Workload go to the same places. */
static void sort_flows(struct eg_keep *keep)
{
	struct eg_flow *flows = keep->flows.items;
	size_t kept = 0;

	qsort(flows, keep->flows.len, sizeof(*flows), compare_flows);
	for (size_t i = 1; i < keep->flows.len; i++)
		if (eg_flow_compare(&flows[kept], &flows[i]) != 0)
			flows[++kept] = flows[i];
	keep->flows.len = kept + 1;
}

static const struct eg_slot_info *info_of(const struct eg_pinned *pinned, uint32_t slot)
{
	for (size_t i = 0; i < pinned->slots.len; i++)
		if (pinned->slots.items[i].slot == slot)
			return &pinned->slots.items[i].info;
	return NULL;
}

static int keep(struct keeping *keeping, const struct eg_cut *cut)
{
	const struct eg_slot_info *info = info_of(&keeping->report->pinned, cut->slot);
	struct eg_keep *keep;
	int r = info ? find_or_add(keeping, info, &keep) : -ESRCH;

	return r < 0 ? r : eg_array_push(&keep->flows, cut->flow);
}

/* What ends a line would end the comment. */
static void print_gap(const struct eg_gap *gap)
{
	char name[EG_NAME_TEXT_MAX];

	printf("# not recorded: %s%s%s\n", gap->workload ? eg_name_format(gap->workload, name) : "",
	       gap->workload ? ": " : "", gap->what);
}

/* A client is kept by its Workload alone, whose list is written by hand. */
static void print_client(const struct eg_pinned *pinned, const struct eg_cut *cut)
{
	char name[EG_NAME_TEXT_MAX], address[EG_ADDR_TEXT_MAX], protocol[12];

	printf("# %s: a client would be cut; its Workload keeps it with: allowIncoming: [{cidr: \"%s\", port: %u, protocol: %s}]\n",
	       eg_name_format(eg_pinned_name(pinned, cut->slot), name),
	       eg_addr_format(cut->flow.family, &cut->flow.addr, address), cut->flow.port,
	       eg_protocol_name(cut->flow.protocol, protocol));
}

int eg_preflight_print_policy(const struct eg_preflight_report *report)
{
	_cleanup_(keeping_clear) struct keeping keeping = {.report = report};
	int r = report->preflight.cuts.len > 0 ? read_documents(&keeping) : 0;

	for (size_t i = 0; i < report->preflight.cuts.len && r == 0; i++)
		if (report->preflight.cuts.items[i].is_incoming)
			print_client(&report->pinned, &report->preflight.cuts.items[i]);
		else
			r = keep(&keeping, &report->preflight.cuts.items[i]);
	for (size_t i = 0; i < report->gaps.len && r == 0; i++)
		print_gap(&report->gaps.items[i]);
	for (size_t i = 0; i < keeping.keeps.len && r == 0; i++)
		sort_flows(&keeping.keeps.items[i]);
	return r < 0 ? r : eg_keep_print(stdout, keeping.keeps.items, keeping.keeps.len);
}
