/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_SOURCES_H
#define EG_CONFIG_SOURCES_H

/* allowIncoming: a list of clients that may come in, into a struct eg_sources. */
#include "config/schema.h"

extern const struct eg_type eg_type_sources;
extern const struct eg_schema eg_source_schema; /* of an entry */

#endif
