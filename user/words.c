/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "words.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "base/parse.h"

static int refuse(const char **ret_problem, const char *problem)
{
	*ret_problem = problem;
	return -EINVAL;
}

/* A path, "none" for no socket at all, or where to listen by TCP. */
static int take_admin(const char *value, struct eg_daemon_words *words, const char **ret_problem)
{
	if (*value == '/') {
		words->admin_path = value;
	} else if (strcmp(value, "none") == 0) {
		words->admin_path = "";
	} else {
		if (eg_addr_port_parse(value, &words->admin_place) < 0)
			return refuse(ret_problem, "--admin is a path from the root, an address with its port, or none");
		words->has_admin_place = true;
	}
	return 0;
}

/* The number of a user, or "any". */
static int take_trust(const char *value, struct eg_daemon_words *words, const char **ret_problem)
{
	uint32_t user;

	if (strcmp(value, "any") == 0) {
		words->trusts_all = true;
		return 0;
	}
	if (eg_parse_u32(value, &user) < 0)
		return refuse(ret_problem, "--trust is the number of a user, or any");
	return eg_array_push(&words->trusted, user);
}

/* What stands behind an option that needs a value and has none. */
static const char *say_missing(int option)
{
	switch (option) {
	case 'a':
		return "--admin needs a value";
	case 't':
		return "--trust needs a value";
	default:
		return "--policy needs a value";
	}
}

int eg_daemon_words_parse(int argc, char **argv, struct eg_daemon_words *words, const char **ret_problem)
{
	static const struct option options[] = {
		{"policy", required_argument, NULL, 'p'},
		{"admin", required_argument, NULL, 'a'},
		{"trust", required_argument, NULL, 't'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	int option, r = 0;

	opterr = 0;
	optind = 0;
	while (r == 0 && (option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (option == 'p')
			r = eg_array_push(&words->policies, optarg);
		else if (option == 'a')
			r = take_admin(optarg, words, ret_problem);
		else if (option == 't')
			r = take_trust(optarg, words, ret_problem);
		else if (option == 'v')
			words->version = true;
		else if (option == 'h')
			words->help = true;
		else
			return refuse(ret_problem, option != ':' ? "unknown option" : say_missing(optopt));
	}
	if (r < 0 || words->help || words->version)
		return r;
	/* --policy a b c is --policy a --policy b --policy c. */
	for (int i = optind; i < argc && r == 0 && words->policies.len > 0; i++)
		r = eg_array_push(&words->policies, argv[i]);
	if (r == 0 && words->policies.len == 0)
		return refuse(ret_problem, "--policy is missing");
	return r;
}

void eg_daemon_words_clear(struct eg_daemon_words *words)
{
	eg_array_clear(&words->policies);
	eg_array_clear(&words->trusted);
}
