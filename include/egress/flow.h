/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EGRESS_FLOW_H
#define EGRESS_FLOW_H

/*
 * What a decision is about: one outbound attempt of a socket, or one that comes in to
 * it, in the form that the kernel hook and the reference decision (policy/eval.c) share.
 *
 * Included by BPF programs and by user space: fixed-size types, no padding.
 */
#include <linux/types.h>

#define EG_STATIC_SIZE(type, bytes) \
	_Static_assert(sizeof(type) == (bytes), #type " changed size: raise EG_ABI_VERSION")

/*
 * Raised by every change of a size or a meaning in include/egress. Maps that are
 * shared between two builds are used only when both say the same number.
 */
#define EG_ABI_VERSION 5

/* The address families, with the numbers of AF_INET and AF_INET6 so that bpftool output needs no key. */
enum eg_family {
	EG_FAMILY_IPV4 = 2,
	EG_FAMILY_IPV6 = 10,
};

/*
 * Address words in network byte order, as the kernel's hooks give them. An IPv4
 * address stands in word 0 and the other three are zero.
 */
struct eg_addr {
	__u32 word_be[4];
};
EG_STATIC_SIZE(struct eg_addr, 16);

struct eg_flow {
	__u32 family;		/* enum eg_family; never IPv6 for a mapped address once it is normalised */
	struct eg_addr addr;	/* destination; of what comes in, the source */
	__u16 port;		/* of the destination, be it the workload's own port; host byte order */
	__u16 protocol;		/* IPPROTO_*, 16 bits since IPPROTO_MPTCP is 262 */
};
EG_STATIC_SIZE(struct eg_flow, 24);

/*
 * The protocols that a rule can tell apart, as bits of a set. What has no bit of
 * its own is OTHER: a rule for "any protocol" has all bits.
 */
enum eg_protocol_bit {
	EG_PROTO_TCP = 1u << 0,
	EG_PROTO_UDP = 1u << 1,
	EG_PROTO_UDPLITE = 1u << 2,
	EG_PROTO_ICMP = 1u << 3,	/* ICMP and ICMPv6 */
	EG_PROTO_SCTP = 1u << 4,
	EG_PROTO_DCCP = 1u << 5,
	EG_PROTO_OTHER = 1u << 6,
	EG_PROTO_ANY = (1u << 7) - 1,
	/* Of allowProtocols alone: which sockets may be made. L2TP is no OTHER there, and raw sockets have any protocol. */
	EG_PROTO_L2TP = 1u << 7,
	EG_PROTO_RAW = 1u << 8,
	/* The same of other families: no flow has them, and no address to be judged by. */
	EG_PROTO_PACKET = 1u << 9,
	EG_PROTO_XDP = 1u << 10,
	EG_PROTO_VSOCK = 1u << 11,
};

/*
 * What stands for the protocol of a socket of such a family where a refusal is counted and
 * listed: this, and the family's number. Above every IPPROTO_*.
 */
#define EG_PROTOCOL_OF_FAMILY 0x8000u

/* The bit of an IPPROTO_* number. MPTCP is TCP on the wire and in policy. */
static inline __u32 eg_protocol_bit(__u32 protocol)
{
	switch (protocol) {
	case 6: /* IPPROTO_TCP */
	case 262: /* IPPROTO_MPTCP */
		return EG_PROTO_TCP;
	case 17: /* IPPROTO_UDP */
		return EG_PROTO_UDP;
	case 136: /* IPPROTO_UDPLITE */
		return EG_PROTO_UDPLITE;
	case 1: /* IPPROTO_ICMP */
	case 58: /* IPPROTO_ICMPV6 */
		return EG_PROTO_ICMP;
	case 132: /* IPPROTO_SCTP */
		return EG_PROTO_SCTP;
	case 33: /* IPPROTO_DCCP */
		return EG_PROTO_DCCP;
	default:
		return EG_PROTO_OTHER;
	}
}

#endif
