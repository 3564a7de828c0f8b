/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/checked.h"

#include "base/parse.h"

static int check_text(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		      void *target)
{
	(void)field;
	(void)target;
	eg_read_text(reader, node);
	return 0;
}
const struct eg_type eg_checked_text = {"text", check_text};

static int check_bool(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		      void *target)
{
	struct eg_optional_bool unread;

	(void)target;
	return eg_type_bool.read(reader, field, node, &unread);
}
const struct eg_type eg_checked_bool = {"boolean", check_bool};

static int check_choice(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			void *target)
{
	size_t unread;

	(void)target;
	eg_read_choice(reader, field, node, &unread);
	return 0;
}
const struct eg_type eg_checked_choice = {"choice", check_choice};

static int check_positive(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			  void *target)
{
	uint32_t value;

	(void)field;
	(void)target;
	if (node->kind != EG_YAML_SCALAR || eg_parse_u32(node->text, &value) < 0)
		eg_reader_error(reader, node, "must be a whole number in decimal digits");
	else if (value == 0)
		eg_reader_error(reader, node, "must have a positive value");
	return 0;
}
const struct eg_type eg_checked_positive = {"whole number from 1", check_positive};

static int check_positive_duration(struct eg_reader *reader, const struct eg_field *field,
				   const struct eg_yaml_node *node, void *target)
{
	int64_t ns;

	(void)field;
	(void)target;
	if (eg_read_duration(reader, node, &ns) && ns <= 0)
		eg_reader_error(reader, node, "must have a positive value");
	return 0;
}
const struct eg_type eg_checked_positive_duration = {"duration above 0s", check_positive_duration};
