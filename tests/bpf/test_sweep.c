/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The walks over sockets with leases: what they count, end, mark and name. Sockets are
 * real; their leases are put there by the test, as old as it wants them, and so are the
 * places that they hold.
 */
#include "support.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "../lib/support/cgroup.h"
#include "../lib/support/image.h"
#include "../lib/support/lease.h"
#include "../lib/support/netns.h"
#include "../lib/support/pair.h"
#include "../lib/support/slow.h"
#include "base/cleanup.h"
#include "datapath/sockdiag.h"
#include "datapath/walk.h"
#include "sweeper.h"

#define SLOT 1u
#define SECOND 1000000000ull
#define IDLE_MS 2000u
#define DURATION_MS 4000u

static const struct eg_scope no_rules = {.id = 1, .name = "default"};

/* A datapath with one slot that has these timeouts. */
static struct eg_datapath *load(uint64_t idle_ms, uint64_t duration_ms)
{
	struct eg_datapath *datapath = datapath_load(SLOT + 1, 1);
	struct eg_subject subject = subject_of(SLOT, &no_rules);

	subject.ipv4.idle_timeout_ms = subject.ipv6.idle_timeout_ms = idle_ms;
	subject.ipv4.max_duration_ms = subject.ipv6.max_duration_ms = duration_ms;
	image_apply(datapath, &subject);
	/* Which may take longer than the ages below are apart. */
	assert_int_equal(eg_datapath_load_walks(datapath), 0);
	return datapath;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static struct eg_slot read_slot(const struct eg_datapath *datapath)
{
	struct eg_maps maps = eg_datapath_maps(datapath);
	struct eg_slot slot;

	assert_int_equal(eg_maps_read_slot(&maps, SLOT, &slot), 0);
	return slot;
}

static void write_slot(const struct eg_datapath *datapath, const struct eg_slot *slot)
{
	const __u32 id = SLOT;

	assert_int_equal(bpf_map_update_elem(eg_datapath_map_fd(datapath, "eg_slots"), &id, slot, BPF_EXIST), 0);
}

/* A lease that was given and established so long ago. */
static struct eg_lease lease_of_age(enum eg_lease_state state, uint8_t marks, uint64_t age_ns)
{
	uint64_t since = now_ns() - age_ns;

	return (struct eg_lease){
		.word = eg_lease_word(state, marks, SLOT, 0, 1),
		.opened_ns = since,
		.active_ns = state == EG_LEASE_CONNECTING ? 0 : since,
		.connect_timeout_ms = 1000,
	};
}

static void put_lease(const struct eg_datapath *datapath, int fd, const struct eg_lease *lease)
{
	lease_put(eg_datapath_map_fd(datapath, "eg_leases"), fd, lease);
}

static struct eg_lease get_lease(const struct eg_datapath *datapath, int fd)
{
	return lease_get(eg_datapath_map_fd(datapath, "eg_leases"), fd);
}

static void hold(const struct eg_datapath *datapath, int fd, enum eg_lease_state state, uint64_t age_ns)
{
	struct eg_lease lease = lease_of_age(state, 0, age_ns);

	put_lease(datapath, fd, &lease);
}

/* One sweep; it names so many sockets. */
static struct eg_walk sweep(struct eg_datapath *datapath, size_t expected)
{
	struct eg_walk walk = {};

	assert_int_equal(eg_datapath_sweep(datapath, &walk), 0);
	assert_int_equal(walk.sockets.len, expected);
	return walk;
}

/* The marks of the only socket that a sweep names; 0 when it names none. */
static uint8_t sweep_one(struct eg_datapath *datapath)
{
	struct eg_walk walk = {};
	uint8_t marks = 0;

	assert_int_equal(eg_datapath_sweep(datapath, &walk), 0);
	assert_true(walk.sockets.len <= 1);
	if (walk.sockets.len == 1)
		marks = eg_lease_marks(walk.sockets.items[0].word);
	eg_walk_clear(&walk);
	return marks;
}

static void tcp_pair(struct pair *pair)
{
	*pair = (struct pair){.family = AF_INET, .type = SOCK_STREAM};
	pair_make(pair);
}

static void one_that_is_silent_for_the_timeout_is_idle_and_one_that_is_not_is_not(void **state)
{
	struct eg_datapath *datapath = load(IDLE_MS, 0);
	struct pair pair;

	(void)state;
	tcp_pair(&pair);
	hold(datapath, pair.client, EG_LEASE_ESTABLISHED, 0);
	assert_int_equal(sweep_one(datapath), 0);
	hold(datapath, pair.client, EG_LEASE_ESTABLISHED, 3 * SECOND);
	assert_int_equal(sweep_one(datapath), EG_LEASE_IDLE);
	assert_int_equal(eg_lease_marks(get_lease(datapath, pair.client).word), EG_LEASE_IDLE);
	pair_end(&pair);
	eg_datapath_free(datapath);
}

static void a_byte_in_either_direction_is_activity_and_takes_the_mark_away(void **state)
{
	struct eg_datapath *datapath = load(IDLE_MS, 0);

	(void)state;
	for (int inbound = 0; inbound < 2; inbound++) {
		struct pair pair;
		uint64_t before = now_ns();

		tcp_pair(&pair);
		hold(datapath, pair.client, EG_LEASE_ESTABLISHED, 3 * SECOND);
		assert_int_equal(sweep_one(datapath), EG_LEASE_IDLE);
		assert_int_equal(send(inbound ? pair.server : pair.client, "x", 1, 0), 1);
		assert_int_equal(recv(inbound ? pair.client : pair.server, &(char){0}, 1, 0), 1);
		assert_int_equal(sweep_one(datapath), 0);
		assert_int_equal(eg_lease_marks(get_lease(datapath, pair.client).word), 0);
		assert_true(get_lease(datapath, pair.client).active_ns >= before);
		pair_end(&pair);
	}
	eg_datapath_free(datapath);
}

static void payload_is_counted_once_however_often_it_is_swept(void **state)
{
	enum {
		SENT = 1000,
		RECEIVED = 300
	};
	static char buffer[SENT];
	struct eg_datapath *datapath = load(IDLE_MS, 0);
	struct pair pair;
	struct eg_slot slot;

	(void)state;
	tcp_pair(&pair);
	hold(datapath, pair.client, EG_LEASE_ESTABLISHED, 0);
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(send(pair.client, buffer, SENT, 0), SENT);
		assert_int_equal(recv(pair.server, buffer, SENT, MSG_WAITALL), SENT);
		assert_int_equal(send(pair.server, buffer, RECEIVED, 0), RECEIVED);
		assert_int_equal(recv(pair.client, buffer, RECEIVED, MSG_WAITALL), RECEIVED);
		sweep_one(datapath);
		sweep_one(datapath);
		slot = read_slot(datapath);
		assert_int_equal(slot.counts.ipv4.cluster.tx_bytes, i * SENT);
		assert_int_equal(slot.counts.ipv4.cluster.rx_bytes, i * RECEIVED);
	}
	pair_end(&pair);
	eg_datapath_free(datapath);
}

/* The kernel's own count of received bytes has the FIN in it. */
static void the_end_of_what_the_peer_sends_is_no_payload(void **state)
{
	struct eg_datapath *datapath = load(IDLE_MS, 0);
	struct pair pair;

	(void)state;
	tcp_pair(&pair);
	hold(datapath, pair.client, EG_LEASE_ESTABLISHED, 3 * SECOND);
	assert_int_equal(shutdown(pair.server, SHUT_WR), 0);
	assert_int_equal(recv(pair.client, &(char){0}, 1, 0), 0);
	assert_int_equal(sweep_one(datapath), EG_LEASE_IDLE);
	assert_int_equal(read_slot(datapath).counts.ipv4.cluster.rx_bytes, 0);
	pair_end(&pair);
	eg_datapath_free(datapath);
}

static void one_that_is_older_than_the_policy_allows_is_old_however_active(void **state)
{
	struct eg_datapath *datapath = load(IDLE_MS, DURATION_MS);
	struct pair pair;

	(void)state;
	tcp_pair(&pair);
	hold(datapath, pair.client, EG_LEASE_ESTABLISHED, 5 * SECOND);
	assert_int_equal(sweep_one(datapath), EG_LEASE_OLD | EG_LEASE_IDLE);
	pair_expect_alive(&pair);
	assert_int_equal(sweep_one(datapath), EG_LEASE_OLD);
	hold(datapath, pair.client, EG_LEASE_ESTABLISHED, 0);
	assert_int_equal(sweep_one(datapath), 0);
	pair_end(&pair);
	eg_datapath_free(datapath);
}

static void timeouts_of_0_end_nothing(void **state)
{
	struct eg_datapath *datapath = load(0, 0);
	struct pair pair;

	(void)state;
	tcp_pair(&pair);
	hold(datapath, pair.client, EG_LEASE_ESTABLISHED, 5 * SECOND);
	assert_int_equal(sweep_one(datapath), 0);
	pair_end(&pair);
	eg_datapath_free(datapath);
}

static void each_family_has_timeouts_of_its_own(void **state)
{
	struct eg_datapath *datapath = load(0, 0);
	struct eg_subject subject = subject_of(SLOT, &no_rules);
	struct pair ipv4, ipv6 = {.family = AF_INET6, .type = SOCK_STREAM};
	struct eg_lease lease = lease_of_age(EG_LEASE_ESTABLISHED, EG_LEASE_IPV6, 3 * SECOND);

	(void)state;
	tcp_pair(&ipv4);
	pair_make(&ipv6);
	hold(datapath, ipv4.client, EG_LEASE_ESTABLISHED, 3 * SECOND);
	put_lease(datapath, ipv6.client, &lease);
	subject.ipv4.idle_timeout_ms = IDLE_MS;
	subject.ipv6.idle_timeout_ms = 0;
	image_apply(datapath, &subject);
	assert_int_equal(sweep_one(datapath), EG_LEASE_IDLE);
	subject.ipv4.idle_timeout_ms = 0;
	subject.ipv6.idle_timeout_ms = IDLE_MS;
	image_apply(datapath, &subject);
	assert_int_equal(sweep_one(datapath), EG_LEASE_IDLE | EG_LEASE_IPV6);
	pair_end(&ipv4);
	pair_end(&ipv6);
	eg_datapath_free(datapath);
}

static void a_changed_policy_holds_for_connections_that_are_there(void **state)
{
	struct eg_datapath *datapath = load(0, 0);
	struct eg_subject subject = subject_of(SLOT, &no_rules);
	struct pair pair;

	(void)state;
	tcp_pair(&pair);
	hold(datapath, pair.client, EG_LEASE_ESTABLISHED, SECOND);
	assert_int_equal(sweep_one(datapath), 0);
	subject.ipv4.idle_timeout_ms = 500;
	image_apply(datapath, &subject);
	assert_int_equal(sweep_one(datapath), EG_LEASE_IDLE);
	subject.ipv4.idle_timeout_ms = 0;
	image_apply(datapath, &subject);
	assert_int_equal(sweep_one(datapath), 0);
	assert_int_equal(eg_lease_marks(get_lease(datapath, pair.client).word), 0);
	pair_end(&pair);
	eg_datapath_free(datapath);
}

static void one_that_drains_or_is_a_session_is_left_alone(void **state)
{
	struct eg_datapath *datapath = load(IDLE_MS, DURATION_MS);
	struct pair tcp, udp = {.family = AF_INET, .type = SOCK_DGRAM};

	(void)state;
	tcp_pair(&tcp);
	pair_make(&udp);
	hold(datapath, tcp.client, EG_LEASE_DRAINING, 5 * SECOND);
	hold(datapath, udp.client, EG_LEASE_SESSION, 5 * SECOND);
	assert_int_equal(sweep_one(datapath), 0);
	assert_int_equal(eg_lease_state(get_lease(datapath, tcp.client).word), EG_LEASE_DRAINING);
	assert_int_equal(eg_lease_state(get_lease(datapath, udp.client).word), EG_LEASE_SESSION);
	pair_end(&tcp);
	pair_end(&udp);
	eg_datapath_free(datapath);
}

static void one_that_connects_for_longer_than_its_timeout_and_a_second_is_late(void **state)
{
	struct eg_datapath *datapath = load(IDLE_MS, 0);
	struct pair pair = {.family = AF_INET, .type = SOCK_STREAM};

	(void)state;
	pair_make_connecting(&pair);
	hold(datapath, pair.client, EG_LEASE_CONNECTING, SECOND);
	assert_int_equal(sweep_one(datapath), 0);
	hold(datapath, pair.client, EG_LEASE_CONNECTING, SECOND * 5 / 2);
	assert_int_equal(sweep_one(datapath), EG_LEASE_LATE);
	pair_end(&pair);
	eg_datapath_free(datapath);
}

/* Three sockets are gone without a word; the fourth is late, and the sweeps have had no time to end it. */
static void leases_that_no_socket_has_any_more_are_cleared_away(void **state)
{
	const uint64_t ages[] = {20 * SECOND, 20 * SECOND, 20 * SECOND, 5 * SECOND};
	const enum eg_lease_state states[] = {EG_LEASE_CONNECTING, EG_LEASE_ESTABLISHED, EG_LEASE_DRAINING,
					      EG_LEASE_CONNECTING};
	struct eg_datapath *datapath = load(IDLE_MS, 0);
	struct eg_slot slot = read_slot(datapath);
	int leases = eg_datapath_map_fd(datapath, "eg_leases"), fds[EG_COUNT_OF(ages)];

	(void)state;
	slot.state.epoch = 1;
	slot.state.ipv4.held = 2 * (EG_HELD_CONNECTION + EG_HELD_PENDING);
	write_slot(datapath, &slot);
	for (size_t i = 0; i < EG_COUNT_OF(ages); i++) {
		struct eg_lease lease = lease_of_age(states[i], 0, ages[i]);

		/* Those in the middle are of the slot's last owner, which was settled. */
		if (states[i] == EG_LEASE_CONNECTING)
			lease.word = eg_lease_word(states[i], 0, SLOT, 1, 1);
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		put_lease(datapath, fds[i], &lease);
	}
	assert_int_equal(lease_table_read(leases).taken, EG_COUNT_OF(ages));
	assert_int_equal(eg_datapath_collect(datapath), 0);
	assert_int_equal(lease_table_read(leases).taken, 1);
	assert_int_equal(eg_lease_state(get_lease(datapath, fds[3]).word), EG_LEASE_CONNECTING);
	slot = read_slot(datapath);
	assert_int_equal(slot.state.ipv4.held, EG_HELD_CONNECTION + EG_HELD_PENDING);
	assert_int_equal(slot.counts.ipv4.cluster.connect_failed, 1);
	assert_int_equal(slot.counts.ipv4.cluster.closed_local + slot.counts.ipv4.cluster.closed_remote, 0);
	for (size_t i = 0; i < EG_COUNT_OF(ages); i++)
		close(fds[i]);
	eg_datapath_free(datapath);
}

/* As a connect to where there is no route leaves it: no event tells of it. */
static void a_connect_that_never_left_close_is_ended_once_it_has_settled(void **state)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct eg_datapath *datapath = load(IDLE_MS, 0);
	struct eg_slot slot = read_slot(datapath);

	(void)state;
	slot.state.ipv4.held = EG_HELD_CONNECTION + EG_HELD_PENDING;
	write_slot(datapath, &slot);
	hold(datapath, fd, EG_LEASE_CONNECTING, 0);
	assert_int_equal(sweep_one(datapath), 0);
	assert_int_equal(read_slot(datapath).state.ipv4.held, EG_HELD_CONNECTION + EG_HELD_PENDING);
	hold(datapath, fd, EG_LEASE_CONNECTING, 3 * SECOND);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sweep_one(datapath), 0);
		slot = read_slot(datapath);
		assert_int_equal(slot.state.ipv4.held, 0);
		assert_int_equal(eg_connects_failed(&slot.counts.ipv4.cluster), 1);
		assert_int_equal(slot.counts.ipv4.cluster.connect_failed, 1);
		assert_int_equal(slot.counts.ipv4.cluster.without_event, 1);
	}
	assert_int_equal(eg_lease_state(get_lease(datapath, fd).word), EG_LEASE_NONE);
	eg_datapath_free(datapath);
}

/* It is the lease that is over: late, the listener would be destroyed in its place. */
static void a_connect_that_failed_is_ended_and_not_late_once_its_socket_listens(void **state)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct eg_datapath *datapath = load(IDLE_MS, 0);
	struct eg_slot slot = read_slot(datapath);

	(void)state;
	slot.state.ipv4.held = EG_HELD_CONNECTION + EG_HELD_PENDING;
	write_slot(datapath, &slot);
	assert_int_equal(listen(fd, 1), 0);
	hold(datapath, fd, EG_LEASE_CONNECTING, 3 * SECOND);
	assert_int_equal(sweep_one(datapath), 0);
	slot = read_slot(datapath);
	assert_int_equal(slot.state.ipv4.held, 0);
	assert_int_equal(slot.counts.ipv4.cluster.connect_failed, 1);
	assert_int_equal(slot.counts.ipv4.cluster.connect_timeout, 0);
	assert_int_equal(eg_lease_state(get_lease(datapath, fd).word), EG_LEASE_NONE);
	eg_datapath_free(datapath);
}

static void a_session_whose_socket_was_disconnected_is_ended(void **state)
{
	struct eg_datapath *datapath = load(IDLE_MS, 0);
	struct pair pair = {.family = AF_INET6, .type = SOCK_DGRAM};
	struct eg_lease lease = lease_of_age(EG_LEASE_SESSION, EG_LEASE_IPV6, 3 * SECOND);
	struct eg_slot slot = read_slot(datapath);

	(void)state;
	pair_make(&pair);
	slot.state.ipv6.sessions = 1;
	write_slot(datapath, &slot);
	put_lease(datapath, pair.client, &lease);
	assert_int_equal(sweep_one(datapath), 0);
	assert_int_equal(read_slot(datapath).state.ipv6.sessions, 1);
	assert_int_equal(connect(pair.client, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr)), 0);
	assert_int_equal(sweep_one(datapath), 0);
	slot = read_slot(datapath);
	assert_int_equal(slot.state.ipv6.sessions, 0);
	assert_int_equal(slot.counts.ipv6.cluster.without_event, 1);
	assert_int_equal(slot.counts.ipv6.cluster.closed_local + slot.counts.ipv6.cluster.closed_remote, 0);
	pair_end(&pair);
	eg_datapath_free(datapath);
}

static void a_lease_of_the_slots_earlier_owner_is_neither_touched_nor_named(void **state)
{
	struct eg_datapath *datapath = load(IDLE_MS, 0);
	struct eg_slot slot = read_slot(datapath);
	struct pair pair;
	struct eg_walk all = {};

	(void)state;
	tcp_pair(&pair);
	hold(datapath, pair.client, EG_LEASE_ESTABLISHED, 3 * SECOND);
	slot.state.epoch = 1;
	write_slot(datapath, &slot);
	pair_expect_alive(&pair);
	assert_int_equal(sweep_one(datapath), 0);
	assert_int_equal(eg_datapath_list_held(datapath, &all), 0);
	assert_int_equal(all.sockets.len, 0);
	assert_int_equal(read_slot(datapath).counts.ipv4.cluster.tx_bytes, 0);
	eg_walk_clear(&all);
	pair_end(&pair);
	eg_datapath_free(datapath);
}

static void expect_identity(const struct eg_held_socket *found, const struct eg_held_socket *wanted)
{
	assert_int_equal(found->cookie, wanted->cookie);
	assert_int_equal(found->family, wanted->family);
	assert_int_equal(found->socket_family, wanted->socket_family);
	assert_int_equal(found->protocol, wanted->protocol);
	assert_int_equal(found->interface, wanted->interface);
	assert_int_equal(found->local_port, wanted->local_port);
	assert_int_equal(found->remote_port, wanted->remote_port);
	assert_memory_equal(&found->local, &wanted->local, sizeof(found->local));
	assert_memory_equal(&found->remote, &wanted->remote, sizeof(found->remote));
}

static void what_is_named_is_the_very_socket_and_can_be_destroyed_by_it(void **state)
{
	struct pair pairs[] = {
		{.family = AF_INET, .type = SOCK_STREAM},
		{.family = AF_INET, .type = SOCK_STREAM, .bind = "lo"},
		{.family = AF_INET6, .type = SOCK_STREAM},
		{.family = AF_INET6, .type = SOCK_STREAM, .mapped = true},
	};
	struct eg_datapath *datapath = load(IDLE_MS, 0);

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(pairs); i++) {
		struct eg_held_socket wanted;
		struct eg_walk walk;

		pair_make(&pairs[i]);
		wanted = pair_identity(&pairs[i]);
		hold(datapath, pairs[i].client, EG_LEASE_ESTABLISHED, 3 * SECOND);
		walk = sweep(datapath, 1);
		expect_identity(&walk.sockets.items[0], &wanted);
		assert_int_equal(walk.sockets.items[0].netns, netns_inode(pairs[i].netns));
		assert_int_equal(walk.sockets.items[0].tcp_state, TCP_ESTABLISHED);
		assert_int_equal(eg_sockdiag_destroy(pairs[i].sockdiag, &walk.sockets.items[0]), 0);
		pair_expect_aborted(&pairs[i]);
		pair_end(&pairs[i]);
		eg_walk_clear(&walk);
	}
	eg_datapath_free(datapath);
}

static void a_list_has_every_lease_and_changes_none(void **state)
{
	struct eg_datapath *datapath = load(IDLE_MS, 0);
	struct pair tcp, udp = {.family = AF_INET6, .type = SOCK_DGRAM};
	struct eg_lease before, after;
	struct eg_walk all = {};

	(void)state;
	tcp_pair(&tcp);
	pair_make(&udp);
	hold(datapath, tcp.client, EG_LEASE_ESTABLISHED, 3 * SECOND);
	hold(datapath, udp.client, EG_LEASE_SESSION, 3 * SECOND);
	pair_expect_alive(&tcp);
	before = get_lease(datapath, tcp.client);
	assert_int_equal(eg_datapath_list_held(datapath, &all), 0);
	assert_int_equal(all.sockets.len, 2);
	assert_true(all.looked_at >= 2);
	assert_int_equal(all.sockets.items[0].protocol + all.sockets.items[1].protocol, IPPROTO_TCP + IPPROTO_UDP);
	after = get_lease(datapath, tcp.client);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(read_slot(datapath).counts.ipv4.cluster.tx_bytes, 0);
	/* By what the kernel counts now, and not by what a sweep has seen: pair_expect_alive() sent a byte. */
	for (size_t i = 0; i < all.sockets.len; i++) {
		const struct eg_held_socket *held = &all.sockets.items[i];

		assert_int_equal(held->tx_bytes, held->protocol == IPPROTO_TCP ? 1 : 0);
		assert_int_equal(held->rx_bytes, 0);
		assert_int_equal(held->pid, getpid());
		assert_string_equal(held->comm, "test_sweep");
	}
	eg_walk_clear(&all);
	pair_end(&tcp);
	pair_end(&udp);
	eg_datapath_free(datapath);
}

/* A process that is in the namespace, and does nothing there. */
static pid_t stay_in(int netns)
{
	int entered[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe2(entered, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(setns(netns, CLONE_NEWNET) < 0 || write(entered[1], &byte, 1) != 1 ? 1 : pause());
	}
	close(entered[1]);
	assert_int_equal(read(entered[0], &byte, 1), 1);
	close(entered[0]);
	return pid;
}

static void a_sweep_destroys_what_is_overdue_in_every_namespace_that_can_be_entered(void **state)
{
	struct eg_datapath *datapath = load(IDLE_MS, 0);
	struct pair pairs[3];
	struct eg_sweep done = {};
	pid_t pids[2];

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(pairs); i++) {
		tcp_pair(&pairs[i]);
		hold(datapath, pairs[i].client, EG_LEASE_ESTABLISHED, 3 * SECOND);
	}
	/* Nobody is in the last one. */
	for (size_t i = 0; i < EG_COUNT_OF(pids); i++)
		pids[i] = stay_in(pairs[i].netns);
	assert_int_equal(eg_sweep_run(datapath, &done), 0);
	assert_int_equal(done.destroyed, 2);
	assert_int_equal(done.unreachable.len, 1);
	assert_int_equal(done.unreachable.items[0].error, -ENOENT);
	assert_int_equal(done.unreachable.items[0].socket.netns, netns_inode(pairs[2].netns));
	pair_expect_aborted(&pairs[0]);
	pair_expect_aborted(&pairs[1]);
	pair_expect_alive(&pairs[2]);
	eg_sweep_clear(&done);
	/* It was active since. */
	assert_int_equal(eg_sweep_run(datapath, &done), 0);
	assert_int_equal(done.destroyed + done.unreachable.len, 0);
	for (size_t i = 0; i < EG_COUNT_OF(pids); i++)
		cgroup_kill(pids[i]);
	for (size_t i = 0; i < EG_COUNT_OF(pairs); i++)
		pair_end(&pairs[i]);
	eg_datapath_free(datapath);
}

/* Connections that are closed from the last one on as soon as the first one is destroyed. */
struct race {
	int clients[200];
	int servers[200];
	bool is_lost; /* nothing was destroyed */
};

static int make_connections(void *context)
{
	_cleanup_close_ int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	struct race *race = context;

	if (bind(listener, (struct sockaddr *)&address, len) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &len) < 0)
		return -errno;
	for (size_t i = 0; i < EG_COUNT_OF(race->clients); i++) {
		race->clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(race->clients[i], (struct sockaddr *)&address, len) < 0)
			return -errno;
		race->servers[i] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (race->servers[i] < 0)
			return -errno;
	}
	return 0;
}

static void *close_from_the_last(void *argument)
{
	const struct linger at_once = {.l_onoff = 1};
	struct race *race = argument;
	struct pollfd first = {.fd = race->clients[0]};

	race->is_lost = poll(&first, 1, slow_ms(10000)) != 1;
	for (size_t i = EG_COUNT_OF(race->clients) - 1; i > 0; i--) {
		setsockopt(race->clients[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(race->clients[i]);
	}
	return NULL;
}

static void one_that_ends_between_being_found_and_being_destroyed_is_not_unreachable(void **state)
{
	struct eg_datapath *datapath = load(IDLE_MS, 0);
	_cleanup_close_ int netns = netns_make();
	/* It must share none of the sockets. */
	pid_t there = stay_in(netns);
	static struct race race;
	struct eg_sweep done = {};
	pthread_t closer;

	(void)state;
	netns_do(netns, make_connections, &race);
	for (size_t i = 0; i < EG_COUNT_OF(race.clients); i++)
		hold(datapath, race.clients[i], EG_LEASE_ESTABLISHED, 3 * SECOND);
	assert_int_equal(pthread_create(&closer, NULL, close_from_the_last, &race), 0);
	assert_int_equal(eg_sweep_run(datapath, &done), 0);
	assert_int_equal(pthread_join(closer, NULL), 0);
	assert_false(race.is_lost);
	print_message("# %llu of %zu were destroyed\n", (unsigned long long)done.destroyed, EG_COUNT_OF(race.clients));
	assert_true(done.destroyed > 0);
	assert_int_equal(done.unreachable.len, 0);
	close(race.clients[0]);
	for (size_t i = 0; i < EG_COUNT_OF(race.servers); i++)
		close(race.servers[i]);
	cgroup_kill(there);
	eg_sweep_clear(&done);
	eg_datapath_free(datapath);
}

static int make_socket(void *context)
{
	*(int *)context = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return *(int *)context < 0 ? -errno : 0;
}

/* So that each is entered once. */
static void those_of_a_namespace_come_one_after_the_other(void **state)
{
	struct eg_datapath *datapath = load(IDLE_MS, 0);
	const int netns[] = {netns_make(), netns_make()};
	struct eg_walk walk = {};
	int fds[6];

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(fds); i++) {
		netns_do(netns[i % 2], make_socket, &fds[i]);
		hold(datapath, fds[i], EG_LEASE_ESTABLISHED, SECOND);
	}
	assert_int_equal(eg_datapath_list_held(datapath, &walk), 0);
	assert_int_equal(walk.sockets.len, EG_COUNT_OF(fds));
	for (size_t i = 1; i < EG_COUNT_OF(fds); i++)
		if (i != EG_COUNT_OF(fds) / 2)
			assert_int_equal(walk.sockets.items[i].netns, walk.sockets.items[i - 1].netns);
	for (size_t i = 0; i < EG_COUNT_OF(fds); i++)
		close(fds[i]);
	close(netns[0]);
	close(netns[1]);
	eg_walk_clear(&walk);
	eg_datapath_free(datapath);
}

/* More than the kernel's buffer for one read holds, and fewer than descriptors go. */
#define MANY 700

static int make_many(void *context)
{
	int *fds = context;

	for (int i = 0; i < MANY; i++) {
		fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fds[i] < 0)
			return -errno;
	}
	return 0;
}

/* In two processes. */
static void many_come_each_once(void **state)
{
	struct eg_datapath *datapath = load(IDLE_MS, 0);
	_cleanup_close_ int netns = netns_make();
	static int fds[MANY];
	struct eg_walk walk = {};
	uint64_t sum = 0, expected = 0;
	pid_t other;

	(void)state;
	netns_do(netns, make_many, fds);
	for (int i = 0; i < MANY; i++) {
		uint64_t cookie;
		socklen_t len = sizeof(cookie);

		hold(datapath, fds[i], EG_LEASE_ESTABLISHED, SECOND);
		assert_int_equal(getsockopt(fds[i], SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
		expected += cookie;
	}
	other = fork();
	if (other == 0) {
		/* Not for longer than a test that failed. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(pause());
	}
	assert_int_equal(eg_datapath_list_held(datapath, &walk), 0);
	assert_int_equal(walk.sockets.len, MANY);
	assert_true(walk.looked_at >= MANY);
	for (size_t i = 0; i < walk.sockets.len; i++)
		sum += walk.sockets.items[i].cookie;
	assert_int_equal(sum, expected);
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
	cgroup_kill(other);
	eg_walk_clear(&walk);
	eg_datapath_free(datapath);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_is_silent_for_the_timeout_is_idle_and_one_that_is_not_is_not),
		cmocka_unit_test(a_byte_in_either_direction_is_activity_and_takes_the_mark_away),
		cmocka_unit_test(payload_is_counted_once_however_often_it_is_swept),
		cmocka_unit_test(the_end_of_what_the_peer_sends_is_no_payload),
		cmocka_unit_test(one_that_is_older_than_the_policy_allows_is_old_however_active),
		cmocka_unit_test(timeouts_of_0_end_nothing),
		cmocka_unit_test(each_family_has_timeouts_of_its_own),
		cmocka_unit_test(a_changed_policy_holds_for_connections_that_are_there),
		cmocka_unit_test(one_that_drains_or_is_a_session_is_left_alone),
		cmocka_unit_test(one_that_connects_for_longer_than_its_timeout_and_a_second_is_late),
		cmocka_unit_test(a_connect_that_never_left_close_is_ended_once_it_has_settled),
		cmocka_unit_test(a_connect_that_failed_is_ended_and_not_late_once_its_socket_listens),
		cmocka_unit_test(a_session_whose_socket_was_disconnected_is_ended),
		cmocka_unit_test(a_lease_of_the_slots_earlier_owner_is_neither_touched_nor_named),
		cmocka_unit_test(what_is_named_is_the_very_socket_and_can_be_destroyed_by_it),
		cmocka_unit_test(a_sweep_destroys_what_is_overdue_in_every_namespace_that_can_be_entered),
		cmocka_unit_test(leases_that_no_socket_has_any_more_are_cleared_away),
		cmocka_unit_test(a_list_has_every_lease_and_changes_none),
		cmocka_unit_test(one_that_ends_between_being_found_and_being_destroyed_is_not_unreachable),
		cmocka_unit_test(those_of_a_namespace_come_one_after_the_other),
		cmocka_unit_test(many_come_each_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
