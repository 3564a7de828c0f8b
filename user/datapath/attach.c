/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bpf/lsm.skel.h"
#include "datapath/object.h"
#include "datapath/pinning.h"
#include "datapath/pins.h"
#include "datapath/refusal.h"

#define PROGRAM_COUNT \
	((sizeof(((struct egress_bpf *)0)->progs) + sizeof(((struct lsm_bpf *)0)->progs)) / sizeof(struct bpf_program *))

struct eg_links {
	size_t count;
	struct bpf_link *links[PROGRAM_COUNT];
	int fds[PROGRAM_COUNT];
};

struct eg_links *eg_links_free(struct eg_links *links)
{
	if (!links)
		return NULL;
	for (size_t i = 0; i < links->count; i++)
		bpf_link__destroy(links->links[i]);
	free(links);
	return NULL;
}

size_t eg_links_fds(const struct eg_links *links, const int **ret_fds)
{
	*ret_fds = links->fds;
	return links->count;
}

bool eg_object_is_gate(const struct bpf_program *program)
{
	return strncmp(bpf_program__name(program), "eg_gate_", strlen("eg_gate_")) == 0;
}

bool eg_object_is_for_agent(const struct bpf_program *program)
{
	return bpf_program__type(program) == BPF_PROG_TYPE_SYSCALL || eg_object_is_gate(program);
}

bool eg_object_is_guard(const struct bpf_program *program)
{
	return strncmp(bpf_program__name(program), "eg_guard_", strlen("eg_guard_")) == 0;
}

bool eg_object_is_filter(const struct bpf_program *program)
{
	return strcmp(bpf_program__name(program), "eg_in_filter") == 0;
}

bool eg_object_is_proxys(const struct bpf_program *program)
{
	return strncmp(bpf_program__name(program), "eg_proxy_", strlen("eg_proxy_")) == 0;
}

bool eg_object_is_redirect(const struct bpf_program *program)
{
	return strncmp(bpf_program__name(program), "eg_redir_", strlen("eg_redir_")) == 0 ||
	       eg_object_is_proxys(program);
}

bool eg_object_decides(const struct eg_datapath *datapath, const struct bpf_program *program)
{
	return program != datapath->skeleton->progs.eg_anchor && !eg_object_is_for_agent(program) &&
	       !eg_object_is_guard(program) && !eg_object_is_filter(program) && !eg_object_is_redirect(program);
}

/*
 * A kernel may load programs of the LSM that it cannot attach: no trampolines on its
 * processor, no place for one more hook. It goes on as if it had not loaded them. What
 * lacks only now is said, and tried again: it would be done without for the agent's life.
 */
static int go_without_lsm(struct eg_datapath *datapath, int error)
{
	/* The cgroup has gone, or the place of the pins. */
	if (error == 0 || error == -ENOENT || error == -ENODEV || error == -ESTALE || eg_refusal_is_for_want(error))
		return error;
	datapath->lsm_error = error;
	return 0;
}

/* Whether it is to be on the cgroup of a slot, by the policy in force. */
static bool belongs_on(const struct eg_datapath *datapath, const struct bpf_program *program, uint32_t slot)
{
	if (eg_object_is_guard(program))
		return eg_datapath_has(datapath, slot, EG_WORKLOAD_GUARDED);
	if (eg_object_is_redirect(program))
		return eg_datapath_has(datapath, slot, EG_WORKLOAD_REDIRECTS);
	if (eg_object_is_filter(program))
		return eg_datapath_has(datapath, slot, EG_WORKLOAD_INCOMING);
	return eg_object_decides(datapath, program);
}

/* The storage of a cgroup exists while a program that uses it is attached. Its key is the cgroup's id: its inode number. */
static int set_slot(struct eg_datapath *datapath, int cgroup_fd, uint32_t slot)
{
	struct eg_enrolment enrolment = {.slot = slot};
	struct stat st;
	__u64 id;

	if (fstat(cgroup_fd, &st) < 0)
		return -errno;
	id = st.st_ino;
	return bpf_map__update_elem(datapath->skeleton->maps.eg_cgroups, &id, sizeof(id), &enrolment,
				    sizeof(enrolment), BPF_ANY);
}

/* So that its sockets are known as its own, and a gate above lets its tasks by. */
static int set_enrolled(struct eg_datapath *datapath, uint64_t cgroup_id, uint32_t slot)
{
	__u64 id = cgroup_id;

	return bpf_map__update_elem(datapath->skeleton->maps.eg_enrolled, &id, sizeof(id), &slot, sizeof(slot), BPF_ANY);
}

static int attach_program(const struct bpf_program *program, int cgroup_fd, struct eg_links *links)
{
	struct bpf_link *link = bpf_program__attach_cgroup(program, cgroup_fd);

	if (!link)
		return -errno;
	links->fds[links->count] = bpf_link__fd(link);
	links->links[links->count++] = link;
	return 0;
}

/* `object` may be NULL: then there is nothing to attach. */
static int attach_programs(struct eg_datapath *datapath, const struct bpf_object *object, int cgroup_fd, uint32_t slot,
			   struct eg_links *links)
{
	struct bpf_program *program;
	int r = 0;

	if (!object)
		return 0;
	bpf_object__for_each_program(program, object)
		if (r == 0 && belongs_on(datapath, program, slot))
			r = attach_program(program, cgroup_fd, links);
	return r;
}

static void link_freep(struct bpf_link **link)
{
	bpf_link__destroy(*link);
}

int eg_datapath_enrol(struct eg_datapath *datapath, int cgroup_fd, uint32_t slot, struct eg_links **ret_links)
{
	_cleanup_(eg_links_freep) struct eg_links *links = calloc(1, sizeof(*links));
	_cleanup_(link_freep) struct bpf_link *anchor = NULL;
	struct stat st;
	int r;

	if (!links)
		return -ENOMEM;
	if (fstat(cgroup_fd, &st) < 0)
		return -errno;
	anchor = bpf_program__attach_cgroup(datapath->skeleton->progs.eg_anchor, cgroup_fd);
	if (!anchor)
		return -errno;
	r = set_slot(datapath, cgroup_fd, slot);
	if (r == 0)
		r = attach_programs(datapath, datapath->skeleton->obj, cgroup_fd, slot, links);
	if (r == 0)
		r = set_enrolled(datapath, st.st_ino, slot);
	/* These look for whose sockets they see. */
	if (r == 0)
		r = go_without_lsm(datapath, attach_programs(datapath, eg_object_loaded_lsm(datapath), cgroup_fd, slot, links));
	if (r < 0)
		return r;
	*ret_links = TAKE_PTR(links);
	return 0;
}

int eg_datapath_serve_proxy(struct eg_datapath *datapath, int cgroup_fd, struct eg_links **ret_links)
{
	_cleanup_(eg_links_freep) struct eg_links *links = calloc(1, sizeof(*links));
	struct bpf_program *program;
	int r = links ? 0 : -ENOMEM;

	bpf_object__for_each_program(program, datapath->skeleton->obj)
		if (r == 0 && eg_object_is_proxys(program))
			r = attach_program(program, cgroup_fd, links);
	if (r < 0)
		return r;
	*ret_links = TAKE_PTR(links);
	return 0;
}

/* ---- pinned ---- */

static int pin_path(const struct eg_datapath *datapath, uint32_t slot, uint64_t cgroup_id,
		    const struct bpf_program *program, char *path, size_t size)
{
	char name[64];
	int r = eg_link_pin_name(slot, cgroup_id, bpf_program__name(program), name, sizeof(name));
	int len = snprintf(path, size, "%s/links/%s", datapath->directory, name);

	return r < 0 ? r : len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

/*
 * Somebody may unmount the file system of the pins at any moment. -ESTALE then: -ENOENT is what a cgroup that has gone
 * answers, and there is nothing to do about that one.
 */
static int pin_link(struct bpf_link *link, const char *path)
{
	int r = bpf_link__pin(link, path);

	return r == -ENOENT ? -ESTALE : r;
}

/* Asked once no pin is found any more: whether that says that there is none. 0, -ESTALE, or -errno. */
static int look_for_folder(const struct eg_datapath *datapath)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/links", datapath->directory);
	if (access(path, F_OK) == 0)
		return 0;
	return errno == ENOENT ? -ESTALE : -errno;
}

/*
 * 1 or 0: whether the link pinned at `path` is on the cgroup still, as root may have detached it under us. -errno:
 * nobody could look, for want of a descriptor for example.
 */
static int is_on_cgroup(const char *path, uint64_t cgroup_id)
{
	_cleanup_close_ int fd = bpf_obj_get(path);
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	return info.type == BPF_LINK_TYPE_CGROUP && info.cgroup.cgroup_id == cgroup_id;
}

/*
 * A pin that is there was attached by us or by a process before us. It is all that holds its link: one that could not
 * be looked at stays, since what made the look fail would let no other take its place.
 */
static int attach_and_pin(struct eg_datapath *datapath, int cgroup_fd, uint32_t slot, uint64_t cgroup_id,
			  const struct bpf_program *program)
{
	_cleanup_(link_freep) struct bpf_link *link = NULL;
	char path[PATH_MAX];
	int r = pin_path(datapath, slot, cgroup_id, program, path, sizeof(path));

	if (r == 0)
		r = is_on_cgroup(path, cgroup_id);
	if (r != 0)
		return r < 0 ? r : 0;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	link = bpf_program__attach_cgroup(program, cgroup_fd);
	return link ? pin_link(link, path) : -errno;
}

/* What a cgroup's links are pinned for. */
struct place {
	int cgroup_fd;
	uint64_t cgroup_id;
	uint32_t slot;
};

/* Those of an object that are of a kind, or that belong there: NULL. `object` may be NULL. */
static int pin_programs(struct eg_datapath *datapath, const struct bpf_object *object, const struct place *place,
			bool (*is_one)(const struct bpf_program *program))
{
	struct bpf_program *program;
	int r = 0;

	if (!object)
		return 0;
	bpf_object__for_each_program(program, object)
		if (r == 0 && (is_one ? is_one(program) : belongs_on(datapath, program, place->slot)))
			r = attach_and_pin(datapath, place->cgroup_fd, place->slot, place->cgroup_id, program);
	return r;
}

static int pin_lsm(struct eg_datapath *datapath, const struct place *place,
		   bool (*is_one)(const struct bpf_program *program))
{
	return go_without_lsm(datapath, pin_programs(datapath, eg_object_loaded_lsm(datapath), place, is_one));
}

int eg_datapath_enrol_pinned(struct eg_datapath *datapath, int cgroup_fd, uint32_t slot)
{
	_cleanup_(link_freep) struct bpf_link *anchor = NULL;
	struct place place = {.cgroup_fd = cgroup_fd, .slot = slot};
	struct stat st;
	int r;

	if (fstat(cgroup_fd, &st) < 0)
		return -errno;
	anchor = bpf_program__attach_cgroup(datapath->skeleton->progs.eg_anchor, cgroup_fd);
	if (!anchor)
		return -errno;
	place.cgroup_id = st.st_ino;
	r = set_slot(datapath, cgroup_fd, slot);
	if (r == 0)
		r = pin_programs(datapath, datapath->skeleton->obj, &place, NULL);
	if (r == 0)
		r = set_enrolled(datapath, st.st_ino, slot);
	/* These look for whose sockets they see. */
	return r < 0 ? r : pin_lsm(datapath, &place, NULL);
}

/* Whether a program is on a workload's cgroup for the sake of this flag of its policy. */
static bool (*programs_for(enum eg_workload_flag flag))(const struct bpf_program *program)
{
	return flag == EG_WORKLOAD_GUARDED ? eg_object_is_guard : eg_object_is_redirect;
}

/* Attaches the programs of a kind that is not always wanted, and pins them. */
static int pin_kind(struct eg_datapath *datapath, int cgroup_fd, uint32_t slot,
		    bool (*is_one)(const struct bpf_program *program))
{
	struct place place = {.cgroup_fd = cgroup_fd, .slot = slot};
	struct stat st;
	int r;

	if (fstat(cgroup_fd, &st) < 0)
		return -errno;
	place.cgroup_id = st.st_ino;
	r = pin_programs(datapath, datapath->skeleton->obj, &place, is_one);
	return r < 0 ? r : pin_lsm(datapath, &place, is_one);
}

/* Removes the pinned links of a cgroup that are of an object's programs of a kind. `object` may be NULL. */
static int unpin_programs(const struct eg_datapath *datapath, const struct bpf_object *object, uint32_t slot,
			  uint64_t cgroup_id, bool (*is_one)(const struct bpf_program *program))
{
	struct bpf_program *program;
	char path[PATH_MAX];
	int r = 0;

	if (!object)
		return 0;
	bpf_object__for_each_program(program, object) {
		if (r < 0 || !is_one(program))
			continue;
		r = pin_path(datapath, slot, cgroup_id, program, path, sizeof(path));
		if (r == 0)
			r = eg_pins_remove_link(path);
	}
	return r < 0 ? r : look_for_folder(datapath);
}

int eg_datapath_attach_for(struct eg_datapath *datapath, int cgroup_fd, uint32_t slot, enum eg_workload_flag flag)
{
	return pin_kind(datapath, cgroup_fd, slot, programs_for(flag));
}

int eg_datapath_filter(struct eg_datapath *datapath, int cgroup_fd, uint32_t slot)
{
	return pin_kind(datapath, cgroup_fd, slot, eg_object_is_filter);
}

int eg_datapath_unfilter(struct eg_datapath *datapath, uint32_t slot, uint64_t cgroup_id)
{
	return unpin_programs(datapath, datapath->skeleton->obj, slot, cgroup_id, eg_object_is_filter);
}

int eg_datapath_detach_for(struct eg_datapath *datapath, uint32_t slot, uint64_t cgroup_id, enum eg_workload_flag flag)
{
	int r = unpin_programs(datapath, datapath->skeleton->obj, slot, cgroup_id, programs_for(flag));

	/* An agent before us may have attached what this one could not load. */
	return r < 0 ? r : unpin_programs(datapath, eg_object_lsm(datapath), slot, cgroup_id, programs_for(flag));
}

/* ---- proxies ---- */

int eg_datapath_serve_pinned(struct eg_datapath *datapath, int cgroup_fd)
{
	struct place place = {.cgroup_fd = cgroup_fd, .slot = EG_GATE_SLOT};
	struct stat st;

	if (fstat(cgroup_fd, &st) < 0)
		return -errno;
	place.cgroup_id = st.st_ino;
	return pin_programs(datapath, datapath->skeleton->obj, &place, eg_object_is_proxys);
}

int eg_datapath_leave_proxy(struct eg_datapath *datapath, uint64_t cgroup_id)
{
	return unpin_programs(datapath, datapath->skeleton->obj, EG_GATE_SLOT, cgroup_id, eg_object_is_proxys);
}

/* ---- gates ---- */

int eg_datapath_add_gate(struct eg_datapath *datapath, int cgroup_fd, const struct eg_gate_info *info)
{
	struct place place = {.cgroup_fd = cgroup_fd, .slot = EG_GATE_SLOT};
	struct stat st;
	__u64 id;
	int r;

	if (fstat(cgroup_fd, &st) < 0)
		return -errno;
	id = place.cgroup_id = st.st_ino;
	r = bpf_map__update_elem(datapath->skeleton->maps.eg_gates, &id, sizeof(id), info, sizeof(*info), BPF_ANY);
	return r < 0 ? r : pin_programs(datapath, datapath->skeleton->obj, &place, eg_object_is_gate);
}

int eg_datapath_remove_gate(struct eg_datapath *datapath, uint64_t cgroup_id)
{
	__u64 id = cgroup_id;
	int r = unpin_programs(datapath, datapath->skeleton->obj, EG_GATE_SLOT, cgroup_id, eg_object_is_gate);

	if (r == 0)
		r = bpf_map__delete_elem(datapath->skeleton->maps.eg_gates, &id, sizeof(id), 0);
	return r == -ENOENT ? 0 : r;
}

int eg_datapath_release(struct eg_datapath *datapath, const struct eg_slot_set *slots)
{
	_cleanup_free_ char *problem = NULL;
	int r = eg_pins_remove_links_of(datapath->directory, slots, &problem);

	return r < 0 ? r : look_for_folder(datapath);
}

static int run_program(const struct bpf_program *program, const void *question, uint32_t size)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = question, .ctx_size_in = size);
	int r = bpf_prog_test_run_opts(bpf_program__fd(program), &options);

	return r < 0 ? r : (int)options.retval;
}

int eg_datapath_move_counts(struct eg_datapath *datapath, uint32_t from, uint32_t to)
{
	const struct eg_move move = {.from = from, .to = to};

	return run_program(datapath->skeleton->progs.eg_move_counts, &move, sizeof(move));
}

int eg_datapath_settle(struct eg_datapath *datapath, const struct eg_slot_set *slots)
{
	int r = slots->count > 0 ? eg_object_wait_for_programs(datapath) : 0;

	for (uint32_t slot = 1; slot < EG_SLOTS_MAX && r == 0; slot++) {
		const struct eg_settle settle = {.slot = slot};

		if (slots->has[slot])
			r = run_program(datapath->skeleton->progs.eg_settle, &settle, sizeof(settle));
	}
	return r;
}

static int move_to_heirs(struct eg_datapath *datapath, const struct eg_slot_set *slots, const uint32_t *heirs)
{
	int r = 0;

	for (uint32_t slot = 1; slot < EG_SLOTS_MAX && r == 0; slot++)
		if (slots->has[slot] && heirs[slot] != 0)
			r = eg_datapath_move_counts(datapath, slot, heirs[slot]);
	return r;
}

int eg_datapath_retire(struct eg_datapath *datapath, const struct eg_slot_set *slots, const uint32_t *heirs)
{
	struct eg_maps maps = eg_datapath_maps(datapath);
	int r = eg_object_wait_for_programs(datapath);

	/* What is in the retired sum already is nobody's to inherit. */
	if (r == 0)
		r = eg_maps_finish_fold(&maps);
	if (r == 0)
		r = move_to_heirs(datapath, slots, heirs);
	return r < 0 ? r : eg_maps_retire_slots(&maps, slots);
}
