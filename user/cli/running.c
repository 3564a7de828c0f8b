/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/running.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "datapath/pins.h"
#include "words.h"
#include "workload/agent.h"

#define COMMAND_LINE_MAX (1u << 20)
#define REMEDY "name its policy with --policy"

struct pointers {
	EG_ARRAY(char *) list;
};

static void pointers_clear(struct pointers *pointers)
{
	eg_array_clear(&pointers->list);
}

/* /proc/PID/NAME */
static const char *proc_path(uint32_t pid, const char *name, char buffer[64])
{
	snprintf(buffer, 64, "/proc/%u/%s", pid, name);
	return buffer;
}

/* The agent that the pins name, alive or not. */
static int read_agent(char **ret_directory, struct eg_agent *ret_agent, char **ret_problem)
{
	int r = eg_pins_locate(ret_directory, ret_problem);

	return r < 0 ? r : eg_pins_read_agent(*ret_directory, ret_agent);
}

static int find_agent(const char *command, struct eg_agent *ret_agent)
{
	_cleanup_free_ char *directory = NULL, *problem = NULL;
	int r = read_agent(&directory, ret_agent, &problem);

	if (r == -ENOENT && !problem)
		eg_log_error("%s: nothing is pinned at %s: no agent has run here; " REMEDY, command, directory);
	else if (r < 0)
		eg_log_error("%s: cannot ask who the agent is: %s; " REMEDY, command, problem ? problem : strerror(-r));
	if (r < 0 || eg_agent_look(ret_agent, eg_pins_are_locked(directory)) == EG_AGENT_SEEN)
		return r;
	eg_log_error("%s: no agent is seen to run; " REMEDY, command);
	return -ESRCH;
}

/* Whether a path means the same file to the agent and here. */
static bool sees_same_files(uint32_t pid)
{
	struct stat own, other;
	char path[64];

	return stat("/proc/self/ns/mnt", &own) == 0 && stat(proc_path(pid, "ns/mnt", path), &other) == 0 &&
	       own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

static int read_working_directory(uint32_t pid, char directory[PATH_MAX])
{
	char path[64];
	ssize_t len = readlink(proc_path(pid, "cwd", path), directory, PATH_MAX - 1);

	if (len < 0)
		return -errno;
	directory[len] = '\0';
	return 0;
}

static int add_path(const char *directory, const char *path, struct eg_arena *arena, struct eg_paths *paths)
{
	_cleanup_free_ char *full = NULL;
	const char *kept;

	if (path[0] != '/' && asprintf(&full, "%s/%s", directory, path) < 0)
		return -ENOMEM;
	kept = eg_arena_strdup(arena, full ? full : path);
	return kept ? eg_array_push(&paths->list, kept) : -ENOMEM;
}

static int add_paths(const char *directory, char *line, size_t len, struct eg_arena *arena, struct eg_paths *paths)
{
	_cleanup_(eg_daemon_words_clear) struct eg_daemon_words words = {};
	_cleanup_(pointers_clear) struct pointers argv = {};
	const char *problem;
	int r = 0;

	for (char *word = line; r == 0 && word < line + len; word += strlen(word) + 1)
		r = eg_array_push(&argv.list, word);
	if (r == 0)
		r = eg_array_push(&argv.list, NULL);
	if (r == 0)
		r = eg_daemon_words_parse((int)argv.list.len - 1, argv.list.items, &words, &problem);
	for (size_t i = 0; r == 0 && i < words.policies.len; i++)
		r = add_path(directory, words.policies.items[i], arena, paths);
	return r;
}

static int read_command_line(uint32_t pid, struct eg_arena *arena, struct eg_paths *paths)
{
	_cleanup_free_ char *line = NULL;
	char path[64], directory[PATH_MAX];
	size_t len;
	int r = eg_file_read(proc_path(pid, "cmdline", path), COMMAND_LINE_MAX, &line, &len);

	if (r == 0)
		r = read_working_directory(pid, directory);
	return r < 0 ? r : add_paths(directory, line, len, arena, paths);
}

int eg_running_policy(const char *command, struct eg_arena *arena, struct eg_paths *ret_paths)
{
	struct eg_agent agent;
	int r = find_agent(command, &agent);

	if (r < 0)
		return r;
	if (!sees_same_files(agent.pid)) {
		eg_log_error("%s: the agent (process %u) sees other files than this command; " REMEDY, command,
			     agent.pid);
		return -EXDEV;
	}
	r = read_command_line(agent.pid, arena, ret_paths);
	if (r < 0)
		eg_log_error("%s: cannot tell what the agent (process %u) reads: %s; " REMEDY, command, agent.pid,
			     strerror(-r));
	else if (agent.error[0] != '\0' && agent.error_of == EG_WORK_LOAD)
		eg_log_warning("%s: the agent keeps an older policy in force: it has refused these files: %s", command,
			       agent.error);
	return r;
}
