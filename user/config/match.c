/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/match.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/suggest.h"
#include "config/envoy.h"
#include "config/tags.h"
#include "policy/cluster.h"

static int read_listener_tags(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			      void *target)
{
	(void)field;
	return eg_read_selector(reader, node, target);
}
static const struct eg_type listener_tags_type = {"mapping of tags", read_listener_tags};

#define MATCH_FIELD(field, member, text) \
	{ \
		.name = (field), .type = &eg_type_string, .offset = offsetof(struct eg_match, member), .doc = (text) \
	}
#define MATCH_NAME(of) MATCH_FIELD("name", name, "The whole name of the " of ".")
#define MATCH_ORIGIN \
	MATCH_FIELD("origin", origin, \
		    "What Kuma made it for: transparent is passthrough, proxy-template-modifications and " \
		    "mesh-proxy-patch are what was added.")
#define MATCH_TAGS(field) \
	{ \
		.name = (field), .type = &listener_tags_type, .offset = offsetof(struct eg_match, listener_tags), \
		.doc = "Tags of the listener. Those of passthrough have none." \
	}

static const struct eg_field cluster_match_fields[] = {MATCH_NAME("cluster"), MATCH_ORIGIN};
const struct eg_schema eg_match_cluster_schema = {EG_SCHEMA_FIELDS(cluster_match_fields)};

static const struct eg_field listener_match_fields[] = {MATCH_NAME("listener"), MATCH_ORIGIN, MATCH_TAGS("tags")};
const struct eg_schema eg_match_listener_schema = {EG_SCHEMA_FIELDS(listener_match_fields)};

static const struct eg_field filter_match_fields[] = {
	MATCH_NAME("filter; that of passthrough is " EG_TCP_PROXY_FILTER),
	MATCH_ORIGIN,
	MATCH_FIELD("listenerName", listener_name, "The whole name of the listener that it is in."),
	MATCH_TAGS("listenerTags"),
};
const struct eg_schema eg_match_filter_schema = {EG_SCHEMA_FIELDS(filter_match_fields)};

static const struct eg_field host_match_fields[] = {
	MATCH_NAME("virtual host"),
	MATCH_ORIGIN,
	{.name = "routeConfigurationName", .doc = "Not read: passthrough has no routes."},
};
const struct eg_schema eg_match_host_schema = {EG_SCHEMA_FIELDS(host_match_fields)};

static int read_match(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		      void *target)
{
	struct eg_match *match = target;

	match->node = node;
	return eg_read_object(reader, node, field->fields, match);
}
const struct eg_type eg_type_match = {"object", read_match};

static bool is_known_origin(const char *origin)
{
	return strcmp(origin, EG_MADE_BY_KUMA) == 0 || strcmp(origin, EG_MADE_BY_TEMPLATE) == 0 ||
	       strcmp(origin, EG_MADE_BY_PATCH) == 0;
}

unsigned int eg_match_families(const struct eg_match *match, const char *name)
{
	if (match->origin && !is_known_origin(match->origin))
		return 0;
	if (match->listener_tags.len > 0)
		return 0;
	return name ? eg_cluster_families(name) : EG_FAMILIES_BOTH;
}

void eg_match_warn(struct eg_reader *reader, const struct eg_yaml_node *node, const struct eg_match *match,
		   const char *what, const char *name)
{
	static const char *const names[] = {"outbound:passthrough:ipv4", "outbound:passthrough:ipv6"};
	const struct eg_yaml_node *place = match->node ? match->node : node;
	const char *meant = name ? eg_suggest(name, names, EG_COUNT_OF(names)) : NULL;
	const size_t before = eg_path_enter(reader, "match");

	if (meant)
		eg_reader_say(reader, EG_SEVERITY_WARNING, place, "matches no passthrough %s; did you mean \"%s\"?",
			      what, meant);
	else
		eg_reader_say(reader, EG_SEVERITY_WARNING, place,
			      "matches no passthrough %s, and egressd has no other: it changes nothing here", what);
	eg_path_leave(reader, before);
}
