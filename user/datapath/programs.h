/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_PROGRAMS_H
#define EG_DATAPATH_PROGRAMS_H

/* What the programs cost, by the kernel's own statistics: sysctl kernel.bpf_stats_enabled=1. */
#include <stddef.h>
#include <stdint.h>

#define EG_PROGRAM_COSTS_MAX 32

struct eg_program_cost {
	char name[16];
	uint64_t runs;
	uint64_t run_ns; /* of all of them */
};

struct eg_program_costs {
	size_t count;
	struct eg_program_cost list[EG_PROGRAM_COSTS_MAX]; /* by name */
};

/*
 * Those that run for an enrolled cgroup, and those of a gate: all cgroups share them. 0 with none of them
 * where nothing is enrolled, or while the kernel keeps no statistics; or -errno.
 */
int eg_pins_read_programs(const char *directory, struct eg_program_costs *ret_costs);

#endif
