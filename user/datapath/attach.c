/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "datapath/object.h"

#define PROGRAM_COUNT (sizeof(((struct egress_bpf *)0)->progs) / sizeof(struct bpf_program *))

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

static int attach_programs(struct eg_datapath *datapath, int cgroup_fd, struct eg_links *links)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, datapath->skeleton->obj) {
		struct bpf_link *link = bpf_program__attach_cgroup(program, cgroup_fd);

		if (!link)
			return -errno;
		links->fds[links->count] = bpf_link__fd(link);
		links->links[links->count++] = link;
	}
	return 0;
}

/* The storage of a cgroup exists from the first attachment on, and its key is the cgroup's id: its inode number. */
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

int eg_datapath_enrol(struct eg_datapath *datapath, int cgroup_fd, uint32_t slot, struct eg_links **ret_links)
{
	_cleanup_(eg_links_freep) struct eg_links *links = calloc(1, sizeof(*links));
	int r;

	if (!links)
		return -ENOMEM;
	r = attach_programs(datapath, cgroup_fd, links);
	if (r < 0)
		return r;
	r = set_slot(datapath, cgroup_fd, slot);
	if (r < 0)
		return r;
	*ret_links = TAKE_PTR(links);
	return 0;
}
