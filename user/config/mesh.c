/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/kinds.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

/* What is read of one entry of mtls.backends. */
struct backend {
	const char *name;
	struct eg_optional_incoming mode;
};

struct mtls {
	const char *enabled_backend;
	EG_ARRAY(struct backend) backends;
};

struct mesh_document {
	struct eg_optional_bool passthrough;
	struct eg_optional_bool zone_egress;
	struct mtls mtls;
	const struct eg_yaml_node *mtls_node; /* NULL: no mtls */
};

static void mesh_document_clear(struct mesh_document *document)
{
	eg_array_clear(&document->mtls.backends);
}

/* An enum of protobuf: its name, or its number. */
static int read_mode(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		     void *target)
{
	struct eg_optional_incoming *mode = target;
	const char *text = eg_read_text(reader, node);

	(void)field;
	if (!text)
		return 0;
	*mode = (struct eg_optional_incoming){true, EG_INCOMING_STRICT, eg_reader_origin(reader, node)};
	if (strcmp(text, "PERMISSIVE") == 0 || strcmp(text, "1") == 0)
		mode->mode = EG_INCOMING_PERMISSIVE;
	else if (strcmp(text, "STRICT") != 0 && strcmp(text, "0") != 0)
		eg_reader_error(reader, node, "unknown value \"%.64s\"; it is STRICT or PERMISSIVE", text);
	return 0;
}
static const struct eg_type mode_type = {"STRICT or PERMISSIVE", read_mode};

/* Kuma has a grammar of its own for it: one whole number and one unit. */
static bool is_expiration(const char *text)
{
	static const char *const units[] = {"y", "w", "d", "h", "m", "s", "ms"};
	const char *unit = text + strspn(text, "0123456789");

	for (size_t i = 0; unit > text && i < EG_COUNT_OF(units); i++)
		if (strcmp(unit, units[i]) == 0)
			return true;
	return false;
}

static int read_expiration(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			   void *target)
{
	const char *text = eg_read_text(reader, node);

	(void)field;
	(void)target;
	if (text && !is_expiration(text))
		eg_reader_error(reader, node,
				"has to be a valid format: a whole number and one of y, w, d, h, m, s, ms");
	return 0;
}
static const struct eg_type expiration_type = {"whole number and one of y, w, d, h, m, s, ms", read_expiration};

static const struct eg_field rotation_fields[] = {
	{.name = "expiration", .type = &expiration_type, .doc = "Checked for its form."},
};
static const struct eg_schema rotation_schema = {EG_SCHEMA_FIELDS(rotation_fields)};

static const struct eg_field dp_cert_fields[] = {
	{.name = "rotation", .type = &eg_type_object, .fields = &rotation_schema, .doc = "Checked for its form."},
	{.name = "requestTimeout", .doc = "Not read."},
};
static const struct eg_schema dp_cert_schema = {EG_SCHEMA_FIELDS(dp_cert_fields)};

static const struct eg_field backend_fields[] = {
	{.name = "name",
	 .type = &eg_type_string,
	 .offset = offsetof(struct backend, name),
	 .missing = "cannot be empty",
	 .doc = "What enabledBackend names."},
	{.name = "type", .doc = "Not read."},
	{.name = "mode",
	 .type = &mode_type,
	 .offset = offsetof(struct backend, mode),
	 .fallback = "STRICT",
	 .doc = "Who may come in to workloads: STRICT: the mesh alone; PERMISSIVE: anyone, and each is counted."},
	{.name = "conf", .doc = "Not read."},
	{.name = "config", .doc = "Not read: what older pages call conf."},
	{.name = "dpCert", .type = &eg_type_object, .fields = &dp_cert_schema, .doc = "Checked for its form."},
	{.name = "rootChain", .doc = "Not read."},
};
static const struct eg_schema backend_schema = {EG_SCHEMA_FIELDS(backend_fields)};

static int read_backend(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct mtls *mtls = target;
	struct backend backend = {};
	int r;

	r = eg_read_object(reader, node, &backend_schema, &backend);
	if (r < 0)
		return r;
	if (!backend.mode.is_set)
		backend.mode = (struct eg_optional_incoming){true, EG_INCOMING_STRICT, eg_reader_origin(reader, node)};
	return eg_array_push(&mtls->backends, backend);
}

static int read_backends(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			 void *target)
{
	int r;

	(void)field;
	r = eg_read_list(reader, node, read_backend, target);
	if (r < 0)
		return r;
	if (node->kind == EG_YAML_SEQUENCE && node->count > 1)
		eg_reader_error(reader, node, "cannot have more than 1 backends");
	return 0;
}
static const struct eg_type backends_type = {"list of backends", read_backends};

static const struct backend *find_backend(const struct mtls *mtls, const char *name)
{
	for (size_t i = 0; i < mtls->backends.len; i++)
		if (mtls->backends.items[i].name && strcmp(mtls->backends.items[i].name, name) == 0)
			return &mtls->backends.items[i];
	return NULL;
}

static int check_mtls(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct mtls *mtls = target;
	const struct eg_yaml_node *enabled = eg_get_field(node, "enabledBackend");
	size_t before;

	if (!mtls->enabled_backend || mtls->enabled_backend[0] == '\0' || find_backend(mtls, mtls->enabled_backend))
		return 0;
	before = eg_path_enter(reader, "enabledBackend");
	eg_reader_error(reader, enabled ? enabled : node, "has to be set to one of the backends in the mesh");
	eg_path_leave(reader, before);
	return 0;
}

static const struct eg_field mtls_fields[] = {
	{.name = "enabledBackend",
	 .type = &eg_type_string,
	 .offset = offsetof(struct mtls, enabled_backend),
	 .doc = "The backend in use; without it there is no mTLS."},
	{.name = "backends", .type = &backends_type, .fields = &backend_schema, .doc = "One at most."},
	{.name = "skipValidation", .doc = "Not read."},
	{.name = "enabled", .doc = "Not read: of releases before 0.4."},
	{.name = "ca", .doc = "Not read: of releases before 0.4."},
	{.name = "defaultBackend", .doc = "Not read: of releases before 0.6."},
};
static const struct eg_schema mtls_schema = {EG_SCHEMA_FIELDS(mtls_fields), .finish = check_mtls};

static int read_mtls(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		     void *target)
{
	struct mesh_document *document = target;

	document->mtls_node = node;
	return eg_read_object(reader, node, field->fields, &document->mtls);
}
static const struct eg_type mtls_type = {"object", read_mtls};

static const struct eg_field outbound_fields[] = {
	{.name = "passthrough",
	 .type = &eg_type_bool,
	 .offset = offsetof(struct mesh_document, passthrough),
	 .fallback = "true",
	 .doc = "Whether traffic to destinations outside the mesh may leave.",
	 .kuma3 = "ignores it silently and always behaves as if passthrough was true; a MeshPassthrough takes its place, "
		  "with passthroughMode: None for false"},
};
static const struct eg_schema outbound_schema = {EG_SCHEMA_FIELDS(outbound_fields)};

static const struct eg_field networking_fields[] = {
	{.name = "outbound", .type = &eg_type_object, .fields = &outbound_schema, .doc = "What leaves workloads."},
};
static const struct eg_schema networking_schema = {EG_SCHEMA_FIELDS(networking_fields)};

static const struct eg_field routing_fields[] = {
	{.name = "localityAwareLoadBalancing",
	 .doc = "Not read.",
	 .kuma3 = "ignores it; a MeshLoadBalancingStrategy takes its place"},
	{.name = "zoneEgress",
	 .type = &eg_type_bool,
	 .offset = offsetof(struct mesh_document, zone_egress),
	 .doc = "Needs mtls; not read else.",
	 .kuma3 = "ignores it; nothing takes its place"},
	{.name = "defaultForbidMeshExternalServiceAccess",
	 .doc = "Not read.",
	 .kuma3 = "ignores it; nothing takes its place"},
};
static const struct eg_schema routing_schema = {EG_SCHEMA_FIELDS(routing_fields)};

static bool has_mtls(const struct mesh_document *document)
{
	return document->mtls.enabled_backend && document->mtls.enabled_backend[0] != '\0';
}

static int check_mesh(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct mesh_document *document = target;
	const size_t before = eg_path_enter(reader, "mtls");

	if (document->zone_egress.value && !has_mtls(document))
		eg_reader_error(reader, document->mtls_node ? document->mtls_node : node,
				"has to be set when zoneEgress enabled");
	eg_path_leave(reader, before);
	return 0;
}

static const struct eg_field mesh_fields[] = {
	{.name = "networking", .type = &eg_type_object, .fields = &networking_schema, .doc = "See its fields."},
	{.name = "mtls", .type = &mtls_type, .fields = &mtls_schema,
	 .doc = "Who may come in to workloads, by the mode of the backend in use; who is of the mesh is told by address.",
	 .kuma3 = "ignores it; MeshIdentity and MeshTrust take its place, and a MeshTLS that of mode: PERMISSIVE"},
	{.name = "routing", .type = &eg_type_object, .fields = &routing_schema, .doc = "Not read."},
	{.name = "metrics", .doc = "Not read.", .kuma3 = "ignores it; a MeshMetric takes its place"},
	{.name = "tracing", .doc = "Not read.", .kuma3 = "ignores it; a MeshTrace takes its place"},
	{.name = "logging", .doc = "Not read.", .kuma3 = "ignores it; a MeshAccessLog takes its place"},
	{.name = "constraints", .doc = "Not read.", .kuma3 = "ignores it; nothing takes its place"},
	{.name = "meshServices", .doc = "Not read.", .kuma3 = "ignores it: its mode is always Exclusive"},
	{.name = "skipCreatingInitialPolicies", .doc = "Not read."},
};
const struct eg_schema eg_mesh_schema = {
	.name = "Mesh",
	.doc = "A mesh: whether what leaves it for elsewhere may pass.",
	EG_SCHEMA_FIELDS(mesh_fields),
	.finish = check_mesh,
};

/* Of the backend in use. */
static struct eg_optional_incoming incoming_of(const struct mesh_document *document)
{
	const struct backend *backend =
		has_mtls(document) ? find_backend(&document->mtls, document->mtls.enabled_backend) : NULL;

	return backend ? backend->mode : (struct eg_optional_incoming){};
}

int eg_mesh_read(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	_cleanup_(mesh_document_clear) struct mesh_document document = {};
	struct eg_mesh *mesh;
	int r;

	r = eg_read_object(reader, envelope->spec, &eg_mesh_schema, &document);
	if (r < 0)
		return r;
	mesh = eg_arena_alloc(&reader->model->arena, sizeof(*mesh));
	if (!mesh)
		return -ENOMEM;
	*mesh = (struct eg_mesh){envelope->name, envelope->origin, document.passthrough, incoming_of(&document)};
	return eg_array_push(&reader->model->meshes, mesh);
}
