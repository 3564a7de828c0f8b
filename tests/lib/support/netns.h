/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_NETNS_H
#define EG_TESTS_NETNS_H

/* Network namespaces of the test's own. Whatever fails fails the test; without root it is skipped. */
#include <stdint.h>

/* A new one whose loopback is up; it ends with its descriptor, if nothing else is in it. */
int netns_make(void);
uint32_t netns_inode(int netns_fd);

/*
 * Runs work() there, in another thread, where assertions cannot end the test: it
 * returns 0 when all went well.
 */
void netns_do(int netns_fd, int (*work)(void *context), void *context);

#endif
