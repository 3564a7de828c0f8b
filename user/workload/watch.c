/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "workload/discover.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/inotify.h"
#include "workload/pattern.h"

#define WATCHED (IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_ONLYDIR)

/* In the directory that a watch is on, one pattern looks for one of its components. */
struct interest {
	int wd;
	size_t pattern; /* position in the list */
	size_t index;
};

struct interests {
	EG_ARRAY(struct interest) list; /* sorted by wd */
};

struct patterns {
	EG_ARRAY(struct eg_pattern) list;
};

/*
 * What is watched is never patched: whenever a directory that leads further comes
 * or goes, the patterns are walked anew. inotify gives one inode one number, so
 * what is watched already stays so, and what nobody walks through any more is
 * dropped.
 */
struct eg_cgroup_watch {
	int fd;
	bool is_behind; /* there may be directories to follow, or followed ones that went */
	bool has_lost_events;
	char *mount_point;
	struct patterns patterns;
	struct interests interests;
};

static void patterns_clear(struct patterns *patterns)
{
	for (size_t i = 0; i < patterns->list.len; i++)
		eg_pattern_clear(&patterns->list.items[i]);
	eg_array_clear(&patterns->list);
}

static void interests_clear(struct interests *interests)
{
	eg_array_clear(&interests->list);
}

int eg_cgroup_watch_new(const char *mount_point, struct eg_cgroup_watch **ret_watch)
{
	_cleanup_(eg_cgroup_watch_freep) struct eg_cgroup_watch *watch = malloc(sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	*watch = (struct eg_cgroup_watch){.fd = -1, .mount_point = strdup(mount_point)};
	if (!watch->mount_point)
		return -ENOMEM;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0)
		return -errno;
	*ret_watch = TAKE_PTR(watch);
	return 0;
}

struct eg_cgroup_watch *eg_cgroup_watch_free(struct eg_cgroup_watch *watch)
{
	if (!watch)
		return NULL;
	patterns_clear(&watch->patterns);
	interests_clear(&watch->interests);
	free(watch->mount_point);
	eg_closep(&watch->fd);
	free(watch);
	return NULL;
}

int eg_cgroup_watch_fd(const struct eg_cgroup_watch *watch)
{
	return watch->fd;
}

/* --- following --- */

struct survey {
	int inotify_fd;
	const struct patterns *patterns;
	struct interests *interests;
};

/* Comes before the directory is read: what is made in between is seen twice, and never missed. */
static int watch_directory(int fd, const struct eg_pattern *pattern, size_t index, void *context)
{
	const struct survey *survey = context;
	struct interest interest = {.pattern = (size_t)(pattern - survey->patterns->list.items), .index = index};
	char path[64];

	/* The open directory itself, whatever has its name by now. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	interest.wd = inotify_add_watch(survey->inotify_fd, path, WATCHED);
	if (interest.wd < 0)
		return -errno;
	return eg_array_push(&survey->interests->list, interest);
}

static int compare_interests(const void *a, const void *b)
{
	const struct interest *x = a, *y = b;

	return x->wd < y->wd ? -1 : x->wd > y->wd;
}

/* Watches whatever the patterns lead through. *interests says what that is, also when it failed on the way. */
static int survey_patterns(const struct eg_cgroup_watch *watch, const struct patterns *patterns,
			   struct interests *interests)
{
	static const struct eg_visitor visitor = {.enter = watch_directory};
	struct survey survey = {.inotify_fd = watch->fd, .patterns = patterns, .interests = interests};
	int r = 0;

	for (size_t i = 0; r == 0 && i < patterns->list.len; i++)
		r = eg_pattern_walk(&patterns->list.items[i], watch->mount_point, &visitor, &survey);
	if (interests->list.len > 1)
		qsort(interests->list.items, interests->list.len, sizeof(struct interest), compare_interests);
	return r;
}

/* The first one with this number, or where it would stand. */
static size_t find_interest(const struct interests *interests, int wd)
{
	size_t low = 0, high = interests->list.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (interests->list.items[middle].wd < wd)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool has_interest(const struct interests *interests, int wd)
{
	size_t i = find_interest(interests, wd);

	return i < interests->list.len && interests->list.items[i].wd == wd;
}

/* Drops the watches that only `old` has. When the directory is gone, the kernel dropped its watch before us. */
static void drop_watches(int inotify_fd, const struct interests *old, const struct interests *kept)
{
	for (size_t i = 0; i < old->list.len; i++) {
		int wd = old->list.items[i].wd;

		if ((i == 0 || old->list.items[i - 1].wd != wd) && !has_interest(kept, wd))
			inotify_rm_watch(inotify_fd, wd);
	}
}

/* Watches what these patterns lead through and nothing else; or fails, and watches what it did before. */
static int follow_patterns(struct eg_cgroup_watch *watch, const struct patterns *patterns)
{
	_cleanup_(interests_clear) struct interests interests = {};
	struct interests old = watch->interests;
	int r = survey_patterns(watch, patterns, &interests);

	watch->is_behind = r < 0;
	if (r < 0) {
		drop_watches(watch->fd, &interests, &old);
		return r;
	}
	drop_watches(watch->fd, &old, &interests);
	watch->interests = interests;
	interests = old;
	return 0;
}

static int add_pattern(struct patterns *patterns, const char *cgroup)
{
	struct eg_pattern pattern;
	int r = eg_pattern_parse(cgroup, &pattern);

	/* A mistake that eg_instances_discover() words. */
	if (r == -EINVAL)
		return 0;
	if (r < 0)
		return r;
	r = eg_array_push(&patterns->list, pattern);
	if (r < 0)
		eg_pattern_clear(&pattern);
	return r;
}

/* Of its proxy, which may come later. */
static int add_proxy_pattern(struct patterns *patterns, const struct eg_workload *workload)
{
	const char *written = workload->redirect.proxy_cgroup;
	_cleanup_free_ char *below = NULL;

	if (!written || written[0] == '/')
		return written ? add_pattern(patterns, written) : 0;
	if (asprintf(&below, "%s/%s", workload->cgroup, written) < 0)
		return -ENOMEM;
	return add_pattern(patterns, below);
}

int eg_cgroup_watch_follow(struct eg_cgroup_watch *watch, const struct eg_model *model)
{
	_cleanup_(patterns_clear) struct patterns patterns = {};
	struct patterns old = watch->patterns;
	int r = 0;

	for (size_t i = 0; r == 0 && i < model->workloads.len; i++) {
		const struct eg_workload *workload = model->workloads.items[i];

		if (workload->cgroup)
			r = add_pattern(&patterns, workload->cgroup);
		if (r == 0 && workload->cgroup)
			r = add_proxy_pattern(&patterns, workload);
	}
	if (r == 0)
		r = follow_patterns(watch, &patterns);
	if (r < 0)
		return r;
	watch->patterns = patterns;
	patterns = old;
	return 0;
}

/* --- events --- */

/* 1 when a pattern asks for what came or went. When a pattern leads on from there, the watches are behind. */
static int judge_name(struct eg_cgroup_watch *watch, int wd, const char *name)
{
	const struct interests *interests = &watch->interests;
	size_t first = find_interest(interests, wd);
	int changed = 0;

	for (size_t i = first; i < interests->list.len && interests->list.items[i].wd == wd; i++) {
		const struct interest *interest = &interests->list.items[i];
		const struct eg_pattern *pattern = &watch->patterns.list.items[interest->pattern];

		if (!eg_pattern_matches(pattern, interest->index, name))
			continue;
		changed = 1;
		if (interest->index + 1 < pattern->components.len)
			watch->is_behind = true;
	}
	return changed;
}

static int judge_event(const struct inotify_event *event, void *context)
{
	struct eg_cgroup_watch *watch = context;

	/* Lost events may have been about anything, and so may those of a mount that went. */
	if (event->mask & (IN_Q_OVERFLOW | IN_UNMOUNT)) {
		watch->is_behind = true;
		watch->has_lost_events |= event->mask & IN_Q_OVERFLOW;
		return 1;
	}
	return (event->mask & IN_ISDIR) && event->len > 0 ? judge_name(watch, event->wd, event->name) : 0;
}

int eg_cgroup_watch_drain(struct eg_cgroup_watch *watch)
{
	int changed, r;

	watch->has_lost_events = false;
	changed = eg_inotify_drain(watch->fd, judge_event, watch);
	r = changed >= 0 && watch->is_behind ? follow_patterns(watch, &watch->patterns) : 0;
	if (r < 0)
		return r;
	return watch->has_lost_events ? -EOVERFLOW : changed;
}
