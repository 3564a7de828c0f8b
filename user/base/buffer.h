/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_BUFFER_H
#define EG_BASE_BUFFER_H

/*
 * Bytes that grow, by hand or by a stream. Whoever adds need not look at each step: it
 * is told at the end when there was no memory for all of it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A zeroed one is empty and owns nothing. */
struct eg_buffer {
	char *bytes; /* malloc */
	size_t len;
	size_t capacity;
	bool failed; /* there was no memory, and nothing is added from then on */
};

void eg_buffer_clear(struct eg_buffer *buffer);
void eg_buffer_add(struct eg_buffer *buffer, const void *bytes, size_t len);

/*
 * A stream that adds to it, for eg_buffer_close(); the buffer stays where it is until then.
 * One of open_memstream() is not told of a lack of memory: neither ferror() nor fclose()
 * says that bytes are missing. NULL, and errno, without memory.
 */
FILE *eg_buffer_open(struct eg_buffer *buffer);
/* 0 with a NUL behind the bytes, which is not in their length; or -ENOMEM: they are not whole. */
int eg_buffer_close(struct eg_buffer *buffer, FILE *out);

#endif
