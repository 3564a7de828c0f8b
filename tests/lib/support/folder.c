/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "folder.h"

#include "../../bpf/support.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void folder_make(char ret_path[FOLDER_LEN])
{
	strcpy(ret_path, "/tmp/egress-test.XXXXXX");
	assert_non_null(mkdtemp(ret_path));
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void folder_remove(const char *path)
{
	assert_int_equal(nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}
