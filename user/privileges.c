/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

/* ---- capabilities ---- */

/* egressd(8) says what each is for; tests/e2e/privileges.bats has a test for each. */
static const unsigned int kept[] = {
	CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
};

static uint64_t wanted(void)
{
	uint64_t set = 0;

	for (size_t i = 0; i < EG_COUNT_OF(kept); i++)
		set |= UINT64_C(1) << kept[i];
	/* Pins and cgroups are root's: whoever else runs this writes there by this alone. */
	if (geteuid() != 0)
		set |= UINT64_C(1) << CAP_DAC_OVERRIDE;
	return set;
}

/* What an executed file could bring back. Without CAP_SETPCAP it stays, and there is no file that may be executed. */
static void drop_bounds(uint64_t keep)
{
	for (unsigned int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
		if (!(keep & (UINT64_C(1) << capability)))
			prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
	uint64_t keep = wanted();

	drop_bounds(keep);
	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (unsigned int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (__u32)(keep >> 32 * i);
		data[i].effective &= data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* ---- system calls ---- */

/*
 * What the daemon and its libraries call. Any other is answered as by a kernel
 * without it, which a newer C library takes for an older kernel.
 */
static const int allowed[] = {
	/* memory */
	SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(munmap),
	/* files */
	SCMP_SYS(access), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3),
	SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(fchmod), SCMP_SYS(fcntl), SCMP_SYS(flock), SCMP_SYS(fstat),
	SCMP_SYS(fstatfs), SCMP_SYS(getcwd), SCMP_SYS(getdents64), SCMP_SYS(inotify_add_watch),
	SCMP_SYS(inotify_init1), SCMP_SYS(inotify_rm_watch), SCMP_SYS(ioctl), SCMP_SYS(lseek), SCMP_SYS(lstat),
	SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(name_to_handle_at), SCMP_SYS(newfstatat), SCMP_SYS(open),
	SCMP_SYS(open_by_handle_at), SCMP_SYS(openat), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(read),
	SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(readv), SCMP_SYS(rename), SCMP_SYS(renameat),
	SCMP_SYS(renameat2), SCMP_SYS(rmdir), SCMP_SYS(stat), SCMP_SYS(statfs), SCMP_SYS(statx), SCMP_SYS(umask),
	SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(write), SCMP_SYS(writev),
	/* waiting */
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
	SCMP_SYS(epoll_wait), SCMP_SYS(eventfd2), SCMP_SYS(pipe2), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(pselect6), SCMP_SYS(select), SCMP_SYS(signalfd4), SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_gettime), SCMP_SYS(timerfd_settime),
	/* time */
	SCMP_SYS(clock_getres), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(gettimeofday),
	SCMP_SYS(nanosleep), SCMP_SYS(time),
	/* sockets, of the families below */
	SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(getpeername),
	SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(listen), SCMP_SYS(recvfrom), SCMP_SYS(recvmmsg),
	SCMP_SYS(recvmsg), SCMP_SYS(sendfile), SCMP_SYS(sendmmsg), SCMP_SYS(sendmsg), SCMP_SYS(sendto),
	SCMP_SYS(setsockopt), SCMP_SYS(shutdown),
	/* threads, and the process itself */
	SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(futex), SCMP_SYS(getegid), SCMP_SYS(geteuid),
	SCMP_SYS(getgid), SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getrandom), SCMP_SYS(getrlimit),
	SCMP_SYS(getrusage), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(capget), SCMP_SYS(pidfd_open),
	SCMP_SYS(restart_syscall), SCMP_SYS(rseq), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigpending),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_yield),
	SCMP_SYS(set_robust_list), SCMP_SYS(setrlimit), SCMP_SYS(sigaltstack), SCMP_SYS(sysinfo),
	SCMP_SYS(tgkill), SCMP_SYS(uname),
	/* what it is there for */
	SCMP_SYS(bpf),
};

/* Who calls these in the daemon's name is not the daemon: it ends. What is enforced stays. */
static const int never[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(move_mount),
	SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(unshare),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(setuid),
	SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setresuid), SCMP_SYS(keyctl), SCMP_SYS(userfaultfd),
};

/* One call with one value of one argument, under a mask. Several of them are alternatives. */
static const struct {
	int call;
	unsigned int argument;
	uint64_t mask;
	uint64_t value;
} alternatives[] = {
	{SCMP_SYS(socket), 0, UINT64_MAX, AF_UNIX},
	{SCMP_SYS(socket), 0, UINT64_MAX, AF_INET},
	{SCMP_SYS(socket), 0, UINT64_MAX, AF_INET6},
	{SCMP_SYS(socket), 0, UINT64_MAX, AF_NETLINK},
	{SCMP_SYS(socketpair), 0, UINT64_MAX, AF_UNIX},
	/* To where a connection is to be ended. */
	{SCMP_SYS(setns), 1, UINT64_MAX, CLONE_NEWNET},
	/* A thread, never a process. */
	{SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD},
	{SCMP_SYS(prctl), 0, UINT64_MAX, PR_SET_NAME},
	/* Limits of this process alone. */
	{SCMP_SYS(prlimit64), 0, UINT64_MAX, 0},
};

static int add_rules(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; i < EG_COUNT_OF(allowed) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; i < EG_COUNT_OF(never) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, never[i], 0);
	for (size_t i = 0; i < EG_COUNT_OF(alternatives) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, alternatives[i].call, 1,
				     SCMP_CMP64(alternatives[i].argument, SCMP_CMP_MASKED_EQ, alternatives[i].mask,
						alternatives[i].value));
	return r;
}

static void filter_release(scmp_filter_ctx *filter)
{
	seccomp_release(*filter);
}

static int drop_calls(void)
{
	_cleanup_(filter_release) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r = filter ? add_rules(filter) : -ENOMEM;

	/* A tree in place of a list; libraries before 2.5 have none. */
	if (r == 0)
		seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return r < 0 ? r : seccomp_load(filter);
}

/* ---- all of it ---- */

static void say(const char *what, int error)
{
	if (error < 0)
		eg_log_warning("privileges: cannot give up %s: %s; the daemon runs with more than it needs", what,
			       strerror(-error));
}

void eg_privileges_drop(void)
{
	say("capabilities", drop_capabilities());
	say("gaining privileges", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0);
	say("system calls", drop_calls());
}
