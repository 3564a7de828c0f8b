/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "gates.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "datapath/pins.h"
#include "workload/discover.h"

void eg_gates_clear(struct eg_gates *gates)
{
	for (size_t i = 0; i < gates->paths.len; i++)
		free(gates->paths.items[i]);
	eg_array_clear(&gates->paths);
	eg_array_clear(&gates->ids);
}

static bool has_gate(const struct eg_gates *gates, uint64_t id)
{
	for (size_t i = 0; i < gates->ids.len; i++)
		if (gates->ids.items[i] == id)
			return true;
	return false;
}

int eg_gates_recover(const char *directory, struct eg_gates *gates)
{
	_cleanup_free_ char *problem = NULL;
	struct eg_link_pins pins = {};
	int r = eg_pins_list_links(directory, &pins, &problem);

	for (size_t i = 0; i < pins.list.len && r == 0; i++)
		if (pins.list.items[i].slot == 0 && !has_gate(gates, pins.list.items[i].cgroup_id))
			r = eg_array_push(&gates->ids, pins.list.items[i].cgroup_id);
	eg_array_clear(&pins.list);
	return r;
}

/* The directory that a pattern begins in. One that is not there has nothing below it to refuse. */
static int add_wanted(const char *mount_point, const struct eg_workload *workload, struct eg_gates *wanted)
{
	_cleanup_free_ char *directory = NULL, *path = NULL;
	struct stat st;
	int r = eg_pattern_directory(workload->cgroup, &directory);

	if (r < 0)
		return r;
	if (asprintf(&path, "%s%s", mount_point, directory) < 0)
		return -ENOMEM;
	if (stat(path, &st) < 0 || has_gate(wanted, st.st_ino))
		return 0;
	r = eg_array_push(&wanted->paths, path);
	if (r < 0)
		return r;
	TAKE_PTR(path);
	return eg_array_push(&wanted->ids, (uint64_t)st.st_ino);
}

int eg_gates_list_wanted(const char *mount_point, const struct eg_model *model, struct eg_gates *wanted)
{
	int r = 0;

	for (size_t i = 0; i < model->workloads.len && r == 0; i++)
		if (model->workloads.items[i]->refuses_unenrolled)
			r = add_wanted(mount_point, model->workloads.items[i], wanted);
	return r;
}

bool eg_gates_are_done(const struct eg_gates *gates, const struct eg_gates *wanted)
{
	for (size_t i = 0; i < wanted->ids.len; i++)
		if (!has_gate(gates, wanted->ids.items[i]))
			return false;
	return gates->ids.len == wanted->ids.len;
}

int eg_gates_remove_old(struct eg_gates *gates, struct eg_datapath *datapath, const struct eg_gates *wanted)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < gates->ids.len; i++) {
		uint64_t id = gates->ids.items[i];

		if (r == 0 && !has_gate(wanted, id))
			r = eg_datapath_remove_gate(datapath, id);
		else
			gates->ids.items[kept++] = id;
	}
	gates->ids.len = kept;
	return r;
}

int eg_gates_add_new(struct eg_gates *gates, struct eg_datapath *datapath, const struct eg_gates *wanted)
{
	int r = 0;

	for (size_t i = 0; i < wanted->ids.len && r == 0; i++) {
		_cleanup_close_ int fd = -1;

		if (has_gate(gates, wanted->ids.items[i]))
			continue;
		fd = open(wanted->paths.items[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = fd < 0 ? 0 : eg_datapath_add_gate(datapath, fd);
		if (r == 0 && fd >= 0) {
			eg_log_info("%s: what is in no enrolled cgroup is refused", wanted->paths.items[i]);
			r = eg_array_push(&gates->ids, wanted->ids.items[i]);
		}
	}
	return r;
}
