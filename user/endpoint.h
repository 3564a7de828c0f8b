/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_ENDPOINT_H
#define EG_ENDPOINT_H

/*
 * The agent's admin endpoint (export/admin.h): where it listens, and that what is enforced
 * does not need it. What fails is logged, and the agent goes on without.
 */
#include "base/addr.h"
#include "datapath/datapath.h"
#include "export/admin.h"
#include "policy/model.h"

struct eg_admin_endpoint {
	struct eg_datapath *datapath;		/* not owned */
	const struct eg_addr_port *wanted;	/* by TCP, whatever a policy says; NULL: as the policy says */
	struct eg_admin *admin;			/* NULL: there is none, which was said */
	struct eg_addr_port place;		/* where it listens by TCP; port 0: nowhere */
};

/* Listens at `path` ("": at none), for whoever is outside the workloads. The endpoint must stay where it is. */
void eg_admin_endpoint_start(struct eg_admin_endpoint *endpoint, const char *directory, const char *path);
/* Ends its thread, which reads maps that the datapath has. */
void eg_admin_endpoint_stop(struct eg_admin_endpoint *endpoint);

/* Listens by TCP where the command line says, or else the policy (NULL: none yet). What fails is tried again with the next. */
void eg_admin_endpoint_follow(struct eg_admin_endpoint *endpoint, const struct eg_model *model);

#endif
