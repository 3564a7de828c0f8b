/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/modification.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/suggest.h"
#include "config/envoy.h"
#include "config/tags.h"
#include "policy/cluster.h"

/* The words in which the two kinds differ. */
struct dialect {
	const char *operations;        /* of clusters, listeners and virtual hosts */
	const char *filter_operations; /* of filters */
	const char *is_defined;        /* of what must not be there */
	const char *no_value;          /* of what is to be added */
	const char *no_name;           /* of the filter that is to be patched */
	const char *no_name_before;
	const char *no_name_after;
	const char *made_by; /* the origin of what it adds */
};

#define INVALID "invalid operation. Available operations: "
#define PICK(where) "You need to pick a filter " where " which this one will be added"

static const struct dialect template_dialect = {
	.operations = INVALID "\"add\", \"patch\", \"remove\"",
	.filter_operations = INVALID "\"addFirst\", \"addLast\", \"addBefore\", \"addAfter\", \"patch\", \"remove\"",
	.is_defined = "cannot be defined",
	.no_value = "native Envoy resource is not valid: it is empty",
	.no_name = "cannot be empty",
	.no_name_before = "cannot be empty. " PICK("before"),
	.no_name_after = "cannot be empty. " PICK("after"),
	.made_by = EG_MADE_BY_TEMPLATE,
};

/* Which resources one is about: all of the kind that agree with what is written here. */
struct match {
	const struct eg_yaml_node *node; /* NULL: it is left out */
	const char *name;
	const char *origin;
	const char *listener_name;
	struct eg_tags listener_tags;
};

enum operation {
	OPERATION_NONE, /* none that there is */
	OPERATION_ADD,
	OPERATION_ADD_FIRST,
	OPERATION_ADD_LAST,
	OPERATION_ADD_BEFORE,
	OPERATION_ADD_AFTER,
	OPERATION_PATCH,
	OPERATION_REMOVE,
};

/* What is modified: one of five kinds of resources. */
struct change {
	const struct dialect *dialect;
	struct eg_modifications *modifications;
	const struct eg_yaml_node *operation_node;
	enum operation operation;
	const struct eg_yaml_node *value; /* NULL: left out */
	struct match match;
};

/* One item of the list. */
struct item {
	const struct dialect *dialect;
	struct eg_modifications *modifications;
	size_t kinds; /* one is right */
};

/* --- fields --- */

static const struct eg_type value_type = {"YAML in a text", eg_read_node};
static const struct eg_type operation_type = {"operation", eg_read_node};

static int read_listener_tags(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			      void *target)
{
	(void)field;
	return eg_read_selector(reader, node, target);
}
static const struct eg_type listener_tags_type = {"mapping of tags", read_listener_tags};

#define MATCH_FIELD(field, member, text) \
	{ \
		.name = (field), .type = &eg_type_string, .offset = offsetof(struct match, member), .doc = (text) \
	}
#define MATCH_NAME(of) MATCH_FIELD("name", name, "The whole name of the " of ".")
#define MATCH_ORIGIN \
	MATCH_FIELD("origin", origin, \
		    "What Kuma made it for: transparent is passthrough, proxy-template-modifications and " \
		    "mesh-proxy-patch are what was added.")
#define MATCH_TAGS(field) \
	{ \
		.name = (field), .type = &listener_tags_type, .offset = offsetof(struct match, listener_tags), \
		.doc = "Tags of the listener. Those of passthrough have none." \
	}

static const struct eg_field cluster_match_fields[] = {MATCH_NAME("cluster"), MATCH_ORIGIN};
static const struct eg_schema cluster_match_schema = {EG_SCHEMA_FIELDS(cluster_match_fields)};

static const struct eg_field listener_match_fields[] = {MATCH_NAME("listener"), MATCH_ORIGIN, MATCH_TAGS("tags")};
static const struct eg_schema listener_match_schema = {EG_SCHEMA_FIELDS(listener_match_fields)};

static const struct eg_field filter_match_fields[] = {
	MATCH_NAME("filter; that of passthrough is " EG_TCP_PROXY_FILTER),
	MATCH_ORIGIN,
	MATCH_FIELD("listenerName", listener_name, "The whole name of the listener that it is in."),
	MATCH_TAGS("listenerTags"),
};
static const struct eg_schema filter_match_schema = {EG_SCHEMA_FIELDS(filter_match_fields)};

static const struct eg_field host_match_fields[] = {
	MATCH_NAME("virtual host"),
	MATCH_ORIGIN,
	{.name = "routeConfigurationName", .doc = "Not read: passthrough has no routes."},
};
static const struct eg_schema host_match_schema = {EG_SCHEMA_FIELDS(host_match_fields)};

static int read_match(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		      void *target)
{
	struct match *match = target;

	match->node = node;
	return eg_read_object(reader, node, field->fields, match);
}
static const struct eg_type match_type = {"object", read_match};

#define CHANGE_FIELDS(match_schema, operations) \
	{.name = "operation", \
	 .type = &operation_type, \
	 .offset = offsetof(struct change, operation_node), \
	 .doc = "What is done: " operations "."}, \
		{.name = "match", \
		 .type = &match_type, \
		 .offset = offsetof(struct change, match), \
		 .fields = &(match_schema), \
		 .fallback = "all there are", \
		 .doc = "To which it is done: those that agree with all that is written in it."}, \
	{ \
		.name = "value", .type = &value_type, .offset = offsetof(struct change, value), \
		.doc = "The whole resource, or of a patch what it is to change." \
	}

#define OPERATIONS "add, remove or patch"
#define FILTER_OPERATIONS "addFirst, addLast, addBefore, addAfter, remove or patch"

static const struct eg_field cluster_fields[] = {CHANGE_FIELDS(cluster_match_schema, OPERATIONS)};
static const struct eg_field listener_fields[] = {CHANGE_FIELDS(listener_match_schema, OPERATIONS)};
static const struct eg_field filter_fields[] = {CHANGE_FIELDS(filter_match_schema, FILTER_OPERATIONS)};
static const struct eg_field host_fields[] = {CHANGE_FIELDS(host_match_schema, OPERATIONS)};

/* --- what they have in common --- */

static void refuse_at(struct eg_reader *reader, const struct eg_yaml_node *node, const char *field, const char *what)
{
	const size_t before = eg_path_enter(reader, field);

	eg_reader_error(reader, node, "%s", what);
	eg_path_leave(reader, before);
}

static enum operation find_operation(const char *text, bool is_filter)
{
	static const struct {
		const char *name;
		enum operation operation;
		bool is_of_filters, is_of_others;
	} operations[] = {
		{"add", OPERATION_ADD, false, true},
		{"addFirst", OPERATION_ADD_FIRST, true, false},
		{"addLast", OPERATION_ADD_LAST, true, false},
		{"addBefore", OPERATION_ADD_BEFORE, true, false},
		{"addAfter", OPERATION_ADD_AFTER, true, false},
		{"patch", OPERATION_PATCH, true, true},
		{"remove", OPERATION_REMOVE, true, true},
	};

	for (size_t i = 0; i < EG_COUNT_OF(operations); i++)
		if (strcmp(text, operations[i].name) == 0 &&
		    (is_filter ? operations[i].is_of_filters : operations[i].is_of_others))
			return operations[i].operation;
	return OPERATION_NONE;
}

/* False, with a finding, when it is none. */
static bool read_operation(struct eg_reader *reader, const struct eg_yaml_node *node, struct change *change,
			   bool is_filter)
{
	const struct eg_yaml_node *place = change->operation_node ? change->operation_node : node;
	const char *text = NULL;
	size_t before;

	if (change->operation_node) {
		before = eg_path_enter(reader, "operation");
		text = eg_read_text(reader, change->operation_node);
		eg_path_leave(reader, before);
		if (!text)
			return false;
	}
	change->operation = text ? find_operation(text, is_filter) : OPERATION_NONE;
	if (change->operation == OPERATION_NONE)
		refuse_at(reader, place, "operation",
			  is_filter ? change->dialect->filter_operations : change->dialect->operations);
	return change->operation != OPERATION_NONE;
}

static bool is_adding(const struct change *change)
{
	return change->operation >= OPERATION_ADD && change->operation <= OPERATION_ADD_AFTER;
}

/* Whether there is a value to read. */
static bool has_value(struct eg_reader *reader, const struct eg_yaml_node *node, const struct change *change)
{
	const struct eg_yaml_node *value = change->value;

	if (value && (value->kind != EG_YAML_SCALAR || value->text[0] != '\0'))
		return change->operation != OPERATION_REMOVE;
	if (is_adding(change))
		refuse_at(reader, value ? value : node, "value", change->dialect->no_value);
	else if (change->operation == OPERATION_PATCH)
		eg_reader_say(reader, EG_SEVERITY_WARNING, value ? value : node, "changes nothing: it has no value");
	return false;
}

static int read_value(struct eg_reader *reader, const struct eg_yaml_node *node, const struct change *change,
		      int (*read)(struct eg_reader *reader, const struct eg_yaml_node *text,
				  struct eg_envoy_value *value),
		      struct eg_envoy_value *value)
{
	size_t before;
	int r;

	if (!has_value(reader, node, change))
		return 0;
	before = eg_path_enter(reader, "value");
	r = read(reader, change->value, value);
	eg_path_leave(reader, before);
	return r;
}

static int check_form(struct eg_reader *reader, const struct eg_yaml_node *text, struct eg_envoy_value *value)
{
	(void)value;
	return eg_envoy_check(reader, text);
}

/* Reads the value, whatever it is of, for its form alone. */
static int check_value(struct eg_reader *reader, const struct eg_yaml_node *node, const struct change *change)
{
	return read_value(reader, node, change, check_form, NULL);
}

static bool is_known_origin(const char *origin)
{
	return strcmp(origin, EG_MADE_BY_KUMA) == 0 || strcmp(origin, EG_MADE_BY_TEMPLATE) == 0 ||
	       strcmp(origin, EG_MADE_BY_PATCH) == 0;
}

/* The cluster or listener of which families a match speaks of; `name` is its name. */
static unsigned int match_families(const struct match *match, const char *name)
{
	if (match->origin && !is_known_origin(match->origin))
		return 0;
	if (match->listener_tags.len > 0)
		return 0;
	return name ? eg_cluster_families(name) : EG_FAMILIES_BOTH;
}

static void warn_no_match(struct eg_reader *reader, const struct eg_yaml_node *node, const struct change *change,
			  const char *what, const char *name)
{
	static const char *const names[] = {"outbound:passthrough:ipv4", "outbound:passthrough:ipv6"};
	const struct eg_yaml_node *place = change->match.node ? change->match.node : node;
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

static enum eg_change change_of(const struct change *change)
{
	if (change->operation == OPERATION_PATCH)
		return EG_CHANGE_PATCH;
	return change->operation == OPERATION_REMOVE ? EG_CHANGE_REMOVE : EG_CHANGE_ADD;
}

static int push(struct eg_reader *reader, const struct eg_yaml_node *node, const struct change *change,
		enum eg_changed what, const struct eg_envoy_value *value)
{
	struct eg_modification modification = {
		.change = change_of(change),
		.what = what,
		.families = value->families,
		.made_by = change->match.origin,
		.adds_as = change->dialect->made_by,
		.value = value->tree,
		.origin = eg_reader_origin(reader, node),
	};
	int r = eg_read_copy(reader, reader->path, &modification.path);

	return r < 0 ? r : eg_array_push(&change->modifications->list, modification);
}

static void refuse_match(struct eg_reader *reader, const struct change *change)
{
	if (change->match.node)
		refuse_at(reader, change->match.node, "match", change->dialect->is_defined);
}

/* --- cluster --- */

static int finish_cluster(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct change *change = target;
	struct eg_envoy_value value = {};
	int r;

	if (!read_operation(reader, node, change, false))
		return check_value(reader, node, change);
	value.is_whole = is_adding(change);
	if (value.is_whole)
		refuse_match(reader, change);
	else
		value.families = match_families(&change->match, change->match.name);
	if (!value.is_whole && value.families == 0)
		warn_no_match(reader, node, change, "cluster", change->match.name);
	r = read_value(reader, node, change, eg_envoy_read_cluster, &value);
	if (r < 0)
		return r;
	/* Kuma lets people add clusters of their own, which nothing leads to here. */
	if (value.is_whole && value.families == 0)
		return 0;
	return push(reader, node, change, EG_CHANGED_CLUSTER, &value);
}
static const struct eg_schema cluster_schema = {EG_SCHEMA_FIELDS(cluster_fields), .finish = finish_cluster};

/* --- listener --- */

static int add_listener(struct eg_reader *reader, const struct eg_yaml_node *node, const struct change *change)
{
	struct eg_envoy_value value = {.is_whole = true};
	int r;

	refuse_match(reader, change);
	r = read_value(reader, node, change, eg_envoy_read_listener, &value);
	if (r < 0 || value.families == 0)
		return r;
	if (!value.tree)
		eg_reader_say(reader, EG_SEVERITY_WARNING, node,
			      "the listener has no " EG_TCP_PROXY_FILTER ": nothing leaves by it");
	return push(reader, node, change, EG_CHANGED_LISTENER, &value);
}

/* What else a listener has is Envoy's own. */
static int finish_listener(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct change *change = target;
	struct eg_envoy_value value = {};
	int r;

	if (!read_operation(reader, node, change, false))
		return check_value(reader, node, change);
	if (is_adding(change))
		return add_listener(reader, node, change);
	value.families = match_families(&change->match, change->match.name);
	if (value.families == 0)
		warn_no_match(reader, node, change, "listener", change->match.name);
	r = check_value(reader, node, change);
	if (r < 0 || change->operation == OPERATION_REMOVE)
		return r < 0 ? r : push(reader, node, change, EG_CHANGED_LISTENER, &value);
	if (value.families != 0)
		eg_reader_say(reader, EG_SEVERITY_NOTE, node, "has no effect: there is no proxy that listens");
	return 0;
}
static const struct eg_schema listener_schema = {EG_SCHEMA_FIELDS(listener_fields), .finish = finish_listener};

/* --- filters --- */

static void check_filter_name(struct eg_reader *reader, const struct eg_yaml_node *node, const struct change *change)
{
	const struct eg_yaml_node *place = change->match.node ? change->match.node : node;
	const size_t before = eg_path_enter(reader, "match");

	if (change->match.name && change->match.name[0] != '\0')
		;
	else if (change->operation == OPERATION_PATCH)
		refuse_at(reader, place, "name", change->dialect->no_name);
	else if (change->operation == OPERATION_ADD_BEFORE)
		refuse_at(reader, place, "name", change->dialect->no_name_before);
	else if (change->operation == OPERATION_ADD_AFTER)
		refuse_at(reader, place, "name", change->dialect->no_name_after);
	eg_path_leave(reader, before);
}

/* The one filter that passthrough listeners have. */
static bool is_tcp_proxy(const char *name)
{
	return !name || strcmp(name, EG_TCP_PROXY_FILTER) == 0;
}

/* `families` are of the listener. */
static int change_tcp_proxy(struct eg_reader *reader, const struct eg_yaml_node *node, const struct change *change,
			    unsigned int families)
{
	struct eg_envoy_value value = {.families = families};
	int r = read_value(reader, node, change, eg_envoy_read_filter, &value);

	if (r < 0)
		return r;
	if (families == 0)
		warn_no_match(reader, node, change, "listener", change->match.listener_name);
	return push(reader, node, change, EG_CHANGED_TCP_PROXY, &value);
}

/* Of what kind a filter is that is added says its name. */
static bool adds_tcp_proxy(const struct change *change)
{
	if (change->operation != OPERATION_ADD_FIRST && change->operation != OPERATION_ADD_LAST)
		return false;
	return change->value && change->value->kind == EG_YAML_SCALAR && strstr(change->value->text, EG_TCP_PROXY_FILTER);
}

static int finish_network_filter(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct change *change = target;
	unsigned int families;
	int r;

	if (!read_operation(reader, node, change, true))
		return check_value(reader, node, change);
	check_filter_name(reader, node, change);
	families = match_families(&change->match, change->match.listener_name);
	if (is_adding(change) ? families && adds_tcp_proxy(change) : is_tcp_proxy(change->match.name))
		return change_tcp_proxy(reader, node, change, families);
	r = check_value(reader, node, change);
	if (r == 0 && families != 0)
		eg_reader_say(reader, EG_SEVERITY_NOTE, node, "has no effect: of filters there is tcp_proxy alone");
	return r;
}
static const struct eg_schema network_filter_schema = {EG_SCHEMA_FIELDS(filter_fields),
						       .finish = finish_network_filter};

/* --- HTTP, which passthrough has none of --- */

static int finish_http_filter(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct change *change = target;

	if (read_operation(reader, node, change, true))
		check_filter_name(reader, node, change);
	return check_value(reader, node, change);
}
static const struct eg_schema http_filter_schema = {EG_SCHEMA_FIELDS(filter_fields), .finish = finish_http_filter};

static int finish_virtual_host(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct change *change = target;
	size_t before;

	read_operation(reader, node, change, false);
	if (is_adding(change) && change->match.name) {
		before = eg_path_enter(reader, "match");
		refuse_at(reader, change->match.node, "name", change->dialect->is_defined);
		eg_path_leave(reader, before);
	}
	return check_value(reader, node, change);
}
static const struct eg_schema virtual_host_schema = {EG_SCHEMA_FIELDS(host_fields), .finish = finish_virtual_host};

/* --- the list --- */

static int read_change(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		       void *target)
{
	struct item *item = target;
	struct change change = {.dialect = item->dialect, .modifications = item->modifications};

	item->kinds++;
	return eg_read_object(reader, node, field->fields, &change);
}
static const struct eg_type change_type = {"object", read_change};

#define CHANGE(field, schema, text) \
	{ \
		.name = (field), .type = &change_type, .fields = &(schema), .doc = (text) \
	}
#define CLUSTER_DOC "A modification of clusters: their limits and connectTimeout, or that they are there."
#define LISTENER_DOC "A modification of listeners. A patch of one has no effect: nothing listens here."
#define NETWORK_FILTER_DOC "A modification of filters in listeners. Only the TcpProxy of passthrough has an effect."
#define HTTP_FILTER_DOC "Checked for its form: passthrough has no HTTP."
#define VIRTUAL_HOST_DOC "Checked for its form: passthrough has no HTTP."

static const struct eg_field template_fields[] = {
	CHANGE("cluster", cluster_schema, CLUSTER_DOC),
	CHANGE("listener", listener_schema, LISTENER_DOC),
	CHANGE("networkFilter", network_filter_schema, NETWORK_FILTER_DOC),
	CHANGE("httpFilter", http_filter_schema, HTTP_FILTER_DOC),
	CHANGE("virtualHost", virtual_host_schema, VIRTUAL_HOST_DOC),
};
const struct eg_schema eg_template_modification_schema = {EG_SCHEMA_FIELDS(template_fields)};

static int read_template_item(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct item *item = target;
	int r;

	item->kinds = 0;
	r = eg_read_object(reader, node, &eg_template_modification_schema, item);
	if (r == 0 && node->kind == EG_YAML_MAPPING && item->kinds != 1)
		eg_reader_error(reader, node,
				"must have exactly one of cluster, listener, networkFilter, httpFilter and virtualHost");
	return r;
}

int eg_template_modifications_read(struct eg_reader *reader, const struct eg_yaml_node *node,
				   struct eg_modifications *modifications)
{
	struct item item = {.dialect = &template_dialect, .modifications = modifications};

	return eg_read_list(reader, node, read_template_item, &item);
}
