/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/kinds.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/suggest.h"
#include "config/envoy.h"
#include "config/tags.h"
#include "policy/cluster.h"

/* Of the clusters and listeners that Kuma makes for passthrough. */
#define PASSTHROUGH_ORIGIN "transparent"

/* --- selectors --- */

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
static const struct eg_schema selector_schema = {EG_SCHEMA_FIELDS(selector_fields)};

static int read_selector(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct eg_proxy_template *template = target;
	struct eg_tags tags = {};
	int r;

	r = eg_read_object(reader, node, &selector_schema, &tags);
	return r < 0 ? r : eg_array_push(&template->selectors, tags);
}

static int read_selectors(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			  void *target)
{
	(void)field;
	return eg_read_list(reader, node, read_selector, target);
}
static const struct eg_type selectors_type = {"list of selectors", read_selectors};

/* --- imports and raw resources --- */

static int check_import(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	static const char *const profiles[] = {"default-proxy", "egress-proxy", "gateway-proxy", "ingress-proxy"};
	const char *text = eg_read_text(reader, node);

	(void)target;
	for (size_t i = 0; text && i < EG_COUNT_OF(profiles); i++)
		if (strcmp(text, profiles[i]) == 0)
			return 0;
	if (text && text[0] == '\0')
		eg_reader_error(reader, node, "cannot be empty");
	else if (text)
		eg_reader_error(reader, node,
				"profile not found. Available profiles: "
				"default-proxy,egress-proxy,gateway-proxy,ingress-proxy");
	return 0;
}

static int read_imports(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			void *target)
{
	(void)field;
	return eg_read_list(reader, node, check_import, target);
}
static const struct eg_type imports_type = {"list of profiles", read_imports};

static int check_nonempty(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			  void *target)
{
	const char *text = eg_read_text(reader, node);

	(void)field;
	(void)target;
	if (text && text[0] == '\0')
		eg_reader_error(reader, node, "cannot be empty");
	return 0;
}
static const struct eg_type nonempty_type = {"text", check_nonempty};

static int read_raw(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		    void *target)
{
	(void)field;
	(void)target;
	return eg_envoy_check_typed(reader, node);
}
static const struct eg_type raw_type = {"YAML in a text", read_raw};

static const struct eg_field resource_fields[] = {
	{.name = "name", .type = &nonempty_type, .missing = "cannot be empty", .doc = "Not read."},
	{.name = "version", .type = &nonempty_type, .missing = "cannot be empty", .doc = "Not read."},
	{.name = "resource", .type = &raw_type, .missing = "cannot be empty", .doc = "Checked for its form."},
};
static const struct eg_schema resource_schema = {EG_SCHEMA_FIELDS(resource_fields)};

static int check_resource(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	return eg_read_object(reader, node, &resource_schema, target);
}

static int read_resources(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			  void *target)
{
	(void)field;
	return eg_read_list(reader, node, check_resource, target);
}
static const struct eg_type resources_type = {"list of resources", read_resources};

/* --- modifications --- */

/* Which resources one is about: all of the kind that agree with what is written here. */
struct match {
	const struct eg_yaml_node *node; /* NULL: it is left out */
	const char *name;
	const char *origin;
	const char *listener_name;
	struct eg_tags listener_tags;
};

/* One of the five kinds of resources that can be modified. */
struct modification {
	struct eg_proxy_template *template;
	const struct eg_yaml_node *operation_node;
	const char *operation;            /* NULL: left out, or no text */
	const struct eg_yaml_node *value; /* NULL: left out */
	struct match match;
};

struct modification_list {
	struct eg_proxy_template *template;
	size_t kinds; /* in the entry at hand; one is right */
};

static const struct eg_type value_type = {"YAML in a text", eg_read_node};

static int read_operation(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			  void *target)
{
	struct modification *modification = target;

	(void)field;
	modification->operation_node = node;
	modification->operation = eg_read_text(reader, node);
	return 0;
}
static const struct eg_type operation_type = {"operation", read_operation};

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
#define MATCH_NAME MATCH_FIELD("name", name, "The whole name.")
#define MATCH_ORIGIN MATCH_FIELD("origin", origin, "What Kuma made it for; transparent is passthrough.")
#define MATCH_TAGS(field) \
	{ \
		.name = (field), .type = &listener_tags_type, .offset = offsetof(struct match, listener_tags), \
		.doc = "Those of passthrough have none." \
	}

static const struct eg_field cluster_match_fields[] = {MATCH_NAME, MATCH_ORIGIN};
static const struct eg_schema cluster_match_schema = {EG_SCHEMA_FIELDS(cluster_match_fields)};

static const struct eg_field listener_match_fields[] = {MATCH_NAME, MATCH_ORIGIN, MATCH_TAGS("tags")};
static const struct eg_schema listener_match_schema = {EG_SCHEMA_FIELDS(listener_match_fields)};

static const struct eg_field filter_match_fields[] = {
	MATCH_NAME,
	MATCH_ORIGIN,
	MATCH_FIELD("listenerName", listener_name, "The whole name of the listener."),
	MATCH_TAGS("listenerTags"),
};
static const struct eg_schema filter_match_schema = {EG_SCHEMA_FIELDS(filter_match_fields)};

static const struct eg_field host_match_fields[] = {
	MATCH_NAME,
	MATCH_ORIGIN,
	{.name = "routeConfigurationName", .doc = "Not read."},
};
static const struct eg_schema host_match_schema = {EG_SCHEMA_FIELDS(host_match_fields)};

static int read_modification_match(struct eg_reader *reader, const struct eg_field *field,
				   const struct eg_yaml_node *node, void *target)
{
	struct match *match = target;

	match->node = node;
	return eg_read_object(reader, node, field->fields, match);
}
static const struct eg_type modification_match_type = {"object", read_modification_match};

#define MODIFICATION_FIELDS(match_schema) \
	{.name = "operation", .type = &operation_type, .doc = "What is done."}, \
		{.name = "match", \
		 .type = &modification_match_type, \
		 .offset = offsetof(struct modification, match), \
		 .fields = &(match_schema), \
		 .fallback = "all", \
		 .doc = "To which resources it is done."}, \
	{ \
		.name = "value", .type = &value_type, .offset = offsetof(struct modification, value), \
		.doc = "The resource, or what is to change of it." \
	}

static const struct eg_field cluster_fields[] = {MODIFICATION_FIELDS(cluster_match_schema)};
static const struct eg_field listener_fields[] = {MODIFICATION_FIELDS(listener_match_schema)};
static const struct eg_field filter_fields[] = {MODIFICATION_FIELDS(filter_match_schema)};
static const struct eg_field host_fields[] = {MODIFICATION_FIELDS(host_match_schema)};

/* --- what they have in common --- */

static bool is_operation(const struct modification *modification, const char *name)
{
	return modification->operation && strcmp(modification->operation, name) == 0;
}

static void refuse_at(struct eg_reader *reader, const struct eg_yaml_node *node, const char *field, const char *what)
{
	const size_t before = eg_path_enter(reader, field);

	eg_reader_error(reader, node, "%s", what);
	eg_path_leave(reader, before);
}

static bool check_operation(struct eg_reader *reader, const struct eg_yaml_node *node,
			    const struct modification *modification, bool is_filter)
{
	static const char *const filters[] = {"addFirst", "addLast", "addBefore", "addAfter", "patch", "remove"};
	static const char *const others[] = {"add", "patch", "remove"};
	const char *const *names = is_filter ? filters : others;
	size_t count = is_filter ? EG_COUNT_OF(filters) : EG_COUNT_OF(others);

	for (size_t i = 0; i < count; i++)
		if (is_operation(modification, names[i]))
			return true;
	/* What is no text has its finding. */
	if (modification->operation || !modification->operation_node)
		refuse_at(reader, modification->operation_node ? modification->operation_node : node, "operation",
			  is_filter ? "invalid operation. Available operations: \"addFirst\", \"addLast\", "
				      "\"addBefore\", \"addAfter\", \"patch\", \"remove\""
				    : "invalid operation. Available operations: \"add\", \"patch\", \"remove\"");
	return false;
}

static bool is_adding(const struct modification *modification)
{
	return modification->operation && strncmp(modification->operation, "add", strlen("add")) == 0;
}

/* Whether there is a value to read. A patch without one changes nothing, as in Kuma. */
static bool has_value(struct eg_reader *reader, const struct eg_yaml_node *node,
		      const struct modification *modification)
{
	const struct eg_yaml_node *value = modification->value;

	if (value && (value->kind != EG_YAML_SCALAR || value->text[0] != '\0'))
		return !is_operation(modification, "remove");
	if (is_adding(modification))
		refuse_at(reader, value ? value : node, "value", "native Envoy resource is not valid: it is empty");
	return false;
}

/* Reads the value, whatever it is of, for its form alone. */
static int check_value(struct eg_reader *reader, const struct eg_yaml_node *node,
		       const struct modification *modification)
{
	size_t before;
	int r;

	if (!has_value(reader, node, modification))
		return 0;
	before = eg_path_enter(reader, "value");
	r = eg_envoy_check(reader, modification->value);
	eg_path_leave(reader, before);
	return r;
}

/* The cluster or listener of which families a match speaks of. */
static unsigned int match_families(const struct match *match, const char *name)
{
	if (match->origin && strcmp(match->origin, PASSTHROUGH_ORIGIN) != 0)
		return 0;
	if (match->listener_tags.len > 0)
		return 0;
	return name ? eg_cluster_families(name) : EG_FAMILIES_BOTH;
}

static void warn_no_match(struct eg_reader *reader, const struct eg_yaml_node *node,
			  const struct modification *modification, const char *what, const char *name)
{
	static const char *const names[] = {"outbound:passthrough:ipv4", "outbound:passthrough:ipv6"};
	const struct eg_yaml_node *place = modification->match.node ? modification->match.node : node;
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

/* What is about other clusters and listeners is forgotten. */
static int push(struct eg_reader *reader, const struct eg_yaml_node *node, struct eg_proxy_template *template,
		struct eg_modification modification)
{
	if (modification.families == 0)
		return 0;
	modification.origin = eg_reader_origin(reader, node);
	return eg_array_push(&template->modifications, modification);
}

/* --- cluster --- */

static int read_cluster_value(struct eg_reader *reader, const struct eg_yaml_node *node,
			      const struct modification *modification, struct eg_envoy_value *value)
{
	size_t before;
	int r;

	if (!has_value(reader, node, modification))
		return 0;
	before = eg_path_enter(reader, "value");
	r = eg_envoy_read_cluster(reader, modification->value, value);
	eg_path_leave(reader, before);
	return r;
}

static int add_cluster(struct eg_reader *reader, const struct eg_yaml_node *node,
		       const struct modification *modification)
{
	struct eg_envoy_value value = {.is_complete = true};
	int r;

	if (modification->match.node)
		refuse_at(reader, modification->match.node, "match", "cannot be defined");
	r = read_cluster_value(reader, node, modification, &value);
	if (r < 0)
		return r;
	return push(reader, node, modification->template,
		    (struct eg_modification){.change = EG_CHANGE_ADD,
					     .what = EG_CHANGED_CLUSTER,
					     .families = value.name ? eg_cluster_families(value.name) : 0,
					     .settings = value.settings});
}

static int change_cluster(struct eg_reader *reader, const struct eg_yaml_node *node,
			  const struct modification *modification)
{
	unsigned int families = match_families(&modification->match, modification->match.name);
	struct eg_envoy_value value = {.is_ours = families != 0};
	int r;

	if (families == 0)
		warn_no_match(reader, node, modification, "cluster", modification->match.name);
	r = read_cluster_value(reader, node, modification, &value);
	if (r < 0)
		return r;
	return push(reader, node, modification->template,
		    (struct eg_modification){.change = is_operation(modification, "patch") ? EG_CHANGE_PATCH
											   : EG_CHANGE_REMOVE,
					     .what = EG_CHANGED_CLUSTER,
					     .families = families,
					     .settings = value.settings});
}

static int finish_cluster(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct modification *modification = target;

	if (!check_operation(reader, node, modification, false))
		return check_value(reader, node, modification);
	if (is_operation(modification, "add"))
		return add_cluster(reader, node, modification);
	return change_cluster(reader, node, modification);
}
static const struct eg_schema cluster_schema = {EG_SCHEMA_FIELDS(cluster_fields), .finish = finish_cluster};

/* --- listener --- */

/* A listener can only be taken away: what else it has is Envoy's own. */
static int change_listener(struct eg_reader *reader, const struct eg_yaml_node *node,
			   const struct modification *modification)
{
	unsigned int families = match_families(&modification->match, modification->match.name);
	int r = check_value(reader, node, modification);

	if (r < 0)
		return r;
	if (is_operation(modification, "remove"))
		return push(reader, node, modification->template,
			    (struct eg_modification){
				    .change = EG_CHANGE_REMOVE, .what = EG_CHANGED_LISTENER, .families = families});
	if (families != 0)
		eg_reader_say(reader, EG_SEVERITY_NOTE, node, "has no effect: there is no proxy that listens");
	return 0;
}

static int finish_listener(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct modification *modification = target;

	if (!check_operation(reader, node, modification, false))
		return check_value(reader, node, modification);
	if (!is_operation(modification, "add"))
		return change_listener(reader, node, modification);
	if (modification->match.node)
		refuse_at(reader, modification->match.node, "match", "cannot be defined");
	return check_value(reader, node, modification);
}
static const struct eg_schema listener_schema = {EG_SCHEMA_FIELDS(listener_fields), .finish = finish_listener};

/* --- filters --- */

static void check_filter_name(struct eg_reader *reader, const struct eg_yaml_node *node,
			      const struct modification *modification)
{
	const struct eg_yaml_node *place = modification->match.node ? modification->match.node : node;
	const size_t before = eg_path_enter(reader, "match");

	if (modification->match.name && modification->match.name[0] != '\0')
		;
	else if (is_operation(modification, "patch"))
		refuse_at(reader, place, "name", "cannot be empty");
	else if (is_operation(modification, "addBefore"))
		refuse_at(reader, place, "name",
			  "cannot be empty. You need to pick a filter before which this one will be added");
	else if (is_operation(modification, "addAfter"))
		refuse_at(reader, place, "name",
			  "cannot be empty. You need to pick a filter after which this one will be added");
	eg_path_leave(reader, before);
}

static int patch_tcp_proxy(struct eg_reader *reader, const struct eg_yaml_node *node,
			   const struct modification *modification)
{
	unsigned int families = match_families(&modification->match, modification->match.listener_name);
	struct eg_envoy_value value = {.is_ours = families != 0};
	size_t before;
	int r;

	if (families == 0)
		warn_no_match(reader, node, modification, "listener", modification->match.listener_name);
	if (!has_value(reader, node, modification))
		return 0;
	before = eg_path_enter(reader, "value");
	r = eg_envoy_read_filter(reader, modification->value, &value);
	eg_path_leave(reader, before);
	if (r < 0)
		return r;
	return push(reader, node, modification->template,
		    (struct eg_modification){.change = EG_CHANGE_PATCH,
					     .what = EG_CHANGED_LISTENER,
					     .families = families,
					     .settings = value.settings});
}

/* Without the TCP proxy the listener closes whatever comes. */
static int remove_tcp_proxy(struct eg_reader *reader, const struct eg_yaml_node *node,
			    const struct modification *modification)
{
	return push(reader, node, modification->template,
		    (struct eg_modification){
			    .change = EG_CHANGE_REMOVE,
			    .what = EG_CHANGED_LISTENER,
			    .families = match_families(&modification->match, modification->match.listener_name)});
}

/* The one filter that passthrough listeners have. */
static bool is_tcp_proxy(const struct match *match)
{
	return !match->name || strcmp(match->name, EG_TCP_PROXY_FILTER) == 0;
}

static int change_network_filter(struct eg_reader *reader, const struct eg_yaml_node *node,
				 const struct modification *modification)
{
	int r;

	if (is_tcp_proxy(&modification->match) && is_operation(modification, "patch"))
		return patch_tcp_proxy(reader, node, modification);
	if (is_tcp_proxy(&modification->match) && is_operation(modification, "remove"))
		return remove_tcp_proxy(reader, node, modification);
	r = check_value(reader, node, modification);
	if (r == 0 && match_families(&modification->match, modification->match.listener_name) != 0)
		eg_reader_say(reader, EG_SEVERITY_NOTE, node, "has no effect: of filters there is tcp_proxy alone");
	return r;
}

static int finish_network_filter(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct modification *modification = target;

	if (!check_operation(reader, node, modification, true))
		return check_value(reader, node, modification);
	check_filter_name(reader, node, modification);
	return change_network_filter(reader, node, modification);
}
static const struct eg_schema network_filter_schema = {EG_SCHEMA_FIELDS(filter_fields),
						       .finish = finish_network_filter};

/* --- HTTP, which passthrough has none of --- */

static int finish_http_filter(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct modification *modification = target;

	if (check_operation(reader, node, modification, true))
		check_filter_name(reader, node, modification);
	return check_value(reader, node, modification);
}
static const struct eg_schema http_filter_schema = {EG_SCHEMA_FIELDS(filter_fields), .finish = finish_http_filter};

static int finish_virtual_host(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct modification *modification = target;
	size_t before;

	check_operation(reader, node, modification, false);
	if (is_operation(modification, "add") && modification->match.name) {
		before = eg_path_enter(reader, "match");
		refuse_at(reader, modification->match.node, "name", "cannot be defined");
		eg_path_leave(reader, before);
	}
	return check_value(reader, node, modification);
}
static const struct eg_schema virtual_host_schema = {EG_SCHEMA_FIELDS(host_fields), .finish = finish_virtual_host};

/* --- the document --- */

static int read_changed(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			void *target)
{
	struct modification_list *list = target;
	struct modification modification = {.template = list->template};

	list->kinds++;
	return eg_read_object(reader, node, field->fields, &modification);
}
static const struct eg_type changed_type = {"object", read_changed};

static const struct eg_field modification_fields[] = {
	{.name = "cluster", .type = &changed_type, .fields = &cluster_schema, .doc = "See its fields."},
	{.name = "listener", .type = &changed_type, .fields = &listener_schema, .doc = "Of these only remove acts."},
	{.name = "networkFilter",
	 .type = &changed_type,
	 .fields = &network_filter_schema,
	 .doc = "Of these only those of tcp_proxy act."},
	{.name = "httpFilter", .type = &changed_type, .fields = &http_filter_schema, .doc = "Checked for its form."},
	{.name = "virtualHost", .type = &changed_type, .fields = &virtual_host_schema, .doc = "Checked for its form."},
};
static const struct eg_schema modification_schema = {EG_SCHEMA_FIELDS(modification_fields)};

static int read_modification(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct modification_list *list = target;
	int r;

	list->kinds = 0;
	r = eg_read_object(reader, node, &modification_schema, list);
	if (r == 0 && node->kind == EG_YAML_MAPPING && list->kinds != 1)
		eg_reader_error(reader, node,
				"must have exactly one of cluster, listener, networkFilter, httpFilter and "
				"virtualHost");
	return r;
}

static int read_modifications(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			      void *target)
{
	struct modification_list list = {.template = target};

	(void)field;
	return eg_read_list(reader, node, read_modification, &list);
}
static const struct eg_type modifications_type = {"list of modifications", read_modifications};

static const struct eg_field conf_fields[] = {
	{.name = "imports", .type = &imports_type, .doc = "Checked; the passthrough clusters are always there."},
	{.name = "resources", .type = &resources_type, .fields = &resource_schema, .doc = "Checked for their form."},
	{.name = "modifications",
	 .type = &modifications_type,
	 .fields = &modification_schema,
	 .doc = "Applied in their order."},
};
static const struct eg_schema conf_schema = {EG_SCHEMA_FIELDS(conf_fields)};

static const struct eg_field template_fields[] = {
	{.name = "selectors",
	 .type = &selectors_type,
	 .fields = &selector_schema,
	 .fallback = "every workload of the mesh",
	 .doc = "Which workloads it is for: one of them must match."},
	{.name = "conf", .type = &eg_type_object, .fields = &conf_schema, .doc = "See its fields."},
};
const struct eg_schema eg_proxy_template_schema = {
	.name = "ProxyTemplate",
	.doc = "Changes of what Kuma generates for a proxy. Of those that select a workload one applies.",
	EG_SCHEMA_FIELDS(template_fields),
};

int eg_proxy_template_read(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	struct eg_proxy_template *template = eg_arena_alloc(&reader->model->arena, sizeof(*template));
	int r;

	if (!template)
		return -ENOMEM;
	template->name = envelope->name;
	template->mesh = envelope->mesh;
	template->origin = envelope->origin;
	template->mesh_origin = envelope->mesh_origin;
	template->created_us = envelope->created_us;
	/* From here on the model frees what its lists hold. */
	r = eg_array_push(&reader->model->templates, template);
	if (r < 0)
		return r;
	return eg_read_object(reader, envelope->spec, &eg_proxy_template_schema, template);
}
