/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "datapath/walk.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bpf/walk.skel.h"
#include "datapath/object.h"
#include "datapath/pinning.h"

/* The kernel's buffer for one read; records never straddle two reads. */
#define READ_MAX 32768

void eg_walk_clear(struct eg_walk *walk)
{
	eg_array_clear(&walk->sockets);
	*walk = (struct eg_walk){};
}

/* 1 once the record that ends a walk has come, 0, or -errno. */
static int take_records(const char *records, size_t len, struct eg_walk *walk)
{
	int r = 0;

	for (size_t at = 0; r == 0 && at + sizeof(struct eg_held_socket) <= len; at += sizeof(struct eg_held_socket)) {
		struct eg_held_socket held;

		memcpy(&held, records + at, sizeof(held));
		if (held.word != 0) {
			r = eg_array_push(&walk->sockets, held);
			continue;
		}
		walk->looked_at = held.cookie;
		r = 1;
	}
	return r;
}

static int compare_sockets(const void *a, const void *b)
{
	const struct eg_held_socket *x = a, *y = b;

	if (x->netns != y->netns)
		return x->netns < y->netns ? -1 : 1;
	return x->cookie == y->cookie ? 0 : x->cookie < y->cookie ? -1 : 1;
}

static int compare_holders(const void *a, const void *b)
{
	const struct eg_held_socket *x = a, *y = b;
	int order = compare_sockets(a, b);

	return order || x->pid == y->pid ? order : x->pid < y->pid ? -1 : 1;
}

/* A socket comes twice when processes share it, or when others went from where it was found. */
static void sort_sockets(struct eg_walk *walk, int (*compare)(const void *, const void *))
{
	struct eg_held_socket *items = walk->sockets.items;
	size_t kept = 0;

	if (walk->sockets.len == 0)
		return;
	qsort(items, walk->sockets.len, sizeof(*items), compare);
	for (size_t i = 1; i < walk->sockets.len; i++)
		if (compare(&items[kept], &items[i]) != 0)
			items[++kept] = items[i];
	walk->sockets.len = kept + 1;
}

static int run_walk(int link_fd, int (*compare)(const void *, const void *), struct eg_walk *ret_walk)
{
	_cleanup_(eg_walk_clear) struct eg_walk walk = {};
	_cleanup_close_ int fd = bpf_iter_create(link_fd);
	char records[READ_MAX];
	int r = fd < 0 ? -errno : 0;

	while (r == 0) {
		ssize_t len = read(fd, records, sizeof(records));

		/* At its end without the last record: the walk was cut short. */
		r = len < 0 ? -errno : len == 0 ? -EIO : take_records(records, (size_t)len, &walk);
		if (r == -EINTR || r == -EAGAIN)
			r = 0;
	}
	if (r < 0)
		return r;
	sort_sockets(&walk, compare);
	*ret_walk = walk;
	walk = (struct eg_walk){};
	return 0;
}

/* ---- the programs ---- */

void eg_object_free_walks(struct walk_bpf *walks)
{
	walk_bpf__destroy(walks);
}

int eg_object_open_walks(const struct eg_datapath *datapath, struct walk_bpf **ret_walks)
{
	struct walk_bpf *walks = walk_bpf__open();
	int r = walks ? eg_object_share_maps(datapath, walks->obj) : -errno;

	if (r < 0) {
		walk_bpf__destroy(walks);
		return r;
	}
	walks->rodata->eg_lease_mask = datapath->lease_mask;
	*ret_walks = walks;
	return 0;
}

int eg_datapath_load_walks(struct eg_datapath *datapath)
{
	struct walk_bpf *walks = NULL;
	int r;

	if (datapath->walks)
		return 0;
	r = eg_object_open_walks(datapath, &walks);
	if (r == 0)
		r = walk_bpf__load(walks);
	if (r < 0)
		walk_bpf__destroy(walks);
	else
		datapath->walks = walks;
	return r;
}

/* A descriptor, or -errno. */
static int link_walk(const struct bpf_program *program)
{
	return bpf_link_create(bpf_program__fd(program), 0, BPF_TRACE_ITER, NULL);
}

static int walk_by(const struct bpf_program *program, struct eg_walk *ret_walk)
{
	_cleanup_close_ int link_fd = link_walk(program);

	return link_fd < 0 ? link_fd : run_walk(link_fd, compare_sockets, ret_walk);
}

int eg_datapath_sweep(struct eg_datapath *datapath, struct eg_walk *ret_walk)
{
	int r = eg_datapath_load_walks(datapath);

	return r < 0 ? r : walk_by(datapath->walks->progs.eg_sweep, ret_walk);
}

int eg_datapath_collect(struct eg_datapath *datapath)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	int r = eg_datapath_load_walks(datapath);

	return r < 0 ? r : bpf_prog_test_run_opts(bpf_program__fd(datapath->walks->progs.eg_collect), &options);
}

int eg_datapath_age(struct eg_datapath *datapath, const struct eg_age *age)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = age, .ctx_size_in = sizeof(*age));
	int r = eg_datapath_load_walks(datapath);

	return r < 0 ? r : bpf_prog_test_run_opts(bpf_program__fd(datapath->walks->progs.eg_age_dests), &options);
}

int eg_datapath_list_forbidden(struct eg_datapath *datapath, struct eg_walk *ret_walk)
{
	int r = eg_datapath_load_walks(datapath);

	return r < 0 ? r : walk_by(datapath->walks->progs.eg_forbidden, ret_walk);
}

int eg_datapath_count_ended(struct eg_datapath *datapath, uint32_t slot)
{
	const struct eg_ended ended = {.slot = slot};
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &ended, .ctx_size_in = sizeof(ended));
	int r = eg_datapath_load_walks(datapath);

	return r < 0 ? r : bpf_prog_test_run_opts(bpf_program__fd(datapath->walks->progs.eg_count_ended), &options);
}

int eg_datapath_list_held(struct eg_datapath *datapath, struct eg_walk *ret_walk)
{
	int r = eg_datapath_load_walks(datapath);

	return r < 0 ? r : walk_by(datapath->walks->progs.eg_flows, ret_walk);
}

/* ---- the pin ---- */

/* Another name first, which then takes the place of the old one in a single step. */
static int pin_link(const struct eg_datapath *datapath, const char *name, int link_fd)
{
	_cleanup_free_ char *path = NULL, *next = NULL;
	int r;

	if (asprintf(&path, "%s/iters/%s", datapath->directory, name) < 0 || asprintf(&next, "%s_next", path) < 0)
		return -ENOMEM;
	/* Of one who was killed here. */
	if (unlink(next) < 0 && errno != ENOENT)
		return -errno;
	r = bpf_obj_pin(link_fd, next);
	return r < 0 ? r : rename(next, path) < 0 ? -errno : 0;
}

int eg_datapath_pin_walks(struct eg_datapath *datapath)
{
	_cleanup_close_ int flows = -1, uncounted = -1, foreign = -1;
	int r = eg_datapath_load_walks(datapath);

	if (r < 0)
		return r;
	flows = link_walk(datapath->walks->progs.eg_flows);
	uncounted = link_walk(datapath->walks->progs.eg_uncounted);
	foreign = link_walk(datapath->walks->progs.eg_foreign);
	if (flows < 0 || uncounted < 0 || foreign < 0)
		return flows < 0 ? flows : uncounted < 0 ? uncounted : foreign;
	r = pin_link(datapath, "eg_flows", flows);
	if (r == 0)
		r = pin_link(datapath, "eg_uncounted", uncounted);
	return r < 0 ? r : pin_link(datapath, "eg_foreign", foreign);
}

static int read_pin(const char *directory, const char *name, int (*compare)(const void *, const void *),
		    struct eg_walk *ret_walk, char **ret_problem)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int link_fd = -1;
	int r;

	if (asprintf(&path, "%s/iters/%s", directory, name) < 0)
		return -ENOMEM;
	link_fd = bpf_obj_get(path);
	r = link_fd < 0 ? -errno : run_walk(link_fd, compare, ret_walk);
	return r < 0 ? eg_problem(ret_problem, r, "%s: %s", path, strerror(-r)) : 0;
}

int eg_pins_read_flows(const char *directory, struct eg_walk *ret_walk, char **ret_problem)
{
	return read_pin(directory, "eg_flows", compare_sockets, ret_walk, ret_problem);
}

int eg_pins_read_holders(const char *directory, struct eg_walk *ret_walk, char **ret_problem)
{
	return read_pin(directory, "eg_flows", compare_holders, ret_walk, ret_problem);
}

int eg_pins_read_uncounted(const char *directory, struct eg_walk *ret_walk, char **ret_problem)
{
	return read_pin(directory, "eg_uncounted", compare_sockets, ret_walk, ret_problem);
}

int eg_pins_read_foreign(const char *directory, struct eg_walk *ret_walk, char **ret_problem)
{
	return read_pin(directory, "eg_foreign", compare_sockets, ret_walk, ret_problem);
}
