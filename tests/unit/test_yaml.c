/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/yaml.h"
#include "../lib/support/policy.h"

#define CONFIG_ROOM 4096

static void anchors_aliases_and_merge_keys_are_followed(void **state)
{
	struct policy *policy =
		policy_read("x-common: &net {outbound: {passthrough: yes}}\ntype: Mesh\nname: a\n---\n"
			    "type: Mesh\nname: &n default\nnetworking:\n  <<: [{outbound: &o {passthrough: off}}]\n");

	(void)state;
	assert_string_equal(policy->findings, "p.yaml:1:1: error: x-common: unknown field; remove it\n");
	assert_true(policy->model->meshes.items[1]->passthrough.is_set);
	assert_false(policy->model->meshes.items[1]->passthrough.value);
	policy_free(policy);
}

static void a_key_of_the_mapping_itself_beats_a_merged_one(void **state)
{
	struct policy *policy = policy_read("type: Mesh\nname: a\nnetworking:\n  outbound:\n"
					    "    <<: {passthrough: true}\n    passthrough: false\n");

	(void)state;
	assert_string_equal(policy->findings, "");
	assert_false(policy->model->meshes.items[0]->passthrough.value);
	policy_free(policy);
}

static void a_key_written_twice_is_refused_and_both_lines_are_named(void **state)
{
	(void)state;
	assert_findings("type: Mesh\nname: a\nlabels: {}\nname: b\n",
			"p.yaml:4:1: error: \"name\" is written twice, first in line 2; keep one of them\n");
}

static void yaml_1_1_words_are_booleans_only_without_quotes(void **state)
{
	(void)state;
	assert_accepted("type: Mesh\nname: a\nnetworking: {outbound: {passthrough: On}}\n");
	assert_accepted("type: Mesh\nname: a\nnetworking: {outbound: {passthrough: no}}\n");
	assert_refused("type: Mesh\nname: a\nnetworking: {outbound: {passthrough: 'false'}}\n",
		       "networking.outbound.passthrough: must be true or false, without quotes");
	assert_refused("type: Mesh\nname: a\nnetworking: {outbound: {passthrough: !!str false}}\n",
		       "must be true or false");
	assert_refused("type: Mesh\nname: a\nnetworking: {outbound: {passthrough: 0}}\n", "must be true or false");
}

static void null_is_as_if_left_out(void **state)
{
	struct policy *policy = policy_read("type: Mesh\nname: a\nnetworking: {outbound: {passthrough: ~}}\nmtls:\n");

	(void)state;
	assert_string_equal(policy->findings, "");
	assert_false(policy->model->meshes.items[0]->passthrough.is_set);
	policy_free(policy);
}

static void a_value_that_is_no_text_must_be_quoted(void **state)
{
	(void)state;
	assert_findings("type: Mesh\nname: 12\n",
			"p.yaml:2:7: error: name: must be a text, and 12 is a number: write \"12\"\n");
	assert_accepted("type: Mesh\nname: \"12\"\n");
	assert_accepted("type: Mesh\nname: !!str 12\n");
}

static void syntax_errors_have_a_place(void **state)
{
	(void)state;
	assert_refused("type: Mesh\nname: [a\n", "p.yaml:3:1: error: not valid YAML: ");
	assert_refused("type: Mesh\n\tname: a\n", "p.yaml:2:");
}

static void assert_bytes_refused(const char *bytes, size_t len, const char *part)
{
	struct policy *policy = policy_read_bytes(bytes, len);

	assert_true(eg_diag_has_errors(&policy->diag));
	assert_non_null(strstr(policy->findings, part));
	policy_free(policy);
}

/* libyaml counts so; an editor that does not is one line off. */
static void lines_end_at_each_of_yamls_line_breaks_and_columns_are_of_characters(void **state)
{
	(void)state;
	assert_findings("# a\xe2\x80\xa8# b\xc2\x85# c\r# d\r\ntype: Mesh\nname: m\nfoo: 1\n",
			"p.yaml:7:1: error: foo: unknown field; remove it\n");
	assert_findings("type: Mesh\nname: m\nrouting: {\"\xc3\xa9\xe6\x97\xa5\": 1, foo: 1}\n",
			"p.yaml:3:11: error: routing.\xc3\xa9\xe6\x97\xa5: unknown field; remove it\n"
			"p.yaml:3:20: error: routing.foo: unknown field; remove it\n");
	assert_bytes_refused("# a\r# b\nn: \xc3\xa9 \xff\n", 16,
			     "p.yaml:3:6: error: invalid leading UTF-8 octet");
	assert_refused("# a\xe2\x80\xa8type: ProxyTemplate\nname: t\nmesh: m\nconf:\n  modifications:\n  - cluster:\n"
		       "      operation: patch\n      value: |\n        foo: 1\n",
		       "p.yaml:10:9: error: conf.modifications[0].cluster.value.foo: unknown field");
}

static void documents_before_a_syntax_error_are_checked_too(void **state)
{
	(void)state;
	assert_refused("type: Mesh\nname: a\nfoo: 1\n---\n{", "p.yaml:3:1: error: foo: unknown field");
}

static void json_is_read_with_tabs_and_its_escapes(void **state)
{
	struct policy *policy =
		policy_read("{\"type\":\"Mesh\",\n\t\"name\":\t\"a\\u0062\",\"labels\":{\"a\\/b\":\"c\"}}");

	(void)state;
	assert_string_equal(policy->findings, "");
	assert_string_equal(policy->model->meshes.items[0]->name, "ab");
	policy_free(policy);
}

static void a_surrogate_pair_is_refused_with_the_remedy(void **state)
{
	(void)state;
	assert_refused("{\"type\":\"Mesh\",\"name\":\"a\",\"labels\":{\"a\":\"\\ud83d\\ude00\"}}",
		       "write the character itself");
}

static void a_byte_order_mark_of_utf8_is_skipped(void **state)
{
	(void)state;
	assert_findings("\xef\xbb\xbftype: Mesh\nname: a\nfoo: 1\n",
			"p.yaml:3:1: error: foo: unknown field; remove it\n");
}

static void other_encodings_are_refused(void **state)
{
	(void)state;
	assert_bytes_refused("\xff\xfet\0y\0", 6, "save it as UTF-8");
	assert_bytes_refused("\xfe\xff\0t\0y", 6, "save it as UTF-8");
	assert_bytes_refused("\xff\xfe\0\0t\0\0\0", 8, "save it as UTF-8");
	assert_bytes_refused("type: Mesh\nname: a\xff\n", 19, "p.yaml:2:8: error: invalid leading UTF-8 octet");
}

static void nul_bytes_are_refused_in_the_file_and_in_escapes(void **state)
{
	(void)state;
	assert_bytes_refused("type: Mesh\nname: a\0b\n", 21, "p.yaml:2:8: error: a NUL byte");
	assert_refused("type: Mesh\nname: \"a\\0b\"\n", "p.yaml:2:7: error: a NUL character");
}

static void keys_are_words(void **state)
{
	(void)state;
	assert_refused("type: Mesh\nname: a\n? [a]\n: 1\n", "p.yaml:3:3: error: a key must be a word, not a list");
}

static void tags_without_meaning_are_refused(void **state)
{
	(void)state;
	assert_refused("type: Mesh\nname: !!python/object:os.system x\n", "p.yaml:2:7: error: the tag !<");
}

static void an_alias_inside_what_it_names_is_refused(void **state)
{
	(void)state;
	assert_refused("type: Mesh\nname: a\nlabels: &l {x: *l}\n",
		       "p.yaml:3:16: error: an alias stands inside what it names");
	assert_refused("type: Mesh\nname: *nobody\n", "names no anchor before it");
}

static char *repeat(const char *head, const char *part, size_t count)
{
	const size_t part_len = strlen(part), head_len = strlen(head);
	char *text = malloc(head_len + part_len * count + 1);

	assert_non_null(text);
	memcpy(text, head, head_len);
	for (size_t i = 0; i < count; i++)
		memcpy(text + head_len + i * part_len, part, part_len);
	text[head_len + part_len * count] = '\0';
	return text;
}

static void assert_repeated_refused(const char *head, const char *part, size_t count, const char *expected)
{
	char *text = repeat(head, part, count);

	assert_refused(text, expected);
	free(text);
}

static void nesting_has_a_limit(void **state)
{
	(void)state;
	assert_repeated_refused("", "[", 1 << 20, "nested more than 64 deep");
	assert_repeated_refused("", "{a: ", 1 << 20, "nested more than 64 deep");
	assert_repeated_refused("", "- ", 1 << 20, "nested more than 64 deep");
}

static void what_aliases_repeat_has_a_limit(void **state)
{
	char text[CONFIG_ROOM];
	size_t len = (size_t)sprintf(text, "a0: &a0 [x,x,x,x,x,x,x,x]\n");

	(void)state;
	for (int i = 1; i < 20; i++)
		len += (size_t)sprintf(text + len, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1,
				       i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	assert_refused(text, "too many values");
}

static void values_have_a_limit(void **state)
{
	(void)state;
	assert_repeated_refused("[", "a,", EG_YAML_NODES_MAX + 1, "too many values");
}

static void tag_directives_have_a_limit(void **state)
{
	(void)state;
	assert_repeated_refused("", "%TAG !a! b\r", 1000, "more than 64 %TAG directives");
}

static void a_mapping_of_many_keys_is_searched_for_repeated_ones_in_time(void **state)
{
	const size_t count = 300000;
	char *text = malloc(count * 16 + 64);
	size_t len = (size_t)sprintf(text, "type: Mesh\nname: a\nlabels:\n");
	struct policy *policy;

	(void)state;
	for (size_t i = 0; i < count; i++)
		len += (size_t)sprintf(text + len, " k%zu: v\n", i);
	strcpy(text + len, " k7: v\n");
	policy = policy_read(text);
	assert_string_equal(policy->findings,
			    "p.yaml:300004:2: error: \"k7\" is written twice, first in line 11; keep one of them\n");
	policy_free(policy);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anchors_aliases_and_merge_keys_are_followed),
		cmocka_unit_test(a_key_of_the_mapping_itself_beats_a_merged_one),
		cmocka_unit_test(a_key_written_twice_is_refused_and_both_lines_are_named),
		cmocka_unit_test(yaml_1_1_words_are_booleans_only_without_quotes),
		cmocka_unit_test(null_is_as_if_left_out),
		cmocka_unit_test(a_value_that_is_no_text_must_be_quoted),
		cmocka_unit_test(syntax_errors_have_a_place),
		cmocka_unit_test(lines_end_at_each_of_yamls_line_breaks_and_columns_are_of_characters),
		cmocka_unit_test(documents_before_a_syntax_error_are_checked_too),
		cmocka_unit_test(json_is_read_with_tabs_and_its_escapes),
		cmocka_unit_test(a_surrogate_pair_is_refused_with_the_remedy),
		cmocka_unit_test(a_byte_order_mark_of_utf8_is_skipped),
		cmocka_unit_test(other_encodings_are_refused),
		cmocka_unit_test(nul_bytes_are_refused_in_the_file_and_in_escapes),
		cmocka_unit_test(keys_are_words),
		cmocka_unit_test(tags_without_meaning_are_refused),
		cmocka_unit_test(an_alias_inside_what_it_names_is_refused),
		cmocka_unit_test(nesting_has_a_limit),
		cmocka_unit_test(what_aliases_repeat_has_a_limit),
		cmocka_unit_test(values_have_a_limit),
		cmocka_unit_test(tag_directives_have_a_limit),
		cmocka_unit_test(a_mapping_of_many_keys_is_searched_for_repeated_ones_in_time),
	};

	return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
