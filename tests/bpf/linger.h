/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_LINGER_H
#define EG_TESTS_LINGER_H

/* What tests/bpf/linger.bpf.c and who runs it agree on. */
#define EG_LINGER_SLOT 1
#define EG_LINGER_NS 100000000ull

enum eg_linger_state {
	EG_LINGER_IDLE,
	EG_LINGER_STARTED,
	EG_LINGER_ENDED,
};

enum eg_linger_answer {
	EG_LINGER_UNCHANGED,
	EG_LINGER_CHANGED,
	EG_LINGER_FAILED,
};

#endif
