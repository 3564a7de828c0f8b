/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Network namespaces by inode number. */
#include "support.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../lib/support/cgroup.h"
#include "../lib/support/netns.h"
#include "base/cleanup.h"
#include "workload/netns.h"

/* The descriptor is of the namespace that was asked for. */
static void expect_found(uint32_t inode, uint64_t cgroup_id)
{
	_cleanup_close_ int found = eg_netns_open(inode, cgroup_id);

	assert_true(found >= 0);
	assert_int_equal(netns_inode(found), inode);
}

static void our_own_is_found(void **state)
{
	_cleanup_close_ int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	(void)state;
	expect_found(netns_inode(own), 0);
}

/* A process that has moved to the namespace, and waits to be killed. */
static int stay_in(void *argument)
{
	if (setns(*(int *)argument, CLONE_NEWNET) < 0)
		return EXIT_FAILURE;
	pause();
	return EXIT_SUCCESS;
}

static bool is_process_in(pid_t pid, uint32_t inode)
{
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return stat(path, &st) == 0 && (uint32_t)st.st_ino == inode;
}

/* It is between fork and setns for a moment. */
static void wait_until_in(pid_t pid, uint32_t inode)
{
	for (int i = 0; i < 10000 && !is_process_in(pid, inode); i++)
		usleep(1000);
	assert_true(is_process_in(pid, inode));
}

static void one_that_only_a_process_is_in_is_found_by_its_cgroup_and_without(void **state)
{
	int netns = netns_make();
	uint32_t inode = netns_inode(netns);
	struct eg_cgroup cgroup;
	struct stat st;
	pid_t pid;

	(void)state;
	cgroup = cgroup_make("netns");
	assert_int_equal(fstat(cgroup.fd, &st), 0);
	pid = cgroup_start(&cgroup, stay_in, &netns);
	wait_until_in(pid, inode);
	close(netns);
	expect_found(inode, st.st_ino);
	expect_found(inode, 0);
	cgroup_kill(pid);
	assert_int_equal(eg_netns_open(inode, st.st_ino), -ENOENT);
	cgroup_end(&cgroup);
}

static void one_that_has_but_a_name_is_found(void **state)
{
	int netns = netns_make();
	uint32_t inode = netns_inode(netns);
	char name[64], source[64];

	(void)state;
	/* As ip(8) makes it; it may be there. */
	assert_true(mkdir("/run/netns", 0755) == 0 || errno == EEXIST);
	snprintf(name, sizeof(name), "/run/netns/egress-test-%d", getpid());
	snprintf(source, sizeof(source), "/proc/self/fd/%d", netns);
	close(open(name, O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	assert_int_equal(mount(source, name, NULL, MS_BIND, NULL), 0);
	close(netns);
	expect_found(inode, 0);
	assert_int_equal(umount2(name, MNT_DETACH), 0);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(eg_netns_open(inode, 0), -ENOENT);
}

static void one_that_nothing_is_in_is_not_found(void **state)
{
	int netns = netns_make();
	uint32_t inode = netns_inode(netns);

	(void)state;
	/* Our own descriptor of it is no place that is searched. */
	assert_int_equal(eg_netns_open(inode, 0), -ENOENT);
	close(netns);
}

/* The descriptor is of it, of what was found then. */
static void expect_among(struct eg_netns_places *places, int netns)
{
	_cleanup_close_ int found = eg_netns_find(places, netns_inode(netns), 0);

	assert_true(found >= 0);
	assert_int_equal(netns_inode(found), netns_inode(netns));
}

static void of_many_each_is_found_and_processes_are_read_once(void **state)
{
	_cleanup_(eg_netns_places_clear) struct eg_netns_places places = {};
	_cleanup_close_ int nowhere = netns_make(), first = netns_make(), second = netns_make(), late = netns_make();
	struct eg_cgroup cgroup = cgroup_make("netns");
	pid_t pids[] = {cgroup_start(&cgroup, stay_in, &first), cgroup_start(&cgroup, stay_in, &second)};
	size_t read;
	pid_t late_pid;

	(void)state;
	wait_until_in(pids[0], netns_inode(first));
	wait_until_in(pids[1], netns_inode(second));
	assert_int_equal(eg_netns_find(&places, netns_inode(nowhere), 0), -ENOENT);
	read = places.list.len;
	assert_true(read >= 3); /* this process too */
	expect_among(&places, first);
	expect_among(&places, second);
	/* Who looks for many does so at one moment. */
	late_pid = cgroup_start(&cgroup, stay_in, &late);
	wait_until_in(late_pid, netns_inode(late));
	assert_int_equal(eg_netns_find(&places, netns_inode(late), 0), -ENOENT);
	assert_int_equal(eg_netns_find(&places, netns_inode(nowhere), 0), -ENOENT);
	assert_int_equal(places.list.len, read);
	expect_found(netns_inode(late), 0);
	cgroup_kill(pids[0]);
	cgroup_kill(pids[1]);
	cgroup_kill(late_pid);
	cgroup_end(&cgroup);
}

static int see_inode(void *context)
{
	struct stat st;

	if (stat("/proc/thread-self/ns/net", &st) < 0)
		return -errno;
	*(uint32_t *)context = (uint32_t)st.st_ino;
	return 42;
}

static void work_is_done_there_and_the_caller_stays_where_it_is(void **state)
{
	_cleanup_close_ int netns = netns_make();
	uint32_t before = 0, there = 0, after = 0;

	(void)state;
	see_inode(&before);
	assert_int_equal(eg_netns_call(netns, see_inode, &there), 42);
	see_inode(&after);
	assert_int_equal(there, netns_inode(netns));
	assert_int_not_equal(there, before);
	assert_int_equal(after, before);
}

static void what_is_no_network_namespace_is_not_entered(void **state)
{
	_cleanup_close_ int other = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	uint32_t there = 0;

	(void)state;
	skip_unless_root();
	assert_int_equal(eg_netns_call(other, see_inode, &there), -EINVAL);
	assert_int_equal(there, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_own_is_found),
		cmocka_unit_test(one_that_only_a_process_is_in_is_found_by_its_cgroup_and_without),
		cmocka_unit_test(one_that_has_but_a_name_is_found),
		cmocka_unit_test(one_that_nothing_is_in_is_not_found),
		cmocka_unit_test(of_many_each_is_found_and_processes_are_read_once),
		cmocka_unit_test(work_is_done_there_and_the_caller_stays_where_it_is),
		cmocka_unit_test(what_is_no_network_namespace_is_not_entered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
