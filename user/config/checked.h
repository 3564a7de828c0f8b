/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_CHECKED_H
#define EG_CONFIG_CHECKED_H

/*
 * Values that are checked as Kuma checks them and kept nowhere. Their fields need no
 * offset: the target is that of the object around them.
 */
#include "config/envelope.h"

extern const struct eg_type eg_checked_text;
extern const struct eg_type eg_checked_nonempty_text;
extern const struct eg_type eg_checked_texts; /* a list of them */
extern const struct eg_type eg_checked_bool;
/* One of field->choices. */
extern const struct eg_type eg_checked_choice;
/* A whole number up to 2^32-1, and a duration, within field->range. */
extern const struct eg_type eg_checked_number;
extern const struct eg_type eg_checked_duration;
/* A number, with a fraction or without: more than 0, and a percentage. */
extern const struct eg_type eg_checked_factor;
extern const struct eg_type eg_checked_percentage;
/* A list of objects that have field->fields; all have the target of the object around the list. */
extern const struct eg_type eg_checked_list;

/* Reads a document of which nothing is kept: what there is of it is checked. */
int eg_checked_read(struct eg_reader *reader, const struct eg_envelope *envelope);

/* More than 0, in the words of Dataplane and of the newer kinds. */
extern const struct eg_range eg_range_positive;
extern const struct eg_range eg_range_above_zero;
extern const struct eg_range eg_range_duration_above_zero;

#endif
