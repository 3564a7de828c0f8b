/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_NAMES_H
#define EG_EXPORT_NAMES_H

/* The words that people see for the contracts' numbers. */
#include <stdint.h>

#include "base/addr.h"
#include "base/text.h"
#include "egress/event.h"
#include "egress/flow.h"
#include "egress/lease.h"
#include "egress/maps.h"
#include "egress/stats.h"
#include "egress/verdict.h"

/* "mesh", "blocked-passthrough-off"; "unknown" for a number of another version. */
const char *eg_reason_name(unsigned int reason);
/* The reason of such a name, or -EINVAL. */
int eg_reason_parse(const char *name);
/* "allowed", "blocked": what the policy says, be it enforced or not. */
const char *eg_verdict_name(unsigned int verdict);
/* "allowed", "blocked", "audited": the same with what became of it, for people. */
const char *eg_outcome_name(unsigned int verdict);
/* The verdict of such a name, or -EINVAL. */
int eg_outcome_parse(const char *name);
/* The verdict that a reason stands for. */
enum eg_verdict eg_reason_verdict(unsigned int reason);
/* "incoming", "outgoing": which way what a reason is about goes. */
const char *eg_direction_name(unsigned int reason);
/* "connecting", "established"...: enum eg_lease_state. */
const char *eg_lease_state_name(unsigned int state);
/* The same of a socket of a walk; "accepted" of one that came in. */
const char *eg_held_state_name(const struct eg_held_socket *socket);
/* "ipv4", "ipv6". */
const char *eg_family_name(uint32_t family);
/* "tcp", "udp", "icmpv6"...; digits in *buffer for the unnamed. */
const char *eg_protocol_name(uint32_t protocol, char buffer[12]);
/* The IPPROTO_* number of such a name, or -EINVAL. */
int eg_protocol_parse(const char *name);
/* "10.0.0.1:443", "[fd00::1]:53". Returns buffer. */
#define EG_PLACE_TEXT_MAX EG_ADDR_PORT_TEXT_MAX
const char *eg_place_format(const struct eg_flow *flow, char buffer[EG_PLACE_TEXT_MAX]);
/* The same of what has this reason: of a client "from 10.0.0.1 to port 443". Returns buffer. */
#define EG_ENDS_TEXT_MAX (EG_ADDR_TEXT_MAX + 32)
const char *eg_ends_format(const struct eg_flow *flow, unsigned int reason, char buffer[EG_ENDS_TEXT_MAX]);
/* A process's name for a terminal: what could move a cursor there is a question mark. Returns buffer. */
const char *eg_comm_format(const char comm[EG_COMM_LEN], char buffer[EG_COMM_LEN + 1]);
/* A workload's name or a cgroup's path for a terminal: whoever makes cgroups calls them what he likes. Returns buffer. */
#define EG_NAME_TEXT_MAX EG_ESCAPED_MAX(EG_CGROUP_LEN)
const char *eg_name_format(const char *name, char buffer[EG_NAME_TEXT_MAX]);
/* How often a reason was given, in both families. */
uint64_t eg_reason_count(const struct eg_slot_counts *counts, enum eg_reason reason);

#endif
