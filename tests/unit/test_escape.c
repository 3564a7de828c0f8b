/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "workload/escape.h"

static void the_effective_capabilities_are_read_and_not_the_others(void **state)
{
	uint64_t capabilities;

	(void)state;
	assert_int_equal(eg_escape_parse("Name:\tsh\nCapInh:\t00000000000000ff\nCapPrm:\t000001ffffffffff\n"
					 "CapEff:\t0000000000002000\nCapBnd:\t000001ffffffffff\n",
					 &capabilities),
			 0);
	assert_int_equal(capabilities, 0x2000);
}

static void text_without_them_is_refused(void **state)
{
	uint64_t capabilities;

	(void)state;
	assert_int_equal(eg_escape_parse("", &capabilities), -EBADMSG);
	assert_int_equal(eg_escape_parse("Name:\tCapEff: ff\nState:\tR\n", &capabilities), -EBADMSG);
	assert_int_equal(eg_escape_parse("Name:\tx\nCapEff:\tzz\n", &capabilities), -EBADMSG);
}

static void processes_are_summed_by_capability_with_the_first_few_ids(void **state)
{
	struct eg_escapes escapes = {};

	(void)state;
	eg_escape_add(&escapes, 10, 0);
	for (pid_t pid = 11; pid < 20; pid++)
		eg_escape_add(&escapes, pid, UINT64_C(1) << 13 | (pid == 15 ? UINT64_C(1) << 21 | UINT64_C(1) << 39 : 0));
	assert_int_equal(escapes.with[EG_ESCAPE_NET_RAW].count, 9);
	assert_int_equal(escapes.with[EG_ESCAPE_NET_RAW].pids[0], 11);
	assert_int_equal(escapes.with[EG_ESCAPE_NET_RAW].pids[EG_ESCAPE_PIDS - 1], 13);
	assert_int_equal(escapes.with[EG_ESCAPE_SYS_ADMIN].count, 1);
	assert_int_equal(escapes.with[EG_ESCAPE_SYS_ADMIN].pids[0], 15);
	assert_int_equal(escapes.with[EG_ESCAPE_BPF].count, 1);
	assert_int_equal(escapes.with[EG_ESCAPE_NET_ADMIN].count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_effective_capabilities_are_read_and_not_the_others),
		cmocka_unit_test(text_without_them_is_refused),
		cmocka_unit_test(processes_are_summed_by_capability_with_the_first_few_ids),
	};

	return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
