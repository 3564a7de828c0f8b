/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "datapath/programs.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "datapath/pinning.h"

static void close_links(DIR **links)
{
	if (*links)
		closedir(*links);
}

static bool is_known(const struct eg_program_costs *costs, const char *name)
{
	for (size_t i = 0; i < costs->count; i++)
		if (strcmp(costs->list[i].name, name) == 0)
			return true;
	return false;
}

/* 0, or -errno: of a program whose last link has just gone, that it is not there. */
static int read_program(uint32_t id, struct eg_program_cost *ret_cost)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	*ret_cost = (struct eg_program_cost){.runs = info.run_cnt, .run_ns = info.run_time_ns};
	snprintf(ret_cost->name, sizeof(ret_cost->name), "%s", info.name);
	return 0;
}

static int read_link(int links_fd, const char *name, struct eg_program_cost *ret_cost)
{
	_cleanup_close_ int fd = eg_link_pin_open(links_fd, name);
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	return read_program(info.prog_id, ret_cost);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct eg_program_cost *)a)->name, ((const struct eg_program_cost *)b)->name);
}

/* Without statistics nothing ever ran. */
static bool is_counted(const struct eg_program_costs *costs)
{
	for (size_t i = 0; i < costs->count; i++)
		if (costs->list[i].runs > 0)
			return true;
	return false;
}

int eg_pins_read_programs(const char *directory, struct eg_program_costs *ret_costs)
{
	_cleanup_(close_links) DIR *links = eg_link_pins_open(directory);
	struct eg_program_costs costs = {};
	const struct dirent *entry;
	struct eg_link_pin pin;

	*ret_costs = costs;
	if (!links)
		return errno == ENOENT ? 0 : -errno;
	/* Thousands of links, of a few programs: one link of each is opened. */
	while ((entry = readdir(links)) && costs.count < EG_PROGRAM_COSTS_MAX) {
		int r;

		if (!eg_link_pin_parse(entry->d_name, &pin) || is_known(&costs, pin.program))
			continue;
		r = read_link(dirfd(links), entry->d_name, &costs.list[costs.count]);
		if (r < 0 && r != -ENOENT)
			return r;
		costs.count += r == 0;
	}
	qsort(costs.list, costs.count, sizeof(costs.list[0]), compare_names);
	if (is_counted(&costs))
		*ret_costs = costs;
	return 0;
}
