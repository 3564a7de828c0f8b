/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_LOADED_H
#define EG_LOADED_H

/* A policy as the agent has loaded it from its files: what a reload replaces whole. */
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "base/trust.h"
#include "policy/model.h"

struct eg_loaded {
	struct eg_model *model;
	struct eg_located_prefix *resolvers;	/* of the node, where no document lists them */
	size_t resolver_count;
};

void eg_loaded_clear(struct eg_loaded *loaded);
/* What `loaded` holds is the caller's, and none of it left there. */
struct eg_loaded eg_loaded_take(struct eg_loaded *loaded);

/*
 * Reads files and folders of files, if they belong to somebody whose policies are taken: others are not even read.
 * *ret_fingerprint is that of the files, also when what they say is wrong. 0; -EBADMSG with everything that is
 * wrong in diag; or -errno of a shortage.
 */
int eg_loaded_read(const char *const *paths, size_t count, const struct eg_trust *trust, struct eg_diag *diag,
		   uint64_t *ret_fingerprint, struct eg_loaded *ret);

#endif
