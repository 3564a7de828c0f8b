/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CLI_RUNNING_H
#define EG_CLI_RUNNING_H

#include "base/arena.h"
#include "cli/policy.h"

/*
 * The policy files that the running agent was told to read, for commands that are
 * given none. They are what it would load now: when it has refused them, a word on
 * stderr says so. Paths are in the arena. 0, or -errno once `command` has said what
 * is wrong.
 */
int eg_running_policy(const char *command, struct eg_arena *arena, struct eg_paths *ret_paths);

#endif
