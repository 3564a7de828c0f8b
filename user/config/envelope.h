/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_ENVELOPE_H
#define EG_CONFIG_ENVELOPE_H

/* What stands around the fields of every resource. */
#include "config/schema.h"

/* Where a document of the Universal form has its fields; in that of Kubernetes they are always in `spec`. */
enum eg_form {
	EG_FORM_FLAT, /* beside `type`: Kuma's older kinds, and ours */
	EG_FORM_SPEC,
};

struct eg_envelope {
	const char *kind; /* NULL: the document says none; with a finding */
	const struct eg_yaml_node *kind_node;
	const char *api_version; /* NULL in the Universal form */
	const struct eg_yaml_node *api_version_node;
	bool is_kubernetes;
	const struct eg_schema *outer; /* the fields of the document as a whole */
	const char *name;                /* of a namespaced Kubernetes resource name.namespace, as Kuma has it */
	const char *display_name;        /* the same without the namespace */
	const char *mesh;                /* never NULL */
	struct eg_origin origin;         /* of the document */
	struct eg_origin mesh_origin;    /* of the document when the mesh is left out */
	uint64_t created_us;             /* since the year 1; 0: left out */
	struct eg_tags labels;           /* with k8s.kuma.io/namespace for the namespace, as Kuma has it */
	const struct eg_yaml_node *spec; /* what holds the fields */
	const struct eg_yaml_node *status; /* what a control plane found out; NULL: nothing is written */
};

/* The fields of the Universal form, which share a mapping with the resource's own. */
extern const struct eg_schema eg_universal_envelope;

/* The kind alone: of a kind that we do not read nothing else is looked at. */
void eg_envelope_read_kind(struct eg_reader *reader, const struct eg_yaml_node *root, struct eg_envelope *ret_envelope);
/* The rest, and sets the reader's path to where the fields are. */
int eg_envelope_read(struct eg_reader *reader, const struct eg_yaml_node *root, enum eg_form form,
		     struct eg_envelope *envelope);

#endif
