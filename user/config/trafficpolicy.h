/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_TRAFFICPOLICY_H
#define EG_CONFIG_TRAFFICPOLICY_H

/*
 * What Kuma's newer policies for traffic between services share: a targetRef, and `to`,
 * `from` or `rules` with a `default` in each entry. They never reach traffic that leaves
 * the mesh, so they are only checked.
 */
#include "config/envelope.h"
#include "config/targetref.h"

/* The target of all their objects. */
struct eg_traffic_policy {
	unsigned int takes;          /* of the targetRef, as in targetref.h */
	unsigned int to_takes;       /* of those in `to` */
	unsigned int route_takes;    /* the same when the targetRef names a route or a gateway; 0: to_takes */
	enum eg_target_kind targets; /* what the targetRef names: Mesh when it is left out */
	bool matches_identity;       /* the entry of `rules` at hand: of the client */
};

/* What both kinds take, of all releases together. */
#define EG_TRAFFIC_TOP_KINDS \
	(EG_TARGET_BIT(MESH) | EG_TARGET_BIT(DATAPLANE) | EG_TARGET_BIT(MESH_SUBSET) | EG_TARGET_BIT(MESH_GATEWAY) | \
	 EG_TARGET_BIT(MESH_SERVICE) | EG_TARGET_BIT(MESH_SERVICE_SUBSET))
#define EG_TRAFFIC_TO_KINDS \
	(EG_TARGET_BIT(MESH) | EG_TARGET_BIT(MESH_SERVICE) | EG_TARGET_BIT(MESH_EXTERNAL_SERVICE) | \
	 EG_TARGET_BIT(MESH_MULTI_ZONE_SERVICE))

extern const struct eg_type eg_traffic_target_ref; /* spec.targetRef */
extern const struct eg_type eg_traffic_to_ref;     /* to[].targetRef */
extern const struct eg_type eg_traffic_from_ref;   /* from[].targetRef */

/* The targetRef of an entry. */
#define EG_TRAFFIC_REF(ref_type, text) \
	{ \
		.name = "targetRef", .type = &(ref_type), .fields = &eg_target_ref_schema, \
		.missing = "must be defined", .doc = (text) \
	}

/* The `default` of an entry, and what to say of one that is empty. */
#define EG_TRAFFIC_DEFAULT(default_schema, refusal) \
	{ \
		.name = "default", .type = &eg_type_object, .fields = &(default_schema), .missing = (refusal), \
		.doc = "What holds for it." \
	}

/* The fields of such a kind, with what its entries are like. */
#define EG_TRAFFIC_FIELDS(to_entry, from_entry, rule_entry) \
	/* First, since the others depend on it. */ \
	{.name = "targetRef", \
	 .type = &eg_traffic_target_ref, \
	 .fields = &eg_target_ref_schema, \
	 .fallback = "kind: Mesh", \
	 .doc = "Whom it is for."}, \
		{.name = "to", \
		 .type = &eg_checked_list, \
		 .fields = &(to_entry), \
		 .doc = "For what leaves its proxies."}, \
		{.name = "from", \
		 .type = &eg_checked_list, \
		 .fields = &(from_entry), \
		 .doc = "For what arrives at them.", \
		 .kuma3 = "ignores it; rules take its place"}, \
	{ \
		.name = "rules", .type = &eg_checked_list, .fields = &(rule_entry), \
		.doc = "The same in the newer form; not beside `to` and `from`." \
	}

/* Reads a document of reader->kind; its schema has eg_traffic_check_parts() to finish. */
int eg_traffic_policy_read(struct eg_reader *reader, const struct eg_envelope *envelope,
			   struct eg_traffic_policy *policy);
int eg_traffic_check_parts(struct eg_reader *reader, const struct eg_yaml_node *node, void *target);

#endif
