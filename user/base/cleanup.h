/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_CLEANUP_H
#define EG_BASE_CLEANUP_H

/* Ownership that can be seen in a declaration. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

/* Defines functionp() for _cleanup_(): calls `function` on what the variable points to. */
#define EG_DEFINE_CLEANUP(type, function) \
	static inline void function##p(type *p) \
	{ \
		if (*p) \
			function(*p); \
	}

static inline void eg_freep(void *p)
{
	free(*(void **)p);
}

static inline void eg_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void eg_fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_free_ _cleanup_(eg_freep)
#define _cleanup_close_ _cleanup_(eg_closep)
#define _cleanup_fclose_ _cleanup_(eg_fclosep)

/* Gives a pointer, or a descriptor, away: the variable no longer owns it. */
#define TAKE_PTR(p) \
	({ \
		__typeof__(p) _taken = (p); \
		(p) = NULL; \
		_taken; \
	})
#define TAKE_FD(fd) \
	({ \
		int _taken = (fd); \
		(fd) = -1; \
		_taken; \
	})

#define EG_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
