/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CLI_POLICY_H
#define EG_CLI_POLICY_H

/* What commands do with --policy before their own work starts. */
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "policy/check.h"
#include "policy/model.h"
#include "policy/rules.h"

struct eg_paths {
	EG_ARRAY(const char *) list;
};

struct eg_cli_policy {
	struct eg_model *model;
	struct eg_diag diag;
	struct eg_located_prefix *resolvers;	/* the node's own, for Node.resolvers: auto */
	size_t resolver_count;
};

/* Reads the files into a new model. 0, mistakes being in diag, or -ENOMEM. */
int eg_cli_policy_load(const struct eg_paths *paths, struct eg_cli_policy *ret_policy);
/* Judges the set, and reads the node's resolvers if the set leaves them to the node. 0, or -ENOMEM. */
int eg_cli_policy_check(struct eg_cli_policy *policy, enum eg_completeness completeness);
/* Prints the findings to stderr; true when the set may be used. */
bool eg_cli_policy_is_usable(struct eg_cli_policy *policy);
/*
 * The mesh of a command: its Workload's, or, with NULL for that, the only one or
 * "default". A finding where nobody can know which is meant.
 */
const char *eg_cli_policy_mesh(struct eg_cli_policy *policy, const struct eg_workload *workload);
/*
 * What holds for one workload or command, the only subject of the rules; NULL when the
 * set has errors. 0, or -ENOMEM.
 */
int eg_cli_policy_resolve(struct eg_cli_policy *policy, const struct eg_rules_source *source,
			  struct eg_ruleset **ret_rules);
void eg_cli_policy_clear(struct eg_cli_policy *policy);

#define _cleanup_policy_ _cleanup_(eg_cli_policy_clear)

#endif
