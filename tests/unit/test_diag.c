/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/cleanup.h"
#include "base/diag.h"

static const struct eg_origin place = {"p.yaml", 3, 7};

static char *print(struct eg_diag *diag)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	eg_diag_print(diag, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void a_finding_is_printed_with_place_severity_path_and_text(void **state)
{
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	_cleanup_free_ char *text = NULL;

	(void)state;
	eg_diag_add(&diag, EG_SEVERITY_ERROR, place, "a.b", "no %d", 5);
	eg_diag_add(&diag, EG_SEVERITY_NOTE, (struct eg_origin){"q.yaml", 0, 0}, NULL, "whole file");
	eg_diag_add(&diag, EG_SEVERITY_WARNING, (struct eg_origin){}, "", "nowhere");
	text = print(&diag);
	assert_string_equal(text, "warning: nowhere\np.yaml:3:7: error: a.b: no 5\nq.yaml: note: whole file\n");
}

static void findings_are_sorted_by_file_line_and_column(void **state)
{
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	_cleanup_free_ char *text = NULL;

	(void)state;
	eg_diag_add(&diag, EG_SEVERITY_NOTE, (struct eg_origin){"b", 1, 1}, NULL, "4");
	eg_diag_add(&diag, EG_SEVERITY_NOTE, (struct eg_origin){"a", 10, 1}, NULL, "3");
	eg_diag_add(&diag, EG_SEVERITY_NOTE, (struct eg_origin){"a", 9, 20}, NULL, "2");
	eg_diag_add(&diag, EG_SEVERITY_NOTE, (struct eg_origin){"a", 9, 3}, NULL, "1");
	text = print(&diag);
	assert_string_equal(text, "a:9:3: note: 1\na:9:20: note: 2\na:10:1: note: 3\nb:1:1: note: 4\n");
}

static void the_same_words_at_the_same_place_are_said_once(void **state)
{
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};

	(void)state;
	eg_diag_add(&diag, EG_SEVERITY_ERROR, place, "a", "x");
	eg_diag_add(&diag, EG_SEVERITY_ERROR, place, "a", "x");
	assert_int_equal(diag.findings.len, 1);
	assert_int_equal(diag.errors, 1);
	eg_diag_add(&diag, EG_SEVERITY_ERROR, place, "b", "x");
	eg_diag_add(&diag, EG_SEVERITY_WARNING, place, "a", "x");
	assert_int_equal(diag.findings.len, 3);
}

static void only_errors_refuse(void **state)
{
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};

	(void)state;
	eg_diag_add(&diag, EG_SEVERITY_NOTE, place, NULL, "x");
	eg_diag_add(&diag, EG_SEVERITY_WARNING, place, NULL, "x");
	assert_false(eg_diag_has_errors(&diag));
	eg_diag_add(&diag, EG_SEVERITY_ERROR, place, NULL, "x");
	assert_true(eg_diag_has_errors(&diag));
}

static void a_lost_finding_counts_as_an_error(void **state)
{
	struct eg_diag diag = {.out_of_memory = true};

	(void)state;
	assert_true(eg_diag_has_errors(&diag));
}

static void controls_and_invalid_utf8_are_escaped(void **state)
{
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	_cleanup_free_ char *text = NULL;

	(void)state;
	eg_diag_add(&diag, EG_SEVERITY_NOTE, (struct eg_origin){"f\n", 1, 1}, "p\033[2J", "%s",
		    "\xc3\xa9 \xff \xc2\x9b \xed\xa0\x80 \x7f");
	text = print(&diag);
	assert_string_equal(text, "f\\x0a:1:1: note: p\\x1b[2J: \xc3\xa9 \\xff \\xc2\\x9b \\xed\\xa0\\x80 \\x7f\n");
}

static void texts_are_copied(void **state)
{
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	char file[] = "f", path[] = "p";

	(void)state;
	eg_diag_add(&diag, EG_SEVERITY_NOTE, (struct eg_origin){file, 1, 1}, path, "x");
	file[0] = path[0] = '!';
	assert_string_equal(diag.findings.items[0].origin.file, "f");
	assert_string_equal(diag.findings.items[0].path, "p");
}

static void a_flood_of_warnings_hides_no_error(void **state)
{
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	_cleanup_free_ char *text = NULL;

	(void)state;
	for (uint32_t i = 0; i < 20000; i++)
		eg_diag_add(&diag, EG_SEVERITY_WARNING, (struct eg_origin){"a", i, 1}, NULL, "w");
	eg_diag_add(&diag, EG_SEVERITY_ERROR, place, NULL, "the one that counts");
	assert_int_equal(diag.warnings, 20000);
	assert_true(diag.findings.len < 10000);
	text = print(&diag);
	assert_non_null(strstr(text, "the one that counts"));
	assert_non_null(strstr(text, "more are not listed"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_finding_is_printed_with_place_severity_path_and_text),
		cmocka_unit_test(findings_are_sorted_by_file_line_and_column),
		cmocka_unit_test(the_same_words_at_the_same_place_are_said_once),
		cmocka_unit_test(only_errors_refuse),
		cmocka_unit_test(a_lost_finding_counts_as_an_error),
		cmocka_unit_test(controls_and_invalid_utf8_are_escaped),
		cmocka_unit_test(texts_are_copied),
		cmocka_unit_test(a_flood_of_warnings_hides_no_error),
	};

	return cmocka_run_group_tests_name("diag", tests, NULL, NULL);
}
