/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_FILE_H
#define EG_BASE_FILE_H

/* Whole regular files, in and out. */
#include <stdbool.h>
#include <stddef.h>

/*
 * The bytes of a regular file and a NUL behind them, for the caller to free().
 * Never waits: -EISDIR for a folder, -EBADFD for FIFOs, sockets and devices;
 * -EFBIG for more than `max` bytes, also when the file grows while it is read.
 */
int eg_file_read(const char *path, size_t max, char **ret_bytes, size_t *ret_len);

/*
 * Writes a new file and puts it in the place of `path`: readers see the old bytes
 * or the new ones, never a part. Links are followed; the mode stays, or is what
 * umask leaves. What exists and is no regular file (a FIFO, a terminal), or is our
 * own standard output or error, is written in place; what a FIFO's reader does not
 * take is waited for. 0, or -errno with `path` as it was: -ENOENT for a link that
 * leads nowhere.
 */
int eg_file_replace(const char *path, const void *bytes, size_t len);
/* Whether eg_file_replace() could do it now: 0, or the -errno that it would fail with. Leaves nothing behind. */
int eg_file_can_replace(const char *path);

/* What an errno of eg_file_read() means for whoever named the file. */
const char *eg_file_explain(int error);
/* Whether it tells of this process or the machine (memory, descriptors) and not of the file: a moment later it may be read. */
bool eg_file_is_shortage(int error);

#endif
