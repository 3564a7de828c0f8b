/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/envelope.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "config/tags.h"

#define NAME_MAX_LEN 253 /* of a Kubernetes object */
#define MESH_LABEL "kuma.io/mesh"

static const struct eg_field universal_fields[] = {
	{.name = "type", .doc = "The kind of the resource."},
	{.name = "name", .doc = "Its name."},
	{.name = "mesh", .fallback = EG_DEFAULT_MESH, .doc = "The mesh that it belongs to."},
	{.name = "labels", .doc = "What a targetRef of kind Dataplane selects by."},
	{.name = "creationTime", .doc = "When it was made: of two ProxyTemplates of one rank the younger one wins."},
	{.name = "modificationTime", .doc = "Not read."},
	{.name = "kri", .doc = "Not read."},
	{.name = "kind", .doc = "Refused beside `type`."},
	{.name = "spec",
	 .doc = "The fields of a newer kind. Older ones have them beside `type`, and a `spec` is refused."},
	{.name = "status", .doc = "What Kuma's control plane writes. Read of kinds that have addresses in it."},
};
const struct eg_schema eg_universal_envelope = {.name = "Universal", EG_SCHEMA_FIELDS(universal_fields)};

static const struct eg_field kubernetes_fields[] = {
	{.name = "apiVersion", .doc = "kuma.io/v1alpha1 or egressd.io/v1alpha1."},
	{.name = "kind", .doc = "The kind of the resource."},
	{.name = "metadata",
	 .missing = "must be defined",
	 .doc = "name, namespace, labels and creationTimestamp; the rest is not read."},
	{.name = "mesh", .fallback = EG_DEFAULT_MESH, .doc = "The mesh that it belongs to."},
	{.name = "spec", .doc = "The fields of the resource."},
	{.name = "status", .doc = "What Kuma's control plane writes. Read of kinds that have addresses in it."},
	{.name = "auto", .doc = "Not read."},
};
static const struct eg_schema kubernetes_envelope = {.name = "Kubernetes", EG_SCHEMA_FIELDS(kubernetes_fields)};

/* A member of a mapping, also when its key is misspelt. schema NULL: any key may stand there. */
static const struct eg_yaml_node *find_member(const struct eg_reader *reader, const struct eg_schema *schema,
					      const struct eg_yaml_node *mapping, const char *key)
{
	const struct eg_yaml_node *node = mapping ? eg_get_field(mapping, key) : NULL;

	return node || !schema ? node : eg_find_misspelt(reader, schema, mapping, key);
}

/* The text of mapping.key, or NULL; a finding when it is something else. */
static const char *read_word(struct eg_reader *reader, const struct eg_schema *schema,
			     const struct eg_yaml_node *mapping, const char *key, const struct eg_yaml_node **ret_node)
{
	const struct eg_yaml_node *node = find_member(reader, schema, mapping, key);
	const char *text;
	size_t before;

	*ret_node = node;
	if (!node || eg_yaml_is_null(node))
		return NULL;
	before = eg_path_enter(reader, key);
	text = eg_read_text(reader, node);
	eg_path_leave(reader, before);
	return text;
}

static const struct eg_yaml_node *get_mapping(struct eg_reader *reader, const struct eg_yaml_node *mapping,
					      const char *key)
{
	const struct eg_yaml_node *node = find_member(reader, &kubernetes_envelope, mapping, key);
	size_t before;

	if (!node || eg_yaml_is_null(node) || node->kind == EG_YAML_MAPPING)
		return node && node->kind == EG_YAML_MAPPING ? node : NULL;
	before = eg_path_enter(reader, key);
	eg_reader_error(reader, node, "must be a mapping of fields, not %s", eg_yaml_describe(node));
	eg_path_leave(reader, before);
	return NULL;
}

void eg_envelope_read_kind(struct eg_reader *reader, const struct eg_yaml_node *root, struct eg_envelope *ret_envelope)
{
	struct eg_envelope *envelope = ret_envelope;
	const struct eg_yaml_node *type;

	*envelope = (struct eg_envelope){};
	if (root->kind != EG_YAML_MAPPING) {
		eg_reader_error(reader, root, "a resource must be a mapping with `type` or `kind`, not %s",
				eg_yaml_describe(root));
		return;
	}
	envelope->is_kubernetes =
		!eg_yaml_get(root, "type") && (eg_get_field(root, "apiVersion") || eg_yaml_get(root, "kind"));
	if (eg_yaml_get(root, "type") && eg_yaml_get(root, "kind"))
		eg_reader_error(reader, root, "has `type` (the Universal form) and `kind` (Kubernetes); remove one");
	envelope->api_version = read_word(reader, NULL, root, "apiVersion", &envelope->api_version_node);
	envelope->kind = read_word(reader, NULL, root, envelope->is_kubernetes ? "kind" : "type", &type);
	envelope->kind_node = type;
	if (!type || eg_yaml_is_null(type))
		eg_reader_error(reader, root,
				"has neither `type` (the Universal form) nor `kind` (Kubernetes): "
				"nobody knows what this is");
}

static bool is_name(const char *name)
{
	return *name && strlen(name) <= NAME_MAX_LEN &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] == '\0';
}

static void check_name(struct eg_reader *reader, const struct eg_yaml_node *place, const char *field, const char *name)
{
	size_t before;

	if (name && is_name(name))
		return;
	before = eg_path_enter(reader, field);
	if (!name)
		eg_reader_error(reader, place, "cannot be empty");
	else
		eg_reader_error(
			reader, place,
			"invalid characters. Valid characters are numbers, latin letters and '-', '_', '.', %u at most",
			NAME_MAX_LEN);
	eg_path_leave(reader, before);
}

/* Left out and null are the same; so is a name that was refused: the finding is there. */
static int keep_mesh(struct eg_reader *reader, const struct eg_yaml_node *root, const struct eg_yaml_node *node,
		     const char *mesh, struct eg_envelope *envelope)
{
	envelope->mesh = EG_DEFAULT_MESH;
	envelope->mesh_origin = eg_reader_origin(reader, node ? node : root);
	if (!mesh)
		return 0;
	check_name(reader, node, "mesh", mesh);
	return eg_read_copy(reader, mesh, &envelope->mesh);
}

static int keep_name(struct eg_reader *reader, const char *name, const char *namespace, struct eg_envelope *envelope)
{
	char full[2 * NAME_MAX_LEN + 2];
	int r = eg_read_copy(reader, name ? name : "", &envelope->display_name);

	envelope->name = envelope->display_name;
	if (r < 0 || !namespace)
		return r;
	snprintf(full, sizeof(full), "%.253s.%.253s", envelope->display_name, namespace);
	return eg_read_copy(reader, full, &envelope->name);
}

/* Kuma writes a label for the namespace itself. */
static int keep_labels(struct eg_reader *reader, const struct eg_yaml_node *labelled, const char *namespace,
		       struct eg_envelope *envelope)
{
	const struct eg_yaml_node *labels = eg_yaml_get(labelled, "labels");
	const size_t before = eg_path_enter(reader, "labels");
	int r = labels && !eg_yaml_is_null(labels) ? eg_read_labels(reader, labels, &envelope->labels) : 0;

	eg_path_leave(reader, before);
	if (r < 0 || !namespace || eg_tags_find(&envelope->labels, EG_NAMESPACE_TAG))
		return r;
	return eg_add_tag(reader, EG_NAMESPACE_TAG, namespace, &envelope->labels);
}

/* Files mostly say nothing; what `kumactl get` writes does. */
static void read_created(struct eg_reader *reader, const struct eg_yaml_node *mapping, const char *key,
			 struct eg_envelope *envelope)
{
	const struct eg_yaml_node *node;
	const char *text = read_word(reader, NULL, mapping, key, &node);
	size_t before;

	if (!text || eg_parse_time(text, &envelope->created_us) == 0)
		return;
	before = eg_path_enter(reader, key);
	eg_reader_error(reader, node, "must be a point in time, as 2024-02-08T14:48:32Z, not %.64s", text);
	eg_path_leave(reader, before);
}

static void refuse_spec(struct eg_reader *reader, const struct eg_yaml_node *root, const char *kind)
{
	const struct eg_yaml_node *spec = eg_yaml_get(root, "spec");
	size_t before;

	if (!spec)
		return;
	before = eg_path_enter(reader, "spec");
	eg_reader_error(
		reader, spec,
		"a %s with `type` has its fields beside `type`; what stands in a `spec` would be ignored, as Kuma does",
		kind);
	eg_path_leave(reader, before);
}

/* A resource without `spec` has no fields: a Mesh may, for others something will be missing. */
static int find_spec(struct eg_reader *reader, const struct eg_yaml_node *root, struct eg_envelope *envelope)
{
	const struct eg_yaml_node *spec = find_member(reader, envelope->outer, root, "spec");
	struct eg_yaml_node *nothing;

	if (spec && !eg_yaml_is_null(spec)) {
		envelope->spec = spec;
		return 0;
	}
	nothing = eg_arena_alloc(&reader->model->arena, sizeof(*nothing));
	if (!nothing)
		return -ENOMEM;
	*nothing = (struct eg_yaml_node){.kind = EG_YAML_MAPPING, .line = root->line, .column = root->column};
	envelope->spec = nothing;
	return 0;
}

/* The fields that are not beside `type`: of the Kubernetes form, and of newer kinds. */
static int read_spec(struct eg_reader *reader, const struct eg_yaml_node *root, struct eg_envelope *envelope)
{
	int r = eg_read_object(reader, root, envelope->outer, NULL);

	eg_path_enter(reader, "spec");
	return r < 0 ? r : find_spec(reader, root, envelope);
}

/* The field, else the label that the newer kinds have in its place. `labelled` holds the labels, which are read. */
static const char *read_mesh(struct eg_reader *reader, const struct eg_yaml_node *root,
			     const struct eg_yaml_node *labelled, const struct eg_envelope *envelope,
			     const struct eg_yaml_node **ret_node)
{
	const char *field = read_word(reader, envelope->outer, root, "mesh", ret_node);
	const char *label = eg_tags_find(&envelope->labels, MESH_LABEL);
	const struct eg_yaml_node *label_node = label ? eg_yaml_get(eg_yaml_get(labelled, "labels"), MESH_LABEL) : NULL;

	if (!*ret_node || eg_yaml_is_null(*ret_node)) {
		*ret_node = label_node;
		return label;
	}
	if (field && label && strcmp(field, label) != 0)
		eg_reader_say(reader, EG_SEVERITY_WARNING, label_node,
			      "the label " MESH_LABEL " says \"%.64s\", but the field mesh says \"%.64s\" and counts",
			      label, field);
	return field;
}

static int read_universal(struct eg_reader *reader, const struct eg_yaml_node *root, enum eg_form form,
			  struct eg_envelope *envelope)
{
	const struct eg_yaml_node *name_node, *mesh_node;
	const char *name = read_word(reader, envelope->outer, root, "name", &name_node);
	const char *mesh;
	int r = keep_labels(reader, root, NULL, envelope);

	if (r < 0)
		return r;
	mesh = read_mesh(reader, root, root, envelope, &mesh_node);
	/* A name of the wrong type has its finding. */
	if (name || !name_node || eg_yaml_is_null(name_node))
		check_name(reader, name_node ? name_node : root, "name", name);
	r = keep_name(reader, name, NULL, envelope);
	if (r < 0)
		return r;
	r = keep_mesh(reader, root, mesh_node, mesh, envelope);
	if (r < 0)
		return r;
	read_created(reader, root, "creationTime", envelope);
	if (form == EG_FORM_SPEC)
		return read_spec(reader, root, envelope);
	refuse_spec(reader, root, envelope->kind);
	envelope->spec = root;
	return 0;
}

/* What of metadata has findings of its own. */
static int read_metadata(struct eg_reader *reader, const struct eg_yaml_node *metadata, const char *name,
			 const char *namespace, struct eg_envelope *envelope)
{
	const struct eg_yaml_node *name_node = eg_yaml_get(metadata, "name");
	const size_t before = eg_path_enter(reader, "metadata");
	int r;

	check_name(reader, name_node ? name_node : metadata, "name", name);
	read_created(reader, metadata, "creationTimestamp", envelope);
	r = keep_labels(reader, metadata, namespace, envelope);
	eg_path_leave(reader, before);
	return r;
}

static int read_kubernetes(struct eg_reader *reader, const struct eg_yaml_node *root, struct eg_envelope *envelope)
{
	const struct eg_yaml_node *metadata, *ignored, *mesh_node;
	const char *name, *namespace, *mesh;
	int r;

	metadata = get_mapping(reader, root, "metadata");
	name = read_word(reader, NULL, metadata, "name", &ignored);
	namespace = read_word(reader, NULL, metadata, "namespace", &ignored);
	r = metadata ? read_metadata(reader, metadata, name, namespace, envelope) : 0;
	if (r < 0)
		return r;
	mesh = read_mesh(reader, root, metadata, envelope, &mesh_node);
	r = keep_name(reader, name, namespace, envelope);
	if (r < 0)
		return r;
	r = keep_mesh(reader, root, mesh_node, mesh, envelope);
	if (r < 0)
		return r;
	return read_spec(reader, root, envelope);
}

int eg_envelope_read(struct eg_reader *reader, const struct eg_yaml_node *root, enum eg_form form,
		     struct eg_envelope *envelope)
{
	envelope->origin = eg_reader_origin(reader, root);
	envelope->status = eg_yaml_get(root, "status");
	envelope->outer = envelope->is_kubernetes   ? &kubernetes_envelope
			  : form == EG_FORM_SPEC ? &eg_universal_envelope
						 : reader->kind;
	return envelope->is_kubernetes ? read_kubernetes(reader, root, envelope)
				       : read_universal(reader, root, form, envelope);
}
