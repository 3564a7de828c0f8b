/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/address.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define HOST_NAME_MAX_LEN 253
#define LABEL_MAX_LEN 63

static bool parse(const char *text, bool single, struct eg_prefix *ret_prefix, const char **ret_problem)
{
	int r = eg_prefix_parse(text, ret_prefix);

	*ret_problem = r == -ERANGE ? "the prefix length is too great: 32 at most for IPv4, 128 for IPv6"
		       : single     ? "must be an IP address"
				    : "must be an IP address or a range such as 10.0.0.0/8";
	return r == 0 && !(single && strchr(text, '/'));
}

bool eg_read_prefix(struct eg_reader *reader, const struct eg_yaml_node *node, bool single,
		    struct eg_prefix *ret_prefix)
{
	const char *text = eg_read_text(reader, node);
	const char *problem;

	if (!text)
		return false;
	if (parse(text, single, ret_prefix, &problem))
		return true;
	eg_reader_error(reader, node, "%s, not \"%.64s\"", problem, text);
	return false;
}

bool eg_read_located_prefix(struct eg_reader *reader, const struct eg_yaml_node *node, bool single,
			    struct eg_located_prefix *ret_prefix)
{
	ret_prefix->origin = eg_reader_origin(reader, node);
	return eg_reader_take_address(reader, node) && eg_read_prefix(reader, node, single, &ret_prefix->prefix);
}

static bool is_label(const char *label, size_t len)
{
	if (len == 0 || len > LABEL_MAX_LEN || label[0] == '-' || label[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)label[i]) && label[i] != '-' && label[i] != '_')
			return false;
	return true;
}

bool eg_is_host_name(const char *text)
{
	size_t len;

	if (strlen(text) > HOST_NAME_MAX_LEN)
		return false;
	for (;; text += len + 1) {
		len = strcspn(text, ".");
		if (!is_label(text, len))
			return false;
		/* One dot at the end is the root's. */
		if (text[len] == '\0' || text[len + 1] == '\0')
			break;
	}
	/* No name ends in a number: 10.0.0.300 is an address that somebody got wrong. */
	return strspn(text, "0123456789") != len;
}

bool eg_is_ip(const char *text)
{
	struct eg_addr addr;
	uint32_t family;

	return eg_addr_parse(text, &family, &addr) == 0;
}

void eg_warn_host_name(struct eg_reader *reader, const struct eg_yaml_node *node, const char *text)
{
	if (!eg_is_ip(text))
		eg_reader_say(reader, EG_SEVERITY_WARNING, node,
			      "\"%.253s\" is a host name, which egressd does not resolve: traffic to it is non-mesh; "
			      "write its "
			      "address",
			      text);
}

bool eg_is_unspecified(const char *text)
{
	struct eg_addr addr;
	uint32_t family;

	return eg_addr_parse(text, &family, &addr) == 0 &&
	       !(addr.word_be[0] | addr.word_be[1] | addr.word_be[2] | addr.word_be[3]);
}

static int read_ip(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		   void *target)
{
	const char *text = eg_read_text(reader, node);

	if (!text || text[0] == '\0')
		return 0;
	if (!eg_is_ip(text)) {
		eg_reader_error(reader, node, "%s has to be valid IP address, not \"%.64s\"", field->name, text);
		return 0;
	}
	return eg_read_copy(reader, text, target);
}
const struct eg_type eg_type_ip = {"IP address", read_ip};
