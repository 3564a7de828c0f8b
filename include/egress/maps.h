/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EGRESS_MAPS_H
#define EGRESS_MAPS_H

/*
 * Every map's key, value and capacity.
 *
 * Policy maps exist twice, as bank 0 and bank 1. A program reads eg_control.active
 * once a run and looks into that bank only, so that one run sees one policy.
 *
 *   eg_cgroups     cgroup storage   -> struct eg_enrolment  which slot a cgroup has
 *   eg_control     [0]              -> struct eg_control    which bank is in force
 *   eg_workloads_* slot             -> struct eg_workload_policy   what holds for a slot
 *   eg_exact_*     struct eg_addr_key   -> struct eg_rules  single addresses
 *   eg_prefixes_*  struct eg_prefix_key -> struct eg_rules  prefixes
 *   eg_ports_*     struct eg_port_key   -> struct eg_port_rule
 *   eg_slots       slot             -> struct eg_slot       counters and state
 *   eg_dests       struct eg_dest_key   -> struct eg_dest   destinations seen
 *   eg_events      ring buffer of struct eg_event
 *   eg_leases      [place]          -> struct eg_lease      what an admitted socket holds (lease.h)
 *   eg_failures    struct eg_failure_key -> __u64 CLOCK_MONOTONIC ns   destinations that failed lately
 *   eg_peers       struct eg_peer_key -> struct eg_peer     who wrote to which UDP socket lately
 *   eg_refused     struct eg_peer_key -> struct eg_flow     connects that were refused lately; under no address, a
 *                                                            socket's last datagram, if that was
 *   eg_known       socket storage   -> struct eg_known      what the guard knows of a connected socket
 *   eg_redirects   socket storage   -> struct eg_redirected  where a redirected socket wanted to go (redirect.h)
 *   eg_originals   struct eg_original_key -> struct eg_original  the same by a connection's ends, for the proxy
 *   eg_orig_count  [0]              -> __u64                how many entries eg_originals has
 *   eg_askers      __u32 thread group -> __u64 its start time   who asked for them (redirect.h)
 *   eg_enrolled    __u64 cgroup id  -> __u32 slot           which cgroups are enforced, for the gates
 *
 * Maps that no program looks at. They are pinned beside the others, so that whoever
 * comes after a dead agent knows what the slots stand for:
 *
 *   eg_infos       slot             -> struct eg_slot_info  whose slot it is
 *   eg_gates       __u64 cgroup id  -> struct eg_gate_info  where a gate stands (unenrolled: refuse), and for whom
 *   eg_agent       [0]              -> struct eg_agent      who keeps all this
 *   eg_retired     [0]              -> struct eg_retired    totals of slots that were given back
 */
#include "egress/event.h"
#include "egress/flow.h"
#include "egress/lease.h"
#include "egress/redirect.h"
#include "egress/stats.h"
#include "egress/verdict.h"

#define EG_BANKS 2

/* Capacities as built in; a loader may make them smaller before loading, never larger than this. */
#define EG_SLOTS_MAX 4096	/* slot 0 means "none" and collects what has no slot */
#define EG_EXACT_MAX (1u << 20)
#define EG_PREFIXES_MAX (1u << 20)
#define EG_PORTS_MAX (1u << 20)
#define EG_DESTS_MAX (1u << 16)
#define EG_EVENTS_BYTES (1u << 18)
#define EG_LEASES_MAX (1u << 18)	/* a power of two; in use by nine tenths at most */
#define EG_PEERS_MAX (1u << 16)
#define EG_FAILURES_MAX (1u << 14)	/* the longest unused make room */
#define EG_REFUSED_MAX (1u << 14)	/* the same */

struct eg_enrolment {
	__u32 slot;
	__u32 reserved;
};
EG_STATIC_SIZE(struct eg_enrolment, 8);

struct eg_control {
	__u32 abi;		/* EG_ABI_VERSION */
	__u32 active;		/* bank in force: 0 or 1 */
	__u64 generation;	/* 0 until the first policy is in force; its lowest bit is `active` */
};
EG_STATIC_SIZE(struct eg_control, 16);

/*
 * A scope is a list of rules. Every mesh has one, and so has every workload that
 * brings rules of its own. 0 is no scope.
 */
enum eg_workload_flag {
	EG_WORKLOAD_PRESENT = 1u << 0,		/* without it the slot has no policy and is refused */
	EG_WORKLOAD_PASSTHROUGH = 1u << 1,	/* non-mesh traffic may leave */
	EG_WORKLOAD_AUDIT = 1u << 2,		/* what would be refused goes on, and is counted as refused */
	EG_WORKLOAD_GUARDED = 1u << 3,		/* packets are looked at: not everything may leave */
	EG_WORKLOAD_KEEPS = 1u << 4,		/* what is open when a policy comes that forbids it goes on until its end */
	EG_WORKLOAD_INCOMING = 1u << 5,		/* mTLS is on: clients that come in are looked at and counted */
	EG_WORKLOAD_STRICT = 1u << 6,		/* and those from outside the mesh are refused */
	EG_WORKLOAD_DROPS = 1u << 7,		/* without an answer */
	EG_WORKLOAD_REDIRECTS = 1u << 8,	/* a place is set that some of its traffic is sent to */
	EG_WORKLOAD_OPENED = 1u << 9,		/* passthrough is off for one family, and a rule allows all of the other */
};

enum eg_cluster_flag {
	EG_CLUSTER_LIMITS_REQUESTS = 1u << 0,	/* a policy wrote max_requests: it acts */
	EG_CLUSTER_LIMITS_RETRIES = 1u << 1,	/* a policy wrote max_retries: it acts */
};

/* The circuit breaker and the timeouts of one family's passthrough cluster. Refused when current >= max. */
struct eg_cluster_policy {
	__u32 max_connections;
	__u32 max_pending;
	__u32 max_requests;
	__u32 max_retries;
	__u32 flags;	/* enum eg_cluster_flag */
	__u32 connect_timeout_ms;	/* from 1; the kernel gives up by itself after two minutes */
	__u64 idle_timeout_ms;	/* 0: none */
	__u64 max_duration_ms;	/* 0: none */
};
EG_STATIC_SIZE(struct eg_cluster_policy, 40);

/* What Envoy has where nobody says otherwise, and Kuma's documentation of it. */
#define EG_DEFAULT_MAX_CONNECTIONS 1024
#define EG_DEFAULT_MAX_PENDING 1024
#define EG_DEFAULT_MAX_REQUESTS 1024
#define EG_DEFAULT_MAX_RETRIES 3
#define EG_DEFAULT_CONNECT_TIMEOUT_MS 10000
#define EG_DEFAULT_IDLE_TIMEOUT_MS 3600000

struct eg_workload_policy {
	__u32 flags;		/* enum eg_workload_flag */
	__u32 mesh_scope;
	__u32 own_scope;
	__u16 block_errno;	/* of a blocked destination, 1..4095 */
	__u16 breaker_errno;	/* of what the circuit breaker refuses, 1..4095 */
	__u32 retry_window_ms;	/* how long after a failure a connect to the same destination is a retry */
	__u32 allowed_protocols;	/* enum eg_protocol_bit: sockets that may be made beside TCP, UDP and ping */
	__u32 grace_ms;		/* how long what is open goes on once a policy forbids it */
	__u32 service_ports;	/* id of a set in eg_ports_*: where datagrams of clients are looked at too; 0: nowhere */
	__u64 grace_until_ns;	/* CLOCK_MONOTONIC: until then, of what this policy forbids; 0: it found nothing open */
	__u32 mesh_sources;	/* scope: who of the mesh may come in; a rule's port is the workload's own */
	__u32 own_sources;	/* scope: who else may */
	struct eg_cluster_policy ipv4;
	struct eg_cluster_policy ipv6;
	__u64 proxy_cgroup;	/* id; tasks there and below are the proxy, which is neither redirected nor blocked. 0: none */
	struct eg_redirect_policy redirect_ipv4;
	struct eg_redirect_policy redirect_ipv6;
};
EG_STATIC_SIZE(struct eg_workload_policy, 56 + 2 * sizeof(struct eg_cluster_policy) +
						  2 * sizeof(struct eg_redirect_policy));

/*
 * The classes that rules have, in the order in which they decide: the first class
 * with a rule for the flow wins, however specific a later one may be. Loopback
 * comes before all of them and has no rules; what is left is non-mesh.
 */
enum eg_class {
	EG_CLASS_RESOLVER,
	EG_CLASS_RULE,
	EG_CLASS_MESH,
	EG_CLASS_MATCHED,
	EG_CLASS_COUNT,
};

/*
 * What one class says of an address: these protocols on every port, and those
 * ports that the set `ports` lists (0: none).
 */
struct eg_class_rules {
	__u32 any_port;		/* enum eg_protocol_bit */
	__u32 ports;		/* id of a set in eg_ports_*, or 0 */
};
EG_STATIC_SIZE(struct eg_class_rules, 8);

/*
 * Complete for its address: the compiler has added the rules of every shorter
 * prefix of the same scope, so that the longest match is the only one to ask and
 * never hides a shorter one's ports.
 */
struct eg_rules {
	struct eg_class_rules classes[EG_CLASS_COUNT];
};
EG_STATIC_SIZE(struct eg_rules, 32);

struct eg_addr_key {
	__u32 scope;
	__u32 family;		/* enum eg_family: ::/0 must never cover IPv4 */
	struct eg_addr addr;
};
EG_STATIC_SIZE(struct eg_addr_key, 24);

/* An LPM key: the kernel compares scope, family and address as one string of bits. */
struct eg_prefix_key {
	__u32 bits;		/* EG_PREFIX_KEY_BITS + the prefix's own length */
	struct eg_addr_key match;
};
EG_STATIC_SIZE(struct eg_prefix_key, 28);

#define EG_PREFIX_KEY_BITS 64u	/* scope and family are always compared whole */
#define EG_PREFIX_BITS_IPV4 32u
#define EG_PREFIX_BITS_IPV6 128u

struct eg_port_key {
	__u32 ports;		/* set id, from 1 */
	__u32 port;		/* host byte order */
};
EG_STATIC_SIZE(struct eg_port_key, 8);

struct eg_port_rule {
	__u32 protocols;	/* enum eg_protocol_bit */
};
EG_STATIC_SIZE(struct eg_port_rule, 4);

/* Reason and verdict are part of the key, so that each verdict on a destination has a count of its own. */
struct eg_dest_key {
	__u32 slot;
	struct eg_flow flow;	/* normalised */
	enum eg_reason reason;
	enum eg_verdict verdict;
	__u16 reserved;
};
EG_STATIC_SIZE(struct eg_dest_key, 32);

struct eg_dest {
	__u64 first_seen_ns;	/* CLOCK_MONOTONIC */
	__u64 last_seen_ns;
	__u64 count;		/* verdicts: connects, and datagrams of unconnected sockets */
	__u32 pid;		/* who was seen first */
	__u32 uid;
	char comm[EG_COMM_LEN];
};
EG_STATIC_SIZE(struct eg_dest, 48);

/* A destination that a workload's last connect to it did not reach. */
struct eg_failure_key {
	__u32 slot;
	__u32 epoch;	/* of the slot, as much of it as a lease has: the low 16 bits */
	struct eg_flow flow;	/* normalised */
};
EG_STATIC_SIZE(struct eg_failure_key, 32);

/* Somebody who wrote to a UDP socket of a workload that is guarded, or to whom such a socket may not write. */
struct eg_peer_key {
	__u64 cookie;	/* SO_COOKIE of the socket */
	struct eg_addr addr;
	__u32 family;	/* enum eg_family; mapped IPv6 is IPv4 */
	__u32 port;	/* host byte order */
};
EG_STATIC_SIZE(struct eg_peer_key, 32);

struct eg_peer {
	__u64 seen_ns;	/* CLOCK_MONOTONIC; of the last datagram, a second late at most */
	__u32 slot;
	__u32 epoch;	/* of the slot */
};
EG_STATIC_SIZE(struct eg_peer, 16);

enum eg_known_flag {
	EG_KNOWN_KEPT = 1u << 0,	/* it was open when a policy came that forbids it, and goes on */
	EG_KNOWN_ANSWERS = 1u << 1,	/* it was accepted, or answers who wrote: policies say nothing of its peer */
	EG_KNOWN_NAT = 1u << 2,		/* its packets go to another address than its peer's, which has been counted */
};

/*
 * What the guard knows of a connected socket and its peer; it ends with the socket, and
 * with the peer. One that has none, or no room for it, is judged packet by packet.
 */
struct eg_known {
	struct eg_flow peer;	/* normalised */
	__u32 slot;
	__u32 flags;		/* enum eg_known_flag */
	__u64 generation;	/* of the policy by which its packets pass; 0: of none */
	__u64 until_ns;		/* CLOCK_MONOTONIC: forbidden, and goes on until then; 0: not found to be forbidden */
};
EG_STATIC_SIZE(struct eg_known, 48);

/* How long after the last datagram a peer may be answered, and how many peers a workload may have. */
#define EG_PEER_LIFETIME_MS 30000u
#define EG_PEERS_OF_SLOT_MAX 4096u

/* The steps of a slot's life. Each is written before the work that it names, so that a successor can finish it. */
enum eg_slot_use {
	EG_SLOT_FREE,
	EG_SLOT_ENROLLED,	/* links are being attached, or are */
	EG_SLOT_LEAVING,	/* links are going; its totals are not folded yet */
};

#define EG_NAME_LEN 512		/* NAME:RELPATH of an instance */
#define EG_MESH_LEN 256
#define EG_SERVICE_LEN 256
#define EG_CGROUP_LEN 1024

/* Of a cgroup whose programs are not attached yet. */
#define EG_WINDOW_UNKNOWN 0xffffffffu

struct eg_slot_info {
	__u32 use;		/* enum eg_slot_use */
	__u32 window_ms;	/* how old the cgroup was when it was enforced, from 1; 0: no process had come yet */
	__u64 cgroup_id;	/* inode number of the cgroup's directory */
	__u64 enrolled_ns;	/* CLOCK_MONOTONIC, when this cgroup was taken in; 0: it has none */
	char name[EG_NAME_LEN];		/* of the workload or instance */
	char mesh[EG_MESH_LEN];
	char dataplane[EG_NAME_LEN];	/* of the mesh; the slot's own name where its Workload names none */
	char service[EG_SERVICE_LEN];	/* its kuma.io/service */
	char cgroup[EG_CGROUP_LEN];	/* below the cgroup v2 mount, with its leading slash */
};
EG_STATIC_SIZE(struct eg_slot_info, 24 + 2 * EG_NAME_LEN + EG_MESH_LEN + EG_SERVICE_LEN + EG_CGROUP_LEN);

/* Written before the gate's links are attached, removed after they are gone. */
struct eg_gate_info {
	char workload[EG_NAME_LEN];	/* the first that asks for it */
	char cgroup[EG_CGROUP_LEN];	/* below the cgroup v2 mount, with its leading slash */
};
EG_STATIC_SIZE(struct eg_gate_info, EG_NAME_LEN + EG_CGROUP_LEN);

enum eg_agent_state {
	EG_AGENT_STARTING,	/* adopting, or the first policy is not applied yet */
	EG_AGENT_RUNNING,	/* the policy is applied and signals are handled */
};

#define EG_ERROR_LEN 1024

/* The agent's last walk over the sockets that hold leases (bpf/walk.bpf.c). */
struct eg_agent_sweep {
	__u64 ended_ns;		/* CLOCK_MONOTONIC; 0: there was none yet */
	__u64 took_ns;		/* of a processor */
	__u64 looked_at;	/* files of processes */
	__u64 destroyed;	/* by all sweeps of this agent */
	__u32 unreachable;	/* overdue, and could not be destroyed */
	__u32 period_ms;	/* until the next one */
	__u32 error;		/* errno of the last one; 0: it went well */
	__u32 reserved;
};
EG_STATIC_SIZE(struct eg_agent_sweep, 48);

/* The agent's last look at connections that are open and forbidden by the policy in force. */
struct eg_agent_forbidden {
	__u64 ended;		/* by this agent */
	__u64 kept;		/* marked by this agent, as their workloads want it */
	__u32 waiting;		/* that go on for a while */
	__u32 unreachable;	/* that are to end, and could not be destroyed */
};
EG_STATIC_SIZE(struct eg_agent_forbidden, 24);

enum eg_agent_work {
	EG_WORK_LOAD,		/* of policy files */
	EG_WORK_LOOK,		/* at cgroups, and what follows from a policy that is in force */
};

/* pid and start_ticks stay where they are in every ABI: any build can tell whether the agent lives. */
struct eg_agent {
	__u32 pid;
	__u16 state;		/* enum eg_agent_state */
	__u16 error_of;		/* enum eg_agent_work: what `error` is about */
	__u64 start_ticks;	/* field 22 of /proc/PID/stat: a process id alone may be another process's by now */
	__u64 loads_failed;	/* policies that were refused while an older one stayed in force */
	__u32 policy_watch_errno;	/* why policy files are only looked at from time to time; 0: the kernel tells */
	__u32 cgroup_watch_errno;	/* the same for cgroups; EOVERFLOW: changes were lost a moment ago */
	__u32 pid_namespace;	/* inode number of the namespace that pid is of */
	__u32 lsm_errno;	/* why there are no programs of the BPF LSM; 0: they are on each cgroup that is guarded */
	char error[EG_ERROR_LEN];	/* why the last load or look failed; empty when it did not */
	struct eg_agent_sweep sweep;
	struct eg_agent_forbidden forbidden;
};
EG_STATIC_SIZE(struct eg_agent,
	       40 + EG_ERROR_LEN + sizeof(struct eg_agent_sweep) + sizeof(struct eg_agent_forbidden));

/*
 * One write adds a slot's totals and names the slot: a successor that finds
 * `folding` set knows that they are in the sum already and only zeroes the slot.
 */
struct eg_retired {
	struct eg_slot_counts counts;
	__u32 folding;		/* slot whose totals were just added; 0: none */
	__u32 reserved;
	__u64 slots;		/* how many were folded */
};
EG_STATIC_SIZE(struct eg_retired, sizeof(struct eg_slot_counts) + 16);

/*
 * What eg_move_counts is asked: all counts of a slot are to be another one's, or of the retired sum. Connections that
 * are open are the slot's still, in its totals too.
 */
struct eg_move {
	__u32 from;
	__u32 to;		/* 0: eg_retired */
};
EG_STATIC_SIZE(struct eg_move, 8);

#define EG_AGE_ALL 0xffffffffu

/* What eg_age_dests is asked: which destinations are to leave their table. */
struct eg_age {
	__u32 slot;		/* EG_AGE_ALL: every slot's */
	__u32 at_most;
	__u64 seen_before_ns;	/* CLOCK_MONOTONIC: only what was last seen before */
	__u32 for_room;		/* 1: they are evicted, and counted as such */
	__u32 removed;		/* 0; while it runs, how many it has removed */
	__u32 clients;		/* 1: only who came in */
	__u32 reserved;
};
EG_STATIC_SIZE(struct eg_age, 32);

/* What eg_count_ended is asked: one more connection of this slot was ended since the policy forbids it. */
struct eg_ended {
	__u32 slot;
	__u32 reserved;
};
EG_STATIC_SIZE(struct eg_ended, 8);

/* What eg_settle is asked: what this slot holds is to be given back. */
struct eg_settle {
	__u32 slot;
	__u32 reserved;
};
EG_STATIC_SIZE(struct eg_settle, 8);

#endif
