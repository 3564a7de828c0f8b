/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_LEASE_H
#define EG_TESTS_LEASE_H

/* Leases of sockets at hand, put there and read behind the programs' backs, by one process at a time. */
#include <stddef.h>

#include "egress/lease.h"

/* At its home, or where programs would look for it next. */
void lease_put(int leases_fd, int fd, const struct eg_lease *lease);
/* One without a cookie where the socket has none at its home. */
struct eg_lease lease_get(int leases_fd, int fd);

struct lease_table {
	size_t taken;     /* places that are not free */
	size_t displaced; /* of those, others than homes */
	size_t noted;     /* what the homes say of that */
};

struct lease_table lease_table_read(int leases_fd);

#endif
