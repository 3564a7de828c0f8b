/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_TARGET_H
#define EG_POLICY_TARGET_H

/* Whom policies are for, and which of several is the more specific. */
#include "policy/model.h"

/* What selectors and targetRefs are compared with. */
struct eg_identity {
	const char *mesh;
	const char *name;			/* of the workload: its kuma.io/service where nobody writes one */
	const struct eg_workload *workload;	/* NULL: no document is about it */
	const struct eg_dataplane *dataplane;	/* NULL: its Workload names none */
};

/* Its kuma.io/service: what its Workload says, else the first that its Dataplane has, else the name. */
const char *eg_identity_service(const struct eg_identity *identity);

/*
 * Whether one set of tags has all that a selector wants, where * is any value. Each
 * inbound of the Dataplane is a set of its own, and so is what the Workload says.
 */
bool eg_identity_has_tags(const struct eg_identity *identity, const struct eg_tags *selector);

/*
 * Whether a policy is for it. MeshGateway, MeshHTTPRoute and the kinds of services
 * that are no tag of a workload select none.
 */
bool eg_target_selects(const struct eg_policy_head *head, const struct eg_identity *identity);

/*
 * Less than 0 when b is the more specific: it has the last word over a. By kind of
 * targetRef, then whether it is confined to a namespace, then by name: files have no
 * time of creation, so the first by name wins, as in Kuma.
 */
int eg_target_compare(const struct eg_policy_head *a, const struct eg_policy_head *b);

/* "MeshSubset". */
const char *eg_target_kind_name(enum eg_target_kind kind);

#endif
