/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/incoming.h"

#include <string.h>

#include "base/cleanup.h"

/* TCP and UDP: what can be judged when it comes in. */
#define PROTOCOLS (EG_PROTO_TCP | EG_PROTO_UDP)

/* --- the mode --- */

static const struct eg_mesh_tls *select_tls(const struct eg_model *model, const struct eg_identity *identity)
{
	const struct eg_mesh_tls *best = NULL;

	for (size_t i = 0; i < model->tls.len; i++) {
		const struct eg_mesh_tls *policy = model->tls.items[i];

		if (policy->incoming.is_set && !policy->is_of_inbound && eg_target_selects(&policy->head, identity) &&
		    (!best || eg_target_compare(&best->head, &policy->head) < 0))
			best = policy;
	}
	return best;
}

void eg_incoming_select(const struct eg_model *model, const struct eg_identity *identity, const struct eg_mesh *mesh,
			struct eg_incoming *ret_incoming)
{
	const struct eg_mesh_tls *policy = select_tls(model, identity);
	const struct eg_optional_incoming *said = policy ? &policy->incoming : mesh ? &mesh->incoming : NULL;

	ret_incoming->policy = policy;
	if (!said || !said->is_set)
		return;
	ret_incoming->mode = said->mode;
	ret_incoming->origin = said->origin;
}

bool eg_incoming_is_wanted(const struct eg_model *model, const char *name, const struct eg_mesh *mesh)
{
	if (mesh && mesh->incoming.is_set)
		return true;
	for (size_t i = 0; i < model->tls.len; i++)
		if (model->tls.items[i]->incoming.is_set && strcmp(model->tls.items[i]->head.mesh, name) == 0)
			return true;
	return false;
}

/* --- the rules --- */

/* Host names are no rules: the agent never resolves. */
static int add_address(struct eg_scope *scope, const char *address, struct eg_origin origin)
{
	struct eg_addr addr;
	uint32_t family;

	if (!address || eg_addr_parse(address, &family, &addr) < 0)
		return 0;
	return eg_array_push(&scope->rules, {.class = EG_CLASS_MESH,
					     .prefix = eg_prefix_of_addr(family, &addr),
					     .protocols = PROTOCOLS,
					     .origin = origin});
}

static int add_sources(struct eg_scope *scope, const struct eg_sources *sources)
{
	int r = 0;

	for (size_t i = 0; i < sources->list.len && r == 0; i++)
		r = eg_array_push(&scope->rules, {.class = EG_CLASS_RULE,
						  .prefix = sources->list.items[i].prefix,
						  .port = sources->list.items[i].port,
						  .protocols = sources->list.items[i].protocols,
						  .origin = sources->list.items[i].origin});
	return r;
}

int eg_incoming_add_node(struct eg_scope *scope, const struct eg_node *node)
{
	int r = 0;

	for (size_t i = 0; node && i < node->mesh_cidrs.len && r == 0; i++)
		r = eg_array_push(&scope->rules, {.class = EG_CLASS_MESH,
						  .prefix = node->mesh_cidrs.items[i].prefix,
						  .protocols = PROTOCOLS,
						  .origin = node->mesh_cidrs.items[i].origin});
	return r == 0 && node ? add_sources(scope, &node->allow_incoming) : r;
}

int eg_incoming_add_dataplane(struct eg_scope *scope, const struct eg_dataplane *dataplane)
{
	int r = add_address(scope, dataplane->address, dataplane->origin);

	if (r == 0)
		r = add_address(scope, dataplane->advertised_address, dataplane->origin);
	for (size_t i = 0; i < dataplane->inbounds.len && r == 0; i++)
		r = add_address(scope, dataplane->inbounds.items[i].address, dataplane->inbounds.items[i].origin);
	return r;
}

/* Any client; port 0: to any port. */
static int add_anyone(struct eg_scope *scope, uint16_t port, uint32_t protocols, struct eg_origin origin)
{
	static const uint32_t families[] = {EG_FAMILY_IPV4, EG_FAMILY_IPV6};
	int r = 0;

	for (size_t i = 0; i < EG_COUNT_OF(families) && r == 0; i++)
		r = eg_array_push(&scope->rules, {.class = EG_CLASS_RULE,
						  .prefix = {.family = families[i]},
						  .port = port,
						  .protocols = protocols,
						  .origin = origin});
	return r;
}

/* Whether the application listens where another of its inbounds has its proxy. */
static bool is_service_port(const struct eg_dataplane *dataplane, uint16_t port)
{
	for (size_t i = 0; i < dataplane->inbounds.len; i++)
		if (!dataplane->inbounds.items[i].is_of_proxy && dataplane->inbounds.items[i].service_port == port)
			return true;
	return false;
}

/*
 * The proxy refuses by itself whom it does not know, and knows by certificate whom no
 * address tells: another zone, a node behind NAT. From there it goes on with an address
 * of loopback, but for Kuma's ::6.
 */
static int add_proxy(struct eg_scope *scope, const struct eg_dataplane *dataplane)
{
	int r = 0;

	for (size_t i = 0; i < dataplane->inbounds.len && r == 0; i++) {
		const struct eg_inbound *inbound = &dataplane->inbounds.items[i];

		if (inbound->is_of_proxy && !is_service_port(dataplane, inbound->port))
			r = add_anyone(scope, inbound->port, EG_PROTO_TCP, inbound->origin);
	}
	for (size_t i = 0; i < EG_COUNT_OF(dataplane->redirect_ports) && r == 0; i++)
		if (dataplane->redirect_ports[i] != 0)
			r = add_anyone(scope, dataplane->redirect_ports[i], EG_PROTO_TCP, dataplane->origin);
	if (r == 0 && dataplane->redirect_ports[0] != 0)
		r = add_address(scope, "::6", dataplane->origin);
	return r;
}

int eg_incoming_add_own(struct eg_scope *scope, const struct eg_workload *workload,
			const struct eg_dataplane *dataplane)
{
	int r = dataplane ? add_proxy(scope, dataplane) : 0;

	/* It is there to take in what is outside. */
	if (r == 0 && dataplane && dataplane->is_gateway)
		r = add_anyone(scope, 0, PROTOCOLS, dataplane->origin);
	return r == 0 && workload ? add_sources(scope, &workload->allow_incoming) : r;
}

/* --- warnings --- */

void eg_incoming_check(const struct eg_model *model, struct eg_diag *diag)
{
	for (size_t i = 0; i < model->tls.len; i++) {
		const struct eg_mesh_tls *policy = model->tls.items[i];
		const struct eg_mesh *mesh = eg_model_find_mesh(model, policy->head.mesh);

		if (policy->incoming.is_set && !policy->is_of_inbound && !policy->head.is_shadow && mesh &&
		    !mesh->incoming.is_set)
			eg_diag_add(diag, EG_SEVERITY_NOTE, policy->incoming.origin, NULL,
				    "it acts here, while Kuma before 3 ignores it: Mesh %s has no mtls", mesh->name);
	}
}
