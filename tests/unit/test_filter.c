/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "export/envoy.h"
#include "export/filter.h"

#define CX "cluster.outbound_passthrough_ipv4.upstream_cx_total"
#define CX6 "cluster.outbound_passthrough_ipv6.upstream_cx_total"
#define TCP "tcp.outbound_passthrough_ipv4.downstream_cx_total"

static struct eg_filter *filter_of(const char *pattern)
{
	char problem[EG_FILTER_PROBLEM_MAX] = "";
	struct eg_filter *filter = NULL;

	assert_int_equal(eg_filter_new(pattern, problem, &filter), 0);
	return filter;
}

static int matches(const char *pattern, const char *name)
{
	_cleanup_(eg_filter_freep) struct eg_filter *filter = filter_of(pattern);

	return eg_filter_match_stat(filter, name);
}

static void assert_refused(const char *pattern, const char *part)
{
	char problem[EG_FILTER_PROBLEM_MAX] = "";
	struct eg_filter *filter = NULL;

	assert_int_equal(eg_filter_new(pattern, problem, &filter), -EINVAL);
	assert_null(filter);
	if (!strstr(problem, part))
		fail_msg("'%s' does not say '%s'", problem, part);
}

static void a_pattern_is_found_anywhere_in_a_name(void **state)
{
	(void)state;
	assert_int_equal(matches("upstream_cx", CX), 1);
	assert_int_equal(matches("^cluster\\..*_total$", CX), 1);
	assert_int_equal(matches("^upstream", CX), 0);
	assert_int_equal(matches("cx_(active|total)", CX), 1);
	assert_int_equal(matches(".*up.*e.*m.*_.*x_.*t.*", CX), 1);
	assert_int_equal(matches(".*up.*e.*m.*_.*x_.*t.*[#@]", CX), 0);
	assert_int_equal(matches("", CX), 1);
}

static void no_filter_finds_everything(void **state)
{
	(void)state;
	assert_int_equal(eg_filter_match(NULL, "x"), 1);
	assert_int_equal(eg_filter_match_stat(NULL, CX), 1);
	assert_null(eg_filter_free(NULL));
}

static void pass_through_is_a_name_of_both_clusters(void **state)
{
	(void)state;
	assert_int_equal(matches("pass_through", CX), 1);
	assert_int_equal(matches("pass_through", CX6), 1);
	assert_int_equal(matches("pass_through", TCP), 1);
	assert_int_equal(matches("^cluster\\.pass_through\\.upstream_cx_total$", CX), 1);
	assert_int_equal(matches("^cluster\\.pass_through\\.upstream_cx_total$", CX6), 1);
	assert_int_equal(matches("pass_through.*upstream_rq", CX), 0);
	assert_int_equal(matches("pass_through", "egressd.events_lost"), 0);
	assert_int_equal(matches("pass_through", "egressd.verdicts.passthrough"), 0);
}

static void the_name_of_kuma_3_is_that_cluster_in_its_family(void **state)
{
	(void)state;
	assert_int_equal(matches("self_transparentproxy_passthrough_outbound_ipv4", CX), 1);
	assert_int_equal(matches("self_transparentproxy_passthrough_outbound_ipv4", CX6), 0);
	assert_int_equal(matches("^tcp\\.self_transparentproxy_passthrough_outbound_ipv4\\.downstream", TCP), 1);
	assert_int_equal(matches("self_transparentproxy", "egressd.outbound_passthrough_ipv6.draining"), 1);
}

static void who_does_not_use_another_name_gets_no_match_by_it(void **state)
{
	(void)state;
	assert_int_equal(matches("^cluster\\.[^o]", CX), 0);
	assert_int_equal(matches("_outbound_ipv4", CX), 0);
}

static void a_name_that_ends_within_the_cluster_is_no_cluster(void **state)
{
	(void)state;
	assert_int_equal(matches("pass_through", "cluster.outbound_passthrough_"), 0);
	assert_int_equal(matches("pass_through", "cluster.outbound_passthrough_ip"), 0);
}

static void the_longest_name_with_an_alias_is_cut_and_no_more(void **state)
{
	char name[EG_STAT_NAME_MAX];

	(void)state;
	memset(name, 'x', sizeof(name));
	memcpy(name, CX, strlen(CX));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(matches("self_transparentproxy_passthrough_outbound_ipv4.*x$", name), 1);
}

static void what_is_wrong_with_a_pattern_is_said_with_its_place(void **state)
{
	(void)state;
	assert_refused("(", "at character 2");
	assert_refused("*x", "at character");
	assert_refused("a[", "at character");
	assert_refused("\\C", "\\C");
	assert_refused("(*UTF)x", "UTF");
}

static void a_pattern_is_bounded_in_length_and_depth(void **state)
{
	char pattern[EG_FILTER_LEN_MAX + 2];

	(void)state;
	memset(pattern, 'a', sizeof(pattern) - 1);
	pattern[sizeof(pattern) - 1] = '\0';
	assert_refused(pattern, "longer than 512");
	pattern[EG_FILTER_LEN_MAX] = '\0';
	assert_int_equal(matches(pattern, CX), 0);
	memset(pattern, '(', 60);
	memset(pattern + 60, ')', 60);
	pattern[120] = '\0';
	assert_refused(pattern, "nest");
	assert_refused("((((a{1,9999}){1,9999}){1,9999}){1,9999})", "too large");
}

static void a_pattern_that_never_ends_is_given_up(void **state)
{
	(void)state;
	assert_int_equal(matches("(.+)+[#@]", CX), -E2BIG);
	assert_int_equal(matches("(.*.*.*.*)+[#@]", CX), -E2BIG);
	/* It asks for the limit that it would like, and does not get it. */
	assert_int_equal(matches("(*LIMIT_MATCH=4000000000)(.+)+[#@]", CX), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pattern_is_found_anywhere_in_a_name),
		cmocka_unit_test(no_filter_finds_everything),
		cmocka_unit_test(pass_through_is_a_name_of_both_clusters),
		cmocka_unit_test(the_name_of_kuma_3_is_that_cluster_in_its_family),
		cmocka_unit_test(who_does_not_use_another_name_gets_no_match_by_it),
		cmocka_unit_test(a_name_that_ends_within_the_cluster_is_no_cluster),
		cmocka_unit_test(the_longest_name_with_an_alias_is_cut_and_no_more),
		cmocka_unit_test(what_is_wrong_with_a_pattern_is_said_with_its_place),
		cmocka_unit_test(a_pattern_is_bounded_in_length_and_depth),
		cmocka_unit_test(a_pattern_that_never_ends_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
