/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "datapath/inspect.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "datapath/object.h"

/* The kernel allows 64 programs a cgroup and hook. */
#define EFFECTIVE_MAX 1024u

struct program_list {
	uint32_t ids[EFFECTIVE_MAX];
	size_t count;
};

void eg_inspection_clear(struct eg_inspection *inspection)
{
	for (size_t i = 0; i < inspection->foreign.len; i++)
		free(inspection->foreign.items[i].cgroup);
	eg_array_clear(&inspection->foreign);
	eg_array_clear(&inspection->hooks);
}

bool eg_inspection_is_enforced(const struct eg_inspection *inspection)
{
	for (size_t i = 0; i < inspection->hooks.len; i++)
		if (!inspection->hooks.items[i].is_effective)
			return false;
	return inspection->hooks.len > 0;
}

/* ---- programs ---- */

static int query_programs(int cgroup_fd, uint32_t attach_type, uint32_t flags, struct program_list *ret_programs)
{
	__u32 count = EFFECTIVE_MAX;

	if (bpf_prog_query(cgroup_fd, (enum bpf_attach_type)attach_type, flags, NULL, ret_programs->ids, &count) < 0)
		return -errno;
	ret_programs->count = count;
	return 0;
}

static bool has_id(const uint32_t *ids, size_t count, uint32_t id)
{
	for (size_t i = 0; i < count; i++)
		if (ids[i] == id)
			return true;
	return false;
}

static bool has_program(const struct program_list *programs, uint32_t id)
{
	return has_id(programs->ids, programs->count, id);
}

static int read_program(uint32_t id, struct bpf_prog_info *ret_info)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);
	__u32 len = sizeof(*ret_info);

	*ret_info = (struct bpf_prog_info){};
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, ret_info, &len) < 0)
		return -errno;
	return 0;
}

/* The programs of all our links, and of the one that is asked about its code, and its hook where that is one of the LSM. */
struct ours {
	const struct eg_link_pins *pins;
	uint8_t tag[BPF_TAG_SIZE];
	uint32_t attach_btf_id;
};

/*
 * Another run's program is ours too if it is the very same code, by the kernel's hash of it. A name says nothing.
 * The kernel lists the programs of all hooks of the LSM as one: those of others have no word in ours.
 */
static bool is_ours(uint32_t program_id, const void *context)
{
	const struct ours *ours = context;
	struct bpf_prog_info info;

	for (size_t i = 0; i < ours->pins->list.len; i++)
		if (ours->pins->list.items[i].program_id == program_id)
			return true;
	return read_program(program_id, &info) == 0 && (info.attach_btf_id != ours->attach_btf_id ||
							memcmp(info.tag, ours->tag, sizeof(ours->tag)) == 0);
}

size_t eg_inspect_after(const uint32_t *effective, size_t count, uint32_t own_id,
			bool (*is_own)(uint32_t program_id, const void *context), const void *context,
			uint32_t *ret_foreign)
{
	size_t i = 0, found = 0;

	while (i < count && effective[i] != own_id)
		i++;
	for (; i < count; i++)
		if (effective[i] != own_id && !has_id(ret_foreign, found, effective[i]) &&
		    !is_own(effective[i], context))
			ret_foreign[found++] = effective[i];
	return found;
}

/* ---- programs of others ---- */

/* Whether what ours answers, or asks the kernel for, is not the last word. */
static bool has_later_word(uint32_t attach_type)
{
	return attach_type != BPF_CGROUP_INET_EGRESS && attach_type != BPF_CGROUP_INET_INGRESS &&
	       attach_type != BPF_CGROUP_INET_SOCK_RELEASE;
}

/* The nearest cgroup, from the one at `path` upwards, that the program is attached to itself. */
static char *find_owner(const char *mount_point, const char *path, uint32_t attach_type, uint32_t program_id)
{
	_cleanup_free_ char *directory = strdup(path);
	size_t end = strlen(mount_point);

	while (directory && strlen(directory) >= end) {
		_cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct program_list programs;
		char *slash = strrchr(directory, '/');

		if (fd >= 0 && query_programs(fd, attach_type, 0, &programs) == 0 && has_program(&programs, program_id))
			return TAKE_PTR(directory);
		if (!slash)
			return NULL;
		*slash = '\0';
	}
	return NULL;
}

static int add_foreign(struct eg_inspection *inspection, const char *mount_point, const char *path,
		       const struct eg_link_pin *pin, uint32_t program_id)
{
	struct eg_foreign foreign = {
		.program_id = program_id,
		.can_overrule = pin->attach_type != BPF_CGROUP_SOCK_OPS,
		.hook = libbpf_bpf_attach_type_str((enum bpf_attach_type)pin->attach_type),
		.cgroup = find_owner(mount_point, path, pin->attach_type, program_id),
	};
	struct bpf_prog_info info;
	int r;

	/* One that went away meanwhile undoes nothing any more. */
	if (read_program(program_id, &info) < 0) {
		free(foreign.cgroup);
		return 0;
	}
	memcpy(foreign.name, info.name, sizeof(foreign.name) - 1);
	r = eg_array_push(&inspection->foreign, foreign);
	if (r < 0)
		free(foreign.cgroup);
	return r;
}

static int inspect_foreign(struct eg_inspection *inspection, const struct eg_link_pins *pins, const char *mount_point,
			   const char *path, const struct eg_link_pin *pin, const struct program_list *effective)
{
	struct ours ours = {.pins = pins};
	struct program_list foreign;
	struct bpf_prog_info info = {};
	int r = has_later_word(pin->attach_type) ? read_program(pin->program_id, &info) : 0;

	if (r < 0 || !has_later_word(pin->attach_type))
		return r;
	memcpy(ours.tag, info.tag, sizeof(ours.tag));
	ours.attach_btf_id = info.attach_btf_id;
	foreign.count = eg_inspect_after(effective->ids, effective->count, pin->program_id, is_ours, &ours, foreign.ids);
	for (size_t i = 0; i < foreign.count && r == 0; i++)
		r = add_foreign(inspection, mount_point, path, pin, foreign.ids[i]);
	return r;
}

/* ---- a cgroup ---- */

static const struct eg_link_pin *find_pin(const struct eg_link_pins *pins, uint32_t slot, uint64_t cgroup_id,
					  const char *program)
{
	const struct eg_link_pin *found = NULL;

	for (size_t i = 0; i < pins->list.len; i++) {
		const struct eg_link_pin *pin = &pins->list.items[i];

		if (pin->slot != slot || strcmp(pin->program, program) != 0)
			continue;
		if (!found || pin->live_cgroup_id == cgroup_id)
			found = pin;
	}
	return found;
}

/* A cgroup that is looked at. */
struct place {
	const char *mount_point;
	const char *path;
	uint64_t id;
	int fd;
};

static int inspect_hook(struct eg_inspection *inspection, const struct eg_link_pins *pins,
			const struct eg_link_pin *pin, const char *program, const struct place *place)
{
	struct eg_hook_state state = {.is_pinned = pin};
	struct program_list effective = {};
	int r = 0;

	strncpy(state.program, program, sizeof(state.program) - 1);
	state.is_attached = pin && pin->cgroup_id == place->id && pin->live_cgroup_id == place->id;
	if (state.is_attached)
		r = query_programs(place->fd, pin->attach_type, BPF_F_QUERY_EFFECTIVE, &effective);
	state.is_effective = state.is_attached && has_program(&effective, pin->program_id);
	if (r == 0 && state.is_effective)
		r = inspect_foreign(inspection, pins, place->mount_point, place->path, pin, &effective);
	return r < 0 ? r : eg_array_push(&inspection->hooks, state);
}

static int add_name(struct eg_program_names *names, const struct bpf_program *program)
{
	if (names->count == EG_PROGRAMS_MAX)
		return -E2BIG;
	strncpy(names->names[names->count++], bpf_program__name(program), sizeof(names->names[0]) - 1);
	return 0;
}

static int add_program(const struct eg_datapath *datapath, const struct bpf_program *program,
		       struct eg_program_sets *sets)
{
	bool decides = eg_object_decides(datapath, program);
	int r = 0;

	for (int guarded = 0; guarded < 2; guarded++)
		for (int redirects = 0; redirects < 2; redirects++)
			if (r == 0 && (decides || (guarded && eg_object_is_guard(program)) ||
				       (redirects && eg_object_is_redirect(program))))
				r = add_name(&sets->workload[guarded][redirects], program);
	if (r == 0 && eg_object_is_gate(program))
		r = add_name(&sets->gate, program);
	if (r == 0 && eg_object_is_filter(program))
		r = add_name(&sets->filter, program);
	return r;
}

int eg_inspect_programs(bool has_lsm, struct eg_program_sets *ret_sets)
{
	static const struct eg_datapath_options any = {.slots = 2, .destinations = 1, .leases = 1};
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = NULL;
	struct bpf_program *program;
	/* Opened, never loaded. */
	int r = eg_object_open(&any, &datapath);

	if (r < 0)
		return r;
	*ret_sets = (struct eg_program_sets){};
	bpf_object__for_each_program(program, datapath->skeleton->obj)
		if (r == 0)
			r = add_program(datapath, program, ret_sets);
	bpf_object__for_each_program(program, eg_object_lsm(datapath))
		for (int redirects = 0; redirects < 2; redirects++)
			if (r == 0 && has_lsm)
				r = add_name(&ret_sets->workload[true][redirects], program);
	return r;
}

int eg_inspect_cgroup(const struct eg_program_names *programs, const struct eg_link_pins *pins, uint32_t slot,
		      const char *mount_point, const char *path, uint64_t cgroup_id,
		      struct eg_inspection *ret_inspection)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct place place = {mount_point, path, cgroup_id, fd};
	int r = fd < 0 ? -errno : 0;

	for (size_t i = 0; i < programs->count && r == 0; i++) {
		const char *name = programs->names[i];

		r = inspect_hook(ret_inspection, pins, find_pin(pins, slot, cgroup_id, name), name, &place);
	}
	return r;
}

/* ---- the whole node ---- */

int eg_inspect_link(uint32_t id, struct bpf_link_info *ret_link)
{
	_cleanup_close_ int fd = bpf_link_get_fd_by_id(id);
	__u32 len = sizeof(*ret_link);

	*ret_link = (struct bpf_link_info){};
	if (fd < 0)
		return errno == EAGAIN ? -ENOENT : -errno;
	return bpf_obj_get_info_by_fd(fd, ret_link, &len) < 0 ? -errno : 0;
}

static int add_found_link(uint32_t id, struct eg_found_links *links)
{
	struct eg_found_link found = {.id = id};
	struct bpf_prog_info program;
	struct bpf_link_info link;
	int r = eg_inspect_link(id, &link);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (link.type == BPF_LINK_TYPE_CGROUP)
		found.cgroup_id = link.cgroup.cgroup_id;
	else if (link.type == BPF_LINK_TYPE_NETNS)
		found.netns = link.netns.netns_ino;
	if ((found.cgroup_id == 0 && found.netns == 0) || read_program(link.prog_id, &program) < 0 ||
	    strncmp(program.name, "eg_", strlen("eg_")) != 0)
		return 0;
	memcpy(found.program, program.name, sizeof(found.program) - 1);
	return eg_array_push(&links->list, found);
}

int eg_inspect_links(struct eg_found_links *ret_links)
{
	__u32 id = 0;

	while (bpf_link_get_next_id(id, &id) == 0) {
		int r = add_found_link(id, ret_links);

		if (r < 0)
			return r;
	}
	return errno == ENOENT ? 0 : -errno;
}
