/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_POLICY_MODEL_H
#define EG_POLICY_MODEL_H

/*
 * The resources of one set of policy documents, as they were written: what each
 * says and where. Their meaning together is in check.h and rules.h. Everything
 * hangs on the model's arena and ends with it.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/diag.h"
#include "policy/jsonpatch.h"
#include "policy/tree.h"

/* The mesh of a resource that names none, as in Kuma. */
#define EG_DEFAULT_MESH "default"

/* Which service something is of: what selectors ask for first. */
#define EG_SERVICE_TAG "kuma.io/service"
/* Which namespace of Kubernetes something comes from. */
#define EG_NAMESPACE_TAG "k8s.kuma.io/namespace"

struct eg_tag {
	const char *name;
	const char *value;
};

struct eg_tags {
	struct eg_tag *items;	/* in the model's arena */
	size_t len;
};

/* What a targetRef can name, from the least specific to the most, as Kuma orders them. */
enum eg_target_kind {
	EG_TARGET_MESH,
	EG_TARGET_DATAPLANE,
	EG_TARGET_MESH_SUBSET,
	EG_TARGET_MESH_GATEWAY,
	EG_TARGET_MESH_SERVICE,
	EG_TARGET_MESH_EXTERNAL_SERVICE,
	EG_TARGET_MESH_MULTI_ZONE_SERVICE,
	EG_TARGET_MESH_SERVICE_SUBSET,
	EG_TARGET_MESH_HTTP_ROUTE,
	EG_TARGET_COUNT,
};

enum eg_proxy_type {
	EG_PROXY_SIDECAR = 1u << 0,
	EG_PROXY_GATEWAY = 1u << 1,
};

/* Whom a policy is for: its targetRef. */
struct eg_target {
	enum eg_target_kind kind;
	const char *name;		/* NULL: left out */
	const char *namespace;		/* the same */
	struct eg_tags tags;		/* of a service its kuma.io/service too */
	struct eg_tags labels;
	unsigned int proxy_types;	/* enum eg_proxy_type; 0: any */
	struct eg_origin origin;	/* of the document when the targetRef is left out */
};

/* What all policies with a targetRef have. */
struct eg_policy_head {
	const char *kind;		/* "MeshPassthrough" */
	const char *name;
	const char *display_name;	/* without the namespace */
	const char *namespace;		/* that it is confined to; NULL: it holds in all */
	const char *mesh;
	struct eg_origin origin;
	struct eg_origin mesh_origin;
	bool is_shadow;			/* kuma.io/effect: shadow: looked at, and never applied */
	struct eg_target target;
};

/* A value that somebody may have left out. */
struct eg_optional_bool {
	bool is_set;
	bool value;
	struct eg_origin origin;
};

struct eg_optional_errno {
	uint16_t value;		/* 0: left out */
	struct eg_origin origin;
};

/* What can be set of a passthrough cluster, in the order in which people are shown it. */
enum eg_setting {
	EG_SETTING_MAX_CONNECTIONS,
	EG_SETTING_MAX_PENDING,
	EG_SETTING_MAX_REQUESTS,
	EG_SETTING_MAX_RETRIES,
	EG_SETTING_CONNECT_TIMEOUT,	/* ms, from 1 */
	EG_SETTING_IDLE_TIMEOUT,	/* ms; 0: none */
	EG_SETTING_MAX_DURATION,	/* ms; 0: none */
	EG_SETTING_COUNT,
};

struct eg_optional_number {
	bool is_set;
	uint64_t value;
	struct eg_origin origin;
};

/* What one patch, or the command line, says of a cluster. */
struct eg_settings {
	struct eg_optional_number numbers[EG_SETTING_COUNT];
};

/* Which of the two passthrough clusters, or of the listeners in front of them. */
enum eg_families {
	EG_FAMILIES_IPV4 = 1u << 0,
	EG_FAMILIES_IPV6 = 1u << 1,
	EG_FAMILIES_BOTH = EG_FAMILIES_IPV4 | EG_FAMILIES_IPV6,
};

/* The origins of clusters and listeners, as Kuma names them. */
#define EG_MADE_BY_KUMA "transparent"
#define EG_MADE_BY_TEMPLATE "proxy-template-modifications"
#define EG_MADE_BY_PATCH "mesh-proxy-patch"

enum eg_change {
	EG_CHANGE_PATCH,
	EG_CHANGE_ADD,		/* in the place of the old one */
	EG_CHANGE_REMOVE,	/* without it nothing can leave: passthrough is off */
};

enum eg_changed {
	EG_CHANGED_CLUSTER,
	EG_CHANGED_LISTENER,
	EG_CHANGED_TCP_PROXY,	/* in the listener */
};

/* One of a ProxyTemplate or MeshProxyPatch that is, or was meant to be, about a passthrough cluster or its listener. */
struct eg_modification {
	enum eg_change change;
	enum eg_changed what;
	unsigned int families;		/* enum eg_families; 0: it matches nothing */
	const char *made_by;		/* the origin that it wants; NULL: any */
	const char *adds_as;		/* the origin of what it adds */
	const struct eg_tree *value;	/* NULL: none */
	const struct eg_json_patch *json_patches;
	size_t json_patch_count;
	const char *path;		/* the field that it is: "conf.modifications[0].cluster" */
	struct eg_origin origin;
};

struct eg_modifications {
	EG_ARRAY(struct eg_modification) list;	/* in the order in which they apply */
};

struct eg_proxy_template {
	const char *name;
	const char *mesh;
	struct eg_origin origin;
	struct eg_origin mesh_origin;
	uint64_t created_us;	/* since the year 1; 0: left out */
	EG_ARRAY(struct eg_tags) selectors;	/* none: it matches all */
	bool imports_proxy;	/* without default-proxy or gateway-proxy, Kuma's proxies have no listener at all */
	struct eg_modifications modifications;
};

/* One entry of an allow list. */
struct eg_allow {
	struct eg_prefix prefix;
	uint16_t port;		/* 0: every port */
	uint32_t protocols;	/* enum eg_protocol_bit */
	struct eg_origin origin;
};

/* Who may come in, whatever mTLS says: a prefix is the client's, a port the workload's own. */
struct eg_sources {
	EG_ARRAY(struct eg_allow) list;
};

enum eg_passthrough_mode {
	EG_PASSTHROUGH_ALL,
	EG_PASSTHROUGH_MATCHED,	/* what its list names, and nothing else; the default */
	EG_PASSTHROUGH_NONE,
};

/* An entry of a list that names a host, which nobody here looks up. */
struct eg_domain {
	const char *name;
	const char *path;	/* of the field */
	struct eg_origin origin;
};

/* A MeshProxyPatch. */
struct eg_proxy_patch {
	struct eg_policy_head head;
	struct eg_modifications modifications;
};

struct eg_mesh_passthrough {
	struct eg_policy_head head;
	enum eg_passthrough_mode mode;
	struct eg_origin mode_origin;	/* of the document when the mode is left out */
	struct eg_origin matches_origin;	/* file NULL: it has no list */
	EG_ARRAY(struct eg_allow) matches;
	EG_ARRAY(struct eg_domain) domains;	/* of the same list */
};

/* Who may come in to a workload: the mode of mTLS. */
enum eg_incoming_mode {
	EG_INCOMING_OFF,	/* no mTLS: nobody is looked at */
	EG_INCOMING_PERMISSIVE,	/* anyone, and each is counted */
	EG_INCOMING_STRICT,	/* the mesh alone */
};

/* By enum eg_incoming_mode, as Mesh has them; NULL behind the last. */
extern const char *const eg_incoming_modes[];

struct eg_optional_incoming {
	bool is_set;
	enum eg_incoming_mode mode;
	struct eg_origin origin;
};

struct eg_mesh {
	const char *name;
	struct eg_origin origin;
	struct eg_optional_bool passthrough;	/* networking.outbound.passthrough; left out means true */
	struct eg_optional_incoming incoming;	/* the mode of mtls.enabledBackend; left out without one */
};

/* A MeshTLS. */
struct eg_mesh_tls {
	struct eg_policy_head head;
	struct eg_optional_incoming incoming;	/* left out: it says nothing of the mode */
	bool is_of_inbound;	/* sectionName: it is about one inbound, which is not told apart here */
};

struct eg_inbound {
	const char *address;	/* NULL: the Dataplane's own */
	uint16_t port;
	uint16_t service_port;	/* of the application; the port itself when left out */
	bool is_of_proxy;	/* who listens at the port is the proxy, and the application elsewhere */
	struct eg_origin origin;
	struct eg_tags tags;
};

/* Where something can be reached by TCP. */
struct eg_endpoint {
	const char *address; /* an address or a host name; never NULL */
	uint16_t port;
	struct eg_origin origin;
};

struct eg_dataplane {
	const char *name;
	const char *mesh;
	struct eg_origin origin;
	const char *address;		/* an address or a host name; NULL in a zone proxy without one */
	const char *advertised_address;	/* NULL when left out */
	uint16_t redirect_port;		/* where its proxy listens for what goes out; 0: nowhere */
	bool redirects_ipv4_alone;	/* ipFamilyMode: IPv4 */
	EG_ARRAY(struct eg_inbound) inbounds;
	bool is_gateway;
	uint16_t redirect_ports[2];	/* where its proxy takes what is redirected to it, by IPv4 and IPv6; 0: none */
	struct eg_tags gateway_tags;
	struct eg_tags labels;
	EG_ARRAY(struct eg_endpoint) outbounds;
};

/* An ExternalService, MeshExternalService or MeshService: what is of the mesh beside its Dataplanes. */
struct eg_service {
	const char *name;
	const char *mesh;
	struct eg_origin origin;
	struct eg_origin mesh_origin;
	EG_ARRAY(struct eg_endpoint) endpoints;
};

struct eg_located_prefix {
	struct eg_prefix prefix;
	struct eg_origin origin;
};

struct eg_located_port {
	uint16_t port;
	struct eg_origin origin;
};

/* What becomes of a refusal. */
enum eg_mode {
	EG_MODE_ENFORCE,
	EG_MODE_AUDIT,	/* it is counted and reported, and the traffic goes on */
};

/* By enum eg_mode, as they are written; NULL behind the last. */
extern const char *const eg_modes[];

struct eg_optional_place {
	bool is_set;
	struct eg_addr_port place;
	struct eg_origin origin;
};

/* One of each family. */
struct eg_optional_places {
	struct eg_optional_place ipv4;
	struct eg_optional_place ipv6;
};

/* What a Workload sends to a proxy. */
struct eg_redirect {
	bool is_set;
	struct eg_origin origin;
	struct eg_optional_places to;		/* TCP that would be blocked */
	struct eg_optional_places dns;		/* UDP to port 53 */
	const char *proxy_cgroup;	/* with a leading slash below the mount, else below the workload's; NULL: none */
};

struct eg_workload {
	const char *name;
	const char *mesh;
	const char *cgroup;	/* path or glob below the cgroup v2 mount, with its leading slash; NULL when left out */
	const char *dataplane;	/* name of a Dataplane of the same mesh; NULL when left out */
	struct eg_origin origin;
	struct eg_origin mesh_origin;
	struct eg_origin dataplane_origin;
	struct eg_tags tags;
	struct eg_tags labels;
	enum eg_mode mode;
	bool refuses_unenrolled;	/* unenrolled: refuse */
	uint32_t allowed_protocols;	/* enum eg_protocol_bit */
	bool keeps_connections;		/* onPolicyChange: keep */
	struct eg_optional_number grace_period_ms;	/* up to EG_GRACE_PERIOD_MAX_MS */
	struct eg_redirect redirect;
	struct eg_optional_errno block_errno;
	struct eg_optional_errno breaker_errno;
	EG_ARRAY(struct eg_located_port) exclude_outbound_ports;
	EG_ARRAY(struct eg_located_prefix) exclude_outbound_ips;
	EG_ARRAY(struct eg_allow) allow;
	struct eg_sources allow_incoming;
	bool drops_incoming;	/* onIncomingBlocked: drop */
};

struct eg_node {
	const char *name;
	struct eg_origin origin;
	EG_ARRAY(struct eg_located_prefix) mesh_cidrs;
	struct eg_sources allow_incoming;	/* to every workload */
	bool resolvers_listed;	/* false: "auto", the node's own resolv.conf */
	EG_ARRAY(struct eg_located_prefix) resolvers;	/* single addresses */
	struct eg_optional_errno block_errno;
	struct eg_optional_errno breaker_errno;
	struct eg_optional_place admin;	/* where the admin endpoint listens by TCP */
	struct eg_optional_number retry_window_ms;	/* up to 2^32-1 */
	struct eg_optional_number sweep_interval_ms;	/* within EG_SWEEP_INTERVAL_MIN_MS..MAX_MS */
	bool is_compatible_with_envoy;	/* compat: envoy */
	bool refuses_domains;	/* domains: refuse */
};

#define EG_SWEEP_INTERVAL_MIN_MS 10
#define EG_SWEEP_INTERVAL_MAX_MS 3600000
#define EG_GRACE_PERIOD_DEFAULT_MS 5000
#define EG_GRACE_PERIOD_MAX_MS 3600000
#define EG_RETRY_WINDOW_MAX_MS 86400000 /* a day: what is remembered takes room */

/* What a document defines, of whatever kind: no two may be alike in kind, mesh and name. */
struct eg_resource {
	const char *kind;
	const char *mesh; /* "": names of this kind differ in the whole set */
	const char *name;
	struct eg_origin origin;
};

/* What came from the command line or from the node, and stands beside the documents. */
struct eg_model {
	struct eg_arena arena;
	size_t documents;	/* of any kind, skipped ones included */
	EG_ARRAY(struct eg_resource) resources; /* those that have a name of their own */
	EG_ARRAY(struct eg_mesh *) meshes;
	EG_ARRAY(struct eg_dataplane *) dataplanes;
	EG_ARRAY(struct eg_service *) services;
	EG_ARRAY(struct eg_workload *) workloads;
	EG_ARRAY(struct eg_proxy_template *) templates;
	EG_ARRAY(struct eg_mesh_passthrough *) passthroughs;
	EG_ARRAY(struct eg_mesh_tls *) tls;
	EG_ARRAY(struct eg_proxy_patch *) proxy_patches;
	EG_ARRAY(const struct eg_policy_head *) heads;	/* of all policies with a targetRef, of whatever kind */
	struct eg_node *node;	/* NULL when the set has none */
};

/* An empty model, or NULL without memory. */
struct eg_model *eg_model_new(void);
struct eg_model *eg_model_free(struct eg_model *model);
EG_DEFINE_CLEANUP(struct eg_model *, eg_model_free)

/* The value of a tag or label, or NULL. */
const char *eg_tags_find(const struct eg_tags *tags, const char *name);

/* NULL when there is none of this name. */
const struct eg_mesh *eg_model_find_mesh(const struct eg_model *model, const char *name);
const struct eg_dataplane *eg_model_find_dataplane(const struct eg_model *model, const char *mesh, const char *name);
const struct eg_workload *eg_model_find_workload(const struct eg_model *model, const char *name);

/*
 * How often the agent looks at held connections: for timeouts, and for leases that
 * nothing else gives back. 0: as the timeouts want it.
 */
uint32_t eg_model_sweep_interval_ms(const struct eg_model *model);

#endif
