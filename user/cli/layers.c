/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/layers.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "datapath/lsm.h"

#define PROGRAMS_OF_LAYER 4
#define WHY_MAX 128

/* In the order in which a packet would come by them. */
static const struct layer {
	const char *name;
	const char *catches;
	const char *programs[PROGRAMS_OF_LAYER];
} table[] = {
	[EG_LAYER_SOCKETS] = {"socket", "raw, UDP-Lite, SCTP, DCCP and L2TP sockets, by socket()", {"eg_guard_make"}},
	[EG_LAYER_LSM] = {"lsm",
			  "packet, XDP, vsock and other families' sockets; sockets made outside, where they connect or send",
			  {"eg_guard_any", "eg_guard_conn", "eg_guard_send"}},
	[EG_LAYER_OPTIONS] = {"option", "source routes and routing headers, by setsockopt()", {"eg_guard_opt"}},
	[EG_LAYER_CALLS] = {"call",
			    "TCP, UDP and ping, by connect() and sendto()",
			    {"eg_connect4", "eg_connect6", "eg_sendmsg4", "eg_sendmsg6"}},
	[EG_LAYER_PACKETS] = {"packet",
			      "what no call was judged by: sockets older than the policy, raw, ping, source routes",
			      {"eg_guard_out", "eg_guard_in"}},
};
static const enum eg_layer order[] = {
	EG_LAYER_SOCKETS, EG_LAYER_LSM, EG_LAYER_OPTIONS, EG_LAYER_CALLS, EG_LAYER_PACKETS,
};

static bool has_program(const struct layer *layer, const char *program)
{
	for (size_t i = 0; i < PROGRAMS_OF_LAYER && layer->programs[i]; i++)
		if (strcmp(layer->programs[i], program) == 0)
			return true;
	return false;
}

static void add_layer(struct eg_layers *layers, enum eg_layer layer, const struct eg_inspection *inspection)
{
	bool wanted = false, effective = true;

	for (size_t i = 0; i < inspection->hooks.len; i++) {
		const struct eg_hook_state *hook = &inspection->hooks.items[i];

		if (!has_program(&table[layer], hook->program))
			continue;
		wanted = true;
		effective &= hook->is_effective;
	}
	layers->of[layer].wanted += wanted;
	layers->of[layer].effective += wanted && effective;
}

void eg_layers_add(struct eg_layers *layers, const struct eg_inspection *inspection)
{
	for (enum eg_layer layer = 0; layer < EG_LAYER_COUNT; layer++)
		add_layer(layers, layer, inspection);
}

static bool is_in_force(const struct eg_layers *layers, enum eg_layer layer)
{
	return layers->of[layer].wanted > 0 && layers->of[layer].effective == layers->of[layer].wanted;
}

/* Why it is not; empty when it is. Returns why. */
static const char *explain(const struct eg_layers *layers, enum eg_layer layer, char why[WHY_MAX])
{
	*why = '\0';
	if (layer == EG_LAYER_LSM && layers->lsm_error < 0)
		snprintf(why, WHY_MAX, "%s", eg_lsm_problem(layers->lsm_error));
	else if (layers->of[layer].wanted == 0)
		snprintf(why, WHY_MAX, "no workload's policy wants it");
	else if (!is_in_force(layers, layer))
		snprintf(why, WHY_MAX, "on %zu of %zu workloads", layers->of[layer].effective, layers->of[layer].wanted);
	return why;
}

void eg_layers_print(const struct eg_layers *layers)
{
	char why[WHY_MAX];

	for (size_t i = 0; i < EG_COUNT_OF(order); i++) {
		const struct layer *layer = &table[order[i]];

		printf("%s%-8s%-8s%s", i == 0 ? "layers      " : "            ", layer->name,
		       is_in_force(layers, order[i]) ? "yes" : "no", layer->catches);
		if (*explain(layers, order[i], why))
			printf(" (%s)", why);
		printf("\n");
	}
}

json_t *eg_layers_json(const struct eg_layers *layers)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < EG_COUNT_OF(order); i++) {
		const struct layer *layer = &table[order[i]];
		char why[WHY_MAX];
		json_t *entry = json_pack("{s:s, s:s, s:b, s:I, s:s*}", "name", layer->name, "catches", layer->catches,
					  "in_force", is_in_force(layers, order[i]), "workloads",
					  (json_int_t)layers->of[order[i]].effective, "why",
					  *explain(layers, order[i], why) ? why : NULL);

		if (json_array_append_new(list, entry) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}
