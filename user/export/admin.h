/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_ADMIN_H
#define EG_EXPORT_ADMIN_H

/*
 * The admin endpoint: Envoy's paths, answered from the pinned maps in a thread of its own.
 * It writes to no map.
 */
#include <stdbool.h>

#include "base/addr.h"
#include "datapath/pinned.h"

#define EG_ADMIN_PATH "/run/egressd/admin.sock"

struct eg_admin;

struct eg_admin_options {
	const char *directory; /* of the pins */
	struct eg_maps maps;   /* stay the caller's, and open */
	/* Whether who has connected by this unix socket may ask; in the endpoint's thread. */
	bool (*admits)(int fd, void *context);
	void *context;
};

/* Listens nowhere yet. 0, or -errno. */
int eg_admin_start(const struct eg_admin_options *options, struct eg_admin **ret_admin);
struct eg_admin *eg_admin_stop(struct eg_admin *admin);
EG_DEFINE_CLEANUP(struct eg_admin *, eg_admin_stop)

/* See eg_listen_local(). The file goes with the endpoint. */
int eg_admin_listen_local(struct eg_admin *admin, const char *path);
/* Instead of where it listened before; NULL: nowhere any more. 0, or -errno, and then nowhere. */
int eg_admin_listen_tcp(struct eg_admin *admin, const struct eg_addr_port *place);

#endif
