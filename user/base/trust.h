/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_TRUST_H
#define EG_BASE_TRUST_H

/* Who could change what stands at a path. */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct eg_trust {
	const uid_t *users; /* beside root and this process's own user */
	size_t user_count;
	bool is_blind; /* anybody */
};

/*
 * Whether nobody but those users can change what is read at a path: it, each folder
 * on the way to it and each link that is followed is theirs, and nobody else may
 * write it. A folder that others may write but that is sticky, or is a mount of its own
 * and read-only here (Kubernetes mounts a ConfigMap so, with mode 0777), passes,
 * since what stands in it is looked at too. 0; -EACCES with what is wrong and the remedy
 * in *ret_problem (malloc); or -errno of a path that cannot be followed.
 */
int eg_trust_check(const struct eg_trust *trust, const char *path, char **ret_problem);
/*
 * The same for a folder of which all files are read: nobody else may add one either, so that
 * a sticky folder that others may write does not pass.
 */
int eg_trust_check_folder(const struct eg_trust *trust, const char *path, char **ret_problem);

#endif
