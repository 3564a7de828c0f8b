/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CLI_STATUS_INCOMING_H
#define EG_CLI_STATUS_INCOMING_H

/* What `status` says of who looks at the clients of a workload: links and namespaces as they are. */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datapath/lookups.h"
#include "policy/model.h"

struct eg_incoming_state {
	enum eg_incoming_mode mode;
	bool drops;
	bool filtered;	/* the filter runs on its cgroup */
	size_t namespaces;	/* that its processes are in */
	size_t looked_up;	/* of these, those with an sk_lookup program of the workload */
};

/* Adds what is there to a state that has its mode. `path` is the cgroup's directory. 0, or -errno. */
int eg_incoming_inspect(const struct eg_lookup_list *lookups, uint32_t slot, const char *path, bool filtered,
			struct eg_incoming_state *state);
/* Whether no client comes in unseen. */
bool eg_incoming_is_in_place(const struct eg_incoming_state *state);
/* Whether a slot has a living lookup in a network namespace. */
bool eg_incoming_is_looked_up(const struct eg_lookup_list *lookups, uint32_t slot, uint32_t netns);

/* NULL while mTLS is off. */
json_t *eg_incoming_state_json(const struct eg_incoming_state *state);
/* The end of a line. */
void eg_incoming_state_print(const struct eg_incoming_state *state);

#endif
