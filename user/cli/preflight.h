/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CLI_PREFLIGHT_H
#define EG_CLI_PREFLIGHT_H

/* What `preflight` was asked, what it judges by, and what it found out. */
#include "base/arena.h"
#include "cli/pinned.h"
#include "cli/policy.h"
#include "policy/preflight.h"

struct eg_preflight_words {
	struct eg_listing_words listing; /* first, for eg_listing_take_json() */
	struct eg_paths policies;
	bool has_since;
	uint64_t since_ns; /* CLOCK_MONOTONIC; 0: all that there is */
	bool emits_policy;
};

/* By whose word: rules in force with passthrough false, or those of a policy that is not loaded. */
struct eg_judges {
	struct eg_cli_policy policy;
	struct eg_ruleset *rules;
	struct eg_subject *closed;		/* copies of subjects in force */
	const struct eg_subject **by_slot;	/* EG_SLOTS_MAX of them; NULL: nobody asked */
};

/* Something that is not known. */
struct eg_gap {
	char *what;
	const char *workload; /* NULL: the node */
};

struct eg_preflight_report {
	struct eg_pinned pinned;
	struct eg_judges judges;
	struct eg_preflight preflight;
	struct eg_destinations destinations;	/* the whole table */
	struct eg_arena arena;		/* of names in gaps */
	EG_ARRAY(struct eg_gap) gaps;
};

__attribute__((format(printf, 3, 4))) int eg_preflight_add_gap(struct eg_preflight_report *report, const char *workload,
							       const char *format, ...);

/* The policy in force, were passthrough false. 0, or -errno. */
int eg_judges_read_in_force(struct eg_preflight_report *report);
/*
 * The policy of these files, were it loaded now. 0; -EBADMSG once it has said on stderr
 * what is wrong with it; or -errno.
 */
int eg_judges_read_policy(struct eg_preflight_report *report, const struct eg_preflight_words *words);

void eg_preflight_print(const struct eg_preflight_report *report, const struct eg_preflight_words *words);
/* 0, or -errno. */
int eg_preflight_print_json(const struct eg_preflight_report *report, const struct eg_preflight_words *words);
/* Policy documents that keep all of it working. 0, or -errno. */
int eg_preflight_print_policy(const struct eg_preflight_report *report);

#endif
