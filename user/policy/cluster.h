/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_CLUSTER_H
#define EG_POLICY_CLUSTER_H

/* The settings of a passthrough cluster: what they are called, what a duration means for them, and who has the last word. */
#include <stdint.h>

#include "base/diag.h"
#include "egress/maps.h"
#include "policy/model.h"

/* "outbound:passthrough:ipv4": the cluster of a family, and the listener in front of it. */
const char *eg_cluster_name(uint32_t family);
/*
 * Whose cluster or listener a policy means by a name, as enum eg_families; 0: none of
 * ours. Kuma 3.0 has other names, Kuma before 0.7 had one cluster, pass_through, and
 * statistics have outbound_passthrough_ipv4.
 */
unsigned int eg_cluster_families(const char *name);

/* "max_connections", "connect_timeout_ms": as JSON has it. */
const char *eg_setting_name(enum eg_setting setting);

/* A setting's value, in its own unit. */
uint64_t eg_cluster_get(const struct eg_cluster_policy *cluster, enum eg_setting setting);

/* What somebody wrote replaces what held, with the place where it was written; what they left out stays. */
void eg_cluster_apply(struct eg_cluster_policy *cluster, struct eg_origin origins[EG_SETTING_COUNT],
		      const struct eg_settings *settings);

/*
 * A duration as the value of a timeout, in ms. What is left of a millisecond is
 * cut off, as Envoy does, but never makes a connect timeout or a greatest duration
 * 0; a connect timeout is 2^32-1 ms at most. -ERANGE when it is negative, and
 * for a connect timeout of 0.
 */
int eg_setting_from_ns(enum eg_setting setting, int64_t ns, uint64_t *ret_ms);
/* Why a timeout that is accepted does not do what it says; NULL: it does. */
const char *eg_setting_doubt(enum eg_setting setting, int64_t ns);

#endif
