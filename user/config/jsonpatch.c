/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/jsonpatch.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/envoy.h"

/* What there is to point at is not as deep. */
#define TOKENS_MAX 16

/* --- where a pointer leads --- */

enum place_kind {
	PLACE_REFUSED, /* nowhere, with a finding */
	PLACE_INERT,   /* where no setting is */
	PLACE_OBJECT,
	PLACE_LIST,
	PLACE_LEAF,
};

struct place {
	enum place_kind kind;
	const struct eg_schema *object; /* of an OBJECT, or of the items of a LIST */
	const struct eg_field *field;   /* the last one on the way; NULL: the resource itself */
	bool is_item;                   /* of the field's list */
};

struct draft {
	const struct eg_yaml_node *op_node;
	const struct eg_yaml_node *path_node;
	const struct eg_yaml_node *from_node;
	const struct eg_yaml_node *value_node; /* NULL: left out; it may be null */
	size_t op;                             /* enum eg_json_op */
	struct eg_json_patch patch;
	struct place path;
	struct place from;
};

struct item {
	struct eg_json_patches *patches;
	const struct eg_schema *resource;
};

/* Decodes ~1 and ~0 in place. */
static void decode(char *token)
{
	char *to = token;

	for (const char *from = token; *from; from++) {
		if (from[0] == '~' && (from[1] == '0' || from[1] == '1'))
			*to++ = *++from == '1' ? '/' : '~';
		else
			*to++ = *from;
	}
	*to = '\0';
}

/* False after a finding. */
static bool count_tokens(struct eg_reader *reader, const struct eg_yaml_node *node, const char *text, size_t *ret_count)
{
	size_t count = 0;

	for (const char *c = text; *c; c++)
		count += *c == '/';
	*ret_count = count;
	if (text[0] != '\0' && text[0] != '/')
		eg_reader_error(reader, node, "must begin with /, or be empty for all of it");
	else if (count > TOKENS_MAX)
		eg_reader_error(reader, node, "leads deeper than there is anything");
	else
		return true;
	return false;
}

/* Its tokens are NULL after a finding. */
static int split(struct eg_reader *reader, const struct eg_yaml_node *node, const char *text,
		 struct eg_pointer *ret_pointer)
{
	struct eg_pointer pointer = {};
	size_t count;
	char *copy;

	*ret_pointer = pointer;
	if (!count_tokens(reader, node, text, &count))
		return 0;
	pointer.tokens = eg_arena_alloc(&reader->model->arena, (count + 1) * sizeof(pointer.tokens[0]));
	pointer.text = eg_arena_strdup(&reader->model->arena, text);
	copy = eg_arena_strdup(&reader->model->arena, text);
	if (!pointer.tokens || !pointer.text || !copy)
		return -ENOMEM;
	for (char *token = copy; token && count > 0;) {
		char *slash = strchr(++token, '/');

		if (slash)
			*slash = '\0';
		decode(token);
		pointer.tokens[pointer.len++] = token;
		token = slash;
	}
	*ret_pointer = pointer;
	return 0;
}

/* Kuma takes any: an `add` of what Envoy does not know is lost, and nothing else applies. */
static enum place_kind judge_unknown(struct eg_reader *reader, const struct eg_yaml_node *node,
				     const struct eg_schema *schema, const char *token)
{
	const char *meant = eg_field_suggest(schema, token);

	if (meant)
		eg_reader_error(reader, node, "leads to an unknown field \"%.64s\"; did you mean \"%s\"?", token, meant);
	else
		eg_reader_say(reader, EG_SEVERITY_WARNING, node,
			      "leads to a field \"%.64s\" that Envoy does not have: it changes nothing", token);
	return PLACE_REFUSED;
}

/* A step to a field. Its name becomes the one that Kuma knows. */
static void enter_field(struct eg_reader *reader, const struct eg_yaml_node *node, const char **token,
			struct place *place)
{
	const struct eg_field *field = eg_field_find(place->object, *token);

	if (!field) {
		place->kind = judge_unknown(reader, node, place->object, *token);
		return;
	}
	if (strcmp(field->name, *token) != 0)
		eg_reader_say(reader, EG_SEVERITY_WARNING, node,
			      "read as \"%s\": in the paths of Kuma there is no \"%.64s\"", field->name, *token);
	*token = field->name;
	place->is_item = false;
	place->field = field;
	place->object = field->fields;
	if (!eg_envoy_is_setting(field))
		place->kind = PLACE_INERT;
	else if (!field->fields)
		place->kind = PLACE_LEAF;
	else
		place->kind = eg_field_is_list(field) ? PLACE_LIST : PLACE_OBJECT;
}

static void enter_item(struct eg_reader *reader, const struct eg_yaml_node *node, const char *token,
		       struct place *place)
{
	const char *digits = token + (token[0] == '-');

	place->kind = PLACE_OBJECT;
	place->is_item = true;
	if (strcmp(token, "-") == 0 || (*digits && digits[strspn(digits, "0123456789")] == '\0'))
		return;
	eg_reader_error(reader, node, "\"%.64s\" is no place in a list: write its number, or - for behind the last",
			token);
	place->kind = PLACE_REFUSED;
}

static struct place walk(struct eg_reader *reader, const struct eg_yaml_node *node, const struct eg_schema *resource,
			 struct eg_pointer *pointer)
{
	struct place place = {.kind = PLACE_OBJECT, .object = resource};

	for (size_t i = 0; i < pointer->len && place.kind > PLACE_INERT; i++) {
		if (place.kind == PLACE_LEAF) {
			eg_reader_error(reader, node, "leads into %s, which has nothing inside", place.field->name);
			place.kind = PLACE_REFUSED;
		} else if (place.kind == PLACE_LIST) {
			enter_item(reader, node, pointer->tokens[i], &place);
		} else {
			enter_field(reader, node, &pointer->tokens[i], &place);
		}
	}
	return place;
}

/* Kuma looks into typedConfig by itself, and takes this for an unknown field, which it ignores. */
static void drop_typed_config(struct eg_reader *reader, const struct eg_yaml_node *node, struct eg_pointer *pointer)
{
	if (pointer->len == 0 || (strcmp(pointer->tokens[0], EG_TYPED_CONFIG) != 0 &&
				  strcmp(pointer->tokens[0], EG_TYPED_CONFIG_SNAKE) != 0))
		return;
	eg_reader_say(reader, EG_SEVERITY_WARNING, node,
		      "read without \"/%s\": paths of Kuma begin inside of it, and this one changes nothing there",
		      pointer->tokens[0]);
	pointer->tokens++;
	pointer->len--;
}

static int read_pointer(struct eg_reader *reader, const char *field, const struct eg_yaml_node *node,
			const struct eg_schema *resource, struct eg_pointer *ret_pointer, struct place *ret_place)
{
	const size_t before = eg_path_enter(reader, field);
	const char *text = eg_read_text(reader, node);
	int r = text ? split(reader, node, text, ret_pointer) : 0;

	*ret_place = (struct place){.kind = PLACE_REFUSED};
	if (r == 0 && ret_pointer->tokens && resource == &eg_envoy_tcp_proxy_schema)
		drop_typed_config(reader, node, ret_pointer);
	if (r == 0 && ret_pointer->tokens && resource)
		*ret_place = walk(reader, node, resource, ret_pointer);
	eg_path_leave(reader, before);
	return r;
}

/* --- the value --- */

/* What stands at the path is read as it is read within a whole resource. */
static int read_at(struct eg_reader *reader, const struct eg_yaml_node *node, const struct place *place,
		   struct eg_tree *holder)
{
	const struct eg_yaml_node *items[] = {node};
	const struct eg_yaml_node list = {
		.kind = EG_YAML_SEQUENCE, .items = items, .count = 1, .line = node->line, .column = node->column};

	if (!place->field)
		return eg_read_object(reader, node, place->object, holder);
	return place->field->type->read(reader, place->field, place->is_item ? &list : node, holder);
}

/* Of fields that may be misplaced only those of the resource are meant. */
static int read_value(struct eg_reader *reader, const struct draft *draft, const struct eg_schema *resource,
		      const struct eg_tree **ret_value)
{
	const struct eg_schema *outer_kind = reader->kind, *outer_envelope = reader->envelope;
	const bool outer_is_in_spec = reader->is_in_spec;
	struct eg_tree *holder = eg_tree_new(&reader->model->arena, EG_TREE_OBJECT, NULL), *value;
	const size_t before = eg_path_enter(reader, "value");
	int r = holder ? 0 : -ENOMEM;

	reader->kind = resource;
	reader->envelope = NULL;
	reader->is_in_spec = false;
	if (r == 0)
		r = read_at(reader, draft->value_node, &draft->path, holder);
	reader->kind = outer_kind;
	reader->envelope = outer_envelope;
	reader->is_in_spec = outer_is_in_spec;
	eg_path_leave(reader, before);
	if (r < 0)
		return r;
	value = draft->path.field ? holder->first : holder;
	*ret_value = value && draft->path.is_item ? value->first : value;
	return 0;
}

/* --- one patch --- */

static const char *const ops[] = {
	[EG_JSON_ADD] = "add",   [EG_JSON_REMOVE] = "remove", [EG_JSON_REPLACE] = "replace",
	[EG_JSON_MOVE] = "move", [EG_JSON_COPY] = "copy",     NULL,
};

static const struct eg_type op_type = {"choice", eg_read_node};
static const struct eg_type pointer_type = {"path, as /connectTimeout", eg_read_node};
static const struct eg_type value_type = {"anything", eg_read_node};

static int finish_patch(struct eg_reader *reader, const struct eg_yaml_node *node, void *target);

static const struct eg_field patch_fields[] = {
	{.name = "op",
	 .type = &op_type,
	 .choices = ops,
	 .offset = offsetof(struct draft, op_node),
	 .missing = "\"op\" must be one of [\"add\", \"remove\", \"replace\", \"move\", \"copy\"]",
	 .doc = "What is done, as RFC 6902 has it. Of these add makes what it needs on its way, and remove of what is not "
		"there does nothing."},
	{.name = "path",
	 .type = &pointer_type,
	 .offset = offsetof(struct draft, path_node),
	 .missing = "must be defined",
	 .doc = "Where, in camelCase: of a cluster /circuitBreakers/thresholds/0/maxConnections, of a filter what its "
		"typedConfig has, /idleTimeout. Lists count from 0, from the end with -1, and - is behind the last."},
	{.name = "from",
	 .type = &pointer_type,
	 .offset = offsetof(struct draft, from_node),
	 .doc = "Of move and copy: what is moved or copied."},
	{.name = "value", .type = &value_type, .offset = offsetof(struct draft, value_node), .doc = "Of add and replace."},
};
const struct eg_schema eg_json_patch_schema = {EG_SCHEMA_FIELDS(patch_fields), .finish = finish_patch};

static bool takes_from(const struct draft *draft)
{
	return draft->op == EG_JSON_MOVE || draft->op == EG_JSON_COPY;
}

static bool takes_value(const struct draft *draft)
{
	return draft->op == EG_JSON_ADD || draft->op == EG_JSON_REPLACE;
}

/* What an operation must have, and what it must not. */
static bool check_parts(struct eg_reader *reader, const struct eg_yaml_node *node, const struct draft *draft)
{
	bool is_good = true;

	if (takes_from(draft) != !!draft->from_node) {
		eg_reader_error_at(reader, draft->from_node ? draft->from_node : node, "from",
				   "\"from\" %s when \"op\" is one of [\"move\", \"copy\"]",
				   draft->from_node ? "is allowed only" : "must not be empty");
		is_good = false;
	}
	if (takes_value(draft) != !!draft->value_node) {
		eg_reader_error_at(reader, draft->value_node ? draft->value_node : node, "value",
				   "\"value\" %s when \"op\" is one of [\"add\", \"replace\"]",
				   draft->value_node ? "is allowed only" : "must not be empty");
		is_good = false;
	}
	return is_good;
}

/* All of a resource cannot go, nor can anything be moved into itself. */
static bool check_paths(struct eg_reader *reader, const struct draft *draft)
{
	const struct eg_pointer *path = &draft->patch.path, *from = &draft->patch.from;
	const bool takes_away = draft->op == EG_JSON_REMOVE || (draft->value_node && eg_yaml_is_null(draft->value_node));
	bool is_inside = draft->op == EG_JSON_MOVE && from->len < path->len;

	if (!path->tokens || (takes_from(draft) && !from->tokens))
		return false;
	if (takes_away && (path->len == 0 || strcmp(path->text, "/") == 0)) {
		eg_reader_error_at(reader, draft->path_node, "path", "root path cannot be removed");
		return false;
	}
	for (size_t i = 0; is_inside && i < from->len; i++)
		is_inside = strcmp(from->tokens[i], path->tokens[i]) == 0;
	if (is_inside)
		eg_reader_error_at(reader, draft->path_node, "path", "leads into what is moved");
	return !is_inside;
}

static bool is_same_kind(const struct place *a, const struct place *b)
{
	return a->kind == b->kind && a->object == b->object && a->is_item == b->is_item &&
	       (a->kind != PLACE_LEAF || a->field->type == b->field->type);
}

static int note_inert(struct eg_reader *reader, const struct draft *draft)
{
	const struct eg_yaml_node *node = draft->value_node ? draft->value_node : draft->path_node;
	const size_t before = eg_path_enter(reader, "path");

	eg_envoy_note(reader, draft->path.field, node);
	eg_path_leave(reader, before);
	return 0;
}

/* What is moved or copied has to be something that fits. */
static bool check_from(struct eg_reader *reader, struct draft *draft)
{
	if (draft->from.kind == PLACE_INERT)
		eg_reader_error_at(reader, draft->from_node, "from", "what stands there is not known here");
	else if (!is_same_kind(&draft->from, &draft->path))
		eg_reader_error_at(reader, draft->from_node, "from", "what stands there does not fit at the path");
	else
		return true;
	return false;
}

static int push(struct eg_reader *reader, const struct eg_yaml_node *node, struct draft *draft,
		struct eg_json_patches *patches)
{
	int r = eg_read_copy(reader, reader->path, &draft->patch.place);

	draft->patch.op = (enum eg_json_op)draft->op;
	draft->patch.origin = eg_reader_origin(reader, node);
	return r < 0 ? r : eg_array_push(&patches->list, draft->patch);
}

/* A patch of one of our resources whose parts and pointers are in order. */
static int keep_patch(struct eg_reader *reader, const struct eg_yaml_node *node, struct draft *draft,
		      const struct item *item)
{
	const bool has_value = draft->value_node && !eg_yaml_is_null(draft->value_node);

	/* Moved to where nothing acts: it is gone from where it was. */
	if (draft->path.kind == PLACE_INERT && draft->op == EG_JSON_MOVE && draft->from.kind > PLACE_INERT) {
		draft->op = EG_JSON_REMOVE;
		draft->patch.path = draft->patch.from;
		return push(reader, node, draft, item->patches);
	}
	if (draft->path.kind == PLACE_INERT)
		return note_inert(reader, draft);
	if (takes_from(draft) && !check_from(reader, draft))
		return 0;
	if (has_value) {
		int r = read_value(reader, draft, item->resource, &draft->patch.value);

		/* Without it there is a finding: nothing would mean null. */
		if (r < 0 || !draft->patch.value)
			return r;
	}
	return push(reader, node, draft, item->patches);
}

static int finish_patch(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct draft *draft = target;

	/* A null is a value of its own, which a reader of fields takes for one left out. */
	draft->value_node = eg_yaml_get(node, "value");
	(void)reader;
	return 0;
}

static int read_pointers(struct eg_reader *reader, struct draft *draft, const struct eg_schema *resource)
{
	int r = 0;

	if (draft->path_node)
		r = read_pointer(reader, "path", draft->path_node, resource, &draft->patch.path, &draft->path);
	if (r == 0 && draft->from_node)
		r = read_pointer(reader, "from", draft->from_node, resource, &draft->patch.from, &draft->from);
	return r;
}

static bool read_op(struct eg_reader *reader, struct draft *draft)
{
	const size_t before = eg_path_enter(reader, "op");
	const bool is_good = draft->op_node && eg_read_choice(reader, &patch_fields[0], draft->op_node, &draft->op);

	eg_path_leave(reader, before);
	return is_good;
}

static int read_patch(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct item *item = target;
	struct draft draft = {};
	int r = eg_read_object(reader, node, &eg_json_patch_schema, &draft);

	if (r < 0 || node->kind != EG_YAML_MAPPING || !read_op(reader, &draft))
		return r;
	r = read_pointers(reader, &draft, item->resource);
	if (r < 0)
		return r;
	if (!check_parts(reader, node, &draft) || !draft.path_node || !check_paths(reader, &draft) || !item->resource)
		return 0;
	if (draft.path.kind == PLACE_REFUSED || (takes_from(&draft) && draft.from.kind == PLACE_REFUSED))
		return 0;
	return keep_patch(reader, node, &draft, item);
}

int eg_json_patches_read(struct eg_reader *reader, const struct eg_yaml_node *node, const struct eg_schema *resource,
			 struct eg_json_patches *patches)
{
	struct item item = {patches, resource};

	return eg_read_list(reader, node, read_patch, &item);
}
