/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/model.h"

#include <stdlib.h>
#include <string.h>

const char *const eg_incoming_modes[] = {
	[EG_INCOMING_OFF] = "OFF",
	[EG_INCOMING_PERMISSIVE] = "PERMISSIVE",
	[EG_INCOMING_STRICT] = "STRICT",
	NULL,
};

const char *const eg_modes[] = {
	[EG_MODE_ENFORCE] = "enforce",
	[EG_MODE_AUDIT] = "audit",
	NULL,
};

struct eg_model *eg_model_new(void)
{
	return calloc(1, sizeof(struct eg_model));
}

struct eg_model *eg_model_free(struct eg_model *model)
{
	if (!model)
		return NULL;
	for (size_t i = 0; i < model->dataplanes.len; i++) {
		eg_array_clear(&model->dataplanes.items[i]->inbounds);
		eg_array_clear(&model->dataplanes.items[i]->outbounds);
	}
	for (size_t i = 0; i < model->services.len; i++)
		eg_array_clear(&model->services.items[i]->endpoints);
	for (size_t i = 0; i < model->workloads.len; i++) {
		eg_array_clear(&model->workloads.items[i]->exclude_outbound_ports);
		eg_array_clear(&model->workloads.items[i]->exclude_outbound_ips);
		eg_array_clear(&model->workloads.items[i]->allow);
		eg_array_clear(&model->workloads.items[i]->allow_incoming.list);
	}
	for (size_t i = 0; i < model->templates.len; i++) {
		eg_array_clear(&model->templates.items[i]->selectors);
		eg_array_clear(&model->templates.items[i]->modifications.list);
	}
	for (size_t i = 0; i < model->passthroughs.len; i++) {
		eg_array_clear(&model->passthroughs.items[i]->matches);
		eg_array_clear(&model->passthroughs.items[i]->domains);
	}
	if (model->node) {
		eg_array_clear(&model->node->mesh_cidrs);
		eg_array_clear(&model->node->allow_incoming.list);
		eg_array_clear(&model->node->resolvers);
	}
	eg_array_clear(&model->resources);
	eg_array_clear(&model->meshes);
	eg_array_clear(&model->dataplanes);
	eg_array_clear(&model->services);
	eg_array_clear(&model->workloads);
	eg_array_clear(&model->templates);
	for (size_t i = 0; i < model->proxy_patches.len; i++)
		eg_array_clear(&model->proxy_patches.items[i]->modifications.list);
	eg_array_clear(&model->passthroughs);
	eg_array_clear(&model->tls);
	eg_array_clear(&model->proxy_patches);
	eg_array_clear(&model->heads);
	eg_arena_clear(&model->arena);
	free(model);
	return NULL;
}

const char *eg_tags_find(const struct eg_tags *tags, const char *name)
{
	for (size_t i = 0; i < tags->len; i++)
		if (strcmp(tags->items[i].name, name) == 0)
			return tags->items[i].value;
	return NULL;
}

const struct eg_mesh *eg_model_find_mesh(const struct eg_model *model, const char *name)
{
	for (size_t i = 0; i < model->meshes.len; i++)
		if (strcmp(model->meshes.items[i]->name, name) == 0)
			return model->meshes.items[i];
	return NULL;
}

const struct eg_dataplane *eg_model_find_dataplane(const struct eg_model *model, const char *mesh, const char *name)
{
	for (size_t i = 0; i < model->dataplanes.len; i++) {
		const struct eg_dataplane *dataplane = model->dataplanes.items[i];

		if (strcmp(dataplane->mesh, mesh) == 0 && strcmp(dataplane->name, name) == 0)
			return dataplane;
	}
	return NULL;
}

const struct eg_workload *eg_model_find_workload(const struct eg_model *model, const char *name)
{
	for (size_t i = 0; i < model->workloads.len; i++)
		if (strcmp(model->workloads.items[i]->name, name) == 0)
			return model->workloads.items[i];
	return NULL;
}

uint32_t eg_model_sweep_interval_ms(const struct eg_model *model)
{
	if (model->node && model->node->sweep_interval_ms.is_set)
		return (uint32_t)model->node->sweep_interval_ms.value;
	return 0;
}
