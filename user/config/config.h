/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_CONFIG_H
#define EG_CONFIG_CONFIG_H

/* Policy files -> model. */
#include <stddef.h>

#include "base/diag.h"
#include "policy/model.h"

/*
 * Reads files and folders (their *.yaml, *.yml and *.json, not deeper, in byte
 * order of their names) into the model. Mistakes, unreadable and hostile files
 * included, become findings in diag, all of them in one run; what was read before
 * and beside them is in the model all the same. 0, or -errno of a shortage (base/file.h).
 */
int eg_config_load(const char *const *paths, size_t path_count, struct eg_model *model, struct eg_diag *diag);
/* The same, with a warning of each kind and field that Kuma 3 has no more, and what takes its place. */
int eg_config_load_for_kuma3(const char *const *paths, size_t path_count, struct eg_model *model, struct eg_diag *diag);

/*
 * The nameserver lines of a resolv.conf as single addresses. A file that cannot
 * be read, or a line that is not an address, is a warning. 0, or -errno of a shortage.
 * *ret_resolvers belongs to the caller, its origins name `path`.
 */
int eg_config_load_resolvers(const char *path, struct eg_diag *diag, struct eg_located_prefix **ret_resolvers,
			     size_t *ret_count);
/* Those of the node that this process is on, from /etc/resolv.conf: none where the model's Node lists them itself. As above. */
int eg_config_load_node_resolvers(const struct eg_model *model, struct eg_diag *diag,
				  struct eg_located_prefix **ret_resolvers, size_t *ret_count);

#endif
