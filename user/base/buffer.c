/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define FIRST_CAPACITY 4096

void eg_buffer_clear(struct eg_buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct eg_buffer){};
}

static bool make_room(struct eg_buffer *buffer, size_t len)
{
	size_t wanted = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
	char *grown;

	while (wanted - buffer->len < len)
		wanted *= 2;
	if (wanted == buffer->capacity)
		return true;
	grown = realloc(buffer->bytes, wanted);
	if (!grown)
		return false;
	buffer->bytes = grown;
	buffer->capacity = wanted;
	return true;
}

void eg_buffer_add(struct eg_buffer *buffer, const void *bytes, size_t len)
{
	if (buffer->failed || !make_room(buffer, len)) {
		buffer->failed = true;
		return;
	}
	memcpy(buffer->bytes + buffer->len, bytes, len);
	buffer->len += len;
}

/* ---- the stream ---- */

static ssize_t write_bytes(void *cookie, const char *bytes, size_t len)
{
	struct eg_buffer *buffer = cookie;

	eg_buffer_add(buffer, bytes, len);
	if (!buffer->failed)
		return (ssize_t)len;
	errno = ENOMEM;
	return 0;
}

FILE *eg_buffer_open(struct eg_buffer *buffer)
{
	return fopencookie(buffer, "w", (cookie_io_functions_t){.write = write_bytes});
}

int eg_buffer_close(struct eg_buffer *buffer, FILE *out)
{
	if (fclose(out) != 0)
		buffer->failed = true;
	eg_buffer_add(buffer, "", 1);
	if (buffer->failed)
		return -ENOMEM;
	buffer->len--;
	return 0;
}
