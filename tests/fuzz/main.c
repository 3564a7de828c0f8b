/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Gives a fuzz target each file that is named, to look at an input again: exit status 0 when nothing is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/support/fuzz.h"
#include "base/cleanup.h"
#include "base/file.h"

#define INPUT_BYTES_MAX (64u << 20)

static int run_file(const char *path)
{
	_cleanup_free_ char *bytes = NULL;
	size_t len;
	int r = eg_file_read(path, INPUT_BYTES_MAX, &bytes, &len);

	if (r < 0) {
		fprintf(stderr, "%s: %s\n", path, eg_file_explain(r));
		return EXIT_FAILURE;
	}
	return LLVMFuzzerTestOneInput((const uint8_t *)bytes, len);
}

int main(int argc, char **argv)
{
	int status = argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;

	for (int i = 1; i < argc; i++)
		if (run_file(argv[i]) != EXIT_SUCCESS)
			status = EXIT_FAILURE;
	return status;
}
