/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/findings.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

/* Policy files are no longer; /etc/resolv.conf is not either. */
#define SOURCE_BYTES_MAX (16u << 20)
/* Longer ones are no longer read by people, and may have thousands of findings. */
#define LINE_LEN_MAX 16384
#define TAB_CELLS 8
#define MARGIN_CELLS 8 /* "  123 | " */
#define ROOM_CELLS_MIN 20
#define CUT "..."

/* --- one line --- */

/* A character as a terminal shows it. */
struct glyph {
	const char *bytes;
	size_t len;
	size_t taken;       /* bytes of the line */
	unsigned int cells; /* 0 for a mark above another character, 2 for a wide one */
};

static unsigned int cells_of(const char *s, size_t len)
{
	mbstate_t state = {};
	wchar_t character;
	int cells;

	if (mbrtowc(&character, s, len, &state) > len)
		return 1;
	cells = wcwidth(character);
	return cells < 0 ? 1 : (unsigned int)cells;
}

/* `at` is the cell that it begins in: tabs are shown as blanks. */
static struct glyph next_glyph(const char *s, const char *end, unsigned int at)
{
	static const char blanks[] = "        ";
	const unsigned int tab = TAB_CELLS - at % TAB_CELLS;
	const size_t len = eg_text_shown_len(s);

	if (*s == '\t')
		return (struct glyph){blanks, tab, 1, tab};
	if (len == 0 || len > (size_t)(end - s))
		return (struct glyph){"?", 1, 1, 1};
	return (struct glyph){s, len, len, cells_of(s, len)};
}

/* Whether another character begins here: bytes that continue one have no column. */
static bool is_column(const char *s)
{
	return (*s & 0xc0) != 0x80;
}

static unsigned int cells_before(const char *line, const char *end, uint32_t column)
{
	unsigned int at = 0;

	for (uint32_t i = 1; line < end; line += next_glyph(line, end, at).taken) {
		i += is_column(line);
		if (i > column)
			break;
		at += next_glyph(line, end, at).cells;
	}
	return at;
}

/* Prints what fits into `room` cells from `first` on; returns how many there are before the column. */
static unsigned int print_part(const char *line, const char *end, uint32_t column, unsigned int first,
			       unsigned int room, FILE *out)
{
	unsigned int at = 0, printed = 0, caret = UINT32_MAX;
	struct glyph glyph;

	if (first > 0) {
		fputs(CUT, out);
		printed = strlen(CUT);
	}
	for (uint32_t i = 0; line < end; line += glyph.taken, at += glyph.cells) {
		glyph = next_glyph(line, end, at);
		i += is_column(line);
		if (i == column && caret == UINT32_MAX)
			caret = printed;
		if (at < first + printed || at + glyph.cells > first + room)
			continue;
		fwrite(glyph.bytes, 1, glyph.len, out);
		printed += glyph.cells;
	}
	return caret == UINT32_MAX ? printed : caret;
}

static void print_line(const char *line, size_t len, uint32_t number, uint32_t column, unsigned int cells,
		       const struct eg_diag_colours *colours, FILE *out)
{
	const unsigned int room = cells > MARGIN_CELLS + ROOM_CELLS_MIN ? cells - MARGIN_CELLS : ROOM_CELLS_MIN;
	const unsigned int wanted = cells_before(line, line + len, column);
	unsigned int caret;

	fprintf(out, "%5u | ", number);
	caret = print_part(line, line + len, column, wanted < room ? 0 : wanted - room / 2, room, out);
	fprintf(out, "\n%5s | %*s%s^%s\n", "", (int)caret, "", colours->place, colours->end);
}

/* --- the lines of a file, in their order --- */

struct source {
	const char *file; /* NULL: none yet */
	char *bytes;      /* NULL: it cannot be read */
	size_t len;
	const char *line;
	uint32_t number; /* of that line, from 1; 0: before the first */
	size_t line_len; /* without its end */
};

static void source_clear(struct source *source)
{
	free(source->bytes);
	*source = (struct source){};
}

static void source_open(struct source *source, const char *file)
{
	if (source->file && strcmp(source->file, file) == 0)
		return;
	source_clear(source);
	source->file = file;
	if (eg_file_read(file, SOURCE_BYTES_MAX, &source->bytes, &source->len) < 0)
		source->bytes = NULL;
}

/* Where the next line begins; NULL behind the last. */
static const char *find_next_line(const struct source *source)
{
	const char *end = source->bytes + source->len;

	return source->number == 0 ? source->bytes : eg_text_next_line(source->line + source->line_len, end);
}

/* A line's end takes no cell, and would be shown as one that cannot be. */
static size_t measure_line(const char *line, const char *end)
{
	const char *next = eg_text_next_line(line, end);

	if (!next)
		return (size_t)(end - line);
	while (next > line && eg_text_next_line(line, next))
		next--;
	return (size_t)(next - line);
}

/* False where there is no such line: the file has changed, or its name had to be escaped. */
static bool source_seek(struct source *source, uint32_t number)
{
	while (source->bytes && source->number < number) {
		const char *next = find_next_line(source);

		if (!next)
			return false;
		source->line = next;
		source->line_len = measure_line(next, source->bytes + source->len);
		source->number++;
	}
	return source->bytes && source->number == number;
}

/* --- all findings --- */

static const struct eg_diag_colours plain = {"", {"", "", ""}, ""};
static const struct eg_diag_colours coloured = {
	.place = "\033[1m",
	.severity =
		{
			[EG_SEVERITY_NOTE] = "\033[1;36m",
			[EG_SEVERITY_WARNING] = "\033[1;33m",
			[EG_SEVERITY_ERROR] = "\033[1;31m",
		},
	.end = "\033[0m",
};

static bool has_colours(void)
{
	const char *refusal = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return (!refusal || !*refusal) && terminal && strcmp(terminal, "dumb") != 0;
}

static unsigned int terminal_cells(FILE *out)
{
	struct winsize size;

	return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void print_on_terminal(const struct eg_diag *diag, FILE *out)
{
	const struct eg_diag_colours *colours = has_colours() ? &coloured : &plain;
	const unsigned int cells = terminal_cells(out);
	_cleanup_(source_clear) struct source source = {};

	for (size_t i = 0; i < diag->findings.len; i++) {
		const struct eg_finding *finding = &diag->findings.items[i];

		eg_diag_print_finding(finding, colours, out);
		if (!finding->origin.file || finding->origin.line == 0)
			continue;
		source_open(&source, finding->origin.file);
		if (source_seek(&source, finding->origin.line) && source.line_len <= LINE_LEN_MAX)
			print_line(source.line, source.line_len, source.number, finding->origin.column, cells,
				   colours, out);
	}
	eg_diag_print_rest(diag, out);
}

void eg_findings_print(struct eg_diag *diag, FILE *out)
{
	locale_t utf8, before;

	if (!isatty(fileno(out))) {
		eg_diag_print(diag, out);
		return;
	}
	eg_diag_sort(diag);
	/* Of the characters that files are written in, whatever the caller's locale is. */
	utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	before = utf8 ? uselocale(utf8) : (locale_t)0;
	print_on_terminal(diag, out);
	if (!utf8)
		return;
	uselocale(before);
	freelocale(utf8);
}
