/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/redirect.h"

#include <string.h>

static bool is_unspecified(const struct eg_addr *addr)
{
	static const struct eg_addr unspecified;

	return memcmp(addr, &unspecified, sizeof(unspecified)) == 0;
}

static const char *place_problem(const char *text, struct eg_addr_port *ret_place)
{
	if (eg_addr_port_parse(text, ret_place) < 0)
		return "must be an address with its port, as 127.0.0.1:15001";
	if (is_unspecified(&ret_place->addr))
		return "must be the address that the proxy listens on, or one of them";
	return NULL;
}

/* One of each family: a proxy cannot be told of a destination of the other one. */
static int read_place(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	const char *text = eg_read_text(reader, node);
	struct eg_optional_place read = {.is_set = true, .origin = eg_reader_origin(reader, node)}, *place;
	struct eg_optional_places *places = target;
	const char *problem;

	if (!text)
		return 0;
	problem = place_problem(text, &read.place);
	if (problem) {
		eg_reader_error(reader, node, "%s, not \"%.64s\"", problem, text);
		return 0;
	}
	place = read.place.family == EG_FAMILY_IPV4 ? &places->ipv4 : &places->ipv6;
	if (place->is_set)
		eg_reader_error(reader, node, "a second address of the same family; there may be one IPv4 and one IPv6");
	*place = read;
	return 0;
}

static int read_places(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		       void *target)
{
	(void)field;
	if (node->kind == EG_YAML_SCALAR)
		return read_place(reader, node, target);
	return eg_read_list(reader, node, read_place, target);
}
static const struct eg_type places_type = {"ADDRESS:PORT, or a list of one IPv4 and one IPv6", read_places};

static bool has_wildcard(const char *path)
{
	return strpbrk(path, "*?[");
}

static int read_proxy_cgroup(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			     void *target)
{
	const char *text = eg_read_text(reader, node);
	const char *problem = NULL;

	(void)field;
	if (!text)
		return 0;
	if (text[0] == '/')
		problem = eg_cgroup_problem(text);
	else if (!*text || strcmp(text, "..") == 0 || strncmp(text, "../", 3) == 0 || strstr(text, "/.."))
		problem = "must be the path of a cgroup: with a leading slash below the mount, without one below the workload";
	else
		problem = eg_cgroup_length_problem(text);
	if (!problem && has_wildcard(text))
		problem = "must not be a pattern";
	if (problem)
		eg_reader_error(reader, node, "%s", problem);
	return problem ? 0 : eg_read_copy(reader, text, target);
}
static const struct eg_type proxy_cgroup_type = {"cgroup path", read_proxy_cgroup};

static const struct eg_field redirect_fields[] = {
	{.name = "to",
	 .type = &places_type,
	 .offset = offsetof(struct eg_redirect, to),
	 .doc = "Where TCP is sent that would be blocked: non-mesh, while passthrough is false. The family that has no "
		"address here stays blocked."},
	{.name = "proxyCgroup",
	 .type = &proxy_cgroup_type,
	 .offset = offsetof(struct eg_redirect, proxy_cgroup),
	 .fallback = "none: only proxies inside the workload are told where connections wanted to go",
	 .doc = "The proxy's cgroup: with a leading slash below the cgroup v2 mount, without one below each cgroup of the "
		"workload. What its processes send is neither redirected nor blocked, and SO_ORIGINAL_DST is answered "
		"to sockets that listened there."},
	{.name = "dns",
	 .type = &places_type,
	 .offset = offsetof(struct eg_redirect, dns),
	 .doc = "Where UDP to port 53 is sent, to whatever address but loopback. Answers come from the address that was asked."},
};
const struct eg_schema eg_redirect_schema = {EG_SCHEMA_FIELDS(redirect_fields)};

static int read_redirect(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			 void *target)
{
	struct eg_redirect *redirect = target;

	redirect->is_set = true;
	redirect->origin = eg_reader_origin(reader, node);
	return eg_read_object(reader, node, field->fields, redirect);
}
const struct eg_type eg_redirect_type = {"object", read_redirect};
