/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_SCHEMA_H
#define EG_CONFIG_SCHEMA_H

/*
 * What a kind of resource is written like, as tables of fields, and the decoder
 * that follows them. egress-policy(5) is made from the same tables.
 *
 * Functions return 0, or -ENOMEM; mistakes in the document become findings at the
 * reader's present path.
 */
#include <stddef.h>

#include "config/yaml.h"
#include "policy/model.h"

#define EG_FIELDS_MAX 64
#define EG_PATH_MAX 512
/* Of a whole set: addresses, ranges and ports that become rules. */
#define EG_ADDRESSES_MAX 1000000u

struct eg_field;
struct eg_schema;

/* One document on its way into the model. */
struct eg_reader {
	struct eg_model *model;
	struct eg_diag *diag;
	const char *file;
	size_t *addresses;                /* taken so far, of EG_ADDRESSES_MAX */
	size_t *text_bytes;               /* of texts that are YAML themselves, read so far, of EG_YAML_BYTES_MAX */
	const struct eg_schema *kind;     /* of the document, to tell where a misplaced field belongs */
	const struct eg_schema *envelope; /* fields beside those of `kind`, read elsewhere; NULL: none */
	bool is_in_spec;                  /* the fields of `kind` stand in `spec` */
	bool is_for_kuma3;                /* what Kuma 3 does differently is warned of */
	bool says_errors_alone;           /* no warnings and notes: what is read is none of ours */
	char path[EG_PATH_MAX];
	size_t path_len;
};

/* How a value is written and where it goes: `target` is the member at field->offset. */
struct eg_type {
	const char *name; /* for people, with its range: "port from 1 to 65535" */
	int (*read)(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		    void *target);
};

/* What a number, or a duration in ns, may be. */
struct eg_range {
	int64_t min;
	int64_t max;
	const char *text;    /* for people, behind the type's name: "from 0 to 100" */
	const char *refusal; /* what to say of one that is outside, as Kuma does */
};

struct eg_field {
	const char *name;           /* camelCase; its snake_case form is accepted too */
	const struct eg_type *type; /* NULL: known, and not read */
	size_t offset;
	const struct eg_schema *fields; /* of an object, or of each item of a list of objects */
	const char *const *choices;     /* of a choice: the words that may be written, and NULL behind the last */
	const struct eg_range *range;   /* of a number or duration that is only checked; NULL: any */
	const char *missing;            /* what to say when it is left out; NULL: it may be */
	const char *later;              /* NULL, or why it cannot be used yet */
	const char *fallback;           /* the default, for people */
	const char *doc;
	const char *kuma3;              /* what Kuma 3 does with it instead: "ignores it"; NULL: the same */
};

struct eg_schema {
	const char *name; /* the kind's, of the top level */
	const char *doc;  /* what documents of the kind are for; of the top level */
	const struct eg_field *fields;
	size_t count;
	/* What the fields mean together; may be NULL. */
	int (*finish)(struct eg_reader *reader, const struct eg_yaml_node *node, void *target);
};

/* The value of a macro, in texts for people. */
#define EG_QUOTE_VALUE(value) #value
#define EG_QUOTE(macro) EG_QUOTE_VALUE(macro)

/* Whether the field's `fields` are those of each item of a list. */
bool eg_field_is_list(const struct eg_field *field);

#define EG_SCHEMA_FIELDS(table) .fields = (table), .count = EG_COUNT_OF(table)

/* const char *, in the model's arena. A number or boolean is a mistake: it must be quoted, as for Kuma. */
extern const struct eg_type eg_type_string;
/* struct eg_optional_bool */
extern const struct eg_type eg_type_bool;
/* uint16_t, 1..65535 */
extern const struct eg_type eg_type_port;
/* uint16_t, 0..65535; 0 is as if left out */
extern const struct eg_type eg_type_optional_port;
/* A nested object: field->fields reads it into the member. */
extern const struct eg_type eg_type_object;
/* struct eg_optional_errno */
extern const struct eg_type eg_type_errno;
/* struct eg_optional_number, 0..2^32-1 */
extern const struct eg_type eg_type_u32;
int eg_read_object(struct eg_reader *reader, const struct eg_yaml_node *node, const struct eg_schema *schema,
		   void *target);
/*
 * The value of a field in either spelling, of two the one that eg_read_object() reads;
 * it may be null. NULL: none, or no mapping.
 */
const struct eg_yaml_node *eg_get_field(const struct eg_yaml_node *mapping, const char *name);
/* Whether a mapping sets a field, in either spelling. null is as if it was left out. */
bool eg_has_field(const struct eg_yaml_node *mapping, const char *name);
/* The same of any field of a schema. */
bool eg_has_any_field(const struct eg_yaml_node *mapping, const struct eg_schema *schema);
/* For types whose value is looked at when all fields are known. const struct eg_yaml_node * */
int eg_read_node(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node, void *target);

/* The same of a text, which it must be. */
extern const struct eg_type eg_type_text_node;

/*
 * A text that is one YAML document itself: calls root() for it. Its fields are those
 * of `kind`, for suggestions; NULL: of any. Nothing is called for a text that is empty
 * or no YAML, with a finding.
 */
int eg_read_yaml_text(struct eg_reader *reader, const struct eg_yaml_node *node, const struct eg_schema *kind,
		      int (*root)(struct eg_reader *reader, const struct eg_yaml_node *root, void *target),
		      void *target);

/*
 * For what is not read as an object: the value of a key that eg_read_object() refuses
 * and takes for a misspelt `name`; NULL: there is none.
 */
const struct eg_yaml_node *eg_find_misspelt(const struct eg_reader *reader, const struct eg_schema *schema,
					    const struct eg_yaml_node *mapping, const char *name);

/* The field that a key is, in either spelling; NULL: there is none. */
const struct eg_field *eg_field_find(const struct eg_schema *schema, const char *key);
/* The field that may have been meant by one that there is not, or NULL. */
const char *eg_field_suggest(const struct eg_schema *schema, const char *key);

/* Calls item() for each item of a list, with its index in the path. */
int eg_read_list(struct eg_reader *reader, const struct eg_yaml_node *node,
		 int (*item)(struct eg_reader *reader, const struct eg_yaml_node *node, void *target), void *target);

/* A scalar that is text, or NULL after a finding. It lives as long as the node. */
const char *eg_read_text(struct eg_reader *reader, const struct eg_yaml_node *node);
/* Which of field->choices a value is; false after a finding, in Kuma's words. */
bool eg_read_choice(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		    size_t *ret_index);
/* A number, quoted or not, within min..max; `refusal` is the whole message for one outside. false after a finding. */
bool eg_read_u16(struct eg_reader *reader, const struct eg_yaml_node *node, uint16_t min, const char *refusal,
		 uint16_t *ret_value);
/* A duration as Kuma has it: a text in Go's form. false after a finding. */
bool eg_read_duration(struct eg_reader *reader, const struct eg_yaml_node *node, int64_t *ret_ns);
/* A duration within min_ms..max_ms, in ms. false after a finding. */
bool eg_read_interval(struct eg_reader *reader, const struct eg_yaml_node *node, uint64_t min_ms, uint64_t max_ms,
		      struct eg_optional_number *ret_number);
/* *ret_copy in the model's arena. */
int eg_read_copy(struct eg_reader *reader, const char *text, const char **ret_copy);

/* Appends to the path and returns what eg_path_leave() takes. */
size_t eg_path_enter(struct eg_reader *reader, const char *field);
size_t eg_path_enter_key(struct eg_reader *reader, const char *key); /* ["key"] */
size_t eg_path_enter_index(struct eg_reader *reader, size_t index);
void eg_path_leave(struct eg_reader *reader, size_t before);

struct eg_origin eg_reader_origin(const struct eg_reader *reader, const struct eg_yaml_node *node);
__attribute__((format(printf, 3, 4))) void eg_reader_error(struct eg_reader *reader, const struct eg_yaml_node *node,
							   const char *format, ...);
/* The same, at a field below the reader's present path. */
__attribute__((format(printf, 4, 5))) void eg_reader_error_at(struct eg_reader *reader, const struct eg_yaml_node *node,
							      const char *field, const char *format, ...);
__attribute__((format(printf, 4, 5))) void eg_reader_say(struct eg_reader *reader, enum eg_severity severity,
							 const struct eg_yaml_node *node, const char *format, ...);
/* There are too many already: whoever multiplies can stop. */
bool eg_reader_is_full(const struct eg_reader *reader);
/* Counts one address towards EG_ADDRESSES_MAX; false, with a finding, when there are too many. */
bool eg_reader_take_address(struct eg_reader *reader, const struct eg_yaml_node *node);

#endif
