/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_FILTER_H
#define EG_EXPORT_FILTER_H

/*
 * Regular expressions that users give, found anywhere in a text as Envoy's filter is.
 * Whatever they are, they cost little: their length is bounded, and so are the steps and
 * the memory that a match may take.
 */
#include "base/cleanup.h"

#define EG_FILTER_LEN_MAX 512
/* Enough for what is wrong with one. */
#define EG_FILTER_PROBLEM_MAX 160

struct eg_filter;

/*
 * 0 with *ret_filter; -EINVAL with `problem` saying what is wrong with the pattern and
 * where; or -ENOMEM. One thread at a time may use it.
 */
int eg_filter_new(const char *pattern, char problem[EG_FILTER_PROBLEM_MAX], struct eg_filter **ret_filter);
struct eg_filter *eg_filter_free(struct eg_filter *filter);
EG_DEFINE_CLEANUP(struct eg_filter *, eg_filter_free)

/* What -E2BIG of a match means. */
#define EG_FILTER_TOO_COSTLY "the regular expression takes too many steps"

/* 1 when it is found in the text, 0 when not; -E2BIG when that takes more than a filter may take. NULL finds itself in all. */
int eg_filter_match(struct eg_filter *filter, const char *text);

/*
 * The same for the dotted name of a statistic. A pattern with the word pass_through, or
 * with the name that Kuma 3 gives to the cluster (self_transparentproxy_passthrough_...),
 * is matched as if the clusters were called so.
 */
int eg_filter_match_stat(struct eg_filter *filter, const char *dotted_name);

#endif
