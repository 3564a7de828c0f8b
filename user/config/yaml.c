/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/yaml.h"

/*
 * The event API of libyaml and not its document API: yaml_parser_load() has no
 * limit on depth and nodes, and it searches all anchors for every anchor and alias.
 */
#include <search.h>
#include <string.h>
#include <sys/param.h>
#include <yaml.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"

/* libyaml compares each %TAG line with all before it. */
#define TAG_DIRECTIVES_MAX 64
/* Of the words that mean a boolean or nothing: "false". */
#define WORD_LEN_MAX 5
/* Documents share memory until they hold this many nodes: most are small. */
#define NODES_TO_KEEP 4096

struct anchor {
	char *name;
	const struct eg_yaml_node *node;
	size_t expanded; /* nodes that an alias stands for, itself included */
};

/* A list or mapping whose end has not come. */
struct frame {
	struct eg_yaml_node *node;
	struct anchor *anchor; /* its own, or NULL */
	size_t first_item;     /* in stream->items */
	size_t expanded_before;
};

struct eg_yaml_stream {
	yaml_parser_t parser;
	const char *file;
	const char *bytes;
	size_t len;
	struct eg_diag *diag;
	const struct eg_yaml_node *outer; /* the text that this is; NULL: a file */
	const char *path;                 /* of that text, for findings; NULL: none */
	size_t line_at;                   /* offset of a line's beginning, in step with `line` */
	size_t line;                      /* from 0 */
	struct eg_arena arena;
	size_t nodes;    /* in the arena */
	size_t expanded; /* nodes of this document, repeated ones each time */
	void *anchors;   /* a tsearch() tree of struct anchor */
	struct frame frames[EG_YAML_DEPTH_MAX];
	size_t depth;
	EG_ARRAY(const struct eg_yaml_node *) items; /* of all open frames, innermost last */
	const struct eg_yaml_node *root;
	bool is_broken;
};

__attribute__((format(printf, 4, 5))) static int refuse(struct eg_yaml_stream *stream, uint32_t line, uint32_t column,
							const char *format, ...)
{
	struct eg_origin origin = {stream->file, line, column};
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	eg_diag_add(stream->diag, EG_SEVERITY_ERROR, origin, stream->path, "%s%s",
		    stream->outer ? "native Envoy resource is not valid: " : "", text);
	return -EBADMSG;
}

/* Where a line and column of what is read, from 1, stand in the file. */
static void find_in_file(const struct eg_yaml_stream *stream, uint32_t *line, uint32_t *column)
{
	const struct eg_yaml_node *outer = stream->outer;

	if (!outer)
		return;
	*line = outer->lines_column ? outer->line + *line : outer->line;
	*column = outer->lines_column ? outer->lines_column + *column - 1 : outer->column;
}

static void find_mark(const struct eg_yaml_stream *stream, const yaml_mark_t *mark, uint32_t *ret_line,
		      uint32_t *ret_column)
{
	*ret_line = (uint32_t)mark->line + 1;
	*ret_column = (uint32_t)mark->column + 1;
	find_in_file(stream, ret_line, ret_column);
}

static int refuse_at(struct eg_yaml_stream *stream, const yaml_event_t *event, const char *what)
{
	uint32_t line, column;

	find_mark(stream, &event->start_mark, &line, &column);
	return refuse(stream, line, column, "%s", what);
}

/* Columns are of characters, as libyaml counts them. */
static void find_place(const struct eg_yaml_stream *stream, size_t offset, uint32_t *ret_line, uint32_t *ret_column)
{
	const char *end = stream->bytes + (offset < stream->len ? offset : stream->len);
	const char *start = stream->bytes;

	*ret_line = *ret_column = 1;
	for (const char *next; (next = eg_text_next_line(start, end)); start = next)
		++*ret_line;
	for (const char *p = start; p < end; p++)
		*ret_column += (*p & 0xc0) != 0x80;
}

/* Bytes that are no YAML: libyaml tells the offset only. */
static int refuse_bytes(struct eg_yaml_stream *stream)
{
	const yaml_parser_t *parser = &stream->parser;
	const char *what = parser->problem ? parser->problem : "cannot be read";
	uint32_t line, column;

	find_place(stream, parser->problem_offset, &line, &column);
	find_in_file(stream, &line, &column);
	if (parser->problem_value == 0)
		return refuse(stream, line, column, "a NUL byte: this is not a text file, or it was cut short");
	if (parser->problem_value > 0)
		return refuse(stream, line, column, "%s: 0x%02x", what, (unsigned)parser->problem_value);
	return refuse(stream, line, column, "%s", what);
}

/* What people write in JSON and libyaml does not take. */
static const char *syntax_remedy(const char *problem)
{
	static const struct {
		const char *problem;
		const char *remedy;
	} remedies[] = {
		{"cannot start any token", " (indent with spaces, and quote values that start with %, @ or `)"},
		{"invalid Unicode character escape code", " (write the character itself instead of a surrogate pair)"},
	};

	for (size_t i = 0; i < EG_COUNT_OF(remedies); i++)
		if (strstr(problem, remedies[i].problem))
			return remedies[i].remedy;
	return "";
}

static int refuse_syntax(struct eg_yaml_stream *stream)
{
	const yaml_parser_t *parser = &stream->parser;
	const char *problem = parser->problem ? parser->problem : "cannot be read";
	const char *context = parser->context ? parser->context : "";
	uint32_t line, column;

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (parser->error == YAML_READER_ERROR)
		return refuse_bytes(stream);
	find_mark(stream, &parser->problem_mark, &line, &column);
	return refuse(stream, line, column, "not valid YAML: %s%s%s%s", context, *context ? ": " : "", problem,
		      syntax_remedy(problem));
}

static bool starts_with(const struct eg_yaml_stream *stream, const char *mark, size_t len)
{
	return stream->len >= len && memcmp(stream->bytes, mark, len) == 0;
}

/* Wherever they stand: a line may begin after any of YAML's five line breaks. */
static size_t count_tag_directives(const struct eg_yaml_stream *stream)
{
	const char *at = stream->bytes, *end = stream->bytes + stream->len;
	size_t count = 0;

	while ((at = memmem(at, (size_t)(end - at), "%TAG", 4))) {
		count++;
		at += 4;
	}
	return count;
}

/* What libyaml would accept, or never finish. */
static void check_bytes(struct eg_yaml_stream *stream)
{
	if (starts_with(stream, "\xff\xfe", 2) || starts_with(stream, "\xfe\xff", 2) ||
	    starts_with(stream, "\0\0\xfe\xff", 4))
		stream->is_broken = refuse(stream, 1, 1, "is UTF-16 or UTF-32; save it as UTF-8") < 0;
	else if (count_tag_directives(stream) > TAG_DIRECTIVES_MAX)
		stream->is_broken = refuse(stream, 1, 1, "more than %u %%TAG directives", TAG_DIRECTIVES_MAX) < 0;
}

/* Owns the stream, and frees it without memory. */
static struct eg_yaml_stream *start_parser(struct eg_yaml_stream *stream, const char *bytes, size_t len)
{
	size_t mark;

	if (!yaml_parser_initialize(&stream->parser)) {
		free(stream);
		return NULL;
	}
	stream->bytes = bytes;
	stream->len = len;
	mark = starts_with(stream, "\xef\xbb\xbf", 3) ? 3 : 0;
	stream->bytes += mark;
	stream->len -= mark;
	check_bytes(stream);
	yaml_parser_set_input_string(&stream->parser, (const unsigned char *)stream->bytes, stream->len);
	yaml_parser_set_encoding(&stream->parser, YAML_UTF8_ENCODING);
	return stream;
}

struct eg_yaml_stream *eg_yaml_open(const char *file, const char *bytes, size_t len, struct eg_diag *diag)
{
	struct eg_yaml_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->file = file;
	stream->diag = diag;
	return start_parser(stream, bytes, len);
}

struct eg_yaml_stream *eg_yaml_open_text(const char *file, const struct eg_yaml_node *node, const char *path,
					 struct eg_diag *diag)
{
	struct eg_yaml_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->file = file;
	stream->diag = diag;
	stream->outer = node;
	stream->path = path;
	return start_parser(stream, node->text, strlen(node->text));
}

static void forget_document(struct eg_yaml_stream *stream)
{
	eg_arena_drop_tree(stream->anchors);
	stream->anchors = NULL;
	stream->depth = 0;
	stream->items.len = 0;
	stream->expanded = 0;
	stream->root = NULL;
	if (stream->nodes > NODES_TO_KEEP) {
		eg_arena_clear(&stream->arena);
		stream->nodes = 0;
	}
}

struct eg_yaml_stream *eg_yaml_close(struct eg_yaml_stream *stream)
{
	if (!stream)
		return NULL;
	forget_document(stream);
	yaml_parser_delete(&stream->parser);
	eg_array_clear(&stream->items);
	eg_arena_clear(&stream->arena);
	free(stream);
	return NULL;
}

static int count_expanded(struct eg_yaml_stream *stream, const yaml_event_t *event, size_t more)
{
	stream->expanded += more;
	if (stream->expanded > EG_YAML_NODES_MAX)
		return refuse_at(stream, event, "the document has too many values, those that aliases repeat included");
	return 0;
}

static int new_node(struct eg_yaml_stream *stream, const yaml_event_t *event, enum eg_yaml_kind kind,
		    struct eg_yaml_node **ret_node)
{
	struct eg_yaml_node *node;
	int r;

	r = count_expanded(stream, event, 1);
	if (r < 0)
		return r;
	node = eg_arena_alloc(&stream->arena, sizeof(*node));
	if (!node)
		return -ENOMEM;
	stream->nodes++;
	node->kind = kind;
	find_mark(stream, &event->start_mark, &node->line, &node->column);
	*ret_node = node;
	return 0;
}

static int compare_anchors(const void *a, const void *b)
{
	return strcmp(((const struct anchor *)a)->name, ((const struct anchor *)b)->name);
}

/* The anchor of this name, made when there is none: YAML lets a later one replace an earlier one. */
static int define_anchor(struct eg_yaml_stream *stream, const unsigned char *name, struct anchor **ret_anchor)
{
	struct anchor wanted = {.name = (char *)(uintptr_t)name};
	struct anchor **found = tfind(&wanted, &stream->anchors, compare_anchors);
	struct anchor *anchor;

	if (found) {
		*ret_anchor = *found;
		(*found)->node = NULL;
		return 0;
	}
	anchor = eg_arena_alloc(&stream->arena, sizeof(*anchor));
	if (!anchor)
		return -ENOMEM;
	anchor->name = eg_arena_strdup(&stream->arena, (const char *)name);
	if (!anchor->name || !tsearch(anchor, &stream->anchors, compare_anchors))
		return -ENOMEM;
	*ret_anchor = anchor;
	return 0;
}

static int add_item(struct eg_yaml_stream *stream, const struct eg_yaml_node *node)
{
	if (stream->depth == 0) {
		stream->root = node;
		return 0;
	}
	return eg_array_push(&stream->items, node);
}

static bool is_one_of(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	return false;
}

static bool is_true_word(const char *text)
{
	static const char *const words[] = {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"};

	return is_one_of(text, words, EG_COUNT_OF(words));
}

static bool is_false_word(const char *text)
{
	static const char *const words[] = {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"};

	return is_one_of(text, words, EG_COUNT_OF(words));
}

static bool is_null_word(const char *text)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};

	return is_one_of(text, words, EG_COUNT_OF(words));
}

/* 1, -1.5, 0x1f, 1_000, 1e9, .inf: what a YAML 1.1 reader would not give out as text. */
static bool is_number(const char *text)
{
	const char *p = text + (*text == '-' || *text == '+');
	char *end;

	if (*p == '.' && (strcasecmp(p, ".inf") == 0 || strcasecmp(p, ".nan") == 0))
		return true;
	if (*p != '.' && (*p < '0' || *p > '9'))
		return false;
	if (p[strspn(p, "0123456789_")] == '\0')
		return true;
	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'b' || p[1] == 'o'))
		return p[2] != '\0' && p[2 + strspn(p + 2, "0123456789abcdefABCDEF_")] == '\0';
	if (p[strspn(p, "0123456789.eE+-")] != '\0')
		return false;
	strtod(p, &end);
	return *end == '\0' && end != p;
}

static enum eg_yaml_meaning plain_meaning(const char *text)
{
	/* Most are longer than any of the words. */
	const bool may_be_word = strnlen(text, WORD_LEN_MAX + 1) <= WORD_LEN_MAX;

	if (is_number(text))
		return EG_YAML_NUMBER;
	if (may_be_word && is_null_word(text))
		return EG_YAML_NULL;
	return may_be_word && (is_true_word(text) || is_false_word(text)) ? EG_YAML_BOOL : EG_YAML_TEXT;
}

/* !!str is the only tag with a use here; the others say what the value says by itself. */
static int check_tag(struct eg_yaml_stream *stream, const yaml_event_t *event, const unsigned char *tag)
{
	static const char *const known[] = {"!",           YAML_STR_TAG, YAML_BOOL_TAG, YAML_INT_TAG, YAML_FLOAT_TAG,
					    YAML_NULL_TAG, YAML_MAP_TAG, YAML_SEQ_TAG};
	uint32_t line, column;

	if (!tag || is_one_of((const char *)tag, known, EG_COUNT_OF(known)))
		return 0;
	find_mark(stream, &event->start_mark, &line, &column);
	return refuse(stream, line, column, "the tag !<%.64s> has no meaning here; remove it", (const char *)tag);
}

static bool is_text_tag(const unsigned char *tag)
{
	return tag && (strcmp((const char *)tag, "!") == 0 || strcmp((const char *)tag, YAML_STR_TAG) == 0);
}

static int copy_text(struct eg_yaml_stream *stream, const yaml_event_t *event, struct eg_yaml_node *node)
{
	const char *value = (const char *)event->data.scalar.value;
	const size_t len = event->data.scalar.length;

	/* Only an escape can bring one: "\0". */
	if (memchr(value, '\0', len))
		return refuse_at(stream, event, "a NUL character inside a value");
	node->text = len == 0 ? "" : eg_arena_strndup(&stream->arena, value, len);
	return node->text ? 0 : -ENOMEM;
}

/* How many blanks the first line has that is not blank. */
static size_t first_indentation(const char *text, const char *end)
{
	for (const char *line = text, *next; line < end; line = next) {
		const char *p = line;

		while (p < end && *p == ' ')
			p++;
		if (p < end && *p != '\n' && *p != '\r')
			return (size_t)(p - line);
		next = memchr(p, '\n', (size_t)(end - p));
		next = next ? next + 1 : end;
	}
	return 0;
}

/*
 * libyaml tells neither how deep a text after | is indented nor where in the bytes
 * it is. Texts come in the order of their lines, so that these are counted once.
 */
static uint8_t find_lines_column(struct eg_yaml_stream *stream, const yaml_event_t *event, const char *text)
{
	const char *end = stream->bytes + stream->len;
	size_t indentation;

	while (stream->line <= event->start_mark.line) {
		const char *next = eg_text_next_line(stream->bytes + stream->line_at, end);

		if (!next)
			return 1;
		stream->line_at = (size_t)(next - stream->bytes);
		stream->line++;
	}
	/* With an indentation indicator, |2, the text keeps some of the blanks. */
	indentation = first_indentation(stream->bytes + stream->line_at, end);
	indentation -= MIN(indentation, first_indentation(text, text + strlen(text)));
	return (uint8_t)MIN(indentation + 1, UINT8_MAX);
}

static int read_scalar(struct eg_yaml_stream *stream, const yaml_event_t *event)
{
	const bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	struct eg_yaml_node *node;
	struct anchor *anchor;
	int r;

	r = check_tag(stream, event, event->data.scalar.tag);
	if (r < 0)
		return r;
	r = new_node(stream, event, EG_YAML_SCALAR, &node);
	if (r < 0)
		return r;
	r = copy_text(stream, event, node);
	if (r < 0)
		return r;
	if (is_plain && !is_text_tag(event->data.scalar.tag))
		node->meaning = plain_meaning(node->text);
	if (event->data.scalar.style == YAML_LITERAL_SCALAR_STYLE && !stream->outer)
		node->lines_column = find_lines_column(stream, event, node->text);
	if (event->data.scalar.anchor) {
		r = define_anchor(stream, event->data.scalar.anchor, &anchor);
		if (r < 0)
			return r;
		anchor->node = node;
		anchor->expanded = 1;
	}
	return add_item(stream, node);
}

static int read_alias(struct eg_yaml_stream *stream, const yaml_event_t *event)
{
	struct anchor wanted = {.name = (char *)event->data.alias.anchor};
	struct anchor **found = tfind(&wanted, &stream->anchors, compare_anchors);
	uint32_t line, column;
	int r;

	if (!found) {
		find_mark(stream, &event->start_mark, &line, &column);
		return refuse(stream, line, column, "the alias *%.64s names no anchor before it", wanted.name);
	}
	if (!(*found)->node)
		return refuse_at(stream, event, "an alias stands inside what it names");
	r = count_expanded(stream, event, (*found)->expanded);
	if (r < 0)
		return r;
	return add_item(stream, (*found)->node);
}

static int open_frame(struct eg_yaml_stream *stream, const yaml_event_t *event, enum eg_yaml_kind kind,
		      const unsigned char *anchor, const unsigned char *tag)
{
	struct frame *frame = &stream->frames[stream->depth];
	int r;

	if (stream->depth == EG_YAML_DEPTH_MAX)
		return refuse_at(stream, event, "nested more than 64 deep");
	r = check_tag(stream, event, tag);
	if (r < 0)
		return r;
	*frame = (struct frame){.first_item = stream->items.len, .expanded_before = stream->expanded};
	if (anchor) {
		r = define_anchor(stream, anchor, &frame->anchor);
		if (r < 0)
			return r;
	}
	r = new_node(stream, event, kind, &frame->node);
	if (r < 0)
		return r;
	stream->depth++;
	return 0;
}

/* A key and its value, and how strong a claim the pair has on its key. */
struct pair {
	const struct eg_yaml_node *key;
	const struct eg_yaml_node *value;
	size_t rank; /* 0: written in the mapping itself; greater: merged, in the order of merging */
	size_t position;
};

struct pairs {
	EG_ARRAY(struct pair) list;
};

static void pairs_clear(struct pairs *pairs)
{
	eg_array_clear(&pairs->list);
}

static int compare_pairs(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int by_key = strcmp(x->key->text, y->key->text);

	if (by_key != 0)
		return by_key;
	return x->position < y->position ? -1 : x->position > y->position;
}

static int compare_positions(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	return x->position < y->position ? -1 : x->position > y->position;
}

static int add_pair(struct pairs *pairs, const struct eg_yaml_node *key, const struct eg_yaml_node *value, size_t rank)
{
	return eg_array_push(&pairs->list, (struct pair){key, value, rank, pairs->list.len});
}

static int merge_mapping(struct pairs *pairs, const struct eg_yaml_node *from, size_t rank)
{
	for (uint32_t i = 0; i < from->count; i += 2) {
		int r = add_pair(pairs, from->items[i], from->items[i + 1], rank);

		if (r < 0)
			return r;
	}
	return 0;
}

static int refuse_merge(struct eg_yaml_stream *stream, const struct eg_yaml_node *node)
{
	refuse(stream, node->line, node->column, "<< merges a mapping, or a list of mappings, not %s",
	       eg_yaml_describe(node));
	return 0;
}

static int merge(struct eg_yaml_stream *stream, struct pairs *pairs, const struct eg_yaml_node *from)
{
	if (from->kind == EG_YAML_MAPPING)
		return merge_mapping(pairs, from, 1);
	if (from->kind != EG_YAML_SEQUENCE)
		return refuse_merge(stream, from);
	for (uint32_t i = 0; i < from->count; i++) {
		const struct eg_yaml_node *item = from->items[i];
		int r = item->kind == EG_YAML_MAPPING ? merge_mapping(pairs, item, i + 1) : refuse_merge(stream, item);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_merge_key(const struct eg_yaml_node *key)
{
	return key->kind == EG_YAML_SCALAR && strcmp(key->text, "<<") == 0;
}

/* What stands in the mapping itself, first, so that it beats what is merged. */
static int collect_own(struct eg_yaml_stream *stream, const struct frame *frame, struct pairs *pairs)
{
	const struct eg_yaml_node *const *items = stream->items.items;

	for (size_t i = frame->first_item; i + 1 < stream->items.len; i += 2) {
		int r;

		if (items[i]->kind != EG_YAML_SCALAR) {
			refuse(stream, items[i]->line, items[i]->column, "a key must be a word, not %s",
			       eg_yaml_describe(items[i]));
			continue;
		}
		if (is_merge_key(items[i]))
			continue;
		r = add_pair(pairs, items[i], items[i + 1], 0);
		if (r < 0)
			return r;
	}
	return 0;
}

static int collect_merged(struct eg_yaml_stream *stream, const struct frame *frame, struct pairs *pairs)
{
	const struct eg_yaml_node *const *items = stream->items.items;

	for (size_t i = frame->first_item; i + 1 < stream->items.len; i += 2) {
		int r = is_merge_key(items[i]) ? merge(stream, pairs, items[i + 1]) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* Leaves the first pair of each key. A key that the mapping itself has twice is a mistake. */
static void drop_repeated(struct eg_yaml_stream *stream, struct pairs *pairs)
{
	struct pair *list = pairs->list.items;
	size_t kept = 0;

	if (pairs->list.len == 0)
		return;
	qsort(list, pairs->list.len, sizeof(*list), compare_pairs);
	for (size_t i = 1; i < pairs->list.len; i++) {
		if (strcmp(list[i].key->text, list[kept].key->text) != 0)
			list[++kept] = list[i];
		else if (list[i].rank == 0)
			refuse(stream, list[i].key->line, list[i].key->column,
			       "\"%.64s\" is written twice, first in line %u; keep one of them", list[i].key->text,
			       list[kept].key->line);
	}
	pairs->list.len = kept + 1;
	qsort(list, pairs->list.len, sizeof(*list), compare_positions);
}

static int store_pairs(struct eg_yaml_stream *stream, struct eg_yaml_node *node, const struct pairs *pairs)
{
	const size_t count = pairs->list.len * 2;

	node->items = eg_arena_alloc(&stream->arena, count * sizeof(node->items[0]));
	if (!node->items)
		return -ENOMEM;
	for (size_t i = 0; i < pairs->list.len; i++) {
		node->items[2 * i] = pairs->list.items[i].key;
		node->items[2 * i + 1] = pairs->list.items[i].value;
	}
	node->count = (uint32_t)count;
	return 0;
}

static int finish_mapping(struct eg_yaml_stream *stream, const struct frame *frame)
{
	_cleanup_(pairs_clear) struct pairs pairs = {};
	int r;

	r = collect_own(stream, frame, &pairs);
	if (r < 0)
		return r;
	r = collect_merged(stream, frame, &pairs);
	if (r < 0)
		return r;
	drop_repeated(stream, &pairs);
	return store_pairs(stream, frame->node, &pairs);
}

static int finish_sequence(struct eg_yaml_stream *stream, const struct frame *frame)
{
	const size_t count = stream->items.len - frame->first_item;

	if (count == 0)
		return 0;
	frame->node->items = eg_arena_alloc(&stream->arena, count * sizeof(frame->node->items[0]));
	if (!frame->node->items)
		return -ENOMEM;
	memcpy(frame->node->items, stream->items.items + frame->first_item, count * sizeof(frame->node->items[0]));
	frame->node->count = (uint32_t)count;
	return 0;
}

static int close_frame(struct eg_yaml_stream *stream)
{
	const struct frame *frame = &stream->frames[--stream->depth];
	int r;

	r = frame->node->kind == EG_YAML_MAPPING ? finish_mapping(stream, frame) : finish_sequence(stream, frame);
	if (r < 0)
		return r;
	stream->items.len = frame->first_item;
	if (frame->anchor) {
		frame->anchor->node = frame->node;
		frame->anchor->expanded = stream->expanded - frame->expanded_before;
	}
	return add_item(stream, frame->node);
}

static int read_event(struct eg_yaml_stream *stream, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(stream, event);
	case YAML_ALIAS_EVENT:
		return read_alias(stream, event);
	case YAML_SEQUENCE_START_EVENT:
		return open_frame(stream, event, EG_YAML_SEQUENCE, event->data.sequence_start.anchor,
				  event->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return open_frame(stream, event, EG_YAML_MAPPING, event->data.mapping_start.anchor,
				  event->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_frame(stream);
	default:
		return 0;
	}
}

/* Reads up to the end of a document: 1, or of the stream: 0. */
static int read_document(struct eg_yaml_stream *stream)
{
	yaml_event_type_t type;

	do {
		yaml_event_t event;
		int r;

		if (!yaml_parser_parse(&stream->parser, &event))
			return refuse_syntax(stream);
		type = event.type;
		r = read_event(stream, &event);
		yaml_event_delete(&event);
		if (r < 0)
			return r;
	} while (type != YAML_DOCUMENT_END_EVENT && type != YAML_STREAM_END_EVENT);
	return type == YAML_DOCUMENT_END_EVENT;
}

int eg_yaml_next(struct eg_yaml_stream *stream, const struct eg_yaml_node **ret_root)
{
	int r;

	if (stream->is_broken)
		return -EBADMSG;
	do {
		forget_document(stream);
		r = read_document(stream);
		if (r < 0)
			stream->is_broken = true;
		if (r <= 0)
			return r;
	} while (eg_yaml_is_null(stream->root));
	*ret_root = stream->root;
	return 1;
}

bool eg_yaml_is_null(const struct eg_yaml_node *node)
{
	return node->kind == EG_YAML_SCALAR && node->meaning == EG_YAML_NULL;
}

const struct eg_yaml_node *eg_yaml_get(const struct eg_yaml_node *mapping, const char *key)
{
	for (uint32_t i = 0; i < mapping->count; i += 2)
		if (strcmp(mapping->items[i]->text, key) == 0)
			return mapping->items[i + 1];
	return NULL;
}

bool eg_yaml_bool(const struct eg_yaml_node *node)
{
	return is_true_word(node->text);
}

const char *eg_yaml_describe(const struct eg_yaml_node *node)
{
	static const char *const words[] = {
		[EG_YAML_TEXT] = "a text",
		[EG_YAML_NULL] = "nothing",
		[EG_YAML_BOOL] = "a boolean",
		[EG_YAML_NUMBER] = "a number",
	};

	if (node->kind == EG_YAML_SCALAR)
		return words[node->meaning];
	return node->kind == EG_YAML_MAPPING ? "a mapping" : "a list";
}
