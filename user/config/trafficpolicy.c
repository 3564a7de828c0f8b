/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/trafficpolicy.h"

#include "base/cleanup.h"
#include "config/checked.h"

/* An empty list is as if left out. */
static bool has_items(const struct eg_yaml_node *spec, const char *name)
{
	const struct eg_yaml_node *list = spec->kind == EG_YAML_MAPPING ? eg_yaml_get(spec, name) : NULL;

	return list && !eg_yaml_is_null(list) && list->kind != EG_YAML_SCALAR && list->count > 0;
}

static int read_target_ref(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			   void *target)
{
	struct eg_traffic_policy *policy = target;
	struct eg_target unread = {};
	int r = eg_read_target_ref(reader, node, policy->takes, &unread);

	(void)field;
	policy->targets = unread.kind;
	return r;
}
const struct eg_type eg_traffic_target_ref = {"object", read_target_ref};

static int check_to_ref(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			void *target)
{
	const struct eg_traffic_policy *policy = target;
	const bool is_above = policy->targets == EG_TARGET_MESH_HTTP_ROUTE || policy->targets == EG_TARGET_MESH_GATEWAY;
	struct eg_target unread = {};

	(void)field;
	return eg_read_target_ref(reader, node,
				  is_above && policy->route_takes ? policy->route_takes : policy->to_takes, &unread);
}
const struct eg_type eg_traffic_to_ref = {"object", check_to_ref};

static int check_from_ref(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			  void *target)
{
	struct eg_target unread = {};

	(void)field;
	(void)target;
	return eg_read_target_ref(reader, node, EG_TARGET_BIT(MESH), &unread);
}
const struct eg_type eg_traffic_from_ref = {"object", check_from_ref};

/* --- the resource --- */

int eg_traffic_check_parts(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const bool has_from = has_items(node, "from"), has_to = has_items(node, "to");
	const bool has_rules = has_items(node, "rules");

	(void)target;
	if (!has_from && !has_to && !has_rules)
		eg_reader_error(reader, node, "at least one of 'from', 'to' or 'rules' has to be defined");
	else if (has_rules && (has_from || has_to))
		eg_reader_error(reader, node, "fields 'to' and 'from' must be empty when 'rules' is defined");
	return 0;
}

int eg_traffic_policy_read(struct eg_reader *reader, const struct eg_envelope *envelope,
			   struct eg_traffic_policy *policy)
{
	/* Only what is about inbounds may name one. */
	if (has_items(envelope->spec, "from") || has_items(envelope->spec, "rules"))
		policy->takes |= EG_TARGET_SECTIONS;
	return eg_read_object(reader, envelope->spec, reader->kind, policy);
}
