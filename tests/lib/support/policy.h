/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_POLICY_H
#define EG_TESTS_POLICY_H

/* Policy texts read as files of a folder of the test's own. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "policy/check.h"
#include "policy/model.h"
#include "policy/rules.h"

struct policy {
	struct eg_model *model;
	struct eg_diag diag;
	char *findings; /* as eg_diag_print() writes them; the file is called p.yaml */
};

/* Reads and, as part of a set, checks a text; the caller has policy_free(). */
struct policy *policy_read(const char *text);
struct policy *policy_read_bytes(const char *bytes, size_t len);
/* The same, as a set of the given completeness. */
struct policy *policy_read_as(const char *text, enum eg_completeness completeness);
void policy_free(struct policy *policy);

/* What its first template makes of a setting; false when it says nothing of it. */
bool policy_patches(const struct policy *policy, enum eg_families family, enum eg_setting setting, uint64_t *ret_value);

/* A policy without an error, and what holds for the first workload in it, or for a command. */
struct case_of {
	struct policy *policy;
	struct eg_ruleset *rules;
	const struct eg_subject *subject;
};

/* source NULL: for each workload of the text. */
struct case_of case_new(const char *text, const struct eg_rules_source *source);
void case_free(struct case_of *of);

/* All findings of a text, word for word. */
void assert_findings(const char *text, const char *expected);
/* One of the findings contains `part`, and there is an error. */
void assert_refused(const char *text, const char *part);
void assert_accepted(const char *text);

#endif
