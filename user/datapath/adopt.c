/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A datapath on pinned maps: those of an agent before us, or new ones. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "datapath/lookups.h"
#include "datapath/object.h"
#include "datapath/pinning.h"
#include "datapath/pins.h"
#include "datapath/refusal.h"

/* ---- the directory ---- */

static const char *remedy(int error)
{
	return error == EROFS ? ": the BPF file system is mounted read-only: mount -o remount,rw" : "";
}

int eg_pins_make_directory(const char *path, char **ret_problem)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return eg_problem(ret_problem, -errno, "cannot make %s: %s%s", path, strerror(errno),
				  remedy(errno));
	/* Before anything is done: with pins that are there much would succeed. */
	if (access(path, W_OK) < 0 && errno == EROFS)
		return eg_problem(ret_problem, -EROFS, "%s: %s%s", path, strerror(EROFS), remedy(EROFS));
	return eg_pins_check_directory(path, ret_problem);
}

const char *const eg_pin_folders[EG_PIN_FOLDERS] = {"maps", "links", "netns", "iters"};

int eg_pins_make_folders(const char *directory, char **ret_problem)
{
	int r = eg_pins_make_directory(directory, ret_problem);

	for (size_t i = 0; i < EG_PIN_FOLDERS && r == 0; i++) {
		_cleanup_free_ char *path = NULL;

		if (asprintf(&path, "%s/%s", directory, eg_pin_folders[i]) < 0)
			return -ENOMEM;
		r = eg_pins_make_directory(path, ret_problem);
	}
	return r;
}

/* Folders that a start has made which is refused: where there are maps, somebody was here before. */
static void remove_empty(const char *directory)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < EG_PIN_FOLDERS; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, eg_pin_folders[i]);
		if (rmdir(path) < 0)
			return;
	}
	rmdir(directory);
}

/* ---- maps ---- */

/* Of the map's value: "eg_slot". NULL where it has none, as a ring buffer. */
static const char *value_name(const struct btf *btf, __u32 type_id)
{
	const struct btf_type *type = type_id ? btf__type_by_id(btf, type_id) : NULL;

	return type ? btf__name_by_offset(btf, type->name_off) : NULL;
}

/* 1 or 0; -errno: nobody can tell. */
static int has_value_type(const struct bpf_map_info *info, const char *wanted)
{
	struct btf *btf = info->btf_id ? btf__load_from_kernel_by_id(info->btf_id) : NULL;
	const char *found = btf ? value_name(btf, info->btf_value_type_id) : NULL;
	int r = info->btf_id && !btf ? -errno : found && strcmp(found, wanted) == 0;

	btf__free(btf);
	return r;
}

/* A map of an agent before us is taken as it is, or not at all; only its capacity may differ from ours. */
static int check_map(struct eg_datapath *datapath, struct bpf_map *map, int fd, char **ret_problem)
{
	const struct btf *own = bpf_object__btf(datapath->skeleton->obj);
	const char *wanted = value_name(own, bpf_map__btf_value_type_id(map));
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int r = 1;

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return eg_problem(ret_problem, -errno, "cannot look at the pinned %s: %s", bpf_map__name(map),
				  strerror(errno));
	if (info.type != bpf_map__type(map) || info.key_size != bpf_map__key_size(map) ||
	    info.value_size != bpf_map__value_size(map) || info.map_flags != bpf_map__map_flags(map))
		return eg_problem(ret_problem, -EPROTO, "the pinned %s has another type or size than this build's",
				  bpf_map__name(map));
	if (wanted)
		r = has_value_type(&info, wanted);
	if (r < 0)
		return eg_problem(ret_problem, r, "cannot look at the types of the pinned %s: %s", bpf_map__name(map),
				  strerror(-r));
	if (r == 0)
		return eg_problem(ret_problem, -EPROTO, "the values of the pinned %s are not of type %s",
				  bpf_map__name(map), wanted);
	return bpf_map__set_max_entries(map, info.max_entries);
}

static int explain_load(int error, const char *reason, char **ret_problem)
{
	return eg_problem(ret_problem, error, "cannot load the BPF programs: %s", reason ? reason : strerror(-error));
}

/* Without the right to load programs there is none to look for pins either. */
static int explain_refusal(char **ret_problem)
{
	struct eg_refusal refusal = {.error = -EPERM};
	_cleanup_free_ char *reason = NULL;

	eg_refusal_observe(&refusal);
	reason = eg_refusal_explain(&refusal);
	return explain_load(refusal.error, reason, ret_problem);
}

/* Settings of the programs are the build's own. */
static bool is_shared(const struct bpf_map *map)
{
	return !strchr(bpf_map__name(map), '.');
}

static void write_map_path(const struct eg_datapath *datapath, const struct bpf_map *map, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/maps/%s", datapath->directory, bpf_map__name(map));
}

/* A descriptor of what is pinned there, -ENOENT where nothing is, or -errno with *ret_problem. */
static int open_pin(const char *path, char **ret_problem)
{
	int fd = bpf_obj_get(path);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		return -ENOENT;
	if (errno == EPERM)
		return explain_refusal(ret_problem);
	return eg_problem(ret_problem, -errno, "%s: %s%s", path, strerror(errno), remedy(errno));
}

/* Its pin, if there is one. */
static int take_map(struct eg_datapath *datapath, struct bpf_map *map, char **ret_problem)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int r;

	write_map_path(datapath, map, path);
	fd = open_pin(path, ret_problem);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = check_map(datapath, map, fd, ret_problem);
	return r < 0 ? r : bpf_map__reuse_fd(map, fd);
}

static int take_maps(struct eg_datapath *datapath, char **ret_problem)
{
	struct bpf_map *map;
	int r = 0;

	bpf_object__for_each_map(map, datapath->skeleton->obj) {
		if (r == 0 && is_shared(map))
			r = take_map(datapath, map, ret_problem);
	}
	return r;
}

/* What was there already is what was taken: nobody else is at work here. */
static int pin_maps(const struct eg_datapath *datapath, char **ret_problem)
{
	const struct bpf_map *map;
	char path[PATH_MAX];

	bpf_object__for_each_map(map, datapath->skeleton->obj) {
		write_map_path(datapath, map, path);
		if (is_shared(map) && bpf_obj_pin(bpf_map__fd(map), path) < 0 && errno != EEXIST)
			return eg_problem(ret_problem, -errno, "cannot pin %s: %s%s", path, strerror(errno), remedy(errno));
	}
	return 0;
}

/* What was written by another ABI is not looked at any further. */
static int check_abi(const char *directory, char **ret_problem)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *path = NULL;
	uint32_t abi;
	int r;

	if (asprintf(&path, "%s/maps/eg_control", directory) < 0)
		return -ENOMEM;
	fd = open_pin(path, ret_problem);
	/* None yet. */
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = eg_pins_read_abi(fd, &abi);
	if (r < 0)
		return eg_problem(ret_problem, r, "%s cannot be read as a map of egressd: somebody else made it", path);
	/* 0: an agent before us was killed before it could write the word. */
	if (abi == 0 || abi == EG_ABI_VERSION)
		return 0;
	return eg_problem(ret_problem, -EPROTO,
			  "the maps pinned at %s have ABI %u and this build has %u: run the build that made them, or "
			  "remove them with 'egressctl uninstall', which ends their enforcement",
			  directory, abi, EG_ABI_VERSION);
}

/* Nothing is pinned before the kernel has taken all programs: one that refuses them is left as it was. */
static int load_onto(struct eg_datapath *datapath, char **ret_problem)
{
	_cleanup_free_ char *reason = NULL;
	int r = check_abi(datapath->directory, ret_problem);

	if (r == 0)
		r = take_maps(datapath, ret_problem);
	if (r < 0)
		return r;
	r = eg_object_load(datapath, &reason);
	return r < 0 ? explain_load(r, reason, ret_problem) : pin_maps(datapath, ret_problem);
}

/* ---- the policy in force ---- */

static int adopt_policy(struct eg_datapath *datapath)
{
	struct eg_maps maps = eg_datapath_maps(datapath);
	struct eg_control control;
	struct eg_image *image;
	int r = eg_maps_read_control(&maps, &control);

	if (r < 0)
		return r;
	/* Programs go by the one and by the other. */
	if (control.active != (control.generation & 1))
		return -EBADMSG;
	control.abi = EG_ABI_VERSION;
	r = eg_object_write_control(datapath, &control);
	if (r == 0)
		r = eg_maps_read_image(&maps, &image);
	if (r < 0)
		return r;
	eg_image_free(datapath->image);
	datapath->image = image;
	/* Whoever was here before may have been killed while it wrote there. */
	datapath->idle_is_unknown = true;
	return 0;
}

/* ---- links ---- */

static const struct bpf_program *find_program(const struct eg_datapath *datapath, const char *name)
{
	const struct bpf_object *lsm = eg_object_lsm(datapath);
	const struct bpf_program *program = bpf_object__find_program_by_name(datapath->skeleton->obj, name);

	return program || !lsm ? program : bpf_object__find_program_by_name(lsm, name);
}

/*
 * The same link goes over to this build's program: there is no moment without one. What
 * this build could not load goes on with the program that it has.
 */
static int update_link(const struct eg_datapath *datapath, const struct eg_link_pin *pin, char **ret_problem)
{
	const struct bpf_program *program = find_program(datapath, pin->program);
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/links/%s", datapath->directory, pin->name);
	fd = bpf_obj_get(path);
	if (fd < 0 || !program)
		return eg_problem(ret_problem, fd < 0 ? -errno : -ENOENT, "%s: %s", path,
				  fd < 0 ? strerror(errno) : "this build has no such program");
	if (bpf_program__fd(program) < 0)
		return 0;
	if (bpf_link_update(fd, bpf_program__fd(program), NULL) == 0)
		return 0;
	/* The link of a cgroup that is gone has nothing to update; its slot is given back later. */
	if (errno == ENOLINK)
		return 0;
	return eg_problem(ret_problem, -errno, "cannot update %s: %s", path, strerror(errno));
}

static int update_links(const struct eg_datapath *datapath, char **ret_problem)
{
	struct eg_link_pins pins = {};
	int r = eg_pins_list_links(datapath->directory, &pins, ret_problem);

	for (size_t i = 0; i < pins.list.len && r == 0; i++)
		r = update_link(datapath, &pins.list.items[i], ret_problem);
	eg_array_clear(&pins.list);
	return r;
}

int eg_datapath_open(const char *directory, const struct eg_datapath_options *options,
		     struct eg_datapath **ret_datapath, char **ret_problem)
{
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = NULL;
	int r = eg_pins_make_folders(directory, ret_problem);

	if (r == 0)
		r = eg_object_open(options, &datapath);
	if (r == 0) {
		datapath->directory = strdup(directory);
		r = datapath->directory ? load_onto(datapath, ret_problem) : -ENOMEM;
		if (r < 0)
			remove_empty(directory);
	}
	if (r == 0)
		r = adopt_policy(datapath);
	if (r == 0)
		r = update_links(datapath, ret_problem);
	if (r == 0)
		r = eg_datapath_adopt_lookups(datapath);
	if (r < 0 && !*ret_problem)
		return eg_problem(ret_problem, r, "cannot load onto the maps pinned at %s: %s", directory, strerror(-r));
	if (r < 0)
		return r;
	*ret_datapath = TAKE_PTR(datapath);
	return 0;
}
