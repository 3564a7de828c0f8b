/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CLI_LAYERS_H
#define EG_CLI_LAYERS_H

/* What `status` says of the layers that traffic is stopped by: which catches what, and whether it is in force. */
#include <jansson.h>
#include <stddef.h>

#include "datapath/inspect.h"

enum eg_layer {
	EG_LAYER_CALLS,
	EG_LAYER_SOCKETS,
	EG_LAYER_OPTIONS,
	EG_LAYER_PACKETS,
	EG_LAYER_LSM,
	EG_LAYER_COUNT,
};

struct eg_layers {
	int lsm_error; /* as eg_datapath_lsm_error() */
	struct {
		size_t wanted;    /* workloads whose policy wants it */
		size_t effective; /* of those, where the kernel runs all its programs */
	} of[EG_LAYER_COUNT];
};

/* A workload that was looked at. */
void eg_layers_add(struct eg_layers *layers, const struct eg_inspection *inspection);
void eg_layers_print(const struct eg_layers *layers);
/* A list, or NULL for want of memory. */
json_t *eg_layers_json(const struct eg_layers *layers);

#endif
