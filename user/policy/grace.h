/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_GRACE_H
#define EG_POLICY_GRACE_H

/* How long connections go on that are open when a policy comes that forbids them. */
#include <stdbool.h>
#include <stdint.h>

#include "policy/compile.h"

/*
 * Writes into an image that takes the place of `before` until when, by CLOCK_MONOTONIC,
 * each slot's open connections go on: from now for its grace period where the new image
 * forbids what the old one did not, or may do so; as long as before where it does not.
 * fresh[slot] says that the slot has a cgroup that it had not: that it forbids anything
 * at all is new to it. NULL: no slot has.
 */
void eg_image_grant_grace(struct eg_image *image, const struct eg_image *before, const bool *fresh, uint64_t now_ns);
/* The next time after now_ns at which some slot's grace ends; 0: none does. */
uint64_t eg_image_next_grace_ns(const struct eg_image *image, uint64_t now_ns);

#endif
