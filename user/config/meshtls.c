/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/kinds.h"

#include <errno.h>

#include "config/checked.h"
#include "config/targetref.h"

static const char *const modes[] = {"Strict", "Permissive", NULL};
static const char *const versions[] = {"TLSAuto", "TLS10", "TLS11", "TLS12", "TLS13", NULL};
static const char *const ciphers[] = {
	"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
	"ECDHE-RSA-AES128-GCM-SHA256",   "ECDHE-RSA-AES256-GCM-SHA384",   "ECDHE-RSA-CHACHA20-POLY1305",
	NULL,
};

/* An item of rules or from: whether the policy is for all of the mesh decides what it may set. */
struct item {
	bool is_for_mesh;
	struct eg_optional_incoming *incoming; /* of the policy: the last word holds */
};

struct draft {
	struct eg_mesh_tls *policy;
	const struct eg_yaml_node *target_ref;
	const struct eg_yaml_node *rules;
	const struct eg_yaml_node *from;
};

/* Both ends of a connection must agree on it. */
static bool is_refused(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		       const struct item *item)
{
	if (!item->is_for_mesh)
		eg_reader_error(reader, node, "%s can only be defined with top level targetRef kind: Mesh", field->name);
	return !item->is_for_mesh;
}

static const struct eg_field version_fields[] = {
	{.name = "min", .type = &eg_checked_choice, .choices = versions, .doc = "The lowest version."},
	{.name = "max", .type = &eg_checked_choice, .choices = versions, .doc = "The highest version."},
};
static const struct eg_schema version_schema = {EG_SCHEMA_FIELDS(version_fields)};

static int check_version(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			 void *target)
{
	return is_refused(reader, field, node, target) ? 0 : eg_read_object(reader, node, field->fields, NULL);
}
static const struct eg_type version_type = {"object", check_version};

static int check_cipher(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	size_t unread;

	eg_read_choice(reader, target, node, &unread);
	return 0;
}

static int check_ciphers(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			 void *target)
{
	const bool is_empty = node->kind == EG_YAML_SEQUENCE && node->count == 0;

	if (is_empty || is_refused(reader, field, node, target))
		return 0;
	return eg_read_list(reader, node, check_cipher, (void *)field);
}
static const struct eg_type ciphers_type = {"list of choices", check_ciphers};

static int read_mode(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		     void *target)
{
	const struct item *item = target;
	size_t choice;

	if (eg_read_choice(reader, field, node, &choice))
		*item->incoming = (struct eg_optional_incoming){
			true, choice == 0 ? EG_INCOMING_STRICT : EG_INCOMING_PERMISSIVE, eg_reader_origin(reader, node)};
	return 0;
}
static const struct eg_type mode_type = {"Strict or Permissive", read_mode};

static const struct eg_field conf_fields[] = {
	{.name = "mode",
	 .type = &mode_type,
	 .choices = modes,
	 .fallback = "that of the Mesh",
	 .doc = "Who may come in to a workload: Strict: the mesh alone; Permissive: anyone, and each is counted."},
	{.name = "tlsVersion",
	 .type = &version_type,
	 .fields = &version_schema,
	 .doc = "Checked; only for a policy of the whole mesh."},
	{.name = "tlsCiphers",
	 .type = &ciphers_type,
	 .choices = ciphers,
	 .doc = "Checked; only for a policy of the whole mesh."},
};
static const struct eg_schema conf_schema = {EG_SCHEMA_FIELDS(conf_fields)};

static int check_from_target(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			     void *target)
{
	struct eg_target unread = {};

	(void)field;
	(void)target;
	return eg_read_target_ref(reader, node, EG_TARGET_BIT(MESH), &unread);
}
static const struct eg_type from_target_type = {"object", check_from_target};

#define CONF_FIELD \
	{ \
		.name = "default", .type = &eg_type_object, .fields = &conf_schema, .doc = "What holds for them." \
	}

static const struct eg_field rule_fields[] = {CONF_FIELD};
static const struct eg_schema rule_schema = {EG_SCHEMA_FIELDS(rule_fields)};

static const struct eg_field from_fields[] = {
	{.name = "targetRef",
	 .type = &from_target_type,
	 .fields = &eg_target_ref_schema,
	 .missing = "must be defined",
	 .doc = "Whose connections it is about: of kind Mesh."},
	CONF_FIELD,
};
static const struct eg_schema from_schema = {EG_SCHEMA_FIELDS(from_fields)};

/* --- the document --- */

static int check_rule(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	return eg_read_object(reader, node, &rule_schema, target);
}

static int check_from(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	return eg_read_object(reader, node, &from_schema, target);
}

static int check_items(struct eg_reader *reader, const struct eg_yaml_node *node, const char *field,
		       int (*check)(struct eg_reader *reader, const struct eg_yaml_node *node, void *target),
		       const struct draft *draft)
{
	struct item item = {.is_for_mesh = draft->policy->head.target.kind == EG_TARGET_MESH,
			    .incoming = &draft->policy->incoming};
	const size_t before = eg_path_enter(reader, field);
	int r = node ? eg_read_list(reader, node, check, &item) : 0;

	eg_path_leave(reader, before);
	return r;
}

static bool has_items(const struct eg_yaml_node *node)
{
	return node && node->kind == EG_YAML_SEQUENCE && node->count > 0;
}

static int read_target_ref(struct eg_reader *reader, const struct draft *draft)
{
	const bool is_inbound = has_items(draft->rules) || has_items(draft->from);
	const size_t before = eg_path_enter(reader, "targetRef");
	int r = draft->target_ref ? eg_read_target_ref(reader, draft->target_ref,
						       EG_TARGET_BIT(MESH) | EG_TARGET_BIT(DATAPLANE) |
							       EG_TARGET_BIT(MESH_SUBSET) |
							       (is_inbound ? EG_TARGET_SECTIONS : 0),
						       &draft->policy->head.target)
				  : 0;

	eg_path_leave(reader, before);
	return r;
}

/* Whom the policy is for is looked at first: what else may be there depends on it. */
static int check_tls(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct draft *draft = target;
	int r = read_target_ref(reader, draft);

	if (has_items(draft->rules) && has_items(draft->from))
		eg_reader_error(reader, node, "field 'from' must be empty when 'rules' is defined");
	if (r == 0)
		r = check_items(reader, draft->rules, "rules", check_rule, draft);
	if (r == 0)
		r = check_items(reader, draft->from, "from", check_from, draft);
	return r;
}

/* One inbound is not told apart from the others: the policy would be looser or tighter than it says. */
static void leave_out_sections(struct eg_reader *reader, const struct draft *draft)
{
	const struct eg_yaml_node *section = draft->target_ref ? eg_get_field(draft->target_ref, "sectionName") : NULL;

	draft->policy->is_of_inbound = section && section->kind == EG_YAML_SCALAR && !eg_yaml_is_null(section) &&
				       section->text[0] != '\0';
	if (draft->policy->is_of_inbound && draft->policy->incoming.is_set)
		eg_reader_say(reader, EG_SEVERITY_WARNING, section,
			      "its mode changes nothing here: one inbound is not told apart from the others");
}

static const struct eg_type target_ref_type = {"object", eg_read_node};
static const struct eg_type rules_type = {"list of rules", eg_read_node};

static const struct eg_field tls_fields[] = {
	{.name = "targetRef",
	 .type = &target_ref_type,
	 .offset = offsetof(struct draft, target_ref),
	 .fields = &eg_target_ref_schema,
	 .fallback = "every workload of the mesh",
	 .doc = "Which workloads the policy is for: of kind Mesh, Dataplane or MeshSubset."},
	{.name = "rules",
	 .type = &rules_type,
	 .offset = offsetof(struct draft, rules),
	 .fields = &rule_schema,
	 .doc = "What holds for their incoming connections."},
	{.name = "from",
	 .type = &rules_type,
	 .offset = offsetof(struct draft, from),
	 .fields = &from_schema,
	 .doc = "The older form of rules, which cannot stand beside it.",
	 .kuma3 = "ignores it; rules take its place"},
};
const struct eg_schema eg_mesh_tls_schema = {
	.name = "MeshTLS",
	.doc = "Who may come in to workloads. Of several the most specific one with a mode holds, before the Mesh.",
	EG_SCHEMA_FIELDS(tls_fields),
	.finish = check_tls,
};

int eg_mesh_tls_read(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	struct draft draft = {.policy = eg_arena_alloc(&reader->model->arena, sizeof(*draft.policy))};
	int r = draft.policy ? eg_policy_head_read(reader, envelope, &draft.policy->head) : -ENOMEM;

	if (r == 0)
		r = eg_read_object(reader, envelope->spec, &eg_mesh_tls_schema, &draft);
	if (r < 0)
		return r;
	leave_out_sections(reader, &draft);
	return eg_array_push(&reader->model->tls, draft.policy);
}
