/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_LISTEN_H
#define EG_EXPORT_LISTEN_H

/* Sockets that something can listen on. */
#include "base/addr.h"

/*
 * A unix socket at `path`, of mode 0600 from its first moment; the last folder of the path
 * is made (0700) when it is missing. What is left of somebody who is dead is replaced. 0
 * with *ret_fd, -EADDRINUSE when somebody listens there, -EEXIST for what is no socket,
 * -ENAMETOOLONG beyond 107 characters, or -errno.
 */
int eg_listen_local(const char *path, int *ret_fd);
/* 0 with *ret_fd, or -errno. */
int eg_listen_tcp(const struct eg_addr_port *place, int *ret_fd);

#endif
