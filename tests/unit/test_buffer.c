/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"

static void what_a_stream_is_given_is_there_with_a_nul_behind_it(void **state)
{
	_cleanup_(eg_buffer_clear) struct eg_buffer buffer = {};
	FILE *out = eg_buffer_open(&buffer);

	(void)state;
	for (unsigned int i = 0; i < 10000; i++)
		fprintf(out, "%u\n", i);
	assert_int_equal(eg_buffer_close(&buffer, out), 0);
	assert_int_equal(buffer.len, 48890);
	assert_int_equal(strlen(buffer.bytes), buffer.len);
	assert_string_equal(buffer.bytes + buffer.len - 10, "9998\n9999\n");
}

static void a_stream_that_is_given_nothing_makes_an_empty_text(void **state)
{
	_cleanup_(eg_buffer_clear) struct eg_buffer buffer = {};
	FILE *out = eg_buffer_open(&buffer);

	(void)state;
	assert_int_equal(eg_buffer_close(&buffer, out), 0);
	assert_int_equal(buffer.len, 0);
	assert_string_equal(buffer.bytes, "");
}

#ifndef __SANITIZE_ADDRESS__ /* whose own memory counts too */
#define LINES 200000

/* A child's exit status: whether it was told that not all of 200 MB found room in 64. */
static int write_too_much(void)
{
	const struct rlimit limit = {64u << 20, 64u << 20};
	struct eg_buffer buffer = {};
	FILE *out = eg_buffer_open(&buffer);
	bool was_told;
	int r;

	if (!out || setrlimit(RLIMIT_AS, &limit) < 0)
		return 2;
	for (unsigned int i = 0; i < LINES; i++)
		fprintf(out, "%01000u\n", i);
	was_told = ferror(out);
	r = eg_buffer_close(&buffer, out);
	return was_told && r == -ENOMEM ? 0 : 1;
}

static void a_stream_that_lacked_memory_says_so(void **state)
{
	pid_t child;
	int status;

	(void)state;
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(write_too_much());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_stream_is_given_is_there_with_a_nul_behind_it),
		cmocka_unit_test(a_stream_that_is_given_nothing_makes_an_empty_text),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(a_stream_that_lacked_memory_says_so),
#endif
	};

	return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
