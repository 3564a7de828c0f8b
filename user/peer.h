/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_PEER_H
#define EG_PEER_H

/* Who has connected by a unix socket. */
#include <stdbool.h>

#include "datapath/maps.h"

/*
 * Whether it is a process of no enrolled cgroup, nor of one below. False also for one
 * that cannot be looked at: it is gone, or in a pid namespace that is not seen from here.
 */
bool eg_peer_is_outside(int fd, const struct eg_maps *maps);

#endif
