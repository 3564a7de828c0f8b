/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

void eg_policy_files_clear(struct eg_policy_files *files)
{
	for (size_t i = 0; i < files->paths.len; i++)
		free(files->paths.items[i]);
	eg_array_clear(&files->paths);
}

static bool has_suffix(const char *name, const char *suffix)
{
	const size_t len = strlen(name), suffix_len = strlen(suffix);

	return len > suffix_len && strcmp(name + len - suffix_len, suffix) == 0;
}

/* Editors and Kubernetes keep what is not finished under names with a dot before. */
bool eg_policy_file_is_read(const char *name)
{
	return name[0] != '.' && (has_suffix(name, ".yaml") || has_suffix(name, ".yml") || has_suffix(name, ".json"));
}

bool eg_policy_path_is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int is_entry_read(const struct dirent *entry)
{
	return eg_policy_file_is_read(entry->d_name);
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_entry(struct eg_policy_files *files, const char *folder, const char *name)
{
	const bool has_slash = has_suffix(folder, "/") || strcmp(folder, "/") == 0;
	char *path;
	int r;

	if (asprintf(&path, "%s%s%s", folder, has_slash ? "" : "/", name) < 0)
		return -ENOMEM;
	r = eg_array_push(&files->paths, path);
	if (r < 0)
		free(path);
	return r;
}

int eg_policy_files_list(const char *folder, struct eg_policy_files *ret_files)
{
	_cleanup_(eg_policy_files_clear) struct eg_policy_files files = {};
	_cleanup_free_ struct dirent **entries = NULL;
	int count = scandir(folder, &entries, is_entry_read, compare_names), r = 0;

	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++) {
		if (r == 0)
			r = add_entry(&files, folder, entries[i]->d_name);
		free(entries[i]);
	}
	if (r < 0)
		return r;
	*ret_files = files;
	files = (struct eg_policy_files){};
	return 0;
}
