/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_SELECTORS_H
#define EG_CONFIG_SELECTORS_H

/* How Kuma's older policies say whom they are for. */
#include "config/schema.h"

/* One selector, into a struct eg_tags. */
extern const struct eg_schema eg_selector_schema;

/* The same of a destination, which is a service and nothing else; only checked. */
extern const struct eg_schema eg_destination_schema;

/* A list of either that is only checked, and that must not be empty. */
extern const struct eg_type eg_checked_selectors;
#define EG_SELECTORS_MISSING "must have at least one element"

/* The fields of the policies for traffic between services. */
#define EG_SELECTOR_FIELDS \
	{.name = "sources", \
	 .type = &eg_checked_selectors, \
	 .fields = &eg_selector_schema, \
	 .missing = EG_SELECTORS_MISSING, \
	 .doc = "Whom it is for."}, \
	{ \
		.name = "destinations", .type = &eg_checked_selectors, .fields = &eg_destination_schema, \
		.missing = EG_SELECTORS_MISSING, .doc = "The services that they connect to." \
	}

#endif
