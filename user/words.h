/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_WORDS_H
#define EG_WORDS_H

/* The command line of egressd: its own, and as `egressctl explain` finds it in a running agent. */
#include <stdbool.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/array.h"

struct eg_daemon_words {
	EG_ARRAY(const char *) policies; /* of argv */
	EG_ARRAY(uid_t) trusted; /* users beside root whose policies are taken */
	bool trusts_all;
	const char *admin_path; /* the admin endpoint's socket; NULL: where it is usually, "": none */
	bool has_admin_place;
	struct eg_addr_port admin_place; /* where it listens by TCP */
	bool help;
	bool version;
};

/* 0; -ENOMEM; or -EINVAL with what is wrong in *ret_problem, a constant. argv is put in order. */
int eg_daemon_words_parse(int argc, char **argv, struct eg_daemon_words *words, const char **ret_problem);
void eg_daemon_words_clear(struct eg_daemon_words *words);

#endif
