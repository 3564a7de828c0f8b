/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/suggest.h"

int eg_options_error(const char *command, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	eg_log_error("%s: %s (see 'egressctl %s --help')", command, text, command);
	return -EINVAL;
}

static void print_help(const struct eg_command_help *help, const struct eg_option *options, size_t option_count)
{
	printf("usage: egressctl %s %s\n\n%s\n", help->name, help->usage, help->text);
	printf("\noptions:\n");
	for (size_t i = 0; i < option_count; i++) {
		char left[40];

		if (!options[i].help)
			continue;
		snprintf(left, sizeof(left), "--%s %s", options[i].name, options[i].value ? options[i].value : "");
		printf("  %-29s %s\n", left, options[i].help);
	}
	printf("  %-29s %s\n", "--help", "this text");
}

static int unknown_option(const struct eg_command_help *help, const char *word, const struct eg_option *options,
			  size_t count)
{
	_cleanup_free_ const char **names = calloc(count + 1, sizeof(*names));
	const char *close_one = NULL;

	if (names) {
		for (size_t i = 0; i < count; i++)
			names[i] = options[i].name;
		close_one = eg_suggest(word + strspn(word, "-"), names, count);
	}
	if (close_one)
		return eg_options_error(help->name, "unknown option '%s'; did you mean --%s?", word, close_one);
	return eg_options_error(help->name, "unknown option '%s'", word);
}

/* The table in getopt's form, with --help behind it. */
static struct option *getopt_table(const struct eg_option *options, size_t count)
{
	struct option *table = calloc(count + 2, sizeof(*table));

	if (!table)
		return NULL;
	for (size_t i = 0; i < count; i++)
		table[i] = (struct option){options[i].name, options[i].value ? required_argument : no_argument, NULL, 0};
	table[count] = (struct option){"help", no_argument, NULL, 0};
	return table;
}

int eg_options_parse(int argc, char **argv, const struct eg_command_help *help, const struct eg_option *options,
		     size_t option_count, void *context, int *ret_operands)
{
	_cleanup_free_ struct option *table = getopt_table(options, option_count);
	int answer, index, r;

	if (!table)
		return -ENOMEM;
	opterr = 0;
	optind = 0;
	/* '+' stops at the first operand. */
	while ((answer = getopt_long(argc, argv, help->takes_command ? "+:h" : ":h", table, &index)) != -1) {
		if (answer == ':')
			return eg_options_error(help->name, "%s needs a value", argv[optind - 1]);
		/* Within "-xy" the word is not done with, and its index not behind it. */
		if (answer == '?' && optopt)
			return eg_options_error(help->name, "unknown option '-%c'", optopt);
		if (answer == '?')
			return unknown_option(help, argv[optind - 1], options, option_count);
		if (answer == 'h' || (size_t)index == option_count) {
			print_help(help, options, option_count);
			return EG_OPTIONS_HELP;
		}
		if (!options[index].help)
			return eg_options_error(help->name, "--%s: not supported yet", options[index].name);
		r = options[index].take(optarg, context);
		if (r < 0)
			return r;
	}
	*ret_operands = optind;
	return 0;
}
