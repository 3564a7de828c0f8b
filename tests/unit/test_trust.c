/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/support/folder.h"
#include "base/cleanup.h"
#include "base/trust.h"

#define STRANGER 65534

static char folder[FOLDER_LEN];

static int set_up(void **state)
{
	(void)state;
	folder_make(folder);
	return chdir(folder);
}

static int tear_down(void **state)
{
	(void)state;
	if (chdir("/") < 0)
		return -1;
	folder_remove(folder);
	return 0;
}

static void make_file(const char *path, mode_t mode)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static void make_folder(const char *path, mode_t mode)
{
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, mode), 0);
}

/* Owners can be others than this process's user for root alone. */
static void give_away(const char *path)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(lchown(path, STRANGER, STRANGER), 0);
}

static void assert_trusted(const char *path)
{
	_cleanup_free_ char *problem = NULL;
	int r = eg_trust_check(&(struct eg_trust){}, path, &problem);

	if (problem)
		print_message("%s\n", problem);
	assert_int_equal(r, 0);
	assert_null(problem);
}

/* With these words about `what`, a name below the folder. */
static void assert_refused(const char *path, const char *what, const char *words)
{
	_cleanup_free_ char *problem = NULL, *wanted = NULL;

	assert_true(asprintf(&wanted, "%s/%s %s", folder, what, words) > 0);
	assert_int_equal(eg_trust_check(&(struct eg_trust){}, path, &problem), -EACCES);
	assert_non_null(problem);
	if (strncmp(problem, wanted, strlen(wanted)) != 0)
		fail_msg("%s is not: %s", problem, wanted);
}

static void what_only_its_owner_may_write_is_trusted(void **state)
{
	(void)state;
	make_file("f", 0644);
	make_folder("d", 0755);
	make_file("d/f", 0400);
	assert_trusted("f");
	assert_trusted("./d/../d//f");
	assert_trusted("d/");
}

static void a_file_that_others_may_write_is_refused_with_the_remedy(void **state)
{
	(void)state;
	make_file("group", 0664);
	make_file("all", 0646);
	assert_refused("group", "group", "may be written by others (mode 0664): chmod go-w ");
	assert_refused("all", "all", "may be written by others (mode 0646)");
}

static void a_file_of_another_user_is_refused_unless_that_user_is_trusted(void **state)
{
	const uid_t stranger = STRANGER;
	const struct eg_trust trust = {.users = &stranger, .user_count = 1}, blind = {.is_blind = true};
	char *problem;

	(void)state;
	make_file("f", 0644);
	give_away("f");
	assert_refused("f", "f", "belongs to user 65534, who may change it: chown root ");
	assert_int_equal(eg_trust_check(&trust, "f", &problem), 0);
	assert_int_equal(eg_trust_check(&blind, "f", &problem), 0);
}

static void trusting_a_user_is_not_trusting_those_who_may_write_the_files(void **state)
{
	const uid_t stranger = STRANGER;
	const struct eg_trust trust = {.users = &stranger, .user_count = 1};
	_cleanup_free_ char *problem = NULL;

	(void)state;
	make_file("f", 0666);
	give_away("f");
	assert_int_equal(eg_trust_check(&trust, "f", &problem), -EACCES);
	assert_non_null(strstr(problem, "may be written by others"));
}

static void a_folder_on_the_way_counts_as_the_file_does(void **state)
{
	(void)state;
	make_folder("open", 0777);
	make_folder("open/d", 0755);
	make_file("open/d/f", 0644);
	assert_refused("open/d/f", "open", "may be written by others (mode 0777)");
	make_folder("theirs", 0755);
	make_file("theirs/f", 0644);
	give_away("theirs");
	assert_refused("theirs/f", "theirs", "belongs to user 65534");
	assert_refused("theirs/../theirs/f", "theirs", "belongs to user 65534");
}

static void in_a_sticky_folder_what_is_ones_own_stays_so(void **state)
{
	(void)state;
	make_folder("tmp", 01777);
	make_file("tmp/f", 0644);
	assert_trusted("tmp/f");
	give_away("tmp/f");
	assert_refused("tmp/f", "tmp/f", "belongs to user 65534");
}

static void assert_folder(const char *path, int r)
{
	_cleanup_free_ char *problem = NULL;

	assert_int_equal(eg_trust_check_folder(&(struct eg_trust){}, path, &problem), r);
	assert_true(!problem == (r != -EACCES));
}

static void a_folder_that_is_read_whole_may_not_be_added_to(void **state)
{
	const struct eg_trust blind = {.is_blind = true};
	char *problem;

	(void)state;
	make_folder("tmp", 01777);
	make_folder("tmp/d", 0755);
	assert_folder("tmp", -EACCES);
	assert_folder("tmp/d", 0);
	assert_folder("tmp/d/..", -EACCES);
	assert_folder("missing", -ENOENT);
	assert_folder("/", 0);
	assert_int_equal(eg_trust_check_folder(&blind, "tmp", &problem), 0);
	give_away("tmp/d");
	assert_folder("tmp/d", -EACCES);
}

static void a_link_is_trusted_by_who_made_it_and_by_where_it_leads(void **state)
{
	(void)state;
	make_folder("closed", 0755);
	make_folder("open", 0777);
	make_file("closed/f", 0644);
	make_file("open/f", 0644);
	assert_int_equal(symlink("closed/f", "good"), 0);
	assert_int_equal(symlink("open/f", "bad"), 0);
	assert_int_equal(symlink("../closed/f", "open/back"), 0);
	assert_int_equal(symlink("good", "again"), 0);
	assert_trusted("again");
	assert_refused("bad", "open", "may be written by others");
	assert_refused("open/back", "open", "may be written by others");
	give_away("good");
	assert_refused("again", "good", "belongs to user 65534");
}

/* As kubelet makes it: a link that is replaced leads to a folder of the files that are linked to through it. */
static void a_config_map_is_trusted_where_its_mount_is_read_only(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	make_folder("map", 0755);
	assert_int_equal(mount("map", "map", "tmpfs", 0, "mode=0777"), 0);
	make_folder("map/..2026_01", 0755);
	make_file("map/..2026_01/policy.yaml", 0644);
	make_folder("map/open", 0777);
	make_file("map/open/policy.yaml", 0644);
	assert_folder("map", -EACCES);
	assert_int_equal(symlink("..2026_01", "map/..data"), 0);
	assert_int_equal(symlink("..data/policy.yaml", "map/policy.yaml"), 0);
	assert_refused("map/policy.yaml", "map", "may be written by others (mode 0777)");
	assert_int_equal(mount(NULL, "map", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_trusted("map/policy.yaml");
	assert_folder("map", 0);
	assert_refused("map/open/policy.yaml", "map/open", "may be written by others (mode 0777)");
	assert_int_equal(umount("map"), 0);
}

static void a_path_that_leads_nowhere_is_an_error_and_no_judgement(void **state)
{
	char *problem;

	(void)state;
	assert_int_equal(symlink("loop", "loop"), 0);
	assert_int_equal(eg_trust_check(&(struct eg_trust){}, "missing/f", &problem), -ENOENT);
	assert_null(problem);
	assert_int_equal(eg_trust_check(&(struct eg_trust){}, "loop", &problem), -ELOOP);
	assert_null(problem);
}

#define FOLDER_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOLDER_TEST(what_only_its_owner_may_write_is_trusted),
		FOLDER_TEST(a_file_that_others_may_write_is_refused_with_the_remedy),
		FOLDER_TEST(a_file_of_another_user_is_refused_unless_that_user_is_trusted),
		FOLDER_TEST(trusting_a_user_is_not_trusting_those_who_may_write_the_files),
		FOLDER_TEST(a_folder_on_the_way_counts_as_the_file_does),
		FOLDER_TEST(in_a_sticky_folder_what_is_ones_own_stays_so),
		FOLDER_TEST(a_folder_that_is_read_whole_may_not_be_added_to),
		FOLDER_TEST(a_link_is_trusted_by_who_made_it_and_by_where_it_leads),
		FOLDER_TEST(a_config_map_is_trusted_where_its_mount_is_read_only),
		FOLDER_TEST(a_path_that_leads_nowhere_is_an_error_and_no_judgement),
	};

	return cmocka_run_group_tests_name("trust", tests, NULL, NULL);
}
