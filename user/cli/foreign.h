/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CLI_FOREIGN_H
#define EG_CLI_FOREIGN_H

/* What `status` says of open sockets that the hooks of a workload's cgroup do not see: eg_pins_read_foreign(). */
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "datapath/walk.h"

/* How many of a walk are of processes of this slot's workload. */
size_t eg_foreign_count(const struct eg_walk *walk, uint32_t slot);
/* The first few of them, "tcp to 192.0.2.1:443 (curl[1234]), packet (tcpdump[77])...", for free(); NULL for want of memory. */
char *eg_foreign_text(const struct eg_walk *walk, uint32_t slot);
/* All of them, or NULL for want of memory. */
json_t *eg_foreign_json(const struct eg_walk *walk, uint32_t slot);

#endif
