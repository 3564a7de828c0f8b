/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_KINDS_H
#define EG_CONFIG_KINDS_H

/* The kinds of resources that are read, and those that only have a name here. */
#include "config/envelope.h"
#include "config/schema.h"

enum eg_kind_group {
	EG_KIND_READ,    /* into the model */
	EG_KIND_INERT,   /* checked, and a note: it never reaches traffic that leaves the mesh */
};

/* Among what the names of a kind must differ. */
enum eg_naming {
	EG_NAMED_IN_MESH,
	EG_NAMED_IN_SET, /* whatever the mesh */
	EG_NAMED_FREELY,
};

/* What is said of each kind that is inert. */
#define EG_INERT_DOC "Checked; it changes nothing here, as in Kuma it never reaches traffic that leaves the mesh."

struct eg_kind {
	const char *name;
	enum eg_kind_group group;
	const char *api_version;
	const struct eg_schema *schema; /* of a kind that is read */
	int (*read)(struct eg_reader *reader, const struct eg_envelope *envelope);
	enum eg_form form;
	enum eg_naming naming;
};

/* NULL when there is none of this name. */
const struct eg_kind *eg_kind_find(const char *name);
/* All of them, in the order in which people are shown them; NULL behind the last. */
const struct eg_kind *eg_kind_at(size_t index);
/* A kind that somebody may have meant, or NULL. */
const char *eg_kind_suggest(const char *name);

/* Of a kind that Kuma 3 has no more: what takes its place. NULL: it stays, or was never one of Kuma's. */
const char *eg_kind_successor(const char *name);
/* All kinds that Kuma 3 has no more; NULL behind the last. */
const char *eg_kind_removed_at(size_t index, const char **ret_successor);

extern const struct eg_schema eg_mesh_schema;
extern const struct eg_schema eg_dataplane_schema;
extern const struct eg_schema eg_external_service_schema;
extern const struct eg_schema eg_mesh_external_service_schema;
extern const struct eg_schema eg_mesh_service_schema;
extern const struct eg_schema eg_mesh_circuit_breaker_schema;
extern const struct eg_schema eg_mesh_timeout_schema;
extern const struct eg_schema eg_circuit_breaker_schema;
extern const struct eg_schema eg_timeout_schema;
extern const struct eg_schema eg_workload_schema;
extern const struct eg_schema eg_node_schema;
extern const struct eg_schema eg_proxy_template_schema;
extern const struct eg_schema eg_mesh_passthrough_schema;
extern const struct eg_schema eg_mesh_proxy_patch_schema;
extern const struct eg_schema eg_mesh_tls_schema;

int eg_mesh_read(struct eg_reader *reader, const struct eg_envelope *envelope);
int eg_dataplane_read(struct eg_reader *reader, const struct eg_envelope *envelope);
int eg_external_service_read(struct eg_reader *reader, const struct eg_envelope *envelope);
int eg_mesh_external_service_read(struct eg_reader *reader, const struct eg_envelope *envelope);
int eg_mesh_service_read(struct eg_reader *reader, const struct eg_envelope *envelope);
int eg_mesh_circuit_breaker_read(struct eg_reader *reader, const struct eg_envelope *envelope);
int eg_mesh_timeout_read(struct eg_reader *reader, const struct eg_envelope *envelope);
int eg_workload_read(struct eg_reader *reader, const struct eg_envelope *envelope);
int eg_node_read(struct eg_reader *reader, const struct eg_envelope *envelope);
int eg_proxy_template_read(struct eg_reader *reader, const struct eg_envelope *envelope);
int eg_mesh_passthrough_read(struct eg_reader *reader, const struct eg_envelope *envelope);
int eg_mesh_proxy_patch_read(struct eg_reader *reader, const struct eg_envelope *envelope);
int eg_mesh_tls_read(struct eg_reader *reader, const struct eg_envelope *envelope);

#endif
