/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_KEEP_H
#define EG_EXPORT_KEEP_H

/* Policy documents that keep traffic working while passthrough is false. */
#include <stdio.h>

#include "base/array.h"
#include "egress/flow.h"
#include "policy/model.h"

/* One workload and where it goes to. */
struct eg_keep {
	const char *name;
	const char *mesh;
	const char *dataplane;			/* the name that a targetRef has for it */
	const char *cgroup;			/* NULL: not known */
	const struct eg_workload *workload;	/* as written now; NULL: not known */
	const char *policy;			/* name of its MeshPassthrough */
	const struct eg_mesh_passthrough *rival; /* a more specific one, whose mode beats that; NULL: none */
	EG_ARRAY(struct eg_flow) flows;		/* each once */
};

/*
 * Writes a MeshPassthrough for what goes by TCP, and for the rest the Workload with a
 * longer allow list: all that it has now, and what is new. What no document can keep
 * stands as a comment. 0, or -errno.
 */
int eg_keep_print(FILE *out, const struct eg_keep *keeps, size_t count);

#endif
