/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "config/config.h"

static size_t load(const char *text, struct eg_diag *diag, struct eg_located_prefix **ret_resolvers)
{
	char path[] = "/tmp/egress-test.XXXXXX";
	int fd = mkstemp(path);
	size_t count;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	assert_int_equal(eg_config_load_resolvers(path, diag, ret_resolvers, &count), 0);
	unlink(path);
	return count;
}

static void nameserver_lines_are_read(void **state)
{
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	_cleanup_free_ struct eg_located_prefix *resolvers = NULL;
	char text[EG_ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(
		load("# nameserver 1.1.1.1\nsearch a b\nnameserver 10.0.0.53\n  nameserver\tfe80::1%eth0 # x\r\n"
		     "nameservers 2.2.2.2\noptions ndots:5",
		     &diag, &resolvers),
		2);
	assert_int_equal(diag.findings.len, 0);
	assert_string_equal(eg_prefix_format(&resolvers[0].prefix, text), "10.0.0.53/32");
	assert_int_equal(resolvers[0].origin.line, 3);
	assert_string_equal(eg_prefix_format(&resolvers[1].prefix, text), "fe80::1/128");
}

static void a_nameserver_that_is_no_address_is_a_warning(void **state)
{
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	_cleanup_free_ struct eg_located_prefix *resolvers = NULL;

	(void)state;
	assert_int_equal(load("nameserver dns.example.com\nnameserver\nnameserver 10.0.0.1\n", &diag, &resolvers), 1);
	assert_int_equal(diag.warnings, 1);
	assert_int_equal(diag.errors, 0);
}

static void a_missing_file_is_a_warning(void **state)
{
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	struct eg_located_prefix *resolvers;
	size_t count;

	(void)state;
	assert_int_equal(eg_config_load_resolvers("/nonexistent/resolv.conf", &diag, &resolvers, &count), 0);
	assert_int_equal(count, 0);
	assert_null(resolvers);
	assert_int_equal(diag.warnings, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nameserver_lines_are_read),
		cmocka_unit_test(a_nameserver_that_is_no_address_is_a_warning),
		cmocka_unit_test(a_missing_file_is_a_warning),
	};

	return cmocka_run_group_tests_name("resolv", tests, NULL, NULL);
}
