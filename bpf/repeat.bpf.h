/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_REPEAT_BPF_H
#define EG_REPEAT_BPF_H

/*
 * Loops, by bpf_loop(): the verifier goes through a round once and not as often as it
 * may come, which was half of all its work. A round is given its number, from 0, and
 * what the rounds share.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum round_end {
	ROUND_AGAIN = 0,
	ROUND_LAST = 1,
};

typedef long round_fn(__u32 number, void *shared);

/* So often somebody else may be faster; a few would do for as many CPUs as there are. */
#define ATTEMPTS_MAX 1024

/* For a change by compare-and-swap. The first attempt, mostly the only one, is made on the spot. */
static __always_inline void attempt(round_fn *change, void *shared)
{
	if (change(0, shared) == ROUND_AGAIN)
		bpf_loop(ATTEMPTS_MAX, change, shared, 0);
}

#endif
