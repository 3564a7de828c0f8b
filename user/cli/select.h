/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CLI_SELECT_H
#define EG_CLI_SELECT_H

/* What of a listing is wanted: --verdict and --destination. */
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "egress/verdict.h"

/* All zeros: everything is. */
struct eg_selection {
	bool by_verdict;
	enum eg_verdict verdict;
	bool by_reason;
	enum eg_reason reason;
	bool by_prefix;
	struct eg_prefix prefix;
	uint16_t port; /* 0: any */
};

/* "allowed", "blocked", "audited", or a reason. 0, or -EINVAL once it has said for `command` what is wrong. */
int eg_selection_take_verdict(const char *command, const char *text, struct eg_selection *selection);
/* ADDR, ADDR:PORT, CIDR, CIDR:PORT, with [brackets] around IPv6 before a port. 0, or -EINVAL as above; -ENOMEM. */
int eg_selection_take_destination(const char *command, const char *text, struct eg_selection *selection);

bool eg_selection_has(const struct eg_selection *selection, enum eg_verdict verdict, enum eg_reason reason,
		      const struct eg_flow *flow);

#endif
