/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/targetref.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/suggest.h"
#include "config/tags.h"
#include "policy/target.h"

/* What is written, looked at once the kind is known. */
struct draft {
	const struct eg_yaml_node *kind;
	const struct eg_yaml_node *name;
	const struct eg_yaml_node *namespace;
	const struct eg_yaml_node *mesh;
	const struct eg_yaml_node *tags;
	const struct eg_yaml_node *labels;
	const struct eg_yaml_node *section_name;
	const struct eg_yaml_node *proxy_types;
};

static const struct eg_type text_type = {"text", eg_read_node};
static const struct eg_type tags_type = {"mapping of tags", eg_read_node};
static const struct eg_type labels_type = {"mapping of labels", eg_read_node};
static const struct eg_type proxy_types_type = {"list of Sidecar and Gateway", eg_read_node};

#define FIELD(field, field_type, member, text) \
	{ \
		.name = (field), .type = &(field_type), .offset = offsetof(struct draft, member), .doc = (text) \
	}

static const struct eg_field target_ref_fields[] = {
	FIELD("kind", text_type, kind,
	      "What it selects by: Mesh takes every workload of the mesh, Dataplane those of a name or with labels, "
	      "MeshSubset those with tags. Kinds that are about a gateway or a route select nothing here."),
	FIELD("name", text_type, name,
	      "Of kind Dataplane the name of the Dataplane that a Workload says it is, or of the Workload itself; of "
	      "the older kinds MeshService and MeshServiceSubset the value of kuma.io/service."),
	FIELD("namespace", text_type, namespace, "The namespace of the Dataplane that name means; left out: the policy's own."),
	FIELD("mesh", text_type, mesh, "Refused: a policy is for its own mesh."),
	FIELD("tags", tags_type, tags,
	      "Of kind MeshSubset: tags that a workload must have, all in one inbound; * is any value."),
	FIELD("labels", labels_type, labels,
	      "Of kind Dataplane: labels that the Dataplane or the Workload must have; its tags count as labels."),
	FIELD("sectionName", text_type, section_name, "One inbound; only for policies that are about inbounds."),
	{.name = "proxyTypes",
	 .type = &proxy_types_type,
	 .offset = offsetof(struct draft, proxy_types),
	 .fallback = "both",
	 .doc = "Which proxies: a workload is a gateway when its Dataplane is one.",
	 .kuma3 = "ignores it, and the policy is for sidecars and gateways alike; labels take its place"},
};
const struct eg_schema eg_target_ref_schema = {EG_SCHEMA_FIELDS(target_ref_fields)};

/* What cannot be said of a kind. */
static const struct {
	const char *fields[6];
	bool needs_name; /* unless there are labels, where it may have some */
} rules[EG_TARGET_COUNT] = {
	[EG_TARGET_MESH] = {{"mesh", "tags", "labels", "namespace", "sectionName"}, false},
	[EG_TARGET_DATAPLANE] = {{"mesh", "tags", "proxyTypes"}, false},
	[EG_TARGET_MESH_SUBSET] = {{"name", "mesh", "labels", "namespace", "sectionName"}, false},
	[EG_TARGET_MESH_GATEWAY] = {{"mesh", "proxyTypes", "labels", "namespace", "sectionName"}, true},
	[EG_TARGET_MESH_SERVICE] = {{"mesh", "tags", "proxyTypes"}, true},
	[EG_TARGET_MESH_EXTERNAL_SERVICE] = {{"mesh", "tags", "proxyTypes", "sectionName"}, true},
	[EG_TARGET_MESH_MULTI_ZONE_SERVICE] = {{"mesh", "tags", "proxyTypes"}, true},
	[EG_TARGET_MESH_SERVICE_SUBSET] = {{"mesh", "proxyTypes", "labels", "namespace", "sectionName"}, true},
	[EG_TARGET_MESH_HTTP_ROUTE] = {{"mesh", "tags", "proxyTypes"}, true},
};

static bool is_empty(const struct eg_yaml_node *node)
{
	if (!node || eg_yaml_is_null(node))
		return true;
	return node->kind == EG_YAML_SCALAR ? node->text[0] == '\0' : node->count == 0;
}

static const struct eg_yaml_node *written(const struct draft *draft, const struct eg_field *field)
{
	const struct eg_yaml_node *node =
		*(const struct eg_yaml_node *const *)((const char *)draft + field->offset);

	return is_empty(node) ? NULL : node;
}


/* --- what may not be there --- */

static bool is_refused(enum eg_target_kind kind, const char *field)
{
	for (size_t i = 0; i < EG_COUNT_OF(rules[kind].fields) && rules[kind].fields[i]; i++)
		if (strcmp(rules[kind].fields[i], field) == 0)
			return true;
	return false;
}

static void check_fields(struct eg_reader *reader, const struct draft *draft, enum eg_target_kind kind)
{
	for (size_t i = 0; i < EG_COUNT_OF(target_ref_fields); i++) {
		const struct eg_field *field = &target_ref_fields[i];

		if (written(draft, field) && is_refused(kind, field->name))
			eg_reader_error_at(reader, written(draft, field), field->name, "must not be set with kind %s",
					   eg_target_kind_name(kind));
	}
	if (kind == EG_TARGET_MESH && !is_empty(draft->name))
		eg_reader_error_at(reader, draft->name, "name", "using name with kind Mesh is not yet supported");
}

static void check_labels(struct eg_reader *reader, const struct draft *draft, enum eg_target_kind kind)
{
	if (is_empty(draft->labels) || is_refused(kind, "labels"))
		return;
	if (!is_empty(draft->name) || !is_empty(draft->namespace))
		eg_reader_error_at(reader, draft->labels, "labels", "either labels or name%s must be specified",
				   kind == EG_TARGET_MESH_EXTERNAL_SERVICE ? "" : " and namespace");
	if (!is_empty(draft->section_name) && (kind == EG_TARGET_MESH_SERVICE || kind == EG_TARGET_MESH_HTTP_ROUTE))
		eg_reader_error_at(reader, draft->section_name, "sectionName", "sectionName should not be combined with labels");
}

static void check_name(struct eg_reader *reader, const struct eg_yaml_node *node, const struct draft *draft,
		       const struct eg_target *target)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-._";

	if (is_empty(draft->name) && is_empty(draft->labels) && rules[target->kind].needs_name)
		eg_reader_error_at(reader, node, "name", "must be set with kind %s", eg_target_kind_name(target->kind));
	if (target->name && rules[target->kind].needs_name && target->name[strspn(target->name, letters)] != '\0')
		eg_reader_error_at(reader, draft->name, "name",
		       "invalid characters: must consist of lower case alphanumeric characters, '-', '.' and '_'.");
}

/* --- values --- */

/* A text that may be left out; "" is as if it was. */
static int read_text(struct eg_reader *reader, const struct eg_yaml_node *node, const char *field,
		     const char **ret_text)
{
	const size_t before = eg_path_enter(reader, field);
	const char *text = is_empty(node) ? NULL : eg_read_text(reader, node);
	int r = text ? eg_read_copy(reader, text, ret_text) : 0;

	eg_path_leave(reader, before);
	return r;
}

static int read_mapping(struct eg_reader *reader, const struct eg_yaml_node *node, const char *field,
			int (*read)(struct eg_reader *reader, const struct eg_yaml_node *node, struct eg_tags *ret_tags),
			struct eg_tags *ret_tags)
{
	const size_t before = eg_path_enter(reader, field);
	int r = is_empty(node) ? 0 : read(reader, node, ret_tags);

	eg_path_leave(reader, before);
	return r;
}

static int read_proxy_type(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const char *text = eg_read_text(reader, node);

	if (text && strcmp(text, "Sidecar") == 0)
		*(unsigned int *)target |= EG_PROXY_SIDECAR;
	else if (text && strcmp(text, "Gateway") == 0)
		*(unsigned int *)target |= EG_PROXY_GATEWAY;
	else if (text)
		eg_reader_error(reader, node, "must be Sidecar or Gateway, not \"%.64s\"", text);
	return 0;
}

static int read_proxy_types(struct eg_reader *reader, const struct eg_yaml_node *node, struct eg_target *target)
{
	const size_t before = eg_path_enter(reader, "proxyTypes");
	int r = is_empty(node) ? 0 : eg_read_list(reader, node, read_proxy_type, &target->proxy_types);

	eg_path_leave(reader, before);
	return r;
}

static int read_values(struct eg_reader *reader, const struct draft *draft, struct eg_target *target)
{
	int r;

	r = read_text(reader, draft->name, "name", &target->name);
	if (r < 0)
		return r;
	r = read_text(reader, draft->namespace, "namespace", &target->namespace);
	if (r < 0)
		return r;
	r = read_mapping(reader, draft->tags, "tags", eg_read_selector, &target->tags);
	if (r < 0)
		return r;
	r = read_mapping(reader, draft->labels, "labels", eg_read_labels, &target->labels);
	if (r < 0)
		return r;
	return read_proxy_types(reader, draft->proxy_types, target);
}

/* --- the kind --- */

static const char *suggest_kind(const char *text, unsigned int takes)
{
	const char *names[EG_TARGET_COUNT];
	size_t count = 0;

	for (enum eg_target_kind kind = 0; kind < EG_TARGET_COUNT; kind++)
		if (takes & (1u << kind))
			names[count++] = eg_target_kind_name(kind);
	return eg_suggest(text, names, count);
}

static bool find_kind(const char *text, unsigned int takes, enum eg_target_kind *ret_kind)
{
	for (enum eg_target_kind kind = 0; kind < EG_TARGET_COUNT; kind++) {
		if (!(takes & (1u << kind)) || strcmp(text, eg_target_kind_name(kind)) != 0)
			continue;
		*ret_kind = kind;
		return true;
	}
	return false;
}

/* Of whom a policy is for; what it says of others may name services. */
static void warn_of_kuma3(struct eg_reader *reader, const struct eg_yaml_node *node, unsigned int takes,
			  enum eg_target_kind kind)
{
	const bool is_top = takes & EG_TARGET_BIT(DATAPLANE);

	if (reader->is_for_kuma3 && is_top && kind != EG_TARGET_MESH && kind != EG_TARGET_DATAPLANE)
		eg_reader_say(reader, EG_SEVERITY_WARNING, node,
			      "Kuma 3 refuses kind %s; kind Dataplane with labels takes its place",
			      eg_target_kind_name(kind));
}

/* False after a finding. */
static bool read_kind(struct eg_reader *reader, const struct eg_yaml_node *node, const struct draft *draft,
		      unsigned int takes, enum eg_target_kind *ret_kind)
{
	const struct eg_yaml_node *place = draft->kind ? draft->kind : node;
	const size_t before = eg_path_enter(reader, "kind");
	const char *text = is_empty(draft->kind) ? "" : eg_read_text(reader, draft->kind), *meant;
	bool found = false;

	if (text && text[0] == '\0')
		eg_reader_error(reader, place, "must be defined");
	else if (text && !(found = find_kind(text, takes, ret_kind)) && (meant = suggest_kind(text, takes)))
		eg_reader_error(reader, place, "value '%.64s' is not supported; did you mean \"%s\"?", text, meant);
	else if (text && !found)
		eg_reader_error(reader, place, "value '%.64s' is not supported", text);
	else if (found)
		warn_of_kuma3(reader, place, takes, *ret_kind);
	eg_path_leave(reader, before);
	return found;
}

/* A service is selected by its tag, as the older kinds of Kuma do. */
static int add_service(struct eg_reader *reader, struct eg_target *target)
{
	const bool is_service =
		target->kind == EG_TARGET_MESH_SERVICE || target->kind == EG_TARGET_MESH_SERVICE_SUBSET;

	return is_service && target->name ? eg_add_tag(reader, EG_SERVICE_TAG, target->name, &target->tags) : 0;
}

int eg_read_target_ref(struct eg_reader *reader, const struct eg_yaml_node *node, unsigned int takes,
		       struct eg_target *ret_target)
{
	struct eg_target *target = ret_target;
	struct draft draft = {};
	int r = eg_read_object(reader, node, &eg_target_ref_schema, &draft);

	target->origin = eg_reader_origin(reader, node);
	if (r < 0 || node->kind != EG_YAML_MAPPING || !read_kind(reader, node, &draft, takes, &target->kind))
		return r;
	check_fields(reader, &draft, target->kind);
	check_labels(reader, &draft, target->kind);
	if (target->kind == EG_TARGET_DATAPLANE && !(takes & EG_TARGET_SECTIONS) && !is_empty(draft.section_name))
		eg_reader_error_at(reader, draft.section_name, "sectionName", "can only be used with inbound policies");
	r = read_values(reader, &draft, target);
	if (r < 0)
		return r;
	check_name(reader, node, &draft, target);
	return add_service(reader, target);
}

/* --- the policy around it --- */

/* Those that only hold in a namespace that is not the control plane's. Kuma writes the role of a policy itself. */
static const char *confining_namespace(const struct eg_envelope *envelope)
{
	static const char *const systems[] = {"kuma-system", "kong-mesh-system"};
	const char *namespace = eg_tags_find(&envelope->labels, EG_NAMESPACE_TAG);
	const char *role = eg_tags_find(&envelope->labels, "kuma.io/policy-role");

	if (!namespace)
		return NULL;
	if (role)
		return strcmp(role, "workload-owner") == 0 || strcmp(role, "consumer") == 0 ? namespace : NULL;
	for (size_t i = 0; i < EG_COUNT_OF(systems); i++)
		if (strcmp(namespace, systems[i]) == 0)
			return NULL;
	return namespace;
}

static bool is_shadow(const struct eg_envelope *envelope)
{
	const char *effect = eg_tags_find(&envelope->labels, "kuma.io/effect");

	return effect && strcmp(effect, "shadow") == 0;
}

int eg_policy_head_read(struct eg_reader *reader, const struct eg_envelope *envelope, struct eg_policy_head *head)
{
	*head = (struct eg_policy_head){
		.kind = reader->kind->name,
		.name = envelope->name,
		.display_name = envelope->display_name,
		.namespace = confining_namespace(envelope),
		.mesh = envelope->mesh,
		.origin = envelope->origin,
		.mesh_origin = envelope->mesh_origin,
		.is_shadow = is_shadow(envelope),
		.target.origin = envelope->origin,
	};
	if (head->is_shadow)
		eg_diag_add(reader->diag, EG_SEVERITY_NOTE, envelope->origin, NULL,
			    "is not applied: its label kuma.io/effect says shadow");
	return eg_array_push(&reader->model->heads, head);
}
