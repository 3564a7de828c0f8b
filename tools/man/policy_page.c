/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Makes egress-policy(5) of its prose and of the tables that read the documents.
 *
 *     policy_page TEMPLATE EXAMPLES >PAGE
 *
 * A line @KINDS@ of the template becomes every kind with its fields and the example
 * EXAMPLES/KIND.yaml, @FIELDS cluster@ and @FIELDS filter@ those of Envoy's resources,
 * @SUCCESSORS@ the kinds that Kuma 3 has no more, @EXAMPLE name@ the file name.yaml.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "config/envoy.h"
#include "config/kinds.h"

#define PAGE_BYTES_MAX (1u << 20)
#define PATH_LEN_MAX 512

/* --- mdoc --- */

/* Text that stands in a line of its own, or behind others. */
static void print_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else
			putchar(*text);
	}
}

static void print_line(const char *text, size_t len)
{
	/* What begins with one of these would be a request. */
	if (len > 0 && (*text == '.' || *text == '\''))
		fputs("\\&", stdout);
	for (size_t i = 0; i < len; i++)
		fputs(text[i] == '\\' ? "\\e" : (char[2]){text[i]}, stdout);
	putchar('\n');
}

static void print_literal(const char *text)
{
	printf(".Bd -literal -offset indent -compact\n");
	for (const char *end; *text; text = *end ? end + 1 : end) {
		end = strchrnul(text, '\n');
		print_line(text, (size_t)(end - text));
	}
	printf(".Ed\n");
}

/* 0 also where there is no such example: a test sees that each kind has one. */
static int print_example(const char *folder, const char *name)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	size_t len;
	int r;

	if (asprintf(&path, "%s/%s.yaml", folder, name) < 0)
		return -ENOMEM;
	r = eg_file_read(path, PAGE_BYTES_MAX, &text, &len);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	printf(".Pp\n");
	print_literal(text);
	return 0;
}

/* --- fields --- */

#define SCHEMAS_MAX 64

/* The schemas that were printed since the last kind, and where: each is printed once. */
struct printed {
	const struct eg_schema *schemas[SCHEMAS_MAX];
	char paths[SCHEMAS_MAX][PATH_LEN_MAX];
	size_t count;
};

static const char *find_printed(const struct printed *printed, const struct eg_schema *schema)
{
	for (size_t i = 0; i < printed->count; i++)
		if (printed->schemas[i] == schema)
			return printed->paths[i];
	return NULL;
}

static void remember(struct printed *printed, const struct eg_schema *schema, const char *path)
{
	if (printed->count == SCHEMAS_MAX)
		return;
	printed->schemas[printed->count] = schema;
	snprintf(printed->paths[printed->count++], PATH_LEN_MAX, "%s", path);
}

/* Known, and nothing more is to be said of them one by one. */
static bool is_plain(const struct eg_field *field)
{
	return !field->fields && !field->later && !field->fallback && !field->missing && !field->range &&
	       !field->kuma3 && (!field->type || strcmp(field->type->name, "anything") == 0);
}

static bool is_alike(const struct eg_field *a, const struct eg_field *b)
{
	return is_plain(a) && is_plain(b) && strcmp(a->doc, b->doc) == 0;
}

static bool was_printed(const struct eg_schema *schema, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (is_alike(&schema->fields[i], &schema->fields[index]))
			return true;
	return false;
}

static void print_choices(const char *const *choices)
{
	printf("%s %s", choices[1] ? "One of" : "The word", choices[0]);
	for (size_t i = 1; choices[i]; i++)
		printf("%s%s", choices[i + 1] ? ", " : " and ", choices[i]);
}

static void print_type(const struct eg_field *field)
{
	if (!field->type)
		return;
	if (field->choices) {
		print_choices(field->choices);
	} else {
		putchar(toupper((unsigned char)field->type->name[0]));
		print_text(field->type->name + 1);
	}
	if (field->range)
		printf(" %s", field->range->text);
	if (field->missing)
		printf("; must be written");
	if (field->fallback)
		printf("; by default %s", field->fallback);
	printf(".\n");
}

static void print_names(const struct eg_schema *schema, size_t index, const char *prefix)
{
	printf(".It Va %s%s", prefix, schema->fields[index].name);
	for (size_t i = index + 1; i < schema->count; i++)
		if (is_alike(&schema->fields[i], &schema->fields[index]))
			printf(" , %s%s", prefix, schema->fields[i].name);
	putchar('\n');
}

static void print_field(const struct eg_schema *schema, size_t index, const char *prefix)
{
	const struct eg_field *field = &schema->fields[index];

	print_names(schema, index, prefix);
	if (!is_plain(field))
		print_type(field);
	print_text(field->doc);
	putchar('\n');
	if (field->later)
		printf("Not supported yet: %s.\n", field->later);
	if (field->kuma3)
		printf("Kuma 3 %s.\n", field->kuma3);
}

static void print_fields(const struct eg_schema *schema, const char *prefix, struct printed *printed);

/* What stands below a field: once in words, then as a hint. */
static void print_below(const struct eg_field *field, const char *prefix, struct printed *printed)
{
	const char *before = find_printed(printed, field->fields);
	char path[PATH_LEN_MAX], below[PATH_LEN_MAX + 1];

	snprintf(path, sizeof(path), "%s%s%s", prefix, field->name, eg_field_is_list(field) ? "[]" : "");
	if (before) {
		printf("Its fields are those of\n.Va %s .\n", before);
		return;
	}
	remember(printed, field->fields, path);
	snprintf(below, sizeof(below), "%s.", path);
	print_fields(field->fields, below, printed);
}

static void print_fields(const struct eg_schema *schema, const char *prefix, struct printed *printed)
{
	for (size_t i = 0; i < schema->count; i++) {
		if (was_printed(schema, i))
			continue;
		print_field(schema, i, prefix);
		if (schema->fields[i].fields)
			print_below(&schema->fields[i], prefix, printed);
	}
}

static void print_schema(const struct eg_schema *schema)
{
	struct printed printed = {};

	printf(".Bl -tag -width Ds\n");
	print_fields(schema, "", &printed);
	printf(".El\n");
}

/* --- what the template asks for --- */

static int print_kind(const struct eg_kind *kind, const char *examples)
{
	printf(".Ss %s\n", kind->name);
	print_text(kind->schema->doc);
	printf("\n.Va apiVersion\nis %s; in the Universal form the fields stand %s.\n", kind->api_version,
	       kind->form == EG_FORM_SPEC ? "in\n.Va spec" : "beside\n.Va type");
	print_schema(kind->schema);
	return print_example(examples, kind->name);
}

static int print_kinds(const char *examples)
{
	const struct eg_kind *kind;
	int r = 0;

	for (size_t i = 0; r == 0 && (kind = eg_kind_at(i)); i++)
		if (kind->schema)
			r = print_kind(kind, examples);
	return r;
}

static int print_envoy(const char *name)
{
	if (strcmp(name, "cluster") == 0)
		print_schema(&eg_envoy_cluster_schema);
	else if (strcmp(name, "filter") == 0)
		print_schema(&eg_envoy_filter_schema);
	else
		return -EINVAL;
	return 0;
}

static void print_successors(void)
{
	const char *name, *successor;

	printf(".Bl -tag -width Ds -compact\n");
	for (size_t i = 0; (name = eg_kind_removed_at(i, &successor)); i++)
		printf(".It %s\n%s\n", name, successor);
	printf(".El\n");
}

/* One line of the template, without its end. */
static int print_template_line(char *line, const char *examples)
{
	char *word = line + 1, *argument, *end = line + strlen(line);

	if (end - line < 2 || line[0] != '@' || end[-1] != '@') {
		puts(line);
		return 0;
	}
	end[-1] = '\0';
	argument = word + strcspn(word, " ");
	if (*argument)
		*argument++ = '\0';
	if (strcmp(word, "KINDS") == 0)
		return print_kinds(examples);
	if (strcmp(word, "FIELDS") == 0)
		return print_envoy(argument);
	if (strcmp(word, "EXAMPLE") == 0)
		return print_example(examples, argument);
	if (strcmp(word, "SUCCESSORS") != 0)
		return -EINVAL;
	print_successors();
	return 0;
}

int main(int argc, char **argv)
{
	_cleanup_free_ char *text = NULL;
	char *rest, *line;
	size_t len;
	int r;

	if (argc != 3) {
		fprintf(stderr, "usage: policy_page TEMPLATE EXAMPLES\n");
		return 2;
	}
	r = eg_file_read(argv[1], PAGE_BYTES_MAX, &text, &len);
	if (r < 0) {
		fprintf(stderr, "policy_page: %s: %s\n", argv[1], strerror(-r));
		return 1;
	}
	if (len > 0 && text[len - 1] == '\n')
		text[len - 1] = '\0';
	rest = text;
	while (r == 0 && (line = strsep(&rest, "\n")))
		r = print_template_line(line, argv[2]);
	if (r < 0)
		fprintf(stderr, "policy_page: %s: %s\n", argv[1], strerror(-r));
	return r < 0 || fflush(stdout) == EOF;
}
