/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/names.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "egress/lease.h"

static const struct reason {
	const char *name;
	enum eg_verdict verdict;
} reasons[] = {
#define EG_REASON_ROW(id, field, name, verdict, text) [EG_REASON_##id] = {name, EG_VERDICT_##verdict},
	EG_REASONS(EG_REASON_ROW)
#undef EG_REASON_ROW
};

static const struct protocol {
	uint32_t number;
	const char *name;
} protocols[] = {
	{IPPROTO_TCP, "tcp"},
	{IPPROTO_UDP, "udp"},
	{IPPROTO_UDPLITE, "udplite"},
	{IPPROTO_ICMP, "icmp"},
	{IPPROTO_ICMPV6, "icmpv6"},
	{IPPROTO_SCTP, "sctp"},
	{IPPROTO_DCCP, "dccp"},
	{EG_PROTOCOL_OF_FAMILY | AF_PACKET, "packet"},
	{EG_PROTOCOL_OF_FAMILY | AF_XDP, "xdp"},
	{EG_PROTOCOL_OF_FAMILY | AF_VSOCK, "vsock"},
	{EG_PROTOCOL_OF_FAMILY | AF_TIPC, "tipc"},
	{EG_PROTOCOL_OF_FAMILY | AF_RDS, "rds"},
};

static const char *const outcomes[] = {
	[EG_VERDICT_BLOCKED] = "blocked",
	[EG_VERDICT_ALLOWED] = "allowed",
	[EG_VERDICT_AUDITED] = "audited",
};

const char *eg_reason_name(unsigned int reason)
{
	return reason < EG_COUNT_OF(reasons) ? reasons[reason].name : "unknown";
}

enum eg_verdict eg_reason_verdict(unsigned int reason)
{
	return reason < EG_COUNT_OF(reasons) ? reasons[reason].verdict : EG_VERDICT_BLOCKED;
}

const char *eg_verdict_name(unsigned int verdict)
{
	return verdict == EG_VERDICT_ALLOWED ? "allowed" : "blocked";
}

const char *eg_outcome_name(unsigned int verdict)
{
	return verdict < EG_COUNT_OF(outcomes) ? outcomes[verdict] : "unknown";
}

int eg_reason_parse(const char *name)
{
	for (size_t i = 0; i < EG_COUNT_OF(reasons); i++)
		if (strcmp(reasons[i].name, name) == 0)
			return (int)i;
	return -EINVAL;
}

int eg_outcome_parse(const char *name)
{
	for (size_t i = 0; i < EG_COUNT_OF(outcomes); i++)
		if (strcmp(outcomes[i], name) == 0)
			return (int)i;
	return -EINVAL;
}

const char *eg_lease_state_name(unsigned int state)
{
	static const char *const states[] = {
		[EG_LEASE_NONE] = "none",	  [EG_LEASE_CONNECTING] = "connecting",
		[EG_LEASE_ESTABLISHED] = "established", [EG_LEASE_DRAINING] = "draining",
		[EG_LEASE_SESSION] = "session",	  [EG_LEASE_TRUSTED] = "trusted",
	};

	return state < EG_COUNT_OF(states) ? states[state] : "unknown";
}

const char *eg_held_state_name(const struct eg_held_socket *socket)
{
	return eg_reason_is_incoming(socket->reason) ? "accepted" : eg_lease_state_name(eg_lease_state(socket->word));
}

const char *eg_family_name(uint32_t family)
{
	return family == EG_FAMILY_IPV4 ? "ipv4" : "ipv6";
}

const char *eg_protocol_name(uint32_t protocol, char buffer[12])
{
	for (size_t i = 0; i < EG_COUNT_OF(protocols); i++)
		if (protocols[i].number == protocol)
			return protocols[i].name;
	if (protocol >= EG_PROTOCOL_OF_FAMILY && protocol <= UINT16_MAX)
		snprintf(buffer, 12, "family-%u", (protocol - EG_PROTOCOL_OF_FAMILY) & 0xff);
	else
		snprintf(buffer, 12, "%u", protocol);
	return buffer;
}

int eg_protocol_parse(const char *name)
{
	for (size_t i = 0; i < EG_COUNT_OF(protocols); i++)
		if (strcmp(protocols[i].name, name) == 0 && protocols[i].number < EG_PROTOCOL_OF_FAMILY)
			return (int)protocols[i].number;
	return -EINVAL;
}

const char *eg_place_format(const struct eg_flow *flow, char buffer[EG_PLACE_TEXT_MAX])
{
	return eg_addr_port_format(flow->family, &flow->addr, (uint16_t)flow->port, buffer);
}

const char *eg_direction_name(unsigned int reason)
{
	return eg_reason_is_incoming(reason) ? "incoming" : "outgoing";
}

const char *eg_ends_format(const struct eg_flow *flow, unsigned int reason, char buffer[EG_ENDS_TEXT_MAX])
{
	char address[EG_ADDR_TEXT_MAX];

	_Static_assert(EG_ENDS_TEXT_MAX >= EG_PLACE_TEXT_MAX, "a place fits as well");
	if (!eg_reason_is_incoming(reason))
		return eg_place_format(flow, buffer);
	snprintf(buffer, EG_ENDS_TEXT_MAX, "from %s to port %u", eg_addr_format(flow->family, &flow->addr, address),
		 flow->port);
	return buffer;
}

const char *eg_comm_format(const char comm[EG_COMM_LEN], char buffer[EG_COMM_LEN + 1])
{
	size_t len = strnlen(comm, EG_COMM_LEN);

	for (size_t i = 0; i < len; i++)
		buffer[i] = comm[i] >= ' ' && comm[i] <= '~' ? comm[i] : '?';
	buffer[len] = '\0';
	return buffer;
}

const char *eg_name_format(const char *name, char buffer[EG_NAME_TEXT_MAX])
{
	_Static_assert(EG_NAME_LEN <= EG_CGROUP_LEN, "a name fits as well");
	return eg_text_escape(name, EG_CGROUP_LEN, buffer);
}

static const __u64 *reason_counters(const struct eg_family_counts *family)
{
	return (const __u64 *)&family->verdicts;
}

uint64_t eg_reason_count(const struct eg_slot_counts *counts, enum eg_reason reason)
{
	return reason_counters(&counts->ipv4)[reason] + reason_counters(&counts->ipv6)[reason];
}
