/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Another owner's programs that turn what was refused before them into success: the last bpf_set_retval() wins. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define UNDO(section, name, type) \
	SEC(section) \
	int name(type *ctx) \
	{ \
		(void)ctx; \
		bpf_set_retval(0); \
		return 1; \
	}

UNDO("cgroup/connect4", undo_connect4, struct bpf_sock_addr)
UNDO("cgroup/connect6", undo_connect6, struct bpf_sock_addr)
UNDO("cgroup/sendmsg4", undo_sendmsg4, struct bpf_sock_addr)
UNDO("cgroup/sendmsg6", undo_sendmsg6, struct bpf_sock_addr)
UNDO("cgroup/sock_create", undo_socket, struct bpf_sock)
UNDO("cgroup/setsockopt", undo_option, struct bpf_sockopt)
