/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_PRIVILEGES_H
#define EG_PRIVILEGES_H

/* What the daemon may do: no more than it does. */

/*
 * Takes from this process, and from all that it will ever start, the capabilities
 * that the daemon does not use, the gain of privileges by executing a file, and
 * the system calls that it never makes. There is no way back. Call it before there
 * are threads. Says by itself what could not be taken; the daemon then runs with
 * more than it needs, which harms nobody as long as it is sound.
 */
void eg_privileges_drop(void);

#endif
