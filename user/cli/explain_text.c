/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* `explain` for people. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "cli/explain.h"
#include "export/names.h"
#include "policy/cluster.h"
#include "policy/passthrough.h"

static void print_origin(const struct eg_origin *origin)
{
	if (!origin->file)
		printf("  (default)");
	else if (origin->line == 0)
		printf("  (%s)", origin->file);
	else
		printf("  (%s:%u:%u)", origin->file, origin->line, origin->column);
}

static void print_value(const char *name, const char *value, const struct eg_origin *origin)
{
	printf("%-12s %s", name, value);
	if (origin)
		print_origin(origin);
	printf("\n");
}

/* --- policies --- */

static void print_passthrough(const struct eg_subject *subject)
{
	const struct eg_mesh_passthrough *policy = subject->passthrough_policy;

	printf("%-12s %s", "passthrough", subject->passthrough ? "true" : "false");
	print_origin(&subject->passthrough_origin);
	if (policy)
		printf(", %s: MeshPassthrough %s", eg_passthrough_modes[policy->mode], policy->head.name);
	printf("\n");
}

static void print_incoming(const struct eg_incoming *incoming)
{
	printf("%-12s %s", "incoming", eg_incoming_modes[incoming->mode]);
	print_origin(&incoming->origin);
	if (incoming->policy)
		printf(", MeshTLS %s", incoming->policy->head.name);
	if (incoming->mode == EG_INCOMING_STRICT)
		printf(", %s", incoming->drops ? "drop" : "refuse");
	printf("\n");
	if (incoming->mode == EG_INCOMING_OFF || incoming->service_port_count == 0)
		return;
	printf("%-12s", "declared");
	for (size_t i = 0; i < incoming->service_port_count; i++)
		printf(" %u", incoming->service_ports[i]);
	printf("\n");
}

static void print_templates(const struct eg_template_list *templates)
{
	if (templates->len == 0)
		print_value("template", "none", NULL);
	for (size_t i = 0; i < templates->len; i++)
		print_value(i == 0 ? "template" : "shadowed", templates->items[i]->name, &templates->items[i]->origin);
}

static void print_unmatched(const struct eg_modifications *modifications)
{
	for (size_t i = 0; i < modifications->list.len; i++)
		if (modifications->list.items[i].families == 0)
			print_value("unmatched", modifications->list.items[i].path, &modifications->list.items[i].origin);
}

/* In the order in which they apply, which the template does last. */
static void print_patches(const struct eg_patches *patches)
{
	const struct eg_proxy_template *template = eg_patches_template(patches);

	for (size_t i = 0; i < patches->len; i++)
		print_value("patch", patches->items[i]->head.name, &patches->items[i]->head.origin);
	print_templates(&patches->templates);
	for (size_t i = 0; i < patches->len; i++)
		print_unmatched(&patches->items[i]->modifications);
	if (template)
		print_unmatched(&template->modifications);
}

/* --- the clusters --- */

static bool is_timeout(enum eg_setting setting)
{
	return setting >= EG_SETTING_CONNECT_TIMEOUT;
}

/* Requests and retries have a value whatever anybody writes, but no effect. */
static bool acts(const struct eg_cluster_policy *cluster, enum eg_setting setting)
{
	if (setting == EG_SETTING_MAX_REQUESTS)
		return cluster->flags & EG_CLUSTER_LIMITS_REQUESTS;
	if (setting == EG_SETTING_MAX_RETRIES)
		return cluster->flags & EG_CLUSTER_LIMITS_RETRIES;
	return true;
}

static void print_setting(const struct eg_cluster_policy *cluster, enum eg_setting setting,
			  const struct eg_origin *origin)
{
	const uint64_t value = eg_cluster_get(cluster, setting);
	const char *name = eg_setting_name(setting);
	char text[EG_DURATION_TEXT_MAX];

	if (!eg_explanation_shows(cluster, setting))
		return;
	/* A time has its own unit here, and needs none in its name. */
	if (!is_timeout(setting))
		printf("  %-23s %-6" PRIu64, name, value);
	else
		printf("  %-23.*s %-6s", (int)(strlen(name) - strlen("_ms")), name,
		       value ? eg_format_duration(value, text) : "none");
	print_origin(origin);
	printf("%s\n", acts(cluster, setting) ? "" : ", refuses nothing");
}

static void print_cluster(const struct eg_subject *subject, uint32_t family)
{
	printf("%s\n", eg_cluster_name(family));
	for (enum eg_setting setting = 0; setting < EG_SETTING_COUNT; setting++)
		print_setting(eg_subject_cluster(subject, family), setting,
			      &eg_subject_origins(subject, family)[setting]);
}

/* --- the redirect --- */

static void print_places(const struct eg_subject *subject, size_t index)
{
	static const uint32_t families[] = {EG_FAMILY_IPV4, EG_FAMILY_IPV6};
	const char *between = "";
	char text[EG_ADDR_PORT_TEXT_MAX];

	for (size_t i = 0; i < EG_COUNT_OF(families); i++) {
		struct eg_place place = eg_explanation_redirect_place(subject, index, families[i]);

		if (!place.port)
			continue;
		if (!*between)
			printf("  %-23s ", eg_explanation_redirect_name(index));
		printf("%s%s", between, eg_addr_port_format(families[i], &place.addr, (uint16_t)place.port, text));
		between = ", ";
	}
	if (*between)
		printf("\n");
}

static void print_redirect(const struct eg_subject *subject)
{
	if (!eg_subject_redirects(subject))
		return;
	print_value("redirect", subject->mode == EG_MODE_AUDIT ? "nothing, while mode is audit" : "",
		    &subject->workload->redirect.origin);
	for (size_t i = 0; eg_explanation_redirect_name(i); i++)
		print_places(subject, i);
	if (subject->workload->redirect.proxy_cgroup)
		printf("  %-23s %s\n", "proxyCgroup", subject->workload->redirect.proxy_cgroup);
}

/* --- the destination --- */

static void print_client(const struct eg_flow *flow)
{
	char address[EG_ADDR_TEXT_MAX], protocol[12];

	printf("%-12s %s to ", "client", eg_addr_format(flow->family, &flow->addr, address));
	if (flow->port)
		printf("port %u", flow->port);
	else
		printf("any port");
	printf("/%s\n", eg_protocol_name(flow->protocol, protocol));
}

static void print_destination(const struct eg_flow *flow)
{
	const bool has_brackets = flow->family == EG_FAMILY_IPV6 && flow->port;
	char address[EG_ADDR_TEXT_MAX], protocol[12];

	eg_addr_format(flow->family, &flow->addr, address);
	printf("%-12s %s%s%s", "destination", has_brackets ? "[" : "", address, has_brackets ? "]" : "");
	if (flow->port)
		printf(":%u", flow->port);
	printf("/%s\n", eg_protocol_name(flow->protocol, protocol));
}

static void print_verdict(const struct eg_explanation *explanation)
{
	const struct eg_origin *cause = eg_explanation_cause(explanation);
	const struct eg_rule *rule = explanation->rule;
	char prefix[EG_ADDR_TEXT_MAX], place[EG_ADDR_PORT_TEXT_MAX];

	printf("%-12s %s: %s%s\n", "verdict", eg_verdict_name(explanation->decision.verdict),
	       eg_reason_name(explanation->decision.reason),
	       explanation->decision.verdict == EG_VERDICT_AUDITED ? ", not enforced" : "");
	if (explanation->place.port)
		printf("%-12s %s\n", "sent to",
		       eg_addr_port_format(explanation->flow.family, &explanation->place.addr,
					   (uint16_t)explanation->place.port, place));
	if (!cause)
		return;
	if (rule)
		printf("%-12s %s", "rule", eg_prefix_format(&rule->prefix, prefix));
	else if (explanation->is_incoming)
		printf("%-12s mTLS %s", "rule", eg_incoming_modes[explanation->subject->incoming.mode]);
	else
		printf("%-12s passthrough %s", "rule", explanation->subject->passthrough ? "true" : "false");
	if (rule && rule->port)
		printf(" port %u", rule->port);
	print_origin(cause);
	printf("\n");
}

void eg_explanation_print(const struct eg_explanation *explanation)
{
	const struct eg_subject *subject = explanation->subject;

	print_value("workload", subject->name, subject->workload ? &subject->workload->origin : NULL);
	print_value("mesh", subject->mesh, NULL);
	if (subject->cgroup)
		print_value("cgroup", subject->cgroup, NULL);
	print_value("mode", eg_modes[subject->mode], NULL);
	print_passthrough(subject);
	print_incoming(&subject->incoming);
	print_patches(&subject->patches);
	print_cluster(subject, EG_FAMILY_IPV4);
	print_cluster(subject, EG_FAMILY_IPV6);
	print_redirect(subject);
	if (!explanation->has_flow)
		return;
	if (explanation->is_incoming)
		print_client(&explanation->flow);
	else
		print_destination(&explanation->flow);
	print_verdict(explanation);
}
