/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_CHECKED_H
#define EG_CONFIG_CHECKED_H

/* Values that are checked as Kuma checks them and kept nowhere: their fields need no offset. */
#include "config/schema.h"

extern const struct eg_type eg_checked_text;
extern const struct eg_type eg_checked_bool;
/* One of field->choices. */
extern const struct eg_type eg_checked_choice;
/* 1..2^32-1, as the older kinds refuse 0. */
extern const struct eg_type eg_checked_positive;
/* A duration of more than nothing, the same. */
extern const struct eg_type eg_checked_positive_duration;

#endif
