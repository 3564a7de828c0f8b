/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_PASSTHROUGH_H
#define EG_POLICY_PASSTHROUGH_H

/* What the MeshPassthrough policies of a workload say together. */
#include "policy/model.h"
#include "policy/target.h"

/* By enum eg_passthrough_mode, as they are written; NULL behind the last. */
extern const char *const eg_passthrough_modes[];

/* The most specific one that is for a workload: its mode counts. NULL: the Mesh has the word. */
const struct eg_mesh_passthrough *eg_passthrough_select(const struct eg_model *model,
							const struct eg_identity *identity);

/* What is said of a mesh's passthrough. */
struct eg_closed_mesh {
	const char *mesh;
	const struct eg_origin *where;	/* NULL: some workload may be let out */
	size_t position;		/* in the order of the documents */
};

/* By mesh. Those that nothing is said of are not among them. */
struct eg_closed_meshes {
	EG_ARRAY(struct eg_closed_mesh) list;
};

/* The caller clears them, also after a failure. 0, or -ENOMEM. */
int eg_closed_meshes_list(const struct eg_model *model, struct eg_closed_meshes *meshes);
/*
 * Where it is written that nothing outside a mesh may be reached, by no workload; NULL
 * when some may. Lists of Workloads do not count.
 */
const struct eg_origin *eg_closed_meshes_find(const struct eg_closed_meshes *meshes, const char *mesh);
void eg_closed_meshes_clear(struct eg_closed_meshes *meshes);

/* Warns of what a policy says that has no effect. */
void eg_passthrough_check(const struct eg_model *model, const struct eg_mesh_passthrough *policy, struct eg_diag *diag);

#endif
