/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_OUTFILE_H
#define EG_BASE_OUTFILE_H

/*
 * A file that is replaced whole: whoever reads it sees the old text or the new
 * one. Opened early, so that a path that cannot be written is known before the
 * work that fills it; committed at the end.
 */
#include <stddef.h>

struct eg_outfile;

/*
 * 0 with *ret_file, or -errno. Nothing at `path` has changed yet. A path that
 * exists and is no regular file (a FIFO, /dev/stdout) is written in place.
 */
int eg_outfile_open(const char *path, struct eg_outfile **ret_file);
/* Writes text and puts it in place. 0, or -errno with `path` as it was. */
int eg_outfile_commit(struct eg_outfile *file, const char *text, size_t len);
/* Drops what was not committed. Takes NULL and returns NULL. */
struct eg_outfile *eg_outfile_free(struct eg_outfile *file);

#endif
