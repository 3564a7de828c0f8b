/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/selectors.h"

#include "base/cleanup.h"
#include "config/tags.h"

static int read_match(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		      void *target)
{
	struct eg_tags *tags = target;
	int r = eg_read_selector(reader, node, tags);

	(void)field;
	if (r < 0 || node->kind != EG_YAML_MAPPING)
		return r;
	if (node->count == 0)
		eg_reader_error(reader, node, "must have at least one tag");
	/* Releases before 0.5 call it just "service". */
	if (!eg_yaml_get(node, EG_SERVICE_TAG) && !eg_yaml_get(node, "service"))
		eg_reader_error(reader, node, "mandatory tag \"" EG_SERVICE_TAG "\" is missing");
	return 0;
}
static const struct eg_type match_type = {"mapping of tags", read_match};

static const struct eg_field selector_fields[] = {
	{.name = "match",
	 .type = &match_type,
	 .missing = "must have at least one tag",
	 .doc = "Tags that a workload must have; * is any value."},
};
const struct eg_schema eg_selector_schema = {EG_SCHEMA_FIELDS(selector_fields)};

static int check_destination(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			     void *target)
{
	int r = eg_read_selector(reader, node, NULL);

	(void)field;
	(void)target;
	if (node->kind == EG_YAML_MAPPING &&
	    !(node->count == 2 && (eg_yaml_get(node, EG_SERVICE_TAG) || eg_yaml_get(node, "service"))))
		eg_reader_error(reader, node, "must consist of exactly one tag \"" EG_SERVICE_TAG "\"");
	return r;
}
static const struct eg_type destination_type = {"mapping of tags", check_destination};

static const struct eg_field destination_fields[] = {
	{.name = "match",
	 .type = &destination_type,
	 .missing = "must consist of exactly one tag \"" EG_SERVICE_TAG "\"",
	 .doc = "The service, as kuma.io/service; * is any."},
};
const struct eg_schema eg_destination_schema = {EG_SCHEMA_FIELDS(destination_fields)};

static int check_selector(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct eg_schema *const *schema = target;
	struct eg_tags unread = {};

	return eg_read_object(reader, node, *schema, &unread);
}

static int check_selectors(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			   void *target)
{
	const struct eg_schema *schema = field->fields;

	(void)target;
	if (node->kind == EG_YAML_SEQUENCE && node->count == 0)
		eg_reader_error(reader, node, EG_SELECTORS_MISSING);
	return eg_read_list(reader, node, check_selector, &schema);
}
const struct eg_type eg_checked_selectors = {"list of selectors", check_selectors};
