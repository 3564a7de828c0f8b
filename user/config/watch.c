/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/watch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/inotify.h"
#include "config/files.h"
#include "config/yaml.h"

#define WATCHED \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF | \
	 IN_ONLYDIR)

/* Kubernetes writes a new folder ..2026_x beside it and renames a new link over this one. */
#define KUBERNETES_LINK "..data"

struct watched {
	const char *path;
	char *parent; /* the folder that it stands in */
	char *name;   /* its name there */
	int parent_wd;
	int folder_wd; /* of itself while it is a folder, else -1 */
};

struct eg_policy_watch {
	int fd;
	bool is_behind; /* a folder to watch was not found, or may have been replaced */
	EG_ARRAY(struct watched) list;
};

/* --- setting up --- */

/* "a/b//" is b in a; "b" is b in "."; "/b" is b in "/". */
static int split_path(const char *path, char **ret_parent, char **ret_name)
{
	size_t end = strlen(path), start, parent_len;
	_cleanup_free_ char *parent = NULL;

	while (end > 1 && path[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path[start - 1] != '/'; start--)
		;
	parent_len = start > 1 ? start - 1 : start;
	parent = parent_len > 0 ? strndup(path, parent_len) : strdup(".");
	*ret_name = parent ? strndup(path + start, end - start) : NULL;
	if (!*ret_name)
		return -ENOMEM;
	*ret_parent = TAKE_PTR(parent);
	return 0;
}

static int add_path(struct eg_policy_watch *watch, const char *path)
{
	struct watched *watched;
	int r = eg_array_push(&watch->list, (struct watched){.path = path, .parent_wd = -1, .folder_wd = -1});

	if (r < 0)
		return r;
	watched = &watch->list.items[watch->list.len - 1];
	return split_path(path, &watched->parent, &watched->name);
}

int eg_policy_watch_new(const char *const *paths, size_t path_count, struct eg_policy_watch **ret_watch)
{
	_cleanup_(eg_policy_watch_freep) struct eg_policy_watch *watch = malloc(sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	*watch = (struct eg_policy_watch){.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), .is_behind = true};
	if (watch->fd < 0)
		return -errno;
	for (size_t i = 0; i < path_count; i++) {
		int r = add_path(watch, paths[i]);

		if (r < 0)
			return r;
	}
	*ret_watch = TAKE_PTR(watch);
	return 0;
}

struct eg_policy_watch *eg_policy_watch_free(struct eg_policy_watch *watch)
{
	if (!watch)
		return NULL;
	for (size_t i = 0; i < watch->list.len; i++) {
		free(watch->list.items[i].parent);
		free(watch->list.items[i].name);
	}
	eg_array_clear(&watch->list);
	eg_closep(&watch->fd);
	free(watch);
	return NULL;
}

int eg_policy_watch_fd(const struct eg_policy_watch *watch)
{
	return watch->fd;
}

/* --- following --- */

/* Paths may share a folder, and it has one number then. */
static bool is_in_use(const struct eg_policy_watch *watch, int wd)
{
	for (size_t i = 0; i < watch->list.len; i++)
		if (watch->list.items[i].parent_wd == wd || watch->list.items[i].folder_wd == wd)
			return true;
	return false;
}

/* What was there under the number before is not watched any longer. */
static void renumber(const struct eg_policy_watch *watch, int *wd, int new_wd)
{
	int old_wd = *wd;

	*wd = new_wd;
	if (old_wd >= 0 && !is_in_use(watch, old_wd))
		inotify_rm_watch(watch->fd, old_wd);
}

/* A folder that was replaced, also by a link to another one, is watched from then on; what it was before, no longer. */
static int watch_folder(const struct eg_policy_watch *watch, struct watched *watched)
{
	int wd = inotify_add_watch(watch->fd, watched->path, WATCHED);

	if (wd < 0 && errno != ENOTDIR && errno != ENOENT && errno != ELOOP && errno != EACCES)
		return -errno;
	renumber(watch, &watched->folder_wd, wd);
	return 0;
}

static int watch_path(const struct eg_policy_watch *watch, struct watched *watched)
{
	int wd = inotify_add_watch(watch->fd, watched->parent, WATCHED), r = wd < 0 ? -errno : 0;

	renumber(watch, &watched->parent_wd, wd);
	return r < 0 ? r : watch_folder(watch, watched);
}

int eg_policy_watch_follow(struct eg_policy_watch *watch)
{
	int error = 0;

	for (size_t i = 0; i < watch->list.len; i++) {
		int r = watch_path(watch, &watch->list.items[i]);

		error = error ? error : r;
	}
	watch->is_behind = error < 0;
	return error;
}

/* --- events --- */

/*
 * Whoever creates a file closes it too, and only then is it complete. A link, of
 * either kind, is complete at once.
 */
static bool is_complete(const char *folder, const struct inotify_event *event)
{
	_cleanup_free_ char *path = NULL;
	struct stat st;

	if (!(event->mask & IN_CREATE))
		return true;
	if (asprintf(&path, "%s/%s", folder, event->name) < 0 || lstat(path, &st) < 0)
		return true;
	return !S_ISREG(st.st_mode) || st.st_nlink > 1;
}

/* Whether the event is about this path. */
static bool judge_path(struct eg_policy_watch *watch, struct watched *watched, const struct inotify_event *event)
{
	const char *name = event->len > 0 ? event->name : NULL;
	const bool is_self = event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT);

	if (event->wd == watched->folder_wd) {
		if (is_self)
			return true;
		if (name && (eg_policy_file_is_read(name) || strcmp(name, KUBERNETES_LINK) == 0))
			return is_complete(watched->path, event);
	}
	if (event->wd != watched->parent_wd)
		return false;
	if (is_self) {
		watch->is_behind = true;
		return true;
	}
	if (name && strcmp(name, watched->name) == 0) {
		watch->is_behind |= watch_folder(watch, watched) < 0;
		return is_complete(watched->parent, event);
	}
	return name && watched->folder_wd < 0 && strcmp(name, KUBERNETES_LINK) == 0;
}

struct drain {
	struct eg_policy_watch *watch;
	bool has_lost_events;
};

/* All paths are asked: one event can mean a folder to be watched anew for each of them. */
static int judge_event(const struct inotify_event *event, void *context)
{
	struct drain *drain = context;
	struct eg_policy_watch *watch = drain->watch;
	int changed = 0;

	/* They may have been about anything. */
	if (event->mask & IN_Q_OVERFLOW) {
		drain->has_lost_events = true;
		watch->is_behind = true;
		return 1;
	}
	for (size_t i = 0; i < watch->list.len; i++)
		changed |= judge_path(watch, &watch->list.items[i], event);
	return changed;
}

int eg_policy_watch_drain(struct eg_policy_watch *watch)
{
	struct drain drain = {.watch = watch};
	int changed = eg_inotify_drain(watch->fd, judge_event, &drain);
	int r = changed >= 0 && watch->is_behind ? eg_policy_watch_follow(watch) : 0;

	if (r < 0)
		return r;
	return drain.has_lost_events ? -EOVERFLOW : changed;
}

/* --- content --- */

/* FNV-1a with 64 bits. */
static void hash_bytes(uint64_t *hash, const void *bytes, size_t len)
{
	const unsigned char *next = bytes;

	for (size_t i = 0; i < len; i++)
		*hash = (*hash ^ next[i]) * 0x100000001b3u;
}

/* A number before what it counts: no two sets of files are the same row of bytes. */
static void hash_number(uint64_t *hash, int64_t number)
{
	hash_bytes(hash, &number, sizeof(number));
}

static int hash_file(uint64_t *hash, const char *path)
{
	_cleanup_free_ char *bytes = NULL;
	size_t len = 0;
	int r = eg_file_read(path, EG_YAML_BYTES_MAX, &bytes, &len);

	if (eg_file_is_shortage(r))
		return r;
	hash_number(hash, (int64_t)strlen(path));
	hash_bytes(hash, path, strlen(path));
	hash_number(hash, r < 0 ? r : (int64_t)len);
	hash_bytes(hash, bytes, len);
	return 0;
}

static int hash_folder(uint64_t *hash, const char *folder)
{
	_cleanup_(eg_policy_files_clear) struct eg_policy_files files = {};
	int r = eg_policy_files_list(folder, &files);

	if (eg_file_is_shortage(r))
		return r;
	hash_number(hash, r < 0 ? r : (int64_t)files.paths.len);
	for (size_t i = 0; i < files.paths.len; i++) {
		r = hash_file(hash, files.paths.items[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

int eg_policy_fingerprint(const char *const *paths, size_t path_count, uint64_t *ret_fingerprint)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < path_count; i++) {
		int r = eg_policy_path_is_folder(paths[i]) ? hash_folder(&hash, paths[i]) : hash_file(&hash, paths[i]);

		if (r < 0)
			return r;
	}
	*ret_fingerprint = hash;
	return 0;
}
