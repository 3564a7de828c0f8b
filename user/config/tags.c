/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/tags.h"

#include <string.h>

#define ALPHANUMERIC "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static bool consists_of(const char *text, const char *characters)
{
	return text[strspn(text, characters)] == '\0';
}

static bool check_tag(struct eg_reader *reader, const struct eg_yaml_node *key, const struct eg_yaml_node *value)
{
	const char *text;

	if (!consists_of(key->text, ALPHANUMERIC ".-/_:")) {
		eg_reader_error(
			reader, key,
			"tag name must consist of alphanumeric characters, dots, dashes, slashes and underscores");
		return false;
	}
	if (eg_yaml_is_null(value) || (value->kind == EG_YAML_SCALAR && value->text[0] == '\0')) {
		eg_reader_error(reader, value, "tag value must be non-empty");
		return false;
	}
	text = eg_read_text(reader, value);
	if (text && !consists_of(text, ALPHANUMERIC ".-_:")) {
		eg_reader_error(reader, value,
				"tag value must consist of alphanumeric characters, dots, dashes and underscores");
		return false;
	}
	return text;
}

int eg_read_tags(struct eg_reader *reader, const struct eg_yaml_node *node,
		 int (*tag)(struct eg_reader *reader, const char *name, const char *value, void *target), void *target)
{
	if (node->kind != EG_YAML_MAPPING) {
		eg_reader_error(reader, node, "must be a mapping of tag names to values, not %s",
				eg_yaml_describe(node));
		return 0;
	}
	for (uint32_t i = 0; i < node->count; i += 2) {
		const struct eg_yaml_node *key = node->items[i], *value = node->items[i + 1];
		const size_t before = eg_path_enter_key(reader, key->text);
		int r = check_tag(reader, key, value) && tag ? tag(reader, key->text, value->text, target) : 0;

		eg_path_leave(reader, before);
		if (r < 0)
			return r;
	}
	return 0;
}

const char *eg_tag_text(const struct eg_yaml_node *tags, const char *name)
{
	const struct eg_yaml_node *value = tags->kind == EG_YAML_MAPPING ? eg_yaml_get(tags, name) : NULL;

	return value && value->kind == EG_YAML_SCALAR ? value->text : NULL;
}
