/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "config/config.h"
#include "policy/cluster.h"
#include "policy/patch.h"
#include "policy.h"

/* p.yaml in a folder of its own, so that messages have a short and fixed name. */
static void load_text(const char *bytes, size_t len, struct policy *policy)
{
	static const char *const paths[] = {"p.yaml"};
	char folder[] = "/tmp/egress-test.XXXXXX", before[PATH_MAX];

	assert_non_null(getcwd(before, sizeof(before)));
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(eg_file_replace(paths[0], bytes, len), 0);
	assert_int_equal(eg_config_load(paths, 1, policy->model, &policy->diag), 0);
	assert_int_equal(unlink(paths[0]), 0);
	assert_int_equal(chdir(before), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void print_findings(struct policy *policy)
{
	size_t len;
	FILE *out = open_memstream(&policy->findings, &len);

	assert_non_null(out);
	eg_diag_print(&policy->diag, out);
	assert_int_equal(fclose(out), 0);
}

static struct policy *read_text(const char *bytes, size_t len, enum eg_completeness completeness)
{
	struct policy *policy = calloc(1, sizeof(*policy));

	assert_non_null(policy);
	policy->model = eg_model_new();
	assert_non_null(policy->model);
	load_text(bytes, len, policy);
	assert_int_equal(eg_policy_check(policy->model, completeness, &policy->diag), 0);
	print_findings(policy);
	return policy;
}

struct policy *policy_read_bytes(const char *bytes, size_t len)
{
	return read_text(bytes, len, EG_SET_PART);
}

struct policy *policy_read(const char *text)
{
	return read_text(text, strlen(text), EG_SET_PART);
}

struct policy *policy_read_as(const char *text, enum eg_completeness completeness)
{
	return read_text(text, strlen(text), completeness);
}

void policy_free(struct policy *policy)
{
	eg_diag_clear(&policy->diag);
	eg_model_free(policy->model);
	free(policy->findings);
	free(policy);
}

bool policy_patches(const struct policy *policy, enum eg_families family, enum eg_setting setting, uint64_t *ret_value)
{
	const struct eg_proxy_template *template = policy->model->templates.items[0];
	const struct eg_patches alone = {.templates = {.items = &template, .len = 1}};
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	struct eg_patched_cluster cluster;

	assert_int_equal(eg_patches_apply(&alone, family, &diag, &cluster), 0);
	*ret_value = eg_cluster_get(&cluster.policy, setting);
	return cluster.origins[setting].file;
}

struct case_of case_new(const char *text, const struct eg_rules_source *source)
{
	struct case_of result = {.policy = policy_read(text)};
	const struct eg_model *model = result.policy->model;

	if (eg_diag_has_errors(&result.policy->diag))
		fail_msg("%s", result.policy->findings);
	if (source)
		assert_int_equal(eg_rules_resolve_sources(model, source, 1, NULL, 0, &result.rules), 0);
	else
		assert_int_equal(eg_rules_resolve(model, NULL, 0, &result.rules), 0);
	result.subject = result.rules->subjects.items[0];
	return result;
}

void case_free(struct case_of *of)
{
	eg_ruleset_free(of->rules);
	policy_free(of->policy);
}

void assert_findings(const char *text, const char *expected)
{
	struct policy *policy = policy_read(text);

	assert_string_equal(policy->findings, expected);
	policy_free(policy);
}

void assert_refused(const char *text, const char *part)
{
	struct policy *policy = policy_read(text);

	if (!eg_diag_has_errors(&policy->diag) || !strstr(policy->findings, part))
		fail_msg("expected to be refused with \"%s\", for:\n%s\nfound:\n%s", part, text, policy->findings);
	policy_free(policy);
}

void assert_accepted(const char *text)
{
	struct policy *policy = policy_read(text);

	if (eg_diag_has_errors(&policy->diag))
		fail_msg("expected to be accepted:\n%s\nfound:\n%s", text, policy->findings);
	policy_free(policy);
}
