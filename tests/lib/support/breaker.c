/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "../../bpf/support.h"

#include "breaker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "image.h"
#include "lease.h"
#include "network.h"

static void move(const char *procs)
{
	FILE *file = fopen(procs, "we");

	assert_non_null(file);
	assert_true(fputs("0", file) >= 0);
	assert_int_equal(fclose(file), 0);
}

void breaker_apply(struct breaker *breaker)
{
	image_apply(breaker->datapath, &breaker->subject);
}

void breaker_join(const struct breaker *breaker)
{
	char procs[4096];

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", breaker->cgroup.path);
	move(procs);
}

void breaker_leave(const struct breaker *breaker)
{
	move(breaker->home);
}

void breaker_make(struct breaker *breaker)
{
	breaker_make_small(breaker, 1 << 14);
}

void breaker_make_small(struct breaker *breaker, uint32_t leases)
{
	_cleanup_free_ char *own = NULL;

	network_enter();
	*breaker = (struct breaker){.scope = {.id = 1, .name = "default"}};
	breaker->datapath = datapath_load_leases(BREAKER_SLOT + 1, 16, leases);
	breaker->subject = subject_of(BREAKER_SLOT, &breaker->scope);
	breaker->subject.passthrough = true;
	breaker_apply(breaker);
	breaker->cgroup = cgroup_make("breaker");
	assert_int_equal(eg_datapath_enrol(breaker->datapath, breaker->cgroup.fd, BREAKER_SLOT, &breaker->links), 0);
	assert_int_equal(eg_cgroup_own_path(&own), 0);
	assert_true(asprintf(&breaker->home, "%s/cgroup.procs", own) > 0);
	breaker->listener = network_listen(0, 4096, &breaker->port);
}

struct eg_slot breaker_slot(const struct breaker *breaker)
{
	struct eg_maps maps = eg_datapath_maps(breaker->datapath);
	struct eg_slot slot;

	assert_int_equal(eg_maps_read_slot(&maps, BREAKER_SLOT, &slot), 0);
	return slot;
}

uint64_t breaker_samples(const struct eg_histogram *histogram)
{
	uint64_t samples = 0;

	for (size_t i = 0; i < EG_HISTOGRAM_BUCKETS; i++)
		samples += histogram->buckets[i];
	return samples;
}

static void assert_conserved(const struct eg_cluster_counts *counts, const struct eg_cluster_state *state)
{
	assert_int_equal(counts->cx_total,
			 eg_held_connections(state->held) + eg_destroyed_local(counts) + eg_destroyed_remote(counts));
	assert_int_equal(counts->cx_total, breaker_samples(&counts->connect_ms) + eg_connects_failed(counts) +
						   eg_held_pending(state->held));
	assert_int_equal(breaker_samples(&counts->length_ms), eg_destroyed_local(counts) + eg_destroyed_remote(counts));
}

static uint64_t leases_of(const struct eg_cluster_state *state)
{
	return eg_held_connections(state->held) + state->draining + state->sessions;
}

/* What drains may end while it is looked at. */
#define LOOKS 100

/* Nothing is left over, and nobody is looked for in vain. */
static void assert_table(const struct breaker *breaker)
{
	struct lease_table table = {};
	uint64_t held = 0;

	for (int i = 0; i < LOOKS; i++) {
		struct eg_slot slot = breaker_slot(breaker);

		held = leases_of(&slot.state.ipv4) + leases_of(&slot.state.ipv6);
		table = lease_table_read(eg_datapath_map_fd(breaker->datapath, "eg_leases"));
		if (table.taken == held && table.displaced == table.noted)
			break;
	}
	assert_int_equal(table.taken, held);
	assert_int_equal(table.displaced, table.noted);
}

void breaker_end(struct breaker *breaker)
{
	struct eg_slot slot;

	assert_table(breaker);
	slot = breaker_slot(breaker);
	assert_conserved(&slot.counts.ipv4.cluster, &slot.state.ipv4);
	assert_conserved(&slot.counts.ipv6.cluster, &slot.state.ipv6);
	breaker_leave(breaker);
	close(breaker->listener);
	eg_links_free(breaker->links);
	cgroup_end(&breaker->cgroup);
	eg_datapath_free(breaker->datapath);
	free(breaker->home);
}

uint64_t breaker_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
