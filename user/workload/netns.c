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

/* Where `ip netns` and container runtimes keep namespaces by name. */
#define NAMES "/run/netns"

/* ---- finding ---- */

/* What is wanted, and its descriptor once it is found. */
struct search {
	uint32_t inode;
	int fd;	   /* -1: not yet */
	int error; /* a shortage that hid something from it, -errno; 0: none */
};

static void note_shortage(struct search *search, int error)
{
	if (eg_file_is_shortage(error))
		search->error = error;
}

/* A name may be anything: it must not block us. */
static bool is_found_at(struct search *search, int directory, const char *path)
{
	_cleanup_close_ int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct statfs fs;
	struct stat st;

	if (fd < 0)
		note_shortage(search, -errno);
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
	return is_found_at(context, AT_FDCWD, path);
}

static void try_cgroup(struct search *search, uint64_t cgroup_id)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;

	if (cgroup_id == 0 || eg_cgroup_find_path(cgroup_id, &path) < 0)
		return;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		eg_cgroup_each_process(fd, try_process, search);
	else
		note_shortage(search, -errno);
}

static void try_names(struct search *search)
{
	DIR *names = opendir(NAMES);
	struct dirent *entry;

	if (!names)
		note_shortage(search, -errno);
	while (names && (entry = readdir(names)))
		if (is_found_at(search, dirfd(names), entry->d_name))
			break;
	if (names)
		closedir(names);
}

static void try_processes(struct search *search)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;

	if (!processes)
		note_shortage(search, -errno);
	while (processes && search->fd < 0 && (entry = readdir(processes)))
		if (atoi(entry->d_name) > 0)
			try_process(atoi(entry->d_name), search);
	if (processes)
		closedir(processes);
}

int eg_netns_open(uint32_t inode, uint64_t cgroup_id)
{
	struct search search = {.inode = inode, .fd = -1};

	if (is_found_at(&search, AT_FDCWD, "/proc/self/ns/net"))
		return search.fd;
	try_cgroup(&search, cgroup_id);
	if (search.fd < 0)
		try_names(&search);
	if (search.fd < 0)
		try_processes(&search);
	if (search.fd >= 0)
		return search.fd;
	return search.error ? search.error : -ENOENT;
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
