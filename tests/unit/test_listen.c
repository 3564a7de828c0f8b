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
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/support/folder.h"
#include "base/cleanup.h"
#include "export/listen.h"

#define PATH_LEN 200

struct place {
	char folder[FOLDER_LEN];
	char path[PATH_LEN];
};

static struct place place_in(const char *name)
{
	struct place place;

	folder_make(place.folder);
	snprintf(place.path, sizeof(place.path), "%s/%s", place.folder, name);
	return place;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode;
}

/* Whatever the process's mask is. */
static void a_socket_and_its_folder_are_their_owners_alone(void **state)
{
	struct place place = place_in("run/admin.sock");
	char folder[PATH_LEN];
	mode_t mask = umask(0);
	int fd = -1;

	(void)state;
	assert_int_equal(eg_listen_local(place.path, &fd), 0);
	umask(mask);
	assert_int_equal(mode_of(place.path), S_IFSOCK | 0600);
	snprintf(folder, sizeof(folder), "%s/run", place.folder);
	assert_int_equal(mode_of(folder), S_IFDIR | 0700);
	close(fd);
	folder_remove(place.folder);
}

static void what_a_dead_process_left_is_replaced_and_a_living_one_is_not(void **state)
{
	struct place place = place_in("admin.sock");
	int dead = -1, alive = -1, third = -1;

	(void)state;
	assert_int_equal(eg_listen_local(place.path, &dead), 0);
	close(dead);
	assert_int_equal(eg_listen_local(place.path, &alive), 0);
	assert_int_equal(listen(alive, 1), 0);
	assert_int_equal(eg_listen_local(place.path, &third), -EADDRINUSE);
	assert_int_equal(third, -1);
	close(alive);
	folder_remove(place.folder);
}

static void what_is_no_socket_stays(void **state)
{
	struct place place = place_in("admin.sock");
	int fd = open(place.path, O_CREAT | O_WRONLY, 0600), ret = -1;

	(void)state;
	close(fd);
	assert_int_equal(eg_listen_local(place.path, &ret), -EEXIST);
	assert_int_equal(mode_of(place.path), S_IFREG | 0600);
	unlink(place.path);
	assert_int_equal(symlink("/dev/null", place.path), 0);
	assert_int_equal(eg_listen_local(place.path, &ret), -EEXIST);
	folder_remove(place.folder);
}

static void a_path_that_cannot_be_is_refused(void **state)
{
	struct place place = place_in("a/b/admin.sock");
	char path[PATH_LEN];
	int fd = -1;

	(void)state;
	assert_int_equal(eg_listen_local(place.path, &fd), -ENOENT);
	memset(path, 'a', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(eg_listen_local(path, &fd), -ENAMETOOLONG);
	folder_remove(place.folder);
}

static void a_tcp_socket_is_bound_to_its_place_in_both_families(void **state)
{
	struct eg_addr_port place = {.family = EG_FAMILY_IPV4};
	int fd = -1, second = -1;

	(void)state;
	assert_int_equal(eg_addr_parse("127.0.0.1", &place.family, &place.addr), 0);
	assert_int_equal(eg_listen_tcp(&place, &fd), 0);
	close(fd);
	assert_int_equal(eg_addr_parse("::1", &place.family, &place.addr), 0);
	assert_int_equal(eg_listen_tcp(&place, &second), 0);
	close(second);
	/* Nobody has this one. */
	assert_int_equal(eg_addr_parse("203.0.113.1", &place.family, &place.addr), 0);
	assert_int_equal(eg_listen_tcp(&place, &fd), -EADDRNOTAVAIL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_and_its_folder_are_their_owners_alone),
		cmocka_unit_test(what_a_dead_process_left_is_replaced_and_a_living_one_is_not),
		cmocka_unit_test(what_is_no_socket_stays),
		cmocka_unit_test(a_path_that_cannot_be_is_refused),
		cmocka_unit_test(a_tcp_socket_is_bound_to_its_place_in_both_families),
	};

	return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
