/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "daemon.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ager.h"
#include "base/cleanup.h"
#include "base/diag.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/notify.h"
#include "datapath/datapath.h"
#include "datapath/lsm.h"
#include "datapath/pins.h"
#include "datapath/walk.h"
#include "endpoint.h"
#include "enforced.h"
#include "forbidden.h"
#include "incoming.h"
#include "keeper.h"
#include "loaded.h"
#include "privileges.h"
#include "sweeper.h"
#include "watches.h"
#include "workload/agent.h"

#define EVENT_RATE 100u
/* Of the destination table for one workload. */
#define DESTINATION_QUOTA 4096u
/* A change of files counts once they have been still for this long. */
#define SETTLE_MS 100
/* Cgroups that come in a burst are enrolled together, but not later than this. */
#define GATHER_MS 2
/* What failed for want of something is tried again; a reload less and less often, since all of it is done anew. */
#define RETRY_MS 1000
#define RELOAD_RETRY_MS 2000
#define RELOAD_RETRY_MS_MAX 256000

enum daemon_exit {
	EXIT_STOPPED = 0,
	EXIT_FAILED = 1,
	EXIT_POLICY = 3,
};

struct daemon {
	const struct eg_daemon_options *options;
	struct eg_loop *loop;
	struct eg_timer *settle_timer;	/* policy files */
	struct eg_timer *gather_timer;	/* cgroups */
	bool is_gathering;		/* it is about to say so */
	struct eg_timer *sweep_timer;
	struct eg_timer *watchdog_timer;
	struct eg_timer *look_timer;	/* network namespaces */
	struct eg_watches watches;
	uint64_t seen_fingerprint;	/* of the last settling look at the files */
	uint64_t judged_fingerprint;	/* of the files that were last loaded or refused */
	unsigned int reload_retry_ms;	/* when the last one that failed is made again; 0: it is not */
	char *mount_point;
	char *directory;		/* of the pins */
	int lock_fd;			/* on that directory */
	bool lacks_pins;		/* they are out of sight, which was said */
	struct eg_datapath *datapath;
	struct eg_enforced enforced;
	struct eg_loaded policy;	/* in force, or on its way there */
	struct eg_agent agent;
	struct eg_sweeper sweeper;
	struct eg_forbidden forbidden;
	struct eg_ager ager;
	struct eg_keeper keeper;
	struct eg_admin_endpoint endpoint;
};

static void daemon_clear(struct daemon *daemon)
{
	eg_admin_endpoint_stop(&daemon->endpoint);
	eg_watches_clear(&daemon->watches);
	eg_loop_free(daemon->loop);
	eg_enforced_clear(&daemon->enforced);
	eg_sweeper_clear(&daemon->sweeper);
	eg_datapath_free(daemon->datapath);
	eg_loaded_clear(&daemon->policy);
	eg_closep(&daemon->lock_fd);
	free(daemon->mount_point);
	free(daemon->directory);
}

/* ---- the policy files ---- */

/* The first error, for `status`; stderr has them all. */
static void format_error(const struct eg_diag *diag, int error, char text[EG_ERROR_LEN])
{
	snprintf(text, EG_ERROR_LEN, "%s", strerror(-error));
	for (size_t i = 0; i < diag->findings.len; i++) {
		const struct eg_finding *finding = &diag->findings.items[i];
		char place[32] = "";

		if (finding->severity != EG_SEVERITY_ERROR)
			continue;
		if (finding->origin.line > 0)
			snprintf(place, sizeof(place), ":%u:%u", finding->origin.line, finding->origin.column);
		snprintf(text, EG_ERROR_LEN, "%s%s: %s%s%s", finding->origin.file ? finding->origin.file : "policy", place,
			 finding->path, *finding->path ? ": " : "", finding->text);
		return;
	}
}

static int load_policy(struct daemon *daemon, struct eg_diag *diag, struct eg_loaded *ret_policy)
{
	const struct eg_daemon_options *options = daemon->options;

	return eg_loaded_read(options->policies, options->policy_count, &options->trust, diag,
			      &daemon->judged_fingerprint, ret_policy);
}

/* ---- looks at cgroups ---- */

/* What comes meanwhile does not put it off: somebody may make cgroups all the time. */
static int look_soon(struct daemon *daemon)
{
	if (daemon->is_gathering)
		return 0;
	daemon->is_gathering = true;
	return eg_timer_set(daemon->gather_timer, GATHER_MS);
}

/* Unless something comes before. */
static int look_later(struct daemon *daemon)
{
	return daemon->is_gathering ? 0 : eg_timer_set(daemon->gather_timer, RETRY_MS);
}

/* ---- the pins ---- */

static int pin_anew(struct daemon *daemon, char **ret_problem)
{
	_cleanup_close_ int fd = -1;
	int r = eg_pins_pin_anew(daemon->lock_fd, daemon->directory, ret_problem);

	if (r == 0)
		r = eg_pins_lock(daemon->directory, &fd);
	if (r < 0)
		return r;
	eg_closep(&daemon->lock_fd);
	daemon->lock_fd = TAKE_FD(fd);
	return 0;
}

/* What could not be attached meanwhile is looked for, and what was refused does not wait for its turn. */
static int catch_up(struct daemon *daemon)
{
	int r = look_soon(daemon);

	return r < 0 || !daemon->reload_retry_ms ? r : eg_timer_set(daemon->settle_timer, SETTLE_MS);
}

/*
 * Somebody may unmount the BPF file system under us. What is pinned lives on there as
 * long as we have its directory open, and would end with us. 0, or -errno: until it is
 * there again nothing is to change. A link whose pin is not seen would be taken for one
 * that is gone, and one that cannot be pinned ends at once.
 */
static int keep_pins_in_sight(struct daemon *daemon)
{
	_cleanup_free_ char *problem = NULL;
	int r;

	if (eg_pins_are_in_sight(daemon->lock_fd, daemon->directory))
		return 0;
	r = pin_anew(daemon, &problem);
	if (r == 0)
		r = catch_up(daemon);
	if (r == 0)
		eg_log_warning("pins: %s was unmounted; all is pinned there anew", daemon->directory);
	else if (!daemon->lacks_pins)
		eg_log_error("pins: %s was unmounted or removed, and nothing can be pinned there: %s: mount -t bpf bpf "
			     "/sys/fs/bpf; until then what is enforced ends with this process, no policy is taken and no "
			     "cgroup added",
			     daemon->directory, problem ? problem : strerror(-r));
	daemon->lacks_pins = r < 0;
	return r;
}

static int check_pins(struct daemon *daemon, struct eg_diag *diag)
{
	const struct eg_origin nowhere = {};
	int r = keep_pins_in_sight(daemon);

	if (r < 0)
		eg_diag_add(diag, EG_SEVERITY_ERROR, nowhere, NULL,
			    "the BPF file system with %s was unmounted, or that was removed: what is enforced stays, and no "
			    "policy is taken until it is there",
			    daemon->directory);
	return r;
}

/* ---- putting a policy in force ---- */

/* What there is to see to, once the node was brought to what a policy says. */
static int see_to(struct daemon *daemon, const struct eg_enforced_next *next)
{
	int r = 0;

	if (next->judge_open)
		daemon->forbidden.is_due = true;
	if (next->follow_doors)
		r = eg_timer_set(daemon->look_timer, EG_INCOMING_LOOK_MS);
	if (r == 0 && next->look_later)
		r = look_later(daemon);
	if (r == 0 && next->look_soon)
		r = look_soon(daemon);
	return r;
}

/* As eg_enforced_replace(). */
static int put_in_force(struct daemon *daemon, const struct eg_loaded *policy, bool is_known, struct eg_diag *diag)
{
	struct eg_enforced_next next = {};
	int r = check_pins(daemon, diag), seen_to;

	if (r == 0)
		r = eg_enforced_replace(&daemon->enforced, policy, is_known, diag, &next);
	seen_to = see_to(daemon, &next);
	/* In force it stays. */
	if (r == 0 && seen_to < 0)
		daemon->enforced.unfinished = seen_to;
	return r;
}

/* Who started us may be watching. Without an answer to this we go on as well. */
static void tell_manager(const struct daemon *daemon, const char *words)
{
	eg_notify("%s\nSTATUS=generation %llu in force%s%.200s", words,
		  (unsigned long long)eg_datapath_generation(daemon->datapath),
		  *daemon->agent.error ? "; not loaded: " : "", daemon->agent.error);
}

static int on_watchdog(void *context)
{
	struct daemon *daemon = context;

	eg_notify("WATCHDOG=1");
	return eg_timer_set(daemon->watchdog_timer, eg_notify_watchdog_ms() / 2);
}

static int say_agent(struct daemon *daemon)
{
	struct eg_maps maps = eg_datapath_maps(daemon->datapath);

	daemon->agent.policy_watch_errno = (__u32)-daemon->watches.policy_error;
	daemon->agent.cgroup_watch_errno = (__u32)-daemon->watches.cgroup_error;
	daemon->agent.lsm_errno = (__u32)-eg_datapath_lsm_error(daemon->datapath);
	return eg_maps_write_agent(&maps, &daemon->agent);
}

/* ---- what happens while it runs ---- */

/* `retry_ms`: until it is tried again; 0: not before the files change. */
static void keep_old_policy(struct daemon *daemon, const struct eg_diag *diag, int error, unsigned int retry_ms)
{
	char retry[32] = "";

	daemon->agent.loads_failed++;
	format_error(diag, error, daemon->agent.error);
	daemon->agent.error_of = EG_WORK_LOAD;
	if (retry_ms)
		snprintf(retry, sizeof(retry), "; trying again in %u s", retry_ms / 1000);
	eg_log_error("policy: not loaded, generation %llu stays in force: %s%s",
		     (unsigned long long)eg_datapath_generation(daemon->datapath), daemon->agent.error, retry);
	say_agent(daemon);
}

/* All is as the policy in force says, as far as a look can tell. What a load was refused for is still so. */
static void forget_looks_error(struct daemon *daemon)
{
	if (daemon->agent.error_of != EG_WORK_LOOK)
		return;
	daemon->agent.error_of = EG_WORK_LOAD;
	daemon->agent.error[0] = '\0';
	eg_log_info("cgroups: all is as the policy says");
	say_agent(daemon);
}

/* Said when it begins, and not with each look that finds it so; a load that was refused goes before. */
static void keep_looks_error(struct daemon *daemon, struct eg_diag *diag, int error)
{
	const bool is_free = daemon->agent.error_of == EG_WORK_LOOK || !*daemon->agent.error;
	char text[EG_ERROR_LEN];

	format_error(diag, error, text);
	if (is_free && strcmp(text, daemon->agent.error) == 0)
		return;
	eg_diag_print(diag, stderr);
	eg_log_error("cgroups: not all is as generation %llu says: %s",
		     (unsigned long long)eg_datapath_generation(daemon->datapath), text);
	if (!is_free)
		return;
	strcpy(daemon->agent.error, text);
	daemon->agent.error_of = EG_WORK_LOOK;
	say_agent(daemon);
}

/* `error`: what kept a look from its end. A cgroup that is wrong is looked at again when it changes, anything else soon. */
static int end_look(struct daemon *daemon, struct eg_diag *diag, int error)
{
	if (error == 0)
		error = daemon->enforced.unfinished;
	if (error == 0 && eg_diag_has_errors(diag))
		error = -EBADMSG;
	if (error < 0)
		keep_looks_error(daemon, diag, error);
	else
		forget_looks_error(daemon);
	return error < 0 && error != -EBADMSG ? look_later(daemon) : 0;
}

/* Whoever reads the pins is to know when the last sweep was. */
static int on_sweep(void *context)
{
	struct daemon *daemon = context;

	keep_pins_in_sight(daemon);
	eg_sweeper_run(&daemon->sweeper);
	eg_ager_run(&daemon->ager);
	eg_keeper_run(&daemon->keeper);
	daemon->agent.sweep = eg_sweeper_report(&daemon->sweeper);
	say_agent(daemon);
	if (eg_forbidden_run(&daemon->forbidden)) {
		daemon->agent.forbidden = daemon->forbidden.seen;
		say_agent(daemon);
	}
	return eg_timer_set(daemon->sweep_timer,
			    eg_forbidden_period_ms(&daemon->forbidden, daemon->sweeper.period_ms));
}

static int take_new_policy(struct daemon *daemon, struct eg_loaded *policy, struct eg_diag *diag)
{
	int r;

	eg_loaded_clear(&daemon->policy);
	daemon->policy = eg_loaded_take(policy);
	daemon->agent.error[0] = '\0';
	daemon->agent.error_of = EG_WORK_LOAD;
	eg_admin_endpoint_follow(&daemon->endpoint, daemon->policy.model);
	/* Whoever waits for the line below is to find it in the pins. */
	r = say_agent(daemon);
	if (r < 0)
		return r;
	eg_log_info("policy: generation %llu in force, %zu workloads",
		    (unsigned long long)eg_datapath_generation(daemon->datapath), daemon->policy.model->workloads.len);
	/* Its timeouts may be shorter than what the next sweep waits for. */
	daemon->sweeper.wanted_ms = eg_model_sweep_interval_ms(daemon->policy.model);
	r = end_look(daemon, diag, 0);
	return r < 0 ? r : on_sweep(daemon);
}

/* Of wrong files nobody needs to think again until they change; anything else may pass without a change to tell. */
static unsigned int reload_retry_ms(const struct daemon *daemon, int error)
{
	if (error == -EBADMSG)
		return 0;
	if (daemon->reload_retry_ms == 0)
		return RELOAD_RETRY_MS;
	return daemon->reload_retry_ms < RELOAD_RETRY_MS_MAX ? daemon->reload_retry_ms * 2 : RELOAD_RETRY_MS_MAX;
}

/* 0 also when it fails: then the old policy stays. */
static int load_anew(struct daemon *daemon)
{
	_cleanup_(eg_loaded_clear) struct eg_loaded policy = {};
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	int r = load_policy(daemon, &diag, &policy);

	/* Followed before it is looked for, so that no cgroup comes unseen between the two. */
	if (r == 0)
		r = eg_watches_follow(&daemon->watches, daemon->mount_point, policy.model);
	if (r == 0)
		r = put_in_force(daemon, &policy, false, &diag);
	eg_diag_print(&diag, stderr);
	daemon->reload_retry_ms = r < 0 ? reload_retry_ms(daemon, r) : 0;
	if (r == 0)
		return take_new_policy(daemon, &policy, &diag);
	keep_old_policy(daemon, &diag, r, daemon->reload_retry_ms);
	r = eg_watches_follow(&daemon->watches, daemon->mount_point, daemon->policy.model);
	return r < 0 || !daemon->reload_retry_ms ? r : eg_timer_set(daemon->settle_timer, daemon->reload_retry_ms);
}

static int reload(struct daemon *daemon)
{
	int r;

	eg_notify_reloading();
	r = load_anew(daemon);
	tell_manager(daemon, "READY=1");
	return r;
}

static int on_signal(const struct signalfd_siginfo *signal, void *context)
{
	struct daemon *daemon = context;

	switch (signal->ssi_signo) {
	case SIGTERM:
	case SIGINT:
		eg_log_info("stopping; enforcement stays: 'egressctl uninstall' removes it");
		eg_notify("STOPPING=1");
		return 1;
	case SIGHUP:
		return reload(daemon);
	default:
		return 0;
	}
}

static int on_policy_changed(void *context)
{
	struct daemon *daemon = context;

	return eg_timer_set(daemon->settle_timer, SETTLE_MS);
}

/* Files that changed between two looks are still being written. */
static int on_settled(void *context)
{
	struct daemon *daemon = context;
	uint64_t before = daemon->seen_fingerprint;
	int r = eg_policy_fingerprint(daemon->options->policies, daemon->options->policy_count,
				      &daemon->seen_fingerprint);

	if (r < 0)
		return eg_timer_set(daemon->settle_timer, RETRY_MS);
	if (daemon->seen_fingerprint != before)
		return eg_timer_set(daemon->settle_timer, SETTLE_MS);
	return daemon->reload_retry_ms || daemon->seen_fingerprint != daemon->judged_fingerprint ? reload(daemon) : 0;
}

static int on_cgroups_changed(void *context)
{
	return look_soon(context);
}

static int on_gathered(void *context)
{
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	struct eg_enforced_next next = {};
	struct daemon *daemon = context;
	int r, seen_to;

	daemon->is_gathering = false;
	/* That was said. */
	if (keep_pins_in_sight(daemon) < 0)
		return look_later(daemon);
	r = eg_enforced_update(&daemon->enforced, &daemon->policy, &diag, &next);
	seen_to = see_to(daemon, &next);
	if (r == 0)
		r = seen_to;
	if (!eg_diag_has_errors(&diag))
		eg_diag_print(&diag, stderr);
	r = end_look(daemon, &diag, r);
	/* What is open in a cgroup that was enrolled a moment ago does not wait for the next sweep. */
	return r == 0 && daemon->forbidden.is_due ? on_sweep(daemon) : r;
}

static int on_look(void *context)
{
	struct eg_enforced_next next = {.follow_doors = true};
	struct daemon *daemon = context;

	if (keep_pins_in_sight(daemon) == 0)
		eg_enforced_follow_doors(&daemon->enforced, &next);
	return see_to(daemon, &next);
}

/* ---- start ---- */

static int fail(int error, const char *what, const char *problem)
{
	eg_log_error("%s: %s", what, problem ? problem : strerror(-error));
	return error;
}

/* One agent at a time: the lock ends with the process that holds it. */
static int take_lock(struct daemon *daemon)
{
	int r = eg_pins_lock(daemon->directory, &daemon->lock_fd);

	return r < 0 ? fail(r, daemon->directory, r == -EWOULDBLOCK ? "another egressd holds it" : NULL) : 0;
}

static int open_datapath(struct daemon *daemon)
{
	const struct eg_datapath_options options = {
		.slots = EG_SLOTS_MAX,
		.capacity = eg_datapath_max_capacity(),
		.destinations = EG_DESTS_MAX,
		.leases = EG_LEASES_MAX,
		.destination_quota = DESTINATION_QUOTA,
		.event_rate = EVENT_RATE,
	};
	_cleanup_free_ char *problem = NULL;
	int r = eg_pins_locate(&daemon->directory, &problem);

	if (r == 0)
		r = eg_pins_make_directory(daemon->directory, &problem);
	if (r < 0)
		return fail(r, "pins", problem);
	r = take_lock(daemon);
	if (r < 0)
		return r;
	r = eg_datapath_open(daemon->directory, &options, &daemon->datapath, &problem);
	daemon->enforced.datapath = daemon->datapath;
	daemon->enforced.mount_point = daemon->mount_point;
	daemon->endpoint = (struct eg_admin_endpoint){.datapath = daemon->datapath, .wanted = daemon->options->admin_place};
	daemon->sweeper.datapath = daemon->datapath;
	daemon->forbidden.datapath = daemon->datapath;
	daemon->keeper.directory = daemon->directory;
	daemon->ager = (struct eg_ager){
		.datapath = daemon->datapath,
		.quota = DESTINATION_QUOTA,
		.capacity = EG_DESTS_MAX,
		.age_ns = EG_AGE_DEFAULT_NS,
	};
	if (r < 0)
		return fail(r, "cannot start", problem);
	r = eg_datapath_pin_walks(daemon->datapath);
	if (r < 0)
		eg_log_warning("cannot pin the walks over sockets: %s; 'egressctl status' cannot count them", strerror(-r));
	return 0;
}

/* Before there are pins, nobody can be told. */
static int on_limited(void *context)
{
	struct daemon *daemon = context;

	return daemon->datapath ? say_agent(daemon) : 0;
}

static const struct eg_watch_handlers watch_handlers = {
	.policy_changed = on_policy_changed,
	.cgroups_changed = on_cgroups_changed,
	.limited = on_limited,
};

static int set_up_loop(struct daemon *daemon)
{
	const struct eg_daemon_options *options = daemon->options;
	int r = eg_loop_new(&daemon->loop);

	if (r == 0)
		r = eg_loop_add_signals(daemon->loop, options->signals, on_signal, daemon);
	if (r == 0)
		r = eg_loop_add_timer(daemon->loop, on_settled, daemon, &daemon->settle_timer);
	if (r == 0)
		r = eg_loop_add_timer(daemon->loop, on_gathered, daemon, &daemon->gather_timer);
	if (r == 0)
		r = eg_loop_add_timer(daemon->loop, on_sweep, daemon, &daemon->sweep_timer);
	if (r == 0)
		r = eg_loop_add_timer(daemon->loop, on_watchdog, daemon, &daemon->watchdog_timer);
	if (r == 0)
		r = eg_loop_add_timer(daemon->loop, on_look, daemon, &daemon->look_timer);
	return r < 0 ? r : eg_watches_open(daemon->loop, &watch_handlers, daemon, options->policies,
					   options->policy_count, &daemon->watches);
}

/*
 * Nothing of the node is touched before the policy is known to be good. Watched
 * first, what changes in it from then on is taken once all is set up.
 */
static int load_first_policy(struct daemon *daemon, struct eg_loaded *ret_policy, struct eg_diag *diag)
{
	int r = set_up_loop(daemon);

	if (r < 0)
		return fail(r, "cannot start", NULL);
	r = load_policy(daemon, diag, ret_policy);
	if (r < 0) {
		eg_diag_print(diag, stderr);
		return fail(r, "policy", r == -EBADMSG ? "it has errors; nothing was changed" : NULL);
	}
	daemon->seen_fingerprint = daemon->judged_fingerprint;
	return 0;
}

static int take_first_policy(struct daemon *daemon, struct eg_loaded *policy, struct eg_diag *diag)
{
	int r = eg_watches_follow(&daemon->watches, daemon->mount_point, policy->model);

	if (r == 0)
		/* Another agent had it before, or one like it. */
		r = put_in_force(daemon, policy, eg_roster_has_any(&daemon->enforced.roster), diag);
	/* Errors that it goes on with are printed as those of a look. */
	if (r < 0 || !eg_diag_has_errors(diag))
		eg_diag_print(diag, stderr);
	if (r < 0) {
		eg_log_error("policy: cannot start with it: %s; what is enforced stays so",
			     r == -EBADMSG ? "it has errors" : strerror(-r));
		return r;
	}
	daemon->agent.state = EG_AGENT_RUNNING;
	r = take_new_policy(daemon, policy, diag);
	if (r < 0)
		return r;
	tell_manager(daemon, "READY=1");
	return eg_notify_watchdog_ms() > 0 ? on_watchdog(daemon) : 0;
}

static int start(struct daemon *daemon)
{
	_cleanup_(eg_loaded_clear) struct eg_loaded policy = {};
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	int r = load_first_policy(daemon, &policy, &diag);

	if (r < 0)
		return r;
	r = eg_cgroup_mount_point(&daemon->mount_point);
	if (r < 0)
		return fail(r, "cgroup v2", "its root is not mounted where this process can see it");
	r = open_datapath(daemon);
	if (r < 0)
		return r;
	r = eg_agent_self(&daemon->agent);
	if (r == 0)
		r = say_agent(daemon);
	if (r == 0)
		r = eg_enforced_open(&daemon->enforced, daemon->directory);
	if (r < 0)
		return fail(r, "cannot start", NULL);
	eg_admin_endpoint_start(&daemon->endpoint, daemon->directory, daemon->options->admin_path);
	return take_first_policy(daemon, &policy, &diag);
}

int eg_daemon_run(const struct eg_daemon_options *options)
{
	_cleanup_(daemon_clear) struct daemon daemon = {.options = options, .lock_fd = -1};
	int r;

	eg_privileges_drop();
	r = start(&daemon);
	if (r == -EBADMSG)
		return EXIT_POLICY;
	if (r == 0)
		r = eg_loop_run(daemon.loop);
	if (r < 0)
		fail(r, "ended; enforcement stays", NULL);
	return r < 0 ? EXIT_FAILED : EXIT_STOPPED;
}
