/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/trusted.h"

#include <errno.h>

#include "base/cleanup.h"
#include "config/files.h"

static int check_path(const struct eg_trust *trust, const char *path, struct eg_diag *diag)
{
	_cleanup_free_ char *problem = NULL;
	int r = eg_trust_check(trust, path, &problem);

	if (r == -EACCES && problem)
		eg_diag_add(diag, EG_SEVERITY_ERROR, (struct eg_origin){.file = path}, NULL, "not read: %s", problem);
	return r == -ENOMEM ? r : 0;
}

static int check_folder(const struct eg_trust *trust, const char *folder, struct eg_diag *diag)
{
	_cleanup_(eg_policy_files_clear) struct eg_policy_files files = {};
	int r = eg_policy_files_list(folder, &files);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; i < files.paths.len && r == 0; i++)
		r = check_path(trust, files.paths.items[i], diag);
	return r;
}

int eg_policy_check_trust(const struct eg_trust *trust, const char *const *paths, size_t path_count,
			  struct eg_diag *diag)
{
	int r = 0;

	for (size_t i = 0; i < path_count && r == 0; i++) {
		r = check_path(trust, paths[i], diag);
		/* Behind a folder that is not trusted all is as bad. */
		if (r == 0 && !eg_diag_has_errors(diag) && eg_policy_path_is_folder(paths[i]))
			r = check_folder(trust, paths[i], diag);
	}
	return r;
}
