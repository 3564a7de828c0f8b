/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* `explain` for programs. */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/text.h"
#include "cli/explain.h"
#include "export/names.h"
#include "policy/cluster.h"

static json_t *origin_json(const struct eg_origin *origin)
{
	char file[EG_ESCAPED_MAX(PATH_MAX)];

	if (!origin->file)
		return json_string("default");
	eg_text_escape(origin->file, PATH_MAX, file);
	if (origin->line == 0)
		return json_string(file);
	return json_sprintf("%s:%u:%u", file, origin->line, origin->column);
}

static json_t *warning_json(const struct eg_finding *finding)
{
	return json_sprintf("%s:%u:%u: %s%s%s", finding->origin.file, finding->origin.line, finding->origin.column,
			    finding->path, *finding->path ? ": " : "", finding->text);
}

static json_t *warnings_json(const struct eg_diag *diag)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < diag->findings.len; i++)
		if (diag->findings.items[i].severity == EG_SEVERITY_WARNING)
			json_array_append_new(list, warning_json(&diag->findings.items[i]));
	return list;
}

/* --- the clusters --- */

/* Either the values of one, or where they were written. */
static json_t *cluster_json(const struct eg_subject *subject, uint32_t family, bool of_origins)
{
	const struct eg_cluster_policy *cluster = eg_subject_cluster(subject, family);
	const struct eg_origin *origins = eg_subject_origins(subject, family);
	json_t *json = json_object();

	for (enum eg_setting setting = 0; json && setting < EG_SETTING_COUNT; setting++)
		if (eg_explanation_shows(cluster, setting))
			json_object_set_new(json, eg_setting_name(setting),
					    of_origins ? origin_json(&origins[setting])
						       : json_integer((json_int_t)eg_cluster_get(cluster, setting)));
	return json;
}

static json_t *clusters_json(const struct eg_subject *subject, bool of_origins)
{
	return json_pack("{s:o, s:o}", eg_cluster_name(EG_FAMILY_IPV4),
			 cluster_json(subject, EG_FAMILY_IPV4, of_origins), eg_cluster_name(EG_FAMILY_IPV6),
			 cluster_json(subject, EG_FAMILY_IPV6, of_origins));
}

/* --- policies --- */

/* Either the names of those that do not hold, or where they were written. */
static json_t *shadowed_json(const struct eg_template_list *templates, bool of_origins)
{
	json_t *list = json_array();

	for (size_t i = 1; list && i < templates->len; i++)
		json_array_append_new(list, of_origins ? origin_json(&templates->items[i]->origin)
						       : json_string(templates->items[i]->name));
	return list;
}

/* The same of the MeshProxyPatches, in the order in which they apply. */
static json_t *patches_json(const struct eg_patches *patches, bool of_origins)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < patches->len; i++)
		json_array_append_new(list, of_origins ? origin_json(&patches->items[i]->head.origin)
						       : json_string(patches->items[i]->head.name));
	return list;
}

static void add_unmatched(json_t *list, const struct eg_modifications *modifications)
{
	for (size_t i = 0; list && i < modifications->list.len; i++) {
		const struct eg_modification *modification = &modifications->list.items[i];

		if (modification->families == 0)
			json_array_append_new(list, json_pack("{s:s, s:o}", "path", modification->path, "origin",
							      origin_json(&modification->origin)));
	}
}

/* The modifications of what applies that match nothing. */
static json_t *unmatched_json(const struct eg_patches *patches)
{
	const struct eg_proxy_template *template = eg_patches_template(patches);
	json_t *list = json_array();

	for (size_t i = 0; i < patches->len; i++)
		add_unmatched(list, &patches->items[i]->modifications);
	if (template)
		add_unmatched(list, &template->modifications);
	return list;
}

/* Where each of the values beside it was written; "default" for what nobody wrote. */
static json_t *origins_json(const struct eg_subject *subject)
{
	const struct eg_proxy_template *template = eg_patches_template(&subject->patches);
	json_t *json = json_pack("{s:o, s:o, s:o, s:o}", "passthrough", origin_json(&subject->passthrough_origin),
				 "shadowed", shadowed_json(&subject->patches.templates, true), "patches",
				 patches_json(&subject->patches, true), "clusters", clusters_json(subject, true));

	if (json && subject->workload)
		json_object_set_new(json, "workload", origin_json(&subject->workload->origin));
	if (json && template)
		json_object_set_new(json, "template", origin_json(&template->origin));
	return json;
}

/* --- who comes in --- */

static json_t *ports_json(const struct eg_incoming *incoming)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < incoming->service_port_count; i++)
		json_array_append_new(list, json_integer(incoming->service_ports[i]));
	return list;
}

static json_t *incoming_json(const struct eg_incoming *incoming)
{
	return json_pack("{s:s, s:s?, s:o, s:s, s:o}", "mode", eg_incoming_modes[incoming->mode], "policy",
			 incoming->policy ? incoming->policy->head.name : NULL, "service_ports", ports_json(incoming), "blocked",
			 incoming->drops ? "drop" : "refuse", "origin", origin_json(&incoming->origin));
}

/* --- the redirect --- */

static json_t *places_json(const struct eg_subject *subject, size_t index)
{
	static const uint32_t families[] = {EG_FAMILY_IPV4, EG_FAMILY_IPV6};
	json_t *list = json_array();
	char text[EG_ADDR_PORT_TEXT_MAX];

	for (size_t i = 0; list && i < EG_COUNT_OF(families); i++) {
		struct eg_place place = eg_explanation_redirect_place(subject, index, families[i]);

		if (place.port)
			json_array_append_new(list, json_string(eg_addr_port_format(families[i], &place.addr,
										    (uint16_t)place.port, text)));
	}
	return list;
}

static json_t *redirect_json(const struct eg_subject *subject)
{
	json_t *json = json_pack("{s:s?, s:o}", "proxy_cgroup", subject->workload->redirect.proxy_cgroup, "origin",
				 origin_json(&subject->workload->redirect.origin));

	for (size_t i = 0; json && eg_explanation_redirect_name(i); i++)
		json_object_set_new(json, eg_explanation_redirect_name(i), places_json(subject, i));
	return json;
}

/* --- the destination --- */

static json_t *rule_json(const struct eg_rule *rule)
{
	char prefix[EG_ADDR_TEXT_MAX];

	return json_pack("{s:s, s:i, s:o}", "prefix", eg_prefix_format(&rule->prefix, prefix), "port", (int)rule->port,
			 "origin", origin_json(&rule->origin));
}

static json_t *destination_json(const struct eg_explanation *explanation)
{
	const struct eg_origin *cause = eg_explanation_cause(explanation);
	const struct eg_flow *flow = &explanation->flow;
	char address[EG_ADDR_TEXT_MAX], protocol[12], place[EG_ADDR_PORT_TEXT_MAX];
	json_t *json = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:b}", "address",
				 eg_addr_format(flow->family, &flow->addr, address), "port", (int)flow->port,
				 "protocol", eg_protocol_name(flow->protocol, protocol), "family",
				 eg_family_name(flow->family), "verdict",
				 eg_verdict_name(explanation->decision.verdict), "reason",
				 eg_reason_name(explanation->decision.reason), "enforced",
				 explanation->decision.verdict != EG_VERDICT_AUDITED);

	if (json && explanation->place.port)
		json_object_set_new(json, "sent_to",
				    json_string(eg_addr_port_format(flow->family, &explanation->place.addr,
								    (uint16_t)explanation->place.port, place)));
	if (json && explanation->rule)
		json_object_set_new(json, "rule", rule_json(explanation->rule));
	if (json && cause)
		json_object_set_new(json, "origin", origin_json(cause));
	return json;
}

int eg_explanation_print_json(const struct eg_explanation *explanation)
{
	const struct eg_subject *subject = explanation->subject;
	const struct eg_mesh_passthrough *policy = subject->passthrough_policy;
	const struct eg_proxy_template *template = eg_patches_template(&subject->patches);
	json_auto_t *json = json_pack("{s:s, s:s, s:s*, s:s, s:b, s:s?, s:s?, s:o, s:o, s:o, s:o, s:o, s:o}", "workload",
				      subject->name, "mesh", subject->mesh, "cgroup", subject->cgroup, "mode",
				      eg_modes[subject->mode], "passthrough", subject->passthrough, "passthrough_policy",
				      policy ? policy->head.name : NULL, "template", template ? template->name : NULL,
				      "shadowed", shadowed_json(&subject->patches.templates, false), "patches",
				      patches_json(&subject->patches, false), "unmatched",
				      unmatched_json(&subject->patches), "clusters", clusters_json(subject, false), "origins", origins_json(subject),
				      "warnings", warnings_json(explanation->diag));

	if (json)
		json_object_set_new(json, "incoming", incoming_json(&subject->incoming));
	if (json && eg_subject_redirects(subject))
		json_object_set_new(json, "redirect", redirect_json(subject));
	if (json && explanation->has_flow)
		json_object_set_new(json, explanation->is_incoming ? "client" : "destination", destination_json(explanation));
	if (!json || json_dumpf(json, stdout, JSON_INDENT(2)) < 0)
		return -ENOMEM;
	printf("\n");
	return 0;
}
