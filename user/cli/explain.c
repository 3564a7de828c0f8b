/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/explain.h"
#include "cli/options.h"
#include "cli/policy.h"
#include "cli/running.h"
#include "export/names.h"
#include "policy/cluster.h"

struct explain_words {
	struct eg_paths policies;
	struct eg_arena arena; /* of paths that nobody wrote here */
	bool json;
	const char *from; /* NULL: nobody comes in */
	const char *workload;
};

static void clear_words(struct explain_words *words)
{
	eg_array_clear(&words->policies.list);
	eg_arena_clear(&words->arena);
}

static const struct eg_command_help help = {
	.name = "explain",
	.usage = "[--policy PATH]... [--json] [--from CLIENT[:PORT][/PROTOCOL]] WORKLOAD [DEST[:PORT][/PROTOCOL]]",
	.text = "Shows what holds for a workload, with the place where each value was written, and\n"
		"the verdict for a destination: 10.0.0.1:443, [fd00::1]:53/udp, 10.0.0.1. The\n"
		"protocol is tcp unless named; without a port, only rules for every port apply.\n"
		"With --from it is the verdict for a client that comes in to a port of the workload.\n"
		"Without --policy it reads the files that the running agent reads. With it, it needs\n"
		"no privileges, no daemon and no existing cgroup; where the policy has no Workload at\n"
		"all, WORKLOAD is a command as 'egressctl run' would start it.",
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

static int take_from(const char *value, void *context)
{
	((struct explain_words *)context)->from = value;
	return 0;
}

static const struct eg_option options[] = {
	{"policy", "PATH", "a policy file or folder; may be given several times", take_policy},
	{"json", NULL, "print JSON", take_json},
	{"from", "CLIENT[:PORT]", "whether this address may come in, to this port of the workload", take_from},
};

/* ---- DEST[:PORT][/PROTOCOL] ---- */

static int bad_destination(const char *text)
{
	return eg_options_error(help.name, "'%s' is no destination: ADDRESS, ADDRESS:PORT or [IPV6]:PORT, "
					   "with /udp or another protocol behind it", text);
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
	port = eg_addr_split_port(&address);
	if (eg_addr_parse(address, &flow.family, &flow.addr) < 0)
		return bad_destination(text);
	if (port && (eg_parse_u16(port, &flow.port) < 0 || flow.port == 0))
		return bad_destination(text);
	*ret_flow = flow;
	return 0;
}

/* ---- for both ways to print it ---- */

bool eg_explanation_shows(const struct eg_cluster_policy *cluster, enum eg_setting setting)
{
	return setting != EG_SETTING_MAX_DURATION || eg_cluster_get(cluster, setting) > 0;
}

const struct eg_origin *eg_explanation_cause(const struct eg_explanation *explanation)
{
	const enum eg_reason reason = explanation->decision.reason;

	if (explanation->rule)
		return &explanation->rule->origin;
	if (eg_reason_is_incoming(reason))
		return &explanation->subject->incoming.origin;
	if (reason == EG_REASON_PASSTHROUGH || reason == EG_REASON_BLOCKED_PASSTHROUGH_OFF)
		return &explanation->subject->passthrough_origin;
	return NULL;
}

/* ---- the command ---- */

/* The Workload of a name, or of an instance's: NAME:PATH. */
static const struct eg_workload *find_workload(const struct eg_model *model, const char *name)
{
	_cleanup_free_ char *copy = strndup(name, strcspn(name, ":"));

	return copy ? eg_model_find_workload(model, copy) : NULL;
}

/* Without any Workload in the policy the name is a command's, and this is what `run` makes of it. */
static int resolve(struct eg_cli_policy *policy, const char *name, struct eg_ruleset **ret_rules)
{
	const struct eg_workload *workload = find_workload(policy->model, name);
	const struct eg_rules_source source = {
		.name = name,
		.workload = workload,
		.mesh = eg_cli_policy_mesh(policy, workload),
		.slot = 1,
	};
	int r = eg_cli_policy_resolve(policy, &source, ret_rules);

	if (!eg_cli_policy_is_usable(policy))
		return -EBADMSG;
	if (r == 0 && !workload && policy->model->workloads.len > 0)
		return -ESRCH;
	return r;
}

static const char *const redirect_names[] = {"to", "mesh", "dns", NULL};

const char *eg_explanation_redirect_name(size_t index)
{
	return redirect_names[index];
}

struct eg_place eg_explanation_redirect_place(const struct eg_subject *subject, size_t index, uint32_t family)
{
	const struct eg_redirect_policy *redirect = eg_subject_redirect(subject, family);

	return index == 0 ? redirect->to : index == 1 ? redirect->mesh : redirect->dns;
}

static int load_rules(const struct explain_words *words, struct eg_cli_policy *policy, struct eg_ruleset **ret_rules)
{
	int r = eg_cli_policy_load(&words->policies, policy);

	if (r == 0)
		r = eg_cli_policy_check(policy, EG_SET_PART);
	return r < 0 ? r : resolve(policy, words->workload, ret_rules);
}

static int parse_words(int argc, char **argv, struct explain_words *words, struct eg_explanation *explanation)
{
	int operands, r = eg_options_parse(argc, argv, &help, options, EG_COUNT_OF(options), words, &operands);

	if (r != 0)
		return r;
	if (operands == argc || argc - operands > 2)
		return eg_options_error(help.name, "a workload and at most one destination are wanted");
	words->workload = argv[operands];
	if (words->from && argc - operands == 2)
		return eg_options_error(help.name, "a client comes in or a destination is reached: remove --from or '%s'",
					argv[operands + 1]);
	explanation->is_incoming = words->from;
	if (words->from) {
		explanation->has_flow = true;
		return parse_destination(words->from, &explanation->flow);
	}
	explanation->has_flow = argc - operands == 2;
	return explanation->has_flow ? parse_destination(argv[operands + 1], &explanation->flow) : 0;
}

static int report_failure(int error, const char *workload)
{
	if (error == -EBADMSG)
		return EG_EXIT_INVALID;
	if (error == -ESRCH)
		eg_log_error("explain: the policy has no Workload called %s", workload);
	else
		eg_log_error("explain: %s", strerror(-error));
	return EG_EXIT_FAILED;
}

int eg_cmd_explain(int argc, char **argv)
{
	_cleanup_(clear_words) struct explain_words words = {};
	_cleanup_policy_ struct eg_cli_policy policy = {};
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	struct eg_explanation explanation = {.diag = &policy.diag};
	int r = parse_words(argc, argv, &words, &explanation);

	if (r != 0)
		return r == EG_OPTIONS_HELP ? EG_EXIT_OK : EG_EXIT_USAGE;
	if (words.policies.list.len == 0 && eg_running_policy(help.name, &words.arena, &words.policies) < 0)
		return EG_EXIT_FAILED;
	r = load_rules(&words, &policy, &rules);
	if (r < 0)
		return report_failure(r, words.workload);
	explanation.subject = rules->subjects.items[0];
	if (explanation.is_incoming)
		explanation.decision = eg_eval_incoming(explanation.subject, &explanation.flow, &explanation.rule);
	else if (explanation.has_flow)
		explanation.decision = eg_eval_connect(explanation.subject, &explanation.flow, &explanation.rule,
						       &explanation.place);
	if (!words.json)
		eg_explanation_print(&explanation);
	else if (eg_explanation_print_json(&explanation) < 0)
		return EG_EXIT_FAILED;
	return EG_EXIT_OK;
}
