/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_YAML_H
#define EG_CONFIG_YAML_H

/*
 * YAML and JSON text -> trees of nodes that know their place. All limits on
 * hostile input are here: whoever walks a tree may recurse and need not count.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/diag.h"

#define EG_YAML_BYTES_MAX (16u << 20)
#define EG_YAML_DEPTH_MAX 64
/* Of one document, what aliases and merge keys repeat counted each time. */
#define EG_YAML_NODES_MAX (4u << 20)

enum eg_yaml_kind {
	EG_YAML_SCALAR,
	EG_YAML_SEQUENCE,
	EG_YAML_MAPPING,
};

/* What a plain word means, as YAML 1.1 has it; anything in quotes is TEXT. */
enum eg_yaml_meaning {
	EG_YAML_TEXT,
	EG_YAML_NULL,
	EG_YAML_BOOL, /* yes, no, on, off, true, false */
	EG_YAML_NUMBER,
};

struct eg_yaml_node {
	union {
		const char *text;                  /* SCALAR: without NUL bytes inside */
		const struct eg_yaml_node **items; /* SEQUENCE; MAPPING: key, value, key, value, keys are scalars */
	};
	uint32_t count;  /* of items: twice the pairs of a MAPPING */
	uint32_t line;   /* from 1 */
	uint32_t column; /* from 1 */
	uint8_t kind;    /* enum eg_yaml_kind */
	uint8_t meaning; /* enum eg_yaml_meaning of a SCALAR */
	/* Of a text after |, whose lines are those below `line`: the column that they begin in; 0 for others. */
	uint8_t lines_column;
};

/*
 * A reader of `bytes`, which must stay; `file` is for messages. NULL without
 * memory. A UTF-8 byte order mark is skipped, UTF-16 and UTF-32 are refused.
 */
struct eg_yaml_stream *eg_yaml_open(const char *file, const char *bytes, size_t len, struct eg_diag *diag);
/*
 * A reader of YAML that stands in a text of a document, as Envoy's resources do in
 * Kuma's. The node must stay. Places are those of the file: of each line in a text
 * after |, else where the text begins. Findings are at `path` and say that the
 * native Envoy resource is not valid.
 */
struct eg_yaml_stream *eg_yaml_open_text(const char *file, const struct eg_yaml_node *node, const char *path,
					 struct eg_diag *diag);
struct eg_yaml_stream *eg_yaml_close(struct eg_yaml_stream *stream);
EG_DEFINE_CLEANUP(struct eg_yaml_stream *, eg_yaml_close)

/*
 * 1 with the next document, which lives until the next call; a document that is
 * empty or null is not one. 0 at the end. -EBADMSG, with a finding, when the rest of
 * the file cannot be read; -ENOMEM. Keys written twice are findings and do not stop.
 */
int eg_yaml_next(struct eg_yaml_stream *stream, const struct eg_yaml_node **ret_root);

bool eg_yaml_is_null(const struct eg_yaml_node *node);
/* The value of a key of a mapping, or NULL. */
const struct eg_yaml_node *eg_yaml_get(const struct eg_yaml_node *mapping, const char *key);
/* Of a BOOL. */
bool eg_yaml_bool(const struct eg_yaml_node *node);
/* "a list", "a mapping", "a number": what stands there, for messages. */
const char *eg_yaml_describe(const struct eg_yaml_node *node);

#endif
