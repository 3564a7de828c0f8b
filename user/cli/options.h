/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CLI_OPTIONS_H
#define EG_CLI_OPTIONS_H

/* One table of options a command: what getopt_long() takes, what --help prints, what is not built yet. */
#include <stdbool.h>
#include <stddef.h>

struct eg_option {
	const char *name;	/* without the dashes */
	const char *value;	/* the word for its value in --help; NULL: it takes none */
	const char *help;	/* NULL: known, and refused as not supported yet */
	int (*take)(const char *value, void *context); /* 0, or -EINVAL once it has said what is wrong */
};

struct eg_command_help {
	const char *name;	/* "run" */
	const char *usage;	/* what follows the name on the usage line */
	const char *text;	/* what it does */
	bool takes_command;	/* its operands are a command, whose options are not ours */
};

/*
 * Takes the options, which may stand behind operands too unless these are a command;
 * argv is put in order then. 0 with *ret_operands the index of the first operand, EG_OPTIONS_HELP after --help was printed, or -EINVAL once it
 * has said what is wrong. `--help` is in every table by itself.
 */
enum { EG_OPTIONS_HELP = 1 };
int eg_options_parse(int argc, char **argv, const struct eg_command_help *help, const struct eg_option *options,
		     size_t option_count, void *context, int *ret_operands);

/* What a usage error ends with: where to find help. Always -EINVAL. */
__attribute__((format(printf, 2, 3))) int eg_options_error(const char *command, const char *format, ...);

#endif
