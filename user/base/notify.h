/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_NOTIFY_H
#define EG_BASE_NOTIFY_H

/*
 * Word to the service manager, by the protocol of sd_notify(3), which is stable and
 * meant to be spoken without its library.
 */
#include <stdint.h>

/* Lines of NAME=VALUE to who started us: READY=1. 0, also where nobody asked for them; or -errno. */
__attribute__((format(printf, 1, 2))) int eg_notify(const char *format, ...);
/* READY=1 is to follow, once the reload has ended, however it did. */
int eg_notify_reloading(void);
/* After how many ms without WATCHDOG=1 the manager takes this process for hung; 0: it does not watch. */
int64_t eg_notify_watchdog_ms(void);

#endif
