/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "object.h"

#include "../../bpf/support.h"

#include <stdio.h>
#include <stdlib.h>

/* All but those that the compiler makes for the object's own variables. */
static void share_maps(const struct eg_datapath *datapath, struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) {
		int fd = bpf_map__is_internal(map) ? -1 : eg_datapath_map_fd(datapath, bpf_map__name(map));

		if (bpf_map__is_internal(map))
			continue;
		assert_true(fd >= 0);
		assert_int_equal(bpf_map__reuse_fd(map, fd), 0);
	}
}

struct bpf_object *object_load(const struct eg_datapath *datapath, const char *name)
{
	const char *build = getenv("EG_BUILD");
	struct bpf_object *object;
	char path[4096];

	snprintf(path, sizeof(path), "%s/tests/bpf/%s.bpf.o", build ? build : "build", name);
	object = bpf_object__open_file(path, NULL);
	assert_non_null(object);
	share_maps(datapath, object);
	assert_int_equal(bpf_object__load(object), 0);
	return object;
}

int object_program_fd(const struct bpf_object *object, const char *program)
{
	const struct bpf_program *found = bpf_object__find_program_by_name(object, program);

	assert_non_null(found);
	return bpf_program__fd(found);
}
