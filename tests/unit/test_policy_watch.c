/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/support/folder.h"
#include "base/cleanup.h"
#include "config/watch.h"

#define BOUND_MS 10000

/* The working directory is a folder of the test's own. */
static char folder[FOLDER_LEN];

static int set_up(void **state)
{
	(void)state;
	folder_make(folder);
	assert_int_equal(chdir(folder), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(chdir("/"), 0);
	folder_remove(folder);
	return 0;
}

static void write_file(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static struct eg_policy_watch *watch_path(const char *path)
{
	struct eg_policy_watch *watch;

	assert_int_equal(eg_policy_watch_new(&path, 1, &watch), 0);
	assert_int_equal(eg_policy_watch_follow(watch), 0);
	return watch;
}

static void assert_change(struct eg_policy_watch *watch)
{
	struct pollfd poller = {.fd = eg_policy_watch_fd(watch), .events = POLLIN};

	assert_int_equal(poll(&poller, 1, BOUND_MS), 1);
	assert_int_equal(eg_policy_watch_drain(watch), 1);
}

/* Events of our own calls are there when the calls return: nothing to wait for. */
static void assert_no_change(struct eg_policy_watch *watch)
{
	assert_int_equal(eg_policy_watch_drain(watch), 0);
}

static uint64_t fingerprint(const char *path)
{
	uint64_t value;

	assert_int_equal(eg_policy_fingerprint(&path, 1, &value), 0);
	return value;
}

static void a_file_changes_when_its_writer_closes_it(void **state)
{
	_cleanup_(eg_policy_watch_freep) struct eg_policy_watch *watch = NULL;
	int fd;

	(void)state;
	watch = watch_path("p.yaml");
	fd = open("p.yaml", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "type: ", 6), 6);
	assert_no_change(watch);
	assert_int_equal(write(fd, "Mesh\n", 5), 5);
	assert_no_change(watch);
	close(fd);
	assert_change(watch);
	assert_no_change(watch);
	assert_int_equal(unlink("p.yaml"), 0);
	assert_change(watch);
}

static void a_file_that_an_editor_replaces_is_followed_each_time(void **state)
{
	_cleanup_(eg_policy_watch_freep) struct eg_policy_watch *watch = NULL;

	(void)state;
	write_file("p.yaml", "a");
	watch = watch_path("p.yaml");
	for (unsigned int i = 0; i < 3; i++) {
		write_file(".p.yaml.swp", "b");
		assert_no_change(watch);
		assert_int_equal(rename("p.yaml", "p.yaml~"), 0);
		assert_change(watch);
		assert_int_equal(rename(".p.yaml.swp", "p.yaml"), 0);
		assert_change(watch);
	}
	write_file("other.yaml", "c");
	assert_no_change(watch);
	assert_int_equal(link("p.yaml~", "copy"), 0);
	assert_int_equal(unlink("p.yaml"), 0);
	assert_change(watch);
	/* Nobody closes it after writing: it is there at once, as it is. */
	assert_int_equal(link("p.yaml~", "p.yaml"), 0);
	assert_change(watch);
}

static void a_folder_changes_with_the_files_that_are_read_there(void **state)
{
	_cleanup_(eg_policy_watch_freep) struct eg_policy_watch *watch = NULL;

	(void)state;
	assert_int_equal(mkdir("policy", 0700), 0);
	watch = watch_path("policy/");
	write_file("policy/README", "x");
	write_file("policy/.hidden.yaml", "x");
	write_file("policy/p.yaml~", "x");
	assert_no_change(watch);
	write_file("policy/p.yaml", "x");
	assert_change(watch);
	write_file("policy/p.json", "x");
	assert_change(watch);
	assert_int_equal(rename("policy/p.json", "policy/off"), 0);
	assert_change(watch);
	assert_int_equal(symlink("off", "policy/link.yml"), 0);
	assert_change(watch);
	assert_int_equal(unlink("policy/p.yaml"), 0);
	assert_change(watch);
}

static void a_folder_that_is_replaced_is_followed(void **state)
{
	_cleanup_(eg_policy_watch_freep) struct eg_policy_watch *watch = NULL;

	(void)state;
	assert_int_equal(mkdir("policy", 0700), 0);
	assert_int_equal(mkdir("next", 0700), 0);
	watch = watch_path("policy");
	assert_int_equal(rename("policy", "before"), 0);
	assert_change(watch);
	assert_int_equal(rename("next", "policy"), 0);
	assert_change(watch);
	write_file("before/p.yaml", "x");
	assert_no_change(watch);
	write_file("policy/p.yaml", "x");
	assert_change(watch);
}

static void write_config_map(const char *version, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "map/%s", version);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "map/%s/p.yaml", version);
	write_file(path, text);
	assert_int_equal(symlink(version, "map/..data_tmp"), 0);
}

/* As the kubelet does it: p.yaml -> ..data/p.yaml, ..data -> ..2026_1, and a rename over ..data. */
static void assert_config_map_swap_is_seen(const char *path)
{
	_cleanup_(eg_policy_watch_freep) struct eg_policy_watch *watch = NULL;
	uint64_t before;

	assert_int_equal(mkdir("map", 0700), 0);
	write_config_map("..2026_1", "a");
	assert_int_equal(rename("map/..data_tmp", "map/..data"), 0);
	assert_int_equal(symlink("..data/p.yaml", "map/p.yaml"), 0);
	watch = watch_path(path);
	before = fingerprint(path);
	write_config_map("..2026_2", "b");
	assert_no_change(watch);
	assert_int_equal(rename("map/..data_tmp", "map/..data"), 0);
	assert_change(watch);
	assert_true(fingerprint(path) != before);
	assert_int_equal(unlink("map/..2026_1/p.yaml"), 0);
	assert_int_equal(rmdir("map/..2026_1"), 0);
	assert_no_change(watch);
}

static void the_swap_of_a_config_map_changes_a_file_of_it(void **state)
{
	(void)state;
	assert_config_map_swap_is_seen("map/p.yaml");
}

static void the_swap_of_a_config_map_changes_its_folder(void **state)
{
	(void)state;
	assert_config_map_swap_is_seen("map");
}

static void a_path_in_a_folder_that_is_not_there_is_watched_once_it_is(void **state)
{
	_cleanup_(eg_policy_watch_freep) struct eg_policy_watch *watch = NULL;
	const char *paths[] = {"none/p.yaml", "p.yaml"};

	(void)state;
	assert_int_equal(eg_policy_watch_new(paths, 2, &watch), 0);
	assert_int_equal(eg_policy_watch_follow(watch), -ENOENT);
	/* The other one is. */
	write_file("p.yaml", "x");
	assert_int_equal(eg_policy_watch_drain(watch), -ENOENT);
	assert_int_equal(mkdir("none", 0700), 0);
	assert_int_equal(eg_policy_watch_follow(watch), 0);
	write_file("none/p.yaml", "x");
	assert_change(watch);
	write_file("p.yaml", "y");
	assert_change(watch);
}

static void a_folder_around_a_file_that_is_replaced_is_followed(void **state)
{
	_cleanup_(eg_policy_watch_freep) struct eg_policy_watch *watch = NULL;

	(void)state;
	assert_int_equal(mkdir("etc", 0700), 0);
	assert_int_equal(mkdir("next", 0700), 0);
	write_file("next/p.yaml", "x");
	watch = watch_path("etc/p.yaml");
	assert_int_equal(rename("etc", "before"), 0);
	assert_int_equal(eg_policy_watch_drain(watch), -ENOENT);
	assert_int_equal(rename("next", "etc"), 0);
	assert_int_equal(eg_policy_watch_follow(watch), 0);
	write_file("before/p.yaml", "x");
	assert_no_change(watch);
	write_file("etc/p.yaml", "y");
	assert_change(watch);
}

/* The length of the kernel's queue, or 0 for one that is too long to fill. */
static unsigned int queue_length(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
	unsigned int length = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%u", &length), 1);
	return length > 100000 ? 0 : length;
}

static void lost_events_are_told_and_all_is_watched_as_before(void **state)
{
	_cleanup_(eg_policy_watch_freep) struct eg_policy_watch *watch = NULL;
	unsigned int length = queue_length();
	int r;

	(void)state;
	if (length == 0) {
		print_message("too many events are kept\n");
		skip();
	}
	watch = watch_path(".");
	/* Each is an event, of another file than the one before. */
	for (unsigned int i = 0; i <= length; i++)
		write_file(i % 2 ? "a.yaml" : "b.yaml", "x");
	do
		r = eg_policy_watch_drain(watch);
	while (r == 1);
	assert_int_equal(r, -EOVERFLOW);
	assert_no_change(watch);
	write_file("c.yaml", "x");
	assert_change(watch);
}

static void absolute_paths_and_several_are_watched(void **state)
{
	_cleanup_(eg_policy_watch_freep) struct eg_policy_watch *watch = NULL;
	char absolute[64];
	const char *paths[] = {absolute, "policy", "."};

	(void)state;
	assert_int_equal(mkdir("policy", 0700), 0);
	snprintf(absolute, sizeof(absolute), "%s/a.txt", folder);
	assert_int_equal(eg_policy_watch_new(paths, 3, &watch), 0);
	assert_int_equal(eg_policy_watch_follow(watch), 0);
	write_file("a.txt", "x");
	assert_change(watch);
	write_file("policy/p.yml", "x");
	assert_change(watch);
	write_file("p.yml", "x");
	assert_change(watch);
	write_file("b.txt", "x");
	assert_no_change(watch);
}

static void a_fingerprint_is_of_names_and_bytes_that_are_read(void **state)
{
	uint64_t empty, one, two;

	(void)state;
	assert_int_equal(mkdir("policy", 0700), 0);
	empty = fingerprint("policy");
	write_file("policy/a.yaml", "xy");
	one = fingerprint("policy");
	assert_true(one != empty);
	assert_true(one == fingerprint("policy"));
	write_file("policy/README", "x");
	assert_true(one == fingerprint("policy"));
	write_file("policy/a.yaml", "x");
	write_file("policy/b.yaml", "y");
	two = fingerprint("policy");
	assert_true(two != one);
	assert_int_equal(rename("policy/b.yaml", "policy/c.yaml"), 0);
	assert_true(two != fingerprint("policy"));
}

static void what_cannot_be_read_has_a_fingerprint_of_its_error(void **state)
{
	uint64_t missing, loop;

	(void)state;
	missing = fingerprint("p.yaml");
	assert_true(missing == fingerprint("p.yaml"));
	assert_int_equal(symlink("p.yaml", "p.yaml"), 0);
	loop = fingerprint("p.yaml");
	assert_true(loop != missing);
	assert_int_equal(unlink("p.yaml"), 0);
	write_file("p.yaml", "");
	assert_true(fingerprint("p.yaml") != missing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_file_changes_when_its_writer_closes_it),
		TEST(a_file_that_an_editor_replaces_is_followed_each_time),
		TEST(a_folder_changes_with_the_files_that_are_read_there),
		TEST(a_folder_that_is_replaced_is_followed),
		TEST(the_swap_of_a_config_map_changes_a_file_of_it),
		TEST(the_swap_of_a_config_map_changes_its_folder),
		TEST(a_path_in_a_folder_that_is_not_there_is_watched_once_it_is),
		TEST(a_folder_around_a_file_that_is_replaced_is_followed),
		TEST(lost_events_are_told_and_all_is_watched_as_before),
		TEST(absolute_paths_and_several_are_watched),
		TEST(a_fingerprint_is_of_names_and_bytes_that_are_read),
		TEST(what_cannot_be_read_has_a_fingerprint_of_its_error),
	};

	return cmocka_run_group_tests_name("policy watch", tests, NULL, NULL);
}
