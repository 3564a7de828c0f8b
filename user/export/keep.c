/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/keep.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "export/names.h"

/* ---- words ---- */

/* What YAML 1.1 takes for something else than a text. */
static bool is_reserved(const char *word)
{
	static const char *const reserved[] = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"};

	for (size_t i = 0; i < EG_COUNT_OF(reserved); i++)
		if (strcasecmp(word, reserved[i]) == 0)
			return true;
	return false;
}

static bool is_plain(const char *word)
{
	if (!isalpha((unsigned char)word[0]) && word[0] != '/')
		return false;
	for (const char *c = word; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-_./", *c))
			return false;
	return !is_reserved(word);
}

/* A text of JSON is one of YAML. */
static void print_word(FILE *out, const char *word)
{
	json_auto_t *json = is_plain(word) ? NULL : json_string(word);
	_cleanup_free_ char *quoted = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;

	fputs(quoted ? quoted : word, out);
}

static void print_field(FILE *out, const char *indent, const char *name, const char *value)
{
	fprintf(out, "%s%s: ", indent, name);
	print_word(out, value);
	fputc('\n', out);
}

static void print_tags(FILE *out, const char *name, const struct eg_tags *tags)
{
	if (tags->len > 0)
		fprintf(out, "%s:\n", name);
	for (size_t i = 0; i < tags->len; i++) {
		fputs("  ", out);
		print_word(out, tags->items[i].name);
		fputs(": ", out);
		print_word(out, tags->items[i].value);
		fputc('\n', out);
	}
}

/* ---- what keeps a flow ---- */

/* Port 0 of a rule is every port: no rule is for that one. */
static bool is_for_policy(const struct eg_flow *flow)
{
	return eg_protocol_bit(flow->protocol) == EG_PROTO_TCP && flow->port != 0;
}

static bool is_for_workload(const struct eg_flow *flow)
{
	switch (eg_protocol_bit(flow->protocol)) {
	case EG_PROTO_ICMP:
		return true;
	case EG_PROTO_UDP:
	case EG_PROTO_UDPLITE:
	case EG_PROTO_SCTP:
	case EG_PROTO_DCCP:
		return flow->port != 0;
	default:
		return false;
	}
}

static bool is_for_nobody(const struct eg_flow *flow)
{
	return !is_for_policy(flow) && !is_for_workload(flow);
}

static bool has_flow(const struct eg_keep *keep, bool (*is_one)(const struct eg_flow *flow))
{
	for (size_t i = 0; i < keep->flows.len; i++)
		if (is_one(&keep->flows.items[i]))
			return true;
	return false;
}

static void print_lost(FILE *out, const struct eg_keep *keep)
{
	char place[EG_PLACE_TEXT_MAX], protocol[12];

	for (size_t i = 0; i < keep->flows.len; i++)
		if (is_for_nobody(&keep->flows.items[i]))
			fprintf(out, "# %s: nothing keeps %s by %s: no rule can name it\n", keep->name,
				eg_place_format(&keep->flows.items[i], place),
				eg_protocol_name(keep->flows.items[i].protocol, protocol));
}

/* ---- MeshPassthrough ---- */

static void print_rival(FILE *out, const struct eg_mesh_passthrough *rival)
{
	fprintf(out, "# The MeshPassthrough %s (%s:%u) is more specific and says otherwise: remove it, or this does nothing.\n",
		rival->head.name, rival->head.origin.file, rival->head.origin.line);
}

static void print_policy(FILE *out, const struct eg_keep *keep)
{
	char address[EG_ADDR_TEXT_MAX];

	fprintf(out, "---\n");
	if (keep->rival)
		print_rival(out, keep->rival);
	print_field(out, "", "type", "MeshPassthrough");
	print_field(out, "", "name", keep->policy);
	print_field(out, "", "mesh", keep->mesh);
	fprintf(out, "spec:\n  targetRef:\n    kind: Dataplane\n");
	print_field(out, "    ", "name", keep->dataplane);
	fprintf(out, "  default:\n    passthroughMode: Matched\n    appendMatch:\n");
	for (size_t i = 0; i < keep->flows.len; i++) {
		const struct eg_flow *flow = &keep->flows.items[i];

		if (is_for_policy(flow))
			fprintf(out, "    - {type: IP, value: \"%s\", port: %u, protocol: tcp}\n",
				eg_addr_format(flow->family, &flow->addr, address), flow->port);
	}
}

/* ---- Workload ---- */

static const struct {
	uint32_t bit;
	const char *name;
} protocols[] = {
	{EG_PROTO_TCP, "tcp"},   {EG_PROTO_UDP, "udp"},   {EG_PROTO_UDPLITE, "udplite"}, {EG_PROTO_ICMP, "icmp"},
	{EG_PROTO_SCTP, "sctp"}, {EG_PROTO_DCCP, "dccp"}, {EG_PROTO_L2TP, "l2tp"},       {EG_PROTO_RAW, "raw"},
	{EG_PROTO_PACKET, "packet"}, {EG_PROTO_XDP, "xdp"}, {EG_PROTO_VSOCK, "vsock"},
};

/* NULL: it stands for several. */
static const char *protocol_name(uint32_t bits)
{
	for (size_t i = 0; i < EG_COUNT_OF(protocols); i++)
		if (protocols[i].bit == bits)
			return protocols[i].name;
	return NULL;
}

static void print_rule(FILE *out, const char *cidr, uint16_t port, uint32_t bits)
{
	fprintf(out, "- {cidr: \"%s\"", cidr);
	if (port)
		fprintf(out, ", port: %u", port);
	if (protocol_name(bits))
		fprintf(out, ", protocol: %s", protocol_name(bits));
	fprintf(out, "}\n");
}

static void print_old_rules(FILE *out, const struct eg_workload *workload)
{
	char prefix[EG_ADDR_TEXT_MAX];

	for (size_t i = 0; i < workload->allow.len; i++) {
		const struct eg_allow *allow = &workload->allow.items[i];

		print_rule(out, eg_prefix_format(&allow->prefix, prefix), allow->port, allow->protocols);
	}
}

/* What the sockets of new rules are made of must be allowed too: all but those of the usual kinds. */
static uint32_t protocols_wanted(const struct eg_keep *keep)
{
	uint32_t bits = keep->workload ? keep->workload->allowed_protocols : 0;

	for (size_t i = 0; i < keep->flows.len; i++)
		if (is_for_workload(&keep->flows.items[i]))
			bits |= eg_protocol_bit(keep->flows.items[i].protocol);
	return bits & ~(uint32_t)(EG_PROTO_TCP | EG_PROTO_UDP | EG_PROTO_ICMP);
}

static void print_protocols(FILE *out, uint32_t bits)
{
	const char *comma = "";

	if (!bits)
		return;
	fprintf(out, "allowProtocols: [");
	for (size_t i = 0; i < EG_COUNT_OF(protocols); i++) {
		if (!(protocols[i].bit & bits))
			continue;
		fprintf(out, "%s%s", comma, protocols[i].name);
		comma = ", ";
	}
	fprintf(out, "]\n");
}

static void print_exclusions(FILE *out, const struct eg_workload *workload)
{
	char prefix[EG_ADDR_TEXT_MAX];

	for (size_t i = 0; i < workload->exclude_outbound_ports.len; i++)
		fprintf(out, "%s- %u\n", i == 0 ? "excludeOutboundPorts:\n" : "",
			workload->exclude_outbound_ports.items[i].port);
	for (size_t i = 0; i < workload->exclude_outbound_ips.len; i++)
		fprintf(out, "%s- \"%s\"\n", i == 0 ? "excludeOutboundIPs:\n" : "",
			eg_prefix_format(&workload->exclude_outbound_ips.items[i].prefix, prefix));
}

static void print_incoming(FILE *out, const struct eg_workload *workload)
{
	char prefix[EG_ADDR_TEXT_MAX];

	if (workload->drops_incoming)
		fprintf(out, "onIncomingBlocked: drop\n");
	for (size_t i = 0; i < workload->allow_incoming.list.len; i++) {
		const struct eg_allow *source = &workload->allow_incoming.list.items[i];

		fprintf(out, "%s- {cidr: \"%s\"", i == 0 ? "allowIncoming:\n" : "", eg_prefix_format(&source->prefix, prefix));
		if (source->port)
			fprintf(out, ", port: %u", source->port);
		if (source->protocols == EG_PROTO_TCP || source->protocols == EG_PROTO_UDP)
			fprintf(out, ", protocol: %s", source->protocols == EG_PROTO_TCP ? "tcp" : "udp");
		fprintf(out, "}\n");
	}
}

static void print_place(FILE *out, const char *before, const struct eg_optional_place *optional)
{
	const struct eg_addr_port *place = &optional->place;
	char text[EG_ADDR_PORT_TEXT_MAX];

	if (optional->is_set)
		fprintf(out, "%s\"%s\"", before, eg_addr_port_format(place->family, &place->addr, place->port, text));
}

static void print_places(FILE *out, const char *name, const struct eg_optional_places *places)
{
	if (!places->ipv4.is_set && !places->ipv6.is_set)
		return;
	fprintf(out, "  %s: ", name);
	print_place(out, "[", &places->ipv4);
	print_place(out, places->ipv4.is_set ? ", " : "[", &places->ipv6);
	fprintf(out, "]\n");
}

static void print_redirect(FILE *out, const struct eg_redirect *redirect)
{
	const bool is_empty = !redirect->proxy_cgroup && !redirect->to.ipv4.is_set && !redirect->to.ipv6.is_set &&
			      !redirect->dns.ipv4.is_set && !redirect->dns.ipv6.is_set;

	if (!redirect->is_set)
		return;
	/* Nothing below it would be null, which is as if it was left out. */
	fprintf(out, is_empty ? "redirect: {}\n" : "redirect:\n");
	print_places(out, "to", &redirect->to);
	print_places(out, "dns", &redirect->dns);
	if (redirect->proxy_cgroup)
		print_field(out, "  ", "proxyCgroup", redirect->proxy_cgroup);
}

/* All that it says now, but for lists that grow. */
static void print_written(FILE *out, const struct eg_workload *workload)
{
	print_tags(out, "labels", &workload->labels);
	print_tags(out, "tags", &workload->tags);
	if (workload->dataplane)
		print_field(out, "", "dataplane", workload->dataplane);
	print_field(out, "", "mode", eg_modes[workload->mode]);
	if (workload->refuses_unenrolled)
		fprintf(out, "unenrolled: refuse\n");
	if (workload->block_errno.value)
		fprintf(out, "blockErrno: %u\n", workload->block_errno.value);
	if (workload->breaker_errno.value)
		fprintf(out, "breakerErrno: %u\n", workload->breaker_errno.value);
	if (workload->keeps_connections)
		fprintf(out, "onPolicyChange: keep\n");
	if (workload->grace_period_ms.is_set)
		fprintf(out, "gracePeriod: %ums\n", (unsigned int)workload->grace_period_ms.value);
	print_redirect(out, &workload->redirect);
	print_exclusions(out, workload);
	print_incoming(out, workload);
}

static void print_workload(FILE *out, const struct eg_keep *keep)
{
	char address[EG_ADDR_TEXT_MAX];

	fprintf(out, "---\n");
	if (keep->workload)
		fprintf(out, "# In the place of %s:%u.\n", keep->workload->origin.file, keep->workload->origin.line);
	else
		fprintf(out, "# In the place of the present one, whose file is not known here: add what else it says.\n");
	print_field(out, "", "type", "Workload");
	print_field(out, "", "name", keep->name);
	print_field(out, "", "mesh", keep->mesh);
	if (keep->cgroup)
		print_field(out, "", "cgroup", keep->cgroup);
	if (keep->workload)
		print_written(out, keep->workload);
	print_protocols(out, protocols_wanted(keep));
	fprintf(out, "allow:\n");
	if (keep->workload)
		print_old_rules(out, keep->workload);
	for (size_t i = 0; i < keep->flows.len; i++) {
		const struct eg_flow *flow = &keep->flows.items[i];
		uint32_t bit = eg_protocol_bit(flow->protocol);

		if (is_for_workload(flow))
			print_rule(out, eg_addr_format(flow->family, &flow->addr, address),
				   bit == EG_PROTO_ICMP ? 0 : flow->port, bit);
	}
}

/* ---- all together ---- */

int eg_keep_print(FILE *out, const struct eg_keep *keeps, size_t count)
{
	fprintf(out, "# What keeps the traffic working that egressctl preflight has seen, with passthrough false.\n"
		     "# Load it beside the other documents of the policy. A Workload here takes the place of the one\n"
		     "# of its name there: its allow list has what does not go by TCP.\n");
	if (count == 0)
		fprintf(out, "# Nothing would be cut: there is nothing to keep.\n");
	for (size_t i = 0; i < count; i++) {
		print_lost(out, &keeps[i]);
		if (has_flow(&keeps[i], is_for_policy))
			print_policy(out, &keeps[i]);
		if (has_flow(&keeps[i], is_for_workload))
			print_workload(out, &keeps[i]);
	}
	return ferror(out) ? -EIO : 0;
}
