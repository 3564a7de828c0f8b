/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_REPORT_H
#define EG_EXPORT_REPORT_H

/* What a run did, as the JSON of `egressctl run --report`. */
#include "datapath/datapath.h"
#include "export/totals.h"
#include "policy/rules.h"

/* 0 with *ret_text (malloc, newline at the end), or -ENOMEM. */
int eg_report_format(const struct eg_subject *subject, const struct eg_totals *totals,
		     const struct eg_destinations *destinations, char **ret_text);

#endif
