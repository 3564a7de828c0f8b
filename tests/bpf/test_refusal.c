/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A program that this very kernel refuses, and what is said about it. */
#include "support.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/cleanup.h"
#include "datapath/refusal.h"

static void a_program_that_this_kernel_refuses_is_said_to_be_that(void **state)
{
	/* Reads far behind the end of its context. */
	static const struct bpf_insn insns[] = {
		{.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_0, .src_reg = BPF_REG_1, .off = 4096},
		{.code = BPF_JMP | BPF_EXIT},
	};
	char log[4096] = "";
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_CGROUP_INET4_CONNECT, .log_level = 1,
		    .log_buf = log, .log_size = sizeof(log));
	struct eg_refusal refusal = {.program = "behind", .log = log};
	_cleanup_free_ char *text = NULL;

	(void)state;
	skip_unless_root();
	refusal.error =
		bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "behind", "GPL", insns, EG_COUNT_OF(insns), &options);
	assert_true(refusal.error < 0);
	eg_refusal_observe(&refusal);
	text = eg_refusal_explain(&refusal);
	assert_non_null(text);
	assert_non_null(strstr(text, "refuses behind: "));
	assert_non_null(strstr(text, "invalid bpf_context access off=4096 size=4"));
	assert_non_null(strstr(text, refusal.release));
	assert_null(strstr(text, "lacks"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_that_this_kernel_refuses_is_said_to_be_that),
	};

	return cmocka_run_group_tests_name("refusal by this kernel", tests, NULL, NULL);
}
