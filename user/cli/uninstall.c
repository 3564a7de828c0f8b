/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "datapath/inspect.h"
#include "datapath/stranded.h"
#include "workload/agent.h"
#include "workload/cgroup.h"

#define STOP_TIMEOUT_MS 10000
/* The kernel lets go of a cgroup that was removed in a worker; of one whose sockets live on, later. */
#define SETTLE_TIMEOUT_MS 2000
#define SETTLE_STEP_MS 50

static const struct eg_command_help help = {
	.name = "uninstall",
	.usage = "[--stop]",
	.text = "Ends all enforcement of the agent and removes its links, maps and directory;\n"
		"prints what it removes, and what is left that looks like ours. Counters are\n"
		"lost. With nothing there it succeeds; with an agent running it refuses. A map\n"
	"that the kernel could not remove without harm is kept, and named.",
};

static int take_stop(const char *value, void *context)
{
	(void)value;
	*(bool *)context = true;
	return 0;
}

static const struct eg_option options[] = {
	{"stop", NULL, "ends the running agent first", take_stop},
};

/* ---- the agent ---- */

static int stop_agent(const struct eg_agent *agent)
{
	_cleanup_close_ int fd = eg_agent_open(agent);
	struct pollfd ended = {.fd = fd, .events = POLLIN};

	if (fd < 0)
		return fd == -ESRCH ? 0 : fd;
	if (syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
		return -errno;
	switch (poll(&ended, 1, STOP_TIMEOUT_MS)) {
	case 0:
		return -ETIMEDOUT;
	case 1:
		printf("stopped the agent, process %u\n", agent->pid);
		return 0;
	default:
		return -errno;
	}
}

/* 0 once it has ended, or -errno once it has said why it has not. */
static int end_agent(const struct eg_agent *agent, bool stop)
{
	int r = stop ? stop_agent(agent) : -EBUSY;

	if (!stop)
		eg_log_error("uninstall: the agent runs (process %u); nothing is removed: --stop ends it first",
			     agent->pid);
	else if (r < 0)
		eg_log_error("uninstall: cannot stop the agent (process %u): %s; nothing is removed", agent->pid,
			     strerror(-r));
	return r;
}

/*
 * Ends the agent. While *ret_lock_fd is open no other one starts, as systemd would start it: what it is at work with
 * would be removed under it. 0, with *ret_lock_fd as it was where nothing is pinned, or -errno once it has said why not.
 */
static int keep_agents_away(const char *directory, bool stop, int *ret_lock_fd)
{
	struct eg_agent agent;
	const bool is_alive = eg_pins_read_agent(directory, &agent) == 0 && eg_agent_is_alive(&agent);
	int r = is_alive ? end_agent(&agent, stop) : 0;

	if (r < 0)
		return r;
	r = eg_pins_lock(directory, ret_lock_fd);
	if (r == -EWOULDBLOCK)
		eg_log_error("uninstall: an agent holds %s that is starting, or not seen from here (another pid namespace?); "
			     "nothing is removed",
			     directory);
	else if (r < 0 && r != -ENOENT)
		eg_log_error("uninstall: %s: %s; nothing is removed", directory, strerror(-r));
	else if (!is_alive)
		printf("looked for a running agent: none\n");
	/* Where there is no directory, nothing can be held: one that comes later is not ours to remove. */
	return r == -ENOENT ? 0 : r;
}

/* ---- the pins ---- */

static void say_removed(const char *path, void *context)
{
	(void)context;
	printf("removed %s\n", path);
}

static void count_kept(const struct eg_stranded_pin *pin, void *context)
{
	(void)pin;
	++*(size_t *)context;
}

static void say_kept(const struct eg_stranded_pin *pin, void *context)
{
	(void)context;
	printf("kept %s: %u of its cgroups are gone, and the kernel has not let go of what they had there; if it never "
	       "does, it would write into freed memory when the map goes: call uninstall again later, or leave it\n",
	       pin->path, pin->entries);
}

/* Before the maps go, and not without: that could end in a panic. */
static int keep_what_must_stay(const char *directory)
{
	size_t kept = 0;
	int r = 0;

	for (int waited_ms = 0; waited_ms <= SETTLE_TIMEOUT_MS; waited_ms += SETTLE_STEP_MS) {
		kept = 0;
		r = eg_stranded_look(directory, eg_cgroup_is_there, count_kept, &kept);
		if (r < 0 || kept == 0)
			break;
		poll(NULL, 0, SETTLE_STEP_MS);
	}
	if (r == 0 && kept > 0)
		r = eg_stranded_look(directory, eg_cgroup_is_there, say_kept, NULL);
	if (r < 0)
		eg_log_error("uninstall: cannot look for cgroups that went while they were enrolled: %s; nothing is removed",
			     strerror(-r));
	return r;
}

/* Nobody holds what was not there: an agent may have started since, and be at work with what it has pinned. */
static int check_absence(const char *directory)
{
	struct stat st;

	if (lstat(directory, &st) == 0) {
		eg_log_error("uninstall: %s has come meanwhile: an agent has started, and is left alone", directory);
		return -EBUSY;
	}
	printf("looked for %s: nothing there\n", directory);
	return 0;
}

static int remove_pins(bool stop)
{
	_cleanup_free_ char *directory = NULL, *problem = NULL;
	_cleanup_close_ int lock_fd = -1;
	int r = eg_pins_locate(&directory, &problem);

	if (r == -ENOENT) {
		printf("looked for a BPF file system: none is mounted, so that nothing is pinned\n");
		return 0;
	}
	if (r == 0)
		r = keep_agents_away(directory, stop, &lock_fd);
	else
		eg_log_error("uninstall: %s", problem ? problem : strerror(-r));
	if (r == 0)
		r = keep_what_must_stay(directory);
	if (r < 0)
		return r;
	if (lock_fd < 0)
		return check_absence(directory);
	r = eg_pins_remove(directory, say_removed, NULL, &problem);
	if (r < 0)
		eg_log_error("uninstall: %s", problem ? problem : strerror(-r));
	return r;
}

/* ---- what is left ---- */

static void print_link(const struct eg_found_link *link)
{
	_cleanup_free_ char *path = NULL;

	if (link->netns != 0)
		printf("  link %u %s in network namespace %u\n", link->id, link->program, link->netns);
	else if (eg_cgroup_find_path(link->cgroup_id, &path) < 0)
		printf("  link %u %s on cgroup %" PRIu64 "\n", link->id, link->program, link->cgroup_id);
	else
		printf("  link %u %s on %s\n", link->id, link->program, path);
}

static int report_links(void)
{
	struct eg_found_links links = {};
	int r = eg_inspect_links(&links);

	if (r < 0)
		eg_log_error("uninstall: cannot look for links that are left: %s", strerror(-r));
	else if (links.list.len == 0)
		printf("looked for links of egressd programs on cgroups and network namespaces: none\n");
	else
		printf("links of programs with our names that are not the agent's; an 'egressctl run' removes its own "
		       "when it ends:\n");
	for (size_t i = 0; i < links.list.len; i++)
		print_link(&links.list.items[i]);
	eg_array_clear(&links.list);
	return r;
}

int eg_cmd_uninstall(int argc, char **argv)
{
	bool stop = false;
	int operands, r = eg_options_parse(argc, argv, &help, options, EG_COUNT_OF(options), &stop, &operands);

	if (r == 0 && operands < argc)
		r = eg_options_error(help.name, "no operand is wanted, not '%s'", argv[operands]);
	if (r != 0)
		return r == EG_OPTIONS_HELP ? EG_EXIT_OK : EG_EXIT_USAGE;
	r = remove_pins(stop);
	if (r == 0)
		r = report_links();
	return r < 0 ? EG_EXIT_FAILED : EG_EXIT_OK;
}
