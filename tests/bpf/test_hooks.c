/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The programs on a real cgroup and real sockets: what they answer, count, list
 * and report. All destinations are of the documentation ranges and are either
 * blocked or only given to connect() of UDP sockets, which sends nothing.
 */
#include "support.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "../lib/support/cgroup.h"
#include "../lib/support/image.h"
#include "../lib/support/slow.h"
#include "../lib/support/socket.h"
#include "ager.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "datapath/datapath.h"

#define SLOT 1u

/* One cgroup with programs. */
struct world {
	struct eg_datapath *datapath;
	struct eg_cgroup cgroup;
	struct eg_links *links;
};

struct world_options {
	uint32_t slot;
	uint32_t quota;
	uint32_t event_rate;
	const struct eg_subject *subject; /* NULL: no policy at all */
	const char *parent;		  /* path of the cgroup above; NULL: the caller's */
};

static const struct eg_scope empty_scope = {.id = 1, .name = "default"};
static const struct eg_subject closed = {
	.name = "closed",
	.mesh = "default",
	.slot = SLOT,
	.block_errno = EACCES,
	.breaker_errno = ECONNREFUSED,
	.ipv4 = EG_DEFAULT_CLUSTER,
	.ipv6 = EG_DEFAULT_CLUSTER,
	.mesh_scope = &empty_scope,
};
static const struct eg_subject open_subject = {
	.name = "open",
	.mesh = "default",
	.slot = SLOT,
	.passthrough = true,
	.block_errno = EPERM,
	.breaker_errno = ECONNREFUSED,
	.ipv4 = EG_DEFAULT_CLUSTER,
	.ipv6 = EG_DEFAULT_CLUSTER,
	.mesh_scope = &empty_scope,
};

static void make_world(struct world *world, const struct world_options *options)
{
	struct eg_datapath_options datapath_options = {
		.slots = SLOT + 1,
		.capacity = {.max_entries = {0, 16, 16, 16}},
		.destinations = 4096,
		.leases = 4096,
		.destination_quota = options->quota,
		.event_rate = options->event_rate,
	};
	char *problem = NULL;

	skip_unless_root();
	assert_int_equal(eg_datapath_load(&datapath_options, &world->datapath, &problem), 0);
	if (options->subject)
		image_apply(world->datapath, options->subject);
	world->cgroup = cgroup_make_below(options->parent, "hooks");
	assert_int_equal(eg_datapath_enrol(world->datapath, world->cgroup.fd, options->slot, &world->links), 0);
}

static void end_world(struct world *world)
{
	eg_links_free(world->links);
	cgroup_end(&world->cgroup);
	eg_datapath_free(world->datapath);
}

static struct eg_slot_counts read_counts(const struct world *world, uint32_t slot)
{
	struct eg_maps maps = eg_datapath_maps(world->datapath);
	struct eg_slot_counts counts;

	assert_int_equal(eg_maps_read_counts(&maps, slot, &counts), 0);
	return counts;
}

static void read_destinations(const struct world *world, struct eg_destinations *destinations)
{
	struct eg_maps maps = eg_datapath_maps(world->datapath);

	assert_int_equal(eg_maps_read_destinations(&maps, SLOT, destinations), 0);
}

static void every_hook_refuses_with_the_errno_of_the_policy_and_counts_by_family(void **state)
{
	struct target targets[] = {
		{AF_INET, SOCK_STREAM, "192.0.2.1", 80, false, 1, 1},
		{AF_INET6, SOCK_STREAM, "2001:db8::1", 80, false, 1, 1},
		{AF_INET6, SOCK_STREAM, "::ffff:192.0.2.1", 80, false, 1, 1},
		{AF_INET, SOCK_DGRAM, "192.0.2.1", 80, false, 1, 1},
		{AF_INET, SOCK_DGRAM, "192.0.2.1", 80, true, 1, 1},
		{AF_INET6, SOCK_DGRAM, "2001:db8::1", 80, true, 1, 1},
		{AF_INET6, SOCK_DGRAM, "::ffff:192.0.2.1", 80, true, 1, 1},
	};
	struct world world;
	struct eg_slot_counts counts;

	(void)state;
	make_world(&world, &(struct world_options){.slot = SLOT, .quota = 100, .subject = &closed});
	for (size_t i = 0; i < EG_COUNT_OF(targets); i++)
		assert_int_equal(cgroup_run(&world.cgroup, attempt_all, &targets[i]), EACCES);
	counts = read_counts(&world, SLOT);
	assert_int_equal(counts.ipv4.verdicts.blocked_passthrough_off, 5);
	assert_int_equal(counts.ipv6.verdicts.blocked_passthrough_off, 2);
	assert_int_equal(counts.ipv4.cluster.cx_no_route, 2);
	assert_int_equal(counts.ipv6.cluster.cx_no_route, 1);
	assert_int_equal(counts.ipv4.cluster.cx_total + counts.ipv6.cluster.cx_total, 0);
	end_world(&world);
}

static void a_slot_without_policy_is_refused_and_counted(void **state)
{
	struct target loopback = {AF_INET, SOCK_DGRAM, "127.0.0.1", 9, false, 3, 1};
	struct world world;

	(void)state;
	make_world(&world, &(struct world_options){.slot = SLOT, .quota = 100});
	assert_int_equal(cgroup_run(&world.cgroup, attempt_all, &loopback), EPERM);
	assert_int_equal(read_counts(&world, SLOT).ipv4.verdicts.blocked_no_policy, 3);
	end_world(&world);
}

static void a_slot_that_the_maps_do_not_have_is_refused_and_counted_in_slot_0(void **state)
{
	struct target target = {AF_INET, SOCK_DGRAM, "192.0.2.1", 9, false, 3, 1};
	struct world world;

	(void)state;
	make_world(&world, &(struct world_options){.slot = 4711, .quota = 100, .subject = &open_subject});
	assert_int_equal(cgroup_run(&world.cgroup, attempt_all, &target), EPERM);
	assert_int_equal(read_counts(&world, 0).ipv4.verdicts.blocked_no_policy, 3);
	end_world(&world);
}

static void what_a_program_below_refused_is_not_counted_as_admitted(void **state)
{
	struct target target = {AF_INET, SOCK_STREAM, "192.0.2.1", 80, false, 4, 1};
	struct world outer, inner;
	struct eg_slot_counts counts;

	(void)state;
	make_world(&outer, &(struct world_options){.slot = SLOT, .quota = 100, .subject = &open_subject});
	make_world(&inner, &(struct world_options){
				   .slot = SLOT, .quota = 100, .subject = &closed, .parent = outer.cgroup.path});
	assert_int_equal(cgroup_run(&inner.cgroup, attempt_all, &target), EACCES);
	counts = read_counts(&outer, SLOT);
	assert_int_equal(counts.refused_before, 4);
	assert_int_equal(counts.ipv4.cluster.cx_total, 0);
	assert_int_equal(counts.ipv4.verdicts.passthrough, 0);
	end_world(&inner);
	end_world(&outer);
}

static void destinations_over_the_quota_are_counted_as_missed(void **state)
{
	/* 20 destinations, each met 3 times */
	struct target target = {AF_INET, SOCK_STREAM, "192.0.2.1", 1000, false, 60, 20};
	struct eg_destinations destinations = {};
	struct world world;

	(void)state;
	make_world(&world, &(struct world_options){.slot = SLOT, .quota = 8, .subject = &closed});
	assert_int_equal(cgroup_run(&world.cgroup, attempt_all, &target), EACCES);
	read_destinations(&world, &destinations);
	assert_int_equal(destinations.list.len, 8);
	for (size_t i = 0; i < destinations.list.len; i++) {
		const struct eg_destination *destination = &destinations.list.items[i];

		assert_int_equal(destination->key.flow.port, 1000 + i);
		assert_int_equal(destination->key.reason, EG_REASON_BLOCKED_PASSTHROUGH_OFF);
		assert_int_equal(destination->seen.count, 3);
		assert_true(destination->seen.first_seen_ns > 0);
		assert_true(destination->seen.last_seen_ns >= destination->seen.first_seen_ns);
		assert_true(destination->seen.pid > 0);
		assert_string_equal(destination->seen.comm, "test_hooks");
	}
	assert_int_equal(read_counts(&world, SLOT).destinations_missed, (20 - 8) * 3);
	eg_array_clear(&destinations.list);
	end_world(&world);
}

/* What is stamped from now on is later than what was until now. */
static void wait_for_coarse_clock(void)
{
	struct timespec before, now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &before);
	do {
		clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	} while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

static struct eg_slot_state read_state(const struct world *world)
{
	struct eg_maps maps = eg_datapath_maps(world->datapath);
	struct eg_slot slot;

	assert_int_equal(eg_maps_read_slot(&maps, SLOT, &slot), 0);
	return slot.state;
}

static size_t count_destinations(const struct world *world)
{
	struct eg_destinations destinations = {};
	size_t count;

	read_destinations(world, &destinations);
	count = destinations.list.len;
	eg_array_clear(&destinations.list);
	return count;
}

static void a_full_quota_makes_room_for_new_destinations_again_and_the_oldest_go(void **state)
{
	struct target old = {AF_INET, SOCK_STREAM, "192.0.2.1", 1000, false, 8, 8};
	struct target again = {AF_INET, SOCK_STREAM, "192.0.2.1", 1004, false, 4, 4};
	struct target new = {AF_INET, SOCK_STREAM, "192.0.2.2", 2000, false, 4, 4};
	struct eg_destinations destinations = {};
	struct world world;
	struct eg_ager ager;

	(void)state;
	make_world(&world, &(struct world_options){.slot = SLOT, .quota = 8, .subject = &closed});
	ager = (struct eg_ager){.datapath = world.datapath, .quota = 8, .capacity = 4096, .age_ns = EG_AGE_DEFAULT_NS};
	assert_int_equal(cgroup_run(&world.cgroup, attempt_all, &old), EACCES);
	wait_for_coarse_clock();
	assert_int_equal(cgroup_run(&world.cgroup, attempt_all, &again), EACCES);
	assert_int_equal(eg_ager_look(&ager), 0);
	read_destinations(&world, &destinations);
	assert_int_equal(destinations.list.len, 4);
	for (size_t i = 0; i < destinations.list.len; i++)
		assert_int_equal(destinations.list.items[i].key.flow.port, 1004 + i);
	eg_array_clear(&destinations.list);
	assert_int_equal(read_state(&world).destinations, 4);
	assert_int_equal(read_counts(&world, SLOT).destinations_evicted, 4);
	assert_int_equal(cgroup_run(&world.cgroup, attempt_all, &new), EACCES);
	assert_int_equal(count_destinations(&world), 8);
	assert_int_equal(read_counts(&world, SLOT).destinations_missed, 0);
	end_world(&world);
}

/* Somebody who came in a moment ago; nobody else counts places meanwhile. */
static void add_client(const struct world *world, uint16_t port)
{
	const struct eg_dest_key key = {
		.slot = SLOT,
		.flow = {.family = EG_FAMILY_IPV4, .addr.word_be = {htonl(0xc0000201)}, .port = port, .protocol = IPPROTO_TCP},
		.reason = EG_REASON_INCOMING_ALLOWED,
		.verdict = EG_VERDICT_ALLOWED,
	};
	const struct eg_dest dest = {.first_seen_ns = eg_now_ns(), .last_seen_ns = eg_now_ns(), .count = 1};
	const __u32 slot_id = SLOT;
	int slots = eg_datapath_map_fd(world->datapath, "eg_slots");
	struct eg_slot slot;

	assert_int_equal(bpf_map_lookup_elem(slots, &slot_id, &slot), 0);
	slot.state.destinations++;
	assert_int_equal(bpf_map_update_elem(slots, &slot_id, &slot, BPF_ANY), 0);
	assert_int_equal(bpf_map_update_elem(eg_datapath_map_fd(world->datapath, "eg_dests"), &key, &dest, BPF_NOEXIST), 0);
}

static void many_clients_push_each_other_out_and_no_destination(void **state)
{
	struct target target = {AF_INET, SOCK_STREAM, "192.0.2.1", 1000, false, 8, 2};
	struct eg_destinations destinations = {};
	struct world world;
	struct eg_ager ager;

	(void)state;
	make_world(&world, &(struct world_options){.slot = SLOT, .quota = 8, .subject = &closed});
	ager = (struct eg_ager){.datapath = world.datapath, .quota = 8, .capacity = 4096, .age_ns = EG_AGE_DEFAULT_NS};
	assert_int_equal(cgroup_run(&world.cgroup, attempt_all, &target), EACCES);
	wait_for_coarse_clock();
	for (uint16_t i = 0; i < 6; i++)
		add_client(&world, (uint16_t)(2000 + i));
	assert_int_equal(eg_ager_look(&ager), 0);
	read_destinations(&world, &destinations);
	assert_int_equal(destinations.list.len, 4);
	for (size_t i = 0; i < destinations.list.len; i++)
		assert_int_equal(destinations.list.items[i].key.flow.port, i < 2 ? 1000 + i : 2002 + i);
	eg_array_clear(&destinations.list);
	assert_int_equal(read_state(&world).destinations, 4);
	assert_int_equal(read_counts(&world, SLOT).destinations_evicted, 4);
	end_world(&world);
}

static void what_was_not_seen_for_long_leaves_the_table_and_is_not_counted_as_evicted(void **state)
{
	struct target target = {AF_INET, SOCK_STREAM, "192.0.2.1", 1000, false, 4, 4};
	struct world world;
	struct eg_ager ager;

	(void)state;
	make_world(&world, &(struct world_options){.slot = SLOT, .quota = 100, .subject = &closed});
	ager = (struct eg_ager){.datapath = world.datapath, .quota = 100, .capacity = 4096, .age_ns = EG_AGE_DEFAULT_NS};
	assert_int_equal(cgroup_run(&world.cgroup, attempt_all, &target), EACCES);
	assert_int_equal(eg_ager_look(&ager), 0);
	assert_int_equal(count_destinations(&world), 4);
	wait_for_coarse_clock();
	ager.age_ns = 1;
	assert_int_equal(eg_ager_look(&ager), 0);
	assert_int_equal(count_destinations(&world), 0);
	assert_int_equal(read_state(&world).destinations, 0);
	assert_int_equal(read_counts(&world, SLOT).destinations_evicted, 0);
	end_world(&world);
}

/* Places of the quota are neither lost nor given back twice. */
static void ageing_while_processes_find_new_destinations_keeps_the_count_of_places(void **state)
{
	struct target target = {AF_INET, SOCK_DGRAM, "192.0.2.1", 2000, false, slow_count(50000), 500};
	struct world world;
	struct eg_ager ager;
	pid_t pids[2];

	(void)state;
	make_world(&world, &(struct world_options){.slot = SLOT, .quota = 200, .subject = &closed});
	ager = (struct eg_ager){.datapath = world.datapath, .quota = 200, .capacity = 4096, .age_ns = EG_AGE_DEFAULT_NS};
	for (size_t i = 0; i < EG_COUNT_OF(pids); i++)
		pids[i] = cgroup_start(&world.cgroup, attempt_all, &target);
	while (read_counts(&world, SLOT).ipv4.verdicts.blocked_passthrough_off < target.times)
		assert_int_equal(eg_ager_look(&ager), 0);
	for (size_t i = 0; i < EG_COUNT_OF(pids); i++)
		assert_int_equal(cgroup_join(pids[i]), EACCES);
	/* On a slow machine none may have looked while they ran and the table was full; it is now. */
	assert_int_equal(eg_ager_look(&ager), 0);
	assert_true(read_counts(&world, SLOT).destinations_evicted > 0);
	assert_int_equal(read_state(&world).destinations, count_destinations(&world));
	end_world(&world);
}

/* Several processes meet the same new destinations at once: no count and no place is lost. */
static void concurrent_processes_lose_no_count(void **state)
{
	enum { PROCESSES = 4, PORTS = 50 };
	const unsigned int times = slow_count(20000);
	struct target target = {AF_INET, SOCK_DGRAM, "192.0.2.1", 2000, false, times, PORTS};
	struct eg_destinations destinations = {};
	struct world world;
	pid_t pids[PROCESSES];
	uint64_t listed = 0;

	(void)state;
	make_world(&world, &(struct world_options){.slot = SLOT, .quota = PORTS, .subject = &closed});
	for (int i = 0; i < PROCESSES; i++)
		pids[i] = cgroup_start(&world.cgroup, attempt_all, &target);
	for (int i = 0; i < PROCESSES; i++)
		assert_int_equal(cgroup_join(pids[i]), EACCES);
	assert_int_equal(read_counts(&world, SLOT).ipv4.verdicts.blocked_passthrough_off, PROCESSES * times);
	assert_int_equal(read_counts(&world, SLOT).destinations_missed, 0);
	read_destinations(&world, &destinations);
	assert_int_equal(destinations.list.len, PORTS);
	for (size_t i = 0; i < destinations.list.len; i++)
		listed += destinations.list.items[i].seen.count;
	assert_int_equal(listed, PROCESSES * times);
	eg_array_clear(&destinations.list);
	end_world(&world);
}

/* ---- events ---- */

struct events {
	size_t count;
	struct eg_event last;
};

static int take_event(void *context, void *data, size_t size)
{
	struct events *events = context;

	assert_int_equal(size, sizeof(events->last));
	memcpy(&events->last, data, size);
	assert_int_equal(events->last.version, EG_EVENT_VERSION);
	assert_int_equal(events->last.size, sizeof(events->last));
	events->count++;
	return 0;
}

static struct events read_events(const struct world *world)
{
	struct events events = {};
	struct ring_buffer *ring =
		ring_buffer__new(eg_datapath_map_fd(world->datapath, "eg_events"), take_event, &events, NULL);

	assert_non_null(ring);
	assert_true(ring_buffer__consume(ring) >= 0);
	ring_buffer__free(ring);
	return events;
}

static void a_blocked_attempt_is_an_event_that_says_who_and_what(void **state)
{
	struct target target = {AF_INET6, SOCK_STREAM, "::ffff:192.0.2.7", 443, false, 1, 1};
	struct events events;
	struct world world;

	(void)state;
	make_world(&world, &(struct world_options){
				   .slot = SLOT, .quota = 100, .event_rate = 100, .subject = &closed});
	assert_int_equal(cgroup_run(&world.cgroup, attempt_all, &target), EACCES);
	events = read_events(&world);
	assert_int_equal(events.count, 1);
	assert_int_equal(events.last.slot, SLOT);
	assert_int_equal(events.last.hook, EG_HOOK_CONNECT6);
	assert_int_equal(events.last.flow.family, EG_FAMILY_IPV4);
	assert_int_equal(ntohl(events.last.flow.addr.word_be[0]), 0xc0000207);
	assert_int_equal(events.last.flow.port, 443);
	assert_int_equal(events.last.flow.protocol, IPPROTO_TCP);
	assert_int_equal(events.last.verdict, EG_VERDICT_BLOCKED);
	assert_int_equal(events.last.reason, EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	assert_string_equal(events.last.comm, "test_hooks");
	end_world(&world);
}

static void an_attempt_that_audit_mode_lets_pass_is_an_event_that_says_so(void **state)
{
	struct target target = {AF_INET, SOCK_DGRAM, "192.0.2.7", 443, false, 1, 1};
	struct eg_subject audited = closed;
	struct events events;
	struct world world;
	int answer;

	(void)state;
	audited.mode = EG_MODE_AUDIT;
	make_world(&world, &(struct world_options){
				   .slot = SLOT, .quota = 100, .event_rate = 100, .subject = &audited});
	answer = cgroup_run(&world.cgroup, attempt_all, &target);
	/* Where there is no way to it the kernel says so, after us. */
	assert_true(answer == 0 || answer == ENETUNREACH);
	events = read_events(&world);
	assert_int_equal(events.count, 1);
	assert_int_equal(events.last.flow.port, 443);
	assert_int_equal(events.last.verdict, EG_VERDICT_AUDITED);
	assert_int_equal(events.last.reason, EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	end_world(&world);
}

static void events_over_the_rate_are_suppressed_and_counted(void **state)
{
	enum { TIMES = 2000, RATE = 10 };
	struct target target = {AF_INET, SOCK_STREAM, "192.0.2.1", 80, false, TIMES, 1};
	struct eg_slot_counts counts;
	struct events events;
	struct world world;

	(void)state;
	make_world(&world, &(struct world_options){
				   .slot = SLOT, .quota = 100, .event_rate = RATE, .subject = &closed});
	assert_int_equal(cgroup_run(&world.cgroup, attempt_all, &target), EACCES);
	events = read_events(&world);
	counts = read_counts(&world, SLOT);
	assert_true(events.count >= RATE);
	assert_true(counts.events_suppressed > 0);
	assert_int_equal(events.count + counts.events_suppressed, TIMES);
	assert_int_equal(counts.ipv4.verdicts.blocked_passthrough_off, TIMES);
	end_world(&world);
}

/* As a program finds it that was preempted for a while: the others are in a later second. */
static void a_program_that_is_late_does_not_start_the_count_of_events_again(void **state)
{
	enum { TIMES = 20, RATE = 10, LATER_S = 3600 };
	struct target target = {AF_INET, SOCK_STREAM, "192.0.2.1", 80, false, TIMES, 1};
	__u32 slot_id = SLOT;
	struct world world;
	struct eg_slot slot;
	struct timespec now;
	int fd;

	(void)state;
	make_world(&world, &(struct world_options){
				   .slot = SLOT, .quota = 100, .event_rate = RATE, .subject = &closed});
	fd = eg_datapath_map_fd(world.datapath, "eg_slots");
	assert_int_equal(bpf_map_lookup_elem(fd, &slot_id, &slot), 0);
	clock_gettime(CLOCK_MONOTONIC, &now);
	slot.state.event_window = (__u64)now.tv_sec + LATER_S;
	slot.state.event_count = RATE;
	assert_int_equal(bpf_map_update_elem(fd, &slot_id, &slot, BPF_ANY), 0);
	assert_int_equal(cgroup_run(&world.cgroup, attempt_all, &target), EACCES);
	assert_int_equal(read_events(&world).count, 0);
	assert_int_equal(read_counts(&world, SLOT).events_suppressed, TIMES);
	end_world(&world);
}

static void events_that_the_ring_buffer_cannot_take_are_counted_as_lost(void **state)
{
	enum { TIMES = EG_EVENTS_BYTES / sizeof(struct eg_event) + 1000 };
	struct target target = {AF_INET, SOCK_STREAM, "192.0.2.1", 80, false, TIMES, 1};
	struct eg_slot_counts counts;
	struct events events;
	struct world world;

	(void)state;
	make_world(&world, &(struct world_options){
				   .slot = SLOT, .quota = 100, .event_rate = UINT32_MAX, .subject = &closed});
	assert_int_equal(cgroup_run(&world.cgroup, attempt_all, &target), EACCES);
	events = read_events(&world);
	counts = read_counts(&world, SLOT);
	assert_true(counts.events_lost > 0);
	assert_int_equal(events.count + counts.events_lost, TIMES);
	assert_int_equal(counts.ipv4.verdicts.blocked_passthrough_off, TIMES);
	end_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_hook_refuses_with_the_errno_of_the_policy_and_counts_by_family),
		cmocka_unit_test(a_slot_without_policy_is_refused_and_counted),
		cmocka_unit_test(a_slot_that_the_maps_do_not_have_is_refused_and_counted_in_slot_0),
		cmocka_unit_test(what_a_program_below_refused_is_not_counted_as_admitted),
		cmocka_unit_test(destinations_over_the_quota_are_counted_as_missed),
		cmocka_unit_test(a_full_quota_makes_room_for_new_destinations_again_and_the_oldest_go),
		cmocka_unit_test(many_clients_push_each_other_out_and_no_destination),
		cmocka_unit_test(what_was_not_seen_for_long_leaves_the_table_and_is_not_counted_as_evicted),
		cmocka_unit_test(ageing_while_processes_find_new_destinations_keeps_the_count_of_places),
		cmocka_unit_test(concurrent_processes_lose_no_count),
		cmocka_unit_test(a_blocked_attempt_is_an_event_that_says_who_and_what),
		cmocka_unit_test(an_attempt_that_audit_mode_lets_pass_is_an_event_that_says_so),
		cmocka_unit_test(events_over_the_rate_are_suppressed_and_counted),
		cmocka_unit_test(a_program_that_is_late_does_not_start_the_count_of_events_again),
		cmocka_unit_test(events_that_the_ring_buffer_cannot_take_are_counted_as_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
