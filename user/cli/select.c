/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/select.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "cli/options.h"
#include "export/names.h"

int eg_selection_take_verdict(const char *command, const char *text, struct eg_selection *selection)
{
	int verdict = eg_outcome_parse(text), reason = eg_reason_parse(text);

	if (verdict < 0 && reason < 0)
		return eg_options_error(command, "--verdict is allowed, blocked, audited, or a reason as this listing "
						 "shows it, not '%s'", text);
	selection->by_verdict = verdict >= 0;
	selection->by_reason = reason >= 0;
	if (verdict >= 0)
		selection->verdict = (enum eg_verdict)verdict;
	else
		selection->reason = (enum eg_reason)reason;
	return 0;
}

int eg_selection_take_destination(const char *command, const char *text, struct eg_selection *selection)
{
	_cleanup_free_ char *copy = strdup(text);
	char *prefix = copy, *port;

	if (!copy)
		return -ENOMEM;
	port = eg_addr_split_port(&prefix);
	selection->port = 0;
	if (eg_prefix_parse(prefix, &selection->prefix) < 0 ||
	    (port && (eg_parse_u16(port, &selection->port) < 0 || selection->port == 0)))
		return eg_options_error(command, "--destination is an address or a prefix, with :PORT or without: "
						 "10.0.0.0/8:443, [fd00::1]:53, not '%s'", text);
	selection->by_prefix = true;
	return 0;
}

bool eg_selection_has(const struct eg_selection *selection, enum eg_verdict verdict, enum eg_reason reason,
		      const struct eg_flow *flow)
{
	if (selection->by_verdict && selection->verdict != verdict)
		return false;
	if (selection->by_reason && selection->reason != reason)
		return false;
	if (selection->port && selection->port != flow->port)
		return false;
	return !selection->by_prefix || eg_prefix_contains(&selection->prefix, flow->family, &flow->addr);
}
