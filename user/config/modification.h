/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_MODIFICATION_H
#define EG_CONFIG_MODIFICATION_H

/* Modifications of Envoy's resources, which a ProxyTemplate and a MeshProxyPatch have alike but for some words. */
#include "config/schema.h"

/* An item of ProxyTemplate's conf.modifications, and of MeshProxyPatch's default.appendModifications. */
extern const struct eg_schema eg_template_modification_schema;
extern const struct eg_schema eg_patch_modification_schema;

/* Reads the list of a ProxyTemplate. 0, mistakes being findings, or -ENOMEM. */
int eg_template_modifications_read(struct eg_reader *reader, const struct eg_yaml_node *node,
				   struct eg_modifications *modifications);
/* The same of a MeshProxyPatch. */
int eg_patch_modifications_read(struct eg_reader *reader, const struct eg_yaml_node *node,
				struct eg_modifications *modifications);

#endif
