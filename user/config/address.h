/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_ADDRESS_H
#define EG_CONFIG_ADDRESS_H

/* Values that are addresses, ranges and ports. */
#include "base/addr.h"
#include "config/schema.h"

/* A range, or an address when `single`; false after a finding. */
bool eg_read_prefix(struct eg_reader *reader, const struct eg_yaml_node *node, bool single,
		    struct eg_prefix *ret_prefix);

/* The same, with its place, counted towards the limit on addresses. */
bool eg_read_located_prefix(struct eg_reader *reader, const struct eg_yaml_node *node, bool single,
			    struct eg_located_prefix *ret_prefix);

/* A DNS name as Kuma takes it in networking.address. */
bool eg_is_host_name(const char *text);
/* const char *, in the model's arena: an IP address as it is written; NULL for "". */
extern const struct eg_type eg_type_ip;
bool eg_is_ip(const char *text);
/* Says, of a host name, that nobody looks up where it leads. Nothing for an address. */
void eg_warn_host_name(struct eg_reader *reader, const struct eg_yaml_node *node, const char *text);
bool eg_is_unspecified(const char *text);

#endif
