/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_PAGES_H
#define EG_EXPORT_PAGES_H

/* What the admin endpoint says of workloads and their policy. Functions return 0, -ENOMEM, -EIO, or -errno of the maps. */
#include <stdint.h>
#include <stdio.h>

#include "datapath/pinned.h"

/* Whose slots are listed, as NAME::WORD::VALUE lines or as JSON. */
int eg_pages_write_workloads_text(const struct eg_pinned *listed, FILE *out);
int eg_pages_write_workloads_json(const struct eg_pinned *listed, FILE *out);
/* What is in force for them, by the maps: clusters and TCP proxies as Envoy would have them. JSON. */
int eg_pages_write_config(const struct eg_pinned *listed, FILE *out);
/* Envoy's /server_info. JSON. */
int eg_pages_write_server_info(const struct eg_maps *maps, uint64_t uptime_s, FILE *out);

#endif
