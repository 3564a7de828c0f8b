/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_REDIRECT_H
#define EG_CONFIG_REDIRECT_H

/* Workload.redirect: into a struct eg_redirect. */
#include "config/schema.h"

extern const struct eg_type eg_redirect_type;
extern const struct eg_schema eg_redirect_schema;

/* What is wrong with the path of a cgroup, or a pattern of such, below the mount; NULL: nothing. */
const char *eg_cgroup_problem(const char *path);
/* The same of one that may be relative: whether the kernel would take it at all. */
const char *eg_cgroup_length_problem(const char *path);

#endif
