/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CLI_INTERRUPT_H
#define EG_CLI_INTERRUPT_H

/* For commands that go on until SIGINT or SIGTERM, which end a wait between two lines and never a line. */
#include <stdbool.h>

/* Blocks these signals from now on. 0 with a descriptor that tells of them, or -errno. */
int eg_interrupt_open(int *ret_fd);
/* Whether one comes within this time: 0 only looks. */
bool eg_interrupt_wait(int fd, int timeout_ms);

#endif
