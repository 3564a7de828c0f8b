/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_PATCH_H
#define EG_POLICY_PATCH_H

/*
 * What ProxyTemplates and MeshProxyPatches make of the passthrough clusters. They
 * apply to documents as Kuma generates them (2.14): a cluster with a connectTimeout and
 * one threshold, of priority DEFAULT, that sets nothing, and a TcpProxy without timeouts.
 */
#include "egress/maps.h"
#include "policy/model.h"
#include "policy/template.h"

/* What is for one workload, in an arena. */
struct eg_patches {
	const struct eg_proxy_patch **items;	/* the least specific first: they apply in this order */
	size_t len;
	struct eg_template_list templates;	/* the first applies, behind the patches; those behind it are shadowed */
};

/* 0, or -ENOMEM. */
int eg_patches_select(const struct eg_model *model, const struct eg_identity *identity, struct eg_arena *arena,
		      struct eg_patches *ret_patches);

/* Another arena's. 0, or -ENOMEM. */
int eg_patches_copy(const struct eg_patches *patches, struct eg_arena *arena, struct eg_patches *ret_copy);
/* For tsearch() and the like: 0 when they are the very same ones. */
int eg_patches_compare(const void *a, const void *b);

/* The template that holds, or NULL. */
const struct eg_proxy_template *eg_patches_template(const struct eg_patches *patches);

struct eg_patched_cluster {
	struct eg_cluster_policy policy;
	struct eg_origin origins[EG_SETTING_COUNT];	/* file NULL: the default */
	const struct eg_origin *removed;	/* by which modification; NULL: it is there */
};

/*
 * Applies all modifications of a workload's patches to a family's cluster. 0; -EBADMSG
 * when one of them cannot be applied, which is an error in diag; -ENOMEM.
 */
int eg_patches_apply(const struct eg_patches *patches, enum eg_families family, struct eg_diag *diag,
		     struct eg_patched_cluster *ret_cluster);

/*
 * Warns of what one document says that cannot act, or that its author may have meant
 * for both families. `closed` is where it is written that nothing leaves its mesh; NULL:
 * something may. 0, or -ENOMEM.
 */
int eg_template_check(const struct eg_model *model, const struct eg_proxy_template *template,
		      const struct eg_origin *closed, struct eg_diag *diag);
/* The same of all MeshProxyPatches of a mesh. */
void eg_proxy_patches_check(const struct eg_proxy_patch *const *patches, size_t count, const struct eg_origin *closed,
			    struct eg_diag *diag);
/* Says what is wrong with patches that meet in a workload. 0, or -ENOMEM. */
int eg_patches_check(const struct eg_model *model, const struct eg_patches *patches, struct eg_diag *diag);

#endif
