/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CLI_STATUS_H
#define EG_CLI_STATUS_H

/* What `status` finds out, who finds it, and its two ways to say it. */
#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "cli/layers.h"
#include "cli/pinned.h"
#include "cli/status_incoming.h"
#include "cli/status_redirect.h"
#include "datapath/uncounted.h"
#include "export/audit.h"
#include "policy/model.h"
#include "workload/agent.h"

/* What is not enforced. */
struct eg_status_finding {
	char *what;
	const char *remedy;
	const char *workload; /* NULL: the node */
};

struct eg_workload_state {
	const struct eg_pinned_slot *slot;
	enum eg_mode mode;
	bool guarded;
	uint64_t grace_ms; /* left for what is open and forbidden; 0: no time */
	bool in_place;     /* its programs are what the kernel runs */
	struct eg_incoming_state incoming;
	struct eg_redirect_state redirect;
	struct eg_uncounted uncounted;
};

struct eg_gate_state {
	struct eg_gate gate;
	bool enforced;
};

struct eg_status {
	struct eg_pinned pinned;
	struct eg_agent agent;
	struct eg_control control;
	enum eg_agent_sight sight;
	bool alive;
	struct eg_audit audit;
	struct eg_layers layers;
	struct eg_walk uncounted;
	char *uncounted_problem; /* why nobody knows; NULL when the walk succeeded */
	struct eg_walk foreign;
	char *foreign_problem;
	EG_ARRAY(struct eg_workload_state) workloads;
	EG_ARRAY(struct eg_gate_state) gates;
	EG_ARRAY(struct eg_status_finding) findings;
};

/* Adds a finding. `workload` and `remedy` are not copied, the format is printf's. 0 or -ENOMEM. */
__attribute__((format(printf, 4, 5))) int eg_status_add(struct eg_status *status, const char *workload,
							const char *remedy, const char *format, ...);

/*
 * Fills in workloads and gates, with what is found about them, from what is read of the pins and from the kernel.
 * `workload` is the only one whose gates are looked at; NULL: all. 0, or -errno.
 */
int eg_status_inspect_cgroups(struct eg_status *status, const char *workload);
/* Adds what is found about the node, when all the rest is there. 0 or -ENOMEM. */
int eg_status_inspect_node(struct eg_status *status);

/* Programs that let pass what they would refuse enforce nothing. */
bool eg_workload_is_enforced(const struct eg_workload_state *workload);
/* Whether anybody knows how long processes were in its cgroup unenforced. */
bool eg_workload_has_window(const struct eg_slot_info *info);
/* "running", "starting" or "dead". */
const char *eg_status_agent(const struct eg_status *status);

/* Each prints to stdout. The second: 0, or -errno. */
void eg_status_print(const struct eg_status *status);
int eg_status_print_json(const struct eg_status *status);

#endif
