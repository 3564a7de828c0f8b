/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/kinds.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "config/address.h"
#include "config/redirect.h"
#include "config/sources.h"
#include "config/tags.h"

#define PORT_REFUSAL "port must be in the range [1, 65535]"
/* The mount point, and a workload's cgroup, may stand before it in what the kernel is asked for. */
#define PATH_LEN_MAX (PATH_MAX / 2 - 1)

static bool has_parent_component(const char *path)
{
	for (const char *p = path; (p = strstr(p, "..")); p += 2)
		if ((p == path || p[-1] == '/') && (p[2] == '/' || p[2] == '\0'))
			return true;
	return false;
}

/* A component with a wildcard may be longer than what it matches. */
static bool has_long_component(const char *path)
{
	size_t len;

	for (const char *p = path; *p; p += len) {
		p += strspn(p, "/");
		len = strcspn(p, "/");
		if (len > NAME_MAX && strcspn(p, "*?[") >= len)
			return true;
	}
	return false;
}

const char *eg_cgroup_length_problem(const char *path)
{
	_Static_assert(NAME_MAX == 255, "as it is said");
	if (has_long_component(path))
		return "a component is longer than the 255 bytes that a name may have";
	_Static_assert(PATH_LEN_MAX == 2047, "as it is said");
	return strlen(path) > PATH_LEN_MAX ? "must be shorter than 2048 bytes" : NULL;
}

const char *eg_cgroup_problem(const char *path)
{
	if (path[0] != '/')
		return "must start with a slash: it is a path or a pattern below the cgroup v2 mount";
	if (has_parent_component(path))
		return "must not have a .. component";
	if (strncmp(path, "/sys/fs/cgroup", strlen("/sys/fs/cgroup")) == 0)
		return "must be written without the mount point: the leading slash is /sys/fs/cgroup";
	return eg_cgroup_length_problem(path);
}

static int read_cgroup(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		       void *target)
{
	const char *text = eg_read_text(reader, node);
	const char *problem = text ? eg_cgroup_problem(text) : NULL;

	(void)field;
	if (problem)
		eg_reader_error(reader, node, "%s", problem);
	/* Kept all the same, so that nothing is said to lack a cgroup. */
	return text ? eg_read_copy(reader, text, target) : 0;
}
static const struct eg_type cgroup_type = {"cgroup path or pattern", read_cgroup};

static int read_tags(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		     void *target)
{
	(void)field;
	return eg_read_tags(reader, node, target);
}
static const struct eg_type tags_type = {"mapping of tags", read_tags};

static int read_dataplane(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			  void *target)
{
	struct eg_workload *workload = target;
	const char *text = eg_read_text(reader, node);

	(void)field;
	if (!text)
		return 0;
	workload->dataplane_origin = eg_reader_origin(reader, node);
	return eg_read_copy(reader, text, &workload->dataplane);
}
static const struct eg_type dataplane_type = {"name of a Dataplane", read_dataplane};

static int read_mode(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		     void *target)
{
	size_t index;

	if (eg_read_choice(reader, field, node, &index))
		*(enum eg_mode *)target = index;
	return 0;
}
static const struct eg_type mode_type = {"enforce or audit", read_mode};

static int read_allowed_protocol(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} protocols[] = {
		{"udplite", EG_PROTO_UDPLITE}, {"sctp", EG_PROTO_SCTP}, {"dccp", EG_PROTO_DCCP},
		{"l2tp", EG_PROTO_L2TP},       {"raw", EG_PROTO_RAW},   {"packet", EG_PROTO_PACKET},
		{"xdp", EG_PROTO_XDP},         {"vsock", EG_PROTO_VSOCK},
	};
	const char *text = eg_read_text(reader, node);

	for (size_t i = 0; text && i < EG_COUNT_OF(protocols); i++) {
		if (strcmp(text, protocols[i].name) == 0) {
			*(uint32_t *)target |= protocols[i].bit;
			return 0;
		}
	}
	if (text)
		eg_reader_error(reader, node,
				"must be one of udplite, sctp, dccp, l2tp, raw, packet, xdp, vsock, not \"%.64s\"", text);
	return 0;
}

static int read_allowed_protocols(struct eg_reader *reader, const struct eg_field *field,
				  const struct eg_yaml_node *node, void *target)
{
	(void)field;
	return eg_read_list(reader, node, read_allowed_protocol, target);
}
static const struct eg_type allowed_protocols_type = {"list of protocols", read_allowed_protocols};

static const char *const policy_change_choices[] = {"terminate", "keep", NULL};

static int read_policy_change(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			      void *target)
{
	size_t index;

	*(bool *)target = eg_read_choice(reader, field, node, &index) && index == 1;
	return 0;
}
static const struct eg_type policy_change_type = {"terminate or keep", read_policy_change};

static int read_grace_period(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			     void *target)
{
	(void)field;
	eg_read_interval(reader, node, 0, EG_GRACE_PERIOD_MAX_MS, target);
	return 0;
}
static const struct eg_type grace_period_type = {"duration from 0s to 1h", read_grace_period};

static const char *const unenrolled_choices[] = {"allow", "refuse", NULL};

static int read_unenrolled(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			   void *target)
{
	size_t index;

	*(bool *)target = eg_read_choice(reader, field, node, &index) && index == 1;
	return 0;
}
static const struct eg_type unenrolled_type = {"allow or refuse", read_unenrolled};

static const char *const blocked_choices[] = {"refuse", "drop", NULL};

static int read_blocked(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			void *target)
{
	size_t index;

	*(bool *)target = eg_read_choice(reader, field, node, &index) && index == 1;
	return 0;
}
static const struct eg_type blocked_type = {"refuse or drop", read_blocked};

static int add_port(struct eg_reader *reader, const struct eg_yaml_node *node, struct eg_workload *workload,
		    uint16_t port)
{
	struct eg_located_port item = {port, eg_reader_origin(reader, node)};

	return eg_reader_take_address(reader, node) ? eg_array_push(&workload->exclude_outbound_ports, item) : 0;
}

static int read_port_item(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	uint16_t port;

	return eg_read_u16(reader, node, 1, PORT_REFUSAL, &port) ? add_port(reader, node, target, port) : 0;
}

static void trim(char **text)
{
	char *end;

	*text += strspn(*text, " \t");
	end = *text + strlen(*text);
	while (end > *text && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
}

/* "8080, 9090", as the annotation traffic.kuma.io/exclude-outbound-ports has it. */
static int read_port_text(struct eg_reader *reader, const struct eg_yaml_node *node, struct eg_workload *workload)
{
	_cleanup_free_ char *copy = strdup(node->text);
	char *rest = copy, *word;

	if (!copy)
		return -ENOMEM;
	while ((word = strsep(&rest, ","))) {
		uint16_t port = 0;
		int r;

		trim(&word);
		if (eg_parse_u16(word, &port) < 0 || port == 0) {
			eg_reader_error(reader, node, PORT_REFUSAL ", not \"%.64s\"", word);
			continue;
		}
		r = add_port(reader, node, workload, port);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_ports(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		      void *target)
{
	(void)field;
	if (node->kind == EG_YAML_SCALAR)
		return read_port_text(reader, node, target);
	return eg_read_list(reader, node, read_port_item, target);
}
static const struct eg_type ports_type = {"list of ports", read_ports};

static int read_excluded_ip(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct eg_workload *workload = target;
	struct eg_located_prefix item;

	if (!eg_read_located_prefix(reader, node, false, &item))
		return 0;
	return eg_array_push(&workload->exclude_outbound_ips, item);
}

static int read_excluded_ips(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			     void *target)
{
	(void)field;
	return eg_read_list(reader, node, read_excluded_ip, target);
}
static const struct eg_type excluded_ips_type = {"list of addresses and ranges", read_excluded_ips};

static int read_protocol(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			 void *target)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} protocols[] = {
		{"tcp", EG_PROTO_TCP},   {"udp", EG_PROTO_UDP},   {"udplite", EG_PROTO_UDPLITE},
		{"icmp", EG_PROTO_ICMP}, {"sctp", EG_PROTO_SCTP}, {"dccp", EG_PROTO_DCCP},
	};
	const char *text = eg_read_text(reader, node);

	(void)field;
	for (size_t i = 0; text && i < EG_COUNT_OF(protocols); i++) {
		if (strcmp(text, protocols[i].name) == 0) {
			*(uint32_t *)target = protocols[i].bit;
			return 0;
		}
	}
	if (text)
		eg_reader_error(reader, node, "must be one of tcp, udp, udplite, icmp, sctp, dccp, not \"%.64s\"",
				text);
	return 0;
}
static const struct eg_type protocol_type = {"protocol", read_protocol};

/* An entry of allow, and whether its range was read. */
struct allow_draft {
	struct eg_allow allow;
	bool has_prefix;
};

static int read_cidr(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		     void *target)
{
	struct allow_draft *draft = target;

	(void)field;
	draft->has_prefix = eg_read_prefix(reader, node, false, &draft->allow.prefix);
	return 0;
}
static const struct eg_type cidr_type = {"address or range", read_cidr};

/* ICMP has no ports: a rule with one could never match, and its author believes that it does. */
static int check_allow(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct allow_draft *draft = target;
	size_t before;

	if (draft->allow.port == 0 || draft->allow.protocols != EG_PROTO_ICMP)
		return 0;
	before = eg_path_enter(reader, "port");
	eg_reader_error(reader, node, "icmp has no ports; remove it");
	eg_path_leave(reader, before);
	return 0;
}

static const struct eg_field allow_fields[] = {
	{.name = "cidr", .type = &cidr_type, .missing = "must be defined", .doc = "An address or a range."},
	{.name = "port",
	 .type = &eg_type_optional_port,
	 .offset = offsetof(struct allow_draft, allow.port),
	 .fallback = "every port",
	 .doc = "The destination's port."},
	{.name = "protocol",
	 .type = &protocol_type,
	 .offset = offsetof(struct allow_draft, allow.protocols),
	 .fallback = "every protocol",
	 .doc = "One of tcp, udp, udplite, icmp, sctp and dccp."},
};
static const struct eg_schema allow_schema = {EG_SCHEMA_FIELDS(allow_fields), .finish = check_allow};

static int read_allow_item(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct eg_workload *workload = target;
	struct allow_draft draft = {.allow = {.protocols = EG_PROTO_ANY, .origin = eg_reader_origin(reader, node)}};
	int r;

	if (!eg_reader_take_address(reader, node))
		return 0;
	r = eg_read_object(reader, node, &allow_schema, &draft);
	if (r < 0 || !draft.has_prefix)
		return r;
	return eg_array_push(&workload->allow, draft.allow);
}

static int read_allow(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		      void *target)
{
	(void)field;
	return eg_read_list(reader, node, read_allow_item, target);
}
static const struct eg_type allow_type = {"list of rules", read_allow};

static const struct eg_field workload_fields[] = {
	{.name = "cgroup",
	 .type = &cgroup_type,
	 .offset = offsetof(struct eg_workload, cgroup),
	 .doc = "Path or pattern below the cgroup v2 mount, with its leading slash."},
	{.name = "tags",
	 .type = &tags_type,
	 .offset = offsetof(struct eg_workload, tags),
	 .doc = "What the workload is, for policies that select by tags; kuma.io/service is its name unless written."},
	{.name = "dataplane", .type = &dataplane_type, .doc = "The Dataplane of the same mesh that this workload is."},
	{.name = "mode",
	 .type = &mode_type,
	 .choices = eg_modes,
	 .offset = offsetof(struct eg_workload, mode),
	 .fallback = "enforce",
	 .doc = "enforce, or audit: what the policy would refuse is counted and reported as refused, and passes. No limit and "
		"no timeout acts, nor does unenrolled."},
	{.name = "blockErrno",
	 .type = &eg_type_errno,
	 .offset = offsetof(struct eg_workload, block_errno),
	 .fallback = "the Node's",
	 .doc = "What a blocked program sees: EPERM and the like, or a number."},
	{.name = "breakerErrno",
	 .type = &eg_type_errno,
	 .offset = offsetof(struct eg_workload, breaker_errno),
	 .fallback = "the Node's",
	 .doc = "What a program sees that the circuit breaker refuses."},
	{.name = "excludeOutboundPorts", .type = &ports_type, .doc = "Destination ports that are always allowed."},
	{.name = "excludeOutboundIPs",
	 .type = &excluded_ips_type,
	 .doc = "Addresses and ranges that are always allowed."},
	{.name = "allow", .type = &allow_type, .fields = &allow_schema, .doc = "Destinations that are always allowed."},
	{.name = "allowIncoming",
	 .type = &eg_type_sources,
	 .fields = &eg_source_schema,
	 .offset = offsetof(struct eg_workload, allow_incoming),
	 .doc = "Clients outside the mesh that may come in while mTLS is STRICT: health probes of the node, scrapers."},
	{.name = "onIncomingBlocked",
	 .type = &blocked_type,
	 .choices = blocked_choices,
	 .offset = offsetof(struct eg_workload, drops_incoming),
	 .fallback = "refuse",
	 .doc = "What a client sees that may not come in. refuse: a reset, or port unreachable, at once; where the "
		"workload has no network namespace of its own nothing, as with drop, which looks at each packet."},
	{.name = "excludeCgroups",
	 .later = "cgroups below a workload are not told apart",
	 .doc = "Cgroups left alone."},
	{.name = "excludeUIDs", .later = "users are not told apart", .doc = "Users left alone."},
	{.name = "allowProtocols",
	 .type = &allowed_protocols_type,
	 .offset = offsetof(struct eg_workload, allowed_protocols),
	 .fallback = "none",
	 .doc = "While passthrough is false: which sockets may be made beside those of TCP, UDP and ping. "
		"udplite, sctp, dccp, l2tp or raw: what they send is judged by its address, and of the first three by its "
		"port. packet, xdp or vsock: "
		"what they send is judged by nobody. Without it socket() fails with EPERM; that of packet, xdp, vsock "
		"and the families that nothing here names where the kernel takes programs of the BPF LSM."},
	{.name = "onPolicyChange",
	 .type = &policy_change_type,
	 .choices = policy_change_choices,
	 .offset = offsetof(struct eg_workload, keeps_connections),
	 .fallback = "terminate",
	 .doc = "What becomes of connections that are open when a policy comes that forbids them, or when the cgroup is "
		"enrolled: terminate ends them after gracePeriod, their program gets ECONNABORTED; keep lets them live until their end or "
		"their next connect. New connections are refused at once either way."},
	{.name = "gracePeriod",
	 .type = &grace_period_type,
	 .offset = offsetof(struct eg_workload, grace_period_ms),
	 .fallback = "5s",
	 .doc = "How long they go on; 0s: not at all. A later policy gives what was forbidden before no more time."},
	{.name = "redirect",
	 .type = &eg_redirect_type,
	 .fields = &eg_redirect_schema,
	 .offset = offsetof(struct eg_workload, redirect),
	 .doc = "A proxy that gets traffic, without a rule of NAT: of the mesh too, where the workload's Dataplane has "
		"networking.transparentProxying.redirectPortOutbound."},
	{.name = "unenrolled",
	 .type = &unenrolled_type,
	 .choices = unenrolled_choices,
	 .offset = offsetof(struct eg_workload, refuses_unenrolled),
	 .fallback = "allow",
	 .doc = "What becomes of tasks beside the cgroups of a pattern, and in those not enrolled yet."},
};

/* A gate stands on the directory that a pattern begins in; a plain path has no cgroups beside it. */
static int check_workload(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const struct eg_workload *workload = target;
	const char *wildcard = workload->cgroup ? strpbrk(workload->cgroup, "*?[") : NULL;
	size_t before;

	if (!workload->refuses_unenrolled || (wildcard && wildcard - workload->cgroup > 1))
		return 0;
	if (workload->cgroup && eg_cgroup_problem(workload->cgroup))
		return 0;
	before = eg_path_enter(reader, "unenrolled");
	eg_reader_error(reader, node,
			"refuse needs a cgroup pattern below a directory, as /pods.slice/*: that directory is guarded");
	eg_path_leave(reader, before);
	return 0;
}

const struct eg_schema eg_workload_schema = {
	.name = "Workload",
	.doc = "What is enforced on, of ours: the cgroups of a workload, whose mesh and tags it has.",
	EG_SCHEMA_FIELDS(workload_fields),
	.finish = check_workload,
};

int eg_workload_read(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	struct eg_workload *workload = eg_arena_alloc(&reader->model->arena, sizeof(*workload));
	int r;

	if (!workload)
		return -ENOMEM;
	workload->name = envelope->name;
	workload->mesh = envelope->mesh;
	workload->labels = envelope->labels;
	workload->origin = envelope->origin;
	workload->mesh_origin = envelope->mesh_origin;
	/* From here on the model frees what its lists hold. */
	r = eg_array_push(&reader->model->workloads, workload);
	if (r < 0)
		return r;
	return eg_read_object(reader, envelope->spec, &eg_workload_schema, workload);
}
