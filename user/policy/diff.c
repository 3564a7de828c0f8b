/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static char *key_at(const struct eg_table_image *table, size_t i)
{
	return (char *)table->keys + i * table->key_size;
}

static char *value_at(const struct eg_table_image *table, size_t i)
{
	return (char *)table->values + i * table->value_size;
}

/* A list without memory only counts. */
static void append(struct eg_table_image *list, const struct eg_table_image *table, size_t i)
{
	if (list->keys)
		memcpy(key_at(list, list->count), key_at(table, i), table->key_size);
	if (list->values)
		memcpy(value_at(list, list->count), value_at(table, i), table->value_size);
	list->count++;
}

/* Below 0: the key at i is missing in `to`; above 0: the key at j is new; 0: both have it. */
static int compare_heads(const struct eg_table_image *from, size_t i, const struct eg_table_image *to, size_t j)
{
	if (i == from->count)
		return 1;
	if (j == to->count)
		return -1;
	return memcmp(key_at(from, i), key_at(to, j), from->key_size);
}

/* Both are sorted by key. */
static void walk(const struct eg_table_image *from, const struct eg_table_image *to, struct eg_table_diff *diff)
{
	size_t i = 0, j = 0;

	diff->put.count = diff->remove.count = 0;
	while (i < from->count || j < to->count) {
		int order = compare_heads(from, i, to, j);

		if (order < 0) {
			append(&diff->remove, from, i++);
		} else if (order > 0) {
			append(&diff->put, to, j++);
		} else {
			if (memcmp(value_at(from, i), value_at(to, j), to->value_size) != 0)
				append(&diff->put, to, j);
			i++;
			j++;
		}
	}
}

static int diff_table(const struct eg_table_image *from, const struct eg_table_image *to, struct eg_table_diff *diff)
{
	diff->put.key_size = diff->remove.key_size = to->key_size;
	diff->put.value_size = diff->remove.value_size = to->value_size;

	/* The first walk counts, so that each list is allocated once and fits. */
	walk(from, to, diff);
	if (diff->put.count > 0) {
		diff->put.keys = reallocarray(NULL, diff->put.count, to->key_size);
		diff->put.values = reallocarray(NULL, diff->put.count, to->value_size);
		if (!diff->put.keys || !diff->put.values)
			return -ENOMEM;
	}
	if (diff->remove.count > 0) {
		diff->remove.keys = reallocarray(NULL, diff->remove.count, to->key_size);
		if (!diff->remove.keys)
			return -ENOMEM;
	}
	walk(from, to, diff);
	return 0;
}

int eg_image_diff(const struct eg_image *from, const struct eg_image *to, struct eg_diff **ret_diff)
{
	_cleanup_(eg_diff_freep) struct eg_diff *diff = calloc(1, sizeof(*diff));
	int r;

	if (!diff)
		return -ENOMEM;
	for (int table = 0; table < EG_TABLE_COUNT; table++) {
		r = diff_table(&from->tables[table], &to->tables[table], &diff->tables[table]);
		if (r < 0)
			return r;
	}
	*ret_diff = TAKE_PTR(diff);
	return 0;
}

struct eg_diff *eg_diff_free(struct eg_diff *diff)
{
	for (int table = 0; diff && table < EG_TABLE_COUNT; table++) {
		free(diff->tables[table].put.keys);
		free(diff->tables[table].put.values);
		free(diff->tables[table].remove.keys);
		free(diff->tables[table].remove.values);
	}
	free(diff);
	return NULL;
}
