/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "workload/pattern.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "workload/discover.h"

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static inline void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* --- parsing --- */

bool eg_has_wildcard(const char *text)
{
	return strpbrk(text, "*?[") != NULL;
}

/* With a slash before every component, as if nobody had written two or one at the end. */
static void measure_literals(struct eg_pattern *pattern)
{
	const char *const *components = pattern->components.items;
	const size_t count = pattern->components.len;
	size_t i;

	for (i = 0; i < count && !eg_has_wildcard(components[i]); i++)
		pattern->literal_len += 1 + strlen(components[i]);
	pattern->literal_components = i;
	if (i < count)
		pattern->literal_len += 1 + strcspn(components[i], "*?[");
}

static int split(struct eg_pattern *pattern)
{
	char *rest = pattern->text, *component;

	while ((component = strsep(&rest, "/"))) {
		int r;

		if (component[0] == '\0' || strcmp(component, ".") == 0)
			continue;
		if (strcmp(component, "..") == 0)
			return -EINVAL;
		r = eg_array_push(&pattern->components, component);
		if (r < 0)
			return r;
	}
	return 0;
}

int eg_pattern_parse(const char *text, struct eg_pattern *ret_pattern)
{
	struct eg_pattern pattern = {.text = strdup(text)};
	int r;

	if (!pattern.text)
		return -ENOMEM;
	r = split(&pattern);
	if (r < 0) {
		eg_pattern_clear(&pattern);
		return r;
	}
	measure_literals(&pattern);
	*ret_pattern = pattern;
	return 0;
}

void eg_pattern_clear(struct eg_pattern *pattern)
{
	free(pattern->text);
	eg_array_clear(&pattern->components);
	*pattern = (struct eg_pattern){};
}

bool eg_pattern_matches(const struct eg_pattern *pattern, size_t index, const char *name)
{
	const char *component = pattern->components.items[index];

	/* Without a wildcard strcmp() is not only faster: fnmatch() would look for one. */
	return eg_has_wildcard(component) ? fnmatch(component, name, FNM_PATHNAME | FNM_NOESCAPE) == 0
				       : strcmp(component, name) == 0;
}

/* --- walking --- */

struct walk {
	const struct eg_pattern *pattern;
	const struct eg_visitor *visitor;
	void *context;
	char path[PATH_MAX]; /* below the mount, of what is looked at */
	size_t path_len;
};

static int walk_into(struct walk *walk, int fd, size_t index);

/* What opening or reading a directory says when it is gone, or never was one. */
static bool is_absent(int error)
{
	return eg_cgroup_is_gone(error) || error == ELOOP;
}

/* -ENAMETOOLONG is for a path that nobody could open by name either. */
static int append(struct walk *walk, const char *name)
{
	const size_t len = strlen(name);

	if (walk->path_len + 1 + len >= sizeof(walk->path))
		return -ENAMETOOLONG;
	walk->path[walk->path_len] = '/';
	memcpy(walk->path + walk->path_len + 1, name, len + 1);
	walk->path_len += 1 + len;
	return 0;
}

static int descend(struct walk *walk, int parent_fd, const char *name, size_t index)
{
	_cleanup_close_ int fd = openat(parent_fd, name, OPEN_DIR);

	if (fd < 0)
		return is_absent(errno) ? 0 : -errno;
	return walk_into(walk, fd, index);
}

static int report_match(struct walk *walk, int parent_fd, const char *name)
{
	struct stat st;

	if (!walk->visitor->match)
		return 0;
	if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return is_absent(errno) ? 0 : -errno;
	return S_ISDIR(st.st_mode) ? walk->visitor->match(walk->path, st.st_ino, walk->pattern, walk->context) : 0;
}

/* `name` in parent_fd is what component `index` asks for, if it is a directory. */
static int visit(struct walk *walk, int parent_fd, const char *name, size_t index)
{
	const size_t before = walk->path_len;
	int r = append(walk, name);

	if (r < 0)
		return r;
	r = index + 1 == walk->pattern->components.len ? report_match(walk, parent_fd, name)
						       : descend(walk, parent_fd, name, index + 1);
	walk->path_len = before;
	walk->path[before] = '\0';
	return r;
}

static bool is_candidate(const struct walk *walk, const struct dirent *entry, size_t index)
{
	if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
		return false;
	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return false;
	return eg_pattern_matches(walk->pattern, index, entry->d_name);
}

static int visit_entries(struct walk *walk, int fd, size_t index)
{
	/* closedir() takes the descriptor along, and the caller has it still. */
	_cleanup_close_ int dir_fd = openat(fd, ".", OPEN_DIR);
	_cleanup_(closedirp) DIR *dir = dir_fd < 0 ? NULL : fdopendir(dir_fd);
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return is_absent(errno) ? 0 : -errno;
	TAKE_FD(dir_fd);
	while (r == 0 && (errno = 0, entry = readdir(dir))) {
		if (is_candidate(walk, entry, index))
			r = visit(walk, fd, entry->d_name, index);
	}
	if (r == 0 && errno != 0 && !is_absent(errno))
		return -errno;
	return r;
}

/* Looks for component `index` in the directory fd. */
static int walk_into(struct walk *walk, int fd, size_t index)
{
	const struct eg_pattern *pattern = walk->pattern;
	int r = walk->visitor->enter ? walk->visitor->enter(fd, pattern, index, walk->context) : 0;

	if (r < 0)
		return r;
	/* Matches are what the last component finds. */
	if (index + 1 == pattern->components.len && !walk->visitor->match)
		return 0;
	if (eg_has_wildcard(pattern->components.items[index]))
		return visit_entries(walk, fd, index);
	return visit(walk, fd, pattern->components.items[index], index);
}

int eg_pattern_walk(const struct eg_pattern *pattern, const char *mount_point, const struct eg_visitor *visitor,
		    void *context)
{
	struct walk walk = {.pattern = pattern, .visitor = visitor, .context = context};
	_cleanup_close_ int fd = open(mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return pattern->components.len > 0 ? walk_into(&walk, fd, 0) : 0;
}

int eg_pattern_directory(const char *pattern, char **ret_path)
{
	size_t end = strcspn(pattern, "*?[");

	while (end > 0 && pattern[end - 1] != '/')
		end--;
	/* The slash itself is not part of it. */
	*ret_path = strndup(pattern, end > 0 ? end - 1 : 0);
	return *ret_path ? 0 : -ENOMEM;
}
