/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a process can do no more once it has given up what the daemon does not need. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "privileges.h"

/* How a process ends that has dropped its privileges and then does this: by its answer, or by a signal. */
static int end_of(int (*act)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		eg_privileges_drop();
		_exit(act());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_killed(int (*act)(void))
{
	int status = end_of(act);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void assert_answers(int (*act)(void), int answer)
{
	int status = end_of(act);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), answer);
}

static int execute(void)
{
	execl("/bin/true", "true", NULL);
	return 0;
}

static int mount_something(void)
{
	return mount("none", "/proc", "tmpfs", 0, NULL) == 0 ? 0 : errno;
}

static int become_nobody(void)
{
	return (int)syscall(SYS_setuid, 65534);
}

static void executing_mounting_and_becoming_another_user_end_the_process(void **state)
{
	(void)state;
	assert_killed(execute);
	assert_killed(mount_something);
	assert_killed(become_nobody);
}

static int open_socket(int family)
{
	int fd = socket(family, SOCK_DGRAM, 0);

	return fd < 0 ? errno : 0;
}

static int open_ipv6(void)
{
	return open_socket(AF_INET6) == EAFNOSUPPORT ? 0 : open_socket(AF_INET6);
}

static int open_netlink(void)
{
	return open_socket(AF_NETLINK);
}

static int open_packet(void)
{
	return open_socket(AF_PACKET);
}

static int open_vsock(void)
{
	return open_socket(AF_VSOCK);
}

static void sockets_are_of_the_families_that_the_daemon_uses(void **state)
{
	(void)state;
	assert_answers(open_ipv6, 0);
	assert_answers(open_netlink, 0);
	assert_answers(open_packet, ENOSYS);
	assert_answers(open_vsock, ENOSYS);
}

static int start_process(void)
{
	return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0L) < 0 ? errno : 0;
}

static void *nothing(void *argument)
{
	return argument;
}

static int start_thread(void)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, nothing, NULL);

	return r ? r : pthread_join(thread, NULL);
}

static void threads_can_be_started_and_processes_cannot(void **state)
{
	(void)state;
	assert_answers(start_process, ENOSYS);
	assert_answers(start_thread, 0);
}

static int enter_mount_namespace(void)
{
	_cleanup_close_ int fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	return setns(fd, CLONE_NEWNS) < 0 ? errno : 0;
}

static int enter_any_namespace(void)
{
	_cleanup_close_ int fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	return setns(fd, 0) < 0 ? errno : 0;
}

static void no_namespace_but_one_of_the_network_can_be_entered(void **state)
{
	(void)state;
	assert_answers(enter_mount_namespace, ENOSYS);
	assert_answers(enter_any_namespace, ENOSYS);
}

/* 1: something that is not needed is left. */
static int look_at_capabilities(void)
{
	static const unsigned int dropped[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_KILL, CAP_NET_RAW,
					       CAP_SETUID, CAP_SYS_MODULE, CAP_SYS_RESOURCE, CAP_SYS_BOOT};
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
	uint64_t left;

	if (syscall(SYS_capget, &header, data) < 0)
		return 2;
	left = data[0].permitted | data[0].effective | data[0].inheritable;
	left |= (uint64_t)(data[1].permitted | data[1].effective | data[1].inheritable) << 32;
	for (size_t i = 0; i < EG_COUNT_OF(dropped); i++)
		if (left & (UINT64_C(1) << dropped[i]) && !(geteuid() != 0 && dropped[i] == CAP_DAC_OVERRIDE))
			return 1;
	return 0;
}

static void capabilities_that_are_not_needed_are_gone(void **state)
{
	(void)state;
	assert_answers(look_at_capabilities, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(executing_mounting_and_becoming_another_user_end_the_process),
		cmocka_unit_test(sockets_are_of_the_families_that_the_daemon_uses),
		cmocka_unit_test(threads_can_be_started_and_processes_cannot),
		cmocka_unit_test(no_namespace_but_one_of_the_network_can_be_entered),
		cmocka_unit_test(capabilities_that_are_not_needed_are_gone),
	};

	return cmocka_run_group_tests_name("privileges", tests, NULL, NULL);
}
