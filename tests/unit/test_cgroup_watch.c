/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../lib/support/folder.h"
#include "base/cleanup.h"
#include "workload/cgroup.h"
#include "workload/discover.h"

#define BOUND_MS 10000
#define CANNOT_LIMIT 77

/* Plain directories, as in test_discover.c; the last test has cgroups. */
struct scene {
	char root[FOLDER_LEN];
	struct eg_model *model;
	struct eg_workload *workload;
	struct eg_cgroup_watch *watch;
};

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	assert_non_null(scene);
	folder_make(scene->root);
	scene->model = eg_model_new();
	assert_non_null(scene->model);
	scene->workload = eg_arena_alloc(&scene->model->arena, sizeof(*scene->workload));
	assert_non_null(scene->workload);
	assert_int_equal(eg_array_push(&scene->model->workloads, scene->workload), 0);
	assert_int_equal(eg_cgroup_watch_new(scene->root, &scene->watch), 0);
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	folder_remove(scene->root);
	eg_cgroup_watch_free(scene->watch);
	eg_model_free(scene->model);
	free(scene);
	return 0;
}

static void make(const struct scene *scene, const char *path)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", scene->root, path);
	assert_int_equal(mkdir(full, 0700), 0);
}

static void unmake(const struct scene *scene, const char *path)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", scene->root, path);
	assert_int_equal(rmdir(full), 0);
}

static void follow(struct scene *scene, const char *cgroup)
{
	scene->workload->cgroup = cgroup;
	assert_int_equal(eg_cgroup_watch_follow(scene->watch, scene->model), 0);
}

/* Waits until there is something to take off, and takes it. */
static void assert_change(const struct scene *scene)
{
	struct pollfd poller = {.fd = eg_cgroup_watch_fd(scene->watch), .events = POLLIN};

	assert_int_equal(poll(&poller, 1, BOUND_MS), 1);
	assert_int_equal(eg_cgroup_watch_drain(scene->watch), 1);
}

/* Events of our own calls are there when the calls return: nothing to wait for. */
static void assert_no_change(const struct scene *scene)
{
	assert_int_equal(eg_cgroup_watch_drain(scene->watch), 0);
}

/* How many directories are watched, as the kernel has it. */
static size_t count_watches(const struct scene *scene)
{
	_cleanup_fclose_ FILE *info = NULL;
	_cleanup_free_ char *line = NULL;
	size_t size = 0, count = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", eg_cgroup_watch_fd(scene->watch));
	info = fopen(path, "re");
	assert_non_null(info);
	while (getline(&line, &size, info) > 0)
		count += strncmp(line, "inotify ", strlen("inotify ")) == 0;
	return count;
}

static void a_match_that_comes_or_goes_is_a_change(void **state)
{
	struct scene *scene = *state;

	make(scene, "/a");
	follow(scene, "/a/pod*");
	assert_no_change(scene);
	make(scene, "/a/pod1");
	assert_change(scene);
	assert_no_change(scene);
	unmake(scene, "/a/pod1");
	assert_change(scene);
	assert_int_equal(count_watches(scene), 2);
}

static void what_no_workload_asks_for_is_no_change(void **state)
{
	struct scene *scene = *state;
	char path[128];

	make(scene, "/a");
	follow(scene, "/a/pod*");
	make(scene, "/b");
	make(scene, "/a/other");
	snprintf(path, sizeof(path), "%s/a/pod-file", scene->root);
	assert_int_equal(mknod(path, S_IFREG | 0600, 0), 0);
	assert_no_change(scene);
}

static void directories_on_the_way_are_followed_as_they_come(void **state)
{
	struct scene *scene = *state;

	follow(scene, "/a/*/c/pod*");
	assert_int_equal(count_watches(scene), 1);
	make(scene, "/a");
	assert_change(scene);
	make(scene, "/a/b");
	assert_change(scene);
	make(scene, "/a/b/c");
	assert_change(scene);
	assert_int_equal(count_watches(scene), 4);
	make(scene, "/a/b/c/pod");
	assert_change(scene);
	assert_int_equal(count_watches(scene), 4);
}

static void what_was_made_before_its_parent_was_watched_is_not_missed(void **state)
{
	struct scene *scene = *state;

	follow(scene, "/a/b/c");
	make(scene, "/a");
	make(scene, "/a/b");
	assert_change(scene);
	/* Nobody watched /a when /a/b was made. */
	make(scene, "/a/b/c");
	assert_change(scene);
}

static void a_directory_removed_and_made_again_is_followed_again(void **state)
{
	struct scene *scene = *state;

	make(scene, "/a");
	follow(scene, "/a/w");
	for (unsigned int i = 0; i < 100; i++) {
		unmake(scene, "/a");
		make(scene, "/a");
		assert_change(scene);
		make(scene, "/a/w");
		assert_change(scene);
		unmake(scene, "/a/w");
		assert_change(scene);
		assert_int_equal(count_watches(scene), 2);
	}
}

static void a_directory_moved_away_is_no_longer_watched(void **state)
{
	struct scene *scene = *state;
	char from[128], to[128];

	make(scene, "/a");
	make(scene, "/a/b");
	follow(scene, "/a/b/*");
	assert_int_equal(count_watches(scene), 3);
	snprintf(from, sizeof(from), "%s/a", scene->root);
	snprintf(to, sizeof(to), "%s/elsewhere", scene->root);
	assert_int_equal(rename(from, to), 0);
	assert_change(scene);
	assert_int_equal(count_watches(scene), 1);
	make(scene, "/elsewhere/b/x");
	assert_no_change(scene);
	assert_int_equal(rename(to, from), 0);
	assert_change(scene);
	make(scene, "/a/b/y");
	assert_change(scene);
}

static void another_model_ends_what_the_first_one_watched(void **state)
{
	struct scene *scene = *state;

	make(scene, "/a");
	make(scene, "/b");
	make(scene, "/b/c");
	follow(scene, "/b/c/*");
	assert_int_equal(count_watches(scene), 3);
	follow(scene, "/a/*");
	assert_int_equal(count_watches(scene), 2);
	make(scene, "/b/c/x");
	assert_no_change(scene);
	make(scene, "/a/x");
	assert_change(scene);
	follow(scene, NULL);
	assert_int_equal(count_watches(scene), 0);
}

static void a_walk_that_fails_leaves_the_watches_as_they_were(void **state)
{
	struct scene *scene = *state;
	char moved[80];

	make(scene, "/a");
	follow(scene, "/a/*");
	snprintf(moved, sizeof(moved), "%s.moved", scene->root);
	assert_int_equal(rename(scene->root, moved), 0);
	scene->workload->cgroup = "/b";
	assert_int_equal(eg_cgroup_watch_follow(scene->watch, scene->model), -ENOENT);
	assert_int_equal(rename(moved, scene->root), 0);
	assert_int_equal(count_watches(scene), 2);
	make(scene, "/a/x");
	assert_change(scene);
}

/* A user namespace of its own has limits of its own. 0, or what failed. */
static int follow_with_too_few_watches(void)
{
	struct eg_workload workload = {.cgroup = "/a/*"};
	struct eg_workload *workloads[] = {&workload};
	struct eg_model model = {.workloads = {.items = workloads, .len = 1}};
	_cleanup_(eg_cgroup_watch_freep) struct eg_cgroup_watch *watch = NULL;
	_cleanup_fclose_ FILE *limit = NULL;

	limit = unshare(CLONE_NEWUSER) < 0 ? NULL : fopen("/proc/sys/user/max_inotify_watches", "we");
	if (!limit || fprintf(limit, "2\n") < 0 || fflush(limit) != 0)
		return CANNOT_LIMIT;
	if (eg_cgroup_watch_new(".", &watch) < 0 || eg_cgroup_watch_follow(watch, &model) < 0)
		return 1;
	workload.cgroup = "/b/c/*";
	if (eg_cgroup_watch_follow(watch, &model) != -ENOSPC)
		return 2;
	/* A match of the first model is still seen. */
	if (mkdir("a/x", 0700) < 0 || eg_cgroup_watch_drain(watch) != 1)
		return 3;
	if (rmdir("b/c") < 0 || rmdir("b") < 0 || eg_cgroup_watch_drain(watch) != 0)
		return 4;
	/* What the failed walk had watched was given back: there is room for the same two. */
	workload.cgroup = "/a/y";
	return eg_cgroup_watch_follow(watch, &model) < 0 ? 5 : 0;
}

static void a_limit_of_inotify_leaves_the_watches_as_they_were(void **state)
{
	struct scene *scene = *state;
	int status;
	pid_t child;

	make(scene, "/a");
	make(scene, "/b");
	make(scene, "/b/c");
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(chdir(scene->root) < 0 ? 6 : follow_with_too_few_watches());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CANNOT_LIMIT) {
		print_message("cannot limit inotify in a user namespace\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void more_events_than_the_kernel_keeps_are_told_to_be_lost(void **state)
{
	struct scene *scene = *state;
	struct pollfd poller = {.fd = eg_cgroup_watch_fd(scene->watch), .events = POLLIN};
	unsigned int limit = 0;
	char x[80], y[80];
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "re");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%u", &limit), 1);
	if (limit > 100000) {
		print_message("%u events are too many to make\n", limit);
		skip();
	}
	follow(scene, "/w");
	make(scene, "/x");
	snprintf(x, sizeof(x), "%s/x", scene->root);
	snprintf(y, sizeof(y), "%s/y", scene->root);
	/* Each is two events, of leaving and of arriving. */
	for (unsigned int i = 0; i <= limit / 4; i++) {
		assert_int_equal(rename(x, y), 0);
		assert_int_equal(rename(y, x), 0);
	}
	assert_int_equal(poll(&poller, 1, 0), 1);
	assert_int_equal(eg_cgroup_watch_drain(scene->watch), -EOVERFLOW);
	assert_int_equal(eg_cgroup_watch_drain(scene->watch), 0);
	make(scene, "/w");
	assert_change(scene);
}

/* --- real cgroups --- */

static void real_cgroups_are_watched_through_removal_and_return(void **state)
{
	struct scene *scene = *state;
	_cleanup_free_ char *mount_point = NULL, *glob = NULL;
	struct eg_cgroup parent = EG_CGROUP_NONE;
	struct timespec before, after;

	if (geteuid() != 0 || eg_cgroup_mount_point(&mount_point) < 0) {
		print_message("needs root and a mount of cgroup v2\n");
		skip();
	}
	assert_int_equal(eg_cgroup_create(mount_point, "egress-test-watch", &parent), 0);
	assert_true(asprintf(&glob, "/%s/*/pod*", parent.name) > 0);
	eg_cgroup_watch_free(scene->watch);
	assert_int_equal(eg_cgroup_watch_new(mount_point, &scene->watch), 0);
	follow(scene, glob);
	for (unsigned int i = 0; i < 20; i++) {
		assert_int_equal(mkdirat(parent.fd, "slice", 0755), 0);
		assert_change(scene);
		clock_gettime(CLOCK_MONOTONIC, &before);
		assert_int_equal(mkdirat(parent.fd, "slice/pod1", 0755), 0);
		assert_change(scene);
		clock_gettime(CLOCK_MONOTONIC, &after);
		assert_int_equal(count_watches(scene), 3);
		assert_int_equal(unlinkat(parent.fd, "slice/pod1", AT_REMOVEDIR), 0);
		assert_int_equal(unlinkat(parent.fd, "slice", AT_REMOVEDIR), 0);
		assert_change(scene);
		assert_int_equal(count_watches(scene), 2);
	}
	print_message("mkdir and word of it: %ld us\n",
		      (after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000);
	assert_int_equal(eg_cgroup_remove(&parent), 0);
	eg_cgroup_close(&parent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_match_that_comes_or_goes_is_a_change),
		TEST(what_no_workload_asks_for_is_no_change),
		TEST(directories_on_the_way_are_followed_as_they_come),
		TEST(what_was_made_before_its_parent_was_watched_is_not_missed),
		TEST(a_directory_removed_and_made_again_is_followed_again),
		TEST(a_directory_moved_away_is_no_longer_watched),
		TEST(another_model_ends_what_the_first_one_watched),
		TEST(a_walk_that_fails_leaves_the_watches_as_they_were),
		TEST(a_limit_of_inotify_leaves_the_watches_as_they_were),
		TEST(more_events_than_the_kernel_keeps_are_told_to_be_lost),
		TEST(real_cgroups_are_watched_through_removal_and_return),
	};

	return cmocka_run_group_tests_name("cgroup watch", tests, NULL, NULL);
}
