/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Leases on real sockets: every way in which one ends gives it back once and counts it
 * under the right name, and no limit is ever exceeded. The network is a namespace of
 * the test's own.
 */
#include "support.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "../lib/support/breaker.h"
#include "../lib/support/image.h"
#include "../lib/support/network.h"
#include "../lib/support/slow.h"
#include "base/cleanup.h"
#include "datapath/walk.h"

/* What a cluster is expected to show; what is left out is 0. No padding: it is compared as bytes. */
struct expected {
	uint64_t connections, pending, draining, sessions, retries;
	uint64_t total, fail, cancelled, local, remote, timeout, without_event;
};

#define ASSERT_CLUSTER(breaker, family, ...) \
	assert_cluster_is(breaker, EG_FAMILY_##family, &(struct expected){__VA_ARGS__}, __FILE__, __LINE__)

static const struct eg_cluster_counts *counts_of(const struct eg_slot *slot, enum eg_family family)
{
	return family == EG_FAMILY_IPV4 ? &slot->counts.ipv4.cluster : &slot->counts.ipv6.cluster;
}

static struct expected found_in(const struct eg_slot *slot, enum eg_family family)
{
	const struct eg_cluster_counts *counts = counts_of(slot, family);
	const struct eg_cluster_state *state = family == EG_FAMILY_IPV4 ? &slot->state.ipv4 : &slot->state.ipv6;

	return (struct expected){
		.connections = eg_held_connections(state->held),
		.pending = eg_held_pending(state->held),
		.draining = state->draining,
		.sessions = state->sessions,
		.retries = state->retries,
		.total = counts->cx_total,
		.fail = eg_connects_failed(counts),
		.cancelled = counts->connect_cancelled,
		.local = eg_destroyed_local(counts),
		.remote = eg_destroyed_remote(counts),
		.timeout = counts->connect_timeout,
		.without_event = counts->without_event,
	};
}

static void print_expected(const char *what, const struct expected *values)
{
	print_error("%s: connections %lu pending %lu draining %lu sessions %lu retries %lu total %lu fail %lu cancelled %lu "
		    "local %lu remote %lu timeout %lu without_event %lu\n",
		    what, values->connections, values->pending, values->draining, values->sessions, values->retries,
		    values->total, values->fail, values->cancelled, values->local, values->remote, values->timeout,
		    values->without_event);
}

/* An event may come a moment after the call that caused it: packets of the other side's are handled by softirqs. */
static void assert_cluster_is(const struct breaker *breaker, enum eg_family family, const struct expected *expected,
			      const char *file, int line)
{
	uint64_t deadline = breaker_now_ms() + slow_ms(5000);
	struct expected found;

	do {
		struct eg_slot slot = breaker_slot(breaker);

		found = found_in(&slot, family);
		if (memcmp(&found, expected, sizeof(found)) == 0)
			return;
		poll(NULL, 0, 5);
	} while (breaker_now_ms() < deadline);
	print_expected("expected", expected);
	print_expected("found   ", &found);
	_fail(file, line);
}

/* ---- how a connection ends ---- */

/* Gives the connection more than its peer takes without reading. */
static void fill(int fd)
{
	static const char data[1 << 16];

	while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(errno, EAGAIN);
}

static void a_connection_is_held_until_its_process_closes_it(void **state)
{
	struct breaker breaker;
	int fd, peer;

	(void)state;
	breaker_make(&breaker);
	breaker_join(&breaker);
	fd = network_connected(NETWORK_IPV4, breaker.port);
	peer = network_accept(breaker.listener);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 1, .total = 1);
	fill(fd);
	close(fd);
	/* It counts no more, but the peer has not read what was sent: it is still flushing. */
	ASSERT_CLUSTER(&breaker, IPV4, .draining = 1, .total = 1, .local = 1);
	close(peer);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .local = 1);
	breaker_end(&breaker);
}

/* Another owner's program that wants to hear of round trip times, and takes away all else; its link. */
static int take_events(const struct breaker *breaker)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_LDX | BPF_MEM | BPF_W,
		 .dst_reg = BPF_REG_2,
		 .src_reg = BPF_REG_1,
		 .off = offsetof(struct bpf_sock_ops, op)},
		{.code = BPF_JMP | BPF_JNE | BPF_K,
		 .dst_reg = BPF_REG_2,
		 .off = 2,
		 .imm = BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = BPF_SOCK_OPS_RTT_CB_FLAG},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_sock_ops_cb_flags_set},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	_cleanup_close_ int fd =
		bpf_prog_load(BPF_PROG_TYPE_SOCK_OPS, "take_events", "GPL", insns, EG_COUNT_OF(insns), NULL);
	int link;

	assert_true(fd >= 0);
	link = bpf_link_create(fd, breaker->cgroup.fd, BPF_CGROUP_SOCK_OPS, NULL);
	assert_true(link >= 0);
	return link;
}

/* As if those that drain had been released so much earlier; the clock begins with the machine. */
static void age_draining(const struct breaker *breaker, uint64_t age_ns)
{
	int leases = eg_datapath_map_fd(breaker->datapath, "eg_leases");
	struct eg_lease lease;

	for (__u32 place = 0; bpf_map_lookup_elem(leases, &place, &lease) == 0; place++) {
		if (eg_lease_state(lease.word) != EG_LEASE_DRAINING)
			continue;
		lease.active_ns -= age_ns;
		assert_int_equal(bpf_map_update_elem(leases, &place, &lease, BPF_EXIST), 0);
	}
}

#define MINUTE_NS 60000000000ull

static void a_close_whose_event_another_program_has_taken_is_found_after_a_while(void **state)
{
	struct breaker breaker;
	int link, fd, peer;

	(void)state;
	breaker_make(&breaker);
	link = take_events(&breaker);
	breaker_join(&breaker);
	fd = network_connected(NETWORK_IPV4, breaker.port);
	peer = network_accept(breaker.listener);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 1, .total = 1);
	network_close_pair(fd, peer);
	assert_int_equal(eg_datapath_collect(breaker.datapath), 0);
	ASSERT_CLUSTER(&breaker, IPV4, .draining = 1, .total = 1, .local = 1);
	/* As long as a peer that is gone may take the kernel. */
	age_draining(&breaker, 10 * MINUTE_NS);
	assert_int_equal(eg_datapath_collect(breaker.datapath), 0);
	ASSERT_CLUSTER(&breaker, IPV4, .draining = 1, .total = 1, .local = 1);
	if (breaker_now_ms() * 1000000 > 20 * MINUTE_NS) {
		age_draining(&breaker, 10 * MINUTE_NS);
		assert_int_equal(eg_datapath_collect(breaker.datapath), 0);
		ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .local = 1, .without_event = 1);
	} else {
		print_message("# this machine is not up for as long as it would have to drain\n");
	}
	close(link);
	breaker_end(&breaker);
}

static void a_peer_that_closes_first_or_resets_is_the_remote_end(void **state)
{
	struct breaker breaker;
	int fd, peer;

	(void)state;
	breaker_make(&breaker);
	breaker_join(&breaker);
	fd = network_connected(NETWORK_IPV4, breaker.port);
	peer = network_accept(breaker.listener);
	network_close_pair(peer, fd);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .remote = 1);

	fd = network_connected(NETWORK_IPV4, breaker.port);
	network_abort(network_accept(breaker.listener));
	/* At once, with the descriptor still open. */
	ASSERT_CLUSTER(&breaker, IPV4, .total = 2, .remote = 2);
	close(fd);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 2, .remote = 2);
	breaker_end(&breaker);
}

static void an_abort_and_a_close_with_unread_data_end_it_at_once(void **state)
{
	struct breaker breaker;
	int fd, peer;

	(void)state;
	breaker_make(&breaker);
	breaker_join(&breaker);
	fd = network_connected(NETWORK_IPV4, breaker.port);
	/* Accepted first: a reset may overtake the listener's last step. */
	peer = network_accept(breaker.listener);
	network_abort(fd);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .local = 1);
	close(peer);

	fd = network_connected(NETWORK_IPV4, breaker.port);
	peer = network_accept(breaker.listener);
	assert_int_equal(send(peer, "unread", 6, 0), 6);
	network_poll(fd, POLLIN);
	close(fd);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 2, .local = 2);
	close(peer);
	breaker_end(&breaker);
}

static void a_shutdown_that_both_sides_finish_ends_it_with_the_descriptor_open(void **state)
{
	struct breaker breaker;
	int fd, peer;

	(void)state;
	breaker_make(&breaker);
	breaker_join(&breaker);
	fd = network_connected(NETWORK_IPV4, breaker.port);
	peer = network_accept(breaker.listener);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 1, .total = 1);
	close(peer);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .local = 1);
	close(fd);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .local = 1);
	breaker_end(&breaker);
}

/* The peer's FIN crosses its own, which waits behind data; what ends it then is a reset. */
static void of_a_close_from_both_sides_at_once_ours_is_the_first(void **state)
{
	struct breaker breaker;
	int fd, peer;

	(void)state;
	breaker_make(&breaker);
	breaker_join(&breaker);
	fd = network_connected(NETWORK_IPV4, breaker.port);
	peer = network_accept(breaker.listener);
	fill(fd);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	assert_true(network_poll(fd, POLLRDHUP) & POLLRDHUP);
	network_abort(peer);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .local = 1);
	close(fd);
	breaker_end(&breaker);
}

static void a_refused_connect_fails_and_the_same_socket_may_try_again(void **state)
{
	struct breaker breaker;
	uint16_t closed;
	int fd;

	(void)state;
	breaker_make(&breaker);
	close(network_listen(0, 1, &closed));
	breaker_join(&breaker);
	fd = network_socket(NETWORK_IPV4, SOCK_STREAM, 0);
	assert_int_equal(network_connect(fd, NETWORK_IPV4, closed), ECONNREFUSED);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .fail = 1, .remote = 1);
	assert_int_equal(network_connect(fd, NETWORK_IPV4, breaker.port), 0);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 1, .total = 2, .fail = 1, .remote = 1);
	network_abort(fd);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 2, .fail = 1, .remote = 1, .local = 1);
	breaker_end(&breaker);
}

static void a_connect_without_a_route_has_no_event_and_is_ended_by_the_next_one_or_the_release(void **state)
{
	struct breaker breaker;
	int fd;

	(void)state;
	breaker_make(&breaker);
	breaker_join(&breaker);
	fd = network_socket(NETWORK_IPV4, SOCK_STREAM, 0);
	assert_int_equal(network_connect(fd, NETWORK_NOWHERE, 80), ENETUNREACH);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 1, .pending = 1, .total = 1);
	assert_int_equal(network_connect(fd, NETWORK_NOWHERE, 80), ENETUNREACH);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 1, .pending = 1, .total = 2, .fail = 1, .remote = 1,
		       .without_event = 1);
	close(fd);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 2, .fail = 2, .remote = 2, .without_event = 2);
	breaker_end(&breaker);
}

static void a_connect_that_is_asked_again_while_it_goes_on_is_one(void **state)
{
	struct breaker breaker;
	int fd;

	(void)state;
	breaker_make(&breaker);
	breaker_join(&breaker);
	fd = network_socket(NETWORK_IPV4, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(network_connect(fd, NETWORK_BLACK_HOLE, 80), EINPROGRESS);
	assert_int_equal(network_connect(fd, NETWORK_BLACK_HOLE, 80), EALREADY);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 1, .pending = 1, .total = 1);
	close(fd);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .fail = 1, .cancelled = 1, .local = 1);
	breaker_end(&breaker);
}

static void a_dissolved_association_ends_it_and_the_socket_may_be_used_again(void **state)
{
	struct breaker breaker;
	int fd;

	(void)state;
	breaker_make(&breaker);
	breaker_join(&breaker);
	fd = network_connected(NETWORK_IPV4, breaker.port);
	network_disconnect(fd);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .local = 1);
	assert_int_equal(network_connect(fd, NETWORK_IPV4, breaker.port), 0);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 1, .total = 2, .local = 1);
	network_abort(fd);

	fd = network_socket(NETWORK_IPV4, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(network_connect(fd, NETWORK_BLACK_HOLE, 80), EINPROGRESS);
	network_disconnect(fd);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 3, .local = 3, .fail = 1, .cancelled = 1);
	close(fd);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 3, .local = 3, .fail = 1, .cancelled = 1);
	breaker_end(&breaker);
}

static void a_descriptor_that_two_processes_share_is_let_go_by_the_last(void **state)
{
	struct breaker breaker;
	int fd, status;
	pid_t pid;

	(void)state;
	breaker_make(&breaker);
	breaker_join(&breaker);
	fd = network_connected(NETWORK_IPV4, breaker.port);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		pause();
		_exit(1);
	}
	close(fd);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 1, .total = 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(network_accept(breaker.listener));
	ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .local = 1);
	breaker_end(&breaker);
}

static void a_killed_process_gives_back_what_it_held_and_what_it_was_connecting(void **state)
{
	enum {
		EACH = 20
	};
	struct breaker breaker;
	int ready[2], status;
	char byte;
	pid_t pid;

	(void)state;
	breaker_make(&breaker);
	breaker_join(&breaker);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (int i = 0; i < EACH; i++) {
			network_connected(NETWORK_IPV4, breaker.port);
			network_connect(network_socket(NETWORK_IPV4, SOCK_STREAM | SOCK_NONBLOCK, 0),
					NETWORK_BLACK_HOLE, 80);
		}
		assert_int_equal(write(ready[1], "x", 1), 1);
		pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 2 * EACH, .pending = EACH, .total = 2 * EACH);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (int i = 0; i < EACH; i++)
		close(network_accept(breaker.listener));
	ASSERT_CLUSTER(&breaker, IPV4, .total = 2 * EACH, .local = 2 * EACH, .fail = EACH, .cancelled = EACH);
	close(ready[0]);
	close(ready[1]);
	breaker_end(&breaker);
}

static void one_that_is_destroyed_from_outside_ends_locally_with_the_descriptor_open(void **state)
{
	struct breaker breaker;
	char command[128];
	int fd, peer;

	(void)state;
	breaker_make(&breaker);
	breaker_join(&breaker);
	fd = network_connected(NETWORK_IPV4, breaker.port);
	peer = network_accept(breaker.listener);
	snprintf(command, sizeof(command), "ss -K dst " NETWORK_IPV4 " dport = %u >/dev/null 2>&1", breaker.port);
	assert_int_equal(system(command), 0);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .local = 1);
	close(fd);
	close(peer);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .local = 1);
	breaker_end(&breaker);
}

#define FAR_IPV4 "198.51.100.130"
#define FAR_PORT 4711

/* In a namespace that ends with this process. */
static void serve_far_away(int ready, int told)
{
	struct sockaddr_storage address = network_address(FAR_IPV4, FAR_PORT);
	char byte;
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(write(ready, "n", 1), 1);
	assert_int_equal(read(told, &byte, 1), 1);
	assert_int_equal(system("ip address add " FAR_IPV4 "/25 dev far1 && ip link set far1 up"), 0);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(write(ready, "l", 1), 1);
	pause();
	_exit(1);
}

/* The server's process; it listens when this returns. */
static pid_t make_far_network(void)
{
	int ready[2], told[2];
	char byte, command[192];
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(told), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		serve_far_away(ready[1], told[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	snprintf(command, sizeof(command),
		 "ip link add far0 type veth peer name far1 netns %d && ip address add 198.51.100.129/25 dev far0 && "
		 "ip link set far0 up",
		 pid);
	assert_int_equal(system(command), 0);
	assert_int_equal(write(told[1], "x", 1), 1);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(told[i]);
	}
	return pid;
}

/* Its last packets never arrive, and nobody tells it: it drains until the kernel gives up. */
static void one_whose_network_is_gone_is_let_go_at_its_release(void **state)
{
	struct breaker breaker;
	int fd, status;
	pid_t pid;

	(void)state;
	breaker_make(&breaker);
	pid = make_far_network();
	breaker_join(&breaker);
	fd = network_connected(FAR_IPV4, FAR_PORT);
	breaker_leave(&breaker);
	assert_int_equal(system("ip link del far0"), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 1, .total = 1);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	close(fd);
	ASSERT_CLUSTER(&breaker, IPV4, .draining = 1, .total = 1, .local = 1);
	breaker_end(&breaker);
}

static void multipath_tcp_holds_one_lease_a_subflow(void **state)
{
	struct breaker breaker;
	uint16_t port;
	int listener, fd, peer;

	(void)state;
	breaker_make(&breaker);
	listener = network_listen(IPPROTO_MPTCP, 16, &port);
	breaker_join(&breaker);
	fd = network_socket(NETWORK_IPV4, SOCK_STREAM, IPPROTO_MPTCP);
	assert_int_equal(network_connect(fd, NETWORK_IPV4, port), 0);
	peer = network_accept(listener);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 1, .total = 1);
	close(fd);
	close(peer);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .local = 1);
	close(listener);
	breaker_end(&breaker);
}

static void fast_open_holds_a_lease_from_its_first_call(void **state)
{
	struct sockaddr_storage address;
	struct breaker breaker;
	int fd, one = 1;

	(void)state;
	breaker_make(&breaker);
	breaker_join(&breaker);
	address = network_address(NETWORK_IPV4, breaker.port);
	fd = network_socket(NETWORK_IPV4, SOCK_STREAM, 0);
	assert_int_equal(sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&address, sizeof(address)), 1);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 1, .total = 1);
	network_abort(fd);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .local = 1);

	/* connect() only notes the address; there is no SYN, and no event, before the first byte. */
	fd = network_socket(NETWORK_IPV4, SOCK_STREAM, 0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one)), 0);
	assert_int_equal(network_connect(fd, NETWORK_IPV4, breaker.port), 0);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 1, .total = 2, .local = 1);
	network_abort(fd);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 2, .local = 2);
	breaker_end(&breaker);
}

static void a_connected_udp_socket_is_a_session_of_its_own_gauge(void **state)
{
	struct breaker breaker;
	int fd;

	(void)state;
	breaker_make(&breaker);
	breaker.subject.ipv4.max_connections = 1;
	breaker_apply(&breaker);
	breaker_join(&breaker);
	fd = network_socket(NETWORK_IPV4, SOCK_DGRAM, 0);
	assert_int_equal(network_connect(fd, NETWORK_IPV4, 9), 0);
	ASSERT_CLUSTER(&breaker, IPV4, .sessions = 1);
	/* It keeps its place with another peer, and a connection has its own limit. */
	assert_int_equal(network_connect(fd, NETWORK_BLACK_HOLE, 9), 0);
	ASSERT_CLUSTER(&breaker, IPV4, .sessions = 1);
	network_abort(network_connected(NETWORK_IPV4, breaker.port));
	assert_int_equal(network_connect(network_socket(NETWORK_IPV4, SOCK_DGRAM, 0), NETWORK_IPV4, 9), ECONNREFUSED);
	assert_int_equal(breaker_slot(&breaker).counts.ipv4.cluster.sessions_overflow, 1);
	/* Loopback is exempt: the session ends. */
	assert_int_equal(network_connect(fd, "127.0.0.1", 9), 0);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .local = 1);
	assert_int_equal(network_connect(fd, NETWORK_IPV4, 9), 0);
	close(fd);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .local = 1);
	assert_int_equal(breaker_slot(&breaker).counts.ipv4.cluster.sessions_total, 2);
	breaker_end(&breaker);
}

static void mesh_and_exempt_traffic_holds_nothing(void **state)
{
	struct breaker breaker;
	int fd;

	(void)state;
	breaker_make(&breaker);
	scope_add(&breaker.scope, EG_CLASS_MESH, prefix_of(NETWORK_IPV4), 0, EG_PROTO_ANY);
	breaker.subject.ipv4.max_connections = 0;
	breaker_apply(&breaker);
	breaker_join(&breaker);
	fd = network_connected(NETWORK_IPV4, breaker.port);
	close(network_connected("127.0.0.1", breaker.port));
	ASSERT_CLUSTER(&breaker, IPV4, .total = 0);
	close(fd);
	eg_array_clear(&breaker.scope.rules);
	breaker_end(&breaker);
}

static void payload_is_counted_exactly_without_handshake_or_retransmission(void **state)
{
	enum {
		SENT = 100000,
		RECEIVED = 7
	};
	static char data[SENT];
	struct eg_cluster_counts counts;
	struct breaker breaker;
	ssize_t taken = 0, r;
	int fd, peer;

	(void)state;
	breaker_make(&breaker);
	breaker_join(&breaker);
	fd = network_connected(NETWORK_IPV4, breaker.port);
	peer = network_accept(breaker.listener);
	assert_int_equal(send(fd, data, SENT, 0), SENT);
	while (taken < SENT && (r = recv(peer, data, SENT, 0)) > 0)
		taken += r;
	assert_int_equal(send(peer, data, RECEIVED, 0), RECEIVED);
	assert_int_equal(recv(fd, data, RECEIVED, MSG_WAITALL), RECEIVED);
	network_close_pair(peer, fd);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .remote = 1);
	counts = breaker_slot(&breaker).counts.ipv4.cluster;
	assert_int_equal(counts.tx_bytes, SENT);
	assert_int_equal(counts.rx_bytes, RECEIVED);
	breaker_end(&breaker);
}

static void take(int peer, size_t wanted)
{
	static char data[1000];

	assert_true(wanted <= sizeof(data));
	assert_int_equal(recv(peer, data, wanted, MSG_WAITALL), wanted);
	close(peer);
}

static void a_socket_that_connects_again_has_all_of_its_payload_counted(void **state)
{
	static const size_t amounts[] = {1000, 300, 700};
	static char data[1000];
	struct breaker breaker;
	size_t sum = 0;
	int fd;

	(void)state;
	breaker_make(&breaker);
	breaker_join(&breaker);
	fd = network_socket(NETWORK_IPV4, SOCK_STREAM, 0);
	for (size_t i = 0; i < EG_COUNT_OF(amounts); i++) {
		assert_int_equal(network_connect(fd, NETWORK_IPV4, breaker.port), 0);
		assert_int_equal(send(fd, data, amounts[i], 0), amounts[i]);
		take(network_accept(breaker.listener), amounts[i]);
		network_disconnect(fd);
		sum += amounts[i];
		assert_int_equal(breaker_slot(&breaker).counts.ipv4.cluster.tx_bytes, sum);
	}
	close(fd);
	breaker_end(&breaker);
}

/* ---- limits ---- */

static void families_have_their_own_places_and_a_mapped_address_is_ipv4(void **state)
{
	struct breaker breaker;
	int first, second;

	(void)state;
	breaker_make(&breaker);
	breaker.subject.ipv4.max_connections = breaker.subject.ipv6.max_connections = 1;
	breaker_apply(&breaker);
	breaker_join(&breaker);
	first = network_connected(NETWORK_MAPPED, breaker.port);
	second = network_connected(NETWORK_IPV6, breaker.port);
	assert_int_equal(network_connect(network_socket(NETWORK_IPV4, SOCK_STREAM, 0), NETWORK_IPV4, breaker.port),
			 ECONNREFUSED);
	assert_int_equal(network_connect(network_socket(NETWORK_IPV6, SOCK_STREAM, 0), NETWORK_IPV6, breaker.port),
			 ECONNREFUSED);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 1, .total = 1);
	ASSERT_CLUSTER(&breaker, IPV6, .connections = 1, .total = 1);
	assert_int_equal(breaker_slot(&breaker).counts.ipv4.cluster.cx_overflow, 1);
	assert_int_equal(breaker_slot(&breaker).counts.ipv6.verdicts.blocked_max_connections, 1);
	network_abort(first);
	network_abort(second);
	ASSERT_CLUSTER(&breaker, IPV6, .total = 1, .local = 1);
	breaker_end(&breaker);
}

static void pending_connects_have_a_limit_and_established_ones_make_room(void **state)
{
	struct breaker breaker;
	int hanging;

	(void)state;
	breaker_make(&breaker);
	breaker.subject.ipv4.max_pending = 1;
	breaker.subject.breaker_errno = EAGAIN;
	breaker_apply(&breaker);
	breaker_join(&breaker);
	network_connected(NETWORK_IPV4, breaker.port);
	network_connected(NETWORK_IPV4, breaker.port);
	hanging = network_socket(NETWORK_IPV4, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(network_connect(hanging, NETWORK_BLACK_HOLE, 80), EINPROGRESS);
	assert_int_equal(network_connect(network_socket(NETWORK_IPV4, SOCK_STREAM, 0), NETWORK_IPV4, breaker.port),
			 EAGAIN);
	assert_int_equal(breaker_slot(&breaker).counts.ipv4.cluster.rq_pending_overflow, 1);
	close(hanging);
	network_connected(NETWORK_IPV4, breaker.port);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 3, .total = 4, .fail = 1, .cancelled = 1, .local = 1);
	breaker_end(&breaker);
}

static void requests_are_limited_only_where_a_policy_writes_it(void **state)
{
	struct breaker breaker;

	(void)state;
	breaker_make(&breaker);
	breaker.subject.ipv4.max_requests = 1;
	breaker_apply(&breaker);
	breaker_join(&breaker);
	network_connected(NETWORK_IPV4, breaker.port);
	network_connected(NETWORK_IPV4, breaker.port);
	breaker.subject.ipv4.flags = EG_CLUSTER_LIMITS_REQUESTS;
	breaker_apply(&breaker);
	assert_int_equal(network_connect(network_socket(NETWORK_IPV4, SOCK_STREAM, 0), NETWORK_IPV4, breaker.port),
			 ECONNREFUSED);
	assert_int_equal(breaker_slot(&breaker).counts.ipv4.cluster.rq_overflow, 1);
	/* Lowering a limit closes nothing. */
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 2, .total = 2);
	breaker_end(&breaker);
}

/* A connect to a destination that failed lately, in flight until it is established or has failed again. */
static void retries_are_limited_only_where_a_policy_writes_it(void **state)
{
	struct breaker breaker;
	uint16_t closed;
	int hanging;

	(void)state;
	breaker_make(&breaker);
	close(network_listen(0, 1, &closed));
	breaker.subject.ipv4.max_retries = 1;
	breaker.subject.ipv4.flags = EG_CLUSTER_LIMITS_RETRIES;
	breaker.subject.ipv4.connect_timeout_ms = 300;
	breaker_apply(&breaker);
	breaker_join(&breaker);
	assert_int_equal(network_connect(network_socket(NETWORK_IPV4, SOCK_STREAM, 0), NETWORK_BLACK_HOLE, 80),
			 ETIMEDOUT);
	assert_int_equal(network_connect(network_socket(NETWORK_IPV4, SOCK_STREAM, 0), NETWORK_IPV4, closed),
			 ECONNREFUSED);
	breaker.subject.ipv4.connect_timeout_ms = 10000;
	breaker_apply(&breaker);
	hanging = network_socket(NETWORK_IPV4, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(network_connect(hanging, NETWORK_BLACK_HOLE, 80), EINPROGRESS);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 1, .pending = 1, .retries = 1, .total = 3, .fail = 2,
		       .remote = 1, .local = 1, .timeout = 1);
	/* The second retry is one too many; a destination that did not fail is none. */
	assert_int_equal(network_connect(network_socket(NETWORK_IPV4, SOCK_STREAM, 0), NETWORK_IPV4, closed),
			 ECONNREFUSED);
	assert_int_equal(breaker_slot(&breaker).counts.ipv4.cluster.rq_retry_overflow, 1);
	network_connected(NETWORK_IPV4, breaker.port);
	close(hanging);
	assert_int_equal(breaker_slot(&breaker).state.ipv4.retries, 0);
	assert_int_equal(breaker_slot(&breaker).counts.ipv4.cluster.rq_retry, 1);
	breaker_end(&breaker);
}

/* A retry that is established is one no more, and neither is the next connect to its destination. */
static void a_destination_that_answers_again_is_forgotten(void **state)
{
	struct breaker breaker;
	struct sockaddr_storage address;
	uint16_t port;
	int server;

	(void)state;
	breaker_make(&breaker);
	close(network_listen(0, 1, &port));
	breaker.subject.ipv4.max_retries = 1;
	breaker.subject.ipv4.flags = EG_CLUSTER_LIMITS_RETRIES;
	breaker_apply(&breaker);
	server = network_socket(NETWORK_IPV4, SOCK_STREAM, 0);
	address = network_address(NETWORK_IPV4, port);
	assert_int_equal(bind(server, (struct sockaddr *)&address, sizeof(address)), 0);
	breaker_join(&breaker);
	assert_int_equal(network_connect(network_socket(NETWORK_IPV4, SOCK_STREAM, 0), NETWORK_IPV4, port),
			 ECONNREFUSED);
	assert_int_equal(listen(server, 8), 0);
	network_connected(NETWORK_IPV4, port);
	network_connected(NETWORK_IPV4, port);
	assert_int_equal(breaker_slot(&breaker).counts.ipv4.cluster.rq_retry, 1);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 2, .total = 3, .fail = 1, .remote = 1);
	close(server);
	breaker_end(&breaker);
}

/* ---- what could go wrong ---- */

static void a_lease_of_the_slots_last_owner_takes_nothing_from_the_next(void **state)
{
	struct breaker breaker;
	struct eg_maps maps;
	struct eg_retired retired;
	int old, new;

	(void)state;
	breaker_make(&breaker);
	maps = eg_datapath_maps(breaker.datapath);
	breaker_join(&breaker);
	old = network_connected(NETWORK_IPV4, breaker.port);
	assert_int_equal(eg_maps_retire_slot(&maps, BREAKER_SLOT), 0);
	assert_int_equal(eg_maps_read_retired(&maps, &retired), 0);
	assert_int_equal(retired.counts.ipv4.cluster.cx_total, 1);
	assert_int_equal(retired.counts.ipv4.cluster.closed_local, 1);
	new = network_connected(NETWORK_IPV4, breaker.port);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 1, .total = 1);
	network_abort(old);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = 1, .total = 1);
	network_abort(new);
	ASSERT_CLUSTER(&breaker, IPV4, .total = 1, .local = 1);
	breaker_end(&breaker);
}

/* Unprivileged: options of a socket count towards the memory that its storage would need. */
static void use_up_option_memory(int fd)
{
	struct ipv6_mreq group = {.ipv6mr_interface = 1};

	group.ipv6mr_multiaddr.s6_addr[0] = 0xff;
	group.ipv6mr_multiaddr.s6_addr[1] = 0x15;
	for (unsigned int i = 0; i < 1000000; i++) {
		memcpy(&group.ipv6mr_multiaddr.s6_addr[12], &i, sizeof(i));
		if (setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
			return;
	}
	fail_msg("the memory for socket options has no end");
}

static void a_socket_without_memory_for_options_gets_its_lease(void **state)
{
	struct breaker breaker;
	int fd;

	(void)state;
	breaker_make(&breaker);
	breaker_join(&breaker);
	fd = network_socket(NETWORK_IPV6, SOCK_DGRAM, 0);
	use_up_option_memory(fd);
	assert_int_equal(network_connect(fd, NETWORK_IPV6, 9), 0);
	ASSERT_CLUSTER(&breaker, IPV6, .sessions = 1);
	close(fd);
	breaker_end(&breaker);
}

/* Fewer places than sockets have homes: most stand elsewhere. */
#define FEW 8

static void a_lease_whose_home_is_taken_stands_elsewhere_and_is_found(void **state)
{
	struct breaker breaker;
	int fds[FEW];

	(void)state;
	breaker_make_small(&breaker, FEW);
	breaker_join(&breaker);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < FEW; i++)
			fds[i] = network_connected(NETWORK_IPV4, breaker.port);
		ASSERT_CLUSTER(&breaker, IPV4, .connections = FEW, .total = (round + 1) * FEW, .local = round * FEW);
		/* Every other one first: homes come free while others still stand elsewhere. */
		for (int i = 0; i < FEW; i++)
			network_abort(fds[(i * 2 + i / (FEW / 2)) % FEW]);
		ASSERT_CLUSTER(&breaker, IPV4, .total = (round + 1) * FEW, .local = (round + 1) * FEW);
	}
	breaker_end(&breaker);
}

static void a_table_without_a_free_place_refuses_under_a_reason_of_its_own(void **state)
{
	struct breaker breaker;
	int fds[FEW], late;

	(void)state;
	breaker_make_small(&breaker, FEW);
	breaker_join(&breaker);
	for (int i = 0; i < FEW; i++)
		fds[i] = network_connected(NETWORK_IPV4, breaker.port);
	late = network_socket(NETWORK_IPV4, SOCK_STREAM, 0);
	assert_int_equal(network_connect(late, NETWORK_IPV4, breaker.port), ECONNREFUSED);
	assert_int_equal(breaker_slot(&breaker).counts.ipv4.verdicts.blocked_no_state, 1);
	ASSERT_CLUSTER(&breaker, IPV4, .connections = FEW, .total = FEW);
	/* What needs no lease is not refused for want of it. */
	assert_int_equal(network_connect(late, "127.0.0.1", breaker.port), 0);
	close(late);
	network_abort(fds[0]);
	fds[0] = network_connected(NETWORK_IPV4, breaker.port);
	for (int i = 0; i < FEW; i++)
		network_abort(fds[i]);
	ASSERT_CLUSTER(&breaker, IPV4, .total = FEW + 1, .local = FEW + 1);
	breaker_end(&breaker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_is_held_until_its_process_closes_it),
		cmocka_unit_test(a_close_whose_event_another_program_has_taken_is_found_after_a_while),
		cmocka_unit_test(a_peer_that_closes_first_or_resets_is_the_remote_end),
		cmocka_unit_test(an_abort_and_a_close_with_unread_data_end_it_at_once),
		cmocka_unit_test(a_shutdown_that_both_sides_finish_ends_it_with_the_descriptor_open),
		cmocka_unit_test(of_a_close_from_both_sides_at_once_ours_is_the_first),
		cmocka_unit_test(a_refused_connect_fails_and_the_same_socket_may_try_again),
		cmocka_unit_test(a_connect_without_a_route_has_no_event_and_is_ended_by_the_next_one_or_the_release),
		cmocka_unit_test(a_connect_that_is_asked_again_while_it_goes_on_is_one),
		cmocka_unit_test(a_dissolved_association_ends_it_and_the_socket_may_be_used_again),
		cmocka_unit_test(a_descriptor_that_two_processes_share_is_let_go_by_the_last),
		cmocka_unit_test(a_killed_process_gives_back_what_it_held_and_what_it_was_connecting),
		cmocka_unit_test(one_that_is_destroyed_from_outside_ends_locally_with_the_descriptor_open),
		cmocka_unit_test(one_whose_network_is_gone_is_let_go_at_its_release),
		cmocka_unit_test(multipath_tcp_holds_one_lease_a_subflow),
		cmocka_unit_test(fast_open_holds_a_lease_from_its_first_call),
		cmocka_unit_test(a_connected_udp_socket_is_a_session_of_its_own_gauge),
		cmocka_unit_test(mesh_and_exempt_traffic_holds_nothing),
		cmocka_unit_test(payload_is_counted_exactly_without_handshake_or_retransmission),
		cmocka_unit_test(a_socket_that_connects_again_has_all_of_its_payload_counted),
		cmocka_unit_test(families_have_their_own_places_and_a_mapped_address_is_ipv4),
		cmocka_unit_test(pending_connects_have_a_limit_and_established_ones_make_room),
		cmocka_unit_test(requests_are_limited_only_where_a_policy_writes_it),
		cmocka_unit_test(retries_are_limited_only_where_a_policy_writes_it),
		cmocka_unit_test(a_destination_that_answers_again_is_forgotten),
		cmocka_unit_test(a_lease_of_the_slots_last_owner_takes_nothing_from_the_next),
		cmocka_unit_test(a_socket_without_memory_for_options_gets_its_lease),
		cmocka_unit_test(a_lease_whose_home_is_taken_stands_elsewhere_and_is_found),
		cmocka_unit_test(a_table_without_a_free_place_refuses_under_a_reason_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
