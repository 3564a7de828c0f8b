/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_SLOW_H
#define EG_TESTS_SLOW_H

/*
 * On a machine that is said to be EG_SLOW times as slow as most, an emulated one,
 * tests do less and wait longer. tests/lib/common.bash says the same for bats.
 */

/* Of so many rounds, processes' calls or reloads, how many are done here; at least 1. */
unsigned int slow_count(unsigned int count);
/* For how long, in ms, to wait here for what elsewhere takes no longer than that. */
int slow_ms(int ms);

#endif
