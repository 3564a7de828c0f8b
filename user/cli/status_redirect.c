/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/status_redirect.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/cleanup.h"

/* As a policy and explain call them. */
static const struct {
	const char *name;
	size_t offset;
} places[] = {
	{"to", offsetof(struct eg_redirect_policy, to)},
	{"mesh", offsetof(struct eg_redirect_policy, mesh)},
	{"dns", offsetof(struct eg_redirect_policy, dns)},
};

void eg_redirect_inspect(const struct eg_workload_policy *policy, const struct eg_link_pins *pins,
			 struct eg_redirect_state *ret_state)
{
	*ret_state = (struct eg_redirect_state){
		.redirects = policy->flags & EG_WORKLOAD_REDIRECTS,
		.ipv4 = policy->redirect_ipv4,
		.ipv6 = policy->redirect_ipv6,
		.proxy_cgroup = policy->proxy_cgroup,
	};
	for (size_t i = 0; i < pins->list.len && !ret_state->serves; i++)
		ret_state->serves = eg_link_pin_is_proxys(&pins->list.items[i]) &&
				    pins->list.items[i].cgroup_id == policy->proxy_cgroup;
}

bool eg_redirect_is_in_place(const struct eg_redirect_state *state)
{
	return !state->redirects || !state->proxy_cgroup || state->serves;
}

/* NULL: this family's is not redirected. */
static const char *format_place(const struct eg_redirect_state *state, size_t index, uint32_t family,
				char buffer[EG_ADDR_PORT_TEXT_MAX])
{
	const void *policy = family == EG_FAMILY_IPV4 ? &state->ipv4 : &state->ipv6;
	const struct eg_place *place = (const void *)((const char *)policy + places[index].offset);

	return place->port ? eg_addr_port_format(family, &place->addr, (uint16_t)place->port, buffer) : NULL;
}

static const uint32_t families[] = {EG_FAMILY_IPV4, EG_FAMILY_IPV6};

static json_t *places_json(const struct eg_redirect_state *state, size_t index)
{
	json_t *list = json_array();
	char buffer[EG_ADDR_PORT_TEXT_MAX];

	for (size_t i = 0; list && i < EG_COUNT_OF(families); i++)
		if (format_place(state, index, families[i], buffer))
			json_array_append_new(list, json_string(buffer));
	return list;
}

json_t *eg_redirect_state_json(const struct eg_redirect_state *state)
{
	json_t *json;

	if (!state->redirects)
		return NULL;
	json = json_pack("{s:o, s:b}", "proxy_cgroup_id",
			 state->proxy_cgroup ? json_integer((json_int_t)state->proxy_cgroup) : json_null(), "in_place",
			 eg_redirect_is_in_place(state));
	for (size_t i = 0; json && i < EG_COUNT_OF(places); i++)
		json_object_set_new(json, places[i].name, places_json(state, i));
	return json;
}

static void print_proxy(const struct eg_redirect_state *state)
{
	if (!state->proxy_cgroup)
		printf("known once it asks: none is named, or its cgroup is not there\n");
	else
		printf("cgroup %" PRIu64 "%s\n", state->proxy_cgroup, state->serves ? "" : ", which nobody tells");
}

void eg_redirect_state_print(const struct eg_redirect_state *state, const char *workload)
{
	char ipv4[EG_ADDR_PORT_TEXT_MAX], ipv6[EG_ADDR_PORT_TEXT_MAX];

	for (size_t i = 0; i < EG_COUNT_OF(places); i++) {
		const char *first = format_place(state, i, EG_FAMILY_IPV4, ipv4);
		const char *second = format_place(state, i, EG_FAMILY_IPV6, ipv6);

		if (first || second)
			printf("%-11s %-28s %s%s%s\n", places[i].name, workload, first ? first : "",
			       first && second ? ", " : "", second ? second : "");
	}
	printf("%-11s %-28s ", "proxy", workload);
	print_proxy(state);
}
