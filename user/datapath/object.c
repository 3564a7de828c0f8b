/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "datapath/object.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

struct bpf_map *eg_object_table(const struct eg_datapath *datapath, unsigned int bank, enum eg_table table)
{
	struct bpf_map *const tables[EG_BANKS][EG_TABLE_COUNT] = {
		[0] = {
			[EG_TABLE_WORKLOADS] = datapath->skeleton->maps.eg_workloads_0,
			[EG_TABLE_EXACT] = datapath->skeleton->maps.eg_exact_0,
			[EG_TABLE_PREFIXES] = datapath->skeleton->maps.eg_prefixes_0,
			[EG_TABLE_PORTS] = datapath->skeleton->maps.eg_ports_0,
		},
		[1] = {
			[EG_TABLE_WORKLOADS] = datapath->skeleton->maps.eg_workloads_1,
			[EG_TABLE_EXACT] = datapath->skeleton->maps.eg_exact_1,
			[EG_TABLE_PREFIXES] = datapath->skeleton->maps.eg_prefixes_1,
			[EG_TABLE_PORTS] = datapath->skeleton->maps.eg_ports_1,
		},
	};

	return tables[bank][table];
}

struct eg_capacity eg_datapath_max_capacity(void)
{
	return (struct eg_capacity){
		.max_entries = {
			[EG_TABLE_WORKLOADS] = EG_SLOTS_MAX,
			[EG_TABLE_EXACT] = EG_EXACT_MAX,
			[EG_TABLE_PREFIXES] = EG_PREFIXES_MAX,
			[EG_TABLE_PORTS] = EG_PORTS_MAX,
		},
	};
}

/* libbpf explains a failed load at length: for whoever asks for it. */
__attribute__((format(printf, 2, 0))) static int log_libbpf(enum libbpf_print_level level, const char *format,
							    va_list args)
{
	char line[1024];

	if (level == LIBBPF_DEBUG || !eg_log_wants(EG_LOG_DEBUG))
		return 0;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	eg_log_debug("libbpf: %s", line);
	return 0;
}

/* A map holds one entry at least, empty table or not. */
static int set_capacity(struct bpf_map *map, size_t entries)
{
	return bpf_map__set_max_entries(map, entries > 0 ? entries : 1);
}

static int set_capacities(struct eg_datapath *datapath, const struct eg_datapath_options *options)
{
	struct eg_capacity capacity = options->capacity;
	int r;

	capacity.max_entries[EG_TABLE_WORKLOADS] = options->slots;
	for (unsigned int bank = 0; bank < EG_BANKS; bank++) {
		for (enum eg_table table = 0; table < EG_TABLE_COUNT; table++) {
			r = set_capacity(eg_object_table(datapath, bank, table), capacity.max_entries[table]);
			if (r < 0)
				return r;
		}
	}
	r = set_capacity(datapath->skeleton->maps.eg_slots, options->slots);
	if (r == 0)
		r = set_capacity(datapath->skeleton->maps.eg_infos, options->slots);
	if (r < 0)
		return r;
	r = set_capacity(datapath->skeleton->maps.eg_dests, options->destinations);
	return r < 0 ? r : set_capacity(datapath->skeleton->maps.eg_leases, options->leases);
}

int eg_object_write_control(struct eg_datapath *datapath, const struct eg_control *control)
{
	__u32 zero = 0;
	int r = bpf_map__update_elem(datapath->skeleton->maps.eg_control, &zero, sizeof(zero), control,
				     sizeof(*control), BPF_ANY);

	if (r == 0)
		datapath->control = *control;
	return r;
}

static bool is_wanted(const struct bpf_program *program, const struct eg_datapath_options *options)
{
	if (options->nothing_pinned && eg_object_is_for_agent(program))
		return false;
	if (options->never_guards && eg_object_is_guard(program))
		return false;
	if (options->never_filters && eg_object_is_filter(program))
		return false;
	return !options->never_redirects || !eg_object_is_redirect(program);
}

/* The verifier takes milliseconds for each program. */
static int leave_out_unwanted(struct eg_datapath *datapath, const struct eg_datapath_options *options)
{
	struct bpf_program *program;
	int r = 0;

	bpf_object__for_each_program(program, datapath->skeleton->obj)
		if (r == 0 && !is_wanted(program, options))
			r = bpf_program__set_autoload(program, false);
	return r;
}

/* The coarse clocks advance with the kernel's timer tick, and their resolution is just that. */
static uint32_t ticks_per_second(void)
{
	struct timespec tick;

	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	return (uint32_t)(1000000000L / tick.tv_nsec);
}

int eg_object_open(const struct eg_datapath_options *options, struct eg_datapath **ret_datapath)
{
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = calloc(1, sizeof(*datapath));
	int r;

	if (!datapath)
		return -ENOMEM;
	datapath->grace_fd = -1;
	datapath->image = eg_image_new();
	if (!datapath->image)
		return -ENOMEM;
	libbpf_set_print(log_libbpf);
	datapath->skeleton = egress_bpf__open();
	if (!datapath->skeleton)
		return -errno;
	datapath->destination_quota = options->destination_quota;
	datapath->event_rate = options->event_rate;
	datapath->skeleton->rodata->eg_dest_quota = options->destination_quota;
	datapath->skeleton->rodata->eg_event_rate = options->event_rate;
	datapath->skeleton->rodata->eg_hz = ticks_per_second();
	r = set_capacities(datapath, options);
	if (r == 0)
		r = leave_out_unwanted(datapath, options);
	if (r == 0 && !options->never_guards)
		r = eg_object_open_lsm(datapath);
	if (r < 0)
		return r;
	*ret_datapath = TAKE_PTR(datapath);
	return 0;
}

int eg_datapath_load(const struct eg_datapath_options *options, struct eg_datapath **ret_datapath, char **ret_problem)
{
	/* Generation 0: no policy yet. */
	static const struct eg_control first = {.abi = EG_ABI_VERSION};
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = NULL;
	int r = eg_object_open(options, &datapath);

	if (r == 0)
		r = eg_object_load(datapath, ret_problem);
	if (r == 0)
		r = eg_object_write_control(datapath, &first);
	if (r < 0)
		return r;
	*ret_datapath = TAKE_PTR(datapath);
	return 0;
}

struct eg_datapath *eg_datapath_free(struct eg_datapath *datapath)
{
	if (!datapath)
		return NULL;
	eg_image_free(datapath->image);
	if (datapath->grace_fd >= 0)
		close(datapath->grace_fd);
	eg_object_free_walks(datapath->walks);
	eg_object_free_lsm(datapath->lsm);
	egress_bpf__destroy(datapath->skeleton);
	free(datapath->directory);
	free(datapath);
	return NULL;
}

int eg_object_share_maps(const struct eg_datapath *datapath, struct bpf_object *object)
{
	struct bpf_map *map;
	int r = 0;

	bpf_object__for_each_map(map, object)
	{
		int fd = eg_datapath_map_fd(datapath, bpf_map__name(map));

		if (r == 0 && !strchr(bpf_map__name(map), '.'))
			r = fd < 0 ? fd : bpf_map__reuse_fd(map, fd);
	}
	return r;
}

int eg_datapath_map_fd(const struct eg_datapath *datapath, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(datapath->skeleton->obj, name);

	return map ? bpf_map__fd(map) : -ENOENT;
}

struct eg_maps eg_datapath_maps(const struct eg_datapath *datapath)
{
	const struct egress_bpf *skeleton = datapath->skeleton;
	struct eg_maps maps = {
		.control = bpf_map__fd(skeleton->maps.eg_control),
		.slots = bpf_map__fd(skeleton->maps.eg_slots),
		.infos = bpf_map__fd(skeleton->maps.eg_infos),
		.gates = bpf_map__fd(skeleton->maps.eg_gates),
		.agent = bpf_map__fd(skeleton->maps.eg_agent),
		.retired = bpf_map__fd(skeleton->maps.eg_retired),
		.dests = bpf_map__fd(skeleton->maps.eg_dests),
		.events = bpf_map__fd(skeleton->maps.eg_events),
		.enrolled = bpf_map__fd(skeleton->maps.eg_enrolled),
		.leases = bpf_map__fd(skeleton->maps.eg_leases),
	};

	for (unsigned int bank = 0; bank < EG_BANKS; bank++)
		for (enum eg_table table = 0; table < EG_TABLE_COUNT; table++)
			maps.tables[bank][table] = bpf_map__fd(eg_object_table(datapath, bank, table));
	return maps;
}
