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
};

struct draft {
	struct eg_policy_head *head;
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

static const struct eg_field conf_fields[] = {
	{.name = "mode",
	 .type = &eg_checked_choice,
	 .choices = modes,
	 .fallback = "Strict",
	 .doc = "Whether a workload accepts plain connections as well. Checked; incoming connections are not looked at."},
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
	struct item item = {.is_for_mesh = draft->head->target.kind == EG_TARGET_MESH};
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
						       &draft->head->target)
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
	eg_reader_say(reader, EG_SEVERITY_NOTE, node,
		      "not enforced yet: egressd does not look at incoming connections");
	return r;
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
	.doc = "How workloads take connections of the mesh. It is checked, and not enforced yet.",
	EG_SCHEMA_FIELDS(tls_fields),
	.finish = check_tls,
};

int eg_mesh_tls_read(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	struct draft draft = {.head = eg_arena_alloc(&reader->model->arena, sizeof(*draft.head))};
	int r = draft.head ? eg_policy_head_read(reader, envelope, draft.head) : -ENOMEM;

	return r < 0 ? r : eg_read_object(reader, envelope->spec, &eg_mesh_tls_schema, &draft);
}
