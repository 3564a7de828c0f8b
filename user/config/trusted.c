/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/trusted.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "config/files.h"

/* What cannot be judged is not read, whatever may be there a moment later. */
static int refuse(struct eg_diag *diag, const char *path, int error, const char *problem)
{
	const struct eg_origin origin = {.file = path};

	if (eg_file_is_shortage(error))
		return error;
	if (problem)
		eg_diag_add(diag, EG_SEVERITY_ERROR, origin, NULL, "not read: %s", problem);
	else
		eg_diag_add(diag, EG_SEVERITY_ERROR, origin, NULL, "%s", eg_file_explain(error));
	return 0;
}

static int check_path(const struct eg_trust *trust, const char *path, struct eg_diag *diag)
{
	_cleanup_free_ char *problem = NULL;
	int r = eg_trust_check(trust, path, &problem);

	return r < 0 ? refuse(diag, path, r, problem) : 0;
}

static int check_folder(const struct eg_trust *trust, const char *folder, struct eg_diag *diag)
{
	_cleanup_(eg_policy_files_clear) struct eg_policy_files files = {};
	_cleanup_free_ char *problem = NULL;
	int r = eg_trust_check_folder(trust, folder, &problem);

	if (r == 0)
		r = eg_policy_files_list(folder, &files);
	if (r < 0)
		return refuse(diag, folder, r, problem);
	for (size_t i = 0; i < files.paths.len && r == 0; i++)
		r = check_path(trust, files.paths.items[i], diag);
	return r;
}

int eg_policy_check_trust(const struct eg_trust *trust, const char *const *paths, size_t path_count,
			  struct eg_diag *diag)
{
	int r = 0;

	for (size_t i = 0; i < path_count && r == 0; i++) {
		if (eg_policy_path_is_folder(paths[i]))
			r = check_folder(trust, paths[i], diag);
		else
			r = check_path(trust, paths[i], diag);
	}
	return r;
}
