/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "workload/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "base/cleanup.h"

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
/* Deeper than any real tree: what is below is not looked at. */
#define DEPTH_MAX 64

/* ---- finding ---- */

/* The kernel writes space, tab, newline and backslash in mountinfo as \ooo. */
static void unescape(char *text)
{
	char *out = text;

	for (const char *in = text; *in;) {
		unsigned int code;

		if (in[0] == '\\' && sscanf(in + 1, "%3o", &code) == 1) {
			*out++ = (char)code;
			in += 4;
		} else {
			*out++ = *in++;
		}
	}
	*out = '\0';
}

/* One line of mountinfo: fields 4 and 5 are the root within the file system and the mount point. */
static bool parse_cgroup2_mount(const char *line, char **ret_root, char **ret_point)
{
	const char *separator = strstr(line, " - ");
	_cleanup_free_ char *root = NULL, *point = NULL;

	if (!separator || strncmp(separator, " - cgroup2 ", strlen(" - cgroup2 ")) != 0)
		return false;
	if (sscanf(line, "%*s %*s %*s %ms %ms", &root, &point) != 2)
		return false;
	unescape(root);
	unescape(point);
	*ret_root = TAKE_PTR(root);
	*ret_point = TAKE_PTR(point);
	return true;
}

/* What of path lies below root, with its leading slash, or NULL when it lies elsewhere. */
static const char *below(const char *path, const char *root)
{
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(path, root, len) != 0 || (path[len] != '/' && path[len] != '\0'))
		return NULL;
	return path + len;
}

/* A mount may be covered by another one, which may have the same folders. */
bool eg_cgroup_is_mounted(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* Where a cgroup, named as /proc/PID/cgroup does, can be seen. */
static int find_directory(const char *cgroup, char **ret_path)
{
	_cleanup_fclose_ FILE *mounts = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	if (!mounts)
		return -errno;
	while (getline(&line, &size, mounts) > 0) {
		_cleanup_free_ char *root = NULL, *point = NULL, *path = NULL;
		const char *rest;

		if (!parse_cgroup2_mount(line, &root, &point))
			continue;
		rest = below(cgroup, root);
		if (!rest)
			continue;
		if (asprintf(&path, "%s%s", point, strcmp(rest, "/") == 0 ? "" : rest) < 0)
			return -ENOMEM;
		if (!eg_cgroup_is_mounted(path))
			continue;
		*ret_path = TAKE_PTR(path);
		return 0;
	}
	return -ENOENT;
}

int eg_cgroup_mount_point(char **ret_path)
{
	/* A mount of a part of the tree does not show its root. */
	return find_directory("/", ret_path);
}

/* A cgroup's id is all of its file handle, of a type that kernels before 6.15 give no name. */
int eg_cgroup_find_path(uint64_t id, char **ret_path)
{
	union {
		struct file_handle handle;
		char bytes[sizeof(struct file_handle) + sizeof(id)];
	} kernfs = {.handle = {.handle_bytes = sizeof(id), .handle_type = 0xfe}};
	_cleanup_close_ int mount_fd = -1, fd = -1;
	_cleanup_free_ char *point = NULL;
	char link[64], path[PATH_MAX];
	ssize_t len;
	int r = eg_cgroup_mount_point(&point);

	if (r < 0)
		return r;
	memcpy(kernfs.handle.f_handle, &id, sizeof(id));
	mount_fd = open(point, OPEN_DIR);
	if (mount_fd < 0)
		return -errno;
	fd = open_by_handle_at(mount_fd, &kernfs.handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path));
	if (len < 0)
		return -errno;
	*ret_path = strndup(path, (size_t)len);
	return *ret_path ? 0 : -ENOMEM;
}

bool eg_cgroup_is_there(uint64_t id)
{
	_cleanup_free_ char *path = NULL;

	return eg_cgroup_find_path(id, &path) == 0;
}

/* What a /proc/PID/cgroup says. */
static int read_path(const char *name, char **ret_path)
{
	_cleanup_fclose_ FILE *file = fopen(name, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	if (!file)
		return -errno;
	while (getline(&line, &size, file) > 0) {
		if (strncmp(line, "0::", 3) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		return find_directory(line + 3, ret_path);
	}
	return -ENOENT;
}

int eg_cgroup_own_path(char **ret_path)
{
	return read_path("/proc/self/cgroup", ret_path);
}

int eg_cgroup_path_of(pid_t pid, char **ret_path)
{
	char name[32];

	snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	return read_path(name, ret_path);
}

/* ---- looking into one ---- */

bool eg_cgroup_is_gone(int error)
{
	return error == ENOENT || error == ENODEV || error == ENOTDIR;
}

/* Process 0 is one of a pid namespace that we do not see. A threaded cgroup lists its processes in the one above. */
int eg_cgroup_each_process(int cgroup_fd, int (*take)(pid_t pid, void *context), void *context)
{
	_cleanup_close_ int fd = openat(cgroup_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	_cleanup_fclose_ FILE *file = NULL;
	pid_t pid;
	int r = 0;

	if (fd < 0)
		return eg_cgroup_is_gone(errno) ? 0 : -errno;
	file = fdopen(fd, "r");
	if (!file)
		return -errno;
	TAKE_FD(fd);
	while (r == 0 && fscanf(file, "%d", &pid) == 1)
		if (pid > 0)
			r = take(pid, context);
	return r;
}

static DIR *open_entries(int cgroup_fd)
{
	_cleanup_close_ int fd = openat(cgroup_fd, ".", OPEN_DIR);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);

	if (directory)
		TAKE_FD(fd);
	return directory;
}

/* One walk. */
struct tree {
	int (*take)(pid_t pid, void *context);
	void *context;
	bool is_cut; /* it goes deeper than we do */
};

static int each_in_tree(struct tree *tree, int cgroup_fd, unsigned int depth)
{
	struct dirent *entry;
	DIR *directory;
	int r = eg_cgroup_each_process(cgroup_fd, tree->take, tree->context);

	if (r != 0)
		return r;
	directory = open_entries(cgroup_fd);
	if (!directory)
		return eg_cgroup_is_gone(errno) ? 0 : -errno;
	while (r == 0 && (entry = readdir(directory))) {
		_cleanup_close_ int fd = -1;

		/* Other names that begin with a dot are cgroups as any. */
		if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (depth == DEPTH_MAX) {
			tree->is_cut = true;
			break;
		}
		fd = openat(cgroup_fd, entry->d_name, OPEN_DIR | O_NOFOLLOW);
		if (fd >= 0)
			r = each_in_tree(tree, fd, depth + 1);
		else if (!eg_cgroup_is_gone(errno))
			r = -errno;
	}
	closedir(directory);
	return r;
}

int eg_cgroup_each_process_below(int cgroup_fd, int (*take)(pid_t pid, void *context), void *context)
{
	struct tree tree = {.take = take, .context = context};
	int r = each_in_tree(&tree, cgroup_fd, 0);

	return r == 0 && tree.is_cut ? -ELOOP : r;
}

/* ---- making ---- */

static int make_directory(int parent_fd, const char *wanted, char **ret_name)
{
	for (unsigned int i = 0; i < 1000; i++) {
		_cleanup_free_ char *name = NULL;

		if ((i == 0 ? asprintf(&name, "%s", wanted) : asprintf(&name, "%s-%u", wanted, i)) < 0)
			return -ENOMEM;
		if (mkdirat(parent_fd, name, 0755) == 0) {
			*ret_name = TAKE_PTR(name);
			return 0;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

int eg_cgroup_create(const char *parent_path, const char *name, struct eg_cgroup *ret_cgroup)
{
	_cleanup_close_ int parent_fd = open(parent_path, OPEN_DIR), fd = -1;
	_cleanup_free_ char *made = NULL, *path = NULL;
	int r;

	if (parent_fd < 0)
		return -errno;
	r = make_directory(parent_fd, name, &made);
	if (r < 0)
		return r;
	fd = openat(parent_fd, made, OPEN_DIR);
	if (fd < 0 || asprintf(&path, "%s/%s", parent_path, made) < 0) {
		r = fd < 0 ? -errno : -ENOMEM;
		unlinkat(parent_fd, made, AT_REMOVEDIR);
		return r;
	}
	*ret_cgroup = (struct eg_cgroup){
		.parent_fd = TAKE_FD(parent_fd),
		.fd = TAKE_FD(fd),
		.name = TAKE_PTR(made),
		.path = TAKE_PTR(path),
	};
	return 0;
}

void eg_cgroup_close(struct eg_cgroup *cgroup)
{
	eg_closep(&cgroup->fd);
	eg_closep(&cgroup->parent_fd);
	free(cgroup->name);
	free(cgroup->path);
	*cgroup = EG_CGROUP_NONE;
}

/* ---- ending ---- */

int eg_cgroup_kill(const struct eg_cgroup *cgroup)
{
	_cleanup_close_ int fd = openat(cgroup->fd, "cgroup.kill", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "1", 1) != 1)
		return eg_cgroup_is_gone(errno) ? 0 : -errno;
	return 0;
}

/* 1 when processes are in it or below, 0 when none is, or -errno. */
static int is_populated(int events_fd)
{
	char text[256];
	ssize_t len = pread(events_fd, text, sizeof(text) - 1, 0);

	if (len < 0)
		return -errno;
	text[len] = '\0';
	return strstr(text, "populated 1") != NULL;
}

bool eg_cgroup_has_processes(int cgroup_fd)
{
	_cleanup_close_ int fd = openat(cgroup_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);

	return fd < 0 || is_populated(fd) != 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int eg_cgroup_wait_empty(const struct eg_cgroup *cgroup, int timeout_ms)
{
	_cleanup_close_ int fd = openat(cgroup->fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	int64_t deadline = now_ms() + timeout_ms;
	int r;

	if (fd < 0)
		return eg_cgroup_is_gone(errno) ? 0 : -errno;
	/* The file signals POLLPRI when it changed since it was read. */
	while ((r = is_populated(fd)) > 0) {
		struct pollfd poller = {.fd = fd, .events = POLLPRI};
		int64_t left = deadline - now_ms();

		if (timeout_ms >= 0 && left <= 0)
			return -ETIMEDOUT;
		if (poll(&poller, 1, timeout_ms < 0 ? -1 : (int)left) < 0 && errno != EINTR)
			return -errno;
	}
	return eg_cgroup_is_gone(-r) ? 0 : r;
}

/* The name of a cgroup right below, or NULL with *ret_error 0 when there is none. */
static char *find_child(int fd, int *ret_error)
{
	/* fdopendir() takes a descriptor of its own. */
	int dir_fd = openat(fd, ".", OPEN_DIR);
	DIR *dir = dir_fd < 0 ? NULL : fdopendir(dir_fd);
	struct dirent *entry;
	char *name = NULL;

	if (!dir) {
		*ret_error = -errno;
		eg_closep(&dir_fd);
		return NULL;
	}
	do {
		entry = readdir(dir);
	} while (entry &&
		 (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	if (entry)
		name = strdup(entry->d_name);
	*ret_error = entry && !name ? -ENOMEM : 0;
	closedir(dir);
	return name;
}

/* Moves a descriptor of a folder to another one that it can name. */
static int move_to(int *fd, const char *name)
{
	int other = openat(*fd, name, OPEN_DIR);

	if (other < 0)
		return -errno;
	close(*fd);
	*fd = other;
	return 0;
}

/* 0 when it is removed, or was already; -EBUSY when there is something in it. */
static int remove_one(int parent_fd, const char *name)
{
	if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || eg_cgroup_is_gone(errno))
		return 0;
	return -errno;
}

/*
 * Goes down by name and up by "..": a command may have nested cgroups deeper than
 * the limit of descriptors.
 */
static int remove_children(int *fd)
{
	int r = 0;

	while (r == 0) {
		_cleanup_free_ char *child = find_child(*fd, &r);

		if (!child)
			return r;
		r = remove_one(*fd, child);
		if (r != -EBUSY)
			continue;
		r = move_to(fd, child);
		if (r == 0)
			r = remove_children(fd);
		if (r == 0)
			r = move_to(fd, "..");
		if (r == 0)
			r = remove_one(*fd, child);
	}
	return r;
}

int eg_cgroup_remove(const struct eg_cgroup *cgroup)
{
	_cleanup_close_ int fd = -1;
	/* Without a descriptor to spare it must work too, where nothing was made below. */
	int r = remove_one(cgroup->parent_fd, cgroup->name);

	if (r != -EBUSY)
		return r;
	fd = openat(cgroup->parent_fd, cgroup->name, OPEN_DIR);
	if (fd < 0)
		return -errno;
	r = remove_children(&fd);
	return r < 0 ? r : remove_one(cgroup->parent_fd, cgroup->name);
}
