/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_BPF_H
#define EG_CONFIG_BPF_H

/* What the loader may set before the programs are loaded. Nothing here changes afterwards. */
#include <linux/types.h>

#include "egress/maps.h"

/* Entries that one slot may have in the destination table; more are counted as missed. */
const volatile __u32 eg_dest_quota = 4096;
/* Events that one slot may send in a second; more are counted as suppressed. */
const volatile __u32 eg_event_rate = 100;
/* Timer ticks of this kernel in a second. */
const volatile __u32 eg_hz = 250;

/* Places of eg_leases, a power of two, less one. */
const volatile __u32 eg_lease_mask = EG_LEASES_MAX - 1;

#endif
