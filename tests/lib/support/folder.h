/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_FOLDER_H
#define EG_TESTS_FOLDER_H

/* A folder of the test's own. */

/* Long enough for folder_make(). */
#define FOLDER_LEN 32

/* A new one below /tmp, which must succeed. */
void folder_make(char ret_path[FOLDER_LEN]);
/* With all that is in it. */
void folder_remove(const char *path);

#endif
