/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_KERNEL_BPF_H
#define EG_KERNEL_BPF_H

/* The few kernel structures that programs read, by name: CO-RE finds their fields on the kernel at hand. */
#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sock_common {
	volatile unsigned char skc_state;
	unsigned long skc_flags;
};

struct sock {
	struct sock_common __sk_common;
	int sk_err;
};

struct inet_sock {
	struct sock sk;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u64 bytes_received;
	__u64 bytes_sent;
	__u64 bytes_retrans;
};

#pragma clang attribute pop

/* enum sock_flags: the peer's FIN came, which bytes_received counts as a byte. */
#define SOCK_DONE_BIT (1ul << 1)

#endif
