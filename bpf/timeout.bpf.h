/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TIMEOUT_BPF_H
#define EG_TIMEOUT_BPF_H

/*
 * connect_timeout: the kernel's own retransmission timer ends the connect, with
 * ETIMEDOUT, at TCP_USER_TIMEOUT after the first SYN. The option is set when the first
 * SYN was lost and not before, so that a connect that is answered costs nothing; the
 * kernel clamps its next timer to it. The first loss is noticed after a second, too
 * late for a timeout that short: there the first timer is half of it.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "breaker.bpf.h"
#include "config.bpf.h"

#define SOL_TCP 6
#define TCP_USER_TIMEOUT 18
/* Without a word from us the first SYN is sent again after this. */
#define FIRST_RETRY_MS 1000u

static __always_inline void shorten_first_timer(struct bpf_sock_ops *ctx, const struct eg_lease *lease)
{
	__u32 ticks;

	if (lease->connect_timeout_ms > FIRST_RETRY_MS || eg_lease_state(read_word(lease)) != EG_LEASE_CONNECTING)
		return;
	ticks = (__u32)((__u64)lease->connect_timeout_ms * eg_hz / 2000);
	ctx->reply = ticks ? ticks : 1;
}

static __always_inline __u32 read_user_timeout(struct bpf_sock_ops *ctx)
{
	int value = 0;

	if (bpf_getsockopt(ctx, SOL_TCP, TCP_USER_TIMEOUT, &value, sizeof(value)) < 0 || value < 0)
		return 0;
	return (__u32)value;
}

static __always_inline void write_user_timeout(struct bpf_sock_ops *ctx, __u32 timeout_ms)
{
	int value = (int)timeout_ms;

	bpf_setsockopt(ctx, SOL_TCP, TCP_USER_TIMEOUT, &value, sizeof(value));
}

static long mark_timed_once(__u32 number, void *shared)
{
	struct eg_lease *lease = *(struct eg_lease **)shared;
	__u64 word = read_word(lease);

	(void)number;
	return change_word(lease, word, word | (__u64)EG_LEASE_TIMED << EG_LEASE_MARKS_SHIFT) ? ROUND_LAST : ROUND_AGAIN;
}

static __always_inline void mark_timed(struct eg_lease *lease)
{
	attempt(mark_timed_once, &lease);
}

/* At every lost SYN, so that whatever the application sets meanwhile lasts until the next one at most; its own smaller value wins. */
static __always_inline void bound_connect(struct bpf_sock_ops *ctx, struct eg_lease *lease)
{
	__u32 current = read_user_timeout(ctx), bound = lease->connect_timeout_ms;

	if (eg_lease_state(read_word(lease)) != EG_LEASE_CONNECTING || (current && current <= bound))
		return;
	lease->user_timeout_ms = current;
	write_user_timeout(ctx, bound);
	mark_timed(lease);
}

/*
 * The connect is over: the application's own value again, unless it has set another one since.
 *
 * Of nested workloads the inner one's programs run first, at each event. Where the outer
 * one's timeout is the smaller one it has bounded the inner one's bound: that is not the
 * inner one's to take back before the outer one has. So this runs at two events of each
 * connection that is established, is_late_connection() and then the established one: the
 * first gives the inner one its bound back, and the second the application its value.
 */
static __always_inline void unbound_connect(struct bpf_sock_ops *ctx, const struct eg_lease *lease)
{
	if ((eg_lease_marks(read_word(lease)) & EG_LEASE_TIMED) && read_user_timeout(ctx) == lease->connect_timeout_ms)
		write_user_timeout(ctx, lease->user_timeout_ms);
}

/* Established after a SYN was lost: nothing is to be taken back of others. */
static __always_inline bool is_late_connection(const struct bpf_sock_ops *ctx)
{
	return ctx->args[1] == BPF_TCP_ESTABLISHED && ctx->total_retrans;
}

#endif
