/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The guard's programs of the BPF LSM: families that no hook of a cgroup sees, and
 * sockets that were made outside the workload. A kernel either takes them, and what they
 * refuse is tried, or does not, and what there is without them is.
 */
#include "support.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/support/cgroup.h"
#include "../lib/support/guarded.h"
#include "../lib/support/network.h"
#include "base/cleanup.h"
#include "datapath/lsm.h"

#define LSM_PROGRAMS 3u
/* Not one of the protocols that a kernel knows: RFC 3692 keeps it for experiments. */
#define EXPERIMENT 253

/* ---- where the kernel takes them ---- */

static void families_that_lead_to_a_network_are_refused_and_local_ones_are_not(void **state)
{
	static const int refused[] = {AF_PACKET, AF_XDP, AF_VSOCK, AF_TIPC, AF_RDS, AF_CAN, AF_RXRPC, AF_BLUETOOTH};
	static const int local[] = {AF_UNIX, AF_NETLINK, AF_INET, AF_INET6, AF_ALG, AF_KEY, AF_KCM, AF_SMC};
	struct guarded guarded;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, false);
	for (size_t i = 0; i < EG_COUNT_OF(refused); i++)
		assert_int_equal(guarded_try(refused[i], SOCK_DGRAM, 0), EPERM);
	assert_int_equal(guarded_try(AF_PACKET, SOCK_RAW, 0), EPERM);
	/* The kernel at hand may lack a family, or the type. */
	for (size_t i = 0; i < EG_COUNT_OF(local); i++)
		assert_int_not_equal(guarded_try(local[i], SOCK_DGRAM, 0), EPERM);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_protocol, EG_COUNT_OF(refused) + 1);
	guarded_end(&guarded);
}

static void a_family_that_the_workload_allows_is_not_refused(void **state)
{
	struct guarded guarded;

	(void)state;
	guarded_make(&guarded);
	guarded.protocols = EG_PROTO_PACKET;
	guarded_enrol(&guarded, false);
	assert_int_equal(guarded_try(AF_PACKET, SOCK_RAW, 0), 0);
	assert_int_equal(guarded_try(AF_VSOCK, SOCK_STREAM, 0), EPERM);
	guarded_end(&guarded);
}

static void a_packet_socket_that_was_there_before_sends_nothing(void **state)
{
	struct sockaddr_ll loopback = {.sll_family = AF_PACKET, .sll_protocol = htons(0x88b5), .sll_ifindex = 1, .sll_halen = 6};
	struct guarded guarded;
	int fd;

	(void)state;
	guarded_make(&guarded);
	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&loopback, sizeof(loopback)), 1);
	guarded_enrol(&guarded, false);
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&loopback, sizeof(loopback)), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_protocol, 1);
	close(fd);
	guarded_end(&guarded);
}

/* Made outside, and brought in with the process. */
static int foreign_socket(struct guarded *guarded, const char *address, int type, int protocol)
{
	int fd;

	guarded_move(guarded->home);
	fd = network_socket(address, type, protocol);
	guarded_join(guarded);
	return fd;
}

static void a_socket_that_was_made_outside_connects_to_allowed_addresses_only(void **state)
{
	struct guarded guarded;
	int forbidden, mapped, allowed, peer;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, false);
	forbidden = foreign_socket(&guarded, NETWORK_IPV4, SOCK_STREAM, 0);
	mapped = foreign_socket(&guarded, NETWORK_IPV6, SOCK_STREAM, 0);
	allowed = foreign_socket(&guarded, NETWORK_IPV6, SOCK_STREAM, 0);
	assert_int_equal(network_connect(forbidden, NETWORK_IPV4, guarded.port), EPERM);
	assert_int_equal(network_connect(mapped, NETWORK_MAPPED, guarded.port), EPERM);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_passthrough_off, 2);
	assert_int_equal(network_connect(allowed, NETWORK_IPV6, guarded.port), 0);
	peer = network_accept(guarded.listener);
	assert_int_equal(write(allowed, "x", 1), 1);
	assert_true(guarded_hears(peer));
	assert_int_equal(guarded_counts(&guarded).ipv6.verdicts.mesh, 0);
	close(forbidden);
	close(mapped);
	network_close_pair(allowed, peer);
	guarded_end(&guarded);
}

static void fast_open_of_a_socket_that_was_made_outside_is_judged_by_its_address(void **state)
{
	struct sockaddr_storage to = network_address(NETWORK_IPV4, 9);
	struct guarded guarded;
	int fd;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, false);
	fd = foreign_socket(&guarded, NETWORK_IPV4, SOCK_STREAM, 0);
	assert_int_equal(sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(struct sockaddr_in)), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_passthrough_off, 1);
	close(fd);
	guarded_end(&guarded);
}

static void a_connection_that_was_made_outside_sends_to_allowed_peers_only(void **state)
{
	struct guarded guarded;
	int forbidden, forbidden_peer, allowed, allowed_peer;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, false);
	guarded_move(guarded.home);
	forbidden = network_connected(NETWORK_IPV4, guarded.port);
	forbidden_peer = network_accept(guarded.listener);
	allowed = network_connected(NETWORK_IPV6, guarded.port);
	allowed_peer = network_accept(guarded.listener);
	guarded_join(&guarded);
	assert_int_equal(write(forbidden, "x", 1), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_guard, 1);
	assert_int_equal(write(allowed, "x", 1), 1);
	assert_true(guarded_hears(allowed_peer));
	assert_false(guarded_hears(forbidden_peer));
	network_close_pair(forbidden, forbidden_peer);
	network_close_pair(allowed, allowed_peer);
	guarded_end(&guarded);
}

static void a_connection_that_was_accepted_outside_answers(void **state)
{
	struct guarded guarded;
	int client, accepted;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, false);
	guarded_move(guarded.home);
	client = network_connected(NETWORK_IPV4, guarded.port);
	guarded_join(&guarded);
	/* The listener is not the workload's, and neither is what comes of it. */
	accepted = network_accept(guarded.listener);
	assert_int_equal(write(accepted, "x", 1), 1);
	assert_true(guarded_hears(client));
	network_close_pair(accepted, client);
	guarded_end(&guarded);
}

static void datagrams_of_a_socket_that_was_made_outside_are_judged_one_by_one(void **state)
{
	struct guarded guarded;
	int ipv4, ipv6;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, false);
	ipv4 = foreign_socket(&guarded, NETWORK_IPV4, SOCK_DGRAM, 0);
	ipv6 = foreign_socket(&guarded, NETWORK_IPV6, SOCK_DGRAM, 0);
	assert_int_equal(guarded_send(ipv4, NETWORK_IPV4, 9), EPERM);
	assert_int_equal(guarded_send(ipv4, "127.0.0.1", 9), 0);
	assert_int_equal(guarded_send(ipv6, NETWORK_MAPPED, 9), EPERM);
	assert_int_equal(guarded_send(ipv6, NETWORK_IPV6, 9), 0);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_passthrough_off, 2);
	close(ipv4);
	close(ipv6);
	guarded_end(&guarded);
}

/* sendto() of one byte with a name that has no family: 0, or the errno. */
static int send_without_family(int fd, const char *address, uint16_t port)
{
	struct sockaddr_storage to = network_address(address, port);
	socklen_t len = to.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

	to.ss_family = AF_UNSPEC;
	return sendto(fd, "x", 1, 0, (struct sockaddr *)&to, len) < 0 ? errno : 0;
}

/* UDP of IPv6 takes it for none and sends to the peer, that of IPv4 reads an address of its own. */
static void a_datagram_whose_name_has_no_family_is_judged_by_where_it_goes(void **state)
{
	struct guarded guarded;
	int forbidden, allowed, ipv4;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, false);
	guarded_move(guarded.home);
	forbidden = network_socket(NETWORK_IPV6, SOCK_DGRAM, 0);
	assert_int_equal(network_connect(forbidden, NETWORK_MAPPED, 9), 0);
	allowed = network_socket(NETWORK_IPV6, SOCK_DGRAM, 0);
	assert_int_equal(network_connect(allowed, NETWORK_IPV6, 9), 0);
	ipv4 = network_socket(NETWORK_IPV4, SOCK_DGRAM, 0);
	assert_int_equal(network_connect(ipv4, "127.0.0.1", 9), 0);
	guarded_join(&guarded);
	assert_int_equal(send_without_family(forbidden, NETWORK_IPV6, 9), EPERM);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_guard, 1);
	assert_int_equal(send_without_family(allowed, "2001:db8:51::2", 9), 0);
	assert_int_equal(send_without_family(ipv4, NETWORK_IPV4, 9), EPERM);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_passthrough_off, 1);
	assert_int_equal(guarded_counts(&guarded).ipv6.verdicts.blocked_guard, 0);
	assert_int_equal(guarded_counts(&guarded).ipv6.verdicts.blocked_passthrough_off, 0);
	close(forbidden);
	close(allowed);
	close(ipv4);
	guarded_end(&guarded);
}

static void a_raw_socket_that_was_made_outside_is_refused_even_where_raw_sockets_are_allowed(void **state)
{
	struct guarded guarded;
	int foreign, own;

	(void)state;
	guarded_make(&guarded);
	guarded.protocols = EG_PROTO_RAW;
	guarded_enrol(&guarded, false);
	foreign = foreign_socket(&guarded, NETWORK_IPV6, SOCK_RAW, EXPERIMENT);
	own = network_socket(NETWORK_IPV6, SOCK_RAW, EXPERIMENT);
	assert_int_equal(guarded_send(foreign, NETWORK_IPV6, 0), EPERM);
	assert_int_equal(guarded_counts(&guarded).ipv6.verdicts.blocked_protocol, 1);
	assert_int_equal(guarded_send(own, NETWORK_IPV6, 0), 0);
	close(foreign);
	close(own);
	guarded_end(&guarded);
}

static void a_socket_of_a_cgroup_below_is_the_workloads_own(void **state)
{
	struct guarded guarded;
	struct eg_cgroup below;
	_cleanup_free_ char *procs = NULL;
	int fd;

	(void)state;
	guarded_make(&guarded);
	guarded.protocols = EG_PROTO_RAW;
	guarded_enrol(&guarded, false);
	below = cgroup_make_below(guarded.cgroup.path, "below");
	assert_true(asprintf(&procs, "%s/cgroup.procs", below.path) > 0);
	guarded_move(procs);
	fd = network_socket(NETWORK_IPV6, SOCK_RAW, EXPERIMENT);
	guarded_join(&guarded);
	/* Foreign, it would be refused. */
	assert_int_equal(guarded_send(fd, NETWORK_IPV6, 0), 0);
	close(fd);
	cgroup_end(&below);
	guarded_end(&guarded);
}

static void a_policy_that_lets_everything_out_has_none_of_them(void **state)
{
	struct guarded guarded;
	int fd;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, true);
	fd = foreign_socket(&guarded, NETWORK_IPV4, SOCK_DGRAM, 0);
	assert_int_equal(guarded_send(fd, NETWORK_IPV4, 9), 0);
	assert_int_equal(guarded_try(AF_PACKET, SOCK_RAW, 0), 0);
	close(fd);
	guarded_end(&guarded);
}

/* ---- where it does not ---- */

static void a_kernel_without_them_is_guarded_by_the_others_and_says_why(void **state)
{
	struct guarded guarded;
	const int *fds;

	(void)state;
	guarded_make(&guarded);
	assert_null(getenv("EG_LSM"));
	assert_true(eg_datapath_lsm_error(guarded.datapath) < 0);
	assert_true(strlen(eg_lsm_problem(eg_datapath_lsm_error(guarded.datapath))) > 0);
	guarded_enrol(&guarded, false);
	assert_int_equal(guarded_try(AF_INET, SOCK_RAW, IPPROTO_RAW), EPERM);
	assert_int_equal(guarded_try(AF_PACKET, SOCK_RAW, 0), 0);
	assert_true(eg_links_fds(guarded.links, &fds) > LSM_PROGRAMS);
	guarded_end(&guarded);
}

/* EG_LSM=1: it is known to, and a build whose programs it refuses fails. */
static bool kernel_takes_them(void)
{
	static const struct eg_datapath_options any = {.slots = 2, .destinations = 1, .leases = 1};
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = NULL;
	_cleanup_free_ char *problem = NULL;

	/* Without root the tests are skipped one by one. */
	return eg_datapath_load(&any, &datapath, &problem) < 0 || eg_datapath_lsm_error(datapath) == 0;
}

int main(void)
{
	const struct CMUnitTest with[] = {
		cmocka_unit_test(families_that_lead_to_a_network_are_refused_and_local_ones_are_not),
		cmocka_unit_test(a_family_that_the_workload_allows_is_not_refused),
		cmocka_unit_test(a_packet_socket_that_was_there_before_sends_nothing),
		cmocka_unit_test(a_socket_that_was_made_outside_connects_to_allowed_addresses_only),
		cmocka_unit_test(fast_open_of_a_socket_that_was_made_outside_is_judged_by_its_address),
		cmocka_unit_test(a_connection_that_was_made_outside_sends_to_allowed_peers_only),
		cmocka_unit_test(a_connection_that_was_accepted_outside_answers),
		cmocka_unit_test(datagrams_of_a_socket_that_was_made_outside_are_judged_one_by_one),
		cmocka_unit_test(a_datagram_whose_name_has_no_family_is_judged_by_where_it_goes),
		cmocka_unit_test(a_raw_socket_that_was_made_outside_is_refused_even_where_raw_sockets_are_allowed),
		cmocka_unit_test(a_socket_of_a_cgroup_below_is_the_workloads_own),
		cmocka_unit_test(a_policy_that_lets_everything_out_has_none_of_them),
	};
	const struct CMUnitTest without[] = {
		cmocka_unit_test(a_kernel_without_them_is_guarded_by_the_others_and_says_why),
	};

	return kernel_takes_them() ? cmocka_run_group_tests_name("lsm", with, NULL, NULL)
				   : cmocka_run_group_tests_name("lsm", without, NULL, NULL);
}
