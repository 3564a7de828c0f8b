/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_ADDR_H
#define EG_BASE_ADDR_H

/* Addresses and prefixes as text. IPv4-mapped IPv6 (::ffff:0:0/96 and longer) is always turned into IPv4. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "egress/flow.h"

/* Enough for any eg_addr_format() or eg_prefix_format() result. */
#define EG_ADDR_TEXT_MAX 52

struct eg_prefix {
	uint32_t family;	/* enum eg_family */
	uint32_t len;		/* 0..32 or 0..128; host bits of addr are zero */
	struct eg_addr addr;
};

/* "10.0.0.1", "fd00::1". -EINVAL for anything else: no ports, no brackets, no zone, no leading zeros. */
int eg_addr_parse(const char *text, uint32_t *ret_family, struct eg_addr *ret_addr);
/* An address or "address/len"; host bits are masked away. -EINVAL, or -ERANGE for a length too great. */
int eg_prefix_parse(const char *text, struct eg_prefix *ret_prefix);
/* The prefix that holds just this address. */
struct eg_prefix eg_prefix_of_addr(uint32_t family, const struct eg_addr *addr);

/* Splits "a:1", "[a::b]:1", "a" and "a::b" in place: the port, NULL for none. */
char *eg_addr_split_port(char **address);
struct eg_addr_port {
	uint32_t family;	/* enum eg_family */
	uint16_t port;		/* from 1 */
	struct eg_addr addr;
};

/* "10.0.0.1:80", "[fd00::1]:80": never a name. -EINVAL for anything else. */
int eg_addr_port_parse(const char *text, struct eg_addr_port *ret);
/* The same backwards; returns buffer. */
#define EG_ADDR_PORT_TEXT_MAX (EG_ADDR_TEXT_MAX + 8)
const char *eg_addr_port_format(uint32_t family, const struct eg_addr *addr, uint16_t port,
				char buffer[EG_ADDR_PORT_TEXT_MAX]);

/* Bare text without brackets; returns buffer. */
const char *eg_addr_format(uint32_t family, const struct eg_addr *addr, char buffer[EG_ADDR_TEXT_MAX]);
const char *eg_prefix_format(const struct eg_prefix *prefix, char buffer[EG_ADDR_TEXT_MAX]);

bool eg_prefix_contains(const struct eg_prefix *prefix, uint32_t family, const struct eg_addr *addr);
/* Total order by family, address, length: shorter prefixes stand before those that they contain. */
int eg_prefix_compare(const struct eg_prefix *a, const struct eg_prefix *b);
/* Total order by family, address, port, protocol. */
int eg_flow_compare(const struct eg_flow *a, const struct eg_flow *b);

#endif
