/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "datapath/pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "datapath/pinning.h"

int eg_problem(char **ret_problem, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(ret_problem, format, args) < 0)
		*ret_problem = NULL;
	va_end(args);
	return error;
}

/* ---- the directory ---- */

/* Field 5 of a mountinfo line is the mount point. The first BPF file system counts. */
static char *find_bpffs(void)
{
	_cleanup_fclose_ FILE *mounts = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	char *point;

	while (mounts && getline(&line, &size, mounts) > 0)
		if (strstr(line, " - bpf ") && sscanf(line, "%*s %*s %*s / %ms", &point) == 1)
			return point;
	return NULL;
}

int eg_pins_locate(char **ret_directory, char **ret_problem)
{
	_cleanup_free_ char *point = find_bpffs();

	if (!point)
		return eg_problem(ret_problem, -ENOENT, "no BPF file system is mounted: mount -t bpf bpf /sys/fs/bpf");
	return asprintf(ret_directory, "%s/egressd", point) < 0 ? -ENOMEM : 0;
}

int eg_pins_check_directory(const char *directory, char **ret_problem)
{
	struct statfs fs;
	struct stat st;

	if (lstat(directory, &st) < 0)
		return eg_problem(ret_problem, -errno, "%s: %s", directory, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return eg_problem(ret_problem, -ENOTDIR, "%s is no directory (a link?): remove it", directory);
	if (st.st_uid != 0 || (st.st_mode & 077) != 0)
		return eg_problem(ret_problem, -EACCES,
				  "%s belongs to user %u with mode %04o, not to root with 0700: somebody else made it",
				  directory, st.st_uid, st.st_mode & 07777);
	if (statfs(directory, &fs) < 0 || fs.f_type != BPF_FS_MAGIC)
		return eg_problem(ret_problem, -EINVAL, "%s is not on a BPF file system", directory);
	return 0;
}

/* ---- maps, for reading ---- */

static int open_map(const char *directory, const char *name, int *ret_fd)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/maps/%s", directory, name) < 0)
		return -ENOMEM;
	*ret_fd = bpf_obj_get(path);
	return *ret_fd < 0 ? -errno : 0;
}

static const struct {
	const char *name;
	size_t offset;
} reader_maps[] = {
	{"eg_control", offsetof(struct eg_maps, control)}, {"eg_slots", offsetof(struct eg_maps, slots)},
	{"eg_infos", offsetof(struct eg_maps, infos)},	   {"eg_agent", offsetof(struct eg_maps, agent)},
	{"eg_retired", offsetof(struct eg_maps, retired)}, {"eg_dests", offsetof(struct eg_maps, dests)},
	{"eg_events", offsetof(struct eg_maps, events)},
};

static int *map_fd(struct eg_maps *maps, size_t index)
{
	return (int *)((char *)maps + reader_maps[index].offset);
}

void eg_maps_close(struct eg_maps *maps)
{
	for (size_t i = 0; i < EG_COUNT_OF(reader_maps); i++) {
		eg_closep(map_fd(maps, i));
		*map_fd(maps, i) = -1;
	}
}

static int check_abi(const struct eg_maps *maps, char **ret_problem)
{
	struct eg_control control;
	int r = eg_maps_read_control(maps, &control);

	if (r < 0)
		return eg_problem(ret_problem, r, "cannot read the pinned eg_control: %s", strerror(-r));
	if (control.abi != EG_ABI_VERSION)
		return eg_problem(ret_problem, -EPROTO,
				  "the pinned maps have ABI %u and this build has %u: use the egressctl of the build "
				  "that made them, or remove them with 'egressctl uninstall'",
				  control.abi, EG_ABI_VERSION);
	return 0;
}

int eg_pins_open(const char *directory, struct eg_maps *ret_maps, char **ret_problem)
{
	struct eg_maps maps;
	int r = 0;

	if (access(directory, F_OK) < 0 && errno == ENOENT)
		return eg_problem(ret_problem, -ENOENT, "nothing is pinned at %s: no agent has run since boot", directory);
	r = eg_pins_check_directory(directory, ret_problem);
	if (r < 0)
		return r;
	for (size_t i = 0; i < EG_COUNT_OF(reader_maps); i++)
		*map_fd(&maps, i) = -1;
	for (size_t i = 0; i < EG_COUNT_OF(reader_maps) && r == 0; i++) {
		r = open_map(directory, reader_maps[i].name, map_fd(&maps, i));
		if (r < 0)
			eg_problem(ret_problem, r, "cannot open the pinned %s: %s", reader_maps[i].name, strerror(-r));
	}
	if (r == 0)
		r = check_abi(&maps, ret_problem);
	if (r < 0) {
		eg_maps_close(&maps);
		return r;
	}
	*ret_maps = maps;
	return 0;
}

/* ---- links ---- */

int eg_link_pin_name(uint32_t slot, uint64_t cgroup_id, const char *program, char *name, size_t size)
{
	int len = snprintf(name, size, "s%" PRIu32 "_%" PRIu64 "_%s", slot, cgroup_id, program);

	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

static bool parse_link_name(const char *name, struct eg_link_pin *ret_pin)
{
	struct eg_link_pin pin = {};
	int end = 0;

	if (strlen(name) >= sizeof(pin.name) ||
	    sscanf(name, "s%" SCNu32 "_%" SCNu64 "_%15[a-z0-9_]%n", &pin.slot, &pin.cgroup_id, pin.program, &end) != 3 ||
	    name[end] != '\0')
		return false;
	strcpy(pin.name, name);
	*ret_pin = pin;
	return true;
}

/* What the kernel says; a cgroup that is gone has no id. */
static int read_live_id(int links_fd, struct eg_link_pin *pin)
{
	_cleanup_close_ int fd = -1;
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", links_fd, pin->name);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	pin->live_cgroup_id = info.type == BPF_LINK_TYPE_CGROUP ? info.cgroup.cgroup_id : 0;
	return 0;
}

static DIR *open_links(const char *directory)
{
	_cleanup_free_ char *path = NULL;

	return asprintf(&path, "%s/links", directory) < 0 ? NULL : opendir(path);
}

int eg_pins_list_links(const char *directory, struct eg_link_pins *ret_links, char **ret_problem)
{
	DIR *links = open_links(directory);
	struct dirent *entry;
	int r = 0;

	if (!links)
		return eg_problem(ret_problem, -errno, "%s/links: %s", directory, strerror(errno));
	while (r == 0 && (entry = readdir(links))) {
		struct eg_link_pin pin;

		if (!parse_link_name(entry->d_name, &pin))
			continue;
		r = read_live_id(dirfd(links), &pin);
		if (r == 0)
			r = eg_array_push(&ret_links->list, pin);
		if (r < 0)
			eg_problem(ret_problem, r, "%s/links/%s: %s", directory, entry->d_name, strerror(-r));
	}
	closedir(links);
	return r;
}

/*
 * Without the pin the kernel would detach the program too, but in its own time: after
 * a grace period and by a work queue. Detached, it has ended when the call returns.
 */
static int remove_link(int links_fd, const char *name)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", links_fd, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (bpf_link_detach(fd) < 0)
		return -errno;
	return unlinkat(links_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int eg_pins_remove_links_of(const char *directory, const struct eg_slot_set *slots, char **ret_problem)
{
	DIR *links = open_links(directory);
	struct dirent *entry;
	int r = 0;

	if (!links)
		return eg_problem(ret_problem, -errno, "%s/links: %s", directory, strerror(errno));
	while (r == 0 && (entry = readdir(links))) {
		struct eg_link_pin pin;

		if (!parse_link_name(entry->d_name, &pin))
			continue;
		if (pin.slot < EG_SLOTS_MAX && slots->has[pin.slot])
			r = remove_link(dirfd(links), entry->d_name);
		if (r < 0)
			eg_problem(ret_problem, r, "%s/links/%s: %s", directory, entry->d_name, strerror(-r));
	}
	closedir(links);
	return r;
}

int eg_pins_remove_links(const char *directory, uint32_t slot, char **ret_problem)
{
	struct eg_slot_set slots = {};

	if (slot < EG_SLOTS_MAX)
		eg_slot_set_add(&slots, slot);
	else
		memset(slots.has, true, sizeof(slots.has));
	return eg_pins_remove_links_of(directory, &slots, ret_problem);
}

/* ---- the end ---- */

struct removal {
	void (*said)(const char *path, void *context);
	void *context;
	char **ret_problem;
};

static int remove_path(const char *path, int (*call)(const char *path), const struct removal *removal)
{
	if (call(path) < 0)
		return errno == ENOENT ? 0 : eg_problem(removal->ret_problem, -errno, "%s: %s", path, strerror(errno));
	removal->said(path, removal->context);
	return 0;
}

static int remove_folder(const char *path, const struct removal *removal)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	int r = 0;

	if (!folder)
		return errno == ENOENT ? 0 : eg_problem(removal->ret_problem, -errno, "%s: %s", path, strerror(errno));
	while (r == 0 && (entry = readdir(folder))) {
		_cleanup_free_ char *file = NULL;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (asprintf(&file, "%s/%s", path, entry->d_name) < 0)
			r = -ENOMEM;
		else
			r = remove_path(file, unlink, removal);
	}
	closedir(folder);
	return r < 0 ? r : remove_path(path, rmdir, removal);
}

int eg_pins_remove(const char *directory, void (*said)(const char *path, void *context), void *context,
		   char **ret_problem)
{
	/* Links first: without them the maps are of no use to anybody. */
	static const char *const folders[] = {"links", "maps"};
	const struct removal removal = {said, context, ret_problem};

	if (access(directory, F_OK) < 0 && errno == ENOENT)
		return 0;
	for (size_t i = 0; i < EG_COUNT_OF(folders); i++) {
		_cleanup_free_ char *path = NULL;
		int r;

		if (asprintf(&path, "%s/%s", directory, folders[i]) < 0)
			return -ENOMEM;
		r = remove_folder(path, &removal);
		if (r < 0)
			return r;
	}
	return remove_path(directory, rmdir, &removal);
}
