/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "watches.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/inotify.h"
#include "base/log.h"

void eg_watches_clear(struct eg_watches *watches)
{
	eg_policy_watch_free(watches->policy);
	eg_cgroup_watch_free(watches->cgroups);
	*watches = (struct eg_watches){};
}

/* What is wrong is said when it begins and when it ends, not each time. */
static int note(struct eg_watches *watches, int *error, const char *what, int r)
{
	if (r == *error)
		return 0;
	*error = r;
	if (r < 0)
		eg_log_warning("%s: %s: looking every %d s; %s", what, eg_inotify_problem(r), EG_RESCAN_S,
			       eg_inotify_remedy(r));
	else
		eg_log_info("%s: changes are told again", what);
	r = r < 0 ? eg_timer_set(watches->rescan_timer, EG_RESCAN_S * 1000) : 0;
	return r < 0 ? r : watches->handlers->limited(watches->context);
}

static int note_policy(struct eg_watches *watches, int r)
{
	return note(watches, &watches->policy_error, "policy files", r);
}

static int note_cgroups(struct eg_watches *watches, int r)
{
	return note(watches, &watches->cgroup_error, "cgroups", r);
}

/* ---- policy files ---- */

static int on_policy_event(int fd, uint32_t events, void *context)
{
	struct eg_watches *watches = context;
	int changed = eg_policy_watch_drain(watches->policy);
	int r = changed < 0 ? note_policy(watches, changed) : 0;

	(void)fd;
	(void)events;
	return r != 0 || changed == 0 ? r : watches->handlers->policy_changed(watches->context);
}

static int watch_policy(struct eg_watches *watches)
{
	int r = 0;

	if (!watches->policy) {
		_cleanup_(eg_policy_watch_freep) struct eg_policy_watch *watch = NULL;

		r = eg_policy_watch_new(watches->paths, watches->path_count, &watch);
		if (r == 0)
			r = eg_loop_add_fd(watches->loop, eg_policy_watch_fd(watch), EPOLLIN, on_policy_event, watches);
		if (r == 0)
			watches->policy = TAKE_PTR(watch);
	}
	return r < 0 ? r : eg_policy_watch_follow(watches->policy);
}

/* ---- cgroups ---- */

static int on_cgroup_event(int fd, uint32_t events, void *context)
{
	struct eg_watches *watches = context;
	int changed = eg_cgroup_watch_drain(watches->cgroups);
	int r = changed < 0 ? note_cgroups(watches, changed) : 0;

	(void)fd;
	(void)events;
	return r != 0 || changed == 0 ? r : watches->handlers->cgroups_changed(watches->context);
}

static int watch_cgroups(struct eg_watches *watches)
{
	int r = 0;

	if (!watches->cgroups) {
		_cleanup_(eg_cgroup_watch_freep) struct eg_cgroup_watch *watch = NULL;

		r = eg_cgroup_watch_new(watches->mount_point, &watch);
		if (r == 0)
			r = eg_loop_add_fd(watches->loop, eg_cgroup_watch_fd(watch), EPOLLIN, on_cgroup_event, watches);
		if (r == 0)
			watches->cgroups = TAKE_PTR(watch);
	}
	return r < 0 ? r : eg_cgroup_watch_follow(watches->cgroups, watches->model);
}

int eg_watches_follow(struct eg_watches *watches, const char *mount_point, const struct eg_model *model)
{
	watches->mount_point = mount_point;
	watches->model = model;
	return note_cgroups(watches, watch_cgroups(watches));
}

/* ---- where inotify has come to a limit ---- */

/* Watched again before the look, so that nothing changes unseen between the two. */
static int on_rescan(void *context)
{
	struct eg_watches *watches = context;
	bool is_policy_due = watches->policy_error < 0, are_cgroups_due = watches->cgroup_error < 0;
	int r = 0;

	if (is_policy_due)
		r = note_policy(watches, watch_policy(watches));
	if (r == 0 && are_cgroups_due)
		r = note_cgroups(watches, watch_cgroups(watches));
	if (r == 0 && is_policy_due)
		r = watches->handlers->policy_changed(watches->context);
	if (r == 0 && are_cgroups_due)
		r = watches->handlers->cgroups_changed(watches->context);
	if (r == 0 && (watches->policy_error < 0 || watches->cgroup_error < 0))
		r = eg_timer_set(watches->rescan_timer, EG_RESCAN_S * 1000);
	return r;
}

int eg_watches_open(struct eg_loop *loop, const struct eg_watch_handlers *handlers, void *context,
		    const char *const *paths, size_t path_count, struct eg_watches *watches)
{
	int r;

	*watches = (struct eg_watches){
		.loop = loop,
		.handlers = handlers,
		.context = context,
		.paths = paths,
		.path_count = path_count,
	};
	r = eg_loop_add_timer(loop, on_rescan, watches, &watches->rescan_timer);
	return r < 0 ? r : note_policy(watches, watch_policy(watches));
}
