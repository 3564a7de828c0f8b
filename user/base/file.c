/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
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

static int write_synced(int fd, const void *bytes, size_t len, mode_t mode)
{
	int r = write_full(fd, bytes, len);

	if (r < 0)
		return r;
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

int eg_file_write(const char *path, const void *bytes, size_t len, mode_t mode)
{
	_cleanup_free_ char *temporary = NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = write_synced(fd, bytes, len, mode);
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}
