/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/policy.h"
#include "export/names.h"
#include "policy/cluster.h"
#include "policy/eval.h"

struct explain_words {
	struct eg_paths policies;
	bool json;
};

/* What is asked about, and the answer. */
struct answer {
	const struct eg_subject *subject;
	bool has_flow;
	struct eg_flow flow;
	struct eg_decision decision;
	const struct eg_rule *rule; /* NULL where no rule gave the verdict */
};

static void clear_words(struct explain_words *words)
{
	eg_array_clear(&words->policies.list);
}

static const struct eg_command_help help = {
	.name = "explain",
	.usage = "--policy PATH... [--json] WORKLOAD [DEST[:PORT][/PROTOCOL]]",
	.text = "Shows what holds for a workload, with the place where each value was written, and\n"
		"the verdict for a destination: 10.0.0.1:443, [fd00::1]:53/udp, 10.0.0.1. The\n"
		"protocol is tcp unless named; without a port, only rules for every port apply.\n"
		"Needs no privileges, no daemon and no existing cgroup.",
};

static int take_policy(const char *value, void *context)
{
	struct explain_words *words = context;

	return eg_array_push(&words->policies.list, value);
}

static int take_json(const char *value, void *context)
{
	(void)value;
	((struct explain_words *)context)->json = true;
	return 0;
}

static const struct eg_option options[] = {
	{"policy", "PATH", "a policy file or folder; may be given several times", take_policy},
	{"json", NULL, "print JSON", take_json},
};

/* ---- DEST[:PORT][/PROTOCOL] ---- */

static int bad_destination(const char *text)
{
	return eg_options_error(help.name, "'%s' is no destination: ADDRESS, ADDRESS:PORT or [IPV6]:PORT, "
					   "with /udp or another protocol behind it", text);
}

/* Splits "a:1", "[a::b]:1", "a" and "a::b" in place. NULL for no port. */
static char *split_port(char **address)
{
	char *text = *address, *colon = strchr(text, ':');

	if (text[0] == '[') {
		char *bracket = strchr(text, ']');

		if (!bracket || (bracket[1] != ':' && bracket[1] != '\0'))
			return NULL;
		*address = text + 1;
		*bracket = '\0';
		return bracket[1] == ':' ? bracket + 2 : NULL;
	}
	/* More than one colon is an IPv6 address without brackets, which has no port. */
	if (!colon || strchr(colon + 1, ':'))
		return NULL;
	*colon = '\0';
	return colon + 1;
}

static int parse_destination(const char *text, struct eg_flow *ret_flow)
{
	_cleanup_free_ char *copy = strdup(text);
	char *address = copy, *slash, *port;
	struct eg_flow flow = {.protocol = IPPROTO_TCP};
	int protocol;

	if (!copy)
		return -ENOMEM;
	slash = strrchr(copy, '/');
	if (slash) {
		*slash = '\0';
		protocol = eg_protocol_parse(slash + 1);
		if (protocol < 0)
			return bad_destination(text);
		flow.protocol = (uint16_t)protocol;
	}
	port = split_port(&address);
	if (eg_addr_parse(address, &flow.family, &flow.addr) < 0)
		return bad_destination(text);
	if (port && (eg_parse_u16(port, &flow.port) < 0 || flow.port == 0))
		return bad_destination(text);
	*ret_flow = flow;
	return 0;
}

/* ---- the clusters ---- */

static const uint32_t families[] = {EG_FAMILY_IPV4, EG_FAMILY_IPV6};

static const struct eg_cluster_policy *cluster_of(const struct eg_subject *subject, uint32_t family)
{
	return family == EG_FAMILY_IPV4 ? &subject->ipv4 : &subject->ipv6;
}

static const struct eg_origin *origins_of(const struct eg_subject *subject, uint32_t family)
{
	return family == EG_FAMILY_IPV4 ? subject->ipv4_origins : subject->ipv6_origins;
}

static bool is_timeout(enum eg_setting setting)
{
	return setting >= EG_SETTING_CONNECT_TIMEOUT;
}

/* Connections may become as old as they like unless somebody says otherwise; nothing is shown then. */
static bool is_shown(const struct eg_cluster_policy *cluster, enum eg_setting setting)
{
	return setting != EG_SETTING_MAX_DURATION || eg_cluster_get(cluster, setting) > 0;
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

/* ---- the answer for people ---- */

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

static void print_setting(const struct eg_cluster_policy *cluster, enum eg_setting setting,
			  const struct eg_origin *origin)
{
	const uint64_t value = eg_cluster_get(cluster, setting);
	const char *name = eg_setting_name(setting);
	char text[EG_DURATION_TEXT_MAX];

	if (!is_shown(cluster, setting))
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

static void print_clusters(const struct eg_subject *subject)
{
	for (size_t i = 0; i < EG_COUNT_OF(families); i++) {
		printf("%s\n", eg_cluster_name(families[i]));
		for (enum eg_setting setting = 0; setting < EG_SETTING_COUNT; setting++)
			print_setting(cluster_of(subject, families[i]), setting,
				      &origins_of(subject, families[i])[setting]);
	}
}

static void print_destination(const struct answer *answer)
{
	char address[EG_ADDR_TEXT_MAX], protocol[12], prefix[EG_ADDR_TEXT_MAX];
	const struct eg_flow *flow = &answer->flow;
	bool v6 = flow->family == EG_FAMILY_IPV6;

	eg_addr_format(flow->family, &flow->addr, address);
	printf("%-12s %s%s%s", "destination", v6 && flow->port ? "[" : "", address, v6 && flow->port ? "]" : "");
	if (flow->port)
		printf(":%u", flow->port);
	printf("/%s\n", eg_protocol_name(flow->protocol, protocol));
	printf("%-12s %s: %s\n", "verdict", eg_verdict_name(answer->decision.verdict),
	       eg_reason_name(answer->decision.reason));
	if (answer->rule) {
		eg_prefix_format(&answer->rule->prefix, prefix);
		printf("%-12s %s", "rule", prefix);
		if (answer->rule->port)
			printf(" port %u", answer->rule->port);
		print_origin(&answer->rule->origin);
		printf("\n");
	}
}

static void print_answer(const struct answer *answer)
{
	const struct eg_subject *subject = answer->subject;
	const struct eg_proxy_template *template = eg_patches_template(&subject->patches);
	const struct eg_origin *origin = subject->workload ? &subject->workload->origin : NULL;

	print_value("workload", subject->name, origin);
	print_value("mesh", subject->mesh, NULL);
	if (subject->cgroup)
		print_value("cgroup", subject->cgroup, NULL);
	print_value("mode", "enforce", NULL);
	print_value("passthrough", subject->passthrough ? "true" : "false", &subject->passthrough_origin);
	print_value("template", template ? template->name : "none", template ? &template->origin : NULL);
	print_clusters(subject);
	if (answer->has_flow)
		print_destination(answer);
}

/* ---- the answer for programs ---- */

static json_t *origin_json(const struct eg_origin *origin)
{
	if (!origin->file)
		return json_string("default");
	if (origin->line == 0)
		return json_string(origin->file);
	return json_sprintf("%s:%u:%u", origin->file, origin->line, origin->column);
}

static json_t *warnings_json(const struct eg_diag *diag)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < diag->findings.len; i++) {
		const struct eg_finding *finding = &diag->findings.items[i];
		_cleanup_free_ char *line = NULL;

		if (finding->severity == EG_SEVERITY_WARNING &&
		    asprintf(&line, "%s:%u:%u: %s%s%s", finding->origin.file, finding->origin.line,
			     finding->origin.column, finding->path, *finding->path ? ": " : "", finding->text) >= 0)
			json_array_append_new(list, json_string(line));
	}
	return list;
}

static json_t *cluster_json(const struct eg_cluster_policy *cluster)
{
	json_t *json = json_object();

	for (enum eg_setting setting = 0; json && setting < EG_SETTING_COUNT; setting++)
		if (is_shown(cluster, setting))
			json_object_set_new(json, eg_setting_name(setting),
					    json_integer((json_int_t)eg_cluster_get(cluster, setting)));
	return json;
}

static json_t *clusters_json(const struct eg_subject *subject)
{
	json_t *json = json_object();

	for (size_t i = 0; json && i < EG_COUNT_OF(families); i++)
		json_object_set_new(json, eg_cluster_name(families[i]),
				    cluster_json(cluster_of(subject, families[i])));
	return json;
}

static json_t *destination_json(const struct answer *answer)
{
	char address[EG_ADDR_TEXT_MAX], protocol[12], prefix[EG_ADDR_TEXT_MAX];
	const struct eg_flow *flow = &answer->flow;
	json_t *json = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s}", "address",
				 eg_addr_format(flow->family, &flow->addr, address), "port", (int)flow->port,
				 "protocol", eg_protocol_name(flow->protocol, protocol), "family",
				 eg_family_name(flow->family), "verdict", eg_verdict_name(answer->decision.verdict),
				 "reason", eg_reason_name(answer->decision.reason));

	if (json && answer->rule)
		json_object_set_new(json, "rule",
				    json_pack("{s:s, s:i, s:o}", "prefix",
					      eg_prefix_format(&answer->rule->prefix, prefix), "port",
					      (int)answer->rule->port, "origin", origin_json(&answer->rule->origin)));
	return json;
}

static int print_answer_json(const struct answer *answer, const struct eg_diag *diag)
{
	const struct eg_subject *subject = answer->subject;
	const struct eg_proxy_template *template = eg_patches_template(&subject->patches);
	json_auto_t *json = json_pack("{s:s, s:s, s:s*, s:s, s:b, s:o, s:s?, s:o, s:o}", "workload", subject->name, "mesh",
				      subject->mesh, "cgroup", subject->cgroup, "mode", "enforce", "passthrough",
				      subject->passthrough, "passthrough_origin",
				      origin_json(&subject->passthrough_origin), "template",
				      template ? template->name : NULL, "clusters",
				      clusters_json(subject), "warnings", warnings_json(diag));

	if (json && answer->has_flow)
		json_object_set_new(json, "destination", destination_json(answer));
	if (!json || json_dumpf(json, stdout, JSON_INDENT(2)) < 0)
		return -ENOMEM;
	printf("\n");
	return 0;
}

/* ---- the command ---- */

static int load_rules(const struct explain_words *words, struct eg_cli_policy *policy, struct eg_ruleset **ret_rules)
{
	int r = eg_cli_policy_load(&words->policies, policy);

	if (r == 0)
		r = eg_cli_policy_check(policy, EG_SET_PART);
	if (r < 0)
		return r;
	if (!eg_cli_policy_is_usable(policy))
		return -EBADMSG;
	return eg_rules_resolve(policy->model, policy->resolvers, policy->resolver_count, ret_rules);
}

static int parse_words(int argc, char **argv, struct explain_words *words, struct answer *answer,
		       const char **ret_workload)
{
	int operands, r = eg_options_parse(argc, argv, &help, options, EG_COUNT_OF(options), words, &operands);

	if (r != 0)
		return r;
	if (operands == argc || argc - operands > 2)
		return eg_options_error(help.name, "a workload and at most one destination are wanted");
	if (words->policies.list.len == 0)
		return eg_options_error(help.name, "without --policy: not supported yet");
	*ret_workload = argv[operands];
	answer->has_flow = argc - operands == 2;
	return answer->has_flow ? parse_destination(argv[operands + 1], &answer->flow) : 0;
}

int eg_cmd_explain(int argc, char **argv)
{
	_cleanup_(clear_words) struct explain_words words = {};
	_cleanup_policy_ struct eg_cli_policy policy = {};
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	struct answer answer = {};
	const char *workload = NULL;
	int r = parse_words(argc, argv, &words, &answer, &workload);

	if (r != 0)
		return r == EG_OPTIONS_HELP ? EG_EXIT_OK : EG_EXIT_USAGE;
	r = load_rules(&words, &policy, &rules);
	if (r == -EBADMSG)
		return EG_EXIT_INVALID;
	answer.subject = r == 0 ? eg_ruleset_find(rules, workload) : NULL;
	if (!answer.subject) {
		eg_log_error("explain: %s%s", r < 0 ? strerror(-r) : "the policy has no Workload called ",
			     r < 0 ? "" : workload);
		return EG_EXIT_FAILED;
	}
	if (answer.has_flow)
		answer.decision = eg_eval(answer.subject, &answer.flow, &answer.rule);
	if (!words.json)
		print_answer(&answer);
	else if (print_answer_json(&answer, &policy.diag) < 0)
		return EG_EXIT_FAILED;
	return EG_EXIT_OK;
}
