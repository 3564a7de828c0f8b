/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * usage: other_lookup
 *
 * Another owner's sk_lookup program in the network namespace of this process, which lets
 * everybody by. "ready" once it is attached; it stays until standard input ends, and
 * "still attached" or "gone" is said before this ends.
 */
#include <bpf/bpf.h>
#include <err.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = SK_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_SK_LOOKUP);
	int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int program = bpf_prog_load(BPF_PROG_TYPE_SK_LOOKUP, "somebody_elses", "GPL", pass, 2, &options);
	int link = program < 0 ? -1 : bpf_link_create(program, netns, BPF_SK_LOOKUP, NULL);
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	if (link < 0)
		err(1, "cannot attach");
	printf("ready\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	if (bpf_obj_get_info_by_fd(link, &info, &len) < 0)
		err(1, "cannot look at the link");
	printf("%s\n", info.netns.netns_ino ? "still attached" : "gone");
	return 0;
}
