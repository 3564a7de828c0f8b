/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/diag.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* What one finding may say, in bytes before escaping: keys and values of hostile files are part of it. */
#define TEXT_MAX 1024
#define ESCAPED_MAX EG_ESCAPED_MAX(TEXT_MAX)

/* Of one severity; more are counted only. */
#define FINDINGS_MAX 5000

const char *eg_severity_name(enum eg_severity severity)
{
	static const char *const names[] = {
		[EG_SEVERITY_NOTE] = "note",
		[EG_SEVERITY_WARNING] = "warning",
		[EG_SEVERITY_ERROR] = "error",
	};

	return names[severity];
}

/*
 * Keys, values and file names come from outside: what would break a line, steer
 * a terminal or is no UTF-8 (which JSON cannot carry) is written as \xNN.
 */
static const char *escape(const char *text, char escaped[ESCAPED_MAX])
{
	return eg_text_escape(text, TEXT_MAX - 1, escaped);
}

static int compare_files(const char *a, const char *b)
{
	return a == b ? 0 : !a ? -1 : !b ? 1 : strcmp(a, b);
}

static int compare_numbers(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

/* By place first, where most differ. */
static int compare_findings(const void *a, const void *b)
{
	const struct eg_finding *x = a, *y = b;
	int order = compare_numbers(x->origin.line, y->origin.line);

	if (order == 0)
		order = compare_numbers(x->origin.column, y->origin.column);
	if (order == 0)
		order = compare_numbers(x->severity, y->severity);
	if (order == 0)
		order = compare_files(x->origin.file, y->origin.file);
	if (order == 0)
		order = strcmp(x->path, y->path);
	return order != 0 ? order : strcmp(x->text, y->text);
}

static bool was_said(const struct eg_diag *diag, const struct eg_finding *finding)
{
	return tfind(finding, &diag->said, compare_findings);
}

static size_t *counter(struct eg_diag *diag, enum eg_severity severity)
{
	return severity == EG_SEVERITY_ERROR     ? &diag->errors
	       : severity == EG_SEVERITY_WARNING ? &diag->warnings
						 : &diag->notes;
}

static size_t count(const struct eg_diag *diag, enum eg_severity severity)
{
	return *counter((struct eg_diag *)diag, severity);
}

bool eg_diag_is_full(const struct eg_diag *diag, enum eg_severity severity)
{
	return count(diag, severity) >= FINDINGS_MAX;
}

/* Findings outlive the model whose files they name; neighbours are mostly of one file. */
static const char *keep_file(struct eg_diag *diag, const char *file)
{
	const struct eg_finding *last = diag->findings.len > 0 ? &diag->findings.items[diag->findings.len - 1] : NULL;

	if (last && last->origin.file && strcmp(last->origin.file, file) == 0)
		return last->origin.file;
	return eg_arena_strdup(&diag->arena, file);
}

/* Copies the finding, whose texts live on somebody's stack. */
static int keep(struct eg_diag *diag, struct eg_finding finding)
{
	struct eg_finding *said;

	if (finding.origin.file) {
		finding.origin.file = keep_file(diag, finding.origin.file);
		if (!finding.origin.file)
			return -ENOMEM;
	}
	finding.path = eg_arena_strdup(&diag->arena, finding.path);
	finding.text = eg_arena_strdup(&diag->arena, finding.text);
	said = eg_arena_alloc(&diag->arena, sizeof(*said));
	if (!finding.path || !finding.text || !said)
		return -ENOMEM;
	*said = finding;
	if (!tsearch(said, &diag->said, compare_findings))
		return -ENOMEM;
	return eg_array_push(&diag->findings, finding);
}

static void add_escaped(struct eg_diag *diag, enum eg_severity severity, struct eg_origin origin, const char *path,
			const char *text)
{
	char file_escaped[ESCAPED_MAX], path_escaped[ESCAPED_MAX], text_escaped[ESCAPED_MAX];
	struct eg_finding finding = {severity, origin, path_escaped, text_escaped};

	if (origin.file)
		finding.origin.file = escape(origin.file, file_escaped);
	escape(path, path_escaped);
	escape(text, text_escaped);
	if (was_said(diag, &finding))
		return;
	++*counter(diag, severity);
	if (keep(diag, finding) < 0)
		diag->out_of_memory = true;
}

void eg_diag_add(struct eg_diag *diag, enum eg_severity severity, struct eg_origin origin, const char *path,
		 const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;

	if (eg_diag_is_full(diag, severity)) {
		++*counter(diag, severity);
		return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	add_escaped(diag, severity, origin, path ? path : "", text);
}

bool eg_diag_has_errors(const struct eg_diag *diag)
{
	return diag->errors > 0 || diag->out_of_memory;
}

static int compare_places(const void *a, const void *b)
{
	const struct eg_finding *x = a, *y = b;
	int by_file = compare_files(x->origin.file, y->origin.file);

	if (by_file != 0)
		return by_file;
	if (x->origin.line != y->origin.line)
		return x->origin.line < y->origin.line ? -1 : 1;
	if (x->origin.column != y->origin.column)
		return x->origin.column < y->origin.column ? -1 : 1;
	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	return strcmp(x->path, y->path);
}

void eg_diag_sort(struct eg_diag *diag)
{
	if (diag->findings.len > 1)
		qsort(diag->findings.items, diag->findings.len, sizeof(diag->findings.items[0]), compare_places);
}

static void print_place(const struct eg_origin *origin, FILE *out)
{
	if (!origin->file)
		return;
	if (origin->line == 0)
		fprintf(out, "%s: ", origin->file);
	else
		fprintf(out, "%s:%u:%u: ", origin->file, origin->line, origin->column);
}

void eg_diag_print_finding(const struct eg_finding *finding, const struct eg_diag_colours *colours, FILE *out)
{
	fputs(colours->place, out);
	print_place(&finding->origin, out);
	fprintf(out, "%s%s%s:%s %s%s%s\n", colours->end, colours->severity[finding->severity],
		eg_severity_name(finding->severity), colours->end, finding->path, finding->path[0] ? ": " : "",
		finding->text);
}

static void print_unlisted(const struct eg_diag *diag, enum eg_severity severity, FILE *out)
{
	if (count(diag, severity) > FINDINGS_MAX)
		fprintf(out, "%s: %zu more are not listed\n", eg_severity_name(severity),
			count(diag, severity) - FINDINGS_MAX);
}

void eg_diag_print_rest(const struct eg_diag *diag, FILE *out)
{
	for (int severity = EG_SEVERITY_ERROR; severity >= EG_SEVERITY_NOTE; severity--)
		print_unlisted(diag, severity, out);
	if (diag->out_of_memory)
		fprintf(out, "error: out of memory: findings were lost\n");
}

void eg_diag_print(struct eg_diag *diag, FILE *out)
{
	static const struct eg_diag_colours none = {"", {"", "", ""}, ""};

	eg_diag_sort(diag);
	for (size_t i = 0; i < diag->findings.len; i++)
		eg_diag_print_finding(&diag->findings.items[i], &none, out);
	eg_diag_print_rest(diag, out);
}

void eg_diag_clear(struct eg_diag *diag)
{
	eg_arena_drop_tree(diag->said);
	eg_array_clear(&diag->findings);
	eg_arena_clear(&diag->arena);
	*diag = (struct eg_diag){};
}
