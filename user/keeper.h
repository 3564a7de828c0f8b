/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_KEEPER_H
#define EG_KEEPER_H

/* The agent's looks for maps that must not go, see datapath/stranded.h: before somebody removes the pins by hand. */
#include <stdint.h>

struct eg_keeper {
	const char *directory; /* of the pins */
	uint64_t looked_ns;    /* CLOCK_MONOTONIC */
	int said_error;
};

/* Looks if the last time was ten seconds ago; logs when it begins to fail. What is kept is said by uninstall: mostly sockets live on. */
void eg_keeper_run(struct eg_keeper *keeper);

#endif
