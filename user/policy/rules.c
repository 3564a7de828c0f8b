/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/rules.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/incoming.h"
#include "policy/passthrough.h"
#include "policy/subject.h"

#define RESOLVER_PORT 53

/* A mesh that a document defines or a workload names. */
struct mesh_entry {
	const char *name;
	const struct eg_mesh *mesh; /* NULL: no document defines it, so it has the defaults */
	struct eg_scope *scope;
	struct eg_scope *sources; /* NULL: no workload has mTLS */
};

/*
 * What one resolution works with. The two trees find by name, since a set may have
 * a hundred thousand Dataplanes; of equal names the first one counts, as in
 * eg_model_find_*().
 */
struct resolution {
	const struct eg_model *model;
	const struct eg_located_prefix *resolvers;
	size_t resolver_count;
	struct eg_ruleset *rules;
	void *meshes;     /* tsearch() tree of struct mesh_entry */
	void *dataplanes; /* tsearch() tree of struct eg_dataplane */
	void *shares;	  /* tsearch() tree of struct share */
	void *patched;	  /* tsearch() tree of struct eg_patched_clusters */
};

/* What all instances of a Workload have in common. */
struct share {
	const struct eg_workload *workload; /* NULL: none; then it is of one name */
	const char *mesh;
	const char *name;
	const struct eg_mesh_passthrough *passthrough; /* NULL: none */
	const struct eg_patched_clusters *patched;
	const struct eg_scope *scope; /* NULL: it has no rules */
	bool has_scope;		      /* it was looked for */
	struct eg_incoming incoming;
};

static void resolution_done(struct resolution *resolution)
{
	eg_arena_drop_tree(resolution->meshes);
	eg_arena_drop_tree(resolution->dataplanes);
	eg_arena_drop_tree(resolution->shares);
	eg_arena_drop_tree(resolution->patched);
	eg_ruleset_free(resolution->rules);
}

static int compare_meshes(const void *a, const void *b)
{
	const struct mesh_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int compare_dataplanes(const void *a, const void *b)
{
	const struct eg_dataplane *x = a, *y = b;
	int order = strcmp(x->mesh, y->mesh);

	return order ? order : strcmp(x->name, y->name);
}

static struct mesh_entry *find_mesh(const struct resolution *resolution, const char *name)
{
	struct mesh_entry wanted = {.name = name};
	void *node = tfind(&wanted, &resolution->meshes, compare_meshes);

	return node ? *(struct mesh_entry **)node : NULL;
}

static const struct eg_dataplane *find_dataplane(const struct resolution *resolution, const char *mesh,
						 const char *name)
{
	struct eg_dataplane wanted = {.mesh = mesh, .name = name};
	void *node = tfind(&wanted, &resolution->dataplanes, compare_dataplanes);

	return node ? *(const struct eg_dataplane **)node : NULL;
}

static int add_scope(struct eg_ruleset *rules, const char *name, struct eg_scope **ret_scope)
{
	struct eg_scope *scope = eg_arena_alloc(&rules->arena, sizeof(*scope));
	int r;

	if (!scope)
		return -ENOMEM;
	r = eg_array_push(&rules->scopes, scope);
	if (r < 0)
		return r;
	scope->id = (uint32_t)rules->scopes.len;
	scope->name = name;
	*ret_scope = scope;
	return 0;
}

/* A host name is no rule: the agent never resolves, so it stays non-mesh. */
static int add_endpoint(struct eg_scope *scope, const char *address, uint16_t port, struct eg_origin origin)
{
	struct eg_addr addr;
	uint32_t family;

	if (!address || eg_addr_parse(address, &family, &addr) < 0)
		return 0;
	return eg_array_push(&scope->rules, {.class = EG_CLASS_MESH,
					     .prefix = eg_prefix_of_addr(family, &addr),
					     .port = port,
					     .protocols = EG_PROTO_TCP,
					     .origin = origin});
}

/* What holds in every mesh: the node's mesh ranges and its resolvers. */
static int add_node_rules(const struct resolution *resolution, struct eg_scope *scope)
{
	const struct eg_node *node = resolution->model->node;
	bool listed = node && node->resolvers_listed;
	const struct eg_located_prefix *resolvers = listed ? node->resolvers.items : resolution->resolvers;
	size_t resolver_count = listed ? node->resolvers.len : resolution->resolver_count;
	int r = 0;

	for (size_t i = 0; r == 0 && i < resolver_count; i++)
		r = eg_array_push(&scope->rules, {.class = EG_CLASS_RESOLVER,
						  .prefix = resolvers[i].prefix,
						  .port = RESOLVER_PORT,
						  .protocols = EG_PROTO_UDP | EG_PROTO_TCP,
						  .origin = resolvers[i].origin});
	for (size_t i = 0; r == 0 && node && i < node->mesh_cidrs.len; i++)
		r = eg_array_push(&scope->rules, {.class = EG_CLASS_MESH,
						  .prefix = node->mesh_cidrs.items[i].prefix,
						  .protocols = EG_PROTO_ANY,
						  .origin = node->mesh_cidrs.items[i].origin});
	return r;
}

/* mesh is NULL when no document defines it. Nothing happens for a mesh that is there already. */
static int add_mesh(struct resolution *resolution, const char *name, const struct eg_mesh *mesh)
{
	struct mesh_entry *entry;
	int r;

	if (find_mesh(resolution, name))
		return 0;
	entry = eg_arena_alloc(&resolution->rules->arena, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->name = name;
	entry->mesh = mesh;
	r = add_scope(resolution->rules, name, &entry->scope);
	if (r < 0)
		return r;
	if (!tsearch(entry, &resolution->meshes, compare_meshes))
		return -ENOMEM;
	return add_node_rules(resolution, entry->scope);
}

/* Where a Dataplane can be reached. Its advertised address leads to the inbounds that have no address of their own. */
static int add_dataplane_rules(struct eg_scope *scope, const struct eg_dataplane *dataplane)
{
	for (size_t i = 0; i < dataplane->inbounds.len; i++) {
		const struct eg_inbound *inbound = &dataplane->inbounds.items[i];
		const char *address = inbound->address ? inbound->address : dataplane->address;
		int r;

		r = add_endpoint(scope, address, inbound->port, inbound->origin);
		if (r < 0)
			return r;
		if (inbound->address)
			continue;
		r = add_endpoint(scope, dataplane->advertised_address, inbound->port, inbound->origin);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_dataplanes(struct resolution *resolution)
{
	for (size_t i = 0; i < resolution->model->dataplanes.len; i++) {
		const struct eg_dataplane *dataplane = resolution->model->dataplanes.items[i];
		struct mesh_entry *entry = find_mesh(resolution, dataplane->mesh);
		int r;

		if (!tsearch(dataplane, &resolution->dataplanes, compare_dataplanes))
			return -ENOMEM;
		/* Without a scope, the mesh is neither defined nor any workload's. */
		if (!entry)
			continue;
		r = add_dataplane_rules(entry->scope, dataplane);
		if (r == 0 && entry->sources)
			r = eg_incoming_add_dataplane(entry->sources, dataplane);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_endpoints(struct eg_scope *scope, const struct eg_endpoint *endpoints, size_t count)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_endpoint(scope, endpoints[i].address, endpoints[i].port, endpoints[i].origin);
	return r;
}

static int add_services(const struct resolution *resolution)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < resolution->model->services.len; i++) {
		const struct eg_service *service = resolution->model->services.items[i];
		const struct mesh_entry *entry = find_mesh(resolution, service->mesh);

		if (entry)
			r = add_endpoints(entry->scope, service->endpoints.items, service->endpoints.len);
	}
	return r;
}

/* An excluded port is exempt towards every address of both families. */
static int add_excluded_port(struct eg_scope *scope, const struct eg_located_port *excluded)
{
	static const uint32_t families[] = {EG_FAMILY_IPV4, EG_FAMILY_IPV6};
	int r = 0;

	for (size_t i = 0; r == 0 && i < EG_COUNT_OF(families); i++)
		r = eg_array_push(&scope->rules, {.class = EG_CLASS_RULE,
						  .prefix = {.family = families[i]},
						  .port = excluded->port,
						  .protocols = EG_PROTO_TCP | EG_PROTO_UDP,
						  .origin = excluded->origin});
	return r;
}

static int add_exclusions(struct eg_scope *scope, const struct eg_workload *workload)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < workload->exclude_outbound_ports.len; i++)
		r = add_excluded_port(scope, &workload->exclude_outbound_ports.items[i]);
	for (size_t i = 0; r == 0 && i < workload->exclude_outbound_ips.len; i++)
		r = eg_array_push(&scope->rules, {.class = EG_CLASS_RULE,
						  .prefix = workload->exclude_outbound_ips.items[i].prefix,
						  .protocols = EG_PROTO_ANY,
						  .origin = workload->exclude_outbound_ips.items[i].origin});
	return r;
}

static int add_allowed(struct eg_scope *scope, const struct eg_allow *allowed, size_t count)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = eg_array_push(&scope->rules, {.class = EG_CLASS_MATCHED,
						  .prefix = allowed[i].prefix,
						  .port = allowed[i].port,
						  .protocols = allowed[i].protocols,
						  .origin = allowed[i].origin});
	return r;
}

/* What the MeshPassthroughs that are for a workload let out together. */
static int add_matches(struct eg_scope *scope, const struct eg_model *model, const struct eg_identity *identity)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < model->passthroughs.len; i++) {
		const struct eg_mesh_passthrough *policy = model->passthroughs.items[i];

		if (eg_target_selects(&policy->head, identity))
			r = add_allowed(scope, policy->matches.items, policy->matches.len);
	}
	return r;
}

/* All of the family that is still open while passthrough is off for the other one. */
static int add_open_family(struct eg_scope *scope, const struct eg_subject *subject)
{
	if (!subject->open_family)
		return 0;
	return eg_array_push(&scope->rules, {.class = EG_CLASS_MATCHED,
					     .prefix = {.family = subject->open_family},
					     .protocols = EG_PROTO_ANY,
					     .origin = subject->passthrough_origin});
}

/* The Dataplane that a Workload says it is; NULL: none. */
static const struct eg_dataplane *dataplane_of(const struct resolution *resolution, const struct eg_workload *workload,
					       const char *mesh)
{
	return workload && workload->dataplane ? find_dataplane(resolution, mesh, workload->dataplane) : NULL;
}

static struct eg_identity identity_of(const struct resolution *resolution, const struct eg_subject *subject)
{
	return (struct eg_identity){
		.mesh = subject->mesh,
		.name = subject->workload ? subject->workload->name : subject->name,
		.workload = subject->workload,
		.dataplane = dataplane_of(resolution, subject->workload, subject->mesh),
	};
}

static int add_own_rules(const struct resolution *resolution, struct eg_scope *scope, const struct eg_subject *subject)
{
	const struct eg_identity identity = identity_of(resolution, subject);
	const struct eg_mesh_passthrough *policy = subject->passthrough_policy;
	const struct eg_workload *workload = subject->workload;
	int r;

	r = add_open_family(scope, subject);
	if (r == 0 && policy && policy->mode == EG_PASSTHROUGH_MATCHED)
		r = add_matches(scope, resolution->model, &identity);
	if (r == 0 && identity.dataplane)
		r = add_endpoints(scope, identity.dataplane->outbounds.items, identity.dataplane->outbounds.len);
	if (r < 0 || !workload)
		return r;
	r = add_exclusions(scope, workload);
	if (r < 0)
		return r;
	return add_allowed(scope, workload->allow.items, workload->allow.len);
}

static int make_own_scope(struct resolution *resolution, const struct eg_subject *subject, struct share *share)
{
	struct eg_scope *scope;
	int r;

	share->has_scope = true;
	r = add_scope(resolution->rules, subject->workload ? subject->workload->name : subject->name, &scope);
	if (r < 0)
		return r;
	r = add_own_rules(resolution, scope, subject);
	if (r < 0)
		return r;
	/* It was the last one and nothing refers to it: its id goes to the next. */
	if (scope->rules.len == 0)
		resolution->rules->scopes.len--;
	else
		share->scope = scope;
	return 0;
}

/* --- who may come in --- */

/* Behind the scopes of meshes, which do not change their ids when mTLS is turned on. */
static int add_mesh_sources(struct resolution *resolution, const char *name)
{
	struct mesh_entry *entry = find_mesh(resolution, name);
	int r;

	if (entry->sources || !eg_incoming_is_wanted(resolution->model, name, entry->mesh))
		return 0;
	r = add_scope(resolution->rules, name, &entry->sources);
	return r < 0 ? r : eg_incoming_add_node(entry->sources, resolution->model->node);
}

static int compare_service_ports(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static int list_service_ports(struct eg_ruleset *rules, const struct eg_dataplane *dataplane,
			      struct eg_incoming *incoming)
{
	const size_t count = dataplane->inbounds.len;
	uint16_t *ports = eg_arena_alloc(&rules->arena, (count + 1) * sizeof(*ports));

	if (!ports)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		ports[i] = dataplane->inbounds.items[i].service_port;
	qsort(ports, count, sizeof(*ports), compare_service_ports);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || ports[i] != ports[incoming->service_port_count - 1])
			ports[incoming->service_port_count++] = ports[i];
	incoming->service_ports = ports;
	return 0;
}

static int add_own_sources(struct resolution *resolution, const struct eg_identity *identity,
			   struct eg_incoming *incoming)
{
	struct eg_scope *scope;
	int r = add_scope(resolution->rules, identity->name, &scope);

	if (r == 0)
		r = eg_incoming_add_own(scope, identity->workload, identity->dataplane);
	if (r < 0)
		return r;
	/* As with a workload's own scope. */
	if (scope->rules.len == 0)
		resolution->rules->scopes.len--;
	else
		incoming->own_sources = scope;
	return 0;
}

static int set_incoming(struct resolution *resolution, const struct eg_identity *identity, struct eg_incoming *incoming)
{
	const struct mesh_entry *entry = find_mesh(resolution, identity->mesh);
	int r;

	eg_incoming_select(resolution->model, identity, entry->mesh, incoming);
	incoming->drops = identity->workload && identity->workload->drops_incoming;
	if (incoming->mode == EG_INCOMING_OFF)
		return 0;
	incoming->mesh_sources = entry->sources;
	r = identity->dataplane ? list_service_ports(resolution->rules, identity->dataplane, incoming) : 0;
	return r < 0 ? r : add_own_sources(resolution, identity, incoming);
}

/* --- what instances share --- */

static int apply_patches(struct eg_patched_clusters *patched)
{
	_cleanup_(eg_diag_clear) struct eg_diag unheard = {}; /* it was checked before */
	int r = eg_patches_apply(&patched->patches, EG_FAMILIES_IPV4, &unheard, &patched->ipv4);

	return r < 0 ? r : eg_patches_apply(&patched->patches, EG_FAMILIES_IPV6, &unheard, &patched->ipv6);
}

/* Most workloads have the same patches. */
static int find_patched(struct resolution *resolution, const struct eg_identity *identity,
			const struct eg_patched_clusters **ret_patched)
{
	_cleanup_(eg_arena_clear) struct eg_arena arena = {};
	struct eg_patched_clusters wanted = {}, **found, *patched;
	int r = eg_patches_select(resolution->model, identity, &arena, &wanted.patches);

	if (r < 0)
		return r;
	found = tfind(&wanted, &resolution->patched, eg_patches_compare);
	if (found) {
		*ret_patched = *found;
		return 0;
	}
	patched = eg_arena_alloc(&resolution->rules->arena, sizeof(*patched));
	if (!patched)
		return -ENOMEM;
	r = eg_patches_copy(&wanted.patches, &resolution->rules->arena, &patched->patches);
	if (r == 0)
		r = apply_patches(patched);
	if (r < 0)
		return r;
	*ret_patched = patched;
	return tsearch(patched, &resolution->patched, eg_patches_compare) ? 0 : -ENOMEM;
}

static int compare_shares(const void *a, const void *b)
{
	const struct share *x = a, *y = b;
	int order;

	if (x->workload != y->workload)
		return x->workload > y->workload ? 1 : -1;
	order = strcmp(x->mesh, y->mesh);
	return order != 0 || x->workload ? order : strcmp(x->name, y->name);
}

/*
 * Whether flags say all that patches could, as of a slot that is left: nobody has checked
 * what meets there, and what does not apply must not refuse what it would not change.
 */
static bool is_settled(const struct eg_rules_source *source)
{
	for (enum eg_setting setting = 0; setting < EG_SETTING_COUNT; setting++)
		if (!source->settings.numbers[setting].is_set)
			return false;
	return !source->workload && source->passthrough.is_set;
}

/* As if there was no patch. */
static int make_unpatched(struct eg_arena *arena, const struct eg_patched_clusters **ret_patched)
{
	struct eg_patched_clusters *patched = eg_arena_alloc(arena, sizeof(*patched));

	*ret_patched = patched;
	return patched ? apply_patches(patched) : -ENOMEM;
}

static int make_share(struct resolution *resolution, const struct eg_rules_source *source,
		      const struct eg_subject *subject, struct share *share)
{
	const struct eg_identity identity = identity_of(resolution, subject);
	int r = set_incoming(resolution, &identity, &share->incoming);

	share->passthrough = eg_passthrough_select(resolution->model, &identity);
	if (r < 0)
		return r;
	return is_settled(source) ? make_unpatched(&resolution->rules->arena, &share->patched)
				  : find_patched(resolution, &identity, &share->patched);
}

static int find_share(struct resolution *resolution, const struct eg_rules_source *source,
		      const struct eg_subject *subject, struct share **ret_share)
{
	const struct share wanted = {.workload = subject->workload, .mesh = subject->mesh, .name = subject->name};
	struct share **found = tfind(&wanted, &resolution->shares, compare_shares), *share;
	int r;

	if (found) {
		*ret_share = *found;
		return 0;
	}
	share = eg_arena_alloc(&resolution->rules->arena, sizeof(*share));
	if (!share)
		return -ENOMEM;
	*share = wanted;
	r = make_share(resolution, source, subject, share);
	if (r < 0)
		return r;
	*ret_share = share;
	return tsearch(share, &resolution->shares, compare_shares) ? 0 : -ENOMEM;
}

static int set_own_scope(struct resolution *resolution, struct eg_subject *subject, struct share *share)
{
	int r = share->has_scope ? 0 : make_own_scope(resolution, subject, share);

	subject->own_scope = share->scope;
	return r;
}

/* The mesh has a scope already. */
static int add_subject(struct resolution *resolution, const struct eg_rules_source *source)
{
	struct eg_ruleset *rules = resolution->rules;
	const struct eg_node *node = resolution->model->node;
	const struct mesh_entry *entry = find_mesh(resolution, source->mesh);
	const char *own_mesh = source->workload ? source->workload->mesh : NULL;
	struct eg_subject *subject = eg_arena_alloc(&rules->arena, sizeof(*subject));
	struct share *share;
	int r;

	if (!subject)
		return -ENOMEM;
	r = eg_array_push(&rules->subjects, subject);
	if (r < 0)
		return r;
	subject->name = source->name;
	subject->mesh = source->mesh;
	subject->workload = source->workload;
	subject->cgroup = source->cgroup ? source->cgroup : source->workload ? source->workload->cgroup : NULL;
	subject->slot = source->slot;
	subject->mode = source->workload ? source->workload->mode : EG_MODE_ENFORCE;
	subject->mesh_scope = entry->scope;
	eg_subject_set_errnos(subject, source->workload, node);
	eg_subject_set_policy_change(subject, source->workload);
	eg_subject_set_redirect(subject, dataplane_of(resolution, source->workload, own_mesh), source);
	r = find_share(resolution, source, subject, &share);
	if (r < 0)
		return r;
	eg_subject_set_passthrough(subject, &source->passthrough, share->passthrough, entry->mesh);
	eg_subject_set_clusters(subject, source, share->patched);
	eg_subject_set_retries(subject, node);
	subject->incoming = share->incoming;
	return set_own_scope(resolution, subject, share);
}

/* Mesh scopes come first, so that a workload more or less changes the id of none. */
static int add_meshes(struct resolution *resolution, const struct eg_rules_source *sources, size_t source_count)
{
	const struct eg_model *model = resolution->model;
	int r = 0;

	for (size_t i = 0; r == 0 && i < model->meshes.len; i++)
		r = add_mesh(resolution, model->meshes.items[i]->name, model->meshes.items[i]);
	for (size_t i = 0; r == 0 && i < source_count; i++)
		r = add_mesh(resolution, sources[i].mesh, NULL);
	for (size_t i = 0; r == 0 && i < model->meshes.len; i++)
		r = add_mesh_sources(resolution, model->meshes.items[i]->name);
	for (size_t i = 0; r == 0 && i < source_count; i++)
		r = add_mesh_sources(resolution, sources[i].mesh);
	return r;
}

static int resolve(struct resolution *resolution, const struct eg_rules_source *sources, size_t source_count)
{
	int r;

	r = add_meshes(resolution, sources, source_count);
	if (r < 0)
		return r;
	r = add_dataplanes(resolution);
	if (r == 0)
		r = add_services(resolution);
	for (size_t i = 0; r == 0 && i < source_count; i++)
		r = add_subject(resolution, &sources[i]);
	return r;
}

/* Only the model has to outlive the rules, and these need not be the model's. */
static int copy_sources(struct eg_arena *arena, struct eg_rules_source *sources, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		sources[i].name = eg_arena_strdup(arena, sources[i].name);
		sources[i].mesh = eg_arena_strdup(arena, sources[i].mesh);
		if (!sources[i].name || !sources[i].mesh)
			return -ENOMEM;
		if (!sources[i].cgroup)
			continue;
		sources[i].cgroup = eg_arena_strdup(arena, sources[i].cgroup);
		if (!sources[i].cgroup)
			return -ENOMEM;
	}
	return 0;
}

int eg_rules_resolve_sources(const struct eg_model *model, const struct eg_rules_source *sources, size_t source_count,
			     const struct eg_located_prefix *resolvers, size_t resolver_count,
			     struct eg_ruleset **ret_rules)
{
	_cleanup_(resolution_done) struct resolution resolution = {
		.model = model,
		.resolvers = resolvers,
		.resolver_count = resolver_count,
		.rules = calloc(1, sizeof(struct eg_ruleset)),
	};
	_cleanup_free_ struct eg_rules_source *copies = calloc(source_count + 1, sizeof(*copies));
	int r;

	if (!resolution.rules || !copies)
		return -ENOMEM;
	if (source_count > 0)
		memcpy(copies, sources, source_count * sizeof(*copies));
	r = copy_sources(&resolution.rules->arena, copies, source_count);
	if (r == 0)
		r = resolve(&resolution, copies, source_count);
	if (r < 0)
		return r;
	*ret_rules = TAKE_PTR(resolution.rules);
	return 0;
}

int eg_rules_resolve(const struct eg_model *model, const struct eg_located_prefix *resolvers, size_t resolver_count,
		     struct eg_ruleset **ret_rules)
{
	_cleanup_free_ struct eg_rules_source *sources = calloc(model->workloads.len + 1, sizeof(*sources));

	if (!sources)
		return -ENOMEM;
	for (size_t i = 0; i < model->workloads.len; i++) {
		const struct eg_workload *workload = model->workloads.items[i];

		sources[i] = (struct eg_rules_source){
			.name = workload->name,
			.workload = workload,
			.mesh = workload->mesh,
			.slot = (uint32_t)i + 1,
		};
	}
	return eg_rules_resolve_sources(model, sources, model->workloads.len, resolvers, resolver_count, ret_rules);
}

struct eg_ruleset *eg_ruleset_free(struct eg_ruleset *rules)
{
	if (!rules)
		return NULL;
	for (size_t i = 0; i < rules->scopes.len; i++)
		eg_array_clear(&rules->scopes.items[i]->rules);
	eg_array_clear(&rules->scopes);
	eg_array_clear(&rules->subjects);
	eg_arena_clear(&rules->arena);
	free(rules);
	return NULL;
}

const struct eg_subject *eg_ruleset_find(const struct eg_ruleset *rules, const char *name)
{
	for (size_t i = 0; i < rules->subjects.len; i++)
		if (strcmp(rules->subjects.items[i]->name, name) == 0)
			return rules->subjects.items[i];
	return NULL;
}
