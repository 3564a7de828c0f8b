/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EGRESS_REDIRECT_H
#define EGRESS_REDIRECT_H

/*
 * Traffic that is sent to a proxy: the connect hook writes the proxy's address over the
 * one that was asked for, so that no packet is translated, and the kernel remembers
 * what it was for three who ask:
 *
 *   getpeername() of the client: kept with its socket (struct eg_redirected);
 *   SO_ORIGINAL_DST of the proxy: noted by the connection's two ends before the SYN
 *     leaves (struct eg_original), and copied to the accepted socket, whatever becomes of
 *     the client's, when the connection is established;
 *   recvmsg() of a client whose datagrams a local resolver answers.
 *
 * What is kept with a socket ends with it. A note ends when the client's socket closes. It
 * is void once its slot has another owner, and nobody may see that end then, nor once its
 * workload redirects no more: the agent clears such away.
 */
#include "egress/flow.h"

/* Port 0: nowhere. The family is known from where it stands. */
struct eg_place {
	struct eg_addr addr;
	__u32 port;	/* host byte order */
};
EG_STATIC_SIZE(struct eg_place, 20);

/* Where traffic of one family is sent. Loopback, and what is exempt, goes where it wants to. */
struct eg_redirect_policy {
	struct eg_place to;	/* TCP that would be blocked: non-mesh, while passthrough is false */
	struct eg_place mesh;	/* TCP to the mesh */
	struct eg_place dns;	/* UDP to port 53, and no matter whose */
};
EG_STATIC_SIZE(struct eg_redirect_policy, 60);

/* Room for notes of connections, and how much of it is left for connects that are under way. */
#define EG_ORIGINALS_MAX (1u << 17)
#define EG_ORIGINALS_RESERVE 1024u

/*
 * Processes that asked where a connection wanted to go: proxies. One inside a workload
 * that names no proxyCgroup would be sent to itself, and is not, once it has asked. The
 * longest unused make room: such a one is sent to itself once more, and asks again.
 */
#define EG_ASKERS_MAX 4096u

/* A connection as its client sees it. Mapped IPv6 is IPv4. */
struct eg_original_key {
	__u64 netns_cookie;
	struct eg_addr local;
	struct eg_addr remote;	/* where the proxy listens */
	__u32 family;		/* enum eg_family */
	__u16 local_port;	/* host byte order, as the next */
	__u16 remote_port;
};
EG_STATIC_SIZE(struct eg_original_key, 48);

struct eg_original {
	__u64 cookie;		/* SO_COOKIE of the client's socket */
	struct eg_flow asked;	/* normalised */
	__u32 slot;
	__u32 epoch;		/* of the slot */
};
EG_STATIC_SIZE(struct eg_original, 40);

/* Where somebody wanted to go, and went. Family 0: nowhere yet. */
struct eg_detour {
	struct eg_flow asked;
	struct eg_flow went;
};
EG_STATIC_SIZE(struct eg_detour, 48);

/* Kept with a socket: the client's, and of the proxy's the accepted one, which has connected.asked alone. */
struct eg_redirected {
	struct eg_detour connected;	/* by connect() */
	struct eg_detour sent;		/* of a UDP socket, by its last sendmsg() with an address */
	struct eg_original_key key;	/* of its note; family 0: there is none */
	__u32 slot;
	__u32 epoch;			/* of the slot */
};
EG_STATIC_SIZE(struct eg_redirected, 152);

#endif
