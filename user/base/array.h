/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_ARRAY_H
#define EG_BASE_ARRAY_H

/*
 * A growable array of one type:
 *
 *   EG_ARRAY(uint16_t) ports = {};
 *   r = eg_array_push(&ports, 80);
 *   for (size_t i = 0; i < ports.len; i++) ... ports.items[i] ...
 *   eg_array_clear(&ports);
 *
 * A zeroed one is empty and owns nothing. Pointers into it end with the next push.
 */
#include <errno.h>
#include <stdlib.h>

#define EG_ARRAY(type) \
	struct { \
		type *items; \
		size_t len; \
		size_t capacity; \
	}

/* 0, or -ENOMEM with the array as it was. */
#define eg_array_push(array, ...) \
	({ \
		int _r = eg_array_grow((void **)&(array)->items, (array)->len, &(array)->capacity, \
				       sizeof((array)->items[0])); \
		if (_r == 0) \
			(array)->items[(array)->len++] = (__typeof__((array)->items[0]))__VA_ARGS__; \
		_r; \
	})

/* Gives back what growing took too much, of an array that will not grow any more. */
#define eg_array_fit(array) \
	do { \
		void *_fitted = (array)->len > 0 ? reallocarray((array)->items, (array)->len, \
								sizeof((array)->items[0])) \
						 : NULL; \
		if (_fitted) { \
			(array)->items = _fitted; \
			(array)->capacity = (array)->len; \
		} \
	} while (0)

#define eg_array_clear(array) \
	do { \
		free((array)->items); \
		(array)->items = NULL; \
		(array)->len = (array)->capacity = 0; \
	} while (0)

/* Makes room for one item more. */
static inline int eg_array_grow(void **items, size_t len, size_t *capacity, size_t item_size)
{
	size_t wanted = *capacity ? *capacity * 2 : 8;
	void *grown;

	if (len < *capacity)
		return 0;
	grown = reallocarray(*items, wanted, item_size);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*capacity = wanted;
	return 0;
}

#endif
