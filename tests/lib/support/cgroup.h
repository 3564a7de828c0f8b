/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_CGROUP_H
#define EG_TESTS_CGROUP_H

/*
 * A cgroup of the test's own, and processes in it. Whatever fails fails the test;
 * without root it is skipped.
 *
 *   struct eg_cgroup cgroup = cgroup_make("pins");
 *   assert_int_equal(cgroup_run(&cgroup, work, argument), 0);
 *   cgroup_end(&cgroup);
 */
#include <sys/types.h>

#include "workload/cgroup.h"

/* Below the caller's cgroup; `what` becomes part of its name. */
struct eg_cgroup cgroup_make(const char *what);
/* Below that directory; NULL is the caller's cgroup. */
struct eg_cgroup cgroup_make_below(const char *parent, const char *what);
/* It must be empty of processes. */
void cgroup_end(struct eg_cgroup *cgroup);

/* The return value of work() in a process of the cgroup, 0..255. */
int cgroup_run(const struct eg_cgroup *cgroup, int (*work)(void *argument), void *argument);
/* The same without waiting for its end. It is in the cgroup when this returns, and ends with the test, should that fail. */
pid_t cgroup_start(const struct eg_cgroup *cgroup, int (*work)(void *argument), void *argument);
/* For one that was started: waits, and gives what its work() returned. */
int cgroup_join(pid_t pid);
/* For one that was started and ends by itself only when something is wrong. */
void cgroup_kill(pid_t pid);

#endif
