/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_OBJECT_H
#define EG_TESTS_OBJECT_H

/* Programs of tests/bpf/NAME.bpf.c, for test runs on the very maps that the product's loader made and filled. */
#include <bpf/libbpf.h>

#include "datapath/datapath.h"

/* For bpf_object__close(). The folder of what was built is $EG_BUILD, or build. */
struct bpf_object *object_load(const struct eg_datapath *datapath, const char *name);
/* The descriptor of a program, which lives as long as the object. */
int object_program_fd(const struct bpf_object *object, const char *program);

#endif
