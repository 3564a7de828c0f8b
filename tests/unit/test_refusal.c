/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "datapath/refusal.h"

#define BIT(capability) (UINT64_C(1) << (capability))
#define ALL (BIT(CAP_BPF) | BIT(CAP_NET_ADMIN) | BIT(CAP_PERFMON))

/* What Linux 6.18 and 5.10 say at the end of their logs. */
static const char log_of_6_18[] =
	"; eg_decide(&seen); @ egress.bpf.c:89\n"
	"24: (bf) r1 = r6                      ; R1=fp-48 R6=fp-48\n"
	"25: (85) call pc+20\n"
	"invalid read from stack R1 off -48+36 size 48\n"
	"Caller passes invalid args into func#1 ('eg_decide')\n"
	"processed 25 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n";
static const char log_of_5_10[] =
	"; seen.time_ns = bpf_ktime_get_coarse_ns();\n"
	"70: (85) call bpf_ktime_get_coarse_ns#160\n"
	"unknown func bpf_ktime_get_coarse_ns#160\n"
	"processed 61 insns (limit 1000000) max_states_per_insn 0 total_states 4 peak_states 4 mark_read 3\n";

/* Whether the explanation has every one of the words and none of the unwanted ones; lists end with NULL. */
static void assert_says(struct eg_refusal refusal, const char *const *wanted, const char *const *unwanted)
{
	_cleanup_free_ char *text = NULL;

	if (!*refusal.release)
		strcpy(refusal.release, "6.18.44");
	text = eg_refusal_explain(&refusal);
	assert_non_null(text);
	assert_null(strchr(text, '\n'));
	for (; *wanted; wanted++)
		if (!strstr(text, *wanted))
			fail_msg("'%s' lacks '%s'", text, *wanted);
	for (; unwanted && *unwanted; unwanted++)
		if (strstr(text, *unwanted))
			fail_msg("'%s' has '%s'", text, *unwanted);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void a_missing_capability_is_named_and_those_that_are_there_are_not(void **state)
{
	(void)state;
	assert_says((struct eg_refusal){.error = -EPERM, .capabilities = BIT(CAP_BPF) | BIT(CAP_PERFMON)},
		    WORDS("lacks CAP_NET_ADMIN:"), WORDS("6.1", "verifier"));
	assert_says((struct eg_refusal){.error = -EPERM}, WORDS("lacks CAP_BPF and CAP_NET_ADMIN and CAP_PERFMON"),
		    NULL);
}

static void what_the_verifier_refuses_for_want_of_a_capability_is_no_fault_of_the_kernel(void **state)
{
	(void)state;
	assert_says((struct eg_refusal){.error = -EINVAL,
					.program = "eg_connect4",
					.log = log_of_6_18,
					.capabilities = BIT(CAP_BPF) | BIT(CAP_NET_ADMIN)},
		    WORDS("lacks CAP_PERFMON"), WORDS("6.1", "invalid read"));
}

static void a_refused_program_is_named_with_the_end_of_the_log_and_not_as_missing_privileges(void **state)
{
	const int errors[] = {EINVAL, EACCES, EPERM, E2BIG, ENOSPC};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(errors); i++)
		assert_says(
			(struct eg_refusal){.error = -errors[i],
					    .program = "eg_connect4",
					    .log = log_of_6_18,
					    .capabilities = BIT(CAP_SYS_ADMIN)},
			WORDS("verifier of Linux 6.18.44 refuses eg_connect4: 25: (85) call pc+20 | invalid read from "
			      "stack R1 off -48+36 size 48 | Caller passes invalid args into func#1 ('eg_decide');"),
			WORDS("lacks", "root", "processed"));
}

static void an_old_kernel_is_told_from_a_refused_program(void **state)
{
	struct eg_refusal refusal = {.error = -EINVAL,
				     .program = "eg_connect4",
				     .log = log_of_5_10,
				     .capabilities = ALL,
				     .release = "5.10.0-46-amd64"};

	(void)state;
	assert_says(refusal, WORDS("Linux 6.1 or newer", "5.10.0-46-amd64", "unknown func bpf_ktime_get_coarse_ns#160"),
		    WORDS("another version", "processed"));
	refusal.program = NULL;
	assert_says(refusal, WORDS("Linux 6.1 or newer", "Invalid argument"), NULL);
	strcpy(refusal.release, "6.0.19");
	assert_says(refusal, WORDS("Linux 6.1 or newer", "and this is 6.0.19"), NULL);
	strcpy(refusal.release, "6.1.0-56-amd64");
	assert_says(refusal, WORDS("Linux 6.1.0-56-amd64 lacks something"), WORDS("and this is"));
}

static void want_of_memory_and_descriptors_are_told_from_all_else(void **state)
{
	(void)state;
	assert_says((struct eg_refusal){.error = -ENOMEM, .program = "eg_connect4", .log = log_of_6_18},
		    WORDS("Cannot allocate memory", "MemoryMax="), WORDS("6.1", "lacks"));
	assert_says((struct eg_refusal){.error = -EMFILE}, WORDS("Too many open files", "LimitNOFILE="),
		    WORDS("lacks"));
	assert_says((struct eg_refusal){.error = -EAGAIN}, WORDS("Resource temporarily unavailable", "start it again"),
		    WORDS("lacks"));
}

static void a_refusal_in_spite_of_all_capabilities_names_who_else_can_forbid(void **state)
{
	(void)state;
	assert_says((struct eg_refusal){.error = -EPERM, .capabilities = ALL}, WORDS("seccomp", "security module"),
		    WORDS("lacks", "user namespace"));
	assert_says((struct eg_refusal){.error = -EPERM, .capabilities = ALL, .in_user_namespace = true},
		    WORDS("user namespace"), WORDS("lacks", "seccomp"));
}

static void a_log_of_any_shape_gives_a_line(void **state)
{
	struct eg_refusal refusal = {.error = -EINVAL, .program = "eg_connect4", .capabilities = ALL};

	(void)state;
	refusal.log = "";
	assert_says(refusal, WORDS("refuses eg_connect4;"), NULL);
	refusal.log = "\n\n";
	assert_says(refusal, WORDS("refuses eg_connect4"), NULL);
	refusal.log = "one line, not ended";
	assert_says(refusal, WORDS("eg_connect4: one line, not ended;"), NULL);
	refusal.log = "1\n2\n3\n4";
	assert_says(refusal, WORDS("eg_connect4: 2 | 3 | 4;"), NULL);
	refusal.log = "first\n\nlast\tword\nprocessed 0 insns\n";
	assert_says(refusal, WORDS("eg_connect4: first | last word;"), WORDS("processed"));
	refusal.log = "processed 0 insns\n";
	assert_says(refusal, WORDS("refuses eg_connect4"), WORDS("processed"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_capability_is_named_and_those_that_are_there_are_not),
		cmocka_unit_test(what_the_verifier_refuses_for_want_of_a_capability_is_no_fault_of_the_kernel),
		cmocka_unit_test(a_refused_program_is_named_with_the_end_of_the_log_and_not_as_missing_privileges),
		cmocka_unit_test(an_old_kernel_is_told_from_a_refused_program),
		cmocka_unit_test(want_of_memory_and_descriptors_are_told_from_all_else),
		cmocka_unit_test(a_refusal_in_spite_of_all_capabilities_names_who_else_can_forbid),
		cmocka_unit_test(a_log_of_any_shape_gives_a_line),
	};

	return cmocka_run_group_tests_name("refusal", tests, NULL, NULL);
}
