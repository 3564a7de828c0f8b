/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EGRESS_LEASE_H
#define EGRESS_LEASE_H

/*
 * What an admitted socket holds, in a place of eg_leases: a TCP socket, each
 * MPTCP subflow, a connected UDP socket, whose traffic is non-mesh or matched.
 *
 * Who ends which state. Each change is one compare-and-swap of the whole word, so that
 * of several who see the same end exactly one accounts for it:
 *
 *   CONNECTING   -> ESTABLISHED  the connection is established
 *                -> NONE         STATE_CB to CLOSE (refused, unreachable, timed out, RST,
 *                                SOCK_DESTROY, AF_UNSPEC); sock_release (closed or killed
 *                                while connecting: it runs before the TCP states); the next
 *                                connect of the socket, and the sweep: where the socket
 *                                stayed in CLOSE no event comes (no route, a refusal by a
 *                                program after ours)
 *   ESTABLISHED  -> DRAINING     sock_release: the last process let go of it
 *                -> NONE         STATE_CB to CLOSE (RST, SOCK_DESTROY, AF_UNSPEC, the end of
 *                                a shutdown). An MPTCP subflow has this end only: the release
 *                                is that of its parent, which holds none
 *   DRAINING     -> NONE         STATE_CB to CLOSE; an orphan whose device is gone reports it
 *                                when it gives up; or long after its sock_release
 *   SESSION      -> NONE         sock_release; a connect to a destination that needs no lease, or
 *                                has its lease elsewhere (the other family, the slot's next owner);
 *                                the next connect after AF_UNSPEC, of which no program hears, and
 *                                the sweep. The kernel's own UDP sockets have none of these
 *                                ends, and no lease
 *
 *   TRUSTED      -> NONE         STATE_CB to CLOSE, or long after its sock_release; the next connect
 *
 * What no socket is left for, or no program of its cgroup, the agent clears away: leases of
 * a slot's last owner, connects that nothing ended long after their time, and what was
 * released long ago: programs of other owners may take the event of an end.
 *
 * An attempt that ends without an event is no failure that makes the next connect to its
 * destination a retry: the socket, which never left CLOSE, does not know that
 * destination (IPv4: neither address nor port; IPv6: no port), and a program's refusal,
 * which looks the same, is none in the network.
 *
 * A connect that is refused leaves a connected UDP socket with the peer that it had, and
 * so with its lease. What fails after our program (no route, a program after ours) is not
 * known: the lease is then that of the peer which the socket did not get, until its next
 * connect.
 */
#include "egress/event.h"
#include "egress/flow.h"
#include "egress/verdict.h"

enum eg_lease_state {
	EG_LEASE_NONE,
	EG_LEASE_CONNECTING,  /* counts in connections and pending */
	EG_LEASE_ESTABLISHED, /* counts in connections */
	EG_LEASE_DRAINING,    /* closed by its processes and still flushing */
	EG_LEASE_SESSION,     /* connected UDP */
	EG_LEASE_TRUSTED,     /* counts nowhere: accepted, so that the guard lets it answer */
};

enum eg_lease_mark {
	EG_LEASE_IPV6 = 1u << 0,  /* of the IPv6 cluster */
	EG_LEASE_RETRY = 1u << 1, /* counts in retries, until it is established or failed */
	EG_LEASE_TIMED = 1u << 2, /* TCP_USER_TIMEOUT is ours, the application's is kept in the lease */
	EG_LEASE_LATE = 1u << 3,  /* the sweep ends it: connect_timeout */
	EG_LEASE_IDLE = 1u << 4,  /* the sweep ends it: idle_timeout */
	EG_LEASE_OLD = 1u << 5,   /* the sweep ends it: max_connection_duration */
};

/* The word: state, marks, slot, epoch of the slot, and a number that no two leases of a socket in a row share. */
#define EG_LEASE_MARKS_SHIFT 8
#define EG_LEASE_SLOT_SHIFT 16
#define EG_LEASE_EPOCH_SHIFT 32
#define EG_LEASE_SEQUENCE_SHIFT 48

static inline __u64 eg_lease_word(__u8 state, __u8 marks, __u16 slot, __u16 epoch, __u16 sequence)
{
	return (__u64)state | (__u64)marks << EG_LEASE_MARKS_SHIFT | (__u64)slot << EG_LEASE_SLOT_SHIFT |
	       (__u64)epoch << EG_LEASE_EPOCH_SHIFT | (__u64)sequence << EG_LEASE_SEQUENCE_SHIFT;
}

static inline __u8 eg_lease_state(__u64 word)
{
	return (__u8)word;
}

static inline __u8 eg_lease_marks(__u64 word)
{
	return (__u8)(word >> EG_LEASE_MARKS_SHIFT);
}

static inline __u16 eg_lease_slot(__u64 word)
{
	return (__u16)(word >> EG_LEASE_SLOT_SHIFT);
}

static inline __u16 eg_lease_epoch(__u64 word)
{
	return (__u16)(word >> EG_LEASE_EPOCH_SHIFT);
}

/* More than four hours, and the kernel gives up after two minutes. */
#define EG_LEASE_TIMEOUT_MAX_MS ((1u << 24) - 1)
_Static_assert(EG_REASON_COUNT <= 1 << 6, "a lease has six bits for a reason");

/* One place of the table. A cache line, of which a connect looks at one. */
struct eg_lease {
	__u64 word;
	__u64 cookie;    /* SO_COOKIE of the socket; 0: the place is free */
	__u64 opened_ns; /* CLOCK_MONOTONIC; when it was admitted */
	__u64 active_ns; /* when it was established, or a sweep last found new payload; 0 before; DRAINING, TRUSTED: when it was released */
	__u64 rx_bytes;  /* payload that is in the slot's counters already */
	__u64 tx_bytes;
	__u32 connect_timeout_ms : 24; /* of the policy that admitted it, EG_LEASE_TIMEOUT_MAX_MS at most */
	__u32 reason : 6;              /* enum eg_reason; with the verdict, what its connect was answered with */
	__u32 verdict : 2;             /* enum eg_verdict */
	__u32 user_timeout_ms;    /* the application's TCP_USER_TIMEOUT, while EG_LEASE_TIMED */
	__u64 row; /* of the place, not the lease: leases whose home this is, and that stand elsewhere */
};
EG_STATIC_SIZE(struct eg_lease, 64);

/* How many they are, and how far along their rows the furthest stands, at least. */
static inline __u64 eg_row(__u32 displaced, __u32 reach)
{
	return (__u64)reach << 32 | displaced;
}

static inline __u32 eg_row_displaced(__u64 row)
{
	return (__u32)row;
}

static inline __u32 eg_row_reach(__u64 row)
{
	return (__u32)(row >> 32);
}

/* What becomes of a connection that the policy in force forbids. */
enum eg_fate {
	EG_FATE_NONE,	/* it is not forbidden, or kept since an earlier look */
	EG_FATE_WAITS,	/* it goes on for a while */
	EG_FATE_ENDS,	/* it is to be destroyed */
	EG_FATE_KEPT,	/* it goes on until its end, and is marked as such from now on */
};

/*
 * What the iterators write for user space: enough to name one socket and to destroy
 * exactly this one. After the last there is one whose word is 0: its cookie says how
 * many files were looked at.
 */
struct eg_held_socket {
	__u64 word;
	__u64 cookie;    /* SO_COOKIE: with its namespace, the socket's identity */
	__u64 cgroup_id; /* of the socket's own cgroup, which may lie below the workload's */
	__u64 opened_ns;
	__u64 active_ns; /* when it was established, or the latest that payload can have moved; 0 before */
	__u64 rx_bytes;  /* payload until now, of TCP */
	__u64 tx_bytes;
	struct eg_addr local; /* IPv4 in word 0, as struct eg_flow has it */
	struct eg_addr remote;
	__u32 netns;         /* inode number of the network namespace */
	__u32 family;        /* enum eg_family of the addresses here; a mapped socket's are IPv4 */
	__u32 socket_family; /* enum eg_family that the socket was made with: sock_diag asks for it */
	__u32 interface;     /* index of the one that it is bound to, 0: none; part of its identity */
	__u16 local_port;    /* host byte order */
	__u16 remote_port;
	__u16 protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 tcp_state; /* TCP_ESTABLISHED...; a connected UDP socket has that too */
	enum eg_reason reason; /* that its connect got; of eg_uncounted, that the policy in force gives */
	__u32 pid; /* a process that has it open */
	enum eg_verdict verdict; /* with that reason; of eg_flows alone. Of what is kept without a lease: allowed */
	__u8 fate; /* enum eg_fate; of eg_flows, whether it is kept, and of eg_forbidden */
	__u8 reserved[2];
	char comm[EG_COMM_LEN];
};
EG_STATIC_SIZE(struct eg_held_socket, 136);

/* Where it is connected to, as a decision on a connect has it. */
static inline struct eg_flow eg_held_flow(const struct eg_held_socket *held)
{
	return (struct eg_flow){
		.family = held->family,
		.addr = held->remote,
		.port = held->remote_port,
		.protocol = held->protocol,
	};
}

/* What the decision with its reason was about: of one that came in, the client's address and the workload's own port. */
static inline struct eg_flow eg_held_ends(const struct eg_held_socket *held)
{
	struct eg_flow flow = eg_held_flow(held);

	if (eg_reason_is_incoming(held->reason))
		flow.port = held->local_port;
	return flow;
}

#endif
