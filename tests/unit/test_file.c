/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

/* In a folder of the test's own, which is the working directory. */
static char folder[] = "/tmp/egress-test.XXXXXX";

static void enter_folder(void)
{
	strcpy(folder, "/tmp/egress-test.XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
}

static void leave_folder(void)
{
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(folder), 0);
}

static int read_result(const char *path, size_t max)
{
	_cleanup_free_ char *bytes = NULL;
	size_t len;

	return eg_file_read(path, max, &bytes, &len);
}

static void what_was_written_is_read_back_with_a_nul_behind(void **state)
{
	_cleanup_free_ char *bytes = NULL;
	size_t len;

	(void)state;
	enter_folder();
	assert_int_equal(eg_file_replace("f", "a\0b", 3), 0);
	assert_int_equal(eg_file_read("f", 3, &bytes, &len), 0);
	assert_int_equal(len, 3);
	assert_memory_equal(bytes, "a\0b", 4);
	assert_int_equal(unlink("f"), 0);
	leave_folder();
}

static void a_file_is_read_up_to_the_limit_and_refused_above(void **state)
{
	(void)state;
	enter_folder();
	assert_int_equal(eg_file_replace("f", "12345", 5), 0);
	assert_int_equal(read_result("f", 5), 0);
	assert_int_equal(read_result("f", 4), -EFBIG);
	assert_int_equal(unlink("f"), 0);
	leave_folder();
}

static void a_file_that_hides_its_size_is_held_to_the_limit(void **state)
{
	(void)state;
	/* Files of /proc say that they are empty, as one does that grows after fstat(). */
	assert_int_equal(read_result("/proc/self/status", 1 << 20), 0);
	assert_int_equal(read_result("/proc/self/status", 10), -EFBIG);
}

static void what_is_no_regular_file_is_refused_without_waiting(void **state)
{
	(void)state;
	enter_folder();
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	assert_int_equal(read_result("fifo", 10), -EBADFD);
	assert_int_equal(read_result("loop", 10), -ELOOP);
	assert_int_equal(read_result(".", 10), -EISDIR);
	assert_int_equal(read_result("/dev/zero", 10), -EBADFD);
	assert_int_equal(read_result("missing", 10), -ENOENT);
	assert_int_equal(unlink("fifo"), 0);
	assert_int_equal(unlink("loop"), 0);
	leave_folder();
}

static void writing_replaces_the_file_and_leaves_nothing_beside_it(void **state)
{
	struct stat st;

	(void)state;
	enter_folder();
	assert_int_equal(eg_file_replace("f", "old", 3), 0);
	assert_int_equal(chmod("f", 0640), 0);
	assert_int_equal(eg_file_replace("f", "newer", 5), 0);
	assert_int_equal(stat("f", &st), 0);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(unlink("f"), 0);
	leave_folder();
}

static void a_write_that_fails_leaves_nothing(void **state)
{
	(void)state;
	enter_folder();
	assert_int_equal(mkdir("taken", 0700), 0);
	assert_int_equal(eg_file_replace("taken", "x", 1), -EISDIR);
	assert_int_equal(eg_file_replace("missing/f", "x", 1), -ENOENT);
	assert_int_equal(rmdir("taken"), 0);
	leave_folder();
}

static size_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	return (size_t)st.st_size;
}

static void a_link_stays_a_link_and_what_it_leads_to_is_replaced(void **state)
{
	struct stat st;

	(void)state;
	enter_folder();
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(eg_file_replace("d/f", "old", 3), 0);
	assert_int_equal(symlink("d/f", "link"), 0);
	assert_int_equal(eg_file_can_replace("link"), 0);
	assert_int_equal(eg_file_replace("link", "newer", 5), 0);
	assert_int_equal(lstat("link", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(size_of("d/f"), 5);
	assert_int_equal(unlink("link"), 0);
	assert_int_equal(unlink("d/f"), 0);
	assert_int_equal(rmdir("d"), 0);
	leave_folder();
}

static void a_link_that_leads_nowhere_is_refused_and_stays(void **state)
{
	struct stat st;

	(void)state;
	enter_folder();
	assert_int_equal(symlink("nothing", "link"), 0);
	assert_int_equal(eg_file_can_replace("link"), -ENOENT);
	assert_int_equal(eg_file_replace("link", "x", 1), -ENOENT);
	assert_int_equal(lstat("link", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(unlink("link"), 0);
	leave_folder();
}

static void our_own_standard_output_is_written_behind_what_is_there(void **state)
{
	int saved, fd;

	(void)state;
	enter_folder();
	fd = open("out", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	saved = dup(STDOUT_FILENO);
	assert_true(saved >= 0 && dup2(fd, STDOUT_FILENO) == STDOUT_FILENO);
	assert_int_equal(write(STDOUT_FILENO, "said ", 5), 5);
	assert_int_equal(eg_file_can_replace("/dev/stdout"), 0);
	assert_int_equal(eg_file_replace("/dev/stdout", "report ", 7), 0);
	assert_int_equal(eg_file_replace("out", "again", 5), 0);
	assert_true(dup2(saved, STDOUT_FILENO) == STDOUT_FILENO);
	assert_int_equal(size_of("out"), 17);
	close(saved);
	close(fd);
	assert_int_equal(unlink("out"), 0);
	leave_folder();
}

static void a_file_on_a_full_device_is_said_to_be_that(void **state)
{
	(void)state;
	enter_folder();
	assert_int_equal(symlink("/dev/full", "full"), 0);
	assert_int_equal(eg_file_can_replace("full"), 0);
	assert_int_equal(eg_file_replace("full", "x", 1), -ENOSPC);
	assert_int_equal(unlink("full"), 0);
	leave_folder();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read_back_with_a_nul_behind),
		cmocka_unit_test(a_file_is_read_up_to_the_limit_and_refused_above),
		cmocka_unit_test(a_file_that_hides_its_size_is_held_to_the_limit),
		cmocka_unit_test(what_is_no_regular_file_is_refused_without_waiting),
		cmocka_unit_test(writing_replaces_the_file_and_leaves_nothing_beside_it),
		cmocka_unit_test(a_write_that_fails_leaves_nothing),
		cmocka_unit_test(a_link_stays_a_link_and_what_it_leads_to_is_replaced),
		cmocka_unit_test(a_link_that_leads_nowhere_is_refused_and_stays),
		cmocka_unit_test(our_own_standard_output_is_written_behind_what_is_there),
		cmocka_unit_test(a_file_on_a_full_device_is_said_to_be_that),
	};

	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
