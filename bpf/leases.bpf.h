/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_LEASES_BPF_H
#define EG_LEASES_BPF_H

/*
 * The table of leases: which place of eg_leases holds the lease of a socket. Storage on
 * the socket itself would need no search, but costs two allocations, two charges and
 * two deferred frees a connection: five percent of a connect, more than all the rest.
 *
 * Each socket has a row of places: its home first, which is one of a few that stay in
 * the processor's cache while connections come and go, and then others all over the
 * table. Whoever finds the home taken stands at the next free place of its row, and the
 * home keeps how many do so and how far away: one look tells that a socket has no lease.
 *
 * A place with a cookie and no live word is on its way in or out. Only whoever brought
 * it there touches it; nobody finds it.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "config.bpf.h"
#include "egress/lease.h"
#include "maps.bpf.h"
#include "repeat.bpf.h"

/* 256 KiB of them. Cookies count up: sockets of about the same age have different homes. */
#define HOMES 4096u
/* With nine places of ten taken one search in a thousand is in vain. */
#define PROBES_MAX 64
/* Odd, so that a row comes by every place; large, so that neighbours' rows do not go together. */
#define PROBE_STEP 40503u

/* Probe 0 is the home. */
static __always_inline struct eg_lease *lease_at(__u64 cookie, __u32 probe)
{
	__u32 place = probe ? (__u32)cookie + probe * PROBE_STEP : (__u32)cookie & (HOMES - 1);

	place &= eg_lease_mask;
	return bpf_map_lookup_elem(&eg_leases, &place);
}

static __always_inline __u64 read_word(const struct eg_lease *lease)
{
	return *(const volatile __u64 *)&lease->word;
}

static __always_inline __u64 read_cookie(const struct eg_lease *lease)
{
	return *(const volatile __u64 *)&lease->cookie;
}

static __always_inline bool is_live(__u64 word)
{
	return eg_lease_state(word) != EG_LEASE_NONE;
}

static __always_inline bool is_lease_of(const struct eg_lease *lease, __u64 cookie)
{
	return read_cookie(lease) == cookie && is_live(read_word(lease));
}

/* A walk along the row of a cookie. */
struct row_walk {
	__u64 cookie;
	__u32 found; /* the probe that was looked for, or 0 */
};

static long probe_lease(__u32 number, void *shared)
{
	struct row_walk *walk = shared;
	struct eg_lease *lease = lease_at(walk->cookie, number + 1);

	if (!lease || !is_lease_of(lease, walk->cookie))
		return ROUND_AGAIN;
	walk->found = number + 1;
	return ROUND_LAST;
}

/* Which probe of its row finds the lease, 0: none does. */
__noinline __u32 eg_probe_lease(__u64 cookie, __u32 reach)
{
	struct row_walk walk = {.cookie = cookie};

	bpf_loop(reach < PROBES_MAX ? reach : PROBES_MAX, probe_lease, &walk, 0);
	return walk.found;
}

static __always_inline __u64 read_row(const struct eg_lease *home)
{
	return *(const volatile __u64 *)&home->row;
}

/* The lease of a socket, or NULL. */
static __always_inline struct eg_lease *find_lease(__u64 cookie)
{
	struct eg_lease *home = lease_at(cookie, 0);
	__u32 probe;
	__u64 row;

	if (!home || is_lease_of(home, cookie))
		return home;
	row = read_row(home);
	if (!eg_row_displaced(row))
		return NULL;
	probe = eg_probe_lease(cookie, eg_row_reach(row));
	return probe ? lease_at(cookie, probe) : NULL;
}

static __always_inline bool take_place(struct eg_lease *place, __u64 cookie)
{
	return __sync_val_compare_and_swap(&place->cookie, 0, cookie) == 0;
}

static long probe_place(__u32 number, void *shared)
{
	struct row_walk *walk = shared;
	struct eg_lease *place = lease_at(walk->cookie, number + 1);

	if (!place || read_cookie(place) != 0 || !take_place(place, walk->cookie))
		return ROUND_AGAIN;
	walk->found = number + 1;
	return ROUND_LAST;
}

/* Which probe of its row found a free place, now taken; 0: none did. */
__noinline __u32 eg_probe_place(__u64 cookie)
{
	struct row_walk walk = {.cookie = cookie};

	bpf_loop(PROBES_MAX, probe_place, &walk, 0);
	return walk.found;
}

/* What a home keeps of its row, to be changed. */
struct row_change {
	struct eg_lease *home;
	__u32 probe;
	bool changed;
};

static long add_displaced(__u32 number, void *shared)
{
	struct row_change *change = shared;
	__u64 row = read_row(change->home);
	__u32 reach = eg_row_reach(row), probe = change->probe;
	__u64 next = eg_row(eg_row_displaced(row) + 1, reach > probe ? reach : probe);

	(void)number;
	change->changed = __sync_val_compare_and_swap(&change->home->row, row, next) == row;
	return change->changed ? ROUND_LAST : ROUND_AGAIN;
}

/* One more that stands as far away as this; false when others were always faster. */
__noinline int eg_note_displaced(struct eg_lease *home, __u32 probe)
{
	struct row_change change = {.home = home, .probe = probe};

	if (home)
		attempt(add_displaced, &change);
	return change.changed;
}

static long remove_displaced(__u32 number, void *shared)
{
	struct row_change *change = shared;
	__u64 row = read_row(change->home), next = 0;
	__u32 displaced = eg_row_displaced(row);

	(void)number;
	if (!displaced)
		return ROUND_LAST;
	if (displaced > 1)
		next = eg_row(displaced - 1, eg_row_reach(row));
	return __sync_val_compare_and_swap(&change->home->row, row, next) == row ? ROUND_LAST : ROUND_AGAIN;
}

/* One less. After the last nobody stands anywhere; a count that stays too high costs a search. */
__noinline int eg_forget_displaced(struct eg_lease *home)
{
	struct row_change change = {.home = home};

	if (home)
		attempt(remove_displaced, &change);
	return 0;
}

/* A place for the lease of a socket, whose word is not live yet; NULL: there is none. */
static __always_inline struct eg_lease *take_lease(__u64 cookie)
{
	struct eg_lease *home = lease_at(cookie, 0), *place;
	__u32 probe;

	if (!home || take_place(home, cookie))
		return home;
	probe = eg_probe_place(cookie);
	place = probe ? lease_at(cookie, probe) : NULL;
	/* Before its word is live, so that nobody looks for it in vain. */
	if (!place || eg_note_displaced(home, probe))
		return place;
	__sync_lock_test_and_set(&place->cookie, 0);
	return NULL;
}

/* By whoever took it or ended it: its word is not live. */
static __always_inline void free_lease(struct eg_lease *lease)
{
	__u64 cookie = lease->cookie;
	struct eg_lease *home = lease_at(cookie, 0);

	__sync_lock_test_and_set(&lease->cookie, 0);
	if (home && home != lease)
		eg_forget_displaced(home);
}

#endif
