/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EGRESS_EVENT_H
#define EGRESS_EVENT_H

/* The ring-buffer record. A reader takes records of its own version and skips others by their size. */
#include "egress/flow.h"
#include "egress/verdict.h"

#define EG_EVENT_VERSION 1
#define EG_COMM_LEN 16

enum eg_hook {
	EG_HOOK_CONNECT4,
	EG_HOOK_CONNECT6,
	EG_HOOK_SENDMSG4,
	EG_HOOK_SENDMSG6,
	EG_HOOK_SOCKET,	/* socket(): there is no destination yet */
	EG_HOOK_PACKET,	/* no process is known: whoever happened to run sent it */
	EG_HOOK_INCOMING,	/* no process is known: a client outside sent it */
	EG_HOOK_COUNT,
};

struct eg_event {
	__u16 version;		/* EG_EVENT_VERSION */
	__u16 size;		/* of this record in bytes */
	__u32 slot;
	__u64 time_ns;		/* CLOCK_MONOTONIC */
	struct eg_flow flow;	/* normalised */
	__u32 pid;		/* thread group; a kernel thread for MPTCP's later subflows */
	__u32 uid;
	__u8 hook;		/* enum eg_hook */
	__u8 verdict;		/* enum eg_verdict */
	__u8 reason;		/* enum eg_reason */
	__u8 reserved[5];
	char comm[EG_COMM_LEN];
};
EG_STATIC_SIZE(struct eg_event, 72);

#endif
