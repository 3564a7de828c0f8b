/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "cli/options.h"

/* What the options took, in order. */
struct taken {
	char text[256];
};

static int take_value(const char *value, void *context)
{
	struct taken *taken = context;

	if (strcmp(value, "bad") == 0)
		return eg_options_error("test", "--value does not like '%s'", value);
	strncat(taken->text, value, 32);
	strcat(taken->text, ",");
	return 0;
}

static int take_flag(const char *value, void *context)
{
	struct taken *taken = context;

	assert_null(value);
	strcat(taken->text, "flag,");
	return 0;
}

static const struct eg_command_help help = {.name = "test", .usage = "[OPTION]... WORD...", .text = "Tests."};
static const struct eg_option options[] = {
	{"value", "WORD", "takes a word", take_value},
	{"flag", NULL, "takes none", take_flag},
	{"later", "N", NULL, NULL},
};

/* Everything that was written to a stream while this lasts. */
struct capture {
	FILE *stream;
	int saved_fd;
	int file_fd;
};

static struct capture capture_start(FILE *stream)
{
	struct capture capture = {
		.stream = stream, .saved_fd = dup(fileno(stream)), .file_fd = memfd_create("capture", MFD_CLOEXEC)};

	fflush(stream);
	assert_true(dup2(capture.file_fd, fileno(stream)) >= 0);
	return capture;
}

static void capture_end(struct capture *capture, char *text, size_t size)
{
	ssize_t len;

	fflush(capture->stream);
	assert_true(dup2(capture->saved_fd, fileno(capture->stream)) >= 0);
	len = pread(capture->file_fd, text, size - 1, 0);
	assert_true(len >= 0);
	text[len] = '\0';
	close(capture->saved_fd);
	close(capture->file_fd);
}

/* Parses "test WORD..." with what it says on both streams. */
struct result {
	int r;
	int operands;
	struct taken taken;
	char out[2048], err[1024];
};

static struct result parse(const struct eg_command_help *command, char **words)
{
	struct result result = {.operands = -1};
	struct capture out = capture_start(stdout), err = capture_start(stderr);
	int count = 0;

	while (words[count])
		count++;
	result.r =
		eg_options_parse(count, words, command, options, EG_COUNT_OF(options), &result.taken, &result.operands);
	capture_end(&err, result.err, sizeof(result.err));
	capture_end(&out, result.out, sizeof(result.out));
	return result;
}

#define PARSE_AS(command, ...) parse(command, (char *[]){"test", ##__VA_ARGS__, NULL})
#define PARSE(...) PARSE_AS(&help, ##__VA_ARGS__)

static void options_are_taken_in_order_before_and_behind_operands(void **state)
{
	struct result result = PARSE("--value", "a", "word", "--flag", "--value=b", "other", "--value", "c");

	(void)state;
	assert_int_equal(result.r, 0);
	assert_string_equal(result.taken.text, "a,flag,b,c,");
	assert_int_equal(result.operands, 7);
}

static void those_behind_a_commands_name_are_the_commands(void **state)
{
	static const struct eg_command_help runner = {.name = "test", .usage = "", .text = "", .takes_command = true};
	struct result result = PARSE_AS(&runner, "--value", "a", "--flag", "--value=b", "word", "--value", "c");

	(void)state;
	assert_int_equal(result.r, 0);
	assert_string_equal(result.taken.text, "a,flag,b,");
	assert_int_equal(result.operands, 5);
	assert_string_equal(result.err, "");
}

static void two_dashes_end_the_options(void **state)
{
	struct result result = PARSE("--flag", "--", "--value", "a");

	(void)state;
	assert_int_equal(result.r, 0);
	assert_string_equal(result.taken.text, "flag,");
	assert_int_equal(result.operands, 3);
}

static void a_value_may_look_like_an_option_or_be_empty(void **state)
{
	struct result result = PARSE("--value", "--flag", "--value", "", "--value=");

	(void)state;
	assert_int_equal(result.r, 0);
	assert_string_equal(result.taken.text, "--flag,,,");
	assert_int_equal(result.operands, 6);
}

static void without_any_word_nothing_is_taken(void **state)
{
	struct result result = PARSE();

	(void)state;
	assert_int_equal(result.r, 0);
	assert_int_equal(result.operands, 1);
}

static void what_is_wrong_is_said_once_with_where_to_find_help(void **state)
{
	static const struct {
		char *words[3];
		const char *said;
	} wrong[] = {
		{{"test", "--value"}, "--value needs a value"},
		{{"test", "--valu"}, "--valu needs a value"},
		{{"test", "--vlaue"}, "did you mean --value?"},
		{{"test", "--vlaue=x"}, "unknown option '--vlaue=x'"},
		{{"test", "--nothing-like-it"}, "unknown option '--nothing-like-it'"},
		{{"test", "-x"}, "unknown option '-x'"},
		{{"test", "-xy"}, "unknown option '-x"},
		{{"test", "--flag=x"}, "--flag=x"},
		{{"test", "--value=bad"}, "--value does not like 'bad'"},
		{{"test", "--later=5"}, "--later: not supported yet"},
	};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(wrong); i++) {
		char *words[] = {wrong[i].words[0], wrong[i].words[1], NULL};
		struct result result = parse(&help, words);

		assert_int_equal(result.r, -EINVAL);
		assert_int_equal(result.operands, -1);
		if (!strstr(result.err, wrong[i].said))
			fail_msg("'%s' is not in: %s", wrong[i].said, result.err);
		assert_non_null(strstr(result.err, "egressctl test --help"));
		assert_ptr_equal(strchr(result.err, '\n'), result.err + strlen(result.err) - 1);
		assert_string_equal(result.out, "");
	}
}

static void help_lists_what_is_supported_and_nothing_else(void **state)
{
	static char *const asked[] = {"--help", "-h"};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(asked); i++) {
		struct result result = PARSE("--flag", asked[i], "--no-such-option");

		assert_int_equal(result.r, EG_OPTIONS_HELP);
		assert_non_null(strstr(result.out, "usage: egressctl test [OPTION]... WORD..."));
		assert_non_null(strstr(result.out, "--value WORD"));
		assert_non_null(strstr(result.out, "--flag"));
		assert_non_null(strstr(result.out, "--help"));
		assert_null(strstr(result.out, "later"));
		assert_string_equal(result.err, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_taken_in_order_before_and_behind_operands),
		cmocka_unit_test(those_behind_a_commands_name_are_the_commands),
		cmocka_unit_test(two_dashes_end_the_options),
		cmocka_unit_test(a_value_may_look_like_an_option_or_be_empty),
		cmocka_unit_test(without_any_word_nothing_is_taken),
		cmocka_unit_test(what_is_wrong_is_said_once_with_where_to_find_help),
		cmocka_unit_test(help_lists_what_is_supported_and_nothing_else),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
