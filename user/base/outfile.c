/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/outfile.h"

#include <errno.h>
#include <stdbool.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

struct eg_outfile {
	int fd;
	char *path;	 /* where the text goes: links are followed */
	char *temporary; /* beside path; NULL when it is written in place, or done */
};

EG_DEFINE_CLEANUP(struct eg_outfile *, eg_outfile_free)

struct eg_outfile *eg_outfile_free(struct eg_outfile *file)
{
	if (!file)
		return NULL;
	if (file->fd >= 0)
		close(file->fd);
	if (file->temporary)
		unlink(file->temporary);
	free(file->temporary);
	free(file->path);
	free(file);
	return NULL;
}

static int open_in_place(struct eg_outfile *file)
{
	file->fd = open(file->path, O_WRONLY | O_CLOEXEC);
	return file->fd < 0 ? -errno : 0;
}

static int open_beside(struct eg_outfile *file)
{
	_cleanup_free_ char *name = NULL;

	if (asprintf(&name, "%s.XXXXXX", file->path) < 0)
		return -ENOMEM;
	file->fd = mkostemp(name, O_CLOEXEC);
	if (file->fd < 0)
		return -errno;
	file->temporary = TAKE_PTR(name);
	return 0;
}

/* mkstemp() makes files of mode 0600; ours has the mode of the one that it replaces, or what umask leaves. */
static int set_mode(int fd, const struct stat *replaced)
{
	mode_t mask = umask(0);

	umask(mask);
	return fchmod(fd, replaced ? replaced->st_mode & 07777 : 0666 & ~mask) < 0 ? -errno : 0;
}

int eg_outfile_open(const char *path, struct eg_outfile **ret_file)
{
	_cleanup_(eg_outfile_freep) struct eg_outfile *file = calloc(1, sizeof(*file));
	bool exists;
	struct stat st;
	int r;

	if (!file)
		return -ENOMEM;
	file->fd = -1;
	exists = stat(path, &st) == 0;
	if (!exists && errno != ENOENT)
		return -errno;
	/* A link stays a link: what it points to is replaced. */
	file->path = exists ? realpath(path, NULL) : strdup(path);
	if (!file->path)
		return -errno;
	if (exists && S_ISDIR(st.st_mode))
		return -EISDIR;
	if (exists && !S_ISREG(st.st_mode)) {
		r = open_in_place(file);
	} else {
		r = open_beside(file);
		if (r == 0)
			r = set_mode(file->fd, exists ? &st : NULL);
	}
	if (r < 0)
		return r;
	*ret_file = TAKE_PTR(file);
	return 0;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t written = write(fd, text, len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		text += written;
		len -= written;
	}
	return 0;
}

int eg_outfile_commit(struct eg_outfile *file, const char *text, size_t len)
{
	int r = write_all(file->fd, text, len);

	if (r < 0 || !file->temporary)
		return r;
	if (fsync(file->fd) < 0 || rename(file->temporary, file->path) < 0)
		return -errno;
	free(file->temporary);
	file->temporary = NULL;
	return 0;
}
