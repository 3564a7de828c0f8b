/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"

/* As the kernel has it. */
#define LINKS_MAX 40

/* A path is followed name by name, as the kernel would. */
struct walk {
	const struct eg_trust *trust;
	char at[PATH_MAX];	/* so far, without links; "" is the root */
	char rest[PATH_MAX];	/* still to go */
	unsigned int links;
};

/* ---- one file or folder ---- */

static bool is_trusted(const struct eg_trust *trust, uid_t user)
{
	for (size_t i = 0; i < trust->user_count; i++)
		if (trust->users[i] == user)
			return true;
	return user == 0 || user == geteuid();
}

/* Below another read-only mount, that of a service for instance, the node's own folder may be written elsewhere. */
static bool is_read_only_mount(const char *path)
{
	struct statx stx;
	struct statvfs fs;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, 0, &stx) == 0 &&
	       (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) && statvfs(path, &fs) == 0 && (fs.f_flag & ST_RDONLY);
}

/* What others may add to a folder is theirs, and is judged by that. */
static bool others_may_write(const char *path, const struct stat *st)
{
	if (S_ISLNK(st->st_mode) || (st->st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return false;
	return !S_ISDIR(st->st_mode) || (!(st->st_mode & S_ISVTX) && !is_read_only_mount(path));
}

/* What is theirs would be judged when it is there, and may come between that and the reading. */
static bool others_may_add(const char *path, const struct stat *st)
{
	return (st->st_mode & (S_IWGRP | S_IWOTH)) != 0 && !is_read_only_mount(path);
}

__attribute__((format(printf, 2, 3))) static int refuse(char **ret_problem, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(ret_problem, format, args) < 0)
		*ret_problem = NULL;
	va_end(args);
	return *ret_problem ? -EACCES : -ENOMEM;
}

static int judge(const struct eg_trust *trust, const char *path, const struct stat *st, char **ret_problem)
{
	if (!is_trusted(trust, st->st_uid))
		return refuse(ret_problem,
			      "%s belongs to user %u, who may change it: chown root %s, or trust that user (--trust %u)",
			      path, st->st_uid, path, st->st_uid);
	if (others_may_write(path, st))
		return refuse(ret_problem,
			      "%s may be written by others (mode %04o): chmod go-w %s, or trust everybody (--trust any)",
			      path, st->st_mode & 07777, path);
	return 0;
}

/* ---- the way there ---- */

/* The next name goes from `rest` to `name`. false: there is none. */
static bool take_name(struct walk *walk, char name[NAME_MAX + 1])
{
	size_t before = strspn(walk->rest, "/"), len = strcspn(walk->rest + before, "/");

	if (len == 0 || len > NAME_MAX)
		return false;
	memcpy(name, walk->rest + before, len);
	name[len] = '\0';
	memmove(walk->rest, walk->rest + before + len, strlen(walk->rest + before + len) + 1);
	return true;
}

/* What a link says takes the place of its name. */
static int follow(struct walk *walk, const char *link)
{
	char target[PATH_MAX];
	ssize_t len = readlink(link, target, sizeof(target) - 1);

	if (len < 0)
		return -errno;
	target[len] = '\0';
	if (++walk->links > LINKS_MAX)
		return -ELOOP;
	if ((size_t)len + 1 + strlen(walk->rest) >= sizeof(walk->rest))
		return -ENAMETOOLONG;
	memmove(walk->rest + len + 1, walk->rest, strlen(walk->rest) + 1);
	memcpy(walk->rest, target, (size_t)len);
	walk->rest[len] = '/';
	if (target[0] == '/')
		walk->at[0] = '\0';
	return 0;
}

static int enter(struct walk *walk, const char *name, char **ret_problem)
{
	char next[sizeof(walk->at) + NAME_MAX + 2];
	struct stat st;
	int len, r;

	if (strcmp(name, ".") == 0)
		return 0;
	/* There are no links in what lies behind. */
	if (strcmp(name, "..") == 0) {
		*(strrchr(walk->at, '/') ?: walk->at) = '\0';
		return 0;
	}
	len = snprintf(next, sizeof(next), "%s/%s", walk->at, name);
	if ((size_t)len >= sizeof(walk->at))
		return -ENAMETOOLONG;
	if (lstat(next, &st) < 0)
		return -errno;
	r = judge(walk->trust, next, &st, ret_problem);
	if (r < 0)
		return r;
	if (S_ISLNK(st.st_mode))
		return follow(walk, next);
	memcpy(walk->at, next, (size_t)len + 1);
	return 0;
}

/* From the root, also to what a path is relative to. */
static int begin(struct walk *walk, const char *path)
{
	_cleanup_free_ char *here = path[0] == '/' ? strdup("") : getcwd(NULL, 0);
	int len;

	if (!here)
		return -errno;
	len = snprintf(walk->rest, sizeof(walk->rest), "%s/%s", here, path);
	return len < 0 || (size_t)len >= sizeof(walk->rest) ? -ENAMETOOLONG : 0;
}

/* To the end of a path, which is where `at` then is. */
static int go(struct walk *walk, const char *path, char **ret_problem)
{
	char name[NAME_MAX + 1];
	struct stat st;
	int r = begin(walk, path);

	if (r == 0 && lstat("/", &st) < 0)
		r = -errno;
	if (r == 0)
		r = judge(walk->trust, "/", &st, ret_problem);
	while (r == 0 && take_name(walk, name))
		r = enter(walk, name, ret_problem);
	return r;
}

int eg_trust_check(const struct eg_trust *trust, const char *path, char **ret_problem)
{
	struct walk walk = {.trust = trust};

	*ret_problem = NULL;
	return trust->is_blind ? 0 : go(&walk, path, ret_problem);
}

int eg_trust_check_folder(const struct eg_trust *trust, const char *path, char **ret_problem)
{
	struct walk walk = {.trust = trust};
	const char *folder;
	struct stat st;
	int r;

	*ret_problem = NULL;
	if (trust->is_blind)
		return 0;
	r = go(&walk, path, ret_problem);
	if (r < 0)
		return r;
	folder = walk.at[0] ? walk.at : "/";
	if (lstat(folder, &st) < 0)
		return -errno;
	if (others_may_add(folder, &st))
		return refuse(ret_problem,
			      "%s may be written by others (mode %04o), who could add a policy: keep policies in a folder of "
			      "their own, or trust everybody (--trust any)",
			      folder, st.st_mode & 07777);
	return 0;
}
