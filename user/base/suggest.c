/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/suggest.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define WORD_MAX 64
#define CLOSE_MAX 3

/* Without what people mix up in names: blockErrno, block_errno and block-errno are one word. */
static bool fold(const char *word, char folded[WORD_MAX + 1], size_t *ret_len)
{
	size_t len = 0;

	for (; *word; word++) {
		if (*word == '_' || *word == '-')
			continue;
		if (len == WORD_MAX)
			return false;
		folded[len++] = (char)tolower((unsigned char)*word);
	}
	folded[len] = '\0';
	*ret_len = len;
	return true;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Row i of the table of distances between the first i letters of a and the first j of b; rows turn by three. */
static void fill_row(size_t rows[3][WORD_MAX + 1], size_t i, const char *a, const char *b, size_t b_len)
{
	const size_t *before = rows[(i + 1) % 3], *above = rows[(i + 2) % 3];
	size_t *row = rows[i % 3];

	row[0] = i;
	for (size_t j = 1; j <= b_len; j++) {
		size_t changed = above[j - 1] + (a[i - 1] != b[j - 1]);

		row[j] = least(changed, least(above[j], row[j - 1]) + 1);
		if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
			row[j] = least(row[j], before[j - 2] + 1);
	}
}

size_t eg_suggest_distance(const char *a, const char *b)
{
	char x[WORD_MAX + 1], y[WORD_MAX + 1];
	size_t rows[3][WORD_MAX + 1];
	size_t x_len, y_len;

	if (!fold(a, x, &x_len) || !fold(b, y, &y_len))
		return SIZE_MAX;
	if ((x_len > y_len ? x_len - y_len : y_len - x_len) > CLOSE_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= y_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= x_len; i++)
		fill_row(rows, i, x, y, y_len);
	return rows[x_len % 3][y_len];
}

bool eg_suggest_is_close(const char *written, size_t distance)
{
	return distance <= least(CLOSE_MAX, (strlen(written) + 1) / 3);
}

const char *eg_suggest(const char *written, const char *const *words, size_t count)
{
	size_t closest = SIZE_MAX;
	const char *best = NULL;

	for (size_t i = 0; i < count; i++) {
		size_t distance = eg_suggest_distance(written, words[i]);

		if (distance < closest) {
			closest = distance;
			best = words[i];
		}
	}
	return best && eg_suggest_is_close(written, closest) ? best : NULL;
}
