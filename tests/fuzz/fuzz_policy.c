/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Any bytes as a policy file: findings, or a model whose image decides as its rules do. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../lib/support/fuzz.h"
#include "../lib/support/generate.h"
#include "base/cleanup.h"
#include "config/config.h"
#include "policy/check.h"

/* The interpreter of images looks at every entry for every flow. */
#define SUBJECTS_MAX (GENERATE_SLOTS_MAX - 1)
#define FLOWS 8

static void compare(const struct eg_model *model, size_t seed)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	struct generator generator = generator_new(seed);

	fuzz_check(eg_rules_resolve(model, NULL, 0, &rules) == 0);
	fuzz_compare(rules, &generator, FLOWS);
}

static void check_file(const char *path, size_t seed)
{
	_cleanup_(eg_model_freep) struct eg_model *model = eg_model_new();
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	_cleanup_fclose_ FILE *out = fopen("/dev/null", "w");

	fuzz_check(model && out);
	fuzz_check(eg_config_load_for_kuma3(&path, 1, model, &diag) == 0);
	/* A file without an error must have had something in it. */
	fuzz_check(eg_diag_has_errors(&diag) || model->documents > 0);
	fuzz_check(eg_policy_check(model, EG_SET_WHOLE, &diag) == 0);
	eg_diag_print(&diag, out);
	if (!eg_diag_has_errors(&diag) && model->workloads.len <= SUBJECTS_MAX)
		compare(model, seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_close_ int fd = memfd_create("policy", MFD_CLOEXEC);
	char path[32];

	fuzz_check(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	check_file(path, len);
	return 0;
}
