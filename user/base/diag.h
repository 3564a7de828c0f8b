/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_DIAG_H
#define EG_BASE_DIAG_H

/*
 * What is wrong with somebody's files: collected, then printed by whoever asked,
 * all mistakes in one run.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/array.h"

enum eg_severity {
	EG_SEVERITY_NOTE,    /* said once, nothing to mend */
	EG_SEVERITY_WARNING, /* accepted, but it may not do what its author meant */
	EG_SEVERITY_ERROR,   /* the whole set is refused */
};

/*
 * Where something was written. `file` lives as long as the diag or model that
 * gave it; NULL means that nobody wrote it (a default). line and column count
 * from 1; 0 means the file as a whole.
 */
struct eg_origin {
	const char *file;
	uint32_t line;
	uint32_t column;
};

struct eg_finding {
	enum eg_severity severity;
	struct eg_origin origin;
	const char *path; /* the field, as Kuma writes it: networking.inbound[0].port; "" for none */
	const char *text;
};

struct eg_diag {
	EG_ARRAY(struct eg_finding) findings;
	void *said;            /* tsearch() tree of struct eg_finding: the same, to find what was said before */
	struct eg_arena arena; /* owns paths and texts */
	size_t errors;
	size_t warnings;
	size_t notes;
	bool out_of_memory; /* a finding was lost: counts as an error */
};

void eg_diag_clear(struct eg_diag *diag);

/*
 * Adds a finding. `path` may be NULL. What was said before, word for word at the
 * same place, is not said twice. Everything is copied; control characters and bytes
 * that are no UTF-8 become \xNN. Of each severity 5000 are kept, the rest counted.
 */
__attribute__((format(printf, 5, 6))) void eg_diag_add(struct eg_diag *diag, enum eg_severity severity,
						       struct eg_origin origin, const char *path, const char *format,
						       ...);

/* Further findings of this severity are only counted: no need to word them well. */
bool eg_diag_is_full(const struct eg_diag *diag, enum eg_severity severity);

/* The set must be refused. */
bool eg_diag_has_errors(const struct eg_diag *diag);

/* By file, line and column. */
void eg_diag_sort(struct eg_diag *diag);

/* "file:line:col: error: path: what", a line each, sorted by file and place. */
void eg_diag_print(struct eg_diag *diag, FILE *out);
/* For who prints findings one by one, after eg_diag_sort(): what switches colours on and off, "" for none. */
struct eg_diag_colours {
	const char *place;
	const char *severity[EG_SEVERITY_ERROR + 1];
	const char *end;
};
/* One finding as eg_diag_print() has it. */
void eg_diag_print_finding(const struct eg_finding *finding, const struct eg_diag_colours *colours, FILE *out);
/* The lines behind all findings: how many are not listed. */
void eg_diag_print_rest(const struct eg_diag *diag, FILE *out);

/* "error", "warning", "note". */
const char *eg_severity_name(enum eg_severity severity);

#endif
