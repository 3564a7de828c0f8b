/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/follow.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "cli/interrupt.h"

#define FOLLOW_MS 1000

/* A listing at one look. */
struct text {
	char *bytes;
	EG_ARRAY(char *) lines; /* in `bytes`, sorted; none of JSON */
};

static void text_clear(struct text *text)
{
	eg_array_clear(&text->lines);
	free(text->bytes);
	*text = (struct text){};
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool has_line(const struct text *text, char *line)
{
	return text->lines.len > 0 &&
	       bsearch(&line, text->lines.items, text->lines.len, sizeof(*text->lines.items), compare_lines);
}

static int read_text(eg_follow_write_t write, void *context, struct text *ret_text)
{
	_cleanup_(eg_buffer_clear) struct eg_buffer text = {};
	FILE *out = eg_buffer_open(&text);
	int r, whole;

	if (!out)
		return -errno;
	r = write(context, out);
	whole = eg_buffer_close(&text, out);
	if (whole < 0 || r < 0)
		return whole < 0 ? whole : r;
	*ret_text = (struct text){};
	ret_text->bytes = TAKE_PTR(text.bytes);
	return 0;
}

/* Prints what is new, and leaves the lines sorted, for the next look. */
static int print_new_lines(const struct text *before, struct text *now)
{
	char *rest = now->bytes, *line;
	int r = 0;

	while (r == 0 && (line = strsep(&rest, "\n")) && rest) {
		if (!has_line(before, line) && puts(line) == EOF)
			r = -EIO;
		if (r == 0)
			r = eg_array_push(&now->lines, line);
	}
	if (now->lines.len > 0)
		qsort(now->lines.items, now->lines.len, sizeof(*now->lines.items), compare_lines);
	return r;
}

static int print_document(const struct text *before, const struct text *now)
{
	json_auto_t *document = NULL;

	if (before->bytes && strcmp(before->bytes, now->bytes) == 0)
		return 0;
	document = json_loads(now->bytes, 0, NULL);
	if (!document)
		return -ENOMEM;
	return json_dumpf(document, stdout, JSON_COMPACT) < 0 || putchar('\n') == EOF ? -EIO : 0;
}

static int look_again(eg_follow_write_t write, void *context, bool is_json, struct text *before)
{
	_cleanup_(text_clear) struct text now = {};
	int r = read_text(write, context, &now);

	if (r == 0)
		r = is_json ? print_document(before, &now) : print_new_lines(before, &now);
	if (r < 0)
		return r;
	text_clear(before);
	*before = now;
	now = (struct text){};
	return fflush(stdout) != 0 ? -errno : 0;
}

int eg_follow(eg_follow_write_t write, void *context, bool is_json)
{
	_cleanup_(text_clear) struct text before = {};
	_cleanup_close_ int interrupt_fd = -1;
	int r = eg_interrupt_open(&interrupt_fd);

	do {
		if (r == 0)
			r = look_again(write, context, is_json, &before);
	} while (r == 0 && !eg_interrupt_wait(interrupt_fd, FOLLOW_MS));
	return r;
}
