/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/modification.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/envoy.h"
#include "config/jsonpatch.h"
#include "config/match.h"
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
	bool is_newer;       /* a MeshProxyPatch: operations begin with a capital, and there are patches in JSON */
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

static const struct dialect patch_dialect = {
	.operations = INVALID "\"Add\", \"Patch\", \"Remove\"",
	.filter_operations = INVALID "\"AddFirst\", \"AddLast\", \"AddBefore\", \"AddAfter\", \"Patch\", \"Remove\"",
	.is_defined = "must not be defined",
	.no_value = "must be defined",
	.no_name = "must be defined",
	.no_name_before = "must be defined. " PICK("before"),
	.no_name_after = "must be defined. " PICK("after"),
	.made_by = EG_MADE_BY_PATCH,
	.is_newer = true,
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
	const struct eg_yaml_node *value;        /* NULL: left out */
	const struct eg_yaml_node *json_patches; /* the same; never of a ProxyTemplate */
	struct eg_match match;
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

#define CHANGE_FIELDS(match_schema, operations) \
	{.name = "operation", \
	 .type = &operation_type, \
	 .offset = offsetof(struct change, operation_node), \
	 .doc = "What is done: " operations "."}, \
		{.name = "match", \
		 .type = &eg_type_match, \
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

static const struct eg_field cluster_fields[] = {CHANGE_FIELDS(eg_match_cluster_schema, OPERATIONS)};
static const struct eg_field listener_fields[] = {CHANGE_FIELDS(eg_match_listener_schema, OPERATIONS)};
static const struct eg_field filter_fields[] = {CHANGE_FIELDS(eg_match_filter_schema, FILTER_OPERATIONS)};
static const struct eg_field host_fields[] = {CHANGE_FIELDS(eg_match_host_schema, OPERATIONS)};

/* The same of a MeshProxyPatch. */
static const struct eg_type json_patches_type = {"list of JSON patches", eg_read_node};

#define NEWER_FIELDS(match_schema, operations) \
	CHANGE_FIELDS(match_schema, operations), \
	{ \
		.name = "jsonPatches", .type = &json_patches_type, .offset = offsetof(struct change, json_patches), \
		.fields = &eg_json_patch_schema, \
		.doc = "In place of a value: patches of what Kuma generates, one after the other." \
	}

#define NEWER_OPERATIONS "Add, Remove or Patch"
#define NEWER_FILTER_OPERATIONS "AddFirst, AddLast, AddBefore, AddAfter, Remove or Patch"

static const struct eg_field newer_cluster_fields[] = {NEWER_FIELDS(eg_match_cluster_schema, NEWER_OPERATIONS)};
static const struct eg_field newer_listener_fields[] = {NEWER_FIELDS(eg_match_listener_schema, NEWER_OPERATIONS)};
static const struct eg_field newer_filter_fields[] = {NEWER_FIELDS(eg_match_filter_schema, NEWER_FILTER_OPERATIONS)};
static const struct eg_field newer_host_fields[] = {NEWER_FIELDS(eg_match_host_schema, NEWER_OPERATIONS)};

/* --- what they have in common --- */

/* addFirst is AddFirst in a MeshProxyPatch. */
static bool is_operation(const char *text, const char *name, bool is_newer)
{
	const char first = is_newer ? (char)toupper((unsigned char)name[0]) : name[0];

	return text[0] == first && strcmp(text + 1, name + 1) == 0;
}

static enum operation find_operation(const char *text, bool is_filter, bool is_newer)
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
		if (is_operation(text, operations[i].name, is_newer) &&
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
	change->operation = text ? find_operation(text, is_filter, change->dialect->is_newer) : OPERATION_NONE;
	if (change->operation == OPERATION_NONE)
		eg_reader_error_at(reader, place, "operation", "%s",
				   is_filter ? change->dialect->filter_operations : change->dialect->operations);
	return change->operation != OPERATION_NONE;
}

static bool is_adding(const struct change *change)
{
	return change->operation >= OPERATION_ADD && change->operation <= OPERATION_ADD_AFTER;
}

static bool has_json_patches(const struct change *change)
{
	const struct eg_yaml_node *list = change->json_patches;

	return list && (list->kind != EG_YAML_SEQUENCE || list->count > 0);
}

static const char *last_part(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot ? dot + 1 : path;
}

/* Of a MeshProxyPatch, whose patches have a value or patches in JSON, and nothing else has these. */
static bool check_contents(struct eg_reader *reader, const struct eg_yaml_node *node, const struct change *change)
{
	const char *kind = last_part(reader->path);

	if (!change->dialect->is_newer)
		return true;
	if (change->operation == OPERATION_REMOVE && change->value)
		eg_reader_error_at(reader, change->value, "value", "%s", change->dialect->is_defined);
	else if (change->operation == OPERATION_PATCH && change->value && has_json_patches(change))
		eg_reader_error(reader, node, "%s must have only one type defined: value, jsonPatches", kind);
	else if (change->operation == OPERATION_PATCH && !change->value && !has_json_patches(change))
		eg_reader_error(reader, node, "%s must have exactly one defined: value, jsonPatches", kind);
	else if (change->operation != OPERATION_PATCH && change->operation != OPERATION_NONE && has_json_patches(change))
		eg_reader_error_at(reader, change->json_patches, "jsonPatches", "is allowed only when operation is Patch");
	else
		return true;
	return false;
}

/* Whether there is a value to read. */
static bool has_value(struct eg_reader *reader, const struct eg_yaml_node *node, const struct change *change)
{
	const struct eg_yaml_node *value = change->value;

	if (value && (value->kind != EG_YAML_SCALAR || value->text[0] != '\0'))
		return change->operation != OPERATION_REMOVE;
	if (is_adding(change))
		eg_reader_error_at(reader, value ? value : node, "value", "%s", change->dialect->no_value);
	else if (change->operation == OPERATION_PATCH)
		eg_reader_say(reader, EG_SEVERITY_WARNING, value ? value : node, "changes nothing: it has no value");
	return false;
}

/* How what a change says is read. */
struct reading {
	int (*read_value)(struct eg_reader *reader, const struct eg_yaml_node *text, struct eg_envoy_value *value);
	const struct eg_schema *fields; /* of patches in JSON; NULL: their form alone is looked at */
};

static int check_form(struct eg_reader *reader, const struct eg_yaml_node *text, struct eg_envoy_value *value)
{
	(void)value;
	return eg_envoy_check(reader, text);
}
static const struct reading for_form = {check_form, NULL};
static const struct reading of_cluster = {eg_envoy_read_cluster, &eg_envoy_cluster_schema};
static const struct reading of_filter = {eg_envoy_read_filter, &eg_envoy_tcp_proxy_schema};
static const struct reading of_listener = {eg_envoy_read_listener, NULL};

/* What a change comes to, besides what it is about. */
struct content {
	struct eg_envoy_value value;
	struct eg_json_patches json_patches;
};

static void content_clear(struct content *content)
{
	eg_array_clear(&content->json_patches.list);
}

static int read_json_patches(struct eg_reader *reader, const struct change *change, const struct reading *reading,
			     struct content *content)
{
	const struct eg_schema *fields = content->value.families != 0 ? reading->fields : NULL;
	const size_t before = eg_path_enter(reader, "jsonPatches");
	int r = eg_json_patches_read(reader, change->json_patches, fields, &content->json_patches);

	eg_path_leave(reader, before);
	return r;
}

static int read_content(struct eg_reader *reader, const struct eg_yaml_node *node, const struct change *change,
			const struct reading *reading, struct content *content)
{
	const bool is_good = check_contents(reader, node, change);
	size_t before;
	int r = has_json_patches(change) ? read_json_patches(reader, change, reading, content) : 0;

	/* Of two that exclude each other both are read, for what is wrong in them. */
	if (r < 0 || (!change->value && (has_json_patches(change) || !is_good)))
		return r;
	if (!has_value(reader, node, change))
		return 0;
	before = eg_path_enter(reader, "value");
	r = reading->read_value(reader, change->value, &content->value);
	eg_path_leave(reader, before);
	return r;
}

/* Reads what there is, whatever it is of, for its form alone. */
static int check_content(struct eg_reader *reader, const struct eg_yaml_node *node, const struct change *change)
{
	_cleanup_(content_clear) struct content unread = {};

	return read_content(reader, node, change, &for_form, &unread);
}

static enum eg_change change_of(const struct change *change)
{
	if (change->operation == OPERATION_PATCH)
		return EG_CHANGE_PATCH;
	return change->operation == OPERATION_REMOVE ? EG_CHANGE_REMOVE : EG_CHANGE_ADD;
}

static int copy_json_patches(struct eg_reader *reader, const struct eg_json_patches *patches,
			     struct eg_modification *modification)
{
	const size_t size = patches->list.len * sizeof(patches->list.items[0]);
	struct eg_json_patch *copy;

	if (size == 0)
		return 0;
	copy = eg_arena_alloc(&reader->model->arena, size);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, patches->list.items, size);
	modification->json_patches = copy;
	modification->json_patch_count = patches->list.len;
	return 0;
}

static int push(struct eg_reader *reader, const struct eg_yaml_node *node, const struct change *change,
		enum eg_changed what, const struct content *content)
{
	struct eg_modification modification = {
		.change = change_of(change),
		.what = what,
		.families = content->value.families,
		.made_by = change->match.origin,
		.adds_as = change->dialect->made_by,
		.value = content->value.tree,
		.origin = eg_reader_origin(reader, node),
	};
	int r = copy_json_patches(reader, &content->json_patches, &modification);

	if (r == 0)
		r = eg_read_copy(reader, reader->path, &modification.path);
	return r < 0 ? r : eg_array_push(&change->modifications->list, modification);
}

static void refuse_match(struct eg_reader *reader, const struct change *change)
{
	if (change->match.node)
		eg_reader_error_at(reader, change->match.node, "match", "%s", change->dialect->is_defined);
}

/* --- cluster --- */

/* There it compares the whole name of a cluster; of a listener it takes the old ones too. A ProxyTemplate is gone. */
static void warn_of_kuma3(struct eg_reader *reader, const struct change *change)
{
	static const char prefix[] = "outbound:passthrough:";
	const char *name = change->match.name;
	size_t before;

	if (!reader->is_for_kuma3 || !change->dialect->is_newer || !name || strncmp(name, prefix, strlen(prefix)) != 0)
		return;
	before = eg_path_enter(reader, "match");
	eg_reader_say(reader, EG_SEVERITY_WARNING, change->match.node,
		      "Kuma 3 calls this cluster self_transparentproxy_passthrough_outbound_%.4s, and the patch changes "
		      "nothing; origin: " EG_MADE_BY_KUMA " matches in every release", name + strlen(prefix));
	eg_path_leave(reader, before);
}

static int finish_cluster(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	_cleanup_(content_clear) struct content content = {};
	struct change *change = target;
	int r;

	if (!read_operation(reader, node, change, false))
		return check_content(reader, node, change);
	content.value.is_whole = is_adding(change);
	if (content.value.is_whole)
		refuse_match(reader, change);
	else
		content.value.families = eg_match_families(&change->match, change->match.name);
	if (!content.value.is_whole && content.value.families == 0)
		eg_match_warn(reader, node, &change->match, "cluster", change->match.name);
	else if (!content.value.is_whole)
		warn_of_kuma3(reader, change);
	r = read_content(reader, node, change, &of_cluster, &content);
	if (r < 0)
		return r;
	/* Kuma lets people add clusters of their own, which nothing leads to here. */
	if (content.value.is_whole && content.value.families == 0)
		return 0;
	return push(reader, node, change, EG_CHANGED_CLUSTER, &content);
}
static const struct eg_schema cluster_schema = {EG_SCHEMA_FIELDS(cluster_fields), .finish = finish_cluster};
static const struct eg_schema newer_cluster_schema = {EG_SCHEMA_FIELDS(newer_cluster_fields), .finish = finish_cluster};

/* --- listener --- */

static int add_listener(struct eg_reader *reader, const struct eg_yaml_node *node, const struct change *change)
{
	_cleanup_(content_clear) struct content content = {.value.is_whole = true};
	int r;

	refuse_match(reader, change);
	r = read_content(reader, node, change, &of_listener, &content);
	if (r < 0 || content.value.families == 0)
		return r;
	if (!content.value.tree)
		eg_reader_say(reader, EG_SEVERITY_WARNING, node,
			      "the listener has no " EG_TCP_PROXY_FILTER ": nothing leaves by it");
	return push(reader, node, change, EG_CHANGED_LISTENER, &content);
}

/* What else a listener has is Envoy's own. */
static int finish_listener(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct change *change = target;
	struct content content = {};
	int r;

	if (!read_operation(reader, node, change, false))
		return check_content(reader, node, change);
	if (is_adding(change))
		return add_listener(reader, node, change);
	content.value.families = eg_match_families(&change->match, change->match.name);
	if (content.value.families == 0)
		eg_match_warn(reader, node, &change->match, "listener", change->match.name);
	r = check_content(reader, node, change);
	if (r < 0 || change->operation == OPERATION_REMOVE)
		return r < 0 ? r : push(reader, node, change, EG_CHANGED_LISTENER, &content);
	if (content.value.families != 0)
		eg_reader_say(reader, EG_SEVERITY_NOTE, node, "has no effect: there is no proxy that listens");
	return 0;
}
static const struct eg_schema listener_schema = {EG_SCHEMA_FIELDS(listener_fields), .finish = finish_listener};
static const struct eg_schema newer_listener_schema = {EG_SCHEMA_FIELDS(newer_listener_fields), .finish = finish_listener};

/* --- filters --- */

static void check_filter_name(struct eg_reader *reader, const struct eg_yaml_node *node, const struct change *change)
{
	const struct eg_yaml_node *place = change->match.node ? change->match.node : node;
	const size_t before = eg_path_enter(reader, "match");

	if (change->match.name && change->match.name[0] != '\0')
		;
	else if (change->operation == OPERATION_PATCH)
		eg_reader_error_at(reader, place, "name", "%s", change->dialect->no_name);
	else if (change->operation == OPERATION_ADD_BEFORE)
		eg_reader_error_at(reader, place, "name", "%s", change->dialect->no_name_before);
	else if (change->operation == OPERATION_ADD_AFTER)
		eg_reader_error_at(reader, place, "name", "%s", change->dialect->no_name_after);
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
	_cleanup_(content_clear) struct content content = {.value.families = families};
	int r = read_content(reader, node, change, &of_filter, &content);

	if (r < 0)
		return r;
	if (families == 0)
		eg_match_warn(reader, node, &change->match, "listener", change->match.listener_name);
	return push(reader, node, change, EG_CHANGED_TCP_PROXY, &content);
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
		return check_content(reader, node, change);
	check_filter_name(reader, node, change);
	families = eg_match_families(&change->match, change->match.listener_name);
	if (is_adding(change) ? families && adds_tcp_proxy(change) : is_tcp_proxy(change->match.name))
		return change_tcp_proxy(reader, node, change, families);
	r = check_content(reader, node, change);
	if (r == 0 && families != 0)
		eg_reader_say(reader, EG_SEVERITY_NOTE, node, "has no effect: of filters there is tcp_proxy alone");
	return r;
}
static const struct eg_schema network_filter_schema = {EG_SCHEMA_FIELDS(filter_fields),
						       .finish = finish_network_filter};
static const struct eg_schema newer_network_filter_schema = {EG_SCHEMA_FIELDS(newer_filter_fields),
							     .finish = finish_network_filter};

/* --- HTTP, which passthrough has none of --- */

static int finish_http_filter(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct change *change = target;

	if (read_operation(reader, node, change, true))
		check_filter_name(reader, node, change);
	return check_content(reader, node, change);
}
static const struct eg_schema http_filter_schema = {EG_SCHEMA_FIELDS(filter_fields), .finish = finish_http_filter};
static const struct eg_schema newer_http_filter_schema = {EG_SCHEMA_FIELDS(newer_filter_fields),
							  .finish = finish_http_filter};

static int finish_virtual_host(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct change *change = target;
	size_t before;

	read_operation(reader, node, change, false);
	if (is_adding(change) && change->match.name) {
		before = eg_path_enter(reader, "match");
		eg_reader_error_at(reader, change->match.node, "name", "%s", change->dialect->is_defined);
		eg_path_leave(reader, before);
	}
	return check_content(reader, node, change);
}
static const struct eg_schema virtual_host_schema = {EG_SCHEMA_FIELDS(host_fields), .finish = finish_virtual_host};
static const struct eg_schema newer_virtual_host_schema = {EG_SCHEMA_FIELDS(newer_host_fields),
							   .finish = finish_virtual_host};

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
#define CHANGES(cluster, listener, network_filter, http_filter, virtual_host) \
	CHANGE("cluster", cluster, \
	       "A modification of clusters: their limits and connectTimeout, or that they are there."), \
		CHANGE("listener", listener, \
		       "A modification of listeners. A patch of one has no effect: nothing listens here."), \
		CHANGE("networkFilter", network_filter, \
		       "A modification of filters in listeners. Only the TcpProxy of passthrough has an effect."), \
		CHANGE("httpFilter", http_filter, "Checked for its form: passthrough has no HTTP."), \
		CHANGE("virtualHost", virtual_host, "Checked for its form: passthrough has no HTTP.")

static const struct eg_field template_fields[] = {
	CHANGES(cluster_schema, listener_schema, network_filter_schema, http_filter_schema, virtual_host_schema)};
const struct eg_schema eg_template_modification_schema = {EG_SCHEMA_FIELDS(template_fields)};

static const struct eg_field patch_fields[] = {CHANGES(newer_cluster_schema, newer_listener_schema,
						       newer_network_filter_schema, newer_http_filter_schema,
						       newer_virtual_host_schema)};
const struct eg_schema eg_patch_modification_schema = {EG_SCHEMA_FIELDS(patch_fields)};

static void refuse_kinds(struct eg_reader *reader, const struct eg_yaml_node *node, const struct item *item)
{
	if (item->dialect->is_newer)
		eg_reader_error(reader, node,
				"exactly one modification can be defined at a time. Currently, %zu modifications are "
				"defined",
				item->kinds);
	else
		eg_reader_error(reader, node,
				"must have exactly one of cluster, listener, networkFilter, httpFilter and virtualHost");
}

static int read_item(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct item *item = target;
	int r;

	item->kinds = 0;
	r = eg_read_object(reader, node,
			   item->dialect->is_newer ? &eg_patch_modification_schema : &eg_template_modification_schema,
			   item);
	if (r == 0 && node->kind == EG_YAML_MAPPING && item->kinds != 1)
		refuse_kinds(reader, node, item);
	return r;
}

int eg_template_modifications_read(struct eg_reader *reader, const struct eg_yaml_node *node,
				   struct eg_modifications *modifications)
{
	struct item item = {.dialect = &template_dialect, .modifications = modifications};

	return eg_read_list(reader, node, read_item, &item);
}

int eg_patch_modifications_read(struct eg_reader *reader, const struct eg_yaml_node *node,
				struct eg_modifications *modifications)
{
	struct item item = {.dialect = &patch_dialect, .modifications = modifications};

	return eg_read_list(reader, node, read_item, &item);
}
