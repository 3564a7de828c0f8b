/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_FILES_H
#define EG_CONFIG_FILES_H

/* Which files a policy path stands for. */
#include <stdbool.h>

#include "base/array.h"

struct eg_policy_files {
	EG_ARRAY(char *) paths;
};

void eg_policy_files_clear(struct eg_policy_files *files);

/* Whether a file of this name is read in a folder: *.yaml, *.yml, *.json, without a dot before. */
bool eg_policy_file_is_read(const char *name);
/* Whether it is a folder now, links followed. */
bool eg_policy_path_is_folder(const char *path);
/* The files of a folder that are read, in byte order of their names. 0, or -errno without any. */
int eg_policy_files_list(const char *folder, struct eg_policy_files *ret_files);

#endif
