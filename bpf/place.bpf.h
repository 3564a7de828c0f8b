/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_PLACE_BPF_H
#define EG_PLACE_BPF_H

/* A kernel's cgroup -> the workload that it lies in. */
#include <linux/types.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel.bpf.h"
#include "maps.bpf.h"

/* Cgroups nested deeper than this are taken for not enrolled, as by the gates. */
#define CGROUP_LEVELS_MAX 32

/*
 * As numbers: the functions below are global, which the verifier goes through once, and
 * takes no pointer into the kernel for. What it knows for one cannot be handed over as a
 * number either: it is read as one.
 */
static __always_inline __u64 cgroup_of_socket(const struct sock *sk)
{
	return (__u64)BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
}

static __always_inline __u64 cgroup_of_task(const struct task_struct *task)
{
	return (__u64)BPF_CORE_READ(task, cgroups, dfl_cgrp);
}

/* The slot of the nearest enrolled cgroup that this one is, or lies in; 0: none. */
__noinline __u32 eg_slot_of_cgroup(__u64 address)
{
	struct cgroup *cgroup = (struct cgroup *)address;
	/* An index that is not constant is for the helper alone. */
	void *ancestors = __builtin_preserve_access_index(&cgroup->ancestors[0]);
	int level = BPF_CORE_READ(cgroup, level);
	__u32 *slot, found = 0;

	for (int i = 1; i < CGROUP_LEVELS_MAX; i++) {
		struct cgroup *ancestor = NULL;
		__u64 id;

		if (i > level)
			break;
		bpf_probe_read_kernel(&ancestor, sizeof(ancestor), ancestors + i * sizeof(ancestor));
		id = BPF_CORE_READ(ancestor, kn, id);
		slot = bpf_map_lookup_elem(&eg_enrolled, &id);
		if (slot)
			found = *slot;
	}
	return found;
}

/* Whether a cgroup is the one of that id, or lies in it. */
__noinline int eg_is_within(__u64 address, __u64 wanted)
{
	struct cgroup *cgroup = (struct cgroup *)address;
	void *ancestors = __builtin_preserve_access_index(&cgroup->ancestors[0]);
	int level = BPF_CORE_READ(cgroup, level);

	for (int i = 1; i < CGROUP_LEVELS_MAX; i++) {
		struct cgroup *ancestor = NULL;

		if (i > level)
			break;
		bpf_probe_read_kernel(&ancestor, sizeof(ancestor), ancestors + i * sizeof(ancestor));
		if (BPF_CORE_READ(ancestor, kn, id) == wanted)
			return 1;
	}
	return 0;
}

#endif
