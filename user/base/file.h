/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_FILE_H
#define EG_BASE_FILE_H

/* Whole regular files, in and out. */
#include <stddef.h>
#include <sys/types.h>

/*
 * The bytes of a regular file and a NUL behind them, for the caller to free().
 * Never waits: -EISDIR for a folder, -EBADFD for FIFOs, sockets and devices;
 * -EFBIG for more than `max` bytes, also when the file grows while it is read.
 */
int eg_file_read(const char *path, size_t max, char **ret_bytes, size_t *ret_len);

/* Writes a new file beside `path` and renames it: readers see the old bytes or the new ones, never a part. */
int eg_file_write(const char *path, const void *bytes, size_t len, mode_t mode);

/* What an errno of eg_file_read() means for whoever named the file. */
const char *eg_file_explain(int error);

#endif
