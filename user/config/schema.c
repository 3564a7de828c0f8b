/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/schema.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/suggest.h"

/* A mapping of more keys is nobody's typing, and each is compared with each field. */
#define MISSPELT_AMONG_MAX 1000
#define NS_PER_MS 1000000

/* --- the path of a finding --- */

__attribute__((format(printf, 2, 3))) static size_t extend_path(struct eg_reader *reader, const char *format, ...)
{
	const size_t before = reader->path_len, room = sizeof(reader->path) - before;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(reader->path + before, room, format, args);
	va_end(args);
	reader->path_len += len < 0 ? 0 : (size_t)len < room ? (size_t)len : room - 1;
	return before;
}

size_t eg_path_enter(struct eg_reader *reader, const char *field)
{
	return extend_path(reader, "%s%.100s", reader->path_len > 0 ? "." : "", field);
}

size_t eg_path_enter_key(struct eg_reader *reader, const char *key)
{
	return extend_path(reader, "[\"%.100s\"]", key);
}

size_t eg_path_enter_index(struct eg_reader *reader, size_t index)
{
	return extend_path(reader, "[%zu]", index);
}

void eg_path_leave(struct eg_reader *reader, size_t before)
{
	reader->path_len = before;
	reader->path[before] = '\0';
}

struct eg_origin eg_reader_origin(const struct eg_reader *reader, const struct eg_yaml_node *node)
{
	return (struct eg_origin){reader->file, node->line, node->column};
}

static void say(struct eg_reader *reader, enum eg_severity severity, const struct eg_yaml_node *node,
		const char *format, va_list args)
{
	char text[1024];

	if (reader->says_errors_alone && severity != EG_SEVERITY_ERROR)
		return;
	vsnprintf(text, sizeof(text), format, args);
	eg_diag_add(reader->diag, severity, eg_reader_origin(reader, node), reader->path, "%s", text);
}

void eg_reader_say(struct eg_reader *reader, enum eg_severity severity, const struct eg_yaml_node *node,
		   const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(reader, severity, node, format, args);
	va_end(args);
}

void eg_reader_error(struct eg_reader *reader, const struct eg_yaml_node *node, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(reader, EG_SEVERITY_ERROR, node, format, args);
	va_end(args);
}

bool eg_reader_is_full(const struct eg_reader *reader)
{
	return *reader->addresses > EG_ADDRESSES_MAX;
}

void eg_reader_error_at(struct eg_reader *reader, const struct eg_yaml_node *node, const char *field,
			const char *format, ...)
{
	const size_t before = eg_path_enter(reader, field);
	va_list args;

	va_start(args, format);
	say(reader, EG_SEVERITY_ERROR, node, format, args);
	va_end(args);
	eg_path_leave(reader, before);
}

bool eg_reader_take_address(struct eg_reader *reader, const struct eg_yaml_node *node)
{
	if (*reader->addresses < EG_ADDRESSES_MAX) {
		++*reader->addresses;
		return true;
	}
	/* Once is enough: the place is where the limit was passed. */
	if (*reader->addresses == EG_ADDRESSES_MAX)
		eg_reader_error(reader, node, "more than %u addresses and ports in one policy; use wider ranges",
				EG_ADDRESSES_MAX);
	*reader->addresses = EG_ADDRESSES_MAX + 1;
	return false;
}

/* --- values --- */

/* YAML 1.1 has y and n for booleans. Where a text is wanted they can only be a text. */
static bool is_letter(const struct eg_yaml_node *node)
{
	return node->meaning == EG_YAML_BOOL && node->text[1] == '\0';
}

const char *eg_read_text(struct eg_reader *reader, const struct eg_yaml_node *node)
{
	if (node->kind != EG_YAML_SCALAR) {
		eg_reader_error(reader, node, "must be a text, not %s", eg_yaml_describe(node));
		return NULL;
	}
	if (node->meaning == EG_YAML_TEXT || is_letter(node))
		return node->text;
	if (node->meaning == EG_YAML_NULL)
		eg_reader_error(reader, node, "must be a text; nothing is written here");
	else
		eg_reader_error(reader, node, "must be a text, and %.64s is %s: write \"%.64s\"", node->text,
				eg_yaml_describe(node), node->text);
	return NULL;
}

/* What stands there, for a message. */
static const char *written(const struct eg_yaml_node *node)
{
	return node->kind == EG_YAML_SCALAR ? node->text : eg_yaml_describe(node);
}

int eg_read_copy(struct eg_reader *reader, const char *text, const char **ret_copy)
{
	*ret_copy = eg_arena_strdup(&reader->model->arena, text);
	return *ret_copy ? 0 : -ENOMEM;
}

/* "a", "b", "c" as far as there is room. */
static size_t list_choices(const char *const *choices, char *buffer, size_t size)
{
	size_t len = 0, count = 0;

	for (; choices[count]; count++)
		if (len < size)
			len += (size_t)snprintf(buffer + len, size - len, "%s\"%s\"", count > 0 ? ", " : "", choices[count]);
	return count;
}

bool eg_read_choice(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		    size_t *ret_index)
{
	const char *meant;
	char list[512];
	size_t count;

	for (size_t i = 0; node->kind == EG_YAML_SCALAR && field->choices[i]; i++)
		if (strcmp(node->text, field->choices[i]) == 0) {
			*ret_index = i;
			return true;
		}
	count = list_choices(field->choices, list, sizeof(list));
	meant = node->kind == EG_YAML_SCALAR ? eg_suggest(node->text, field->choices, count) : NULL;
	if (meant)
		eg_reader_error(reader, node, "\"%s\" must be one of [%s]; did you mean \"%s\"?", field->name, list,
				meant);
	else
		eg_reader_error(reader, node, "\"%s\" must be one of [%s], not %.64s", field->name, list,
				written(node));
	return false;
}

static int read_string(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		       void *target)
{
	const char *text = eg_read_text(reader, node);

	(void)field;
	return text ? eg_read_copy(reader, text, target) : 0;
}
const struct eg_type eg_type_string = {"text", read_string};

static int read_bool(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		     void *target)
{
	struct eg_optional_bool *value = target;

	(void)field;
	if (node->kind != EG_YAML_SCALAR || node->meaning != EG_YAML_BOOL) {
		eg_reader_error(reader, node, "must be true or false, without quotes, not %s%.64s",
				node->kind == EG_YAML_SCALAR ? "the text " : "", written(node));
		return 0;
	}
	*value = (struct eg_optional_bool){true, eg_yaml_bool(node), eg_reader_origin(reader, node)};
	return 0;
}
const struct eg_type eg_type_bool = {"boolean", read_bool};

/* "65536" and "-1" are out of range, "http" is no number at all. */
static bool looks_numeric(const struct eg_yaml_node *node)
{
	const char *digits = node->text + (node->text[0] == '-');

	return *digits && digits[strspn(digits, "0123456789")] == '\0' && (digits[0] != '0' || digits[1] == '\0');
}

bool eg_read_u16(struct eg_reader *reader, const struct eg_yaml_node *node, uint16_t min, const char *refusal,
		 uint16_t *ret_value)
{
	uint16_t value;

	if (node->kind != EG_YAML_SCALAR || !looks_numeric(node)) {
		eg_reader_error(reader, node, "must be a whole number in decimal digits, not %.64s", written(node));
		return false;
	}
	if (eg_parse_u16(node->text, &value) < 0 || value < min) {
		eg_reader_error(reader, node, "%s", refusal);
		return false;
	}
	*ret_value = value;
	return true;
}

#define PORT_REFUSAL "port must be in the range [1, 65535]"

static int read_port(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		     void *target)
{
	(void)field;
	eg_read_u16(reader, node, 1, PORT_REFUSAL, target);
	return 0;
}
const struct eg_type eg_type_port = {"port from 1 to 65535", read_port};

static int read_optional_port(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			      void *target)
{
	(void)field;
	eg_read_u16(reader, node, 0, PORT_REFUSAL, target);
	return 0;
}
const struct eg_type eg_type_optional_port = {"port from 1 to 65535; 0 is as if left out", read_optional_port};

static int read_errno(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		      void *target)
{
	struct eg_optional_errno *value = target;

	(void)field;
	if (node->kind != EG_YAML_SCALAR || eg_parse_errno(node->text, &value->value) < 0) {
		eg_reader_error(reader, node, "must be one of %s, or a number in the range [1, 4095]", EG_ERRNO_NAMES);
		return 0;
	}
	value->origin = eg_reader_origin(reader, node);
	return 0;
}
const struct eg_type eg_type_errno = {"one of " EG_ERRNO_NAMES ", or a number from 1 to 4095", read_errno};

static int read_u32(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		    void *target)
{
	uint32_t value;

	(void)field;
	if (node->kind != EG_YAML_SCALAR || eg_parse_u32(node->text, &value) < 0) {
		eg_reader_error(reader, node, "must be a whole number in the range [0, %u], not %.64s", UINT32_MAX,
				written(node));
		return 0;
	}
	*(struct eg_optional_number *)target = (struct eg_optional_number){true, value, eg_reader_origin(reader, node)};
	return 0;
}
const struct eg_type eg_type_u32 = {"whole number from 0 to 4294967295", read_u32};

/* The bare number 10 has no unit, and nobody knows which was meant. Kuma refuses 0 too, unless it is quoted. */
bool eg_read_duration(struct eg_reader *reader, const struct eg_yaml_node *node, int64_t *ret_ns)
{
	if (node->kind != EG_YAML_SCALAR || node->meaning != EG_YAML_TEXT ||
	    eg_parse_duration(node->text, ret_ns) < 0) {
		eg_reader_error(reader, node, "must be a duration with its unit, as 500ms, 10s or 1h30m, not %.64s",
				written(node));
		return false;
	}
	return true;
}

bool eg_read_interval(struct eg_reader *reader, const struct eg_yaml_node *node, uint64_t min_ms, uint64_t max_ms,
			  struct eg_optional_number *ret_number)
{
	char min[EG_DURATION_TEXT_MAX], max[EG_DURATION_TEXT_MAX];
	int64_t ns;

	if (!eg_read_duration(reader, node, &ns))
		return false;
	if (ns < 0 || (uint64_t)ns < min_ms * NS_PER_MS || (uint64_t)ns > max_ms * NS_PER_MS) {
		eg_reader_error(reader, node, "must be in the range [%s, %s]", eg_format_duration(min_ms, min),
				eg_format_duration(max_ms, max));
		return false;
	}
	*ret_number = (struct eg_optional_number){true, (uint64_t)ns / NS_PER_MS, eg_reader_origin(reader, node)};
	return true;
}

static int read_nested(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		       void *target)
{
	return eg_read_object(reader, node, field->fields, target);
}
const struct eg_type eg_type_object = {"object", read_nested};

int eg_read_node(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node, void *target)
{
	(void)reader;
	(void)field;
	*(const struct eg_yaml_node **)target = node;
	return 0;
}

static int read_text_node(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			  void *target)
{
	return eg_read_text(reader, node) ? eg_read_node(reader, field, node, target) : 0;
}
const struct eg_type eg_type_text_node = {"text", read_text_node};

/* --- YAML in a text --- */

/* The same text may stand behind many aliases. */
static bool take_text(struct eg_reader *reader, const struct eg_yaml_node *node)
{
	*reader->text_bytes += strlen(node->text);
	if (*reader->text_bytes <= EG_YAML_BYTES_MAX)
		return true;
	eg_reader_error(reader, node, "more than 16 MiB of native Envoy resources in one policy");
	return false;
}

static int read_only_document(struct eg_reader *reader, const struct eg_yaml_node *node, struct eg_yaml_stream *stream,
			      int (*root)(struct eg_reader *reader, const struct eg_yaml_node *root, void *target),
			      void *target)
{
	const struct eg_yaml_node *document;
	int r = eg_yaml_next(stream, &document);

	if (r == 0)
		eg_reader_error(reader, node, "native Envoy resource is not valid: it is empty");
	if (r <= 0)
		return r == -ENOMEM ? r : 0;
	r = root(reader, document, target);
	if (r == 0 && eg_yaml_next(stream, &document) > 0)
		eg_reader_error(reader, document, "native Envoy resource is not valid: more than one document");
	return r;
}

int eg_read_yaml_text(struct eg_reader *reader, const struct eg_yaml_node *node, const struct eg_schema *kind,
		      int (*root)(struct eg_reader *reader, const struct eg_yaml_node *root, void *target),
		      void *target)
{
	const struct eg_schema *outer_kind = reader->kind, *outer_envelope = reader->envelope;
	const bool outer_is_in_spec = reader->is_in_spec;
	_cleanup_(eg_yaml_closep) struct eg_yaml_stream *stream = NULL;
	char path[EG_PATH_MAX];
	int r;

	if (node->kind != EG_YAML_SCALAR) {
		eg_reader_error(reader, node, "must be a text that is YAML itself: put a | behind the colon");
		return 0;
	}
	if (!take_text(reader, node))
		return 0;
	memcpy(path, reader->path, sizeof(path));
	stream = eg_yaml_open_text(reader->file, node, path, reader->diag);
	if (!stream)
		return -ENOMEM;
	reader->kind = kind;
	reader->envelope = NULL;
	reader->is_in_spec = false;
	r = read_only_document(reader, node, stream, root, target);
	reader->kind = outer_kind;
	reader->envelope = outer_envelope;
	reader->is_in_spec = outer_is_in_spec;
	return r;
}

/* --- lists and objects --- */

int eg_read_list(struct eg_reader *reader, const struct eg_yaml_node *node,
		 int (*item)(struct eg_reader *reader, const struct eg_yaml_node *node, void *target), void *target)
{
	if (node->kind != EG_YAML_SEQUENCE) {
		eg_reader_error(reader, node, "must be a list, not %s", eg_yaml_describe(node));
		return 0;
	}
	for (uint32_t i = 0; i < node->count; i++) {
		const size_t before = eg_path_enter_index(reader, i);
		int r = item(reader, node->items[i], target);

		eg_path_leave(reader, before);
		if (r < 0)
			return r;
	}
	return 0;
}

/* meshCIDRs is also mesh_cidrs, as protobuf derives it: runs of capitals are one word. */
static bool is_snake_form(const char *camel, const char *key)
{
	for (const char *c = camel; *c; c++) {
		if (isupper((unsigned char)*c) && c > camel && !isupper((unsigned char)c[-1]) && *key++ != '_')
			return false;
		if (*key++ != tolower((unsigned char)*c))
			return false;
	}
	return *key == '\0';
}

const struct eg_field *eg_field_find(const struct eg_schema *schema, const char *key)
{
	for (size_t i = 0; schema && i < schema->count; i++)
		if (strcmp(schema->fields[i].name, key) == 0 || is_snake_form(schema->fields[i].name, key))
			return &schema->fields[i];
	return NULL;
}

const struct eg_yaml_node *eg_get_field(const struct eg_yaml_node *mapping, const char *name)
{
	const struct eg_yaml_node *found = NULL;

	for (uint32_t i = 0; mapping->kind == EG_YAML_MAPPING && i < mapping->count; i += 2) {
		const char *key = mapping->items[i]->text;

		if (strcmp(key, name) == 0)
			return mapping->items[i + 1];
		if (!found && is_snake_form(name, key))
			found = mapping->items[i + 1];
	}
	return found;
}

bool eg_has_field(const struct eg_yaml_node *mapping, const char *name)
{
	const struct eg_yaml_node *value = eg_get_field(mapping, name);

	return value && !eg_yaml_is_null(value);
}

bool eg_has_any_field(const struct eg_yaml_node *mapping, const struct eg_schema *schema)
{
	for (size_t i = 0; i < schema->count; i++)
		if (eg_has_field(mapping, schema->fields[i].name))
			return true;
	return false;
}

/* In the Universal form a kind's own fields share a mapping with the envelope's. */
static const struct eg_schema *fields_beside(const struct eg_reader *reader, const struct eg_schema *schema)
{
	return schema == reader->kind ? reader->envelope : NULL;
}

static const char *suggest_field(const struct eg_schema *schema, const struct eg_schema *beside, const char *key)
{
	const char *names[2 * EG_FIELDS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < schema->count; i++)
		names[count++] = schema->fields[i].name;
	for (size_t i = 0; beside && i < beside->count; i++)
		names[count++] = beside->fields[i].name;
	return eg_suggest(key, names, count);
}

const char *eg_field_suggest(const struct eg_schema *schema, const char *key)
{
	return suggest_field(schema, NULL, key);
}

bool eg_field_is_list(const struct eg_field *field)
{
	return field->type && strncmp(field->type->name, "list", strlen("list")) == 0;
}

/* The field of `schema` that a key is, or may have been meant to be. */
static const char *find_or_suggest(const struct eg_schema *schema, const char *key)
{
	const struct eg_field *field = eg_field_find(schema, key);

	return field ? field->name : suggest_field(schema, NULL, key);
}

/* Writes where below `schema` a field of this name, or nearly, stands: "networking.outbound.passthrough". */
static bool find_home(const struct eg_schema *schema, const char *key, char *home, size_t size)
{
	for (size_t i = 0; i < schema->count; i++) {
		const struct eg_field *field = &schema->fields[i];
		const char *meant;
		int len;

		if (!field->fields)
			continue;
		len = snprintf(home, size, "%s%s.", field->name, eg_field_is_list(field) ? "[]" : "");
		if (len < 0 || (size_t)len >= size)
			continue;
		meant = find_or_suggest(field->fields, key);
		if (meant)
			return snprintf(home + len, size - (size_t)len, "%s", meant) > 0;
		if (find_home(field->fields, key, home + len, size - (size_t)len))
			return true;
	}
	return false;
}

/* The same of the whole document, whose own fields may stand in `spec`. */
static bool find_home_in_document(const struct eg_reader *reader, const struct eg_schema *schema, const char *key,
				  char *home, size_t size)
{
	const char *prefix = reader->is_in_spec ? "spec." : "";
	const size_t len = strlen(prefix);
	const char *meant;

	if (!reader->kind || eg_diag_is_full(reader->diag, EG_SEVERITY_ERROR))
		return false;
	strcpy(home, prefix);
	meant = schema != reader->kind ? find_or_suggest(reader->kind, key) : NULL;
	if (meant)
		return snprintf(home + len, size - len, "%s", meant) > 0;
	return find_home(reader->kind, key, home + len, size - len);
}

/* A suggestion in the form that its author uses: max_connections for a misspelt max_conections. */
static const char *spell_as(const char *key, const char *meant, char *buffer, size_t size)
{
	size_t len = 0;

	if (!strchr(key, '_'))
		return meant;
	for (const char *c = meant; *c && len + 2 < size; c++) {
		if (isupper((unsigned char)*c) && c > meant && !isupper((unsigned char)c[-1]))
			buffer[len++] = '_';
		buffer[len++] = (char)tolower((unsigned char)*c);
	}
	buffer[len] = '\0';
	return buffer;
}

/* Returns the field's name that may have been meant, of `schema` or beside it. */
static const char *refuse_unknown(struct eg_reader *reader, const struct eg_yaml_node *key,
				  const struct eg_schema *schema)
{
	const size_t before = eg_path_enter(reader, key->text);
	const char *meant = eg_diag_is_full(reader->diag, EG_SEVERITY_ERROR)
				    ? NULL
				    : suggest_field(schema, fields_beside(reader, schema), key->text);
	char home[EG_PATH_MAX], spelt[EG_PATH_MAX];

	if (meant)
		eg_reader_error(reader, key, "unknown field; did you mean \"%s\"?",
				spell_as(key->text, meant, spelt, sizeof(spelt)));
	else if (find_home_in_document(reader, schema, key->text, home, sizeof(home)))
		eg_reader_error(reader, key, "unknown field here; did you mean \"%s\"?",
				spell_as(key->text, home, spelt, sizeof(spelt)));
	else
		eg_reader_error(reader, key, "unknown field; remove it");
	eg_path_leave(reader, before);
	return meant;
}

const struct eg_yaml_node *eg_find_misspelt(const struct eg_reader *reader, const struct eg_schema *schema,
					    const struct eg_yaml_node *mapping, const char *name)
{
	const struct eg_schema *beside = fields_beside(reader, schema);

	for (uint32_t i = 0; i < mapping->count && i < 2 * MISSPELT_AMONG_MAX; i += 2) {
		const char *key = mapping->items[i]->text, *meant = NULL;

		if (!eg_field_find(schema, key) && !eg_field_find(beside, key))
			meant = suggest_field(schema, beside, key);
		if (meant && strcmp(meant, name) == 0)
			return mapping->items[i + 1];
	}
	return NULL;
}

/*
 * One value a field, in the schema's order. Of two spellings camelCase wins, as in
 * Kuma. What is misspelt is read as what was meant: so nothing is said to be missing
 * as well, and what else is wrong in it is said in the same run.
 */
static void match_values(struct eg_reader *reader, const struct eg_yaml_node *node, const struct eg_schema *schema,
			 const struct eg_yaml_node *values[EG_FIELDS_MAX])
{
	const struct eg_yaml_node *misspelt[EG_FIELDS_MAX] = {};

	for (uint32_t i = 0; i < node->count; i += 2) {
		const char *key = node->items[i]->text, *meant = NULL;
		const struct eg_field *field = eg_field_find(schema, key);

		if (!field && !eg_field_find(fields_beside(reader, schema), key))
			meant = refuse_unknown(reader, node->items[i], schema);
		if (field && (!values[field - schema->fields] || strcmp(field->name, key) == 0))
			values[field - schema->fields] = node->items[i + 1];
		field = meant ? eg_field_find(schema, meant) : NULL;
		if (field)
			misspelt[field - schema->fields] = node->items[i + 1];
	}
	for (size_t i = 0; i < schema->count; i++)
		if (!values[i])
			values[i] = misspelt[i];
}

static int read_field(struct eg_reader *reader, const struct eg_yaml_node *node, const struct eg_field *field,
		      const struct eg_yaml_node *value, void *target)
{
	if (!value || eg_yaml_is_null(value)) {
		if (field->missing)
			eg_reader_error(reader, value ? value : node, "%s", field->missing);
		return 0;
	}
	if (field->kuma3 && reader->is_for_kuma3)
		eg_reader_say(reader, EG_SEVERITY_WARNING, value, "Kuma 3 %s", field->kuma3);
	if (field->later)
		eg_reader_error(reader, value, "not supported yet: %s", field->later);
	if (field->later || !field->type)
		return 0;
	/* Without a target for fields that are only looked at. */
	return field->type->read(reader, field, value, target ? (char *)target + field->offset : NULL);
}

int eg_read_object(struct eg_reader *reader, const struct eg_yaml_node *node, const struct eg_schema *schema,
		   void *target)
{
	const struct eg_yaml_node *values[EG_FIELDS_MAX] = {};

	if (node->kind != EG_YAML_MAPPING) {
		eg_reader_error(reader, node, "must be a mapping of fields, not %s", eg_yaml_describe(node));
		return 0;
	}
	match_values(reader, node, schema, values);
	for (size_t i = 0; i < schema->count; i++) {
		size_t before;
		int r;

		if (!values[i] && !schema->fields[i].missing)
			continue;
		before = eg_path_enter(reader, schema->fields[i].name);
		r = read_field(reader, node, &schema->fields[i], values[i], target);
		eg_path_leave(reader, before);
		if (r < 0)
			return r;
	}
	return schema->finish ? schema->finish(reader, node, target) : 0;
}
