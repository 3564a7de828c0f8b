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

/* What is for one workload. */
struct eg_patches {
	struct eg_template_list templates;	/* the first holds, those behind it are shadowed */
};

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
 * Warns of what a template says that cannot act, or that its author may have meant for
 * both families. 0, or -ENOMEM.
 */
int eg_template_check(const struct eg_model *model, const struct eg_proxy_template *template, struct eg_diag *diag);

#endif
