/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_SERVICE_H
#define EG_CONFIG_SERVICE_H

/* What ExternalService, MeshExternalService and MeshService share. */
#include "config/envelope.h"

/* An empty one of the model's. */
int eg_service_add(struct eg_reader *reader, const struct eg_envelope *envelope, struct eg_service **ret_service);
/* `host` is copied. A host name is kept, with a warning: it is non-mesh. */
int eg_service_add_endpoint(struct eg_reader *reader, struct eg_service *service, const struct eg_yaml_node *node,
			    const char *host, uint16_t port);

/* The names that Kuma makes of them are labels of DNS. */
void eg_service_check_name(struct eg_reader *reader, const struct eg_envelope *envelope);

/* A certificate or key, wherever it is: only looked at for its fields. */
extern const struct eg_schema eg_data_source_schema;

/* The address that a control plane gave: the text of `ip` in a mapping, or NULL. */
const struct eg_yaml_node *eg_service_vip(const struct eg_yaml_node *mapping);

#endif
