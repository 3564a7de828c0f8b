/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* egressd: options -> run(). The daemon itself is not there yet: it refuses to look as if it were. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static const char help[] = "usage: egressd --policy PATH...\n"
			   "\n"
			   "The node daemon of egressd: keeps workloads under their policy. Not supported yet;\n"
			   "'egressctl run' puts a single command under a policy.\n";

int main(int argc, char **argv)
{
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(help, stdout);
		return EXIT_SUCCESS;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("egressd %s\n", EG_VERSION);
		return EXIT_SUCCESS;
	}
	eg_log_error("the daemon is not supported yet; use 'egressctl run' (see 'egressd --help')");
	return 2;
}
