/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "gates.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "datapath/pins.h"
#include "workload/cgroup.h"
#include "workload/discover.h"

void eg_gates_clear(struct eg_gates *gates)
{
	eg_array_clear(&gates->list);
}

static struct eg_standing_gate *find(const struct eg_gates *gates, uint64_t cgroup_id)
{
	for (size_t i = 0; i < gates->list.len; i++)
		if (gates->list.items[i].gate.cgroup_id == cgroup_id)
			return &gates->list.items[i];
	return NULL;
}

/* ---- what is there ---- */

/* A link without an entry in the map: somebody removed that. */
static int recover_links(const char *directory, struct eg_gates *gates)
{
	_cleanup_free_ char *problem = NULL;
	struct eg_link_pins pins = {};
	int r = eg_pins_list_links(directory, &pins, &problem);

	for (size_t i = 0; i < pins.list.len && r == 0; i++) {
		const struct eg_link_pin *pin = &pins.list.items[i];

		if (eg_link_pin_is_gates(pin) && !find(gates, pin->cgroup_id))
			r = eg_array_push(&gates->list, {.gate.cgroup_id = pin->cgroup_id});
	}
	eg_array_clear(&pins.list);
	return r;
}

int eg_gates_recover(struct eg_datapath *datapath, const char *directory, struct eg_gates *gates)
{
	struct eg_maps maps = eg_datapath_maps(datapath);
	struct eg_gate_list listed = {};
	int r = eg_maps_list_gates(&maps, &listed);

	for (size_t i = 0; i < listed.list.len && r == 0; i++)
		r = eg_array_push(&gates->list, {.gate = listed.list.items[i]});
	eg_array_clear(&listed.list);
	return r < 0 ? r : recover_links(directory, gates);
}

/* ---- what is wanted ---- */

/* The directory that a pattern begins in. One that is not there has nothing below it to refuse. */
static int add_wanted(const char *mount_point, const struct eg_workload *workload, struct eg_gates *wanted)
{
	_cleanup_free_ char *directory = NULL, *path = NULL;
	struct eg_standing_gate standing = {};
	struct eg_gate_info *info = &standing.gate.info;
	struct stat st;
	int r = eg_pattern_directory(workload->cgroup, &directory);

	if (r < 0)
		return r;
	if (asprintf(&path, "%s%s", mount_point, directory) < 0)
		return -ENOMEM;
	/* Any other answer says nothing of a gate that stands. */
	if (stat(path, &st) < 0)
		return eg_cgroup_is_gone(errno) ? 0 : -errno;
	if (find(wanted, st.st_ino))
		return 0;
	if ((size_t)snprintf(info->workload, sizeof(info->workload), "%s", workload->name) >= sizeof(info->workload) ||
	    (size_t)snprintf(info->cgroup, sizeof(info->cgroup), "%s", directory) >= sizeof(info->cgroup))
		return -ENAMETOOLONG;
	standing.gate.cgroup_id = st.st_ino;
	return eg_array_push(&wanted->list, standing);
}

/* Audit mode refuses nothing, be it enrolled or not. */
static bool wants_gate(const struct eg_workload *workload)
{
	return workload->refuses_unenrolled && workload->mode == EG_MODE_ENFORCE;
}

int eg_gates_list_wanted(const char *mount_point, const struct eg_model *model, struct eg_gates *wanted)
{
	int r = 0;

	for (size_t i = 0; i < model->workloads.len && r == 0; i++)
		if (wants_gate(model->workloads.items[i]))
			r = add_wanted(mount_point, model->workloads.items[i], wanted);
	return r;
}

/* ---- from one to the other ---- */

static bool is_done(const struct eg_gates *gates, const struct eg_standing_gate *wanted)
{
	const struct eg_standing_gate *standing = find(gates, wanted->gate.cgroup_id);

	return standing && standing->is_attached &&
	       memcmp(&standing->gate.info, &wanted->gate.info, sizeof(wanted->gate.info)) == 0;
}

bool eg_gates_are_done(const struct eg_gates *gates, const struct eg_gates *wanted)
{
	for (size_t i = 0; i < wanted->list.len; i++)
		if (!is_done(gates, &wanted->list.items[i]))
			return false;
	return gates->list.len == wanted->list.len;
}

int eg_gates_remove_old(struct eg_gates *gates, struct eg_datapath *datapath, const struct eg_gates *wanted)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < gates->list.len; i++) {
		const struct eg_standing_gate standing = gates->list.items[i];
		bool goes = r == 0 && !find(wanted, standing.gate.cgroup_id);

		if (goes)
			r = eg_datapath_remove_gate(datapath, standing.gate.cgroup_id);
		/* What did not succeed is tried again. */
		if (!goes || r < 0)
			gates->list.items[kept++] = standing;
	}
	gates->list.len = kept;
	return r;
}

/* A cgroup that went or was made anew since it was listed brings us back here. */
static int add(struct eg_gates *gates, struct eg_datapath *datapath, const char *mount_point,
	       const struct eg_standing_gate *wanted)
{
	struct eg_standing_gate *standing = find(gates, wanted->gate.cgroup_id);
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *path = NULL;
	struct stat st;
	int r;

	if (asprintf(&path, "%s%s", mount_point, wanted->gate.info.cgroup) < 0)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return eg_cgroup_is_gone(errno) ? 0 : -errno;
	if (st.st_ino != wanted->gate.cgroup_id)
		return 0;
	r = eg_datapath_add_gate(datapath, fd, &wanted->gate.info);
	if (r < 0)
		return r;
	if (standing) {
		*standing = (struct eg_standing_gate){.gate = wanted->gate, .is_attached = true};
		return 0;
	}
	eg_log_info("%s: what is in no enrolled cgroup is refused", path);
	return eg_array_push(&gates->list, {.gate = wanted->gate, .is_attached = true});
}

int eg_gates_add_new(struct eg_gates *gates, struct eg_datapath *datapath, const char *mount_point,
		     const struct eg_gates *wanted)
{
	int r = 0;

	for (size_t i = 0; i < wanted->list.len && r == 0; i++)
		if (!is_done(gates, &wanted->list.items[i]))
			r = add(gates, datapath, mount_point, &wanted->list.items[i]);
	return r;
}
