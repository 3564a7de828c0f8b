/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "workload/netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "workload/cgroup.h"

/* Where a namespace may be that the processes of a cgroup do not lead to: by name, as `ip netns` and container runtimes keep them. */
static const struct folder {
	const char *path;
	const char *rest; /* of a place, behind its entry */
	bool has_processes;
} folders[] = {
	{"/run/netns", "", false},
	{"/proc", "/ns/net", true},
};

/* Of a workload that leaves sockets in very many namespaces no more is asked than once what all processes lead to. */
#define CGROUPS_SEARCHED_MAX 8

/* ---- finding ---- */

/* What is wanted, and its descriptor once it is found. */
struct search {
	struct eg_netns_places *places;
	uint32_t inode;
	int fd; /* -1: not yet */
};

static void note_shortage(struct eg_netns_places *places, int error)
{
	if (eg_file_is_shortage(error))
		places->error = error;
}

/* A name may be anything: it must not block us. */
static bool is_found_at(struct search *search, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct statfs fs;
	struct stat st;

	if (fd < 0)
		note_shortage(search->places, -errno);
	if (fd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != NSFS_MAGIC || fstat(fd, &st) < 0 ||
	    st.st_ino != search->inode)
		return false;
	search->fd = TAKE_FD(fd);
	return true;
}

/* 1 ends the walk over the processes. */
static int try_process(pid_t pid, void *context)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return is_found_at(context, path);
}

static void try_cgroup(struct search *search, uint64_t cgroup_id)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;

	if (cgroup_id == 0 || search->places->cgroups_searched++ >= CGROUPS_SEARCHED_MAX ||
	    eg_cgroup_find_path(cgroup_id, &path) < 0)
		return;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		eg_cgroup_each_process(fd, try_process, search);
	else
		note_shortage(search->places, -errno);
}

static int compare_places(const void *a, const void *b)
{
	const struct eg_netns_place *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

/* Which namespace it is of is looked at again once it is open. */
static int add_place(struct eg_netns_places *places, const struct folder *folder, const char *entry)
{
	_cleanup_free_ char *path = NULL;
	struct stat st;
	int r;

	if (asprintf(&path, "%s/%s%s", folder->path, entry, folder->rest) < 0)
		return -ENOMEM;
	if (stat(path, &st) < 0) {
		note_shortage(places, -errno);
		return 0;
	}
	r = eg_array_push(&places->list, {(uint32_t)st.st_ino, path});
	if (r == 0)
		path = NULL;
	return r;
}

static void read_folder(struct eg_netns_places *places, const struct folder *folder)
{
	DIR *entries = opendir(folder->path);
	struct dirent *entry;
	int r = 0;

	if (!entries)
		note_shortage(places, -errno);
	while (entries && r == 0 && (entry = readdir(entries)))
		if (!folder->has_processes || atoi(entry->d_name) > 0)
			r = add_place(places, folder, entry->d_name);
	if (entries)
		closedir(entries);
	if (r < 0)
		places->error = r;
	if (places->list.len > 0)
		qsort(places->list.items, places->list.len, sizeof(places->list.items[0]), compare_places);
}

/* The first place with this inode, or with a greater one; or how many there are. */
static size_t first_at(const struct eg_netns_places *places, uint32_t inode)
{
	size_t low = 0, high = places->list.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (places->list.items[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void try_places(struct search *search)
{
	const struct eg_netns_places *places = search->places;

	for (size_t i = first_at(places, search->inode);
	     search->fd < 0 && i < places->list.len && places->list.items[i].inode == search->inode; i++)
		is_found_at(search, places->list.items[i].path);
}

int eg_netns_find(struct eg_netns_places *places, uint32_t inode, uint64_t cgroup_id)
{
	struct search search = {.places = places, .inode = inode, .fd = -1};

	if (is_found_at(&search, "/proc/self/ns/net"))
		return search.fd;
	try_cgroup(&search, cgroup_id);
	if (search.fd < 0)
		try_places(&search);
	while (search.fd < 0 && places->folders_read < EG_COUNT_OF(folders)) {
		read_folder(places, &folders[places->folders_read++]);
		try_places(&search);
	}
	if (search.fd >= 0)
		return search.fd;
	return places->error ? places->error : -ENOENT;
}

void eg_netns_places_clear(struct eg_netns_places *places)
{
	for (size_t i = 0; i < places->list.len; i++)
		free(places->list.items[i].path);
	eg_array_clear(&places->list);
	*places = (struct eg_netns_places){};
}

int eg_netns_open(uint32_t inode, uint64_t cgroup_id)
{
	_cleanup_(eg_netns_places_clear) struct eg_netns_places places = {};

	return eg_netns_find(&places, inode, cgroup_id);
}

/* ---- visiting ---- */

struct visit {
	int netns_fd;
	int (*work)(void *context);
	void *context;
	int result;
};

/* A thread that is there already needs no privilege to go. */
static int go_to(int netns_fd)
{
	struct stat here, there;

	if (stat("/proc/thread-self/ns/net", &here) == 0 && fstat(netns_fd, &there) == 0 &&
	    here.st_ino == there.st_ino && here.st_dev == there.st_dev)
		return 0;
	return setns(netns_fd, CLONE_NEWNET) < 0 ? -errno : 0;
}

static void *visit(void *argument)
{
	struct visit *visit = argument;

	visit->result = go_to(visit->netns_fd);
	if (visit->result == 0)
		visit->result = visit->work(visit->context);
	return NULL;
}

int eg_netns_call(int netns_fd, int (*work)(void *context), void *context)
{
	struct visit there = {.netns_fd = netns_fd, .work = work, .context = context};
	pthread_t thread;
	int error = pthread_create(&thread, NULL, visit, &there);

	if (error)
		return -error;
	pthread_join(thread, NULL);
	return there.result;
}

/* ---- those of a cgroup ---- */

/* 0: it cannot be seen. */
static uint32_t inode_at(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? 0 : (uint32_t)st.st_ino;
}

bool eg_netns_has(const struct eg_netns_set *set, uint32_t inode)
{
	for (size_t i = 0; i < set->inodes.len; i++)
		if (set->inodes.items[i] == inode)
			return true;
	return false;
}

/* A process that has ended meanwhile is in none. */
static int add_netns_of(pid_t pid, void *context)
{
	struct eg_netns_set *set = context;
	char path[64];
	uint32_t inode;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	inode = inode_at(path);
	return inode == 0 || eg_netns_has(set, inode) ? 0 : eg_array_push(&set->inodes, inode);
}

static int compare_inodes(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int eg_netns_list(int cgroup_fd, struct eg_netns_set *ret_set)
{
	int r = eg_cgroup_each_process_below(cgroup_fd, add_netns_of, ret_set);

	if (ret_set->inodes.len > 1)
		qsort(ret_set->inodes.items, ret_set->inodes.len, sizeof(ret_set->inodes.items[0]), compare_inodes);
	return r;
}

bool eg_netns_is_common(uint32_t inode)
{
	return inode == inode_at("/proc/1/ns/net") || inode == inode_at("/proc/self/ns/net");
}
