/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a test could leave behind in the kernel, a line each and sorted: every link of
 * a program on a cgroup as "link ID CGROUP-ID", 0 where that cgroup is gone, and every
 * name on a BPF file system as "pin PATH". One process for what took eight: tests ask
 * before and after.
 */
#include <bpf/bpf.h>
#include <err.h>
#include <ftw.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LINES_MAX 65536
#define OPEN_DIRECTORIES 16

/* nftw() takes no argument to hand on. */
static char *lines[LINES_MAX];
static size_t count;

static void add_line(char *line)
{
	if (!line || count == LINES_MAX)
		errx(1, "too much to list");
	lines[count++] = line;
}

static void add_link(__u32 id)
{
	_cleanup_close_ int fd = bpf_link_get_fd_by_id(id);
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	char *line = NULL;

	/* It may be gone again. */
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0 || info.type != BPF_LINK_TYPE_CGROUP)
		return;
	if (asprintf(&line, "link %u %llu", id, info.cgroup.cgroup_id) > 0)
		add_line(line);
}

static int add_pin(const char *path, const struct stat *st, int type, struct FTW *place)
{
	char *line = NULL;

	(void)st;
	(void)type;
	if (place->level > 0 && asprintf(&line, "pin %s", path) > 0)
		add_line(line);
	return 0;
}

static void add_pins(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	const struct mntent *mount;

	if (!mounts)
		err(1, "/proc/self/mounts");
	while ((mount = getmntent(mounts)))
		if (strcmp(mount->mnt_type, "bpf") == 0)
			nftw(mount->mnt_dir, add_pin, OPEN_DIRECTORIES, FTW_PHYS | FTW_MOUNT);
	endmntent(mounts);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(void)
{
	__u32 id = 0;

	while (bpf_link_get_next_id(id, &id) == 0)
		add_link(id);
	add_pins();
	qsort(lines, count, sizeof(lines[0]), compare);
	for (size_t i = 0; i < count; i++)
		puts(lines[i]);
	return 0;
}
