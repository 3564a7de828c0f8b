/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Connected UDP sockets that connect again: a session ends when its socket loses the
 * peer that it has, and not when a connect to another one is refused. The network is a
 * namespace of the test's own.
 */
#include "support.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <string.h>

#include "../lib/support/breaker.h"
#include "../lib/support/image.h"
#include "../lib/support/network.h"
#include "base/cleanup.h"

/* What the sessions of a cluster are expected to show; what is left out is 0. No padding: it is compared as bytes. */
struct expected {
	uint64_t now, total, overflow, without_event;
};

#define ASSERT_SESSIONS(breaker, family, ...) \
	assert_sessions_are(breaker, EG_FAMILY_##family, &(struct expected){__VA_ARGS__}, __FILE__, __LINE__)

static void print_expected(const char *what, const struct expected *values)
{
	print_error("%s: now %lu total %lu overflow %lu without_event %lu\n", what, values->now, values->total,
		    values->overflow, values->without_event);
}

static void assert_sessions_are(const struct breaker *breaker, enum eg_family family, const struct expected *expected,
				const char *file, int line)
{
	struct eg_slot slot = breaker_slot(breaker);
	bool ipv4 = family == EG_FAMILY_IPV4;
	const struct eg_cluster_counts *counts = ipv4 ? &slot.counts.ipv4.cluster : &slot.counts.ipv6.cluster;
	const struct expected found = {
		.now = ipv4 ? slot.state.ipv4.sessions : slot.state.ipv6.sessions,
		.total = counts->sessions_total,
		.overflow = counts->sessions_overflow,
		.without_event = counts->without_event,
	};

	if (memcmp(&found, expected, sizeof(found)) == 0)
		return;
	print_expected("expected", expected);
	print_expected("found   ", &found);
	_fail(file, line);
}

static int session(const char *address)
{
	int fd = network_socket(address, SOCK_DGRAM, 0);

	assert_int_equal(network_connect(fd, address, 9), 0);
	return fd;
}

static void set_limits(struct breaker *breaker, uint32_t ipv4, uint32_t ipv6)
{
	breaker->subject.ipv4.max_connections = ipv4;
	breaker->subject.ipv6.max_connections = ipv6;
	breaker_apply(breaker);
}

/* ---- refused: the socket keeps its peer ---- */

static void a_session_whose_next_peer_is_blocked_goes_on_with_the_one_that_it_has(void **state)
{
	struct breaker breaker;
	int fd;

	(void)state;
	breaker_make(&breaker);
	breaker_join(&breaker);
	fd = session(NETWORK_IPV4);
	breaker.subject.passthrough = false;
	breaker_apply(&breaker);
	assert_int_equal(network_connect(fd, NETWORK_BLACK_HOLE, 9), EPERM);
	ASSERT_SESSIONS(&breaker, IPV4, .now = 1, .total = 1);
	close(fd);
	ASSERT_SESSIONS(&breaker, IPV4, .total = 1);
	breaker_end(&breaker);
}

/* Refuses every connect to an IPv4 address, before the programs of the cgroups above are asked. */
static void refuse_all(int cgroup_fd)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_CGROUP_INET4_CONNECT);
	_cleanup_close_ int fd = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "refuse_all", "GPL", insns,
					       EG_COUNT_OF(insns), &options);

	assert_true(fd >= 0);
	/* It ends with its cgroup. */
	assert_int_equal(bpf_prog_attach(fd, cgroup_fd, BPF_CGROUP_INET4_CONNECT, BPF_F_ALLOW_MULTI), 0);
}

static void a_session_goes_on_when_a_program_below_refuses_its_next_peer(void **state)
{
	struct breaker breaker, below;
	int fd;

	(void)state;
	breaker_make(&breaker);
	below = breaker;
	below.cgroup = cgroup_make_below(breaker.cgroup.path, "below");
	breaker_join(&below);
	fd = session(NETWORK_IPV4);
	refuse_all(below.cgroup.fd);
	assert_int_equal(network_connect(fd, NETWORK_BLACK_HOLE, 9), EPERM);
	ASSERT_SESSIONS(&breaker, IPV4, .now = 1, .total = 1);
	/* Nor does it end for one that would need no lease. */
	assert_int_equal(network_connect(fd, "127.0.0.1", 9), EPERM);
	ASSERT_SESSIONS(&breaker, IPV4, .now = 1, .total = 1);
	close(fd);
	ASSERT_SESSIONS(&breaker, IPV4, .total = 1);
	breaker_leave(&breaker);
	cgroup_end(&below.cgroup);
	breaker_end(&breaker);
}

static void a_session_keeps_its_place_when_the_other_family_has_none_for_it(void **state)
{
	struct breaker breaker;
	int fd;

	(void)state;
	breaker_make(&breaker);
	set_limits(&breaker, 0, 1);
	breaker_join(&breaker);
	fd = session(NETWORK_IPV6);
	assert_int_equal(network_connect(fd, NETWORK_MAPPED, 9), ECONNREFUSED);
	ASSERT_SESSIONS(&breaker, IPV4, .overflow = 1);
	ASSERT_SESSIONS(&breaker, IPV6, .now = 1, .total = 1);
	set_limits(&breaker, 1, 1);
	assert_int_equal(network_connect(fd, NETWORK_MAPPED, 9), 0);
	ASSERT_SESSIONS(&breaker, IPV4, .now = 1, .total = 1, .overflow = 1);
	ASSERT_SESSIONS(&breaker, IPV6, .total = 1);
	close(fd);
	ASSERT_SESSIONS(&breaker, IPV4, .total = 1, .overflow = 1);
	ASSERT_SESSIONS(&breaker, IPV6, .total = 1);
	breaker_end(&breaker);
}

/* ---- what it holds is of no use to it any more ---- */

static void a_session_of_the_slots_last_owner_takes_a_place_with_the_next(void **state)
{
	struct breaker breaker;
	struct eg_maps maps;
	int fd;

	(void)state;
	breaker_make(&breaker);
	maps = eg_datapath_maps(breaker.datapath);
	set_limits(&breaker, 1, 1);
	breaker_join(&breaker);
	fd = session(NETWORK_IPV4);
	assert_int_equal(eg_maps_retire_slot(&maps, BREAKER_SLOT), 0);
	ASSERT_SESSIONS(&breaker, IPV4, .now = 0);
	assert_int_equal(network_connect(fd, NETWORK_BLACK_HOLE, 9), 0);
	ASSERT_SESSIONS(&breaker, IPV4, .now = 1, .total = 1);
	assert_int_equal(network_connect(network_socket(NETWORK_IPV4, SOCK_DGRAM, 0), NETWORK_IPV4, 9), ECONNREFUSED);
	close(fd);
	ASSERT_SESSIONS(&breaker, IPV4, .total = 1, .overflow = 1);
	breaker_end(&breaker);
}

/* The sweep ends what has no peer: it must not take the lease of a connect that is under way for the one before. */
static void a_socket_that_was_disconnected_begins_a_session_anew(void **state)
{
	struct breaker breaker;
	int fd;

	(void)state;
	breaker_make(&breaker);
	set_limits(&breaker, 1, 1);
	breaker_join(&breaker);
	fd = session(NETWORK_IPV4);
	network_disconnect(fd);
	/* Nobody hears of that; its old place is free for its new one. */
	ASSERT_SESSIONS(&breaker, IPV4, .now = 1, .total = 1);
	assert_int_equal(network_connect(fd, NETWORK_IPV4, 9), 0);
	ASSERT_SESSIONS(&breaker, IPV4, .now = 1, .total = 2, .without_event = 1);
	close(fd);
	ASSERT_SESSIONS(&breaker, IPV4, .total = 2, .without_event = 1);
	breaker_end(&breaker);
}

static void a_socket_that_was_disconnected_holds_nothing_after_a_refused_connect(void **state)
{
	struct breaker breaker;
	int fd;

	(void)state;
	breaker_make(&breaker);
	breaker_join(&breaker);
	fd = session(NETWORK_IPV4);
	network_disconnect(fd);
	set_limits(&breaker, 0, 0);
	assert_int_equal(network_connect(fd, NETWORK_IPV4, 9), ECONNREFUSED);
	ASSERT_SESSIONS(&breaker, IPV4, .total = 1, .overflow = 1, .without_event = 1);
	close(fd);
	ASSERT_SESSIONS(&breaker, IPV4, .total = 1, .overflow = 1, .without_event = 1);
	breaker_end(&breaker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_whose_next_peer_is_blocked_goes_on_with_the_one_that_it_has),
		cmocka_unit_test(a_session_goes_on_when_a_program_below_refuses_its_next_peer),
		cmocka_unit_test(a_session_keeps_its_place_when_the_other_family_has_none_for_it),
		cmocka_unit_test(a_session_of_the_slots_last_owner_takes_a_place_with_the_next),
		cmocka_unit_test(a_socket_that_was_disconnected_begins_a_session_anew),
		cmocka_unit_test(a_socket_that_was_disconnected_holds_nothing_after_a_refused_connect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
