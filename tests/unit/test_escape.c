/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "workload/escape.h"

static void the_effective_capabilities_are_read_and_not_the_others(void **state)
{
	uint64_t capabilities;

	(void)state;
	assert_int_equal(eg_escape_parse("CapInh:\t00000000000000ff\n", &capabilities), -EBADMSG);
	assert_int_equal(eg_escape_parse("CapEff:\t0000000000002000\n", &capabilities), 0);
	assert_int_equal(capabilities, 0x2000);
}

static void text_without_them_is_refused(void **state)
{
	uint64_t capabilities;

	(void)state;
	assert_int_equal(eg_escape_parse("", &capabilities), -EBADMSG);
	assert_int_equal(eg_escape_parse("Name:\tCapEff: ff\n", &capabilities), -EBADMSG);
	assert_int_equal(eg_escape_parse("CapEff:\tzz\n", &capabilities), -EBADMSG);
}

/* Whose groups fill pages of its status before the capabilities come. */
static void capabilities_behind_thousands_of_groups_are_seen(void **state)
{
	enum { GROUPS = 4000 };
	_cleanup_free_ gid_t *groups = calloc(GROUPS, sizeof(*groups));
	struct eg_escapes escapes = {};
	pid_t child;

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < GROUPS; i++)
		groups[i] = (gid_t)(2000000000 + i);
	child = fork();
	if (child == 0) {
		if (setgroups(GROUPS, groups) == 0)
			raise(SIGSTOP);
		_exit(1);
	}
	assert_int_equal(waitpid(child, NULL, WUNTRACED), child);
	assert_int_equal(eg_escape_add_process(child, &escapes), 0);
	assert_int_equal(escapes.with[EG_ESCAPE_SYS_ADMIN].count, 1);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
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
		cmocka_unit_test(capabilities_behind_thousands_of_groups_are_seen),
		cmocka_unit_test(processes_are_summed_by_capability_with_the_first_few_ids),
	};

	return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
