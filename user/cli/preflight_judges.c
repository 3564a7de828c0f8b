/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/preflight.h"
#include "policy/decompile.h"
#include "workload/cgroup.h"
#include "workload/slots.h"

/* A slot that is being let go is nobody's any more. */
static bool is_asked(const struct eg_pinned *pinned, uint32_t slot)
{
	for (size_t i = 0; i < pinned->slots.len; i++)
		if (pinned->slots.items[i].slot == slot)
			return pinned->slots.items[i].info.use == EG_SLOT_ENROLLED;
	return false;
}

static int make_table(struct eg_judges *judges)
{
	judges->by_slot = calloc(EG_SLOTS_MAX, sizeof(*judges->by_slot));
	return judges->by_slot ? 0 : -ENOMEM;
}

/* ---- in force, with passthrough false and mTLS STRICT ---- */

static int close_subjects(struct eg_preflight_report *report)
{
	struct eg_judges *judges = &report->judges;
	size_t count = judges->rules->subjects.len;

	judges->closed = calloc(count + 1, sizeof(*judges->closed));
	if (!judges->closed)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct eg_subject *subject = &judges->closed[i];

		*subject = *judges->rules->subjects.items[i];
		subject->passthrough = false;
		subject->mode = EG_MODE_ENFORCE;
		if (subject->incoming.mode == EG_INCOMING_PERMISSIVE)
			subject->incoming.mode = EG_INCOMING_STRICT;
		if (is_asked(&report->pinned, subject->slot))
			judges->by_slot[subject->slot] = subject;
	}
	return 0;
}

/*
 * With the Mesh's passthrough false no cluster that a template leaves would be open. In the
 * maps it is part of every rule below it, so that nobody can tell what else allows the same.
 */
static int add_opened(struct eg_preflight_report *report, const struct eg_image *image)
{
	_cleanup_free_ uint32_t *flags = calloc(EG_SLOTS_MAX, sizeof(*flags));
	int r = 0;

	if (!flags)
		return -ENOMEM;
	eg_image_list_flags(image, flags);
	for (size_t i = 0; i < report->pinned.slots.len && r == 0; i++) {
		const struct eg_pinned_slot *slot = &report->pinned.slots.items[i];

		if (slot->info.use == EG_SLOT_ENROLLED && (flags[slot->slot] & EG_WORKLOAD_OPENED))
			r = eg_preflight_add_gap(report, slot->info.name,
						 "a template removes the cluster of one family alone: what passthrough false "
						 "would cut of the other is known with --policy only");
	}
	return r;
}

int eg_judges_read_in_force(struct eg_preflight_report *report)
{
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	int r = make_table(&report->judges);

	if (r == 0)
		r = eg_maps_read_image(&report->pinned.maps, &image);
	if (r == 0)
		r = eg_image_decompile(image, &report->judges.rules);
	if (r == 0)
		r = add_opened(report, image);
	return r < 0 ? r : close_subjects(report);
}

/* ---- another policy ---- */

static int load(const struct eg_preflight_words *words, struct eg_cli_policy *policy)
{
	int r = eg_cli_policy_load(&words->policies, policy);

	return r < 0 ? r : eg_cli_policy_check(policy, EG_SET_WHOLE);
}

static int read_infos(const struct eg_maps *maps, struct eg_slot_info **ret_infos)
{
	_cleanup_free_ struct eg_slot_info *infos = calloc(EG_SLOTS_MAX, sizeof(*infos));
	int r = infos ? eg_maps_read_infos(maps, infos) : -ENOMEM;

	if (r == 0)
		*ret_infos = TAKE_PTR(infos);
	return r;
}

/* Whose rules each slot would have, as the agent plans it. */
static int plan(const struct eg_pinned *pinned, struct eg_cli_policy *policy, struct eg_instances *instances,
		struct eg_slot_plans *ret_plans)
{
	_cleanup_free_ struct eg_slot_info *infos = NULL;
	_cleanup_free_ char *mount_point = NULL;
	int r = eg_cgroup_mount_point(&mount_point);

	if (r == 0)
		r = eg_instances_discover(mount_point, policy->model, &policy->diag, instances);
	if (r == 0 && eg_diag_has_errors(&policy->diag))
		r = -EBADMSG;
	if (r == 0)
		r = read_infos(&pinned->maps, &infos);
	if (r == 0)
		r = eg_slots_plan(infos, EG_SLOTS_MAX, policy->model, instances, ret_plans);
	return r == 0 && !eg_slot_plans_fit(ret_plans) ? -ENOSPC : r;
}

static int resolve(struct eg_judges *judges, const struct eg_slot_plans *plans)
{
	_cleanup_free_ struct eg_rules_source *sources = NULL;
	int r = eg_slot_plans_list_sources(plans, &sources);

	return r < 0 ? r : eg_rules_resolve_sources(judges->policy.model, sources, plans->list.len, judges->policy.resolvers,
						    judges->policy.resolver_count, &judges->rules);
}

/* What is not enrolled now is not seen now. */
static int add_newcomer(struct eg_preflight_report *report, const struct eg_slot_plan *plan, const char *asked)
{
	const char *name;

	if (plan->step != EG_STEP_ENROL || (asked && !eg_pinned_is_named(plan->info.name, asked)))
		return 0;
	name = eg_arena_strdup(&report->arena, plan->info.name);
	return name ? eg_preflight_add_gap(report, name, "the policy would enrol %s, and it is not enrolled now: nobody "
							 "knows where it connects to", plan->info.cgroup)
		    : -ENOMEM;
}

/* Without mTLS nobody looks at who comes in. */
static int add_unseen_clients(struct eg_preflight_report *report, const struct eg_subject *subject)
{
	struct eg_workload_policy now;
	const char *name;
	int r;

	if (subject->incoming.mode != EG_INCOMING_STRICT || subject->mode == EG_MODE_AUDIT)
		return 0;
	r = eg_maps_read_policy(&report->pinned.maps, subject->slot, &now);
	if (r < 0 || (now.flags & EG_WORKLOAD_INCOMING))
		return r;
	name = eg_arena_strdup(&report->arena, subject->name);
	return name ? eg_preflight_add_gap(report, name, "who comes in is not known while there is no mTLS: load it with mode "
							 "PERMISSIVE first, and ask again")
		    : -ENOMEM;
}

static void say_what_is_spared(const struct eg_subject *subject)
{
	if (subject->mode == EG_MODE_AUDIT)
		eg_log_warning("preflight: %s: this policy has it in audit mode: it would cut nothing", subject->name);
	else if (!subject->workload)
		eg_log_warning("preflight: %s: this policy does not name it: it would be let go", subject->name);
}

static int use_rules(struct eg_preflight_report *report, const struct eg_slot_plans *plans, const char *asked)
{
	struct eg_judges *judges = &report->judges;
	int r = 0;

	for (size_t i = 0; i < plans->list.len && r == 0; i++) {
		const struct eg_subject *subject = judges->rules->subjects.items[i];

		r = add_newcomer(report, &plans->list.items[i], asked);
		if (r < 0 || !is_asked(&report->pinned, subject->slot))
			continue;
		judges->by_slot[subject->slot] = subject;
		say_what_is_spared(subject);
		r = add_unseen_clients(report, subject);
	}
	return r;
}

int eg_judges_read_policy(struct eg_preflight_report *report, const struct eg_preflight_words *words)
{
	_cleanup_(eg_instances_clear) struct eg_instances instances = {};
	_cleanup_(eg_slot_plans_clear) struct eg_slot_plans plans = {};
	struct eg_judges *judges = &report->judges;
	int r = make_table(judges);

	if (r == 0)
		r = load(words, &judges->policy);
	if (r == 0 && eg_diag_has_errors(&judges->policy.diag))
		r = -EBADMSG;
	if (r == 0)
		r = plan(&report->pinned, &judges->policy, &instances, &plans);
	if (!eg_cli_policy_is_usable(&judges->policy))
		return -EBADMSG;
	if (r == 0)
		r = resolve(judges, &plans);
	return r < 0 ? r : use_rules(report, &plans, words->listing.workload);
}
