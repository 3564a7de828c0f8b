/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Attaches every program of an object to a cgroup, prints "attached" and holds the
 * links until its standard input ends.
 * usage: attach_empty OBJECT CGROUP-DIRECTORY
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

EG_DEFINE_CLEANUP(struct bpf_object *, bpf_object__close)

/* The links end with this process. */
static int attach_all(struct bpf_object *object, int cgroup_fd)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
	{
		struct bpf_link *link = bpf_program__attach_cgroup(program, cgroup_fd);

		if (!link) {
			fprintf(stderr, "attach_empty: %s: %s\n", bpf_program__name(program), strerror(errno));
			return -errno;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	_cleanup_(bpf_object__closep) struct bpf_object *object = NULL;
	_cleanup_close_ int cgroup_fd = -1;
	char byte;

	if (argc != 3) {
		fprintf(stderr, "usage: attach_empty OBJECT CGROUP-DIRECTORY\n");
		return 2;
	}
	cgroup_fd = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	object = bpf_object__open_file(argv[1], NULL);
	if (cgroup_fd < 0 || !object || bpf_object__load(object) < 0) {
		fprintf(stderr, "attach_empty: %s: %s\n", cgroup_fd < 0 ? argv[2] : argv[1], strerror(errno));
		return 1;
	}
	if (attach_all(object, cgroup_fd) < 0)
		return 1;

	puts("attached");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	return 0;
}
