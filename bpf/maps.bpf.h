/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_MAPS_BPF_H
#define EG_MAPS_BPF_H

/*
 * Every map. Keys, values and capacities are the contract of egress/maps.h; the
 * loader shrinks capacities to what it needs.
 *
 * Policy hashes are not preallocated: only user space writes them, and it may
 * well size them for a million addresses that never come. The destination table
 * is preallocated, since programs insert into it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "egress/maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64); /* cgroup id alone: all hooks of a cgroup share one value */
	__type(value, struct eg_enrolment);
} eg_cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct eg_control);
} eg_control SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EG_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct eg_workload_policy);
} eg_workloads_0 SEC(".maps"), eg_workloads_1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, EG_EXACT_MAX);
	__type(key, struct eg_addr_key);
	__type(value, struct eg_rules);
} eg_exact_0 SEC(".maps"), eg_exact_1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, EG_PREFIXES_MAX);
	__type(key, struct eg_prefix_key);
	__type(value, struct eg_rules);
} eg_prefixes_0 SEC(".maps"), eg_prefixes_1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, EG_PORTS_MAX);
	__type(key, struct eg_port_key);
	__type(value, struct eg_port_rule);
} eg_ports_0 SEC(".maps"), eg_ports_1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EG_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct eg_slot);
} eg_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EG_DESTS_MAX);
	__type(key, struct eg_dest_key);
	__type(value, struct eg_dest);
} eg_dests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, EG_EVENTS_BYTES);
} eg_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EG_SLOTS_MAX);
	__type(key, __u64);
	__type(value, __u32);
} eg_enrolled SEC(".maps");

/* By place, see leases.bpf.h. Mapped, so that a lease is a cache line, and user space counts them without a call. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, EG_LEASES_MAX);
	__type(key, __u32);
	__type(value, struct eg_lease);
} eg_leases SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, EG_FAILURES_MAX);
	__type(key, struct eg_failure_key);
	__type(value, __u64);
} eg_failures SEC(".maps");

/* Not preallocated: few workloads serve UDP. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, EG_PEERS_MAX);
	__type(key, struct eg_peer_key);
	__type(value, struct eg_peer);
} eg_peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, EG_REFUSED_MAX);
	__type(key, struct eg_peer_key);
	__type(value, struct eg_flow);
} eg_refused SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct eg_known);
} eg_known SEC(".maps");

/* Only for sockets that are redirected. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct eg_redirected);
} eg_redirects SEC(".maps");

/* Not preallocated: few workloads redirect. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, EG_ORIGINALS_MAX);
	__type(key, struct eg_original_key);
	__type(value, struct eg_original);
} eg_originals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} eg_orig_count SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, EG_ASKERS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} eg_askers SEC(".maps");

/* For user space alone. Mapped, since whoever wants to know which slots are in use would need a call for each. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, EG_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct eg_slot_info);
} eg_infos SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, EG_SLOTS_MAX);
	__type(key, __u64);
	__type(value, struct eg_gate_info);
} eg_gates SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct eg_agent);
} eg_agent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct eg_retired);
} eg_retired SEC(".maps");

#endif
