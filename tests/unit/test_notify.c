/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../lib/support/folder.h"
#include "base/cleanup.h"
#include "base/notify.h"

/* As a manager listens: at a path, or at a name that begins with an @. */
static int listen_at(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	strcpy(address.sun_path, name);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	return fd;
}

static void assert_heard(int fd, const char *words)
{
	char text[256] = "";

	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, words);
}

static void a_manager_at_a_path_hears_the_words(void **state)
{
	char folder[FOLDER_LEN], path[FOLDER_LEN + 8];
	_cleanup_close_ int fd = -1;

	(void)state;
	folder_make(folder);
	snprintf(path, sizeof(path), "%s/notify", folder);
	fd = listen_at(path);
	assert_int_equal(eg_notify("READY=1\nSTATUS=generation %d", 7), 0);
	assert_heard(fd, "READY=1\nSTATUS=generation 7");
	folder_remove(folder);
}

static void a_manager_with_an_abstract_name_hears_them_too(void **state)
{
	char name[64];
	_cleanup_close_ int fd = -1;

	(void)state;
	snprintf(name, sizeof(name), "@egress-test-%d", getpid());
	fd = listen_at(name);
	assert_int_equal(eg_notify("WATCHDOG=1"), 0);
	assert_heard(fd, "WATCHDOG=1");
}

static void a_reload_says_when_it_began(void **state)
{
	char name[64], text[256] = "";
	unsigned long long usec = 0;
	_cleanup_close_ int fd = -1;

	(void)state;
	snprintf(name, sizeof(name), "@egress-test-%d", getpid());
	fd = listen_at(name);
	assert_int_equal(eg_notify_reloading(), 0);
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_int_equal(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%llu", &usec), 1);
	assert_true(usec > 0);
}

static void without_a_manager_nothing_is_said_and_that_is_no_error(void **state)
{
	(void)state;
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	assert_int_equal(eg_notify("READY=1"), 0);
}

static void a_manager_that_is_not_there_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(setenv("NOTIFY_SOCKET", "/nowhere/notify", 1), 0);
	assert_int_equal(eg_notify("READY=1"), -ENOENT);
	assert_int_equal(setenv("NOTIFY_SOCKET", "relative", 1), 0);
	assert_int_equal(eg_notify("READY=1"), -EINVAL);
}

static void the_watchdog_is_for_the_process_that_it_names(void **state)
{
	char pid[16];

	(void)state;
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	assert_int_equal(eg_notify_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(eg_notify_watchdog_ms(), 30000);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(eg_notify_watchdog_ms(), 0);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(eg_notify_watchdog_ms(), 30000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manager_at_a_path_hears_the_words),
		cmocka_unit_test(a_manager_with_an_abstract_name_hears_them_too),
		cmocka_unit_test(a_reload_says_when_it_began),
		cmocka_unit_test(without_a_manager_nothing_is_said_and_that_is_no_error),
		cmocka_unit_test(a_manager_that_is_not_there_is_an_error),
		cmocka_unit_test(the_watchdog_is_for_the_process_that_it_names),
	};

	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
