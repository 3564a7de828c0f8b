/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CLI_FOLLOW_H
#define EG_CLI_FOLLOW_H

/* --follow for listings whose lines each say one thing by themselves. */
#include <stdbool.h>
#include <stdio.h>

/* Writes the whole listing as it is now. 0, or -errno. */
typedef int (*eg_follow_write_t)(void *context, FILE *out);

/*
 * Prints the listing, and from then on, once a second until SIGINT or SIGTERM, the
 * lines that were not in it a second ago. JSON is one document: it is printed whole,
 * on a line, when something in it has changed. 0, or -errno: of the writer too.
 */
int eg_follow(eg_follow_write_t write, void *context, bool is_json);

#endif
