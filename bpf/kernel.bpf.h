/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_KERNEL_BPF_H
#define EG_KERNEL_BPF_H

/* The few kernel structures that programs read, by name: CO-RE finds their fields on the kernel at hand. */
#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};

typedef struct {
	__s64 counter;
} atomic64_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned char skc_ipv6only : 1;
	int skc_bound_dev_if;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	unsigned long skc_flags;
	atomic64_t skc_cookie;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup *ancestors[]; /* by level, the cgroup itself last */
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct sock {
	struct sock_common __sk_common;
	__u8 sk_kern_sock : 1; /* the kernel's own, subflows of MPTCP among them */
	__u16 sk_type;
	__u16 sk_protocol;
	__u32 sk_max_ack_backlog; /* of listen(); what is accepted is a copy of who listens */
	int sk_err;
	int sk_rx_dst_ifindex; /* of the device that its packets came by, once one has */
	struct sock_cgroup_data sk_cgrp_data;
};

struct inet_sock {
	struct sock sk;
};

struct udp_sock {
	int pending; /* what MSG_MORE has begun; 0: nothing */
};

struct udp6_sock {
	struct udp_sock udp;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u64 bytes_received;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	_Bool is_mptcp; /* a subflow */
	__u64 tcp_mstamp; /* CLOCK_MONOTONIC in us, when a packet last came or went */
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 seq_num;
};

struct css_set {
	struct cgroup *dfl_cgrp; /* of cgroup v2 */
};

struct task_struct {
	struct css_set *cgroups;
	unsigned int flags;
	int tgid;
	__u64 start_time; /* the thread's; of the leader, the process's */
	struct task_struct *group_leader;
	char comm[16];
};

struct file;

struct socket {
	struct sock *sk;
};

struct msghdr {
	void *msg_name; /* the kernel's copy; NULL: none was given */
};

/* What an iterator over the files of all processes gets for each; task and file are NULL at the end. */
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop

/* Of task_struct.flags: a kernel thread. */
#define PF_KTHREAD 0x00200000u

/* enum sock_flags: the peer's FIN came, which bytes_received counts as a byte. */
#define SOCK_DONE_BIT (1ul << 1)

#endif
