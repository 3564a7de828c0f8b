/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "enforced.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "policy/compile.h"
#include "policy/rules.h"
#include "workload/cgroup.h"
#include "workload/discover.h"
#include "workload/slots.h"

int eg_enforced_open(struct eg_enforced *enforced, const char *directory)
{
	int r = eg_roster_open(enforced->datapath, enforced->mount_point, &enforced->roster);

	if (r == 0)
		r = eg_gates_recover(enforced->datapath, directory, &enforced->gates);
	if (r == 0)
		r = eg_doors_open(&enforced->roster, &enforced->doors);
	return r < 0 ? r : eg_proxies_recover(directory, &enforced->proxies);
}

void eg_enforced_clear(struct eg_enforced *enforced)
{
	eg_roster_clear(&enforced->roster);
	eg_gates_clear(&enforced->gates);
	eg_doors_clear(&enforced->doors);
	eg_proxies_clear(&enforced->proxies);
}

/* ---- what a policy wants of the node, as it is now ---- */

struct wanted {
	struct eg_slot_plans plans;
	struct eg_gates gates;
	struct eg_proxies proxies;
};

static void wanted_clear(struct wanted *wanted)
{
	eg_slot_plans_clear(&wanted->plans);
	eg_gates_clear(&wanted->gates);
	eg_proxies_clear(&wanted->proxies);
}

/* Below another file system, or none, no cgroup could be found, and all would seem to be gone. */
static int check_mount(const char *mount_point, struct eg_diag *diag)
{
	const struct eg_origin nowhere = {};

	if (eg_cgroup_is_mounted(mount_point))
		return 0;
	eg_diag_add(diag, EG_SEVERITY_ERROR, nowhere, NULL,
		    "cgroup v2 was unmounted from %s, or covered: what is enforced stays, and no cgroup is added until it is there",
		    mount_point);
	return -ENODEV;
}

static void say_left_out(const struct eg_slot_plans *plans, struct eg_diag *diag)
{
	const struct eg_origin nowhere = {};

	if (!eg_slot_plans_fit(plans))
		eg_diag_add(diag, EG_SEVERITY_ERROR, nowhere, NULL,
			    "there are %u cgroups more than the %u that can be enrolled: let the policy name fewer",
			    plans->left_out - plans->leaving, EG_SLOTS_MAX - 1);
}

/* 0, -EBADMSG with diag, or -errno. */
static int list_wanted(const struct eg_enforced *enforced, const struct eg_model *model, bool is_known,
		       struct eg_diag *diag, struct wanted *wanted)
{
	_cleanup_(eg_instances_clear) struct eg_instances instances = {};
	int r = check_mount(enforced->mount_point, diag);

	if (r == 0)
		r = eg_instances_discover(enforced->mount_point, model, diag, &instances);
	if (r == 0)
		r = eg_slots_plan(enforced->roster.infos, EG_SLOTS_MAX, model, &instances, &wanted->plans);
	if (r == 0)
		say_left_out(&wanted->plans, diag);
	if (r == 0 && !is_known && eg_diag_has_errors(diag))
		r = -EBADMSG;
	if (r == 0)
		r = eg_gates_list_wanted(enforced->mount_point, model, &wanted->gates);
	return r < 0 ? r : eg_proxies_list_wanted(enforced->mount_point, &wanted->plans, &wanted->proxies);
}

/* ---- putting it in force ---- */

static int compile(const struct eg_loaded *policy, const struct wanted *wanted, struct eg_diag *diag,
		   struct eg_image **ret_image)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	_cleanup_free_ struct eg_rules_source *sources = NULL;
	const struct eg_slot_plans *plans = &wanted->plans;
	struct eg_capacity capacity = eg_datapath_max_capacity();
	int r = eg_slot_plans_list_sources(plans, &sources);

	for (size_t i = 0; r == 0 && i < plans->list.len; i++)
		sources[i].proxy_cgroup = eg_proxies_find(&wanted->proxies, sources[i].slot);
	if (r == 0)
		r = eg_rules_resolve_sources(policy->model, sources, plans->list.len, policy->resolvers,
					     policy->resolver_count, &rules);
	if (r == 0)
		r = eg_image_compile(rules, &capacity, diag, ret_image);
	return r;
}

/* What has to be there before the policy is in force. */
static int prepare(struct eg_enforced *enforced, const struct wanted *wanted, const struct eg_image *image)
{
	int r = eg_proxies_add_new(&enforced->proxies, enforced->datapath, enforced->mount_point, &wanted->proxies);

	if (r == 0)
		r = eg_roster_add_extras(&enforced->roster, image);
	return r < 0 ? r : eg_doors_prepare(&enforced->doors, image);
}

/* What is open and forbidden from now on gets its time, and is to be looked for. */
static int apply(struct eg_enforced *enforced, const struct wanted *wanted, struct eg_image **image,
		 struct eg_enforced_next *next)
{
	bool fresh[EG_SLOTS_MAX];

	eg_slot_plans_list_fresh(&wanted->plans, fresh);
	eg_datapath_grant_grace(enforced->datapath, *image, fresh);
	next->judge_open = true;
	return eg_datapath_apply(enforced->datapath, image);
}

void eg_enforced_follow_doors(struct eg_enforced *enforced, struct eg_enforced_next *next)
{
	bool look_again = false;
	int r = eg_doors_follow(&enforced->doors, &look_again);

	/* Until it succeeds there is the filter. */
	if (r < 0)
		eg_log_error("cannot follow the network namespaces of workloads: %s; trying again", strerror(-r));
	next->follow_doors = r < 0 || look_again;
}

/* What follows when it is in force. */
static int finish(struct eg_enforced *enforced, struct wanted *wanted, struct eg_enforced_next *next)
{
	int r = eg_gates_remove_old(&enforced->gates, enforced->datapath, &wanted->gates);

	if (r == 0)
		r = eg_roster_carry_out(&enforced->roster, &wanted->plans, &next->look_later);
	if (r == 0)
		r = eg_roster_remove_extras(&enforced->roster);
	if (r == 0)
		eg_enforced_follow_doors(enforced, next);
	if (r == 0)
		r = eg_proxies_remove_old(&enforced->proxies, enforced->datapath, &wanted->proxies);
	if (r == 0)
		r = eg_gates_add_new(&enforced->gates, enforced->datapath, enforced->mount_point, &wanted->gates);
	next->look_soon = r == 0 && wanted->plans.left_out && wanted->plans.leaving;
	return r;
}

static int make_generation(struct eg_enforced *enforced, const struct eg_loaded *policy, struct wanted *wanted,
			   struct eg_diag *diag, struct eg_enforced_next *next)
{
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	int r = compile(policy, wanted, diag, &image);

	if (r == 0)
		r = prepare(enforced, wanted, image);
	if (r == 0)
		r = apply(enforced, wanted, &image, next);
	if (r == 0)
		enforced->unfinished = finish(enforced, wanted, next);
	return r;
}

int eg_enforced_replace(struct eg_enforced *enforced, const struct eg_loaded *policy, bool is_known,
			struct eg_diag *diag, struct eg_enforced_next *next)
{
	_cleanup_(wanted_clear) struct wanted wanted = {};
	int r = list_wanted(enforced, policy->model, is_known, diag, &wanted);

	if (r == 0 && eg_diag_has_errors(diag) && eg_roster_lets_go(&enforced->roster, &wanted.plans))
		r = -EBADMSG;
	return r < 0 ? r : make_generation(enforced, policy, &wanted, diag, next);
}

/* What would be compiled is what is in force. */
static bool is_in_force(const struct eg_enforced *enforced, const struct wanted *wanted)
{
	return eg_slot_plans_keep_all(&wanted->plans) && eg_proxies_are_done(&enforced->proxies, &wanted->proxies);
}

static bool is_done(const struct eg_enforced *enforced, const struct wanted *wanted)
{
	return !enforced->unfinished && eg_roster_is_done(&enforced->roster, &wanted->plans) &&
	       eg_gates_are_done(&enforced->gates, &wanted->gates);
}

int eg_enforced_update(struct eg_enforced *enforced, const struct eg_loaded *policy, struct eg_diag *diag,
		       struct eg_enforced_next *next)
{
	_cleanup_(wanted_clear) struct wanted wanted = {};
	int r = list_wanted(enforced, policy->model, true, diag, &wanted);

	if (r < 0)
		return r;
	if (!is_in_force(enforced, &wanted))
		return make_generation(enforced, policy, &wanted, diag, next);
	if (!is_done(enforced, &wanted))
		enforced->unfinished = finish(enforced, &wanted, next);
	return 0;
}
