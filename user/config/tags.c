/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/tags.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

#define ALPHANUMERIC "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static bool consists_of(const char *text, const char *characters)
{
	return text[strspn(text, characters)] == '\0';
}

static const char *name_problem(const char *name)
{
	if (name[0] == '\0')
		return "tag name must be non-empty";
	if (!consists_of(name, ALPHANUMERIC ".-/_:"))
		return "tag name must consist of alphanumeric characters, dots, dashes, slashes and underscores";
	return NULL;
}

static const char *value_problem(const char *value, bool may_be_any)
{
	if (may_be_any && (strcmp(value, "*") == 0 || consists_of(value, ALPHANUMERIC ".-/_:")))
		return NULL;
	if (may_be_any)
		return "tag value must consist of alphanumeric characters, dots, dashes, slashes and underscores or be "
		       "\"*\"";
	if (!consists_of(value, ALPHANUMERIC ".-_:"))
		return "tag value must consist of alphanumeric characters, dots, dashes and underscores";
	return NULL;
}

/* Whether a tag is in order. */
typedef bool (*check_fn)(struct eg_reader *reader, const struct eg_yaml_node *key, const struct eg_yaml_node *value);

static bool check(struct eg_reader *reader, const struct eg_yaml_node *key, const struct eg_yaml_node *value,
		  bool may_be_any)
{
	const char *problem = name_problem(key->text), *text;

	if (problem) {
		eg_reader_error(reader, key, "%s", problem);
		return false;
	}
	if (eg_yaml_is_null(value) || (value->kind == EG_YAML_SCALAR && value->text[0] == '\0')) {
		eg_reader_error(reader, value, "tag value must be non-empty");
		return false;
	}
	text = eg_read_text(reader, value);
	problem = text ? value_problem(text, may_be_any) : NULL;
	if (problem)
		eg_reader_error(reader, value, "%s", problem);
	return text && !problem;
}

static bool check_tag(struct eg_reader *reader, const struct eg_yaml_node *key, const struct eg_yaml_node *value)
{
	return check(reader, key, value, false);
}

static bool check_selector(struct eg_reader *reader, const struct eg_yaml_node *key, const struct eg_yaml_node *value)
{
	return check(reader, key, value, true);
}

static bool check_label(struct eg_reader *reader, const struct eg_yaml_node *key, const struct eg_yaml_node *value)
{
	(void)key;
	return eg_read_text(reader, value);
}

static int keep_tag(struct eg_reader *reader, const char *name, const char *value, struct eg_tags *tags)
{
	struct eg_tag *tag = &tags->items[tags->len];
	int r;

	r = eg_read_copy(reader, name, &tag->name);
	if (r < 0)
		return r;
	r = eg_read_copy(reader, value, &tag->value);
	if (r < 0)
		return r;
	tags->len++;
	return 0;
}

static int read_tags(struct eg_reader *reader, const struct eg_yaml_node *node, const char *what, check_fn is_in_order,
		     struct eg_tags *ret_tags)
{
	struct eg_tags tags = {};

	if (node->kind != EG_YAML_MAPPING) {
		eg_reader_error(reader, node, "must be a mapping of %s names to values, not %s", what,
				eg_yaml_describe(node));
		return 0;
	}
	if (ret_tags) {
		tags.items = eg_arena_alloc(&reader->model->arena, (node->count / 2 + 1) * sizeof(tags.items[0]));
		if (!tags.items)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < node->count; i += 2) {
		const struct eg_yaml_node *key = node->items[i], *value = node->items[i + 1];
		const size_t before = eg_path_enter_key(reader, key->text);
		bool is_good = is_in_order(reader, key, value);
		int r = is_good && ret_tags ? keep_tag(reader, key->text, value->text, &tags) : 0;

		eg_path_leave(reader, before);
		if (r < 0)
			return r;
	}
	if (ret_tags)
		*ret_tags = tags;
	return 0;
}

int eg_read_tags(struct eg_reader *reader, const struct eg_yaml_node *node, struct eg_tags *ret_tags)
{
	return read_tags(reader, node, "tag", check_tag, ret_tags);
}

int eg_read_selector(struct eg_reader *reader, const struct eg_yaml_node *node, struct eg_tags *ret_tags)
{
	return read_tags(reader, node, "tag", check_selector, ret_tags);
}

int eg_read_labels(struct eg_reader *reader, const struct eg_yaml_node *node, struct eg_tags *ret_labels)
{
	return read_tags(reader, node, "label", check_label, ret_labels);
}

int eg_add_tag(struct eg_reader *reader, const char *name, const char *value, struct eg_tags *tags)
{
	const size_t size = tags->len * sizeof(tags->items[0]);
	struct eg_tag *items = eg_arena_alloc(&reader->model->arena, size + sizeof(tags->items[0]));

	if (!items)
		return -ENOMEM;
	if (size > 0)
		memcpy(items, tags->items, size);
	tags->items = items;
	return keep_tag(reader, name, value, tags);
}

const char *eg_tag_text(const struct eg_yaml_node *tags, const char *name)
{
	const struct eg_yaml_node *value = tags->kind == EG_YAML_MAPPING ? eg_yaml_get(tags, name) : NULL;

	return value && value->kind == EG_YAML_SCALAR ? value->text : NULL;
}

static int check_labels(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			void *target)
{
	(void)field;
	(void)target;
	return eg_read_labels(reader, node, NULL);
}
const struct eg_type eg_checked_labels = {"mapping of labels", check_labels};

static bool is_known_protocol(const char *name)
{
	static const char *const names[] = {"grpc", "http", "http2", "kafka", "tcp", "tls"};

	for (size_t i = 0; i < EG_COUNT_OF(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

void eg_check_protocol_tag(struct eg_reader *reader, const struct eg_yaml_node *tags)
{
	const char *protocol = eg_tag_text(tags, EG_PROTOCOL_TAG);
	size_t before;

	/* Every tag that is empty has its finding already. */
	if (!protocol || protocol[0] == '\0' || is_known_protocol(protocol))
		return;
	before = eg_path_enter_key(reader, EG_PROTOCOL_TAG);
	eg_reader_error(reader, eg_yaml_get(tags, EG_PROTOCOL_TAG),
			"tag \"" EG_PROTOCOL_TAG "\" has an invalid value \"%.64s\". "
			"Allowed values: grpc, http, http2, kafka, tcp, tls",
			protocol);
	eg_path_leave(reader, before);
}
