/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/filter.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "export/envoy.h"

/* Of backtracking: more than any sensible pattern takes for a name, some milliseconds at most. */
#define STEPS_MAX 50000
#define HEAP_MAX_KIB 1024
#define NESTING_MAX 50

/* What stands in names, in front of its family. */
#define CLUSTER "outbound_passthrough_"
#define FAMILY_LEN strlen("ipv4")

/* How the clusters are called elsewhere. */
static const struct alias {
	const char *word;   /* of a pattern whose author means this name */
	const char *prefix; /* in place of CLUSTER */
	bool has_family;
} aliases[] = {
	{"pass_through", "pass_through", false},
	{"self_transparentproxy", "self_transparentproxy_passthrough_outbound_", true},
};

struct eg_filter {
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *limits;
	bool is_meant[EG_COUNT_OF(aliases)];
};

static int say(char problem[EG_FILTER_PROBLEM_MAX], int error, size_t offset)
{
	char text[EG_FILTER_PROBLEM_MAX - 32] = "";

	if (error == PCRE2_ERROR_HEAP_FAILED)
		return -ENOMEM;
	pcre2_get_error_message(error, (PCRE2_UCHAR *)text, sizeof(text));
	snprintf(problem, EG_FILTER_PROBLEM_MAX, "%s, at character %zu", text, offset + 1);
	return -EINVAL;
}

static int compile(const char *pattern, char problem[EG_FILTER_PROBLEM_MAX], pcre2_code **ret_code)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	PCRE2_SIZE offset = 0;
	int error = 0;

	if (!context)
		return -ENOMEM;
	pcre2_set_parens_nest_limit(context, NESTING_MAX);
	/* \C and what a pattern can switch on by itself are nobody's need here. */
	*ret_code =
		pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
			      PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP, &error, &offset, context);
	pcre2_compile_context_free(context);
	return *ret_code ? 0 : say(problem, error, offset);
}

/* Interpreted, not compiled to machine code: the agent maps no memory that is writable and executable. */
static int prepare(struct eg_filter *filter)
{
	filter->match = pcre2_match_data_create_from_pattern(filter->code, NULL);
	filter->limits = pcre2_match_context_create(NULL);
	if (!filter->match || !filter->limits)
		return -ENOMEM;
	pcre2_set_match_limit(filter->limits, STEPS_MAX);
	pcre2_set_heap_limit(filter->limits, HEAP_MAX_KIB);
	return 0;
}

int eg_filter_new(const char *pattern, char problem[EG_FILTER_PROBLEM_MAX], struct eg_filter **ret_filter)
{
	_cleanup_(eg_filter_freep) struct eg_filter *filter = NULL;
	int r;

	if (strlen(pattern) > EG_FILTER_LEN_MAX) {
		snprintf(problem, EG_FILTER_PROBLEM_MAX, "longer than %d characters", EG_FILTER_LEN_MAX);
		return -EINVAL;
	}
	filter = calloc(1, sizeof(*filter));
	if (!filter)
		return -ENOMEM;
	r = compile(pattern, problem, &filter->code);
	if (r == 0)
		r = prepare(filter);
	if (r < 0)
		return r;
	for (size_t i = 0; i < EG_COUNT_OF(aliases); i++)
		filter->is_meant[i] = strstr(pattern, aliases[i].word) != NULL;
	*ret_filter = TAKE_PTR(filter);
	return 0;
}

struct eg_filter *eg_filter_free(struct eg_filter *filter)
{
	if (!filter)
		return NULL;
	pcre2_match_context_free(filter->limits);
	pcre2_match_data_free(filter->match);
	pcre2_code_free(filter->code);
	free(filter);
	return NULL;
}

int eg_filter_match(struct eg_filter *filter, const char *text)
{
	int r;

	if (!filter)
		return 1;
	r = pcre2_match(filter->code, (PCRE2_SPTR)text, strlen(text), 0, 0, filter->match, filter->limits);
	if (r >= 0)
		return 1;
	return r == PCRE2_ERROR_NOMATCH ? 0 : -E2BIG;
}

/* Whether the name has a cluster in it; then it is written with the alias. */
static bool write_alias(const struct alias *alias, const char *name, char written[EG_STAT_NAME_MAX])
{
	const char *cluster = strstr(name, CLUSTER), *rest;

	if (!cluster || strlen(cluster) < strlen(CLUSTER) + FAMILY_LEN)
		return false;
	rest = cluster + strlen(CLUSTER) + (alias->has_family ? 0 : FAMILY_LEN);
	snprintf(written, EG_STAT_NAME_MAX, "%.*s%s%s", (int)(cluster - name), name, alias->prefix, rest);
	return true;
}

int eg_filter_match_stat(struct eg_filter *filter, const char *dotted_name)
{
	char written[EG_STAT_NAME_MAX];
	int r = eg_filter_match(filter, dotted_name);

	for (size_t i = 0; i < EG_COUNT_OF(aliases) && r == 0; i++)
		if (filter->is_meant[i] && write_alias(&aliases[i], dotted_name, written))
			r = eg_filter_match(filter, written);
	return r;
}
