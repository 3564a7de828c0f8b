/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "destroy.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "datapath/sockdiag.h"
#include "workload/netns.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static int open_there(void *context)
{
	return eg_sockdiag_open(context);
}

/* A handle for the namespace that these sockets are in. 0, or -errno. */
static int open_sockdiag(struct eg_netns_places *places, const struct eg_held_socket *socket,
			 struct eg_sockdiag **ret_sockdiag)
{
	_cleanup_close_ int netns = eg_netns_find(places, socket->netns, socket->cgroup_id);

	return netns < 0 ? netns : eg_netns_call(netns, open_there, ret_sockdiag);
}

/* The kernel destroys no connection of MPTCP, and would not find one under this name. */
static int destroy(struct eg_sockdiag *sockdiag, const struct eg_held_socket *socket)
{
	int r = socket->protocol == IPPROTO_MPTCP ? -EOPNOTSUPP : eg_sockdiag_destroy(sockdiag, socket);

	return r == -ENOENT ? 1 : r;
}

/* All of one namespace. */
static int destroy_in_namespace(struct eg_netns_places *places, const struct eg_held_socket *sockets, size_t count,
				eg_destroyed_fn take, void *context)
{
	_cleanup_(eg_sockdiag_freep) struct eg_sockdiag *sockdiag = NULL;
	int opened = open_sockdiag(places, sockets, &sockdiag), r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = take(&sockets[i], opened < 0 ? opened : destroy(sockdiag, &sockets[i]), context);
	return r;
}

int eg_destroy_sockets(const struct eg_held_socket *sockets, size_t count, eg_destroyed_fn take, void *context)
{
	_cleanup_(eg_netns_places_clear) struct eg_netns_places places = {};
	size_t first = 0;
	int r = 0;

	for (size_t i = 1; i <= count && r == 0; i++) {
		if (i < count && sockets[i].netns == sockets[first].netns)
			continue;
		r = destroy_in_namespace(&places, sockets + first, i - first, take, context);
		first = i;
	}
	return r;
}

const char *eg_destroy_problem(int error)
{
	if (error == -EOPNOTSUPP)
		return "the kernel destroys no MPTCP";
	return error == -ENOENT ? "no process and no name in /run/netns leads to it" : strerror(-error);
}
