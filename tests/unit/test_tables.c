/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "config/envoy.h"
#include "config/kinds.h"
#include "egress/maps.h"
#include "policy/rules.h"

/* egress-policy(5) is made from the tables: what they do not say, nobody is told. */

static bool is_sentence(const char *text)
{
	return text && text[0] != '\0' && text[strlen(text) - 1] == '.';
}

static void check_field(const struct eg_field *field, const char *path)
{
	if (!is_sentence(field->doc))
		fail_msg("%s: says nothing to people, or not in a sentence", path);
	if (field->type && (!field->type->name || field->type->name[0] == '\0'))
		fail_msg("%s: has a type without a name", path);
	if (field->fields && !field->type)
		fail_msg("%s: has fields that nobody reads", path);
	if (field->later && field->type)
		fail_msg("%s: is read, and is not supported yet", path);
}

static size_t check_fields(const struct eg_schema *schema, const char *prefix)
{
	size_t count = schema->count;
	char path[512];

	assert_true(schema->count <= EG_FIELDS_MAX);
	for (size_t i = 0; i < schema->count; i++) {
		snprintf(path, sizeof(path), "%s.%s", prefix, schema->fields[i].name);
		check_field(&schema->fields[i], path);
		if (schema->fields[i].fields)
			count += check_fields(schema->fields[i].fields, path);
	}
	return count;
}

static void each_field_of_each_kind_says_what_it_is(void **state)
{
	const struct eg_kind *kind;
	size_t kinds = 0, fields = 0;

	(void)state;
	for (size_t i = 0; (kind = eg_kind_at(i)); i++) {
		if (!kind->schema)
			continue;
		kinds++;
		if (!is_sentence(kind->schema->doc))
			fail_msg("%s: says nothing to people, or not in a sentence", kind->name);
		assert_string_equal(kind->name, kind->schema->name);
		fields += check_fields(kind->schema, kind->name);
	}
	fields += check_fields(&eg_envoy_cluster_schema, "Cluster");
	fields += check_fields(&eg_envoy_filter_schema, "Filter");
	fields += check_fields(&eg_universal_envelope, "Universal");
	assert_true(kinds >= 5 && fields > 200);
}

/* "circuitBreakers.thresholds.maxConnections" */
static const struct eg_field *find(const struct eg_schema *schema, const char *path)
{
	const size_t len = strcspn(path, ".");

	for (size_t i = 0; i < schema->count; i++) {
		const struct eg_field *field = &schema->fields[i];

		if (strncmp(field->name, path, len) == 0 && field->name[len] == '\0')
			return path[len] ? find(field->fields, path + len + 1) : field;
	}
	fail_msg("no field %s", path);
	return NULL;
}

static void assert_default_ms(const struct eg_schema *schema, const char *path, int64_t ms)
{
	int64_t ns;

	assert_int_equal(eg_parse_duration(find(schema, path)->fallback, &ns), 0);
	assert_int_equal(ns, ms * 1000000);
}

static void assert_default_number(const char *limit, uint32_t expected)
{
	char path[128];
	uint32_t value;

	snprintf(path, sizeof(path), "circuitBreakers.thresholds.%s", limit);
	assert_int_equal(eg_parse_u32(find(&eg_envoy_cluster_schema, path)->fallback, &value), 0);
	assert_int_equal(value, expected);
}

static void assert_default_errno(const char *field, uint16_t expected)
{
	uint16_t value;

	assert_int_equal(eg_parse_errno(find(&eg_node_schema, field)->fallback, &value), 0);
	assert_int_equal(value, expected);
}

static void the_defaults_that_people_are_told_are_those_that_hold(void **state)
{
	(void)state;
	assert_default_ms(&eg_envoy_cluster_schema, "connectTimeout", EG_DEFAULT_CONNECT_TIMEOUT_MS);
	assert_default_ms(&eg_envoy_filter_schema, "typedConfig.idleTimeout", EG_DEFAULT_IDLE_TIMEOUT_MS);
	assert_default_ms(&eg_node_schema, "retryWindow", EG_DEFAULT_RETRY_WINDOW_MS);
	assert_default_number("maxConnections", EG_DEFAULT_MAX_CONNECTIONS);
	assert_default_number("maxPendingRequests", EG_DEFAULT_MAX_PENDING);
	assert_default_number("maxRequests", EG_DEFAULT_MAX_REQUESTS);
	assert_default_number("maxRetries", EG_DEFAULT_MAX_RETRIES);
	assert_default_errno("blockErrno", EG_DEFAULT_BLOCK_ERRNO);
	assert_default_errno("breakerErrno", EG_DEFAULT_BREAKER_ERRNO);
}

static void assert_range(const char *field, uint64_t min_ms, uint64_t max_ms)
{
	char min[EG_DURATION_TEXT_MAX], max[EG_DURATION_TEXT_MAX], range[2 * EG_DURATION_TEXT_MAX + 32];

	snprintf(range, sizeof(range), "duration from %s to %s", eg_format_duration(min_ms, min),
		 eg_format_duration(max_ms, max));
	assert_string_equal(find(&eg_node_schema, field)->type->name, range);
}

static void the_ranges_that_people_are_told_are_those_that_hold(void **state)
{
	(void)state;
	assert_range("sweepInterval", EG_SWEEP_INTERVAL_MIN_MS, EG_SWEEP_INTERVAL_MAX_MS);
	assert_range("retryWindow", 0, EG_RETRY_WINDOW_MAX_MS);
}

static void each_kind_that_kuma_3_has_no_more_has_a_successor(void **state)
{
	const char *name, *successor;
	size_t count = 0;

	(void)state;
	for (; (name = eg_kind_removed_at(count, &successor)); count++)
		assert_string_equal(eg_kind_successor(name), successor);
	assert_true(count > 0);
	assert_null(eg_kind_successor("Mesh"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_of_each_kind_says_what_it_is),
		cmocka_unit_test(the_defaults_that_people_are_told_are_those_that_hold),
		cmocka_unit_test(the_ranges_that_people_are_told_are_those_that_hold),
		cmocka_unit_test(each_kind_that_kuma_3_has_no_more_has_a_successor),
	};

	return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
