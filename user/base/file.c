/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define READ_STEP_BYTES 65536u

static int check_regular(int fd, size_t max, size_t *ret_size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EBADFD;
	if ((size_t)st.st_size > max)
		return -EFBIG;
	*ret_size = (size_t)st.st_size;
	return 0;
}

/* Reads until the buffer is full or the file ends; *ret_len tells which. */
static int read_full(int fd, char *buffer, size_t size, size_t *ret_len)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, buffer + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

/* The size that fstat() gave is a hint: files of /proc say 0, others grow. */
static int read_all(int fd, size_t hint, size_t max, char **ret_bytes, size_t *ret_len)
{
	_cleanup_free_ char *bytes = NULL;
	size_t size = hint + 1, len = 0;

	for (;;) {
		char *grown = realloc(bytes, size + 1);
		size_t n = 0;
		int r;

		if (!grown)
			return -ENOMEM;
		bytes = grown;
		r = read_full(fd, bytes + len, size - len, &n);
		if (r < 0)
			return r;
		len += n;
		if (len > max)
			return -EFBIG;
		if (len < size)
			break;
		size += READ_STEP_BYTES;
	}
	bytes[len] = '\0';
	*ret_bytes = TAKE_PTR(bytes);
	*ret_len = len;
	return 0;
}

int eg_file_read(const char *path, size_t max, char **ret_bytes, size_t *ret_len)
{
	_cleanup_close_ int fd = -1;
	size_t size = 0;
	int r;

	/* O_NONBLOCK: a FIFO without a writer would hold the open for ever. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENXIO ? -EBADFD : -errno;
	r = check_regular(fd, max, &size);
	if (r < 0)
		return r;
	return read_all(fd, size, max, ret_bytes, ret_len);
}

const char *eg_file_explain(int error)
{
	switch (error < 0 ? -error : error) {
	case EBADFD:
		return "is a FIFO, a socket or a device; name a regular file";
	case EISDIR:
		return "is a folder where a file is needed";
	case EFBIG:
		return "is larger than allowed";
	case ELOOP:
		return "is a loop of symbolic links";
	default:
		return strerror(error < 0 ? -error : error);
	}
}

bool eg_file_is_shortage(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

static int write_full(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

/* What a path stands for once links are followed, so that a link stays a link. */
struct place {
	char *path;
	int stream;    /* our standard output or error, when that is the file; else -1 */
	bool in_place; /* exists and is no regular file: a FIFO, a terminal, /dev/null */
	mode_t mode;   /* of the file that is replaced, or what umask leaves of 0666 */
};

static void place_done(struct place *place)
{
	free(place->path);
}

static mode_t default_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

/*
 * Which of our output streams goes to this file, or -1. Replacing the file would
 * take away what has been written to the stream, and all that will be.
 */
static int find_stream(const struct stat *file)
{
	struct stat st;

	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (fstat(fd, &st) == 0 && st.st_dev == file->st_dev && st.st_ino == file->st_ino)
			return fd;
	return -1;
}

/* A link must lead somewhere: what it leads to is replaced, and a rename would replace the link. */
static bool is_link(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

static int find_place(const char *path, struct place *ret_place)
{
	struct stat st;

	ret_place->stream = -1;
	if (stat(path, &st) < 0) {
		if (errno != ENOENT)
			return -errno;
		if (is_link(path))
			return -ENOENT;
		ret_place->path = strdup(path);
		ret_place->mode = default_mode();
	} else if (S_ISDIR(st.st_mode)) {
		return -EISDIR;
	} else if (S_ISREG(st.st_mode)) {
		ret_place->stream = find_stream(&st);
		ret_place->path = ret_place->stream < 0 ? realpath(path, NULL) : strdup(path);
		ret_place->mode = st.st_mode & 07777;
	} else {
		/* /dev/stdout may lead to a pipe, which has no path to resolve to. */
		ret_place->path = strdup(path);
		ret_place->in_place = true;
	}
	return ret_place->path ? 0 : -errno;
}

/* A new file beside the one that it will replace. */
static int open_beside(const char *path, char **ret_name, int *ret_fd)
{
	_cleanup_free_ char *name = NULL;
	int fd;

	if (asprintf(&name, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_name = TAKE_PTR(name);
	*ret_fd = fd;
	return 0;
}

int eg_file_can_replace(const char *path)
{
	_cleanup_(place_done) struct place place = {};
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int fd = -1;
	int r = find_place(path, &place);

	if (r < 0)
		return r;
	if (place.stream >= 0)
		return 0;
	if (place.in_place)
		return access(place.path, W_OK) < 0 ? -errno : 0;
	r = open_beside(place.path, &name, &fd);
	if (r == 0)
		unlink(name);
	return r;
}

static int write_in_place(const char *path, const void *bytes, size_t len)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? -errno : write_full(fd, bytes, len);
}

static int write_synced(int fd, const void *bytes, size_t len, mode_t mode)
{
	int r = write_full(fd, bytes, len);

	if (r < 0)
		return r;
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

int eg_file_replace(const char *path, const void *bytes, size_t len)
{
	_cleanup_(place_done) struct place place = {};
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int fd = -1;
	int r = find_place(path, &place);

	if (r < 0)
		return r;
	if (place.stream >= 0)
		return write_full(place.stream, bytes, len);
	if (place.in_place)
		return write_in_place(place.path, bytes, len);
	r = open_beside(place.path, &name, &fd);
	if (r < 0)
		return r;
	r = write_synced(fd, bytes, len, place.mode);
	if (r == 0 && rename(name, place.path) < 0)
		r = -errno;
	if (r < 0)
		unlink(name);
	return r;
}
