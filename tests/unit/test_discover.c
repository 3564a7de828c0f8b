/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../lib/support/folder.h"
#include "base/cleanup.h"
#include "workload/cgroup.h"
#include "workload/discover.h"

/* A tree of plain directories stands for the cgroup mount: only what the last test shows needs cgroups. */
struct tree {
	char root[FOLDER_LEN];
	struct eg_model *model;
	struct eg_diag diag;
	struct eg_instances instances;
	char text[4096]; /* what was found, or said */
};

static int set_up(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	assert_non_null(tree);
	folder_make(tree->root);
	tree->model = eg_model_new();
	assert_non_null(tree->model);
	*state = tree;
	return 0;
}

static int tear_down(void **state)
{
	struct tree *tree = *state;

	folder_remove(tree->root);
	eg_instances_clear(&tree->instances);
	eg_diag_clear(&tree->diag);
	eg_model_free(tree->model);
	free(tree);
	return 0;
}

/* With all directories above it. */
static void make_directory(const struct tree *tree, const char *path)
{
	char full[8192];

	assert_true((size_t)snprintf(full, sizeof(full), "%s%s", tree->root, path) < sizeof(full));
	for (char *slash = strchr(full + strlen(tree->root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
	assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
}

static void add_workload(struct tree *tree, const char *name, const char *cgroup)
{
	struct eg_workload *workload = eg_arena_alloc(&tree->model->arena, sizeof(*workload));

	assert_non_null(workload);
	workload->name = name;
	workload->cgroup = cgroup;
	workload->origin =
		(struct eg_origin){.file = "p.yaml", .line = (uint32_t)tree->model->workloads.len + 1, .column = 1};
	assert_int_equal(eg_array_push(&tree->model->workloads, workload), 0);
}

static void discover(struct tree *tree)
{
	eg_instances_clear(&tree->instances);
	eg_diag_clear(&tree->diag);
	assert_int_equal(eg_instances_discover(tree->root, tree->model, &tree->diag, &tree->instances), 0);
}

/* "NAME=CGROUP" of each instance, with a space between. */
static const char *found(struct tree *tree)
{
	size_t len = 0;

	discover(tree);
	tree->text[0] = '\0';
	for (size_t i = 0; i < tree->instances.list.len; i++) {
		const struct eg_instance *instance = &tree->instances.list.items[i];

		len += (size_t)snprintf(tree->text + len, sizeof(tree->text) - len, "%s%s=%s", i ? " " : "",
					instance->name, instance->cgroup);
		assert_true(len < sizeof(tree->text));
	}
	return tree->text;
}

static const char *said(struct tree *tree)
{
	FILE *out = fmemopen(tree->text, sizeof(tree->text), "w");

	assert_non_null(out);
	eg_diag_print(&tree->diag, out);
	assert_int_equal(fclose(out), 0);
	return tree->text;
}

static void a_path_is_one_workload_with_its_own_name_and_the_inode_as_id(void **state)
{
	struct tree *tree = *state;
	char path[128];
	struct stat st;

	make_directory(tree, "/a/b");
	add_workload(tree, "w", "/a/b");
	add_workload(tree, "later", "/a/c");
	add_workload(tree, "none", NULL);
	assert_string_equal(found(tree), "w=/a/b");
	snprintf(path, sizeof(path), "%s/a/b", tree->root);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(tree->instances.list.items[0].cgroup_id, st.st_ino);
	assert_ptr_equal(tree->instances.list.items[0].workload, tree->model->workloads.items[0]);
	assert_int_equal(tree->diag.findings.len, 0);
}

static void a_glob_names_its_instances_by_the_path_below_its_literal_directories(void **state)
{
	struct tree *tree = *state;

	make_directory(tree, "/kubepods/burstable/pod12/c1");
	make_directory(tree, "/kubepods/burstable/other");
	make_directory(tree, "/kubepods/besteffort/pod3");
	make_directory(tree, "/kubepods/pod4");
	add_workload(tree, "pods", "/kubepods/*/pod*");
	assert_string_equal(found(tree), "pods:besteffort/pod3=/kubepods/besteffort/pod3 "
					 "pods:burstable/pod12=/kubepods/burstable/pod12");
}

static void a_wildcard_never_crosses_a_slash(void **state)
{
	struct tree *tree = *state;

	make_directory(tree, "/a/b/c");
	make_directory(tree, "/a1/b");
	make_directory(tree, "/a[/b");
	add_workload(tree, "w", "/a**");
	assert_string_equal(found(tree), "w:a=/a w:a1=/a1 w:a[=/a[");
	tree->model->workloads.items[0]->cgroup = "/a?/[!c]";
	assert_string_equal(found(tree), "w:a1/b=/a1/b w:a[/b=/a[/b");
	tree->model->workloads.items[0]->cgroup = "/a/*/c";
	assert_string_equal(found(tree), "w:b/c=/a/b/c");
	tree->model->workloads.items[0]->cgroup = "/a[[]/b";
	assert_string_equal(found(tree), "w:a[/b=/a[/b");
}

static void a_backslash_of_systemds_names_is_itself(void **state)
{
	struct tree *tree = *state;

	make_directory(tree, "/dev-disk\\x2dby.slice/a\\x2db");
	add_workload(tree, "w", "/dev-disk\\x2dby.slice");
	assert_string_equal(found(tree), "w=/dev-disk\\x2dby.slice");
	tree->model->workloads.items[0]->cgroup = "/dev-disk\\x2dby.slice/a\\x2d*";
	assert_string_equal(found(tree), "w:a\\x2db=/dev-disk\\x2dby.slice/a\\x2db");
}

static void needless_slashes_and_dots_do_not_count(void **state)
{
	struct tree *tree = *state;

	make_directory(tree, "/a/b");
	add_workload(tree, "w", "//a/./b/");
	assert_string_equal(found(tree), "w=/a/b");
	tree->model->workloads.items[0]->cgroup = "/a//*/";
	assert_string_equal(found(tree), "w:b=/a/b");
}

static void files_and_symbolic_links_are_no_cgroups(void **state)
{
	struct tree *tree = *state;
	char path[128];

	make_directory(tree, "/a/b");
	snprintf(path, sizeof(path), "%s/a/link", tree->root);
	assert_int_equal(symlink("b", path), 0);
	snprintf(path, sizeof(path), "%s/a/file", tree->root);
	assert_int_equal(mknod(path, S_IFREG | 0600, 0), 0);
	add_workload(tree, "glob", "/a/*");
	add_workload(tree, "link", "/a/link");
	add_workload(tree, "file", "/a/file");
	add_workload(tree, "below", "/a/file/x");
	assert_string_equal(found(tree), "glob:b=/a/b");
	assert_int_equal(tree->diag.findings.len, 0);
}

static void a_path_beats_a_glob_and_the_longer_literal_prefix_the_shorter(void **state)
{
	struct tree *tree = *state;

	make_directory(tree, "/a/pod1");
	make_directory(tree, "/a/pod2");
	make_directory(tree, "/a/x");
	make_directory(tree, "/b/x");
	add_workload(tree, "any", "/*/*");
	add_workload(tree, "of-a", "/a/*");
	add_workload(tree, "pods", "/a/pod*");
	add_workload(tree, "one", "/a/pod2");
	assert_string_equal(found(tree), "pods:pod1=/a/pod1 one=/a/pod2 of-a:x=/a/x any:b/x=/b/x");
	assert_int_equal(tree->diag.findings.len, 0);
}

static void a_tie_is_an_error_that_names_both_places(void **state)
{
	struct tree *tree = *state;

	make_directory(tree, "/a/x1");
	make_directory(tree, "/a/y");
	add_workload(tree, "first", "/a/*1");
	add_workload(tree, "second", "/a/?1");
	add_workload(tree, "third", "/a/[y]");
	assert_string_equal(found(tree), "third:y=/a/y");
	assert_string_equal(said(tree), "p.yaml:2:1: error: cgroup: /a/x1 belongs to Workload \"first\" (p.yaml:1) "
					"with the same right; make one of them a longer path\n");
}

static void a_cgroup_below_an_enrolled_one_is_not_enrolled_apart_whatever_names_it(void **state)
{
	struct tree *tree = *state;

	make_directory(tree, "/a/x/deep");
	make_directory(tree, "/a/y");
	make_directory(tree, "/a-b/x");
	make_directory(tree, "/c/x/y");
	add_workload(tree, "parent", "/a");
	add_workload(tree, "children", "/a*/*");
	add_workload(tree, "literal", "/a/x/deep");
	add_workload(tree, "c", "/c/*");
	add_workload(tree, "d", "/c/x/y");
	assert_string_equal(found(tree), "parent=/a children:a-b/x=/a-b/x c:x=/c/x");
	assert_false(eg_diag_has_errors(&tree->diag));
	assert_string_equal(
		said(tree),
		"p.yaml:2:1: warning: cgroup: /a/x is below /a of Workload \"parent\" (p.yaml:1), whose rules hold for "
		"it: a cgroup below an enrolled one is never enrolled apart\n"
		"p.yaml:3:1: warning: cgroup: /a/x/deep is below /a of Workload \"parent\" (p.yaml:1), whose rules "
		"hold for it: a cgroup below an enrolled one is never enrolled apart\n"
		"p.yaml:5:1: warning: cgroup: /c/x/y is below /c/x of Workload \"c\" (p.yaml:4), whose rules hold for "
		"it: a cgroup below an enrolled one is never enrolled apart\n");
}

static void the_root_and_parents_are_refused_and_the_rest_is_found(void **state)
{
	struct tree *tree = *state;

	make_directory(tree, "/a");
	add_workload(tree, "root", "/");
	add_workload(tree, "dots", "/a/../..");
	add_workload(tree, "a", "/a");
	assert_string_equal(found(tree), "a=/a");
	assert_int_equal(tree->diag.errors, 2);
	assert_non_null(strstr(said(tree), "p.yaml:1:1: error: cgroup: the root cgroup holds the whole node"));
}

static void a_name_that_the_maps_cannot_hold_is_an_error_and_is_not_cut(void **state)
{
	struct tree *tree = *state;
	char path[2 * 251 + 8];
	char name[16] = "0123456789";

	memset(path, 'x', sizeof(path));
	path[0] = path[252] = '/';
	path[2 * 252] = '\0';
	make_directory(tree, path);
	/* NAME, colon, 251 and 251 with a slash between: 511 with 7, the most that there is room for. */
	name[7] = '\0';
	add_workload(tree, name, "/*/*");
	discover(tree);
	assert_int_equal(tree->instances.list.len, 1);
	assert_int_equal(strlen(tree->instances.list.items[0].name), 511);
	strcpy(name, "01234567");
	discover(tree);
	assert_int_equal(tree->instances.list.len, 0);
	assert_int_equal(tree->diag.errors, 1);
	assert_non_null(strstr(said(tree), "is longer than can be kept (a name of 511 bytes)"));
}

static double milliseconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) * 1e3 + (double)(now.tv_nsec - start->tv_nsec) / 1e6;
}

static void ten_thousand_directories_are_found_in_order_in_less_than_a_second(void **state)
{
	struct tree *tree = *state;
	struct timespec start;
	char path[64];

	for (unsigned int i = 0; i < 10000; i++) {
		snprintf(path, sizeof(path), "/slice%u/pod%u", i % 100, i);
		make_directory(tree, path);
	}
	add_workload(tree, "pods", "/*/pod*");
	clock_gettime(CLOCK_MONOTONIC, &start);
	discover(tree);
	assert_true(milliseconds_since(&start) < 1000);
	assert_int_equal(tree->instances.list.len, 10000);
	for (size_t i = 1; i < tree->instances.list.len; i++)
		assert_true(strcmp(tree->instances.list.items[i - 1].cgroup, tree->instances.list.items[i].cgroup) < 0);
}

static void a_mount_point_that_is_not_there_is_an_error(void **state)
{
	struct tree *tree = *state;

	add_workload(tree, "w", "/a");
	assert_int_equal(eg_instances_discover("/proc/no/such", tree->model, &tree->diag, &tree->instances), -ENOENT);
}

/* --- real cgroups --- */

static void real_cgroups_are_found_by_the_id_that_the_kernel_gives_them(void **state)
{
	struct tree *tree = *state;
	_cleanup_free_ char *mount_point = NULL, *glob = NULL;
	struct eg_cgroup parent = EG_CGROUP_NONE, child = EG_CGROUP_NONE;
	struct stat st;

	if (geteuid() != 0 || eg_cgroup_mount_point(&mount_point) < 0) {
		print_message("needs root and a mount of cgroup v2\n");
		skip();
	}
	assert_int_equal(eg_cgroup_create(mount_point, "egress-test-discover", &parent), 0);
	assert_int_equal(eg_cgroup_create(parent.path, "pod1", &child), 0);
	assert_int_equal(fstat(child.fd, &st), 0);
	assert_true(asprintf(&glob, "/%s/pod*", parent.name) > 0);
	add_workload(tree, "w", glob);
	assert_int_equal(eg_instances_discover(mount_point, tree->model, &tree->diag, &tree->instances), 0);
	assert_int_equal(tree->instances.list.len, 1);
	assert_string_equal(tree->instances.list.items[0].name, "w:pod1");
	assert_int_equal(tree->instances.list.items[0].cgroup_id, st.st_ino);
	assert_int_equal(eg_cgroup_remove(&parent), 0);
	eg_cgroup_close(&child);
	eg_cgroup_close(&parent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_path_is_one_workload_with_its_own_name_and_the_inode_as_id),
		TEST(a_glob_names_its_instances_by_the_path_below_its_literal_directories),
		TEST(a_wildcard_never_crosses_a_slash),
		TEST(a_backslash_of_systemds_names_is_itself),
		TEST(needless_slashes_and_dots_do_not_count),
		TEST(files_and_symbolic_links_are_no_cgroups),
		TEST(a_path_beats_a_glob_and_the_longer_literal_prefix_the_shorter),
		TEST(a_tie_is_an_error_that_names_both_places),
		TEST(a_cgroup_below_an_enrolled_one_is_not_enrolled_apart_whatever_names_it),
		TEST(the_root_and_parents_are_refused_and_the_rest_is_found),
		TEST(a_name_that_the_maps_cannot_hold_is_an_error_and_is_not_cut),
		TEST(ten_thousand_directories_are_found_in_order_in_less_than_a_second),
		TEST(a_mount_point_that_is_not_there_is_an_error),
		TEST(real_cgroups_are_found_by_the_id_that_the_kernel_gives_them),
	};

	return cmocka_run_group_tests_name("discover", tests, NULL, NULL);
}
