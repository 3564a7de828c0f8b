/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "datapath/datapath.h"
#include "export/report.h"
#include "sweeper.h"
#include "workload/cgroup.h"
#include "workload/guardian.h"

#define RUN_DESTINATIONS 4096u
#define RUN_LEASES_MIN 65536u

/* Everything that a run holds, in the order in which it is made. */
struct session {
	const struct eg_run *run;
	sigset_t caller_mask;	/* the command gets it back, and so with the next one */
	bool ignores_children;	/* the caller's SIGCHLD is SIG_IGN */
	int signal_fd;
	struct eg_cgroup cgroup;
	struct eg_datapath *datapath;
	struct eg_links *links;
	struct eg_links *proxy_links;	/* NULL: there is no proxy to serve */
	struct eg_guardian guardian;
	struct eg_sweeper sweeper;
	int64_t sweep_at_ms;	/* CLOCK_MONOTONIC */
	pid_t command;
};

/* ---- signals ---- */

/*
 * All signals come through signal_fd, also those that would kill us: the command
 * has the last word on them.
 */
static int open_signals(struct session *session)
{
	sigset_t all;

	/* Ignored, it would neither come nor leave us a status to wait for. */
	session->ignores_children = signal(SIGCHLD, SIG_DFL) == SIG_IGN;
	sigfillset(&all);
	/* Job control stays the kernel's: we stop and go on together with the command. */
	sigdelset(&all, SIGTSTP);
	sigdelset(&all, SIGTTIN);
	sigdelset(&all, SIGTTOU);
	if (sigprocmask(SIG_BLOCK, &all, &session->caller_mask) == 0)
		session->signal_fd = signalfd(-1, &all, SFD_CLOEXEC);
	if (session->signal_fd < 0) {
		eg_log_error("cannot take over the signals: %s", strerror(errno));
		return -errno;
	}
	return 0;
}

/* ---- setting up ---- */

/* Twice what the limits let in, sessions of UDP included, and as much again as usually drains. */
static uint32_t count_lease_places(const struct eg_subject *subject)
{
	uint64_t wanted = 4 * ((uint64_t)subject->ipv4.max_connections + subject->ipv6.max_connections);
	uint32_t places = RUN_LEASES_MIN;

	while (places < EG_LEASES_MAX && places < wanted)
		places *= 2;
	return places;
}

static int load_datapath(struct session *session)
{
	struct eg_datapath_options options = {
		.slots = session->run->subject->slot + 1,
		.destinations = RUN_DESTINATIONS,
		.leases = count_lease_places(session->run->subject),
		.destination_quota = RUN_DESTINATIONS,
		.event_rate = 0, /* nobody listens: the report has it all */
		.nothing_pinned = true,
		.never_guards = !eg_image_has(*session->run->image, session->run->subject->slot, EG_WORKLOAD_GUARDED),
		.never_filters = !eg_image_looks_at_incoming(*session->run->image, session->run->subject->slot),
		.never_redirects = !eg_image_has(*session->run->image, session->run->subject->slot, EG_WORKLOAD_REDIRECTS),
	};
	_cleanup_free_ char *problem = NULL;
	int r;

	for (enum eg_table table = 0; table < EG_TABLE_COUNT; table++)
		options.capacity.max_entries[table] = (*session->run->image)->tables[table].count;
	r = eg_datapath_load(&options, &session->datapath, &problem);
	if (r < 0) {
		eg_log_error("cannot load the BPF programs: %s", problem ? problem : strerror(-r));
		return r;
	}
	r = eg_datapath_apply(session->datapath, session->run->image);
	if (r < 0)
		eg_log_error("cannot put the policy into the kernel: %s", strerror(-r));
	return r;
}

static int make_cgroup(struct session *session)
{
	_cleanup_free_ char *own = NULL;
	char name[64];
	int r = eg_cgroup_own_path(&own);

	if (r < 0) {
		eg_log_error("cannot find this process's cgroup in a mounted cgroup v2: %s", strerror(-r));
		return r;
	}
	snprintf(name, sizeof(name), "egressctl-run-%d", getpid());
	r = eg_cgroup_create(own, name, &session->cgroup);
	if (r < 0)
		eg_log_error("cannot make a cgroup below %s: %s", own, strerror(-r));
	return r;
}

static int enforce(struct session *session)
{
	int r = eg_datapath_enrol(session->datapath, session->cgroup.fd, session->run->subject->slot,
				  &session->links);

	if (r < 0)
		eg_log_error("cannot attach to %s: %s%s", session->cgroup.path, strerror(-r),
			     r == -EPERM ? "; it needs CAP_NET_ADMIN, before Linux 6.9 beside CAP_SYS_ADMIN too" : "");
	return r;
}

/*
 * A cgroup that is not there is said and no failure, as for a daemon, which may wait for it. They end with us:
 * whoever still is redirected then is killed by the guardian.
 */
static int serve_proxy(struct session *session)
{
	const struct eg_workload *workload = session->run->subject->workload;
	const char *cgroup = workload ? workload->redirect.proxy_cgroup : NULL;
	_cleanup_free_ char *mount_point = NULL, *path = NULL;
	_cleanup_close_ int fd = -1;
	int r = cgroup ? eg_cgroup_mount_point(&mount_point) : 0;

	if (!cgroup || r < 0)
		return r;
	if (asprintf(&path, "%s%s", mount_point, cgroup) < 0)
		return -ENOMEM;
	fd = cgroup[0] == '/' ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd < 0) {
		eg_log_warning("the proxy's cgroup %s is not there: no proxy is told where connections wanted to go", cgroup);
		return 0;
	}
	r = eg_datapath_serve_proxy(session->datapath, fd, &session->proxy_links);
	if (r < 0)
		eg_log_error("cannot attach to %s: %s", path, strerror(-r));
	return r;
}

static int start_guardian(struct session *session)
{
	const int *fds;
	size_t count = eg_links_fds(session->links, &fds);
	int r = eg_guardian_start(&session->cgroup, fds, count, &session->guardian);

	if (r < 0)
		eg_log_error("cannot start the guardian: %s", strerror(-r));
	return r;
}

/* ---- the command ---- */

static pid_t fork_into(int cgroup_fd)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (__u64)cgroup_fd,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* In the child: becomes the command, or says why not. */
static _Noreturn void become_command(const struct session *session, int error_fd)
{
	if (session->ignores_children)
		signal(SIGCHLD, SIG_IGN);
	sigprocmask(SIG_SETMASK, &session->caller_mask, NULL);
	execvp(session->run->argv[0], session->run->argv);
	if (write(error_fd, &errno, sizeof(errno)) < 0)
		errno = 0; /* the runner then takes our exit status for the command's */
	_exit(EG_RUN_FAILED);
}

/* The errno that exec failed with, or 0 when the command runs: then its end of the pipe is closed. */
static int read_exec_error(int fd)
{
	int error = 0;
	ssize_t len;

	do {
		len = read(fd, &error, sizeof(error));
	} while (len < 0 && errno == EINTR);
	return len == sizeof(error) ? error : 0;
}

/* 0 once the command runs; otherwise the exit status that says why it does not. */
static int start_command(struct session *session)
{
	_cleanup_close_ int read_end = -1, write_end = -1;
	int fds[2], error;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		eg_log_error("cannot make a pipe: %s", strerror(errno));
		return EG_RUN_FAILED;
	}
	read_end = fds[0];
	write_end = fds[1];
	session->command = fork_into(session->cgroup.fd);
	if (session->command < 0) {
		eg_log_error("cannot start a process in %s: %s", session->cgroup.path, strerror(errno));
		return EG_RUN_FAILED;
	}
	if (session->command == 0)
		become_command(session, write_end);
	eg_closep(&write_end);
	write_end = -1;
	error = read_exec_error(read_end);
	if (error == 0)
		return 0;
	waitpid(session->command, NULL, 0);
	/* A process that was waited for may be on its way out of its cgroup yet. */
	eg_cgroup_wait_empty(&session->cgroup, 1000);
	eg_log_error("cannot run '%s': %s", session->run->argv[0], strerror(error));
	return error == ENOENT ? EG_RUN_NOT_FOUND : EG_RUN_CANNOT_EXECUTE;
}

/* The command's exit status, if it has ended. */
static bool reap_command(const struct session *session, int *ret_status)
{
	int status;

	if (waitpid(session->command, &status, WNOHANG) != session->command)
		return false;
	*ret_status = WIFSIGNALED(status) ? EG_RUN_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
	return true;
}

/* Whoever sends a signal to us means the command, unless it has the signal already or we are the cause. */
static bool is_for_command(const struct signalfd_siginfo *signal)
{
	bool from_kernel = signal->ssi_code == SI_KERNEL;

	switch (signal->ssi_signo) {
	case SIGCHLD:
	case SIGCONT:
		return false;
	case SIGPIPE: /* our own message, to a standard error that nobody reads */
		return signal->ssi_pid != (uint32_t)getpid();
	case SIGINT:
	case SIGQUIT:
	case SIGWINCH: /* a terminal sends these to the whole process group */
		return !from_kernel;
	case SIGHUP: /* and this one to the leader of the session alone */
		return !from_kernel || getsid(0) == getpid();
	default:
		return true;
	}
}

/* Without a guardian the next kill -9 would set the command free: a new one takes its place. */
static void replace_guardian(struct session *session)
{
	eg_guardian_release(&session->guardian, true);
	eg_log_warning("the guardian was killed; starting another one");
	if (start_guardian(session) < 0) {
		eg_log_error("ending the command: nothing would end it if egressctl died");
		if (eg_cgroup_kill(&session->cgroup) < 0)
			kill(session->command, SIGKILL); /* the rest of the cgroup follows once it is reaped */
	}
}

/* ---- sweeps ---- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* A run that holds nothing is not swept: it need not even load the programs for it. */
static bool holds_anything(const struct session *session)
{
	struct eg_maps maps = eg_datapath_maps(session->datapath);
	struct eg_slot slot;
	const struct eg_cluster_state *clusters[] = {&slot.state.ipv4, &slot.state.ipv6};

	if (eg_maps_read_slot(&maps, session->run->subject->slot, &slot) < 0)
		return true;
	for (size_t i = 0; i < EG_COUNT_OF(clusters); i++)
		if (clusters[i]->held || clusters[i]->sessions || clusters[i]->draining)
			return true;
	return false;
}

static void start_sweeps(struct session *session)
{
	session->sweeper = (struct eg_sweeper){
		.datapath = session->datapath,
		.wanted_ms = session->run->sweep_interval_ms,
		.period_ms = eg_sweep_period_ms(eg_datapath_shortest_timeout_ms(session->datapath),
						session->run->sweep_interval_ms, 0),
	};
	session->sweep_at_ms = now_ms() + session->sweeper.period_ms;
}

static void sweep(struct session *session)
{
	if (holds_anything(session))
		eg_sweeper_run(&session->sweeper);
	session->sweep_at_ms = now_ms() + session->sweeper.period_ms;
}

/* How long to wait for the next one at most; it is made when it is due. */
static int wait_for_sweep(struct session *session)
{
	int64_t left_ms;

	if (now_ms() >= session->sweep_at_ms)
		sweep(session);
	/* It may have come due while we were not run: to poll(), a negative number is forever. */
	left_ms = session->sweep_at_ms - now_ms();
	return left_ms > 0 ? (int)left_ms : 0;
}

/* Waits for the command's end, whatever comes meanwhile. Returns its exit status. */
static int wait_for_command(struct session *session)
{
	struct signalfd_siginfo signal;
	int status;

	while (!reap_command(session, &status)) {
		struct pollfd fds[] = {
			{.fd = session->signal_fd, .events = POLLIN},
			{.fd = session->guardian.pid_fd, .events = POLLIN},
		};

		if (poll(fds, EG_COUNT_OF(fds), wait_for_sweep(session)) < 0)
			continue;
		if (fds[0].revents & POLLIN && read(session->signal_fd, &signal, sizeof(signal)) == sizeof(signal) &&
		    is_for_command(&signal))
			kill(session->command, (int)signal.ssi_signo);
		if (fds[1].revents & POLLIN)
			replace_guardian(session);
	}
	return status;
}

/* ---- the end ---- */

/* Counts are final once no process is left. */
static int empty_cgroup(struct session *session)
{
	int r;

	do {
		r = eg_cgroup_kill(&session->cgroup);
		if (r == 0)
			r = eg_cgroup_wait_empty(&session->cgroup, 1000);
	} while (r == -ETIMEDOUT);
	if (r < 0)
		eg_log_error("cannot empty %s: %s", session->cgroup.path, strerror(-r));
	return r;
}

static int write_report(struct session *session)
{
	struct eg_maps maps = eg_datapath_maps(session->datapath);
	uint32_t slot = session->run->subject->slot;
	struct eg_destinations destinations = {};
	_cleanup_free_ char *text = NULL;
	struct eg_totals totals = {};
	int r;

	if (!session->run->report)
		return 0;
	/* What still flushes has sent since the last one. */
	sweep(session);
	r = eg_totals_add_slot(&totals, &maps, slot);
	if (r == 0)
		r = eg_maps_read_destinations(&maps, slot, &destinations);
	if (r == 0)
		r = eg_report_format(session->run->subject, &totals, &destinations, &text);
	if (r == 0)
		r = eg_file_replace(session->run->report, text, strlen(text));
	eg_array_clear(&destinations.list);
	if (r < 0)
		eg_log_error("cannot write the report '%s': %s", session->run->report, strerror(-r));
	return r;
}

static void tear_down(struct session *session)
{
	int r = 0;

	if (session->cgroup.fd >= 0)
		r = eg_cgroup_remove(&session->cgroup);
	if (r < 0)
		eg_log_error("cannot remove %s: %s; the guardian stays until it is empty", session->cgroup.path,
			     strerror(-r));
	eg_guardian_release(&session->guardian, r == 0);
	eg_links_free(session->links);
	eg_links_free(session->proxy_links);
	eg_sweeper_clear(&session->sweeper);
	eg_datapath_free(session->datapath);
	eg_cgroup_close(&session->cgroup);
	eg_closep(&session->signal_fd);
}

static int set_up(struct session *session)
{
	/* Nobody removes the cgroup if we are killed before the guardian is there: all that takes time comes first. */
	int r = open_signals(session);

	if (r == 0)
		r = load_datapath(session);
	if (r == 0)
		r = make_cgroup(session);
	if (r == 0)
		r = enforce(session);
	if (r == 0)
		r = serve_proxy(session);
	if (r == 0)
		r = start_guardian(session);
	return r;
}

int eg_run(const struct eg_run *run)
{
	struct session session = {
		.run = run,
		.signal_fd = -1,
		.cgroup = EG_CGROUP_NONE,
		.guardian = EG_GUARDIAN_NONE,
	};
	int status = EG_RUN_FAILED;

	if (set_up(&session) == 0)
		status = start_command(&session);
	if (status == 0) {
		start_sweeps(&session);
		status = wait_for_command(&session);
		/* A report that could not be written must not look like success. */
		if (empty_cgroup(&session) < 0 || write_report(&session) < 0)
			status = status ? status : EG_RUN_FAILED;
	}
	tear_down(&session);
	return status;
}
