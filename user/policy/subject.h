/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_SUBJECT_H
#define EG_POLICY_SUBJECT_H

/*
 * Whose word holds for one workload, setting by setting: the parts of struct eg_subject (rules.h)
 * that are no rules. Which policies are for it, rules.c has selected before.
 */
#include "policy/model.h"
#include "policy/patch.h"
#include "policy/rules.h"

/* Patches that meet in a workload, and what they make of the clusters. */
struct eg_patched_clusters {
	struct eg_patches patches; /* the first member: it is found by them */
	struct eg_patched_cluster ipv4;
	struct eg_patched_cluster ipv6;
};

/* The Workload's word, then the Node's, then the default; both may be NULL. The protocols that a Workload allows, too. */
void eg_subject_set_errnos(struct eg_subject *subject, const struct eg_workload *workload, const struct eg_node *node);
/* What becomes of open connections that a new policy forbids. NULL: no Workload says. */
void eg_subject_set_policy_change(struct eg_subject *subject, const struct eg_workload *workload);
/*
 * The nearest to the command line wins: its flag, then the MeshPassthrough, then the
 * Mesh, then the default, which nobody wrote.
 */
void eg_subject_set_passthrough(struct eg_subject *subject, const struct eg_optional_bool *flag,
				const struct eg_mesh_passthrough *policy, const struct eg_mesh *mesh);
/*
 * The nearest to the command line wins, setting by setting: its flags, then the patches, then the defaults.
 * After the passthrough, which a template that took clusters away turns off.
 */
void eg_subject_set_clusters(struct eg_subject *subject, const struct eg_rules_source *source,
			     const struct eg_patched_clusters *patched);
/*
 * After the clusters: with `compat: envoy` their limits of requests and retries do not count, whoever wrote
 * them: Envoy's TCP proxy never asks for these.
 */
void eg_subject_set_retries(struct eg_subject *subject, const struct eg_node *node);
/*
 * Only a Workload that says so redirects: a Dataplane alone may well stand for a proxy that is none of ours. `dataplane`
 * is the one that it names; NULL: none.
 */
void eg_subject_set_redirect(struct eg_subject *subject, const struct eg_dataplane *dataplane,
			     const struct eg_rules_source *source);

#endif
