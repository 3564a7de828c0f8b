/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_RULES_H
#define EG_POLICY_RULES_H

/*
 * The meaning of a model for each workload, as plain lists of rules: what the
 * reference decision walks (eval.h) and what the compiler turns into map entries
 * (compile.h). Each rule remembers who wrote it.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/diag.h"
#include "egress/maps.h"
#include "policy/model.h"
#include "policy/patch.h"

/* errno of a blocked destination where nobody says otherwise (DESIGN: EPERM). */
#define EG_DEFAULT_BLOCK_ERRNO 1
/* The same of what the circuit breaker refuses (DESIGN: ECONNREFUSED). */
#define EG_DEFAULT_BREAKER_ERRNO 111
/* How long after a failure a connect to the same destination is a retry (DESIGN: 10 s). */
#define EG_DEFAULT_RETRY_WINDOW_MS 10000

/* A cluster that no policy is about: an initializer of struct eg_cluster_policy. */
#define EG_DEFAULT_CLUSTER \
	{ \
		.max_connections = EG_DEFAULT_MAX_CONNECTIONS, .max_pending = EG_DEFAULT_MAX_PENDING, \
		.max_requests = EG_DEFAULT_MAX_REQUESTS, .max_retries = EG_DEFAULT_MAX_RETRIES, \
		.connect_timeout_ms = EG_DEFAULT_CONNECT_TIMEOUT_MS, .idle_timeout_ms = EG_DEFAULT_IDLE_TIMEOUT_MS, \
	}

struct eg_rule {
	enum eg_class class;
	struct eg_prefix prefix;
	uint16_t port;		/* 0: every port */
	uint32_t protocols;	/* enum eg_protocol_bit, never 0 */
	struct eg_origin origin;
};

/* Rules without order: those of one class are a union. */
struct eg_scope {
	uint32_t id;		/* from 1, the scope of map keys */
	const char *name;	/* the mesh's or the workload's, for people */
	EG_ARRAY(struct eg_rule) rules;
};

/* Who may come in to a workload. */
struct eg_incoming {
	enum eg_incoming_mode mode;
	struct eg_origin origin;	/* of the mode; file NULL: the default */
	const struct eg_mesh_tls *policy;	/* whose mode it is; NULL: the Mesh's, or nobody's */
	const struct eg_scope *mesh_sources;	/* rules whose prefix is a client's, and whose port the workload's own; NULL: none */
	const struct eg_scope *own_sources;	/* the same */
	const uint16_t *service_ports;	/* that are declared, ascending: where datagrams are judged too */
	size_t service_port_count;
	bool drops;	/* a client that may not come in gets no answer */
};

/* What holds for one workload. */
struct eg_subject {
	const char *name;
	const char *mesh;
	const char *cgroup;			/* NULL: none named */
	const struct eg_workload *workload;	/* as written; NULL for a command without a Workload document */
	uint32_t slot;				/* from 1; the key of eg_workloads_* */
	enum eg_mode mode;
	bool passthrough;
	struct eg_origin passthrough_origin;	/* file NULL: the default */
	const struct eg_mesh_passthrough *passthrough_policy;	/* whose mode it has; NULL: none is for it, or a flag */
	uint32_t open_family;			/* a template took the other family's cluster away: passthrough is off for
						   that alone, and a rule of its own matches all of this one; 0: none */
	struct eg_patches patches;
	uint16_t block_errno;
	uint16_t breaker_errno;
	uint32_t retry_window_ms;
	uint32_t allowed_protocols;	/* enum eg_protocol_bit: sockets that may be made beside TCP, UDP and ping */
	bool keeps_connections;		/* that are open when a policy comes that forbids them; else they are ended */
	uint32_t grace_ms;		/* after so long */
	uint64_t proxy_cgroup;			/* id of the one whose traffic goes its own way; 0: none */
	struct eg_redirect_policy redirect_ipv4;
	struct eg_redirect_policy redirect_ipv6;
	struct eg_cluster_policy ipv4;
	struct eg_cluster_policy ipv6;
	struct eg_origin ipv4_origins[EG_SETTING_COUNT];	/* file NULL: the default */
	struct eg_origin ipv6_origins[EG_SETTING_COUNT];
	const struct eg_scope *mesh_scope;	/* never NULL */
	const struct eg_scope *own_scope;	/* NULL without rules of its own */
	struct eg_incoming incoming;
};

struct eg_ruleset {
	struct eg_arena arena;
	EG_ARRAY(struct eg_scope *) scopes;
	EG_ARRAY(struct eg_subject *) subjects;	/* in the order of the model's workloads */
};

/* One that rules are wanted for: a command, or a cgroup that a Workload names. */
struct eg_rules_source {
	const char *name;			/* of the command, workload or instance */
	const struct eg_workload *workload;	/* NULL: none of the documents is about it */
	const char *mesh;
	const char *cgroup;			/* NULL: the Workload's */
	uint32_t slot;				/* from 1, no two alike */
	uint64_t proxy_cgroup;			/* id of what the Workload's proxyCgroup names; 0: nothing, or it is not there */
	struct eg_optional_bool passthrough;	/* what a flag says, which beats the documents */
	struct eg_settings settings;		/* the same for the clusters of both families */
};

/*
 * Resolves every workload of a checked model; slots are 1, 2, 3... in the model's
 * order. `resolvers` are the node's own, used where Node.resolvers is auto.
 * 0 with *ret_rules owned by the caller, or -ENOMEM. The model must outlive it.
 */
int eg_rules_resolve(const struct eg_model *model, const struct eg_located_prefix *resolvers, size_t resolver_count,
		     struct eg_ruleset **ret_rules);
/*
 * The same for those that the caller names. Sources of one Workload share its
 * scope. Names are copied; the model must outlive the rules.
 */
int eg_rules_resolve_sources(const struct eg_model *model, const struct eg_rules_source *sources, size_t source_count,
			     const struct eg_located_prefix *resolvers, size_t resolver_count,
			     struct eg_ruleset **ret_rules);
struct eg_ruleset *eg_ruleset_free(struct eg_ruleset *rules);
EG_DEFINE_CLEANUP(struct eg_ruleset *, eg_ruleset_free)

/* Where traffic of a family is sent. */
const struct eg_redirect_policy *eg_subject_redirect(const struct eg_subject *subject, uint32_t family);
/* Whether any of it is. */
bool eg_subject_redirects(const struct eg_subject *subject);
/* What holds for a family's cluster, and where each setting of it was written: EG_SETTING_COUNT places. */
const struct eg_cluster_policy *eg_subject_cluster(const struct eg_subject *subject, uint32_t family);
const struct eg_origin *eg_subject_origins(const struct eg_subject *subject, uint32_t family);

/* NULL when there is none of this name. */
const struct eg_subject *eg_ruleset_find(const struct eg_ruleset *rules, const char *name);

#endif
