/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/kinds.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/checked.h"
#include "config/envoy.h"
#include "config/modification.h"
#include "config/selectors.h"

/* --- selectors --- */

static int read_selector(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct eg_proxy_template *template = target;
	struct eg_tags tags = {};
	int r;

	r = eg_read_object(reader, node, &eg_selector_schema, &tags);
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
	static const struct {
		const char *name;
		bool is_of_workloads;
	} profiles[] = {
		{"default-proxy", true},
		{"egress-proxy", false},
		{"gateway-proxy", true},
		{"ingress-proxy", false},
	};
	struct eg_proxy_template *template = target;
	const char *text = eg_read_text(reader, node);

	for (size_t i = 0; text && i < EG_COUNT_OF(profiles); i++)
		if (strcmp(text, profiles[i].name) == 0) {
			template->imports_proxy |= profiles[i].is_of_workloads;
			return 0;
		}
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

static int read_raw(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		    void *target)
{
	(void)field;
	(void)target;
	return eg_envoy_check_typed(reader, node);
}
static const struct eg_type raw_type = {"YAML in a text", read_raw};

static const struct eg_field resource_fields[] = {
	{.name = "name", .type = &eg_checked_nonempty_text, .missing = "cannot be empty", .doc = "Not read."},
	{.name = "version", .type = &eg_checked_nonempty_text, .missing = "cannot be empty", .doc = "Not read."},
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

/* --- the document --- */

static int read_modifications(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			      void *target)
{
	struct eg_proxy_template *template = target;

	(void)field;
	return eg_template_modifications_read(reader, node, &template->modifications);
}
static const struct eg_type modifications_type = {"list of modifications", read_modifications};

static const struct eg_field conf_fields[] = {
	{.name = "imports",
	 .type = &imports_type,
	 .doc = "What Kuma generates before the modifications: default-proxy. Without it a proxy of Kuma has no listener; "
		"here passthrough is there whatever is imported, and a warning says so."},
	{.name = "resources",
	 .type = &resources_type,
	 .fields = &resource_schema,
	 .doc = "Whole resources of Envoy's, checked for their form. None has an effect."},
	{.name = "modifications",
	 .type = &modifications_type,
	 .fields = &eg_template_modification_schema,
	 .doc = "Applied in their order, behind those of MeshProxyPatches."},
};
static const struct eg_schema conf_schema = {EG_SCHEMA_FIELDS(conf_fields)};

static const struct eg_field template_fields[] = {
	{.name = "selectors",
	 .type = &selectors_type,
	 .fields = &eg_selector_schema,
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
