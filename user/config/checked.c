/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/checked.h"

#include <stdlib.h>
#include <string.h>

static int check_text(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		      void *target)
{
	(void)field;
	(void)target;
	eg_read_text(reader, node);
	return 0;
}
const struct eg_type eg_checked_text = {"text", check_text};

static int check_nonempty_text(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			       void *target)
{
	const char *text = eg_read_text(reader, node);

	(void)field;
	(void)target;
	if (text && text[0] == '\0')
		eg_reader_error(reader, node, "cannot be empty");
	return 0;
}
const struct eg_type eg_checked_nonempty_text = {"text", check_nonempty_text};

static int check_text_item(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	(void)target;
	eg_read_text(reader, node);
	return 0;
}

static int check_texts(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		       void *target)
{
	(void)field;
	return eg_read_list(reader, node, check_text_item, target);
}
const struct eg_type eg_checked_texts = {"list of texts", check_texts};

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

const struct eg_range eg_range_positive = {1, INT64_MAX, "above 0", "must have a positive value"};
const struct eg_range eg_range_above_zero = {1, INT64_MAX, "above 0", "must be greater than 0"};
const struct eg_range eg_range_duration_above_zero = {1, INT64_MAX, "above 0",
						      "must be greater than zero when defined"};

static void check_range(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			int64_t value)
{
	if (field->range && (value < field->range->min || value > field->range->max))
		eg_reader_error(reader, node, "%s", field->range->refusal);
}

static int check_number(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			void *target)
{
	struct eg_optional_number number = {};
	int r = eg_type_u32.read(reader, field, node, &number);

	(void)target;
	if (number.is_set)
		check_range(reader, field, node, (int64_t)number.value);
	return r;
}
const struct eg_type eg_checked_number = {"whole number", check_number};

static int check_duration(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			  void *target)
{
	int64_t ns;

	(void)target;
	if (eg_read_duration(reader, node, &ns))
		check_range(reader, field, node, ns);
	return 0;
}
const struct eg_type eg_checked_duration = {"duration", check_duration};

/* Kuma wants fractions in quotes, and its own pages write them without. */
static bool read_decimal(struct eg_reader *reader, const struct eg_yaml_node *node, const char *refusal,
			 double *ret_value)
{
	const bool is_scalar = node->kind == EG_YAML_SCALAR;
	char *end = NULL;

	if (is_scalar && node->text[strspn(node->text, "0123456789.eE+-")] == '\0')
		*ret_value = strtod(node->text, &end);
	if (!end || end == node->text || *end) {
		eg_reader_error(reader, node, "%s", refusal);
		return false;
	}
	return true;
}

static int check_factor(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			void *target)
{
	double value;

	(void)field;
	(void)target;
	if (read_decimal(reader, node, "invalid number", &value) && value <= 0)
		eg_reader_error(reader, node, "%s", eg_range_above_zero.refusal);
	return 0;
}
const struct eg_type eg_checked_factor = {"number above 0; one with a fraction in quotes", check_factor};

static int check_percentage(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			    void *target)
{
	double value;

	(void)field;
	(void)target;
	if (read_decimal(reader, node, "string must be a valid number", &value) && (value < 0 || value > 100))
		eg_reader_error(reader, node, "must be in inclusive range [0.0, 100.0]");
	return 0;
}
const struct eg_type eg_checked_percentage = {"number from 0 to 100; one with a fraction in quotes", check_percentage};

struct items {
	const struct eg_schema *schema;
	void *target;
};

static int check_item(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct items *items = target;

	return eg_read_object(reader, node, items->schema, items->target);
}

static int check_list(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		      void *target)
{
	struct items items = {field->fields, target};

	return eg_read_list(reader, node, check_item, &items);
}
const struct eg_type eg_checked_list = {"list", check_list};

int eg_checked_read(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	char unread;

	return eg_read_object(reader, envelope->spec, reader->kind, &unread);
}
