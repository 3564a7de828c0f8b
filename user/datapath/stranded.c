/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "datapath/stranded.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "egress/maps.h"

#define MAP_NAME "eg_cgroups"
/* Entries come and go while they are listed; each of so many tries starts at the first one again. */
#define TRIES 16

/* What a look asks of its caller. */
struct asked {
	eg_is_cgroup_fn *is_cgroup;
	eg_stranded_said_fn *said;
	void *context;
};

struct ids {
	EG_ARRAY(uint64_t) list;
};

/* 0 where the map has it, or -errno. */
static int look_up(int fd, uint64_t id)
{
	struct eg_enrolment enrolment;

	return bpf_map_lookup_elem(fd, &id, &enrolment);
}

/*
 * Nothing comes after an entry that has gone, nor after the last one. But a kernel that lacks 5828b9e5b272 ("bpf: fix
 * end-of-list detection in cgroup_storage_get_next_key()", in stable kernels since May 2026) has one key more after the
 * last entry: what stands before the list's head in memory, the key of none and the same whenever it is asked for. It is
 * left out. 0, or -EAGAIN: the entry that the kernel was to go on from has gone.
 */
static int check_end(int fd, struct ids *ids)
{
	const uint64_t *last = &ids->list.items[ids->list.len - 1];
	int r = look_up(fd, *last), before;
	uint64_t next;

	if (r != -ENOENT)
		return r;
	if (--ids->list.len == 0)
		return -EAGAIN;
	r = bpf_map_get_next_key(fd, last - 1, &next);
	/* Looked for afterwards: it was there then too. */
	before = look_up(fd, last[-1]);
	if (before < 0)
		return before == -ENOENT ? -EAGAIN : before;
	if (r == 0)
		return next == *last && look_up(fd, next) == -ENOENT ? 0 : -EAGAIN;
	return r == -ENOENT ? 0 : r;
}

/* 0, or -EAGAIN: as above. */
static int list_once(int fd, struct ids *ids)
{
	uint64_t id, *previous = NULL;
	int r;

	ids->list.len = 0;
	while ((r = bpf_map_get_next_key(fd, previous, &id)) == 0) {
		r = eg_array_push(&ids->list, id);
		if (r < 0)
			return r;
		previous = &ids->list.items[ids->list.len - 1];
	}
	if (r != -ENOENT)
		return r;
	return ids->list.len > 0 ? check_end(fd, ids) : 0;
}

/* How many entries of cgroups that are no more a map has, or -errno. */
static int count_stranded(int fd, eg_is_cgroup_fn *is_cgroup)
{
	struct ids ids = {};
	int count = 0, r = -EAGAIN;

	for (int i = 0; i < TRIES && r == -EAGAIN; i++)
		r = list_once(fd, &ids);
	for (size_t i = 0; i < ids.list.len && r == 0; i++)
		count += !is_cgroup(ids.list.items[i]);
	eg_array_clear(&ids.list);
	return r < 0 ? r : count;
}

/* A descriptor, -ENOENT where nothing is pinned, or -EPROTO where it is another kind of map. */
static int open_map(const char *path, struct bpf_map_info *ret_info)
{
	_cleanup_close_ int fd = bpf_obj_get(path);
	__u32 len = sizeof(*ret_info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, ret_info, &len) < 0)
		return -errno;
	if (ret_info->type != BPF_MAP_TYPE_CGROUP_STORAGE || ret_info->key_size != sizeof(uint64_t) ||
	    ret_info->value_size != sizeof(struct eg_enrolment))
		return -EPROTO;
	return TAKE_FD(fd);
}

static int keep(int fd, uint32_t id, const char *folder)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/" MAP_NAME "_%u", folder, id) < 0)
		return -ENOMEM;
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return -errno;
	return bpf_obj_pin(fd, path) < 0 && errno != EEXIST ? -errno : 0;
}

static int keep_agents(const char *directory, const char *folder, eg_is_cgroup_fn *is_cgroup)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	struct bpf_map_info info = {};
	int count;

	if (asprintf(&path, "%s/maps/" MAP_NAME, directory) < 0)
		return -ENOMEM;
	fd = open_map(path, &info);
	if (fd < 0)
		return fd == -ENOENT || fd == -EPROTO ? 0 : fd;
	count = count_stranded(fd, is_cgroup);
	return count > 0 ? keep(fd, info.id, folder) : count;
}

/* One that is kept: says so, or lets go of it. */
static int settle(const char *path, const struct asked *asked)
{
	struct bpf_map_info info = {};
	_cleanup_close_ int fd = open_map(path, &info);
	int count = fd < 0 ? fd : count_stranded(fd, asked->is_cgroup);

	if (count < 0)
		return count;
	if (count == 0)
		return unlink(path) < 0 ? -errno : 0;
	asked->said(&(struct eg_stranded_pin){path, (uint32_t)count}, asked->context);
	return 0;
}

static int settle_all(const char *folder, const struct asked *asked)
{
	DIR *pins = opendir(folder);
	struct dirent *entry;
	int r = 0;

	if (!pins)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (entry = readdir(pins))) {
		_cleanup_free_ char *path = NULL;

		if (strncmp(entry->d_name, MAP_NAME, strlen(MAP_NAME)) != 0)
			continue;
		r = asprintf(&path, "%s/%s", folder, entry->d_name) < 0 ? -ENOMEM : settle(path, asked);
	}
	closedir(pins);
	/* Not while there is one in it. */
	rmdir(folder);
	return r;
}

int eg_stranded_look(const char *directory, eg_is_cgroup_fn *is_cgroup, eg_stranded_said_fn *said, void *context)
{
	const struct asked asked = {is_cgroup, said, context};
	_cleanup_free_ char *folder = NULL;
	int r;

	if (asprintf(&folder, "%s-kept", directory) < 0)
		return -ENOMEM;
	r = keep_agents(directory, folder, is_cgroup);
	return r < 0 ? r : settle_all(folder, &asked);
}
