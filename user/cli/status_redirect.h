/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CLI_STATUS_REDIRECT_H
#define EG_CLI_STATUS_REDIRECT_H

/* What `status` says of where a workload's traffic is sent: the policy in force, and the links on the proxy's cgroup. */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "datapath/pins.h"
#include "egress/maps.h"

struct eg_redirect_state {
	bool redirects;
	struct eg_redirect_policy ipv4, ipv6;
	uint64_t proxy_cgroup;	/* id; 0: none is named, or it was not there */
	bool serves;		/* its links are pinned */
};

void eg_redirect_inspect(const struct eg_workload_policy *policy, const struct eg_link_pins *pins,
			 struct eg_redirect_state *ret_state);
/* False: nobody tells the proxy where connections wanted to go. */
bool eg_redirect_is_in_place(const struct eg_redirect_state *state);

/* NULL where nothing is redirected. */
json_t *eg_redirect_state_json(const struct eg_redirect_state *state);
/* Lines of a table, which begin with the workload. */
void eg_redirect_state_print(const struct eg_redirect_state *state, const char *workload);

#endif
