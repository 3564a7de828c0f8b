/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_LEASES_BPF_H
#define EG_LEASES_BPF_H

/*
 * The table of leases: which place of eg_leases holds the lease of a socket. Storage on
 * the socket itself would need no search, but costs two allocations, two charges and
 * two deferred frees a connection: five percent of a connect, more than all the rest.
 *
 * A socket's home is its cookie's place. Cookies count up, so that homes of sockets of
 * about the same age are all different, and a home is another socket's only when that
 * one is older by a multiple of the table's size. Whoever finds the home taken stands
 * at one of the next PROBES_MAX places of its own row instead, and the home counts it:
 * one look tells that a socket has no lease.
 *
 * A place with a cookie and no live word is on its way in or out. Only whoever brought
 * it there touches it; nobody finds it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "config.bpf.h"
#include "egress/lease.h"
#include "maps.bpf.h"

/* With nine places of ten taken one search in a thousand is in vain. */
#define PROBES_MAX 64
/* Odd, so that a row comes by every place; large, so that neighbours' rows do not go together. */
#define PROBE_STEP 40503u

static __always_inline struct eg_lease *lease_at(__u64 cookie, __u32 probe)
{
	__u32 place = ((__u32)cookie + probe * PROBE_STEP) & eg_lease_mask;

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

/* Which probe of its row finds the lease, 0: none does. */
__noinline __u32 eg_probe_lease(__u64 cookie)
{
	for (__u32 probe = 1; probe <= PROBES_MAX; probe++) {
		struct eg_lease *lease = lease_at(cookie, probe);

		if (lease && is_lease_of(lease, cookie))
			return probe;
	}
	return 0;
}

/* The lease of a socket, or NULL. */
static __always_inline struct eg_lease *find_lease(__u64 cookie)
{
	struct eg_lease *home = lease_at(cookie, 0);
	__u32 probe;

	if (!home || is_lease_of(home, cookie))
		return home;
	if (!*(volatile __u32 *)&home->displaced)
		return NULL;
	probe = eg_probe_lease(cookie);
	return probe ? lease_at(cookie, probe) : NULL;
}

static __always_inline bool take_place(struct eg_lease *place, __u64 cookie)
{
	return __sync_val_compare_and_swap(&place->cookie, 0, cookie) == 0;
}

/* Which probe of its row found a free place, now taken; 0: none did. */
__noinline __u32 eg_probe_place(__u64 cookie)
{
	for (__u32 probe = 1; probe <= PROBES_MAX; probe++) {
		struct eg_lease *place = lease_at(cookie, probe);

		if (place && read_cookie(place) == 0 && take_place(place, cookie))
			return probe;
	}
	return 0;
}

/* A place for the lease of a socket, whose word is not live yet; NULL: there is none. */
static __always_inline struct eg_lease *take_lease(__u64 cookie)
{
	struct eg_lease *home = lease_at(cookie, 0);
	__u32 probe;

	if (!home || take_place(home, cookie))
		return home;
	/* First, so that nobody looks for the lease in vain. */
	__sync_fetch_and_add(&home->displaced, 1);
	probe = eg_probe_place(cookie);
	if (probe)
		return lease_at(cookie, probe);
	__sync_fetch_and_add(&home->displaced, -1);
	return NULL;
}

/* By whoever took it or ended it: its word is not live. */
static __always_inline void free_lease(struct eg_lease *lease)
{
	__u64 cookie = lease->cookie;
	struct eg_lease *home = lease_at(cookie, 0);

	__sync_lock_test_and_set(&lease->cookie, 0);
	if (home && home != lease)
		__sync_fetch_and_add(&home->displaced, -1);
}

#endif
