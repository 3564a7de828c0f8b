/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/target.h"

#include <string.h>

/* The value of a tag that something has; `service` stands in for a kuma.io/service that is not written. */
static const char *value_of(const struct eg_tags *tags, const char *service, const char *name)
{
	const char *value = eg_tags_find(tags, name);

	return !value && strcmp(name, EG_SERVICE_TAG) == 0 ? service : value;
}

static bool selects(const struct eg_tags *selector, const struct eg_tags *tags, const char *service)
{
	for (size_t i = 0; i < selector->len; i++) {
		const char *wanted = selector->items[i].value;
		const char *value = value_of(tags, service, selector->items[i].name);

		if (!value || (strcmp(wanted, "*") != 0 && strcmp(wanted, value) != 0))
			return false;
	}
	return true;
}

/* The first that a Dataplane has, or NULL. */
static const char *find_service(const struct eg_dataplane *dataplane)
{
	for (size_t i = 0; i < dataplane->inbounds.len; i++) {
		const char *service = eg_tags_find(&dataplane->inbounds.items[i].tags, EG_SERVICE_TAG);

		if (service)
			return service;
	}
	return eg_tags_find(&dataplane->gateway_tags, EG_SERVICE_TAG);
}

const char *eg_identity_service(const struct eg_identity *identity)
{
	const char *service = identity->workload ? eg_tags_find(&identity->workload->tags, EG_SERVICE_TAG) : NULL;

	if (!service && identity->dataplane)
		service = find_service(identity->dataplane);
	return service ? service : identity->name;
}

bool eg_identity_has_tags(const struct eg_identity *identity, const struct eg_tags *selector)
{
	static const struct eg_tags none;
	const struct eg_dataplane *dataplane = identity->dataplane;
	const char *service = dataplane && find_service(dataplane) ? NULL : identity->name;

	if (selects(selector, identity->workload ? &identity->workload->tags : &none, service))
		return true;
	if (!dataplane)
		return false;
	for (size_t i = 0; i < dataplane->inbounds.len; i++)
		if (selects(selector, &dataplane->inbounds.items[i].tags, NULL))
			return true;
	return selects(selector, &dataplane->gateway_tags, NULL);
}

/* --- labels --- */

static bool has_pair(const struct eg_tags *tags, const struct eg_tag *wanted)
{
	const char *value = eg_tags_find(tags, wanted->name);

	return value && strcmp(value, wanted->value) == 0;
}

/* On Kubernetes the labels of a pod become tags and labels alike, so what a Workload has as a tag is a label too. */
static bool has_label(const struct eg_identity *identity, const struct eg_tag *wanted)
{
	const struct eg_tags as_tags = {(struct eg_tag *)wanted, 1};

	if (identity->dataplane && has_pair(&identity->dataplane->labels, wanted))
		return true;
	if (identity->workload && has_pair(&identity->workload->labels, wanted))
		return true;
	/* A * is a value like any other here. */
	return strcmp(wanted->value, "*") != 0 && eg_identity_has_tags(identity, &as_tags);
}

static bool has_labels(const struct eg_identity *identity, const struct eg_tags *labels)
{
	for (size_t i = 0; i < labels->len; i++)
		if (!has_label(identity, &labels->items[i]))
			return false;
	return true;
}

/* --- names --- */

static const char *name_of(const struct eg_identity *identity)
{
	return identity->dataplane ? identity->dataplane->name : identity->name;
}

/* Whether `full` is name, or name.namespace as resources of Kubernetes are called here. */
static bool is_called(const char *full, const char *name, const char *namespace)
{
	const size_t len = strlen(name);

	if (strncmp(full, name, len) != 0)
		return false;
	if (!namespace)
		return full[len] == '\0';
	return full[len] == '.' && strcmp(full + len + 1, namespace) == 0;
}

/* Without a namespace of its own a reference means the policy's. */
static bool is_named(const struct eg_policy_head *head, const struct eg_identity *identity)
{
	const struct eg_target *target = &head->target;
	const char *namespace = target->namespace ? target->namespace : head->namespace;

	if (is_called(name_of(identity), target->name, namespace))
		return true;
	return !target->namespace && is_called(name_of(identity), target->name, NULL);
}

/* Neither name nor labels: all of them. A namespace without a name selects none, as in Kuma. */
static bool selects_dataplane(const struct eg_policy_head *head, const struct eg_identity *identity)
{
	if (head->target.name)
		return is_named(head, identity);
	return !head->target.namespace && has_labels(identity, &head->target.labels);
}

/* --- all together --- */

static bool selects_proxy_type(const struct eg_target *target, const struct eg_identity *identity)
{
	const bool is_gateway = identity->dataplane && identity->dataplane->is_gateway;

	return target->proxy_types == 0 || (target->proxy_types & (is_gateway ? EG_PROXY_GATEWAY : EG_PROXY_SIDECAR));
}

/* NULL: it tells none. All inbounds of a pod are in one namespace. */
static const char *namespace_of(const struct eg_identity *identity)
{
	const struct eg_workload *workload = identity->workload;
	const struct eg_dataplane *dataplane = identity->dataplane;
	const char *found = NULL;

	if (dataplane)
		found = eg_tags_find(&dataplane->labels, EG_NAMESPACE_TAG);
	if (!found && dataplane && dataplane->inbounds.len > 0)
		found = eg_tags_find(&dataplane->inbounds.items[0].tags, EG_NAMESPACE_TAG);
	if (!found && workload)
		found = eg_tags_find(&workload->labels, EG_NAMESPACE_TAG);
	if (!found && workload)
		found = eg_tags_find(&workload->tags, EG_NAMESPACE_TAG);
	return found;
}

/* A workload that tells no namespace may be in this one: what is meant for it must not be lost. */
static bool shares_namespace(const struct eg_policy_head *head, const struct eg_identity *identity)
{
	const char *namespace = head->namespace ? namespace_of(identity) : NULL;

	return !namespace || strcmp(head->namespace, namespace) == 0;
}

bool eg_target_selects(const struct eg_policy_head *head, const struct eg_identity *identity)
{
	const struct eg_target *target = &head->target;

	if (head->is_shadow || strcmp(head->mesh, identity->mesh) != 0)
		return false;
	if (!shares_namespace(head, identity) || !selects_proxy_type(target, identity))
		return false;
	switch (target->kind) {
	case EG_TARGET_MESH:
		return true;
	case EG_TARGET_DATAPLANE:
		return selects_dataplane(head, identity);
	case EG_TARGET_MESH_SUBSET:
		return eg_identity_has_tags(identity, &target->tags);
	case EG_TARGET_MESH_SERVICE:
	case EG_TARGET_MESH_SERVICE_SUBSET:
		return target->name && eg_identity_has_tags(identity, &target->tags);
	case EG_TARGET_MESH_GATEWAY:
	case EG_TARGET_MESH_EXTERNAL_SERVICE:
	case EG_TARGET_MESH_MULTI_ZONE_SERVICE:
	case EG_TARGET_MESH_HTTP_ROUTE:
	case EG_TARGET_COUNT:
		break;
	}
	return false;
}

int eg_target_compare(const struct eg_policy_head *a, const struct eg_policy_head *b)
{
	int order;

	if (a->target.kind != b->target.kind)
		return a->target.kind < b->target.kind ? -1 : 1;
	if (!a->namespace != !b->namespace)
		return a->namespace ? 1 : -1;
	order = strcmp(b->display_name, a->display_name);
	return order != 0 ? order : strcmp(b->name, a->name);
}

const char *eg_target_kind_name(enum eg_target_kind kind)
{
	static const char *const names[] = {
		[EG_TARGET_MESH] = "Mesh",
		[EG_TARGET_DATAPLANE] = "Dataplane",
		[EG_TARGET_MESH_SUBSET] = "MeshSubset",
		[EG_TARGET_MESH_GATEWAY] = "MeshGateway",
		[EG_TARGET_MESH_SERVICE] = "MeshService",
		[EG_TARGET_MESH_EXTERNAL_SERVICE] = "MeshExternalService",
		[EG_TARGET_MESH_MULTI_ZONE_SERVICE] = "MeshMultiZoneService",
		[EG_TARGET_MESH_SERVICE_SUBSET] = "MeshServiceSubset",
		[EG_TARGET_MESH_HTTP_ROUTE] = "MeshHTTPRoute",
	};

	return names[kind];
}
