/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_SOCKDIAG_H
#define EG_DATAPATH_SOCKDIAG_H

/*
 * Sockets of one network namespace, by the kernel's sock_diag: the namespace in which
 * the calling thread was when it opened the handle, whatever it does later.
 */
#include "base/cleanup.h"
#include "egress/lease.h"

struct eg_sockdiag;

/* 0 with *ret_sockdiag, or -errno. */
int eg_sockdiag_open(struct eg_sockdiag **ret_sockdiag);
struct eg_sockdiag *eg_sockdiag_free(struct eg_sockdiag *sockdiag);
EG_DEFINE_CLEANUP(struct eg_sockdiag *, eg_sockdiag_free)

/*
 * Ends this very socket: family, protocol, addresses, ports, interface and cookie are
 * the ones given, or nothing happens. Its process sees ECONNABORTED; the peer of an
 * established TCP connection gets a reset. 0; -ENOENT when there is no such socket (it
 * ended by itself, or shares its addresses with one that the kernel finds first);
 * -EPERM without CAP_NET_ADMIN in the namespace; or -errno.
 */
int eg_sockdiag_destroy(struct eg_sockdiag *sockdiag, const struct eg_held_socket *socket);

#endif
