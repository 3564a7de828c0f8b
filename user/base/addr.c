/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

/* Length of ::ffff:0:0/96, the range in which IPv6 sockets name IPv4 destinations. */
#define MAPPED_LEN 96u

static uint32_t family_bits(uint32_t family)
{
	return family == EG_FAMILY_IPV4 ? 32 : 128;
}

static bool is_mapped(const struct eg_addr *addr)
{
	return addr->word_be[0] == 0 && addr->word_be[1] == 0 && addr->word_be[2] == htonl(0xffff);
}

static struct eg_addr ipv4_of_mapped(const struct eg_addr *addr)
{
	return (struct eg_addr){.word_be = {addr->word_be[3]}};
}

/* Parses an address as written, mapped ones included: a prefix's length counts in the family that its text has. */
static int parse_literal(const char *text, uint32_t *ret_family, struct eg_addr *ret_addr)
{
	struct eg_addr addr = {};

	if (inet_pton(AF_INET, text, &addr) == 1)
		*ret_family = EG_FAMILY_IPV4;
	else if (inet_pton(AF_INET6, text, &addr) == 1)
		*ret_family = EG_FAMILY_IPV6;
	else
		return -EINVAL;
	*ret_addr = addr;
	return 0;
}

/* Decimal digits only, since strtoul() would take signs, spaces and 0x. */
static int parse_len(const char *text, uint32_t max, uint32_t *ret_len)
{
	uint32_t len = 0;

	if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0') || text[strspn(text, "0123456789")] != '\0')
		return -EINVAL;
	for (; *text; text++) {
		len = len * 10 + (uint32_t)(*text - '0');
		if (len > max)
			return -ERANGE;
	}
	*ret_len = len;
	return 0;
}

static void mask_host_bits(struct eg_addr *addr, uint32_t len)
{
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t kept = len < i * 32 ? 0 : len - i * 32;

		if (kept < 32)
			addr->word_be[i] &= kept ? htonl(UINT32_MAX << (32 - kept)) : 0;
	}
}

int eg_addr_parse(const char *text, uint32_t *ret_family, struct eg_addr *ret_addr)
{
	struct eg_prefix prefix;
	struct eg_addr addr;
	uint32_t family;
	int r;

	r = parse_literal(text, &family, &addr);
	if (r < 0)
		return r;
	prefix = eg_prefix_of_addr(family, &addr);
	*ret_family = prefix.family;
	*ret_addr = prefix.addr;
	return 0;
}

int eg_prefix_parse(const char *text, struct eg_prefix *ret_prefix)
{
	size_t addr_len = strcspn(text, "/");
	char addr_text[EG_ADDR_TEXT_MAX];
	struct eg_prefix prefix;
	int r;

	if (addr_len >= sizeof(addr_text))
		return -EINVAL;
	memcpy(addr_text, text, addr_len);
	addr_text[addr_len] = '\0';

	r = parse_literal(addr_text, &prefix.family, &prefix.addr);
	if (r < 0)
		return r;
	prefix.len = family_bits(prefix.family);
	if (text[addr_len] == '/') {
		r = parse_len(text + addr_len + 1, prefix.len, &prefix.len);
		if (r < 0)
			return r;
	}

	/* A shorter one reaches beyond the mapped range: it stays IPv6 and says nothing about IPv4. */
	if (prefix.family == EG_FAMILY_IPV6 && prefix.len >= MAPPED_LEN && is_mapped(&prefix.addr)) {
		prefix.family = EG_FAMILY_IPV4;
		prefix.len -= MAPPED_LEN;
		prefix.addr = ipv4_of_mapped(&prefix.addr);
	}
	mask_host_bits(&prefix.addr, prefix.len);
	*ret_prefix = prefix;
	return 0;
}

struct eg_prefix eg_prefix_of_addr(uint32_t family, const struct eg_addr *addr)
{
	if (family == EG_FAMILY_IPV6 && is_mapped(addr))
		return (struct eg_prefix){EG_FAMILY_IPV4, 32, ipv4_of_mapped(addr)};
	return (struct eg_prefix){family, family_bits(family), *addr};
}

const char *eg_addr_format(uint32_t family, const struct eg_addr *addr, char buffer[EG_ADDR_TEXT_MAX])
{
	if (!inet_ntop(family == EG_FAMILY_IPV4 ? AF_INET : AF_INET6, addr, buffer, EG_ADDR_TEXT_MAX))
		buffer[0] = '\0';
	return buffer;
}

const char *eg_prefix_format(const struct eg_prefix *prefix, char buffer[EG_ADDR_TEXT_MAX])
{
	size_t len = strlen(eg_addr_format(prefix->family, &prefix->addr, buffer));

	snprintf(buffer + len, EG_ADDR_TEXT_MAX - len, "/%u", prefix->len);
	return buffer;
}

bool eg_prefix_contains(const struct eg_prefix *prefix, uint32_t family, const struct eg_addr *addr)
{
	struct eg_addr masked = *addr;

	if (prefix->family != family)
		return false;
	mask_host_bits(&masked, prefix->len);
	return memcmp(&masked, &prefix->addr, sizeof(masked)) == 0;
}

int eg_prefix_compare(const struct eg_prefix *a, const struct eg_prefix *b)
{
	int order;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	order = memcmp(&a->addr, &b->addr, sizeof(a->addr));
	if (order != 0)
		return order;
	return (a->len > b->len) - (a->len < b->len);
}

char *eg_addr_split_port(char **address)
{
	char *text = *address, *colon = strchr(text, ':');

	if (text[0] == '[') {
		char *bracket = strchr(text, ']');

		if (!bracket || (bracket[1] != ':' && bracket[1] != '\0'))
			return NULL;
		*address = text + 1;
		*bracket = '\0';
		return bracket[1] == ':' ? bracket + 2 : NULL;
	}
	/* More than one colon is an IPv6 address without brackets, which has no port. */
	if (!colon || strchr(colon + 1, ':'))
		return NULL;
	*colon = '\0';
	return colon + 1;
}
int eg_addr_port_parse(const char *text, struct eg_addr_port *ret)
{
	char copy[EG_ADDR_PORT_TEXT_MAX], *address = copy, *port;
	struct eg_addr_port parsed = {};

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	port = eg_addr_split_port(&address);
	/* Brackets are for what has colons itself. */
	if (!port || (text[0] == '[') != (strchr(address, ':') != NULL) || eg_parse_u16(port, &parsed.port) < 0 ||
	    parsed.port == 0 || eg_addr_parse(address, &parsed.family, &parsed.addr) < 0)
		return -EINVAL;
	*ret = parsed;
	return 0;
}

const char *eg_addr_port_format(uint32_t family, const struct eg_addr *addr, uint16_t port,
				char buffer[EG_ADDR_PORT_TEXT_MAX])
{
	char address[EG_ADDR_TEXT_MAX];

	eg_addr_format(family, addr, address);
	snprintf(buffer, EG_ADDR_PORT_TEXT_MAX, family == EG_FAMILY_IPV6 ? "[%s]:%u" : "%s:%u", address, port);
	return buffer;
}

int eg_flow_compare(const struct eg_flow *a, const struct eg_flow *b)
{
	int order;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	order = memcmp(&a->addr, &b->addr, sizeof(a->addr));
	if (order != 0)
		return order;
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	return (a->protocol > b->protocol) - (a->protocol < b->protocol);
}
