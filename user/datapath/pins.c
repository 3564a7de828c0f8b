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
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "datapath/lookups.h"
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

/*
 * Where a line of mountinfo has a BPF file system mounted, or NULL. Field 4 is what of it is mounted there, field 5 where:
 * a folder of one that is mounted for itself is no place for pins.
 */
static char *parse_bpffs(const char *line)
{
	_cleanup_free_ char *root = NULL, *point = NULL;

	if (!strstr(line, " - bpf ") || sscanf(line, "%*s %*s %*s %ms %ms", &root, &point) != 2 || strcmp(root, "/") != 0)
		return NULL;
	return TAKE_PTR(point);
}

/* The first one counts. 0 with NULL where there is none, or -errno. */
static int find_bpffs(char **ret_point)
{
	_cleanup_fclose_ FILE *mounts = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	char *point = NULL;

	if (!mounts)
		return -errno;
	while (!point && getline(&line, &size, mounts) > 0)
		point = parse_bpffs(line);
	if (!point && !feof(mounts))
		return -EIO;
	*ret_point = point;
	return 0;
}

int eg_pins_locate(char **ret_directory, char **ret_problem)
{
	_cleanup_free_ char *point = NULL;
	int r = find_bpffs(&point);

	/* Not -ENOENT, whatever it is: that is the answer of who has looked. */
	if (r < 0)
		return eg_problem(ret_problem, r == -ENOENT ? -EIO : r, "/proc/self/mountinfo: %s", strerror(-r));
	if (!point)
		return eg_problem(ret_problem, -ENOENT, "no BPF file system is mounted: mount -t bpf bpf /sys/fs/bpf");
	return asprintf(ret_directory, "%s/egressd", point) < 0 ? -ENOMEM : 0;
}

/* PROC_PID_INIT_INO: the inode number of the first pid namespace, outside of which process 1 is a container's. */
#define HOST_PID_NAMESPACE 0xEFFFFFFCu

bool eg_pins_are_on_host(const char *directory)
{
	_cleanup_fclose_ FILE *mounts = fopen("/proc/1/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	struct stat pins, namespace;

	if (!mounts || stat(directory, &pins) < 0 || stat("/proc/self/ns/pid", &namespace) < 0 ||
	    namespace.st_ino != HOST_PID_NAMESPACE)
		return false;
	while (getline(&line, &size, mounts) > 0) {
		unsigned int major_id, minor_id;

		if (strstr(line, " - bpf ") && sscanf(line, "%*s %*s %u:%u", &major_id, &minor_id) == 2 &&
		    makedev(major_id, minor_id) == pins.st_dev)
			return true;
	}
	return false;
}

int eg_pins_check_directory(const char *directory, char **ret_problem)
{
	struct statfs fs;
	struct stat st;

	if (lstat(directory, &st) < 0)
		return eg_problem(ret_problem, -errno, "%s: %s%s", directory, strerror(errno),
				  errno == EACCES ? ": root is needed" : "");
	if (!S_ISDIR(st.st_mode))
		return eg_problem(ret_problem, -ENOTDIR, "%s is no directory (a link?): remove it", directory);
	if (st.st_uid != 0 || (st.st_mode & 077) != 0)
		return eg_problem(ret_problem, -EACCES,
				  "%s belongs to user %u with mode %04o, not to root with 0700: somebody else made it; "
				  "move it away, and egressd makes its own",
				  directory, st.st_uid, st.st_mode & 07777);
	if (statfs(directory, &fs) < 0 || fs.f_type != BPF_FS_MAGIC)
		return eg_problem(ret_problem, -EINVAL, "%s is not on a BPF file system", directory);
	return 0;
}

#define LOCK_TRIES 20
#define LOCK_PAUSE_NS 10000000

/* Whoever only looks holds it for a moment too. */
int eg_pins_lock(const char *directory, int *ret_fd)
{
	static const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	_cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (unsigned int tries = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
		if (errno != EWOULDBLOCK || tries == LOCK_TRIES)
			return -errno;
		nanosleep(&pause, NULL);
	}
	/* Whoever held it has removed it. */
	if (!eg_pins_are_in_sight(fd, directory))
		return -ENOENT;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

bool eg_pins_are_locked(const char *directory)
{
	_cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
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

/* Sizes of the contract: the kernel writes as many bytes as a map's value has, whatever we expect. */
static const struct reader_map {
	const char *name;
	size_t offset;
	enum bpf_map_type type;
	__u32 key_size;
	__u32 value_size;
} reader_maps[] = {
	{"eg_control", offsetof(struct eg_maps, control), BPF_MAP_TYPE_ARRAY, 4, sizeof(struct eg_control)},
	{"eg_slots", offsetof(struct eg_maps, slots), BPF_MAP_TYPE_ARRAY, 4, sizeof(struct eg_slot)},
	{"eg_infos", offsetof(struct eg_maps, infos), BPF_MAP_TYPE_ARRAY, 4, sizeof(struct eg_slot_info)},
	{"eg_gates", offsetof(struct eg_maps, gates), BPF_MAP_TYPE_HASH, 8, sizeof(struct eg_gate_info)},
	{"eg_agent", offsetof(struct eg_maps, agent), BPF_MAP_TYPE_ARRAY, 4, sizeof(struct eg_agent)},
	{"eg_retired", offsetof(struct eg_maps, retired), BPF_MAP_TYPE_ARRAY, 4, sizeof(struct eg_retired)},
	{"eg_dests", offsetof(struct eg_maps, dests), BPF_MAP_TYPE_HASH, sizeof(struct eg_dest_key),
	 sizeof(struct eg_dest)},
	{"eg_events", offsetof(struct eg_maps, events), BPF_MAP_TYPE_RINGBUF, 0, 0},
#define BANK(bank) \
	{"eg_workloads_" #bank, offsetof(struct eg_maps, tables[bank][EG_TABLE_WORKLOADS]), BPF_MAP_TYPE_ARRAY, 4, \
	 sizeof(struct eg_workload_policy)}, \
	{"eg_exact_" #bank, offsetof(struct eg_maps, tables[bank][EG_TABLE_EXACT]), BPF_MAP_TYPE_HASH, \
	 sizeof(struct eg_addr_key), sizeof(struct eg_rules)}, \
	{"eg_prefixes_" #bank, offsetof(struct eg_maps, tables[bank][EG_TABLE_PREFIXES]), BPF_MAP_TYPE_LPM_TRIE, \
	 sizeof(struct eg_prefix_key), sizeof(struct eg_rules)}, \
	{"eg_ports_" #bank, offsetof(struct eg_maps, tables[bank][EG_TABLE_PORTS]), BPF_MAP_TYPE_HASH, \
	 sizeof(struct eg_port_key), sizeof(struct eg_port_rule)}
	BANK(0),
	BANK(1),
#undef BANK
	{"eg_enrolled", offsetof(struct eg_maps, enrolled), BPF_MAP_TYPE_HASH, 8, 4},
	{"eg_leases", offsetof(struct eg_maps, leases), BPF_MAP_TYPE_ARRAY, 4, sizeof(struct eg_lease)},
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

/* The first bytes of an array's only entry, which may be longer or shorter; 0 for what it lacks. */
static int read_front(int fd, void *ret_value, size_t size)
{
	_cleanup_free_ void *value = NULL;
	struct bpf_map_info info = {};
	__u32 len = sizeof(info), zero = 0;
	int r;

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	if (info.type != BPF_MAP_TYPE_ARRAY)
		return -EPROTO;
	value = malloc(info.value_size);
	if (!value)
		return -ENOMEM;
	r = bpf_map_lookup_elem(fd, &zero, value);
	if (r < 0)
		return r;
	memset(ret_value, 0, size);
	memcpy(ret_value, value, info.value_size < size ? info.value_size : size);
	return 0;
}

int eg_pins_read_abi(int control_fd, uint32_t *ret_abi)
{
	return read_front(control_fd, ret_abi, sizeof(*ret_abi));
}

int eg_pins_read_agent(const char *directory, struct eg_agent *ret_agent)
{
	_cleanup_close_ int fd = -1;
	int r = open_map(directory, "eg_agent", &fd);

	return r < 0 ? r : read_front(fd, ret_agent, sizeof(*ret_agent));
}

static int say_unfinished(const char *directory, const char *map, char **ret_problem)
{
	return eg_problem(ret_problem, -ENOENT,
			  "%s is not set up (%s): an agent is starting, or was killed while it did; ask again, or start egressd",
			  directory, map);
}

static int check_abi(const char *directory, const struct eg_maps *maps, char **ret_problem)
{
	uint32_t abi;
	int r = eg_pins_read_abi(maps->control, &abi);

	if (r == -EPROTO)
		return eg_problem(ret_problem, r, "the pinned eg_control is no map of egressd: somebody else made it");
	if (r < 0)
		return eg_problem(ret_problem, r, "cannot read the pinned eg_control: %s", strerror(-r));
	if (abi == 0)
		return say_unfinished(directory, "eg_control says nothing yet", ret_problem);
	if (abi != EG_ABI_VERSION)
		return eg_problem(ret_problem, -EPROTO,
				  "the pinned maps have ABI %u and this build has %u: use the egressctl of the build "
				  "that made them, or remove them with 'egressctl uninstall'",
				  abi, EG_ABI_VERSION);
	return 0;
}

static int check_sizes(struct eg_maps *maps, char **ret_problem)
{
	for (size_t i = 0; i < EG_COUNT_OF(reader_maps); i++) {
		const struct reader_map *wanted = &reader_maps[i];
		struct bpf_map_info info = {};
		__u32 len = sizeof(info);

		if (bpf_obj_get_info_by_fd(*map_fd(maps, i), &info, &len) < 0)
			return eg_problem(ret_problem, -errno, "cannot look at the pinned %s: %s", wanted->name,
					  strerror(errno));
		if (info.type != wanted->type || info.key_size != wanted->key_size ||
		    info.value_size != wanted->value_size)
			return eg_problem(ret_problem, -EPROTO,
					  "the pinned %s has another type or size than this build's", wanted->name);
	}
	return 0;
}

static int open_reader_map(const char *directory, struct eg_maps *maps, size_t index, char **ret_problem)
{
	const char *name = reader_maps[index].name;
	int r = open_map(directory, name, map_fd(maps, index));

	if (r == -ENOENT)
		return say_unfinished(directory, name, ret_problem);
	if (r == -EPERM || r == -EACCES)
		return eg_problem(ret_problem, r, "cannot open the pinned %s: %s: root is needed", name, strerror(-r));
	return r < 0 ? eg_problem(ret_problem, r, "cannot open the pinned %s: %s", name, strerror(-r)) : 0;
}

/* The ABI before all else: another build may have other maps. */
static int open_maps(const char *directory, struct eg_maps *maps, char **ret_problem)
{
	int r = open_reader_map(directory, maps, 0, ret_problem);

	_Static_assert(offsetof(struct eg_maps, control) == 0, "the first of reader_maps, and of struct eg_maps");
	if (r == 0)
		r = check_abi(directory, maps, ret_problem);
	for (size_t i = 1; i < EG_COUNT_OF(reader_maps) && r == 0; i++)
		r = open_reader_map(directory, maps, i, ret_problem);
	return r;
}

int eg_pins_open(const char *directory, struct eg_maps *ret_maps, char **ret_problem)
{
	struct eg_maps maps = EG_MAPS_NONE;
	struct stat st;
	int r;

	if (lstat(directory, &st) < 0 && errno == ENOENT)
		return eg_problem(ret_problem, -ENOENT, "nothing is pinned at %s: no agent has run here", directory);
	r = eg_pins_check_directory(directory, ret_problem);
	if (r < 0)
		return r;
	r = open_maps(directory, &maps, ret_problem);
	if (r == 0)
		r = check_sizes(&maps, ret_problem);
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

bool eg_link_pin_parse(const char *name, struct eg_link_pin *ret_pin)
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

static bool is_outside_slots(const struct eg_link_pin *pin, const char *prefix)
{
	return pin->slot == EG_GATE_SLOT && strncmp(pin->program, prefix, strlen(prefix)) == 0;
}

bool eg_link_pin_is_gates(const struct eg_link_pin *pin)
{
	return is_outside_slots(pin, "eg_gate_");
}

bool eg_link_pin_is_proxys(const struct eg_link_pin *pin)
{
	return is_outside_slots(pin, "eg_proxy_");
}

int eg_link_pin_open(int links_fd, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", links_fd, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* What the kernel says; a cgroup that is gone has no id. */
static int read_live_link(int links_fd, struct eg_link_pin *pin)
{
	_cleanup_close_ int fd = eg_link_pin_open(links_fd, pin->name);
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	pin->program_id = info.prog_id;
	if (info.type == BPF_LINK_TYPE_CGROUP) {
		pin->live_cgroup_id = info.cgroup.cgroup_id;
		pin->attach_type = info.cgroup.attach_type;
	}
	return 0;
}

/* What is no link, or one that cannot be detached, is unlinked all the same. `fd` may be negative. */
static int detach_and_unlink(int fd, const char *path)
{
	if (fd >= 0)
		bpf_link_detach(fd);
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/*
 * The kernel lets go of an unlinked pin's link some time later, in a worker. Detached
 * first, it is off its cgroup when this returns, which whoever waits for its programs
 * relies on: one that cannot be opened stays.
 */
int eg_pins_remove_link(const char *path)
{
	_cleanup_close_ int fd = bpf_obj_get(path);

	return fd < 0 && errno != ENOENT ? -errno : detach_and_unlink(fd, path);
}

static int remove_link(int links_fd, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", links_fd, name);
	return eg_pins_remove_link(path);
}

DIR *eg_link_pins_open(const char *directory)
{
	_cleanup_free_ char *path = NULL;

	return asprintf(&path, "%s/links", directory) < 0 ? NULL : opendir(path);
}

typedef int (*link_visitor)(int links_fd, const struct eg_link_pin *pin, void *context);

/* What is no link's name is passed over. 0, or -errno of the visit that failed. */
static int visit_links(const char *directory, link_visitor visit, void *context, char **ret_problem)
{
	DIR *links = eg_link_pins_open(directory);
	struct dirent *entry;
	int r = 0;

	/* An agent that was killed early has made no folder yet. */
	if (!links)
		return errno == ENOENT ? 0 : eg_problem(ret_problem, -errno, "%s/links: %s", directory, strerror(errno));
	while (r == 0 && (entry = readdir(links))) {
		struct eg_link_pin pin;

		if (!eg_link_pin_parse(entry->d_name, &pin))
			continue;
		r = visit(dirfd(links), &pin, context);
		if (r < 0)
			eg_problem(ret_problem, r, "%s/links/%s: %s", directory, entry->d_name, strerror(-r));
	}
	closedir(links);
	return r;
}

/* It may go while we look. */
static int list_link(int links_fd, const struct eg_link_pin *pin, void *context)
{
	struct eg_link_pins *links = context;
	struct eg_link_pin live = *pin;
	int r = read_live_link(links_fd, &live);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : eg_array_push(&links->list, live);
}

int eg_pins_list_links(const char *directory, struct eg_link_pins *ret_links, char **ret_problem)
{
	return visit_links(directory, list_link, ret_links, ret_problem);
}

static int remove_link_of(int links_fd, const struct eg_link_pin *pin, void *context)
{
	const struct eg_slot_set *slots = context;

	return pin->slot < EG_SLOTS_MAX && slots->has[pin->slot] ? remove_link(links_fd, pin->name) : 0;
}

int eg_pins_remove_links_of(const char *directory, const struct eg_slot_set *slots, char **ret_problem)
{
	int r = visit_links(directory, remove_link_of, (void *)slots, ret_problem);

	return r < 0 ? r : eg_pins_remove_lookups_of(directory, slots, ret_problem);
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

/* Of any kind. Nobody waits for programs any more: what cannot be opened goes too, if later. */
static int remove_pin(const char *path)
{
	_cleanup_close_ int fd = bpf_obj_get(path);

	return detach_and_unlink(fd, path);
}

struct removal {
	void (*said)(const char *path, void *context);
	void *context;
	char **ret_problem;
};

static int say_removed(const char *path, int r, const struct removal *removal)
{
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return eg_problem(removal->ret_problem, r, "%s: %s", path, strerror(-r));
	removal->said(path, removal->context);
	return 0;
}

static int remove_directory(const char *path, const struct removal *removal)
{
	return say_removed(path, rmdir(path) < 0 ? -errno : 0, removal);
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
			r = say_removed(file, remove_pin(file), removal);
	}
	closedir(folder);
	return r < 0 ? r : remove_directory(path, removal);
}

int eg_pins_remove(const char *directory, void (*said)(const char *path, void *context), void *context,
		   char **ret_problem)
{
	/* Links first: without them the maps are of no use to anybody. */
	static const char *const folders[] = {"links", "netns", "iters", "maps"};
	const struct removal removal = {said, context, ret_problem};
	struct stat st;
	int r;

	if (lstat(directory, &st) < 0 && errno == ENOENT)
		return 0;
	/* What is below somebody else's directory, or behind a link, is not ours to remove. */
	r = eg_pins_check_directory(directory, ret_problem);
	for (size_t i = 0; i < EG_COUNT_OF(folders) && r == 0; i++) {
		_cleanup_free_ char *path = NULL;

		if (asprintf(&path, "%s/%s", directory, folders[i]) < 0)
			return -ENOMEM;
		r = remove_folder(path, &removal);
	}
	return r < 0 ? r : remove_directory(directory, &removal);
}
