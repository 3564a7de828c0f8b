/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a great policy costs: so many Dataplanes with so many inbounds each, in files
 * below the limit of one, on the way that a daemon's policy takes into maps that are
 * not attached; then the same with another port in one line. Seconds are of a
 * processor, whoever else wants it; memory is the most that the process ever had.
 *
 * usage: policy_bench DATAPLANES INBOUNDS [distinct]     distinct: no two have the same
 *        policy_bench PATH     files, or a folder, on the same way, but for the maps
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../tests/lib/support/folder.h"
#include "base/cleanup.h"
#include "config/config.h"
#include "datapath/datapath.h"
#include "policy/check.h"
#include "policy/diff.h"

#define FILE_BYTES_MAX (15l << 20)
#define OTHER_PORT 7

struct set {
	unsigned int dataplanes;
	unsigned int inbounds;
	bool is_distinct;
	char folder[FOLDER_LEN];
};

static const char *programs; /* the folder that this one is in */

/* --- the files --- */

static FILE *open_file(const struct set *set, const char *name, unsigned int number)
{
	char path[FOLDER_LEN + 32];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s-%03u.yaml", set->folder, name, number);
	out = fopen(path, "w");
	if (!out)
		err(1, "%s", path);
	return out;
}

static unsigned int port_of(const struct set *set, unsigned int dataplane, unsigned int inbound)
{
	return 1000 + (set->is_distinct ? (dataplane * 7 + inbound * 5000) % 60000 : inbound);
}

static void write_dataplane(const struct set *set, unsigned int i, bool is_other, FILE *out)
{
	fprintf(out, "---\ntype: Dataplane\nname: d%u\nnetworking:\n  address: 10.%u.%u.%u\n  inbound:\n", i,
		i >> 16 & 255, i >> 8 & 255, i & 255);
	for (unsigned int j = 0; j < set->inbounds; j++)
		fprintf(out, "  - {port: %u, tags: {kuma.io/service: s%u}}\n",
			is_other && j == 0 ? OTHER_PORT : port_of(set, i, j), i % 1000);
}

/* `other` has another port than usual; none: -1. */
static void write_set(const struct set *set, long other)
{
	FILE *out = open_file(set, "mesh", 0);
	unsigned int files = 0;

	fputs("type: Mesh\nname: default\nnetworking: {outbound: {passthrough: false}}\n---\n"
	      "type: Workload\nname: shop\ncgroup: /shop\n---\ntype: Node\nname: n\nresolvers: []\n", out);
	for (unsigned int i = 0; i < set->dataplanes; i++) {
		if (i == 0 || ftell(out) > FILE_BYTES_MAX) {
			fclose(out);
			out = open_file(set, "dataplanes", files++);
		}
		write_dataplane(set, i, i == other, out);
	}
	fclose(out);
}

/* --- the way into the maps --- */

static double cpu_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void report(const char *what, double *before)
{
	struct rusage usage;
	double now = cpu_s();

	getrusage(RUSAGE_SELF, &usage);
	printf("%-28s %8.3f s  %6ld MiB\n", what, now - *before, usage.ru_maxrss / 1024);
	*before = cpu_s();
}

static struct eg_model *load(const char *folder)
{
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	struct eg_model *model = eg_model_new();

	if (!model || eg_config_load(&folder, 1, model, &diag) < 0 || eg_policy_check(model, EG_SET_WHOLE, &diag) < 0)
		errx(1, "out of memory");
	if (eg_diag_has_errors(&diag)) {
		eg_diag_print(&diag, stderr);
		exit(1);
	}
	return model;
}

static struct eg_image *compile(const struct eg_ruleset *rules)
{
	const struct eg_capacity capacity = eg_datapath_max_capacity();
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	struct eg_image *image = NULL;

	if (eg_image_compile(rules, &capacity, &diag, &image) < 0) {
		eg_diag_print(&diag, stderr);
		exit(1);
	}
	return image;
}

/* How many entries of each bank a policy makes different. */
static void count_changes(const struct eg_image *from, const struct eg_image *to)
{
	_cleanup_(eg_diff_freep) struct eg_diff *diff = NULL;
	size_t puts = 0, removals = 0;

	if (eg_image_diff(from, to, &diff) < 0)
		errx(1, "out of memory");
	for (int table = 0; table < EG_TABLE_COUNT; table++) {
		puts += diff->tables[table].put.count;
		removals += diff->tables[table].remove.count;
	}
	printf("%-28s %8zu put, %zu removed\n", "  entries of a bank", puts, removals);
}

/* Returns the image, which the caller frees. */
static struct eg_image *put_in_force(struct eg_datapath *datapath, const char *folder, const struct eg_image *before)
{
	_cleanup_(eg_model_freep) struct eg_model *model = NULL;
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	struct eg_image *image, *applied;
	double since = cpu_s();

	model = load(folder);
	report("load and check", &since);
	if (eg_rules_resolve(model, NULL, 0, &rules) < 0)
		errx(1, "out of memory");
	report("resolve", &since);
	image = compile(rules);
	report("compile", &since);
	count_changes(before, image);
	applied = compile(rules);
	since = cpu_s();
	if (eg_datapath_apply(datapath, &applied) < 0)
		err(1, "apply");
	report("diff and apply", &since);
	return image;
}

static void bench_daemon(const struct set *set)
{
	const struct eg_datapath_options options = {.slots = 2,
						    .capacity = eg_datapath_max_capacity(),
						    .destinations = 1,
						    .leases = 1,
						    .destination_quota = 1};
	_cleanup_(eg_image_freep) struct eg_image *empty = eg_image_new(), *first = NULL, *second = NULL;
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = NULL;
	_cleanup_free_ char *problem = NULL;

	if (!empty || eg_datapath_load(&options, &datapath, &problem) < 0)
		errx(1, "cannot load: %s", problem ? problem : "no memory");
	write_set(set, -1);
	first = put_in_force(datapath, set->folder, empty);
	puts("another port in one line");
	write_set(set, set->dataplanes / 2);
	second = put_in_force(datapath, set->folder, first);
}

/* --- the commands --- */

static void bench_command(const char *what, char *const argv[])
{
	char path[4096];
	struct rusage usage;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (freopen("/dev/null", "w", stdout) && freopen("/dev/null", "w", stderr)) {
			snprintf(path, sizeof(path), "%s/../egressctl", programs);
			execv(path, argv);
		}
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		errx(1, "egressctl %s did not end well", argv[1]);
	printf("%-28s %8.3f s  %6ld MiB\n", what,
	       (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
	       usage.ru_maxrss / 1024);
}

static void bench_commands(char *folder)
{
	char *const check[] = {"egressctl", "check", folder, NULL};
	char *const explain[] = {"egressctl", "explain", "--policy", folder, "shop", "10.0.5.5:1003", NULL};

	bench_command("egressctl check", check);
	bench_command("egressctl explain", explain);
}

/* Whatever somebody has written. */
static int bench_path(const char *path)
{
	const struct eg_capacity capacity = eg_datapath_max_capacity();
	_cleanup_(eg_model_freep) struct eg_model *model = NULL;
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	double since = cpu_s();

	model = load(path);
	report("load and check", &since);
	if (eg_rules_resolve(model, NULL, 0, &rules) < 0)
		errx(1, "out of memory");
	report("resolve", &since);
	if (eg_image_compile(rules, &capacity, &diag, &image) < 0)
		eg_diag_print(&diag, stderr);
	report("compile", &since);
	return 0;
}

int main(int argc, char **argv)
{
	struct set set = {.is_distinct = argc == 4 && strcmp(argv[3], "distinct") == 0};
	char *slash = strrchr(argv[0], '/');

	if (argc == 2)
		return bench_path(argv[1]);
	if (argc < 3 || argc > 4 || (argc == 4 && !set.is_distinct) || !slash)
		errx(2, "usage: policy_bench DATAPLANES INBOUNDS [distinct], named by its path; or policy_bench PATH");
	set.dataplanes = (unsigned int)atol(argv[1]);
	set.inbounds = (unsigned int)atol(argv[2]);
	if (set.dataplanes < 1 || set.inbounds < 1 || set.dataplanes > 1u << 24)
		errx(2, "too few, or too many");
	*slash = '\0';
	programs = argv[0];
	folder_make(set.folder);
	bench_daemon(&set);
	bench_commands(set.folder);
	folder_remove(set.folder);
	return 0;
}
