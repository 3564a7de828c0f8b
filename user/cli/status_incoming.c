/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/status_incoming.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "workload/netns.h"

bool eg_incoming_is_looked_up(const struct eg_lookup_list *lookups, uint32_t slot, uint32_t netns)
{
	for (size_t i = 0; i < lookups->list.len; i++)
		if (lookups->list.items[i].slot == slot && lookups->list.items[i].live_netns == netns)
			return true;
	return false;
}

int eg_incoming_inspect(const struct eg_lookup_list *lookups, uint32_t slot, const char *path, bool filtered,
			struct eg_incoming_state *state)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct eg_netns_set set = {};
	int r = fd < 0 ? -errno : eg_netns_list(fd, &set);

	state->filtered = filtered;
	state->namespaces = set.inodes.len;
	for (size_t i = 0; i < set.inodes.len; i++)
		state->looked_up += eg_incoming_is_looked_up(lookups, slot, set.inodes.items[i]);
	eg_array_clear(&set.inodes);
	/* Of one that is nested too deeply nobody knows all; it has the filter. */
	return r == -ELOOP ? 0 : r;
}

/* Without a process there is nobody to come to, but the filter is to be there for the first one. */
bool eg_incoming_is_in_place(const struct eg_incoming_state *state)
{
	return state->filtered || (state->namespaces > 0 && state->looked_up == state->namespaces);
}

static const char *name_of(const struct eg_incoming_state *state)
{
	return state->filtered ? "cgroup_skb" : "sk_lookup";
}

json_t *eg_incoming_state_json(const struct eg_incoming_state *state)
{
	if (state->mode == EG_INCOMING_OFF)
		return NULL;
	return json_pack("{s:s, s:s?, s:I, s:I, s:s, s:b}", "mode", eg_incoming_modes[state->mode], "by",
			 eg_incoming_is_in_place(state) ? name_of(state) : NULL, "namespaces", (json_int_t)state->namespaces,
			 "looked_up", (json_int_t)state->looked_up, "blocked", state->filtered ? "drop" : "refuse",
			 "in_place", eg_incoming_is_in_place(state));
}

void eg_incoming_state_print(const struct eg_incoming_state *state)
{
	if (!eg_incoming_is_in_place(state))
		printf("NOBODY in %zu of its %zu network namespaces\n", state->namespaces - state->looked_up,
		       state->namespaces);
	else if (state->filtered)
		printf("cgroup_skb, packet by packet\n");
	else
		printf("sk_lookup in its %s\n", state->namespaces == 1 ? "network namespace" : "network namespaces");
}
