/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Connections that are open when a policy comes that forbids them: what the guard lets
 * pass until when, and what the walk says that is to become of them. Sockets are made in
 * the cgroup before it is enrolled; deadlines are written, and nobody waits for them.
 */
#include "support.h"

#include <bpf/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "../lib/support/guarded.h"
#include "../lib/support/image.h"
#include "../lib/support/network.h"
#include "base/clock.h"
#include "datapath/uncounted.h"
#include "datapath/walk.h"
#include "forbidden.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define HOUR_NS 3600000000000ull

struct graced {
	struct guarded guarded;
	int tcp, tcp_peer;
	int mapped, mapped_peer;
	int udp, udp_peer;
	int allowed, allowed_peer;
};

static int udp_pair(const char *address, int *ret_peer)
{
	struct sockaddr_storage own = network_address(address, 0);
	int fd = network_socket(address, SOCK_DGRAM, 0);
	socklen_t len = sizeof(own);

	*ret_peer = network_socket(address, SOCK_DGRAM, 0);
	assert_int_equal(bind(*ret_peer, (struct sockaddr *)&own,
			      own.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)),
			 0);
	assert_int_equal(getsockname(*ret_peer, (struct sockaddr *)&own, &len), 0);
	/* The port stands at the same place for both families. */
	assert_int_equal(network_connect(fd, address, ntohs(((struct sockaddr_in *)&own)->sin_port)), 0);
	return fd;
}

static void graced_make(struct graced *graced)
{
	guarded_make(&graced->guarded);
	graced->tcp = network_connected(NETWORK_IPV4, graced->guarded.port);
	graced->tcp_peer = network_accept(graced->guarded.listener);
	graced->mapped = network_connected(NETWORK_MAPPED, graced->guarded.port);
	graced->mapped_peer = network_accept(graced->guarded.listener);
	graced->allowed = network_connected(NETWORK_IPV6, graced->guarded.port);
	graced->allowed_peer = network_accept(graced->guarded.listener);
	graced->udp = udp_pair(NETWORK_IPV4, &graced->udp_peer);
	scope_add(&graced->guarded.mesh, EG_CLASS_MESH, prefix_of(NETWORK_IPV6), 0, EG_PROTO_ANY);
}

static void graced_end(struct graced *graced)
{
	network_abort(graced->tcp);
	network_abort(graced->mapped);
	network_abort(graced->allowed);
	close(graced->tcp_peer);
	close(graced->mapped_peer);
	close(graced->allowed_peer);
	close(graced->udp);
	close(graced->udp_peer);
	guarded_end(&graced->guarded);
}

static void apply_passthrough(struct graced *graced)
{
	struct eg_subject subject = subject_of(SLOT, &graced->guarded.mesh);

	subject.passthrough = true;
	image_apply(graced->guarded.datapath, &subject);
}

/* Passthrough false: what it forbids goes on until then. */
static void apply_until(struct graced *graced, uint64_t until_ns, __u32 more_flags)
{
	struct eg_subject subject = subject_of(SLOT, &graced->guarded.mesh);
	struct eg_image *image = image_of(&subject);
	struct eg_workload_policy *policy = image->tables[EG_TABLE_WORKLOADS].values;

	assert_int_equal(image->tables[EG_TABLE_WORKLOADS].count, 1);
	policy->grace_until_ns = until_ns;
	policy->flags |= more_flags;
	assert_int_equal(eg_datapath_apply(graced->guarded.datapath, &image), 0);
}

static void enrol_until(struct graced *graced, uint64_t until_ns, __u32 more_flags)
{
	struct guarded *guarded = &graced->guarded;

	apply_until(graced, until_ns, more_flags);
	assert_int_equal(eg_datapath_enrol(guarded->datapath, guarded->cgroup.fd, SLOT, &guarded->links), 0);
}

static struct eg_known known_of(const struct graced *graced, int fd)
{
	struct eg_known known = {};

	if (bpf_map_lookup_elem(eg_datapath_map_fd(graced->guarded.datapath, "eg_known"), &fd, &known) < 0)
		assert_int_equal(errno, ENOENT);
	return known;
}

/* As if its time had been over for long. */
static void end_time_of(const struct graced *graced, int fd)
{
	struct eg_known known = known_of(graced, fd);

	assert_true(known.until_ns > 0);
	known.until_ns = 1;
	assert_int_equal(bpf_map_update_elem(eg_datapath_map_fd(graced->guarded.datapath, "eg_known"), &fd, &known,
					     BPF_EXIST),
			 0);
}

static bool passes(int fd, int peer)
{
	char byte;

	assert_int_equal(send(fd, "x", 1, 0), 1);
	return guarded_hears(peer) && recv(peer, &byte, 1, 0) == 1;
}

static void what_is_open_and_forbidden_goes_on_for_its_time_and_what_is_new_or_raw_does_not(void **state)
{
	struct graced graced;
	int raw;

	(void)state;
	graced_make(&graced);
	raw = network_socket(NETWORK_IPV4, SOCK_RAW, 253);
	enrol_until(&graced, eg_now_ns() + HOUR_NS, 0);
	assert_true(passes(graced.tcp, graced.tcp_peer));
	assert_true(passes(graced.mapped, graced.mapped_peer));
	assert_true(passes(graced.udp, graced.udp_peer));
	assert_int_equal(guarded_counts(&graced.guarded).ipv4.verdicts.blocked_guard, 0);
	assert_int_equal(guarded_send(raw, NETWORK_IPV4, 0), EPERM);
	assert_int_equal(network_connect(network_socket(NETWORK_IPV4, SOCK_STREAM, 0), NETWORK_IPV4, graced.guarded.port),
			 EPERM);
	end_time_of(&graced, graced.tcp);
	end_time_of(&graced, graced.udp);
	assert_int_equal(send(graced.udp, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_false(passes(graced.tcp, graced.tcp_peer));
	assert_true(passes(graced.mapped, graced.mapped_peer));
	close(raw);
	graced_end(&graced);
}

static void a_later_policy_gives_no_more_time_and_one_that_allows_it_begins_anew(void **state)
{
	uint64_t first = eg_now_ns() + HOUR_NS, second = first + HOUR_NS;
	struct graced graced;

	(void)state;
	graced_make(&graced);
	enrol_until(&graced, first, 0);
	assert_true(passes(graced.udp, graced.udp_peer));
	assert_int_equal(known_of(&graced, graced.udp).until_ns, first);
	apply_until(&graced, second, 0);
	assert_true(passes(graced.udp, graced.udp_peer));
	assert_int_equal(known_of(&graced, graced.udp).until_ns, first);
	/* One that sent nothing before is in nobody's debt. */
	assert_true(passes(graced.tcp, graced.tcp_peer));
	assert_int_equal(known_of(&graced, graced.tcp).until_ns, second);
	scope_add(&graced.guarded.mesh, EG_CLASS_MESH, prefix_of(NETWORK_IPV4), 0, EG_PROTO_ANY);
	apply_until(&graced, second, 0);
	assert_true(passes(graced.udp, graced.udp_peer));
	assert_int_equal(known_of(&graced, graced.udp).until_ns, 0);
	graced_end(&graced);
}

/* The fate of a socket of this test; EG_FATE_NONE also where no walk names it. */
static enum eg_fate fate_of(struct graced *graced, int fd)
{
	struct eg_walk walk = {};
	enum eg_fate fate = EG_FATE_NONE;
	uint64_t cookie;
	socklen_t len = sizeof(cookie);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
	assert_int_equal(eg_datapath_list_forbidden(graced->guarded.datapath, &walk), 0);
	for (size_t i = 0; i < walk.sockets.len; i++)
		if (walk.sockets.items[i].cookie == cookie && eg_uncounted_is_outbound(&walk, &walk.sockets.items[i]))
			fate = walk.sockets.items[i].fate;
	eg_walk_clear(&walk);
	return fate;
}

/* What is not pinned is in no table of enrolled cgroups, where walks look. */
static void let_walks_know(const struct graced *graced)
{
	struct stat st;
	__u32 slot = SLOT;
	__u64 id;

	assert_int_equal(fstat(graced->guarded.cgroup.fd, &st), 0);
	id = st.st_ino;
	assert_int_equal(bpf_map_update_elem(eg_datapath_map_fd(graced->guarded.datapath, "eg_enrolled"), &id, &slot,
					     BPF_ANY),
			 0);
}

static void the_walk_names_what_is_open_and_forbidden_with_its_fate_and_no_answers(void **state)
{
	struct graced graced;
	int listener, client, accepted;
	uint16_t port;

	(void)state;
	graced_make(&graced);
	listener = network_listen(0, 8, &port);
	guarded_move(graced.guarded.home);
	client = network_connected(NETWORK_IPV4, port);
	guarded_join(&graced.guarded);
	accepted = network_accept(listener);
	close(listener);
	enrol_until(&graced, eg_now_ns() + HOUR_NS, 0);
	let_walks_know(&graced);
	assert_int_equal(fate_of(&graced, graced.tcp), EG_FATE_WAITS);
	assert_int_equal(fate_of(&graced, graced.mapped), EG_FATE_WAITS);
	assert_int_equal(fate_of(&graced, graced.udp), EG_FATE_WAITS);
	assert_int_equal(fate_of(&graced, graced.allowed), EG_FATE_NONE);
	assert_int_equal(fate_of(&graced, accepted), EG_FATE_NONE);
	end_time_of(&graced, graced.tcp);
	assert_int_equal(fate_of(&graced, graced.tcp), EG_FATE_ENDS);
	assert_int_equal(fate_of(&graced, graced.udp), EG_FATE_WAITS);
	/* The mark goes with the first policy that allows it, packets or not. */
	scope_add(&graced.guarded.mesh, EG_CLASS_MESH, prefix_of(NETWORK_IPV4), 0, EG_PROTO_ANY);
	apply_until(&graced, 0, 0);
	assert_int_equal(fate_of(&graced, graced.tcp), EG_FATE_NONE);
	assert_int_equal(known_of(&graced, graced.tcp).until_ns, 0);
	close(client);
	close(accepted);
	graced_end(&graced);
}

/* The guard sees nothing while everything may leave: a look does. */
static void a_deadline_ends_with_a_look_while_everything_may_leave_and_the_next_policy_gives_one_of_its_own(void **state)
{
	uint64_t first = eg_now_ns() + HOUR_NS, second = first + HOUR_NS;
	struct graced graced;

	(void)state;
	graced_make(&graced);
	enrol_until(&graced, first, 0);
	let_walks_know(&graced);
	assert_true(passes(graced.udp, graced.udp_peer));
	assert_int_equal(fate_of(&graced, graced.tcp), EG_FATE_WAITS);
	end_time_of(&graced, graced.tcp);
	apply_passthrough(&graced);
	assert_int_equal(fate_of(&graced, graced.tcp), EG_FATE_NONE);
	apply_until(&graced, second, 0);
	assert_int_equal(fate_of(&graced, graced.tcp), EG_FATE_WAITS);
	assert_int_equal(known_of(&graced, graced.tcp).until_ns, second);
	assert_true(passes(graced.udp, graced.udp_peer));
	assert_int_equal(known_of(&graced, graced.udp).until_ns, second);
	graced_end(&graced);
}

/* A peer outside, where no hook of the workload's judges what it sends. */
static int pair_with_outside(const struct guarded *guarded, const char *address, int *ret_peer)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int fd, inside;

	fd = udp_pair(address, &inside);
	assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
	close(inside);
	guarded_move(guarded->home);
	*ret_peer = network_socket(address, SOCK_DGRAM, 0);
	assert_int_equal(bind(*ret_peer, (struct sockaddr *)&peer, len), 0);
	guarded_join(guarded);
	return fd;
}

static void answer_from_outside(const struct guarded *guarded, int peer, int fd)
{
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	char byte;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &len), 0);
	/* The LSM's programs look at who sends, all others at where the socket was made. */
	guarded_move(guarded->home);
	assert_int_equal(sendto(peer, "y", 1, 0, (struct sockaddr *)&own, len), 1);
	guarded_join(guarded);
	assert_true(guarded_hears(fd));
	assert_int_equal(recv(fd, &byte, 1, 0), 1);
}

static void a_session_whose_peer_answers_has_no_more_time_than_any_other(void **state)
{
	static const char *const addresses[] = {NETWORK_IPV4, NETWORK_IPV6, NETWORK_MAPPED};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(addresses); i++) {
		struct graced graced;
		int fd, peer;

		guarded_make(&graced.guarded);
		fd = pair_with_outside(&graced.guarded, addresses[i], &peer);
		enrol_until(&graced, eg_now_ns() + HOUR_NS, 0);
		let_walks_know(&graced);
		assert_true(passes(fd, peer));
		answer_from_outside(&graced.guarded, peer, fd);
		assert_true(passes(fd, peer));
		assert_int_equal(fate_of(&graced, fd), EG_FATE_WAITS);
		end_time_of(&graced, fd);
		answer_from_outside(&graced.guarded, peer, fd);
		assert_int_equal(fate_of(&graced, fd), EG_FATE_ENDS);
		assert_int_equal(send(fd, "x", 1, 0), -1);
		assert_int_equal(errno, EPERM);
		close(fd);
		close(peer);
		guarded_end(&graced.guarded);
	}
}

static uint16_t peer_port(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
	return ntohs(((struct sockaddr_in *)&peer)->sin_port);
}

/* send() to a mapped peer, and whatever names an address, comes by a hook that would refuse it. */
static void a_session_goes_on_also_where_a_hook_sees_each_datagram(void **state)
{
	static const char *const addresses[] = {NETWORK_IPV4, NETWORK_IPV6, NETWORK_MAPPED};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(addresses); i++) {
		struct eg_slot_counts counts;
		struct graced graced;
		uint16_t port;
		int fd, peer;
		char byte;

		guarded_make(&graced.guarded);
		fd = pair_with_outside(&graced.guarded, addresses[i], &peer);
		port = peer_port(fd);
		enrol_until(&graced, eg_now_ns() + HOUR_NS, EG_WORKLOAD_KEEPS);
		let_walks_know(&graced);
		assert_true(passes(fd, peer));
		assert_int_equal(guarded_send(fd, addresses[i], port), 0);
		assert_true(guarded_hears(peer) && recv(peer, &byte, 1, 0) == 1);
		counts = guarded_counts(&graced.guarded);
		assert_int_equal(counts.ipv4.verdicts.blocked_passthrough_off + counts.ipv6.verdicts.blocked_passthrough_off, 0);
		assert_int_equal(guarded_send(fd, addresses[i], 9), EPERM);
		counts = guarded_counts(&graced.guarded);
		assert_int_equal(counts.ipv4.verdicts.blocked_passthrough_off + counts.ipv6.verdicts.blocked_passthrough_off, 1);
		end_time_of(&graced, fd);
		assert_int_equal(guarded_send(fd, addresses[i], port), EPERM);
		assert_int_equal(fate_of(&graced, fd), EG_FATE_KEPT);
		assert_int_equal(guarded_send(fd, addresses[i], port), 0);
		assert_true(passes(fd, peer));
		close(fd);
		close(peer);
		guarded_end(&graced.guarded);
	}
}

static void a_connection_of_mptcp_goes_on_too_and_is_named_though_the_kernel_destroys_none(void **state)
{
	struct graced graced;
	int mptcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP), peer;

	(void)state;
	if (mptcp < 0) {
		print_message("# skip: this kernel has no MPTCP\n");
		skip();
	}
	close(mptcp);
	graced_make(&graced);
	mptcp = network_socket(NETWORK_IPV4, SOCK_STREAM, IPPROTO_MPTCP);
	assert_int_equal(network_connect(mptcp, NETWORK_IPV4, graced.guarded.port), 0);
	peer = network_accept(graced.guarded.listener);
	enrol_until(&graced, eg_now_ns() + HOUR_NS, 0);
	let_walks_know(&graced);
	assert_true(passes(mptcp, peer));
	assert_int_equal(fate_of(&graced, mptcp), EG_FATE_WAITS);
	close(mptcp);
	close(peer);
	graced_end(&graced);
}

static void a_connection_of_mptcp_is_kept_with_its_subflows(void **state)
{
	/* To the second it falls back to plain TCP. */
	static const int peers[] = {IPPROTO_MPTCP, 0};
	int mptcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);

	(void)state;
	if (mptcp < 0) {
		print_message("# skip: this kernel has no MPTCP\n");
		skip();
	}
	close(mptcp);
	for (size_t i = 0; i < EG_COUNT_OF(peers); i++) {
		struct graced graced;
		int listener, peer;
		uint16_t port;

		graced_make(&graced);
		listener = network_listen(peers[i], 8, &port);
		mptcp = network_socket(NETWORK_IPV4, SOCK_STREAM, IPPROTO_MPTCP);
		assert_int_equal(network_connect(mptcp, NETWORK_IPV4, port), 0);
		peer = network_accept(listener);
		enrol_until(&graced, eg_now_ns() + HOUR_NS, EG_WORKLOAD_KEEPS);
		let_walks_know(&graced);
		assert_int_equal(fate_of(&graced, mptcp), EG_FATE_KEPT);
		apply_until(&graced, 0, 0);
		assert_true(passes(mptcp, peer));
		assert_int_equal(guarded_counts(&graced.guarded).ipv4.verdicts.blocked_guard, 0);
		close(mptcp);
		close(peer);
		close(listener);
		graced_end(&graced);
	}
}

static void what_is_kept_goes_on_until_its_end_or_its_next_connect(void **state)
{
	struct graced graced;

	(void)state;
	graced_make(&graced);
	enrol_until(&graced, eg_now_ns() + HOUR_NS, EG_WORKLOAD_KEEPS);
	let_walks_know(&graced);
	assert_int_equal(fate_of(&graced, graced.tcp), EG_FATE_KEPT);
	/* Both were marked by the first look. */
	assert_int_equal(fate_of(&graced, graced.udp), EG_FATE_NONE);
	apply_until(&graced, 0, 0);
	assert_true(passes(graced.tcp, graced.tcp_peer));
	assert_true(passes(graced.udp, graced.udp_peer));
	assert_int_equal(fate_of(&graced, graced.tcp), EG_FATE_NONE);
	/* A refused connect leaves it its peer; one that was disconnected has none any more. */
	assert_int_equal(network_connect(graced.udp, NETWORK_IPV4, 9), EPERM);
	assert_true(passes(graced.udp, graced.udp_peer));
	network_disconnect(graced.udp);
	assert_int_equal(network_connect(graced.udp, NETWORK_IPV4, 9), EPERM);
	assert_int_equal(guarded_send(graced.udp, NETWORK_IPV4, 9), EPERM);
	assert_int_equal(guarded_counts(&graced.guarded).ipv4.verdicts.blocked_guard, 0);
	graced_end(&graced);
}

/* In a thread of its own, where no program can be run: a filter of system calls stays until the end of who has it. */
static void *look_and_count_nothing(void *context)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_bpf, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, BPF_PROG_TEST_RUN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = EG_COUNT_OF(filter), .filter = filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
		eg_forbidden_run(context);
	return NULL;
}

static void an_end_that_could_not_be_counted_is_counted_with_the_next_look(void **state)
{
	struct eg_forbidden forbidden = {.is_due = true};
	struct graced graced;
	pthread_t thread;

	(void)state;
	graced_make(&graced);
	forbidden.datapath = graced.guarded.datapath;
	enrol_until(&graced, eg_now_ns() + HOUR_NS, 0);
	let_walks_know(&graced);
	assert_int_equal(fate_of(&graced, graced.tcp), EG_FATE_WAITS);
	end_time_of(&graced, graced.tcp);
	end_time_of(&graced, graced.mapped);
	assert_int_equal(pthread_create(&thread, NULL, look_and_count_nothing, &forbidden), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(fate_of(&graced, graced.tcp), EG_FATE_NONE);
	assert_int_equal(fate_of(&graced, graced.mapped), EG_FATE_NONE);
	assert_int_equal(forbidden.seen.ended, 2);
	assert_int_equal(guarded_counts(&graced.guarded).ended_by_policy, 0);
	assert_true(eg_forbidden_run(&forbidden));
	assert_int_equal(guarded_counts(&graced.guarded).ended_by_policy, 2);
	assert_true(eg_forbidden_run(&forbidden));
	assert_int_equal(forbidden.seen.ended, 2);
	assert_int_equal(guarded_counts(&graced.guarded).ended_by_policy, 2);
	graced_end(&graced);
}

static void a_refused_connect_that_another_program_lets_go_on_is_not_kept(void **state)
{
	struct graced graced;
	int tcp, udp, link;

	(void)state;
	graced_make(&graced);
	enrol_until(&graced, eg_now_ns() + HOUR_NS, EG_WORKLOAD_KEEPS);
	let_walks_know(&graced);
	link = guarded_undo(&graced.guarded, BPF_CGROUP_INET4_CONNECT);
	tcp = network_socket(NETWORK_IPV4, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(network_connect(tcp, NETWORK_IPV4, graced.guarded.port), EINPROGRESS);
	udp = network_socket(NETWORK_IPV4, SOCK_DGRAM, 0);
	assert_int_equal(network_connect(udp, NETWORK_IPV4, 9), 0);
	assert_int_equal(fate_of(&graced, tcp), EG_FATE_WAITS);
	assert_int_equal(fate_of(&graced, udp), EG_FATE_WAITS);
	assert_int_equal(send(udp, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_true(known_of(&graced, graced.tcp).flags & EG_KNOWN_KEPT);
	assert_false(known_of(&graced, tcp).flags & EG_KNOWN_KEPT);
	close(link);
	close(tcp);
	close(udp);
	graced_end(&graced);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_open_and_forbidden_goes_on_for_its_time_and_what_is_new_or_raw_does_not),
		cmocka_unit_test(a_later_policy_gives_no_more_time_and_one_that_allows_it_begins_anew),
		cmocka_unit_test(the_walk_names_what_is_open_and_forbidden_with_its_fate_and_no_answers),
		cmocka_unit_test(a_deadline_ends_with_a_look_while_everything_may_leave_and_the_next_policy_gives_one_of_its_own),
		cmocka_unit_test(a_session_whose_peer_answers_has_no_more_time_than_any_other),
		cmocka_unit_test(a_session_goes_on_also_where_a_hook_sees_each_datagram),
		cmocka_unit_test(a_connection_of_mptcp_goes_on_too_and_is_named_though_the_kernel_destroys_none),
		cmocka_unit_test(a_connection_of_mptcp_is_kept_with_its_subflows),
		cmocka_unit_test(what_is_kept_goes_on_until_its_end_or_its_next_connect),
		cmocka_unit_test(an_end_that_could_not_be_counted_is_counted_with_the_next_look),
		cmocka_unit_test(a_refused_connect_that_another_program_lets_go_on_is_not_kept),
	};

	return cmocka_run_group_tests_name("grace", tests, NULL, NULL);
}
