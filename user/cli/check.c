/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/findings.h"
#include "cli/options.h"
#include "config/config.h"
#include "policy/check.h"

static const struct eg_command_help help = {
	.name = "check",
	.usage = "[--json] [--kuma 3] PATH...",
	.text = "Reads policy files and folders as the daemon would, all together as one policy, and\n"
		"prints every mistake as file:line:column: error|warning|note: path: what.\n"
		"Exit status: 0 no errors (there may be warnings), 1 failed, 2 usage, 3 errors.",
};

struct check_words {
	bool json;
	bool for_kuma3;
};

static int take_json(const char *value, void *context)
{
	(void)value;
	((struct check_words *)context)->json = true;
	return 0;
}

static int take_kuma(const char *value, void *context)
{
	if (strcmp(value, "3") != 0)
		return eg_options_error(help.name, "--kuma takes 3 alone: what older releases do is what is checked");
	((struct check_words *)context)->for_kuma3 = true;
	return 0;
}

static const struct eg_option options[] = {
	{"json", NULL, "findings as JSON: {\"errors\": N, \"warnings\": N, \"findings\": [...]}", take_json},
	{"kuma", "3", "warn also of what Kuma 3 does differently, and what to write", take_kuma},
};

static json_t *finding_to_json(const struct eg_finding *finding)
{
	return json_pack("{s:s*, s:I, s:I, s:s, s:s, s:s}", "file", finding->origin.file, "line",
			 (json_int_t)finding->origin.line, "column", (json_int_t)finding->origin.column, "severity",
			 eg_severity_name(finding->severity), "path", finding->path, "message", finding->text);
}

static json_t *findings_to_json(const struct eg_diag *diag)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < diag->findings.len; i++) {
		if (json_array_append_new(list, finding_to_json(&diag->findings.items[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static int print_json(struct eg_diag *diag)
{
	json_auto_t *root = NULL;

	eg_diag_sort(diag);
	root = json_pack("{s:I, s:I, s:o}", "errors", (json_int_t)diag->errors, "warnings", (json_int_t)diag->warnings,
			 "findings", findings_to_json(diag));
	if (!root)
		return -ENOMEM;
	if (json_dumpf(root, stdout, JSON_INDENT(2)) < 0)
		return -EIO;
	return putchar('\n') == EOF ? -EIO : 0;
}

static void print_summary(const struct eg_model *model, const struct eg_diag *diag)
{
	fprintf(stderr, "egressctl check: %zu document%s, %zu error%s, %zu warning%s\n", model->documents,
		model->documents == 1 ? "" : "s", diag->errors, diag->errors == 1 ? "" : "s", diag->warnings,
		diag->warnings == 1 ? "" : "s");
}

static int load(const struct check_words *words, const char *const *paths, size_t count, struct eg_model *model,
		struct eg_diag *diag)
{
	int r = words->for_kuma3 ? eg_config_load_for_kuma3(paths, count, model, diag)
				 : eg_config_load(paths, count, model, diag);

	return r < 0 ? r : eg_policy_check(model, EG_SET_PART, diag);
}

static int run_check(const struct check_words *words, const char *const *paths, size_t count, struct eg_diag *diag)
{
	_cleanup_(eg_model_freep) struct eg_model *model = eg_model_new();
	int r;

	if (!model)
		return -ENOMEM;
	r = load(words, paths, count, model, diag);
	if (r < 0)
		return r;
	if (words->json)
		r = print_json(diag);
	else
		eg_findings_print(diag, stdout);
	if (r == 0 && (fflush(stdout) == EOF || ferror(stdout)))
		r = -EIO;
	print_summary(model, diag);
	return r;
}

int eg_cmd_check(int argc, char **argv)
{
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	struct check_words words = {};
	int operands, r;

	r = eg_options_parse(argc, argv, &help, options, EG_COUNT_OF(options), &words, &operands);
	if (r == EG_OPTIONS_HELP)
		return EG_EXIT_OK;
	if (r < 0)
		return EG_EXIT_USAGE;
	if (operands == argc) {
		eg_options_error(help.name, "name at least one file or folder");
		return EG_EXIT_USAGE;
	}
	r = run_check(&words, (const char *const *)argv + operands, (size_t)(argc - operands), &diag);
	if (r < 0) {
		eg_log_error("check: %s", strerror(-r));
		return EG_EXIT_FAILED;
	}
	return eg_diag_has_errors(&diag) ? EG_EXIT_INVALID : EG_EXIT_OK;
}
