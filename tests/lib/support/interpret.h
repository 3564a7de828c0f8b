/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_INTERPRET_H
#define EG_TESTS_INTERPRET_H

/*
 * Decisions without any of the code that is tested, by the plainest of searches: of
 * an image, as include/egress/maps.h describes it, and of documents, as DESIGN does.
 */
#include "egress/flow.h"
#include "egress/verdict.h"
#include "policy/compile.h"
#include "policy/model.h"

/* The value for a key of a table that is no prefix; NULL: there is none. */
const void *interpret_lookup(const struct eg_table_image *table, const void *key);

struct eg_decision interpret_image(const struct eg_image *image, uint32_t slot, const struct eg_flow *flow);

/* For a workload of a model of generate_model(), that is: of its one mesh. */
enum eg_reason interpret_model(const struct eg_model *model, const struct eg_workload *workload,
			       const struct eg_flow *flow);

#endif
