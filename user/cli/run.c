/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/policy.h"
#include "datapath/datapath.h"
#include "policy/cluster.h"

/* What the command line said. */
struct run_words {
	struct eg_paths policies;
	EG_ARRAY(struct eg_prefix) meshes;
	struct eg_optional_bool passthrough;
	struct eg_settings settings;
	const char *report;
};

static void clear_words(struct run_words *words)
{
	eg_array_clear(&words->policies.list);
	eg_array_clear(&words->meshes);
}

/* ---- options ---- */

static const struct eg_command_help help = {
	.takes_command = true,
	.name = "run",
	.usage = "[OPTION]... -- COMMAND [ARG]...",
	.text = "Runs one command in a cgroup of its own under a policy, without a daemon.\n"
		"Flags beat --policy, and --policy beats the defaults. Exits with the command's\n"
		"status, 128+N after signal N, 125 when egressctl itself fails.",
};

static int take_policy(const char *value, void *context)
{
	struct run_words *words = context;

	return eg_array_push(&words->policies.list, value);
}

static int take_passthrough(const char *value, void *context)
{
	struct run_words *words = context;

	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return eg_options_error(help.name, "--passthrough is true or false, not '%s'", value);
	words->passthrough = (struct eg_optional_bool){
		.is_set = true,
		.value = strcmp(value, "true") == 0,
		.origin.file = "--passthrough",
	};
	return 0;
}

static int take_mesh(const char *value, void *context)
{
	struct run_words *words = context;
	struct eg_prefix prefix;

	if (eg_prefix_parse(value, &prefix) < 0)
		return eg_options_error(help.name, "--mesh wants an address or a prefix like 10.0.0.0/8, not '%s'",
					value);
	return eg_array_push(&words->meshes, prefix);
}

static void keep_setting(struct run_words *words, enum eg_setting setting, const char *flag, uint64_t value)
{
	words->settings.numbers[setting] = (struct eg_optional_number){
		.is_set = true,
		.value = value,
		.origin.file = flag,
	};
}

static int take_limit(struct run_words *words, enum eg_setting setting, const char *flag, const char *text)
{
	uint32_t value;

	if (eg_parse_u32(text, &value) < 0)
		return eg_options_error(help.name, "%s wants a whole number in the range [0, %u], not '%s'", flag,
					UINT32_MAX, text);
	keep_setting(words, setting, flag, value);
	return 0;
}

static int take_timeout(struct run_words *words, enum eg_setting setting, const char *flag, const char *text)
{
	const char *doubt;
	uint64_t ms;
	int64_t ns;

	if (eg_parse_duration(text, &ns) < 0)
		return eg_options_error(help.name, "%s wants a duration with its unit, as 500ms, 10s or 1h30m, not '%s'",
					flag, text);
	if (eg_setting_from_ns(setting, ns, &ms) < 0)
		return eg_options_error(help.name, "%s must %s, not '%s'", flag,
					ns < 0 ? "not be negative" : "be more than 0", text);
	doubt = eg_setting_doubt(setting, ns);
	if (doubt)
		eg_log_warning("run: %s %s %s", flag, text, doubt);
	keep_setting(words, setting, flag, ms);
	return 0;
}

static int take_max_connections(const char *value, void *context)
{
	return take_limit(context, EG_SETTING_MAX_CONNECTIONS, "--max-connections", value);
}

static int take_max_pending(const char *value, void *context)
{
	return take_limit(context, EG_SETTING_MAX_PENDING, "--max-pending-requests", value);
}

static int take_max_requests(const char *value, void *context)
{
	return take_limit(context, EG_SETTING_MAX_REQUESTS, "--max-requests", value);
}

static int take_max_retries(const char *value, void *context)
{
	return take_limit(context, EG_SETTING_MAX_RETRIES, "--max-retries", value);
}

static int take_connect_timeout(const char *value, void *context)
{
	return take_timeout(context, EG_SETTING_CONNECT_TIMEOUT, "--connect-timeout", value);
}

static int take_idle_timeout(const char *value, void *context)
{
	return take_timeout(context, EG_SETTING_IDLE_TIMEOUT, "--idle-timeout", value);
}

static int take_max_duration(const char *value, void *context)
{
	return take_timeout(context, EG_SETTING_MAX_DURATION, "--max-connection-duration", value);
}

static int take_report(const char *value, void *context)
{
	struct run_words *words = context;

	words->report = value;
	return 0;
}

static const struct eg_option options[] = {
	{"policy", "PATH", "a policy file or folder; may be given several times", take_policy},
	{"passthrough", "true|false", "whether non-mesh traffic may leave (default: true)", take_passthrough},
	{"mesh", "CIDR", "a mesh range, any port and protocol; may be given several times", take_mesh},
	{"max-connections", "N", "open non-mesh connections, of each family (default: 1024)", take_max_connections},
	{"max-pending-requests", "N", "those of them not established yet (default: 1024)", take_max_pending},
	{"max-requests", "N", "pending and established ones (default: no limit)", take_max_requests},
	{"max-retries", "N", "connects to a destination that has just failed (default: no limit)", take_max_retries},
	{"connect-timeout", "DUR", "how long a connect may take: 700ms, 1h30m (default: 10s)", take_connect_timeout},
	{"idle-timeout", "DUR", "end a connection this long after its last byte; 0: never (default: 1h)",
	 take_idle_timeout},
	{"max-connection-duration", "DUR", "end a connection at this age; 0: never (default: 0)", take_max_duration},
	{"report", "FILE", "write what was counted as JSON, once all is over", take_report},
};

/* ---- the policy of this run ---- */

/* --mesh is Node.meshCIDRs from the command line. */
static int add_mesh_ranges(struct eg_model *model, const struct run_words *words)
{
	int r = 0;

	if (words->meshes.len == 0)
		return 0;
	if (!model->node)
		model->node = eg_arena_alloc(&model->arena, sizeof(*model->node));
	if (!model->node)
		return -ENOMEM;
	for (size_t i = 0; i < words->meshes.len && r == 0; i++)
		r = eg_array_push(&model->node->mesh_cidrs,
				  {.prefix = words->meshes.items[i], .origin.file = "--mesh"});
	return r;
}

/*
 * Which of the documents is about the command: the Workload of its name, or the
 * only one. With several that are about others, nobody can know which was meant.
 */
static const struct eg_workload *choose_workload(const struct eg_model *model, const char *name, struct eg_diag *diag)
{
	const struct eg_workload *named = eg_model_find_workload(model, name);

	if (named || model->workloads.len == 0)
		return named;
	if (model->workloads.len > 1)
		eg_diag_add(diag, EG_SEVERITY_ERROR, model->workloads.items[0]->origin, NULL,
			    "the policy has %zu Workloads and none is called '%s': name one after the command, or leave one",
			    model->workloads.len, name);
	return model->workloads.items[0];
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* Resolves and compiles. 0, or an exit status once it has said what is wrong. */
static int build_policy(const struct run_words *words, const char *command, struct eg_cli_policy *policy,
			struct eg_ruleset **ret_rules, struct eg_image **ret_image)
{
	struct eg_rules_source source = {
		.name = base_name(command),
		.slot = 1,
		.passthrough = words->passthrough,
		.settings = words->settings,
	};
	struct eg_capacity capacity = eg_datapath_max_capacity();
	int r = eg_cli_policy_load(&words->policies, policy);

	if (r == 0)
		r = add_mesh_ranges(policy->model, words);
	if (r == 0)
		r = eg_cli_policy_check(policy, EG_SET_RUN);
	if (r == 0) {
		source.workload = choose_workload(policy->model, source.name, &policy->diag);
		source.mesh = eg_cli_policy_mesh(policy, source.workload);
	}
	if (r == 0)
		r = eg_cli_policy_resolve(policy, &source, ret_rules);
	if (r == 0 && !eg_diag_has_errors(&policy->diag))
		r = eg_image_compile(*ret_rules, &capacity, &policy->diag, ret_image);
	if (!eg_cli_policy_is_usable(policy))
		return EG_EXIT_INVALID;
	if (r < 0) {
		eg_log_error("run: cannot build the policy: %s", strerror(-r));
		return EG_RUN_FAILED;
	}
	return 0;
}

/* Said before the command starts, rather than after all its work. */
static int check_report(const char *path)
{
	int r = path ? eg_file_can_replace(path) : 0;

	if (r < 0)
		eg_log_error("run: cannot write the report '%s': %s; the command was not started", path, strerror(-r));
	return r;
}

int eg_cmd_run(int argc, char **argv)
{
	_cleanup_(clear_words) struct run_words words = {};
	_cleanup_policy_ struct eg_cli_policy policy = {};
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	int operands, r;

	r = eg_options_parse(argc, argv, &help, options, EG_COUNT_OF(options), &words, &operands);
	if (r == EG_OPTIONS_HELP)
		return EG_EXIT_OK;
	if (r < 0)
		return EG_EXIT_USAGE;
	if (operands == argc) {
		eg_options_error(help.name, "a command is missing");
		return EG_EXIT_USAGE;
	}
	r = build_policy(&words, argv[operands], &policy, &rules, &image);
	if (r != 0)
		return r;
	if (check_report(words.report) < 0)
		return EG_RUN_FAILED;
	return eg_run(&(struct eg_run){
		.subject = rules->subjects.items[0],
		.image = &image,
		.sweep_interval_ms = eg_model_sweep_interval_ms(policy.model),
		.report = words.report,
		.argv = argv + operands,
	});
}
