/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/subject.h"

#include <arpa/inet.h>
#include <string.h>

#include "policy/cluster.h"

#define WRITTEN_LIMITS ((uint32_t)(EG_CLUSTER_LIMITS_REQUESTS | EG_CLUSTER_LIMITS_RETRIES))

void eg_subject_set_errnos(struct eg_subject *subject, const struct eg_workload *workload, const struct eg_node *node)
{
	subject->block_errno = EG_DEFAULT_BLOCK_ERRNO;
	subject->breaker_errno = EG_DEFAULT_BREAKER_ERRNO;
	if (node && node->block_errno.value)
		subject->block_errno = node->block_errno.value;
	if (node && node->breaker_errno.value)
		subject->breaker_errno = node->breaker_errno.value;
	if (workload && workload->block_errno.value)
		subject->block_errno = workload->block_errno.value;
	if (workload && workload->breaker_errno.value)
		subject->breaker_errno = workload->breaker_errno.value;
	if (workload)
		subject->allowed_protocols = workload->allowed_protocols;
}

void eg_subject_set_policy_change(struct eg_subject *subject, const struct eg_workload *workload)
{
	subject->keeps_connections = workload && workload->keeps_connections;
	subject->grace_ms = EG_GRACE_PERIOD_DEFAULT_MS;
	if (workload && workload->grace_period_ms.is_set)
		subject->grace_ms = (uint32_t)workload->grace_period_ms.value;
}

void eg_subject_set_passthrough(struct eg_subject *subject, const struct eg_optional_bool *flag,
				const struct eg_mesh_passthrough *policy, const struct eg_mesh *mesh)
{
	subject->passthrough = true;
	if (flag->is_set) {
		subject->passthrough = flag->value;
		subject->passthrough_origin = flag->origin;
	} else if (policy) {
		subject->passthrough = policy->mode == EG_PASSTHROUGH_ALL;
		subject->passthrough_origin = policy->mode_origin;
		subject->passthrough_policy = policy;
	} else if (mesh && mesh->passthrough.is_set) {
		subject->passthrough = mesh->passthrough.value;
		subject->passthrough_origin = mesh->passthrough.origin;
	}
}

/* Where a template took clusters away, nothing leaves by them. A flag beats it, as it beats the Mesh. */
static void set_removed(struct eg_subject *subject, const struct eg_optional_bool *flag,
			const struct eg_origin *ipv4_removed, const struct eg_origin *ipv6_removed)
{
	if (flag->is_set || !subject->passthrough || (!ipv4_removed && !ipv6_removed))
		return;
	subject->passthrough = false;
	/* cppcheck-suppress nullPointerRedundantCheck -- one of the two is there, see above */
	subject->passthrough_origin = ipv4_removed ? *ipv4_removed : *ipv6_removed;
	if (!ipv4_removed)
		subject->open_family = EG_FAMILY_IPV4;
	else if (!ipv6_removed)
		subject->open_family = EG_FAMILY_IPV6;
}

void eg_subject_set_clusters(struct eg_subject *subject, const struct eg_rules_source *source,
			     const struct eg_patched_clusters *patched)
{
	subject->patches = patched->patches;
	subject->ipv4 = patched->ipv4.policy;
	subject->ipv6 = patched->ipv6.policy;
	memcpy(subject->ipv4_origins, patched->ipv4.origins, sizeof(subject->ipv4_origins));
	memcpy(subject->ipv6_origins, patched->ipv6.origins, sizeof(subject->ipv6_origins));
	eg_cluster_apply(&subject->ipv4, subject->ipv4_origins, &source->settings);
	eg_cluster_apply(&subject->ipv6, subject->ipv6_origins, &source->settings);
	set_removed(subject, &source->passthrough, patched->ipv4.removed, patched->ipv6.removed);
}

void eg_subject_set_retries(struct eg_subject *subject, const struct eg_node *node)
{
	subject->retry_window_ms = EG_DEFAULT_RETRY_WINDOW_MS;
	if (node && node->retry_window_ms.is_set)
		subject->retry_window_ms = (uint32_t)node->retry_window_ms.value;
	if (node && node->is_compatible_with_envoy) {
		subject->ipv4.flags &= ~WRITTEN_LIMITS;
		subject->ipv6.flags &= ~WRITTEN_LIMITS;
	}
}

static struct eg_place place_of(const struct eg_optional_place *written)
{
	return (struct eg_place){.addr = written->place.addr, .port = written->is_set ? written->place.port : 0};
}

/* The proxy of a Dataplane listens on loopback. */
static struct eg_place loopback_place(uint32_t family, uint16_t port)
{
	struct eg_place place = {.port = port};

	place.addr.word_be[family == EG_FAMILY_IPV4 ? 0 : 3] = htonl(family == EG_FAMILY_IPV4 ? INADDR_LOOPBACK : 1);
	return place;
}

void eg_subject_set_redirect(struct eg_subject *subject, const struct eg_dataplane *dataplane,
			     const struct eg_rules_source *source)
{
	const struct eg_workload *workload = source->workload;

	if (!workload || !workload->redirect.is_set)
		return;
	subject->proxy_cgroup = source->proxy_cgroup;
	subject->redirect_ipv4.to = place_of(&workload->redirect.to.ipv4);
	subject->redirect_ipv6.to = place_of(&workload->redirect.to.ipv6);
	subject->redirect_ipv4.dns = place_of(&workload->redirect.dns.ipv4);
	subject->redirect_ipv6.dns = place_of(&workload->redirect.dns.ipv6);
	if (!dataplane || !dataplane->redirect_port)
		return;
	subject->redirect_ipv4.mesh = loopback_place(EG_FAMILY_IPV4, dataplane->redirect_port);
	if (!dataplane->redirects_ipv4_alone)
		subject->redirect_ipv6.mesh = loopback_place(EG_FAMILY_IPV6, dataplane->redirect_port);
}

const struct eg_cluster_policy *eg_subject_cluster(const struct eg_subject *subject, uint32_t family)
{
	return family == EG_FAMILY_IPV4 ? &subject->ipv4 : &subject->ipv6;
}

const struct eg_redirect_policy *eg_subject_redirect(const struct eg_subject *subject, uint32_t family)
{
	return family == EG_FAMILY_IPV4 ? &subject->redirect_ipv4 : &subject->redirect_ipv6;
}

bool eg_subject_redirects(const struct eg_subject *subject)
{
	const struct eg_redirect_policy *ipv4 = &subject->redirect_ipv4, *ipv6 = &subject->redirect_ipv6;

	return ipv4->to.port || ipv4->mesh.port || ipv4->dns.port || ipv6->to.port || ipv6->mesh.port || ipv6->dns.port;
}

const struct eg_origin *eg_subject_origins(const struct eg_subject *subject, uint32_t family)
{
	return family == EG_FAMILY_IPV4 ? subject->ipv4_origins : subject->ipv6_origins;
}
