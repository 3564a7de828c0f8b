/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/cleanup.h"
#include "policy/cluster.h"
#include "policy/rules.h"

static struct eg_optional_number written(uint64_t value, const char *file)
{
	return (struct eg_optional_number){true, value, {.file = file}};
}

static void what_is_written_replaces_what_held_and_the_rest_stays(void **state)
{
	struct eg_cluster_policy cluster = EG_DEFAULT_CLUSTER;
	struct eg_origin origins[EG_SETTING_COUNT] = {};
	struct eg_settings first = {}, second = {};

	(void)state;
	first.numbers[EG_SETTING_MAX_CONNECTIONS] = written(7, "first");
	first.numbers[EG_SETTING_IDLE_TIMEOUT] = written(UINT64_C(1) << 40, "first");
	second.numbers[EG_SETTING_MAX_CONNECTIONS] = written(0, "second");
	eg_cluster_apply(&cluster, origins, &first);
	eg_cluster_apply(&cluster, origins, &second);
	assert_int_equal(cluster.max_connections, 0);
	assert_int_equal(cluster.idle_timeout_ms, UINT64_C(1) << 40);
	assert_int_equal(cluster.max_pending, EG_DEFAULT_MAX_PENDING);
	assert_int_equal(cluster.connect_timeout_ms, EG_DEFAULT_CONNECT_TIMEOUT_MS);
	assert_string_equal(origins[EG_SETTING_MAX_CONNECTIONS].file, "second");
	assert_string_equal(origins[EG_SETTING_IDLE_TIMEOUT].file, "first");
	assert_null(origins[EG_SETTING_MAX_PENDING].file);
}

static void each_setting_is_one_value_of_the_cluster(void **state)
{
	(void)state;
	for (enum eg_setting setting = 0; setting < EG_SETTING_COUNT; setting++) {
		struct eg_cluster_policy cluster = EG_DEFAULT_CLUSTER, before = cluster;
		struct eg_origin origins[EG_SETTING_COUNT] = {};
		struct eg_settings settings = {};

		settings.numbers[setting] = written(77, "p.yaml");
		eg_cluster_apply(&cluster, origins, &settings);
		for (enum eg_setting other = 0; other < EG_SETTING_COUNT; other++)
			assert_int_equal(eg_cluster_get(&cluster, other),
					 other == setting ? 77 : eg_cluster_get(&before, other));
	}
}

static void requests_and_retries_act_once_somebody_writes_them(void **state)
{
	struct eg_cluster_policy cluster = EG_DEFAULT_CLUSTER;
	struct eg_origin origins[EG_SETTING_COUNT] = {};
	struct eg_settings settings = {};

	(void)state;
	settings.numbers[EG_SETTING_MAX_CONNECTIONS] = written(1024, "p.yaml");
	eg_cluster_apply(&cluster, origins, &settings);
	assert_int_equal(cluster.flags, 0);
	settings.numbers[EG_SETTING_MAX_REQUESTS] = written(EG_DEFAULT_MAX_REQUESTS, "p.yaml");
	eg_cluster_apply(&cluster, origins, &settings);
	assert_int_equal(cluster.flags, EG_CLUSTER_LIMITS_REQUESTS);
	settings.numbers[EG_SETTING_MAX_RETRIES] = written(EG_DEFAULT_MAX_RETRIES, "p.yaml");
	eg_cluster_apply(&cluster, origins, &settings);
	assert_int_equal(cluster.flags, EG_CLUSTER_LIMITS_REQUESTS | EG_CLUSTER_LIMITS_RETRIES);
}

static void durations_become_milliseconds_that_mean_the_same(void **state)
{
	static const struct {
		enum eg_setting setting;
		int64_t ns;
		uint64_t ms;
	} cases[] = {
		{EG_SETTING_CONNECT_TIMEOUT, 99000000000, 99000},
		{EG_SETTING_CONNECT_TIMEOUT, 1, 1},
		{EG_SETTING_CONNECT_TIMEOUT, 1999999, 1},
		{EG_SETTING_CONNECT_TIMEOUT, INT64_C(4294967296) * 1000000, UINT32_MAX},
		{EG_SETTING_IDLE_TIMEOUT, 0, 0},
		{EG_SETTING_IDLE_TIMEOUT, 999999, 0}, /* as in Envoy */
		{EG_SETTING_IDLE_TIMEOUT, INT64_MAX, INT64_MAX / 1000000},
		{EG_SETTING_MAX_DURATION, 0, 0},
		{EG_SETTING_MAX_DURATION, 1, 1},
	};
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(cases); i++) {
		assert_int_equal(eg_setting_from_ns(cases[i].setting, cases[i].ns, &ms), 0);
		assert_int_equal(ms, cases[i].ms);
	}
	assert_int_equal(eg_setting_from_ns(EG_SETTING_CONNECT_TIMEOUT, 0, &ms), -ERANGE);
	assert_int_equal(eg_setting_from_ns(EG_SETTING_CONNECT_TIMEOUT, -1, &ms), -ERANGE);
	assert_int_equal(eg_setting_from_ns(EG_SETTING_IDLE_TIMEOUT, -1, &ms), -ERANGE);
	assert_int_equal(eg_setting_from_ns(EG_SETTING_MAX_DURATION, -1, &ms), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_replaces_what_held_and_the_rest_stays),
		cmocka_unit_test(each_setting_is_one_value_of_the_cluster),
		cmocka_unit_test(requests_and_retries_act_once_somebody_writes_them),
		cmocka_unit_test(durations_become_milliseconds_that_mean_the_same),
	};

	return cmocka_run_group_tests_name("cluster", tests, NULL, NULL);
}
