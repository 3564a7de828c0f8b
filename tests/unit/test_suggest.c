/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/suggest.h"

static const char *const fields[] = {"passthrough", "outbound", "blockErrno", "port"};

static const char *suggest(const char *word)
{
	return eg_suggest(word, fields, sizeof(fields) / sizeof(fields[0]));
}

static void a_slip_finds_the_word_that_was_meant(void **state)
{
	(void)state;
	assert_string_equal(suggest("passtrough"), "passthrough");
	assert_string_equal(suggest("passtrhough"), "passthrough");
	assert_string_equal(suggest("outbond"), "outbound");
	assert_string_equal(suggest("prot"), "port");
}

static void case_dashes_and_underscores_do_not_count(void **state)
{
	(void)state;
	assert_string_equal(suggest("block-errno"), "blockErrno");
	assert_string_equal(suggest("BLOCK_ERRNO"), "blockErrno");
	assert_int_equal(eg_suggest_distance("block_errno", "blockErrno"), 0);
}

static void another_word_finds_nothing(void **state)
{
	(void)state;
	assert_null(suggest("spec"));
	assert_null(suggest("x"));
	assert_null(suggest(""));
}

static void words_beyond_any_length_are_not_compared(void **state)
{
	char word[5000];

	(void)state;
	for (size_t i = 0; i < sizeof(word) - 1; i++)
		word[i] = 'p';
	word[sizeof(word) - 1] = '\0';
	assert_null(suggest(word));
}

static void swapped_neighbours_are_one_step(void **state)
{
	(void)state;
	assert_int_equal(eg_suggest_distance("ab", "ba"), 1);
	assert_int_equal(eg_suggest_distance("abc", "abd"), 1);
	assert_int_equal(eg_suggest_distance("abc", "ab"), 1);
	assert_int_equal(eg_suggest_distance("abc", "xyz"), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slip_finds_the_word_that_was_meant),
		cmocka_unit_test(case_dashes_and_underscores_do_not_count),
		cmocka_unit_test(another_word_finds_nothing),
		cmocka_unit_test(words_beyond_any_length_are_not_compared),
		cmocka_unit_test(swapped_neighbours_are_one_step),
	};

	return cmocka_run_group_tests_name("suggest", tests, NULL, NULL);
}
