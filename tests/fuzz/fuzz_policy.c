/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Any bytes as a policy file: findings or a model, never a crash.
 *
 *   clang -std=gnu11 -D_GNU_SOURCE -DEG_LIBFUZZER -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude -Iuser \
 *	tests/fuzz/fuzz_policy.c user/{base,config,policy}/?*.c -lyaml -o fuzz_policy
 *
 * Built without EG_LIBFUZZER it reads the files that it is given, to look at one again.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "config/config.h"
#include "policy/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* The fuzzer's own mistakes must not look like a finding of it. */
static void require(int holds, const char *what)
{
	if (!holds) {
		perror(what);
		exit(1);
	}
}

static void check_file(const char *path)
{
	_cleanup_(eg_model_freep) struct eg_model *model = eg_model_new();
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	_cleanup_fclose_ FILE *out = fopen("/dev/null", "w");

	require(model && out, "setting up");
	if (eg_config_load(&path, 1, model, &diag) < 0)
		return;
	/* A file without an error must have had something in it. */
	if (!eg_diag_has_errors(&diag) && model->documents == 0)
		abort();
	eg_policy_check(model, EG_SET_WHOLE, &diag);
	eg_diag_print(&diag, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_close_ int fd = memfd_create("policy", MFD_CLOEXEC);
	char path[32];

	require(fd >= 0 && write(fd, bytes, len) == (ssize_t)len, "memfd");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	check_file(path);
	return 0;
}

#ifndef EG_LIBFUZZER
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		check_file(argv[i]);
	return 0;
}
#endif
