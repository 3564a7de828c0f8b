/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "datapath/lookups.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bpf/incoming.skel.h"
#include "datapath/inspect.h"
#include "datapath/object.h"
#include "datapath/pinning.h"
#include "datapath/pins.h"

/* ---- pins ---- */

static void lookup_path(const char *directory, const struct eg_lookup *lookup, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/netns/s%" PRIu32 "_%" PRIu32, directory, lookup->slot, lookup->netns);
}

static bool parse_name(const char *name, struct eg_lookup *ret_lookup)
{
	int end = 0;

	*ret_lookup = (struct eg_lookup){};
	return sscanf(name, "s%" SCNu32 "_%" SCNu32 "%n", &ret_lookup->slot, &ret_lookup->netns, &end) == 2 &&
	       name[end] == '\0';
}

/* The kernel's word; 0, or -errno. */
static int read_link(const char *directory, struct eg_lookup *lookup)
{
	_cleanup_close_ int fd = -1;
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	char path[PATH_MAX];

	lookup_path(directory, lookup, path);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	lookup->program_id = info.prog_id;
	if (info.type == BPF_LINK_TYPE_NETNS)
		lookup->live_netns = info.netns.netns_ino;
	return 0;
}

static int list_pins(const char *directory, struct eg_lookup_list *ret_lookups)
{
	_cleanup_free_ char *path = NULL;
	struct dirent *entry;
	DIR *pins;
	int r = 0;

	if (asprintf(&path, "%s/netns", directory) < 0)
		return -ENOMEM;
	pins = opendir(path);
	if (!pins)
		return -errno;
	/* A link may go while we look. */
	while (r == 0 && (entry = readdir(pins))) {
		struct eg_lookup lookup;

		if (!parse_name(entry->d_name, &lookup))
			continue;
		r = read_link(directory, &lookup);
		if (r == 0)
			r = eg_array_push(&ret_lookups->list, lookup);
		else if (r == -ENOENT)
			r = 0;
	}
	closedir(pins);
	return r;
}

int eg_pins_list_lookups(const char *directory, struct eg_lookup_list *ret_lookups, char **ret_problem)
{
	int r = list_pins(directory, ret_lookups);

	/* An agent that was killed early has made no folder yet. */
	if (r == -ENOENT)
		return 0;
	return r < 0 ? eg_problem(ret_problem, r, "%s/netns: %s", directory, strerror(-r)) : 0;
}

int eg_datapath_list_lookups(const struct eg_datapath *datapath, struct eg_lookup_list *ret_lookups)
{
	int r = list_pins(datapath->directory, ret_lookups);

	return r == -ENOENT ? -ESTALE : r;
}

static int remove_pin(const char *directory, const struct eg_lookup *lookup)
{
	char path[PATH_MAX];

	lookup_path(directory, lookup, path);
	return eg_pins_remove_link(path);
}

int eg_datapath_remove_lookup(const struct eg_datapath *datapath, const struct eg_lookup *lookup)
{
	return remove_pin(datapath->directory, lookup);
}

int eg_pins_remove_lookups_of(const char *directory, const struct eg_slot_set *slots, char **ret_problem)
{
	struct eg_lookup_list lookups = {};
	int r = eg_pins_list_lookups(directory, &lookups, ret_problem);

	for (size_t i = 0; i < lookups.list.len && r == 0; i++) {
		const struct eg_lookup *lookup = &lookups.list.items[i];

		if (lookup->slot >= EG_SLOTS_MAX || !slots->has[lookup->slot])
			continue;
		r = remove_pin(directory, lookup);
		if (r < 0)
			eg_problem(ret_problem, r, "%s/netns/s%u_%u: %s", directory, lookup->slot, lookup->netns,
				   strerror(-r));
	}
	eg_array_clear(&lookups.list);
	return r;
}

/* ---- programs ---- */

int eg_object_open_incoming(const struct eg_datapath *datapath, uint32_t slot, struct incoming_bpf **ret_object)
{
	struct incoming_bpf *object = incoming_bpf__open();
	int r = object ? eg_object_share_maps(datapath, object->obj) : -errno;

	if (r < 0) {
		incoming_bpf__destroy(object);
		return r;
	}
	object->rodata->eg_incoming_slot = slot;
	object->rodata->eg_dest_quota = datapath->destination_quota;
	object->rodata->eg_event_rate = datapath->event_rate;
	*ret_object = object;
	return 0;
}

static int load_program(const struct eg_datapath *datapath, uint32_t slot, struct incoming_bpf **ret_object)
{
	struct incoming_bpf *object = NULL;
	int r = eg_object_open_incoming(datapath, slot, &object);

	if (r == 0)
		r = incoming_bpf__load(object);
	if (r < 0)
		incoming_bpf__destroy(object);
	else
		*ret_object = object;
	return r;
}

int eg_datapath_add_lookup(struct eg_datapath *datapath, int netns_fd, uint32_t netns, uint32_t slot)
{
	const struct eg_lookup lookup = {.slot = slot, .netns = netns};
	struct incoming_bpf *object;
	struct bpf_link *link;
	char path[PATH_MAX];
	int r = load_program(datapath, slot, &object);

	if (r < 0)
		return r;
	lookup_path(datapath->directory, &lookup, path);
	r = eg_pins_remove_link(path);
	link = r < 0 ? NULL : bpf_program__attach_netns(object->progs.eg_in_lookup, netns_fd);
	if (r == 0)
		r = link ? bpf_link__pin(link, path) : -errno;
	bpf_link__destroy(link);
	incoming_bpf__destroy(object);
	return r;
}

static int adopt(struct eg_datapath *datapath, const struct eg_lookup *lookup)
{
	_cleanup_close_ int fd = -1;
	struct incoming_bpf *object;
	char path[PATH_MAX];
	int r;

	lookup_path(datapath->directory, lookup, path);
	fd = bpf_obj_get(path);
	r = fd < 0 ? -errno : load_program(datapath, lookup->slot, &object);
	if (r < 0)
		return r;
	r = bpf_link_update(fd, bpf_program__fd(object->progs.eg_in_lookup), NULL) < 0 ? -errno : 0;
	incoming_bpf__destroy(object);
	/* That of a namespace that is gone has nothing to update, and is removed later. */
	return r == -ENOLINK ? 0 : r;
}

int eg_datapath_adopt_lookups(struct eg_datapath *datapath)
{
	struct eg_lookup_list lookups = {};
	int r = eg_datapath_list_lookups(datapath, &lookups);

	for (size_t i = 0; i < lookups.list.len && r == 0; i++)
		if (lookups.list.items[i].live_netns != 0)
			r = adopt(datapath, &lookups.list.items[i]);
	eg_array_clear(&lookups.list);
	return r;
}

/* ---- programs of others ---- */

static bool is_ours(const struct eg_lookup_list *ours, uint32_t program_id)
{
	for (size_t i = 0; i < ours->list.len; i++)
		if (ours->list.items[i].program_id == program_id)
			return true;
	return false;
}

static int add_other(uint32_t link_id, const struct eg_lookup_list *ours, struct eg_other_lookups *others)
{
	struct eg_other_lookup other = {};
	struct bpf_prog_info program = {};
	_cleanup_close_ int program_fd = -1;
	__u32 len = sizeof(program);
	struct bpf_link_info link;
	int r = eg_inspect_link(link_id, &link);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (link.type != BPF_LINK_TYPE_NETNS || link.netns.attach_type != BPF_SK_LOOKUP || link.netns.netns_ino == 0 ||
	    is_ours(ours, link.prog_id))
		return 0;
	program_fd = bpf_prog_get_fd_by_id(link.prog_id);
	if (program_fd < 0 || bpf_obj_get_info_by_fd(program_fd, &program, &len) < 0)
		return 0;
	other.program_id = link.prog_id;
	other.netns = link.netns.netns_ino;
	memcpy(other.name, program.name, sizeof(other.name) - 1);
	return eg_array_push(&others->list, other);
}

int eg_inspect_other_lookups(const struct eg_lookup_list *ours, struct eg_other_lookups *ret_others)
{
	__u32 id = 0;

	while (bpf_link_get_next_id(id, &id) == 0) {
		int r = add_other(id, ours, ret_others);

		if (r < 0)
			return r;
	}
	return errno == ENOENT ? 0 : -errno;
}
