/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CONFIG_WATCH_H
#define EG_CONFIG_WATCH_H

/* Word of completed changes of policy files. */
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct eg_policy_watch;

/*
 * For files (through their folders, since editors and Kubernetes replace them; also
 * a symbolic link's ..data swap) and folders: close-after-write, moves, deletions.
 * What a link to a file elsewhere leads to is not watched. The paths must outlive
 * it. Nothing is watched before eg_policy_watch_follow(). 0, or -errno: -EMFILE when
 * fs.inotify.max_user_instances is used up.
 */
int eg_policy_watch_new(const char *const *paths, size_t path_count, struct eg_policy_watch **ret_watch);
struct eg_policy_watch *eg_policy_watch_free(struct eg_policy_watch *watch);
EG_DEFINE_CLEANUP(struct eg_policy_watch *, eg_policy_watch_free)
int eg_policy_watch_fd(const struct eg_policy_watch *watch);
/*
 * Watches whatever is at the paths now. A path need not be there yet, the folder
 * that it stands in must. 0, or -errno with what could be watched watched; it may be
 * called again: -ENOENT without such a folder, -ENOSPC when
 * fs.inotify.max_user_watches is used up.
 */
int eg_policy_watch_follow(struct eg_policy_watch *watch);
/*
 * Takes the events off. 1 when a policy file may have changed, 0 when not. -errno as
 * above: something may have changed too. -EOVERFLOW: events were lost, and all is
 * watched as before.
 */
int eg_policy_watch_drain(struct eg_policy_watch *watch);

/*
 * What the paths hold now, in one number: equal numbers of two calls mean that
 * nobody was writing between them. Unreadable files count with their errno.
 * 0, or -errno.
 */
int eg_policy_fingerprint(const char *const *paths, size_t path_count, uint64_t *ret_fingerprint);

#endif
