/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What this kernel's verifier makes of each program, as the daemon loads it: a line
 * for each, sorted by name, of
 *
 *   program    instructions that the verifier walked    bytes of machine code    bytes of stack
 *
 * Machine code and stack are those of a program's functions added up; 0 bytes of
 * code where the kernel has no JIT.
 *
 * usage: verifier_cost
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/incoming.skel.h"
#include "bpf/walk.skel.h"
#include "datapath/object.h"

#define PROGRAMS_MAX 64
#define LOG_BYTES 4096
/* BPF_LOG_STATS: a few lines when a program has passed, and none of the steps. */
#define LOG_STATISTICS 4

struct cost {
	const char *program;
	unsigned int instructions;
	unsigned int code_bytes;
	unsigned int stack_bytes;
};

static void ask_for_statistics(struct bpf_object *object)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object) {
		bpf_program__set_log_level(program, LOG_STATISTICS);
		if (bpf_program__set_log_buf(program, calloc(1, LOG_BYTES), LOG_BYTES) < 0)
			errx(1, "%s takes no log", bpf_program__name(program));
	}
}

/* "stack depth 64+0+136": of each function. */
static unsigned int read_stack(const struct bpf_program *program)
{
	static const char before[] = "stack depth ";
	size_t size;
	const char *log = bpf_program__log_buf(program, &size);
	const char *next = log ? strstr(log, before) : NULL;
	unsigned int bytes = 0;
	char *end;

	if (!next)
		errx(1, "%s: no stack depth in the verifier's log", bpf_program__name(program));
	next += strlen(before);
	for (bytes = (unsigned int)strtoul(next, &end, 10); *end == '+';)
		bytes += (unsigned int)strtoul(end + 1, &end, 10);
	return bytes;
}

static struct cost read_cost(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len) < 0)
		err(1, "%s", bpf_program__name(program));
	return (struct cost){
		.program = bpf_program__name(program),
		.instructions = info.verified_insns,
		.code_bytes = info.jited_prog_len,
		.stack_bytes = read_stack(program),
	};
}

/* Returns how many there are then. */
static size_t read_costs(const struct bpf_object *object, struct cost costs[PROGRAMS_MAX], size_t count)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object) {
		if (count == PROGRAMS_MAX)
			errx(1, "more than %d programs", PROGRAMS_MAX);
		costs[count++] = read_cost(program);
	}
	return count;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct cost *)a)->program, ((const struct cost *)b)->program);
}

int main(void)
{
	const struct eg_datapath_options options = {
		.slots = EG_SLOTS_MAX,
		.capacity = {.max_entries = {0, 1, 1, 1}},
		.destinations = 1,
		.leases = 4096,
		.destination_quota = 4096,
		.event_rate = 100,
	};
	struct cost costs[PROGRAMS_MAX];
	struct eg_datapath *datapath;
	struct incoming_bpf *incoming;
	struct walk_bpf *walks;
	size_t count;

	if (eg_object_open(&options, &datapath) < 0)
		errx(1, "cannot open the programs");
	datapath->skeleton->rodata->eg_lease_mask = options.leases - 1;
	ask_for_statistics(datapath->skeleton->obj);
	if (egress_bpf__load(datapath->skeleton) < 0)
		errx(1, "cannot load the programs");
	if (eg_object_open_walks(datapath, &walks) < 0)
		errx(1, "cannot open the walks");
	ask_for_statistics(walks->obj);
	if (walk_bpf__load(walks) < 0)
		errx(1, "cannot load the walks");
	ask_for_statistics(eg_object_lsm(datapath));
	eg_object_load_lsm(datapath);
	if (eg_object_open_incoming(datapath, 1, &incoming) < 0)
		errx(1, "cannot open the lookup of clients");
	ask_for_statistics(incoming->obj);
	if (incoming_bpf__load(incoming) < 0)
		errx(1, "cannot load the lookup of clients");
	count = read_costs(datapath->skeleton->obj, costs, 0);
	/* Where the kernel takes them. */
	if (eg_object_loaded_lsm(datapath))
		count = read_costs(eg_object_loaded_lsm(datapath), costs, count);
	count = read_costs(walks->obj, costs, count);
	count = read_costs(incoming->obj, costs, count);
	qsort(costs, count, sizeof(costs[0]), compare);
	for (size_t i = 0; i < count; i++)
		printf("%s\t%u\t%u\t%u\n", costs[i].program, costs[i].instructions, costs[i].code_bytes,
		       costs[i].stack_bytes);
	return 0;
}
