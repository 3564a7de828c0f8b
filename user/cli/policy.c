/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/policy.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/findings.h"
#include "config/config.h"

#define RESOLV_CONF "/etc/resolv.conf"

int eg_cli_policy_load(const struct eg_paths *paths, struct eg_cli_policy *ret_policy)
{
	ret_policy->model = eg_model_new();
	if (!ret_policy->model)
		return -ENOMEM;
	if (paths->list.len == 0)
		return 0;
	return eg_config_load(paths->list.items, paths->list.len, ret_policy->model, &ret_policy->diag);
}

int eg_cli_policy_check(struct eg_cli_policy *policy, enum eg_completeness completeness)
{
	const struct eg_node *node = policy->model->node;

	if (!node || !node->resolvers_listed) {
		int r = eg_config_load_resolvers(RESOLV_CONF, &policy->diag, &policy->resolvers,
						 &policy->resolver_count);

		if (r < 0)
			return r;
	}
	return eg_policy_check(policy->model, completeness, &policy->diag);
}

bool eg_cli_policy_is_usable(struct eg_cli_policy *policy)
{
	eg_findings_print(&policy->diag, stderr);
	return !eg_diag_has_errors(&policy->diag);
}

void eg_cli_policy_clear(struct eg_cli_policy *policy)
{
	eg_model_free(policy->model);
	eg_diag_clear(&policy->diag);
	free(policy->resolvers);
}
