/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Pins that somebody has unmounted: still there for who has their directory open, out of sight for all others. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "datapath/pinning.h"
#include "datapath/pins.h"

bool eg_pins_are_in_sight(int directory_fd, const char *directory)
{
	struct stat held, seen;

	return fstat(directory_fd, &held) == 0 && stat(directory, &seen) == 0 && held.st_dev == seen.st_dev &&
	       held.st_ino == seen.st_ino;
}

/* The kernel knows no move between two file systems: one object has a pin on each for a moment. */
static int pin_again(const char *from, const char *to)
{
	_cleanup_close_ int fd = bpf_obj_get(from);

	if (fd < 0)
		return -errno;
	/* A try before this one came so far. */
	if (bpf_obj_pin(fd, to) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

static int pin_folder(DIR *folder, const char *to)
{
	char from[PATH_MAX], path[PATH_MAX];
	struct dirent *entry;
	int r = 0;

	while (r == 0 && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(from, sizeof(from), "/proc/self/fd/%d/%s", dirfd(folder), entry->d_name);
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", to, entry->d_name) >= sizeof(path))
			return -ENAMETOOLONG;
		r = pin_again(from, path);
	}
	return r;
}

/* The folders of the old directory, or none where they were removed and not unmounted: then nothing is to be saved. */
static int open_folders(int from_fd, DIR *ret_folders[EG_PIN_FOLDERS])
{
	char path[PATH_MAX];

	for (size_t i = 0; i < EG_PIN_FOLDERS; i++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", from_fd, eg_pin_folders[i]);
		ret_folders[i] = opendir(path);
		if (!ret_folders[i])
			return -errno;
	}
	return 0;
}

int eg_pins_pin_anew(int from_fd, const char *directory, char **ret_problem)
{
	DIR *folders[EG_PIN_FOLDERS] = {};
	int r = open_folders(from_fd, folders);

	if (r < 0)
		eg_problem(ret_problem, r, "%s: %s", r == -ENOENT ? "they are gone" : "they cannot be opened",
			   strerror(-r));
	else
		r = eg_pins_make_folders(directory, ret_problem);
	for (size_t i = 0; i < EG_PIN_FOLDERS; i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", directory, eg_pin_folders[i]);
		if (r == 0 && (r = pin_folder(folders[i], path)) < 0)
			eg_problem(ret_problem, r, "%s: %s", path, strerror(-r));
		if (folders[i])
			closedir(folders[i]);
	}
	return r;
}
