/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_WORKLOAD_PATTERN_H
#define EG_WORKLOAD_PATTERN_H

/*
 * The cgroup of a Workload, a path or a glob, and the directories that it leads
 * through. Components are matched one by one as fnmatch(3) does: nothing crosses a
 * slash, `**` is `*`. A backslash is itself, since systemd writes it in names
 * (dev-disk\x2dby.slice); a bracket makes the others literal: [*].
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "policy/model.h"

struct eg_pattern {
	char *text;                        /* the components, each with its NUL */
	EG_ARRAY(const char *) components; /* none for the root cgroup */
	size_t literal_components;         /* before the first wildcard; all of them in a plain path */
	size_t literal_len;                /* characters before the first wildcard */
};

/* 0, or -ENOMEM. A text with a ".." component, which no loader lets through, is -EINVAL. */
int eg_pattern_parse(const char *text, struct eg_pattern *ret_pattern);
void eg_pattern_clear(struct eg_pattern *pattern);

/* Of a component, or of a whole pattern that is not parsed. */
bool eg_has_wildcard(const char *text);

static inline bool eg_pattern_is_glob(const struct eg_pattern *pattern)
{
	return pattern->literal_components < pattern->components.len;
}

/* Whether a directory of this name is what component `index` asks for. */
bool eg_pattern_matches(const struct eg_pattern *pattern, size_t index, const char *name);

/*
 * Who wants to know of directories. A function that returns less than 0 ends the
 * walk with that; one that is NULL is not called, and what only it needs is not read.
 */
struct eg_visitor {
	/* A directory in which component `index` is looked for next; its entries are read after this. */
	int (*enter)(int fd, const struct eg_pattern *pattern, size_t index, void *context);
	/* A directory that the whole pattern matches: its path below the mount, with a leading slash. */
	int (*match)(const char *path, uint64_t inode, const struct eg_pattern *pattern, void *context);
};

/*
 * Walks along the pattern. Directories that vanish meanwhile, or are none, are no
 * mistake; symbolic links are not followed. 0, or -errno.
 */
int eg_pattern_walk(const struct eg_pattern *pattern, const char *mount_point, const struct eg_visitor *visitor,
		    void *context);

#endif
